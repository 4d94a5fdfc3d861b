"""A reverse proxy that watches what a client really asks of a server, and misbehaves on demand."""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol, Self
from urllib.parse import urlsplit

_HOP_HEADERS = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "te", "upgrade"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as the client sent it, and the status it got (0: none)."""

    method: str
    path: str
    depth: str | None
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    status: int = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back to the client."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing for `seconds` and then hang up; with `forward` the server did its work before."""

    seconds: float
    forward: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """Hang up without an answer; with `forward` the server did its work before."""

    forward: bool = False


@dataclass(frozen=True, slots=True)
class Instead:
    """Answer this in place of the server; with `forward` the server did its work before."""

    reply: Reply
    forward: bool = False


@dataclass(frozen=True, slots=True)
class Alter:
    """Hand on what `change` makes of the server's reply."""

    change: Callable[[Reply], Reply]


@dataclass(frozen=True, slots=True)
class Before:
    """Do something right before the request reaches the server, e.g. let somebody else write."""

    act: Callable[[], None]


Fault = Hang | Cut | Instead | Alter | Before

Ask = Callable[[Seen], Reply]


class Trait(Protocol):
    """How servers of some kind behave: answers a request, asking the real server as it likes."""

    def __call__(self, seen: Seen, ask: Ask) -> Reply: ...


@dataclass(slots=True)
class _Rule:
    matches: Callable[[Seen], bool]
    fault: Fault
    left: int | None  # None: for ever


