"""A server that publishes iCalendar files behind secret links, on a real socket, well or badly."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

SECRET = "jeton-f3ed-s3cret"
"""In every link of this server."""


@dataclass(frozen=True)
class Seen:
    """One request. Names of headers are in lower case. `status`: what it was answered."""

    path: str
    headers: Mapping[str, str]
    status: int


@dataclass
class Feed:
    """What is published under one link.

    `body`: made anew for each request. `validators`: among "etag" and "modified"; conditional requests are honoured
    by them. `headers`: more of them. `cut`: so many bytes are sent of those that were announced. `drip`: seconds
    between pieces of a hundred bytes. `length`: whether Content-Length is given. `encoding`: "gzip" compresses.
    """

    body: Callable[[], bytes]
    validators: frozenset[str] = frozenset({"etag"})
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    drip: float = 0.0
    length: bool = True
    encoding: str = ""


class FeedServer:
    """Answers under `/<SECRET>/<name>.ics`. A context manager; `seen` holds every request."""

    def __init__(self) -> None:
        self.feeds: dict[str, Feed] = {}
        self.seen: list[Seen] = []
        self._ending = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                with contextlib.suppress(ConnectionError):
                    server._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None:
                pass

        self._http = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    def link(self, name: str) -> str:
        """The secret address of a feed."""
        return f"{self.url}{SECRET}/{name}.ics"

    def publish(self, name: str, body: bytes | Callable[[], bytes], **details: object) -> Feed:
        """Publish, or publish anew."""
        made = body if callable(body) else (lambda: body)
        self.feeds[name] = Feed(made, **details)  # type: ignore[arg-type]
        return self.feeds[name]

    def statuses(self) -> list[int]:
        """What was answered, in order."""
        return [seen.status for seen in self.seen]

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        headers = {name.lower(): value for name, value in request.headers.items()}
        feed = self.feeds.get(request.path.removeprefix(f"/{SECRET}/").removesuffix(".ics"))
        if feed is None:
            feed = Feed(lambda: b"", status=404, validators=frozenset())
        body = feed.body()
        validators = _validators(feed, body)
        status = feed.status
        if status == 200 and _is_current(headers, validators):
            status, body = 304, b""
        self.seen.append(Seen(request.path, headers, status))
        if feed.encoding == "gzip":
            body = gzip.compress(body, 9, mtime=0)
        request.send_response(status)
        for name, value in {"Content-Type": "text/calendar; charset=utf-8", **validators, **feed.headers}.items():
            request.send_header(name, value)
        if feed.encoding:
            request.send_header("Content-Encoding", feed.encoding)
        if feed.length and status != 304:
            request.send_header("Content-Length", str(len(body)))
        request.send_header("Connection", "close")
        request.end_headers()
        request.close_connection = True
        self._send(request, feed, body[: feed.cut])

    def _send(self, request: BaseHTTPRequestHandler, feed: Feed, body: bytes) -> None:
        step = 100 if feed.drip else 64 * 1024
        for start in range(0, len(body), step):
            request.wfile.write(body[start : start + step])
            if feed.drip and self._ending.wait(feed.drip):
                return


def _validators(feed: Feed, body: bytes) -> dict[str, str]:
    found: dict[str, str] = {}
    if "etag" in feed.validators:
        found["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    if "modified" in feed.validators:
        # Not a clock: another content has another second.
        number = int(hashlib.sha256(body).hexdigest()[:4], 16)
        found["Last-Modified"] = (
            f"Mon, 04 May 2026 {number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02} GMT"
        )
    return found


def _is_current(headers: Mapping[str, str], validators: Mapping[str, str]) -> bool:
    """RFC 9110 section 13.2.2: If-None-Match goes before If-Modified-Since."""
    if "if-none-match" in headers:
        return headers["if-none-match"] == validators.get("ETag")
    return "if-modified-since" in headers and headers["if-modified-since"] == validators.get("Last-Modified")
