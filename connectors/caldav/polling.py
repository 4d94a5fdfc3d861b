"""Our own requests for reading: PROPFIND, REPORT and GET on kept connections."""

from __future__ import annotations

import time
from collections.abc import Mapping

import httpx2

from connectors.caldav.door import Door
from connectors.caldav.faults import Answer
from connectors.caldav.paths import encoded
from connectors.caldav.settings import CalDavSettings
from connectors.errors import ConnectorError, RetryLater
from connectors.http import http_client
from connectors.network_faults import ClientCertificateWanted, network_fault, wants_client_certificate

_LARGEST_ANSWER = 256 * 1024 * 1024
# The server closed a kept connection without saying so (SOGo does after each GET), or broke off.
_CUT = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError, httpx2.CloseError)


class Polling:
    """Sends requests that read, and gives whole answers. Thread-safe."""

    def __init__(self, settings: CalDavSettings, door: Door) -> None:
        url = settings.checked_url()
        self._settings = settings
        self._door = door
        self._origin = f"{url.scheme}://{url.netloc.decode()}"
        self._client = http_client(
            settings.network,
            system=settings.name,
            auth=httpx2.BasicAuth(settings.username, settings.password),
            connections=settings.max_connections,
            keepalive_expiry=5.0,
        )

    def send(
        self, method: str, path: str, *, body: bytes = b"", depth: str | None = None, encoding: str = "gzip"
    ) -> Answer:
        """One request; a second one on a fresh connection when the first was cut.

        `path`: decoded. Raises `RetryLater` without an answer, `ITMustAct` for proxies and certificates, and what
        `Door` raises.
        """
        headers = {"Accept-Encoding": encoding}
        if body:
            headers["Content-Type"] = "application/xml; charset=utf-8"
        if depth is not None:
            headers["Depth"] = depth
        try:
            return self._once(method, path, body, headers)
        except _CUT as problem:
            fault = self._network_fault(problem)
            if fault is not None:
                raise fault from None
        except (httpx2.HTTPError, ClientCertificateWanted) as problem:
            raise self._no_answer(problem) from None
        try:
            return self._once(method, path, body, headers)
        except (httpx2.HTTPError, ClientCertificateWanted) as problem:
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
        body = b"".join(chunks)
        if wants_client_certificate(response.status_code, body):
            raise ClientCertificateWanted
        return Answer(response.status_code, answered, body)

    def _no_answer(self, problem: Exception) -> ConnectorError:
        return self._network_fault(problem) or RetryLater(
            f"The calendar server did not answer ({type(problem).__name__}).", system=self._settings.name
        )

    def _network_fault(self, problem: Exception) -> ConnectorError | None:
        settings = self._settings
        return network_fault(problem, url=settings.url, network=settings.network, system=settings.name)
