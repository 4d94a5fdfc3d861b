"""Our own requests for reading: PROPFIND, REPORT and GET on kept connections."""

from __future__ import annotations

import ssl
import time
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from connectors.caldav.door import Door
from connectors.caldav.faults import Answer
from connectors.caldav.paths import encoded
from connectors.caldav.settings import CalDavSettings
from connectors.errors import ConnectorError, ITMustAct, RetryLater
from connectors.http import USER_AGENT, is_loopback

_LARGEST_ANSWER = 256 * 1024 * 1024
# The server closed a kept connection without saying so (SOGo does after each GET), or broke off.
_CUT = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError, httpx2.CloseError)


class Polling:
    """Sends requests that read, and gives whole answers. Thread-safe."""

    def __init__(self, settings: CalDavSettings, door: Door, tls: ssl.SSLContext) -> None:
        url = settings.checked_url()
        self._settings = settings
        self._door = door
        self._origin = f"{url.scheme}://{url.netloc.decode()}"
        self._client = httpx2.Client(
            auth=httpx2.BasicAuth(settings.username, settings.password),
            headers={"User-Agent": USER_AGENT},
            # A session cookie would outlive the password that it was given for.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
            verify=tls,
            timeout=httpx2.Timeout(settings.read_timeout, connect=settings.connect_timeout),
            limits=httpx2.Limits(
                max_connections=settings.max_connections, max_keepalive_connections=settings.max_connections
            ),
            follow_redirects=False,
            trust_env=not is_loopback(url.host),
        )

    def send(
        self, method: str, path: str, *, body: bytes = b"", depth: str | None = None, encoding: str = "gzip"
    ) -> Answer:
        """One request; a second one on a fresh connection when the first was cut.

        `path`: decoded. Raises `RetryLater` without an answer, `ITMustAct` for TLS, and what `Door` raises.
        """
        headers = {"Accept-Encoding": encoding}
        if body:
            headers["Content-Type"] = "application/xml; charset=utf-8"
        if depth is not None:
            headers["Depth"] = depth
        try:
            return self._once(method, path, body, headers)
        except _CUT:
            pass
        except httpx2.HTTPError as problem:
            raise self._no_answer(problem) from None
        try:
            return self._once(method, path, body, headers)
        except httpx2.HTTPError as problem:
            raise self._no_answer(problem) from None

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _once(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        deadline = time.monotonic() + self._settings.answer_limit
        with self._door.passage():
            self._door.count()
            address = f"{self._origin}{encoded(path)}"
            with self._client.stream(method, address, content=body or None, headers=dict(headers)) as response:
                self._door.judge(response.status_code)
                chunks: list[bytes] = []
                size = 0
                for chunk in response.iter_bytes():
                    chunks.append(chunk)
                    size += len(chunk)
                    if size > _LARGEST_ANSWER or time.monotonic() > deadline:
                        # Silence is not the only way to keep somebody waiting.
                        raise RetryLater("The calendar server's answer does not end.", system=self._settings.name)
                answered = {name.lower(): value for name, value in response.headers.items()}
        return Answer(response.status_code, answered, b"".join(chunks))

    def _no_answer(self, problem: httpx2.HTTPError) -> ConnectorError:
        if is_tls_failure(problem):
            return untrusted(self._settings.name)
        return RetryLater(f"The calendar server did not answer ({type(problem).__name__}).", system=self._settings.name)


def is_tls_failure(problem: BaseException) -> bool:
    """Whether a certificate or the encryption is what failed, however the library wrapped it."""
    seen: BaseException | None = problem
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def untrusted(system: str) -> ITMustAct:
    """The error for a server that cannot prove who it is."""
    return ITMustAct(
        "The calendar server's certificate is not trusted, or no encryption could be agreed on.",
        system=system,
        remedy="Renew the server's certificate, or add its authority to the operating system's store.",
    )
