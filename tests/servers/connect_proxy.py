"""A forward proxy as départements run them: it connects (CONNECT, RFC 9110 section 9.3.6) whom it lets through.

It alone knows where the names lead: they are under `.test`, which no resolver answers, so that whoever reaches a
server by such a name came through here.
"""

from __future__ import annotations

import base64
import contextlib
import select
import socket
import ssl
import threading
from collections.abc import Mapping, Sequence
from typing import Self


class ConnectProxy:
    """Proxy on loopback. A context manager.

    `places`: `host:port` as a client asks for it -> the port on this machine. `login`: (user, password) that it wants.
    `verdict`: a status to answer every CONNECT with; 0 hangs up without a word. `tls` makes it speak TLS itself.
    """

    def __init__(
        self,
        places: Mapping[str, int],
        *,
        login: tuple[str, str] | None = None,
        verdict: int | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._places = dict(places)
        self._login = login
        self.verdict = verdict
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._asked: list[tuple[str, int]] = []
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._stopping = False

    @property
    def place(self) -> str:
        """`host:port` where it answers."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.place}"

    @property
    def asked(self) -> Sequence[tuple[str, int]]:
        """Each CONNECT so far: the place asked for and the status that it got."""
        with self._lock:
            return tuple(self._asked)

    def connected(self) -> set[str]:
        """The places that clients were connected with."""
        return {place for place, status in self.asked if status == 200}

    def __enter__(self) -> Self:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):  # the other side was quicker
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def _run(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._run(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.ExitStack() as held, contextlib.suppress(OSError):
            held.enter_context(connection)
            connection.settimeout(10)
            client = connection
            if self._tls is not None:
                client = held.enter_context(self._tls.wrap_socket(connection, server_side=True))
            with self._lock:
                self._open.add(client)
            held.callback(self._open.discard, client)
            head = _head(client)
            place = head[0].split()[1]
            status = self._judge(place, head)
            with self._lock:
                self._asked.append((place, status))
            if status != 200:
                if status:
                    client.sendall(f"HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\n\r\n".encode())
                return
            server = held.enter_context(socket.create_connection(("127.0.0.1", self._places[place]), timeout=10))
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            _relay(client, server)

    def _judge(self, place: str, head: Sequence[str]) -> int:
        if self.verdict is not None:
            return self.verdict
        if self._login is not None:
            secret = base64.b64encode(":".join(self._login).encode()).decode()
            if f"proxy-authorization: basic {secret}".lower() not in [line.lower() for line in head]:
                return 407
        return 200 if head[0].startswith("CONNECT ") and place in self._places else 403


def _head(client: socket.socket) -> Sequence[str]:
    received = b""
    while not received.endswith(b"\r\n\r\n"):
        byte = client.recv(1)  # one by one: what follows the head belongs to the server
        if not byte:
            raise ConnectionResetError
        received += byte
    return received.decode("latin-1").split("\r\n")


def _relay(client: socket.socket, server: socket.socket) -> None:
    while True:
        pending = isinstance(client, ssl.SSLSocket) and client.pending()
        # The server first: one that hung up has said why before.
        ready = [client] if pending else select.select([server, client], [], [], 60)[0]
        if not ready:
            return
        for source in ready:
            data = source.recv(65536)
            if not data:
                return
            if source is server:
                client.sendall(data)
                continue
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                server.sendall(data)
