"""A mail server on loopback that keeps what it takes, and refuses what it is told to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any, Self

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

TAKEN = "250 OK"


class _Controller(Controller):
    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = int(server.sockets[0].getsockname()[1])  # it was 0: any that is free
        super()._trigger_server()


class MailServer:
    """SMTP by aiosmtpd. `mails`: what was taken, in order. `answer`: to the end of a message. `refused`: by address,
    the answer to it. `tls`: STARTTLS is offered, and wanted before anything else; `login`: whose sign-in is wanted."""

    def __init__(self, *, tls: ssl.SSLContext | None = None, login: tuple[str, str] | None = None) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.answer: Callable[[], str] = lambda: TAKEN
        self.refused: dict[str, str] = {}
        self._login = login
        self._controller = _Controller(
            self,
            hostname="127.0.0.1",
            port=0,
            tls_context=tls,
            require_starttls=tls is not None,
            authenticator=self._authenticate if login else None,
            auth_required=login is not None,
        )

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._controller.port)

    @property
    def ids(self) -> list[str]:
        """The Message-ID of each mail taken."""
        return [mail["Message-ID"] for _, mail in self.mails]

    def texts(self, to: str) -> list[str]:
        """Subject and body of what this address got."""
        texts = (f"{mail['Subject']}\n{mail.get_content()}" for whom, mail in self.mails if whom == to)
        return [text.replace("\r\n", "\n") for text in texts]

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop()

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        assert isinstance(data, LoginPassword)
        return AuthResult(success=(data.login.decode(), data.password.decode()) == self._login, handled=False)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """The answer to one recipient."""
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return TAKEN

    async def handle_DATA(self, _server: Any, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        """The answer to a message. One that is not taken is not kept."""
        answer = self.answer()
        if answer == TAKEN:
            content = envelope.content
            assert isinstance(content, bytes)
            for whom in envelope.rcpt_tos:
                self.mails.append((whom, message_from_bytes(content, EmailMessage, policy=default)))
        return answer