class CountingProxy:
    """Proxy on loopback in front of `upstream`. Thread-safe; a context manager.

    `users` (login -> password) makes it check Basic credentials and pass the login on as X-Remote-User.
    `keep_alive`: "yes" keeps connections; "no" answers as HTTP/1.0 does; "silent" closes without saying so.
    `tls` makes it answer https. `traits` make the server behind look like one of another kind, the first one nearest
    to the client; answers then pass uncompressed.
    """

    def __init__(
        self,
        upstream: str,
        *,
        users: Mapping[str, str] | None = None,
        keep_alive: str = "yes",
        tls: ssl.SSLContext | None = None,
        traits: Sequence[Trait] = (),
    ) -> None:
        parts = urlsplit(upstream)
        assert parts.hostname is not None
        assert parts.port is not None
        self._upstream = (parts.hostname, parts.port)
        self._users = users
        self.keep_alive = keep_alive
        self._tls = tls
        self.traits = tuple(traits)
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._rules: list[_Rule] = []
        self._open: set[socket.socket] = set()
        self._running = 0
        self.connections = 0  # how many were made so far
        self.peak = 0  # most requests under way at the same time
        self.stopping = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        assert self._server is not None, "not started"
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._server.server_address[1]}/"

    @property
    def seen(self) -> Sequence[Seen]:
        """All requests so far, in order of their end."""
        with self._lock:
            return tuple(self._seen)

    def methods(self) -> list[str]:
        """The methods of all requests so far."""
        return [seen.method for seen in self.seen]

    def forget(self) -> None:
        """Count from zero again."""
        with self._lock:
            self._seen.clear()
            self.peak = 0

    def when(
        self,
        method: str | None,
        fault: Fault,
        *,
        times: int | None = 1,
        path: str = "",
        matches: Callable[[Seen], bool] = lambda _: True,
    ) -> None:
        """Meet the next `times` requests of this method whose path holds `path` with `fault`."""

        def fits(seen: Seen) -> bool:
            return (method is None or seen.method == method) and path in seen.path and matches(seen)

        with self._lock:
            self._rules.append(_Rule(fits, fault, times))

    def behave(self) -> None:
        """Forget all faults."""
        with self._lock:
            self._rules.clear()

    def start(self) -> None:
        """Listen on a free port."""
        proxy = self

        class Handler(_Handler):
            owner = proxy

        Handler.protocol_version = "HTTP/1.0" if self.keep_alive == "no" else "HTTP/1.1"
        self.stopping.clear()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if self._tls is not None:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Hang up on everybody and free the port."""
        if self._server is None or self._thread is None:
            return
        self.stopping.set()
        self._server.shutdown()
        self._thread.join()
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            hang_up(connection)
        self._server.server_close()
        self._server = self._thread = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- for the handler -------------------------------------------------------------------------------------

    def opened(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.add(connection)
            self.connections += 1

    def closed(self, connection: socket.socket) -> None:
        with self._lock:
            self._open.discard(connection)

    def begin(self) -> None:
        with self._lock:
            self._running += 1
            self.peak = max(self.peak, self._running)

    def end(self, seen: Seen) -> None:
        with self._lock:
            self._running -= 1
            self._seen.append(seen)

    def fault_for(self, seen: Seen) -> Fault | None:
        with self._lock:
            for rule in self._rules:
                if rule.left != 0 and rule.matches(seen):
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.fault
        return None

    def user_of(self, seen: Seen) -> str | None:
        """The login whose password the request carries."""
        scheme, _, encoded = seen.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic" or self._users is None:
            return None
        login, _, password = base64.b64decode(encoded).decode().partition(":")
        return login if self._users.get(login) == password else None

    def ask_upstream(self, seen: Seen) -> Reply:
        """Pass the request on, through all traits, and read the reply to its end."""
        if not self.traits:
            return self._forward(seen)
        ask = self._forward
        for trait in reversed(self.traits):
            ask = partial(trait, ask=ask)
        kept = {name: value for name, value in seen.headers.items() if name != "accept-encoding"}
        return ask(replace(seen, headers=kept))

    def _forward(self, seen: Seen) -> Reply:
        headers = {name: value for name, value in seen.headers.items() if name not in _HOP_HEADERS}
        if self._users is not None:
            user = self.user_of(seen)
            if user is None:
                return Reply(401, (("WWW-Authenticate", 'Basic realm="test"'),), b"")
            headers.pop("authorization", None)
            headers["x-remote-user"] = user
        upstream = http.client.HTTPConnection(*self._upstream, timeout=60)
        try:
            upstream.request(seen.method, seen.path, body=seen.body or None, headers=headers)
            answer = upstream.getresponse()
            kept = tuple((name, value) for name, value in answer.getheaders() if name.lower() not in _HOP_HEADERS)
            return Reply(answer.status, kept, answer.read())
        except OSError:
            return Reply(502)
        finally:
            upstream.close()


def hang_up(connection: socket.socket) -> None:
    """Wake whoever reads from this connection with its end."""
    with contextlib.suppress(OSError):  # the other side was quicker
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    owner: CountingProxy

    def setup(self) -> None:
        super().setup()
        # Answers leave in two pieces, headers and body: without this the second one waits for an acknowledgement.
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.owner.opened(self.connection)

    def finish(self) -> None:
        self.owner.closed(self.connection)
        super().finish()

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # a client that hung up, or our own stop
            super().handle()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # one per method in the base class; here all methods are alike
            return self._relay
        raise AttributeError(name)

    def _relay(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        seen = Seen(self.command, self.path, self.headers.get("Depth"), headers, self.rfile.read(length))
        self.owner.begin()
        reply: Reply | None = None
        try:
            reply = self._reply_to(seen)
        finally:
            self.owner.end(replace(seen, status=reply.status if reply else 0))
        if reply is None:
            self.close_connection = True
            return
        self._send(reply)
        if self.owner.keep_alive == "silent":
            self.close_connection = True

    def _reply_to(self, seen: Seen) -> Reply | None:
        fault = self.owner.fault_for(seen)
        if isinstance(fault, Before):
            fault.act()
        reply: Reply | None = None
        if fault is None or isinstance(fault, Before | Alter) or fault.forward:
            reply = self.owner.ask_upstream(seen)
        match fault:
            case Hang(seconds=seconds):
                self.owner.stopping.wait(seconds)
                return None
            case Cut():
                return None
            case Instead(reply=instead):
                return instead
            case Alter(change=change) if reply is not None:
                return change(reply)
        return reply

    def _send(self, reply: Reply) -> None:
        self.send_response_only(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        if reply.status not in (204, 304):
            self.send_header("Content-Length", str(len(reply.body)))
        if self.owner.keep_alive == "no":
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD" and reply.status not in (204, 304):
            self.wfile.write(reply.body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        """Tests read `seen`, nobody reads a log."""
