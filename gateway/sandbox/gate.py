"""The door in front of the application: says what this is, counts API requests, and plays the faults in force."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, replace
from datetime import UTC
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from gateway.sandbox.faults import Fault, Faults
from gateway.sandbox.requests_log import RequestEntry, RequestLog
from gateway.sandbox.storage import Clock

NOTICE_HEADER = "X-Sandbox"
NOTICE = "rdv-gateway sandbox, for trying and testing: not RDV-Solidarites"
_API = ("/api/", "/oauth/")
_STEP = 0.02  # seconds between looks at whether the server stops, while a fault waits
_WAITS_FIRST = ("hang", "commit_late")
_NEVER_DONE = ("hang", "cut_before")
_PROXY_PAGE = b"<html><head><title>Filtrage</title></head><body>Cette page a ete filtree.</body></html>"


class CuttableProtocol(H11Protocol):
    """HTTP/1.1 that tells the application how to drop its connection, which ASGI has no word for."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's own
        self.app_state = {**self.app_state, "cut": transport.abort}
        super().connection_made(transport)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Gate:
    """ASGI application around the real one. Set `stopping` to end every wait at once."""

    def __init__(self, app: ASGIApp, faults: Faults, log: RequestLog, clock: Clock) -> None:
        self._app = app
        self._faults = faults
        self._log = log
        self._clock = clock
        self.stopping = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"].startswith(_API):
            await self._play(scope, receive, self._noticed(send))
        elif scope["method"] not in ("GET", "HEAD") and _crosses_sites(scope):
            await _send(self._noticed(send), Answer(403, [], b"refused: this form was sent by another site\n"))
        else:
            await self._app(scope, receive, self._noticed(send))

    def _noticed(self, send: Send) -> Send:
        """Says what this is, and what time it is here."""
        date = format_datetime(self._clock().astimezone(UTC), usegmt=True).encode()

        async def noticed(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = [(NOTICE_HEADER.lower().encode(), NOTICE.encode()), (b"date", date)]
                message["headers"] = [*message.get("headers", []), *said]
            await send(message)

        return noticed

    async def _play(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        query = parse_qs(scope["query_string"].decode("latin-1"))
        page = query.get("page", ["1"])[0]
        fault = self._faults.take(scope["method"], scope["path"], int(page) if page.isdecimal() else 1)
        exchange = _Exchange(self._app, scope, body)
        answer = await self._outcome(fault, exchange)
        complete = answer is not None and not (fault and fault.kind == "truncate")
        self._log.add(
            RequestEntry(
                at=self._clock(),
                method=scope["method"],
                path=scope["path"],
                query=scope["query_string"].decode("latin-1"),
                status=answer.status if answer is not None and complete else None,
                agent_id=scope.get("sandbox.agent"),
                fault=fault.kind if fault else None,
            )
        )
        if answer is None:
            await _cut(scope, receive)
        elif complete:
            await _send(send, answer)
        else:
            await _send(send, answer, only=len(answer.body) // 2)
            await _cut(scope, receive)

    async def _outcome(  # noqa: PLR0911 -- one line per fault reads best
        self, fault: Fault | None, exchange: _Exchange
    ) -> Answer | None:
        """What the client gets, None for a cut connection; whatever has to be committed is, by then."""
        if fault is None:
            return await exchange.run()
        if fault.kind == "status":
            return _refusal(fault)
        if fault.kind == "html":
            return Answer(200, [(b"content-type", b"text/html")], _PROXY_PAGE)
        going_on = fault.kind not in _WAITS_FIRST or await self._waited(fault.seconds)
        if not going_on or fault.kind in _NEVER_DONE:
            return None
        answer = await exchange.run()
        if fault.kind == "slow":
            return answer if await self._waited(fault.seconds) else None
        if fault.kind == "page_empty":
            return _with_records(answer, [])
        if fault.kind == "page_repeat":
            return _with_records(answer, _records(await exchange.run(page=fault.page - 1 if fault.page > 1 else 2)))
        return answer if fault.kind == "truncate" else None

    async def _waited(self, seconds: float) -> bool:
        """Waits; False when the server stopped meanwhile."""
        end = asyncio.get_running_loop().time() + seconds
        # `stopping` is set by another thread, which an asyncio.Event does not allow
        while not self.stopping and (left := end - asyncio.get_running_loop().time()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left, _STEP))
        return not self.stopping


class _Exchange:
    """One request that can be handed to the application when its time has come; its answer is kept, not sent."""

    def __init__(self, app: ASGIApp, scope: Scope, body: bytes) -> None:
        self._app = app
        self._scope = scope
        self._body = body

    async def run(self, *, page: int | None = None) -> Answer:
        scope: MutableMapping[str, Any] = dict(self._scope)
        if page is not None:
            query = parse_qs(scope["query_string"].decode("latin-1")) | {"page": [str(page)]}
            scope["query_string"] = urlencode(query, doseq=True).encode()
        status, headers, body = 500, [], b""

        async def receive() -> Message:
            return {"type": "http.request", "body": self._body, "more_body": False}

        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                body += message.get("body", b"")

        await self._app(scope, receive, keep)
        self._scope["sandbox.agent"] = scope.get("sandbox.agent")
        return Answer(status, headers, body)


def _refusal(fault: Fault) -> Answer:
    kinds = {
        "json": (b"application/json; charset=utf-8", json.dumps({"errors": [f"sandbox {fault.status}"]}).encode()),
        "html": (b"text/html", b"<html><body><h1>We're sorry, but something went wrong.</h1></body></html>"),
        "empty": (b"text/plain", b""),
    }
    kind, body = kinds[fault.body]
    headers = [(b"content-type", kind)]
    if fault.retry_after is not None:
        headers += [
            (b"retry-after", str(fault.retry_after).encode()),
            (b"ratelimit-limit", b"50"),
            (b"ratelimit-remaining", b"0"),
        ]
    return Answer(fault.status, headers, body)


def _records(answer: Answer) -> list[object]:
    content = json.loads(answer.body)
    return next((value for name, value in content.items() if name != "meta"), [])


def _with_records(answer: Answer, records: list[object]) -> Answer:
    """The list of an answer replaced, its `meta` kept; what is no list stays as it is."""
    content = json.loads(answer.body)
    if "meta" not in content:
        return answer
    root = next(name for name in content if name != "meta")
    return replace(answer, body=json.dumps({root: records, "meta": content["meta"]}, ensure_ascii=False).encode())


def _crosses_sites(scope: Scope) -> bool:
    """Whether a browser says that another site sends this."""
    return dict(scope["headers"]).get(b"sec-fetch-site") == b"cross-site"


async def _whole_body(receive: Receive) -> bytes:
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


async def _send(send: Send, answer: Answer, only: int | None = None) -> None:
    """Sends an answer, or its first `only` octets with the Content-Length of the whole."""
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    if answer.status != 204:
        headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body[:only], "more_body": only is not None})


async def _cut(scope: Scope, receive: Receive) -> None:
    """Drops the connection and waits until that is done, so that nothing more is sent on it."""
    cut: Callable[[], None] = scope["state"]["cut"]
    cut()
    while (await receive())["type"] != "http.disconnect":
        pass
