"""What a proxy or a certificate has to do with a request that failed, whichever library sent it.

One table for all clients. Whatever is recognised here happened before the server did anything: after any of these
errors, nothing was written.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import httpx2
import requests
from urllib3.exceptions import ReadTimeoutError

from connectors.errors import ConnectorError, ITMustAct, RetryLater
from connectors.network import Network


class ProxyFailure(httpx2.ProxyError):
    """The proxy was not reached, or broke off before it answered; the cause tells."""


class ClientCertificateWanted(requests.RequestException):
    """A server answered with its page that asks for a client certificate."""


class Trouble(Enum):
    """What went wrong on the way."""

    PROXY_UNREACHABLE = auto()
    PROXY_CREDENTIALS = auto()
    PROXY_REFUSES = auto()
    PROXY_FAILS = auto()
    UNKNOWN_AUTHORITY = auto()
    EXPIRED = auto()
    NOT_YET_VALID = auto()
    WRONG_NAME = auto()
    BAD_CERTIFICATE = auto()
    CLIENT_CERTIFICATE_WANTED = auto()
    CLIENT_CERTIFICATE_REFUSED = auto()
    NOT_ENCRYPTED = auto()
    NO_COMMON_ENCRYPTION = auto()


@dataclass(frozen=True, slots=True)
class Recognised:
    """`at_proxy`: the trouble is with the proxy's own certificate. `detail`: a status or OpenSSL's word for it."""

    trouble: Trouble
    detail: str = ""
    at_proxy: bool = False


# OpenSSL's X509_V_ERR_* (x509_vfy.h). What is not here is said by OpenSSL's own words.
_VERIFY_CODES = {
    **dict.fromkeys((2, 18, 19, 20, 21), Trouble.UNKNOWN_AUTHORITY),
    9: Trouble.NOT_YET_VALID,
    10: Trouble.EXPIRED,
    62: Trouble.WRONG_NAME,
    64: Trouble.WRONG_NAME,
}
# Alerts (RFC 8446 section 6.2) and OpenSSL's own verdicts. Those about a client certificate come, in TLS 1.3, as the
# answer to the first request.
_REASONS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": Trouble.CLIENT_CERTIFICATE_WANTED,
    **dict.fromkeys(
        (
            "SSLV3_ALERT_BAD_CERTIFICATE",
            "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE",
            "SSLV3_ALERT_CERTIFICATE_REVOKED",
            "SSLV3_ALERT_CERTIFICATE_EXPIRED",
            "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
            "TLSV1_ALERT_UNKNOWN_CA",
            "TLSV1_ALERT_ACCESS_DENIED",
        ),
        Trouble.CLIENT_CERTIFICATE_REFUSED,
    ),
    **dict.fromkeys(("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"), Trouble.NOT_ENCRYPTED),
    **dict.fromkeys(
        (
            "SSLV3_ALERT_HANDSHAKE_FAILURE",
            "TLSV1_ALERT_PROTOCOL_VERSION",
            "TLSV1_ALERT_INSUFFICIENT_SECURITY",
            "TLSV1_UNRECOGNIZED_NAME",
            "UNSUPPORTED_PROTOCOL",
            "NO_PROTOCOLS_AVAILABLE",
            "DH_KEY_TOO_SMALL",
        ),
        Trouble.NO_COMMON_ENCRYPTION,
    ),
}
_TUNNEL = re.compile(r"\ATunnel connection failed: (\d{3})\b")
_STATUS = re.compile(r"\A(\d{3})\b")
_WANTED_PAGES = (b"No required SSL certificate was sent", b"The SSL certificate error")


def wants_client_certificate(status: int, body: bytes) -> bool:
    """Whether an answer is nginx's page for a client certificate that is missing or refused, in place of an alert."""
    return status == 400 and any(text in body for text in _WANTED_PAGES)


def network_fault(error: BaseException, *, url: str, network: Network, system: str) -> ConnectorError | None:
    """What to do about `error`, met on the way to `url`; None when neither proxy nor certificates explain it."""
    found = recognised(error)
    if found is None:
        return None
    address = httpx2.URL(url)
    host = address.host if address.port is None else f"{address.host}:{address.port}"
    proxy = network.proxy_for(url)
    place = proxy.place if proxy else "in between"
    if found.trouble in _PROXY_ANSWERS:
        said, remedy = _PROXY_ANSWERS[found.trouble]
        kind = RetryLater if found.trouble is Trouble.PROXY_FAILS else ITMustAct
    else:
        said, remedy = _certificate_words(found, network)
        host, kind = (f"the proxy {place}" if found.at_proxy else host), ITMustAct
    words = {"host": host, "proxy": place, "detail": found.detail or "no reason given"}
    return kind(said.format(**words), system=system, remedy=remedy.format(**words))


def recognised(error: BaseException) -> Recognised | None:
    """What `error`, of httpx2 or of requests, says about proxy or certificates."""
    chain = list(_chain(error))
    at_proxy = isinstance(error, httpx2.ProxyError | requests.exceptions.ProxyError)
    if any(isinstance(each, ClientCertificateWanted) for each in chain):
        return Recognised(Trouble.CLIENT_CERTIFICATE_WANTED)
    for each in chain:
        trouble = _tls_trouble(each)
        if trouble is not None:
            return Recognised(trouble, _openssl_words(each), at_proxy)
    if at_proxy:
        return _proxy_trouble(error, chain)
    if isinstance(error, httpx2.ConnectError):
        for each in chain:
            if isinstance(each, ssl.SSLError) and not isinstance(each, ssl.SSLEOFError | ssl.SSLZeroReturnError):
                return Recognised(Trouble.NO_COMMON_ENCRYPTION, _openssl_words(each))
    return None


