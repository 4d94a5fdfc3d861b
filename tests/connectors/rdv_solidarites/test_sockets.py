"""On real sockets: answers cut, withheld or late, connections kept, and nothing secret in the logs."""

from __future__ import annotations

import json
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from connectors.errors import AnswerLost, ITMustAct, RetryLater
from connectors.network import Network
from connectors.rdv_solidarites import DeviseTokens, MemoryTokenStore, RdvSolidaritesClient
from connectors.records import AbsenceDraft
from tests.connectors.rdv_solidarites.support import FakeClock, FixedToken, absence_record

DRAFT = AbsenceDraft(12, "Oncologue", datetime(2026, 3, 3, 9, 0), datetime(2026, 3, 3, 10, 0))


def answer(body: object, headers: str = "") -> bytes:
    content = json.dumps(body).encode()
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(content)}\r\n{headers}\r\n".encode() + content


WRITTEN = answer({"absence": absence_record()})
NOTHING = answer({"organisations": [], "meta": {"next_page": None, "total_count": 0}})


class SocketServer:
    """Answers each request with what `reply` makes of it: bytes to send; None = say nothing; b"" = cut."""

    def __init__(self, reply: Callable[[bytes], bytes | None]) -> None:
        self._reply = reply
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.connections = 0
        self._threads[0].start()

    def close(self) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=10)
        self._listener.close()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(5)
            while request := _request(connection):
                reply = self._reply(request)
                if reply is None:
                    self._over.wait(5)
                    return
                connection.sendall(reply)
                if not _whole(reply):
                    return


def _request(connection: socket.socket) -> bytes:
    received = b""
    try:
        while b"\r\n\r\n" not in received or len(received.partition(b"\r\n\r\n")[2]) < _length(received):
            chunk = connection.recv(65536)
            if not chunk:
                return b""
            received += chunk
    except OSError:
        return b""
    return received


def _length(message: bytes) -> int:
    for line in message.partition(b"\r\n\r\n")[0].lower().splitlines():
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _whole(reply: bytes) -> bool:
    head, end, body = reply.partition(b"\r\n\r\n")
    return bool(head and end) and len(body) == _length(reply)


@contextmanager
def serving(
    reply: Callable[[bytes], bytes | None], *, read_timeout: float = 0.2
) -> Iterator[tuple[SocketServer, RdvSolidaritesClient]]:
    with ExitStack() as stack:
        server = SocketServer(reply)
        stack.callback(server.close)
        client = RdvSolidaritesClient(
            server.address,
            FixedToken(),
            clock=FakeClock(),
            requests_per_second=None,
            network=Network(connect_timeout=2.0, read_timeout=read_timeout),
        )
        stack.callback(client.close)
        yield server, client


@pytest.mark.parametrize(
    "reply",
    [None, b"", b"HTTP/1.1 200 OK\r\nContent-Len", WRITTEN[:-5], b"no http at all\r\n\r\n"],
    ids=["silence", "cut", "cut in headers", "cut in body", "garbage"],
)
def test_a_write_whose_answer_does_not_come_whole_is_lost_after_one_request(reply: bytes | None) -> None:
    received: list[bytes] = []

    def once(request: bytes) -> bytes | None:
        received.append(request)
        return reply

    with serving(once) as (_, client), pytest.raises(AnswerLost):
        client.create_absence(DRAFT)
    assert len(received) == 1


def test_a_connection_refused_says_that_nothing_was_sent() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = f"http://127.0.0.1:{unused.getsockname()[1]}"
    client = RdvSolidaritesClient(address, FixedToken(), clock=FakeClock(), requests_per_second=None)
    with pytest.raises(RetryLater) as caught:
        client.create_absence(DRAFT)
    client.close()
    assert type(caught.value) is RetryLater


def test_a_certificate_that_nobody_vouches_for_is_for_it_and_nothing_is_sent(tmp_path: Path) -> None:
    received: list[bytes] = []
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self_signed(tmp_path))

        def accept() -> None:
            connection, _ = listener.accept()
            with connection, suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
                received.append(secured.recv(65536))

        thread = threading.Thread(target=accept)
        thread.start()
        stack.callback(thread.join, timeout=10)
        client = RdvSolidaritesClient(
            f"https://127.0.0.1:{listener.getsockname()[1]}", FixedToken(), clock=FakeClock(), requests_per_second=None
        )
        stack.callback(client.close)
        with pytest.raises(ITMustAct, match="certificate"):
            client.create_absence(DRAFT)
    assert received == []


def self_signed(folder: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "server.pem"
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_a_read_is_repeated_over_cut_connections() -> None:
    replies = iter([b"", NOTHING[:-3], NOTHING])
    with serving(lambda _: next(replies)) as (server, client):
        assert client.organisations() == ()
    assert server.connections == 3


def test_one_connection_is_kept_for_many_requests() -> None:
    with serving(lambda _: NOTHING) as (server, client):
        for _ in range(5):
            client.organisations()
        assert (server.connections, client.requests) == (1, 5)


def test_threads_share_the_client() -> None:
    with serving(lambda _: NOTHING, read_timeout=5.0) as (_, client), ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: client.organisations(), range(40))) == [()] * 40
        assert client.requests == 40


def test_no_log_at_any_level_holds_a_password_a_token_or_a_title(caplog: pytest.LogCaptureFixture) -> None:
    def reply(request: bytes) -> bytes:
        if b"sign_in" in request:
            return answer(
                {"data": {}}, "access-token: token-secret\r\nclient: client-secret\r\nuid: it@example.org\r\n"
            )
        assert b"token-secret" in request
        return WRITTEN

    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="httpx2")  # which another connector, if there is one, keeps quiet
    with ExitStack() as stack:
        server = SocketServer(reply)
        stack.callback(server.close)
        clock = FakeClock()
        signing_in = DeviseTokens("it@example.org", "password-secret", MemoryTokenStore(), clock)
        client = RdvSolidaritesClient(server.address, signing_in, clock=clock)
        stack.callback(client.close)
        client.create_absence(DRAFT)
    assert "POST" in caplog.text, "something is logged"
    assert not any(word in caplog.text for word in ("secret", "Oncologue", "it@example.org"))
