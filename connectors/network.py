"""The network as every client has to go through it: proxy, authorities, client certificate, patience.

One value, made from the configuration; `connectors.http` builds clients from it. Nothing is taken from the
environment: what works by hand works in the same way as a service.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import httpx2

from connectors.errors import ITMustAct
from connectors.hosts import HostPattern, host_name, is_loopback

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
"""What other programs take from the environment, in upper or lower case, and this one does not."""
AUTHORITY_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""Likewise."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that is asked to CONNECT. `url`: `http://host:port` or `https://host:port`, no credentials.

    `exceptions`: hosts that are reached directly.
    """

    url: str
    username: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    exceptions: tuple[HostPattern, ...] = ()

    @property
    def place(self) -> str:
        """`host:port`, for people."""
        return self.url.partition("://")[2].rstrip("/")


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """Who we are, for servers that want a certificate: a PEM file (with its chain), and its key's unless it is in
    the same one."""

    certificate_file: Path
    key_file: Path | None = None
    key_password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Network:
    """How to reach a host. `ca_file`: PEM authorities trusted beside the operating system's.

    `connect_timeout` and `read_timeout`: seconds of silence, not of a whole exchange.
    """

    proxy: Proxy | None = None
    ca_file: Path | None = None
    client_certificate: ClientCertificate | None = None
    connect_timeout: float = 10.0
    read_timeout: float = 30.0

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy on the way to `url`. Never one to this machine itself, whatever is configured."""
        address = httpx2.URL(url)
        if self.proxy is None or is_loopback(address.host):
            return None
        try:
            host = host_name(address.host)
        except ValueError:
            host = address.host
        port = address.port or (443 if address.scheme == "https" else 80)
        direct = any(each.covers(host) and each.port in (None, port) for each in self.proxy.exceptions)
        return None if direct else self.proxy

    def tls_context(self, *, system: str) -> ssl.SSLContext:
        """What certificates are checked against, and ours. Shared by all who ask with the same files.

        Raises `ITMustAct` naming the file that cannot be used.
        """
        certificate = self.client_certificate
        files = [self.ca_file, *((certificate.certificate_file, certificate.key_file) if certificate else ())]
        try:
            # A file that was renewed is another one.
            return _tls_context(self.ca_file, certificate, tuple(map(_stamp, files)))
        except _UnusableFile as problem:
            raise ITMustAct(str(problem), system=system, remedy=problem.remedy) from None


class _UnusableFile(Exception):
    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


def _stamp(path: Path | None) -> tuple[int, int]:
    try:
        found = path.stat() if path is not None else None
    except OSError:
        found = None
    return (found.st_mtime_ns, found.st_size) if found else (0, 0)


# Reading the operating system's authorities takes longer than a request, and there may be a thousand accounts.
@lru_cache(maxsize=16)
def _tls_context(
    ca_file: Path | None, certificate: ClientCertificate | None, _stamps: tuple[tuple[int, int], ...]
) -> ssl.SSLContext:
    context = httpx2.create_ssl_context(trust_env=False)
    if ca_file is not None:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            raise _unusable("The file of authorities", ca_file, error, "PEM certificates") from None
    if certificate is not None:
        _load_client_certificate(context, certificate)
    return context


def _load_client_certificate(context: ssl.SSLContext, certificate: ClientCertificate) -> None:
    asked = False

    def password() -> str:
        # Without this function, OpenSSL would ask on the terminal.
        nonlocal asked
        asked = True
        return certificate.key_password

    path = certificate.certificate_file
    try:
        context.load_cert_chain(path, certificate.key_file, password)
    except (OSError, ValueError) as error:
        if asked:
            raise _UnusableFile(
                f"The key of the client certificate {path} cannot be decrypted.",
                "Correct client_key_password_env or client_key_password_file.",
            ) from None
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            raise _UnusableFile(
                f"The client certificate {path} and its key do not belong together.",
                "Configure client_certificate_file and client_key_file of the same certificate.",
            ) from None
        expected = "a PEM certificate and its PEM key (client_key_file, unless both are in one file)"
        raise _unusable("The client certificate", path, error, expected) from None


def _unusable(what: str, path: Path, error: Exception, expected: str) -> _UnusableFile:
    reason = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
    return _UnusableFile(
        f"{what}, {path}, cannot be used ({reason or f'it does not hold {expected}'}).",
        f"Put {expected} there, readable by the account that runs the gateway.",
    )
