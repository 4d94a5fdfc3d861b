"""Our own requests for reading: PROPFIND, REPORT and GET on kept connections."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx2

from connectors.caldav.door import Door
from connectors.caldav.faults import Answer
from connectors.caldav.paths import encoded
from connectors.caldav.settings import CalDavSettings
from connectors.errors import ConnectorError, RetryLater
from connectors.exchanges import exchange
from connectors.http import http_client
from connectors.network_faults import ClientCertificateWanted, network_fault, wants_client_certificate

_LARGEST_ANSWER = 64 * 1024 * 1024
# The server closed a kept connection without saying so (SOGo does after each GET), or broke off.
_CUT = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError, httpx2.CloseError)


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    path: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str]
    kind: str
    limit: int | None


class TooLarge(Exception):
    """An answer is longer than was allowed for; the rest of it was not read."""


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
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        depth: str | None = None,
        encoding: str = "gzip",
        kind: str = "",
        limit: int | None = None,
    ) -> Answer:
        """One request; a second one on a fresh connection when the first was cut.

        `path`: decoded. `kind`: see `Concurrency.end`. Raises `TooLarge` for an answer of more than `limit` bytes,
        `RetryLater` without an answer, `ITMustAct` for proxies and certificates, and what `Door` raises.
        """
        headers = {"Accept-Encoding": encoding}
        if body:
            headers["Content-Type"] = "application/xml; charset=utf-8"
        if depth is not None:
            headers["Depth"] = depth
        asked = _Request(method, path, body, headers, kind, limit)
        try:
            return self._once(asked, forgives=_CUT)
        except _CUT as problem:
            fault = self._network_fault(problem)
            if fault is not None:
                raise fault from None
        except (httpx2.HTTPError, ClientCertificateWanted) as problem:
            raise self._no_answer(problem) from None
        try:
            return self._once(asked)
        except (httpx2.HTTPError, ClientCertificateWanted) as problem:
            raise self._no_answer(problem) from None

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _once(self, asked: _Request, *, forgives: tuple[type[Exception], ...] = ()) -> Answer:
        deadline = time.monotonic() + self._settings.answer_limit
        address = f"{self._origin}{encoded(asked.path)}"
        headers = dict(asked.headers)
        with self._door.passage(asked.kind, forgives=(*forgives, TooLarge)):
            self._door.count()
            with (
                exchange(self._settings.name, asked.method) as told,
                self._client.stream(asked.method, address, content=asked.body or None, headers=headers) as response,
            ):
                told.status = response.status_code
                answered = {name.lower(): value for name, value in response.headers.items()}
                self._door.judge(response.status_code, answered)
                body = self._body(response, asked.limit, deadline)
                told.received = len(body)
        if wants_client_certificate(response.status_code, body):
            raise ClientCertificateWanted
        return Answer(response.status_code, answered, body)

    def _body(self, response: httpx2.Response, limit: int | None, deadline: float) -> bytes:
        chunks: list[bytes] = []
        size = 0
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if limit is not None and size > limit:
                raise TooLarge
            if size > _LARGEST_ANSWER or time.monotonic() > deadline:
                # Silence is not the only way to keep somebody waiting.
                raise RetryLater("The calendar server's answer does not end.", system=self._settings.name)
        return b"".join(chunks)

    def _no_answer(self, problem: Exception) -> ConnectorError:
        return self._network_fault(problem) or RetryLater(
            f"The calendar server did not answer ({type(problem).__name__}).", system=self._settings.name
        )

    def _network_fault(self, problem: Exception) -> ConnectorError | None:
        settings = self._settings
        return network_fault(problem, url=settings.url, network=settings.network, system=settings.name)
