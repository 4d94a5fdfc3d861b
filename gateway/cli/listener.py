"""A listener on this machine that waits for one redirect of a browser, and ends."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import cast
from urllib.parse import urlsplit

from gateway.cli.exits import UserError

_PAGE = (
    "<!DOCTYPE html><html lang=fr><meta charset=utf-8><title>rdv-gateway</title>"
    "<p>La réponse est reçue. Vous pouvez fermer cette page et revenir au terminal."
)
_STEP = 0.5  # seconds between looks at whether to give up
_SILENCE = 5.0  # seconds that a connection may stay without a word


class _Server(HTTPServer):
    path: str
    accepts: Callable[[str], bool]
    answer: str | None = None

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hung up is none of our business."""


class _Handler(BaseHTTPRequestHandler):
    timeout = _SILENCE

    def do_GET(self) -> None:
        server = cast("_Server", self.server)
        # Any page may send a browser here: what is not the answer to our own question is not let in.
        known = urlsplit(self.path).path == server.path and server.accepts(self.path)
        if known:
            server.answer = self.path
        body = _PAGE.encode() if known else b""
        self.send_response(200 if known else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing: the address holds the code."""


def wait_for_redirect(
    redirect_uri: str, accepts: Callable[[str], bool], *, seconds: float, ready: Callable[[], None]
) -> str:
    """The path and query with which a browser came to `redirect_uri` and that `accepts` takes.

    `ready` is called once it listens. Raises `UserError` when the port cannot be had, or nobody comes in time.
    """
    parts = urlsplit(redirect_uri)
    place = ("127.0.0.1", parts.port or 80)
    try:
        server = _Server(place, _Handler)
    except OSError as error:
        raise UserError(
            f"Nothing can listen on port {place[1]} of this machine: {error.strerror}.",
            remedy="Leave --listen out and paste the address, or name another redirect_uri and register it.",
        ) from None
    with server:
        server.path, server.accepts, server.timeout = parts.path or "/", accepts, _STEP
        ready()
        end = time.monotonic() + seconds
        while server.answer is None and time.monotonic() < end:
            server.handle_request()
        if server.answer is None:
            raise UserError("No browser brought an answer in time.", remedy="Run `rdv-gateway rdvs login` again.")
        return server.answer
