"""Mail by SMTP: RFC 5321, with STARTTLS (RFC 3207) or TLS from the start (RFC 8314)."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from connectors.errors import ITMustAct
from connectors.network import Network
from gateway.alerts.sending import SYSTEM, Letter, Refused, Unavailable


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server, and who we are there. `security`: `starttls`, `tls` or `none`. `timeout`: seconds of silence.

    What it raises names no address: the texts of servers do, and are left out.
    """

    host: str
    port: int
    security: str
    sender: str
    network: Network
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    timeout: float = 30.0

    def send(self, letter: Letter) -> None:
        """One connection for each: they are few. Raises as `Channel.send`."""
        text = self._text(letter)
        try:
            with self._connected() as server:
                server.send_message(text, self.sender, [letter.to])
        except smtplib.SMTPRecipientsRefused as error:
            raise self._failure(max(code for code, _ in error.recipients.values()), about_message=True) from None
        except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as error:
            raise self._failure(error.smtp_code, about_message=isinstance(error, smtplib.SMTPDataError)) from None
        except smtplib.SMTPAuthenticationError:
            raise ITMustAct(
                f"The mail server {self.host} refuses the sign-in.",
                system=SYSTEM,
                remedy="Correct mail.username and its password.",
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise ITMustAct(
                f"The certificate of the mail server {self.host} is not trusted ({error.verify_message}).",
                system=SYSTEM,
                remedy="Put its authority into network.ca_file, or correct mail.host.",
            ) from None
        except smtplib.SMTPNotSupportedError:
            raise ITMustAct(
                f"The mail server {self.host} offers no STARTTLS, or no sign-in.",
                system=SYSTEM,
                remedy="Correct mail.security, mail.port or mail.username.",
            ) from None
        except (OSError, smtplib.SMTPException) as error:
            kind = type(error).__name__
            raise Unavailable(f"The mail server {self.host} cannot be used now ({kind}).", system=SYSTEM) from None

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        context = None if self.security == "none" else self.network.tls_context(system=SYSTEM)
        made: smtplib.SMTP
        if self.security == "tls":
            made = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            made = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.security == "starttls":
                made.starttls(context=context)
            if self.username:
                made.login(self.username, self.password)
            yield made
            # It has the message: how it says goodbye is no reason to send it again.
            with suppress(OSError, smtplib.SMTPException):
                made.quit()
        finally:
            made.close()

    def _failure(self, code: int, *, about_message: bool) -> Exception:
        """4xx passes, 5xx does not (RFC 5321 section 4.2.1)."""
        if code < 500:
            return Unavailable(f"The mail server {self.host} takes nothing now ({code}).", system=SYSTEM)
        if about_message:
            return Refused(f"The mail server {self.host} refuses an address or a message ({code}).", system=SYSTEM)
        return ITMustAct(
            f"The mail server {self.host} refuses our sender ({code}).",
            system=SYSTEM,
            remedy="Correct mail.sender, or let it send from this machine.",
        )

    def _text(self, letter: Letter) -> EmailMessage:
        """An automatic message to which no vacation notice answers (RFC 3834)."""
        made = EmailMessage(policy=SMTP)
        made["From"] = Address(addr_spec=self.sender)
        made["To"] = Address(addr_spec=letter.to)
        made["Subject"] = letter.subject
        made["Date"] = format_datetime(letter.made_at)
        made["Message-ID"] = f"<{letter.id}@{self.sender.partition('@')[2]}>"
        made["Auto-Submitted"] = "auto-generated"
        made.set_content(letter.body, cte="quoted-printable")
        return made
