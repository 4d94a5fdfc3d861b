"""Mail and webhooks against real servers."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from connectors.errors import ITMustAct
from connectors.network import Network
from gateway.alerts.mail import MailServer as Mail
from gateway.alerts.sending import Letter, Refused, Unavailable
from gateway.alerts.webhook import ID_HEADER, SIGNATURE_HEADER, Webhook
from tests.servers.authority import Authority
from tests.servers.smtp import MailServer

TO = "dsi@departement.example.fr"
BODY = "Bonjour,\n\nUn accès est à rétablir\u00a0: zimbra.\n.\nUne longue ligne, " + "é" * 90 + "\n"
LETTER = Letter(
    "rdvgw-1", datetime(2026, 3, 2, 8, tzinfo=UTC), TO, "[Agenda RDV] Un accès est à rétablir", BODY, '{"text": "é"}'
)


def mail(server: MailServer, security: str = "none", **changes: object) -> Mail:
    values = {"timeout": 5.0, "network": Network(connect_timeout=5, read_timeout=5), **changes}
    return Mail("localhost", server.port, security, "passerelle@departement.example.fr", **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


def test_a_mail_arrives_as_it_was_written_and_says_that_it_is_automatic():
    with MailServer() as server:
        mail(server).send(LETTER)
        ((to, got),) = server.mails
    assert (to, got["To"], got["From"]) == (TO, TO, "passerelle@departement.example.fr")
    assert got["Subject"] == LETTER.subject
    assert got.get_content().replace("\r\n", "\n") == BODY
    assert got["Message-ID"] == "<rdvgw-1@departement.example.fr>"
    assert got["Auto-Submitted"] == "auto-generated"
    assert got["Date"].datetime == LETTER.made_at


def test_starttls_with_a_sign_in_and_a_private_authority(authority):
    with MailServer(tls=authority.server("localhost"), login=("passerelle", "secret")) as server:
        network = Network(ca_file=authority.ca_file)
        mail(server, "starttls", network=network, username="passerelle", password="secret").send(LETTER)
        assert server.ids == ["<rdvgw-1@departement.example.fr>"]
        with pytest.raises(ITMustAct, match="refuses the sign-in") as refused:
            mail(server, "starttls", network=network, username="passerelle", password="canary").send(LETTER)
    assert "canary" not in f"{refused.value} {refused.value.remedy}"


def test_a_certificate_of_an_unknown_authority_or_of_another_name_is_no_way(authority):
    with (
        MailServer(tls=authority.server("localhost")) as unknown,
        MailServer(tls=authority.server("other.example.fr")) as other,
    ):
        with pytest.raises(ITMustAct, match="not trusted"):
            mail(unknown, "starttls").send(LETTER)
        with pytest.raises(ITMustAct, match="not trusted"):
            mail(other, "starttls", network=Network(ca_file=authority.ca_file)).send(LETTER)
        assert unknown.mails == other.mails == []


def test_no_mail_goes_in_clear_to_a_server_without_starttls():
    with MailServer() as server, pytest.raises(ITMustAct, match="STARTTLS"):
        mail(server, "starttls").send(LETTER)


@pytest.mark.parametrize(
    ("answer", "error"), [("550 no such user", Refused), ("451 greylisted", Unavailable), ("452 full", Unavailable)]
)
def test_a_refused_address_is_given_up_and_a_busy_one_is_tried_again(answer, error):
    with MailServer() as server:
        server.refused = {TO: answer}
        with pytest.raises(error) as raised:
            mail(server).send(LETTER)
    assert type(raised.value) is error
    assert TO not in str(raised.value)


@pytest.mark.parametrize(("answer", "error"), [("554 looks like spam", Refused), ("421 going down", Unavailable)])
def test_a_refused_message_is_given_up_and_a_busy_server_is_tried_again(answer, error):
    with MailServer() as server:
        server.answer = lambda: answer
        with pytest.raises(error) as raised:
            mail(server).send(LETTER)
    assert type(raised.value) is error


def test_a_server_that_is_not_there_or_says_nothing_is_tried_again():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        server = Mail("127.0.0.1", silent.getsockname()[1], "none", "p@x.fr", Network(), timeout=0.2)
        with pytest.raises(Unavailable):
            server.send(LETTER)
    with pytest.raises(Unavailable):
        server.send(LETTER)


def test_a_server_that_dies_after_it_took_the_message_has_taken_it():
    """Else the message would be sent again."""

    def rude(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:

            def say(text: bytes) -> None:
                stream.write(text + b"\r\n")
                stream.flush()

            say(b"220 here")
            for line in stream:
                if line.upper().startswith(b"DATA"):
                    say(b"354 go on")
                    while stream.readline() != b".\r\n":
                        pass
                    say(b"250 taken")
                    return
                say(b"250 fine")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=rude, args=(listener,))
        thread.start()
        Mail("127.0.0.1", listener.getsockname()[1], "none", "p@x.fr", Network(), timeout=5).send(LETTER)
        thread.join()


@contextmanager
def receiver(
    status: int, tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """An HTTP server that keeps what is posted."""
    posted: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            posted.append((dict(self.headers), body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"{'https' if tls else 'http'}://localhost:{server.server_address[1]}/hooks/canary-token", posted
        server.shutdown()
        thread.join()


def test_a_webhook_gets_the_body_signed(authority):
    with receiver(204, authority.server("localhost")) as (url, posted):
        Webhook("chat", url, b"secret", Network(ca_file=authority.ca_file)).send(LETTER)
    ((headers, body),) = posted
    assert json.loads(body) == {"text": "é"}
    lowered = {name.lower(): value for name, value in headers.items()}
    assert lowered[SIGNATURE_HEADER.lower()] == hmac.new(b"secret", body, hashlib.sha256).hexdigest()
    assert lowered[ID_HEADER.lower()] == "rdvgw-1"


@pytest.mark.parametrize(
    ("status", "error"), [(400, Refused), (429, Unavailable), (503, Unavailable), (302, ITMustAct), (404, ITMustAct)]
)
def test_what_a_webhook_answers_says_what_to_do(status, error):
    with receiver(status) as (url, _), pytest.raises(error) as raised:
        Webhook("chat", url, b"secret", Network()).send(LETTER)
    assert type(raised.value) is error
    assert "canary" not in str(raised.value)


def test_a_webhook_that_does_not_answer_is_tried_again_and_shows_no_address():
    hook = Webhook("chat", "http://127.0.0.1:9/hooks/canary-token", b"canary", Network(connect_timeout=1))
    with pytest.raises(Unavailable) as raised:
        hook.send(LETTER)
    assert "canary" not in f"{raised.value} {hook!r}"