def _tls_trouble(error: BaseException) -> Trouble | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return _VERIFY_CODES.get(getattr(error, "verify_code", 0), Trouble.BAD_CERTIFICATE)
    if isinstance(error, ssl.SSLError):
        return _REASONS.get(error.reason or "")
    return None


def _openssl_words(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(getattr(error, "verify_message", "")) or "it was refused"
    return str(getattr(error, "reason", "") or type(error).__name__)


def _proxy_trouble(error: BaseException, chain: list[BaseException]) -> Recognised:
    for each in chain:
        pattern = _TUNNEL if isinstance(each, OSError) else _STATUS
        answer = pattern.match(str(each)) if each is error or isinstance(each, OSError) else None
        if answer is not None:
            return Recognised(_by_status(int(answer[1])), answer[1])
    reached = isinstance(error, ProxyFailure) and not isinstance(
        error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout
    )
    reached = reached or any(isinstance(each, ReadTimeoutError | ConnectionResetError) for each in chain)
    cause = next((each for each in reversed(chain) if isinstance(each, OSError)), error)
    return Recognised(Trouble.PROXY_FAILS if reached else Trouble.PROXY_UNREACHABLE, type(cause).__name__)


def _by_status(status: int) -> Trouble:
    if status == 407:
        return Trouble.PROXY_CREDENTIALS
    return Trouble.PROXY_FAILS if status >= 500 else Trouble.PROXY_REFUSES


def _chain(error: BaseException) -> Iterator[BaseException]:
    """`error` and all that it was raised from, or that a library wrapped in it."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        wrapped = (getattr(each, "reason", None), getattr(each, "original_error", None))  # of urllib3
        waiting += [*each.args, *wrapped, each.__cause__, None if each.__suppress_context__ else each.__context__]


_PROXY_ANSWERS = {
    Trouble.PROXY_UNREACHABLE: (
        "The proxy {proxy} cannot be reached ({detail}), so that {host} was not asked.",
        "Correct [network] proxy or have the proxy started; if {host} is reached directly, list it in no_proxy.",
    ),
    Trouble.PROXY_CREDENTIALS: (
        "The proxy {proxy} does not accept our user name and password, or wants them (407).",
        "Correct proxy_username and proxy_password_env or proxy_password_file in [network].",
    ),
    Trouble.PROXY_REFUSES: (
        "The proxy {proxy} refuses to connect to {host} ({detail}).",
        "Have {host} allowed on the proxy; if {host} is reached directly, list it in [network] no_proxy.",
    ),
    Trouble.PROXY_FAILS: (
        "The proxy {proxy} did not get through to {host} ({detail}).",
        "Nothing: the next run tries again. If it lasts, ask those who run the proxy.",
    ),
}
_CERTIFICATES = {
    Trouble.EXPIRED: (
        "The certificate of {host}, or one that it is signed with, has expired.",
        "Have it renewed there, and check this machine's clock.",
    ),
    Trouble.NOT_YET_VALID: (
        "The certificate of {host} is not valid yet.",
        "Check this machine's clock, then the certificate.",
    ),
    Trouble.WRONG_NAME: (
        "The certificate of {host} is made for another name.",
        "Configure the name that the certificate holds, or have one made for this name.",
    ),
    Trouble.BAD_CERTIFICATE: (
        "The certificate of {host} is not trusted: {detail}.",
        "Have the certificate replaced there by one that is in order.",
    ),
    Trouble.NOT_ENCRYPTED: (
        "What answers as {host} does not speak TLS.",
        "Check the port in the configured address.",
    ),
    Trouble.NO_COMMON_ENCRYPTION: (
        "No encryption could be agreed on with {host} ({detail}).",
        "Let it offer TLS 1.2 or later. Some servers also answer so when they want a client certificate.",
    ),
}
_WANTED = (
    "{host} wants a client certificate, and none is configured.",
    "Configure client_certificate_file and client_key_file, in [network] or for this account.",
)
_REFUSED = (
    "{host} refuses the configured client certificate ({detail}).",
    "Have it renewed if it has expired, or one made by an authority that this server accepts.",
)


def _certificate_words(found: Recognised, network: Network) -> tuple[str, str]:
    if found.trouble is Trouble.UNKNOWN_AUTHORITY:
        beside = f", nor in {network.ca_file}" if network.ca_file else ""
        said = (
            "The certificate of {host} is not trusted: the authority that signed it is not in the operating "
            f"system's store{beside}."
        )
        remedy = (
            "Add it (PEM) to the file of [network] ca_file, or to the operating system's store. It is the proxy's own "
            "authority if the proxy opens encrypted connections."
        )
        return said, remedy
    if found.trouble in (Trouble.CLIENT_CERTIFICATE_WANTED, Trouble.CLIENT_CERTIFICATE_REFUSED):
        # Some servers complain of a certificate that was never sent.
        return _REFUSED if network.client_certificate else _WANTED
    return _CERTIFICATES[found.trouble]
