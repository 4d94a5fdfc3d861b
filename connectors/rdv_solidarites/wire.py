"""One exchange with the API: pace, token, request, verdict. Reads are tried again within a small budget; a write
is sent once, and sent again only after a 401, which says that it was not executed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx2

from connectors.errors import RetryLater
from connectors.exchanges import exchange, turn
from connectors.network import Network
from connectors.network_faults import network_fault
from connectors.ports import Clock
from connectors.rdv_solidarites.answers import Answer, answer_of
from connectors.rdv_solidarites.authentication import Authentication
from connectors.rdv_solidarites.faults import SYSTEM, Call, failure, no_answer, not_the_api
from connectors.rdv_solidarites.pace import Pace
from connectors.server_time import ServerTime

_PAUSES = (0.5, 2.0)  # seconds before the second and the third attempt of a read
_LONGEST_WAIT = 5.0  # seconds of Retry-After that a read waits for in place


class Wire:
    """The API's wire. Thread-safe. `read_budget`: seconds after which a read starts no further attempt."""

    def __init__(
        self,
        client: httpx2.Client,
        network: Network,
        authentication: Authentication,
        pace: Pace,
        clock: Clock,
        *,
        read_budget: float,
    ) -> None:
        self._client = client
        self._network = network
        self._authentication = authentication
        self._pace = pace
        self._clock = clock
        self._read_budget = read_budget
        self._counting = threading.Lock()
        self._requests = 0
        self._time = ServerTime()

    @property
    def clock_offset(self) -> timedelta | None:
        """See `connectors.ports.TellsTime`."""
        return self._time.offset

    @property
    def requests(self) -> int:
        """How many requests were sent, those for tokens included."""
        return self._requests

    @property
    def host(self) -> str:
        return self._client.base_url.netloc.decode("ascii")

    def read(self, call: Call, path: str, parameters: Mapping[str, str | int] | None = None) -> Mapping[str, Any]:
        """The JSON object of a GET. Raises what `faults` says, after a few attempts when it may pass."""
        started = self._clock.now()
        for pause in _PAUSES:
            try:
                return self._document(call, "GET", path, parameters=parameters)
            except RetryLater as error:
                wait = pause if error.retry_after is None else error.retry_after
                spent = (self._clock.now() - started).total_seconds()
                if wait > _LONGEST_WAIT or spent + wait > self._read_budget:
                    raise
                self._clock.sleep(wait)
        return self._document(call, "GET", path, parameters=parameters)

    def read_if_served(self, path: str) -> Mapping[str, Any] | None:
        """The JSON object of a GET; None for a 404 of any kind: not every instance has this endpoint."""
        answer = self._answer(Call.SHOW, "GET", path)
        if answer.status == 404:
            return None
        if not answer.succeeded:
            raise failure(answer, Call.SHOW, f"GET {path}")
        if answer.document is None:
            raise not_the_api(answer, Call.SHOW, f"GET {path}")
        return answer.document

    def write(self, call: Call, method: str, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        """The JSON object that answers a write. Raises what `faults` says, `AnswerLost` among it."""
        return self._document(call, method, path, body=body)

    def delete(self, path: str) -> None:
        """A DELETE; what it answers beside success is of no interest. Raises what `faults` says."""
        answer = self._successful(Call.DELETE, "DELETE", path)
        if answer.document is None and not answer.empty:
            raise not_the_api(answer, Call.DELETE, f"DELETE {path}")

    def post(
        self, path: str, *, json: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """`TokenEndpoint`: an unauthenticated POST."""
        request = self._client.build_request("POST", path, json=json, data=form)
        return self._send(request, Call.TOKEN, f"POST {path}")

    def close(self) -> None:
        self._client.close()

    def _document(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Mapping[str, Any]:
        answer = self._successful(call, method, path, parameters=parameters, body=body)
        if answer.document is None:
            raise not_the_api(answer, call, f"{method} {path}")
        return answer.document

    def _successful(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        answer = self._answer(call, method, path, parameters=parameters, body=body)
        if not answer.succeeded:
            raise failure(answer, call, f"{method} {path}")
        return answer

    def _answer(
        self,
        call: Call,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Whatever is answered, with a new token if the first one was refused."""
        what = f"{method} {path}"
        token = self._authentication.token(self)
        for last in (False, True):
            request = self._client.build_request(method, path, params=parameters, json=body, headers=token.headers)
            answer = answer_of(self._send(request, call, what), now=self._clock.now())
            if answer.status != 401 or last:
                break
            token = self._authentication.renewed(token, self)
        return answer

    def _send(self, request: httpx2.Request, call: Call, what: str) -> httpx2.Response:
        with turn(SYSTEM):
            self._pace.wait()
        with self._counting:
            self._requests += 1
        try:
            with exchange(SYSTEM, request.method) as told:
                response = self._client.send(request)
                told.status, told.received = response.status_code, len(response.content)
        except httpx2.HTTPError as error:
            url = str(self._client.base_url)
            fault = network_fault(error, url=url, network=self._network, system=SYSTEM)
            raise fault or no_answer(error, call, what) from error
        self._time.note(response.headers.get("Date"), self._clock.now())
        return response
