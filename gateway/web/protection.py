"""What stands before every route: limits of a request, errors that tell nothing, and an access log without personal
data. ASGI middleware."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import structlog
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Match, Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.sync.fleet import place_of

_LOG = structlog.get_logger("gateway.web.access")
_BODY_SECONDS = 10.0


class RequestLimits:
    """Takes the whole body before the application sees the request: at most `body` bytes (413), within ten seconds
    (408). Headers of more than `headers` bytes are refused too (431)."""

    def __init__(self, application: ASGIApp, *, body: int, headers: int) -> None:
        self._application = application
        self._limit = body
        self._headers = headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        if sum(len(name) + len(value) for name, value in scope["headers"]) > self._headers:
            await PlainTextResponse("Request header fields too large", 431)(scope, receive, send)
            return
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > self._limit:
            await PlainTextResponse("Content too large", 413)(scope, receive, send)
            return
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                body = await self._body(receive)
        except TimeoutError:
            await PlainTextResponse("Request timeout", 408)(scope, receive, send)
            return
        if body is None:
            await PlainTextResponse("Content too large", 413)(scope, receive, send)
            return
        given = False

        async def once() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        await self._application(scope, once, send)

    async def _body(self, receive: Receive) -> bytes | None:
        """None when it is too large."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            part: bytes = message.get("body", b"")
            parts.append(part)
            size += len(part)
            if size > self._limit:
                return None
            if not message.get("more_body", False):
                return b"".join(parts)


class AccessLog:
    """One line for each request: method, the route's template, status and milliseconds. Neither the path, which may
    hold a token, nor the query, nor who asked. An error of the application is told by its kind and place alone."""

    def __init__(self, application: ASGIApp, listener: str, routes: Sequence[BaseRoute]) -> None:
        self._application = application
        self._listener = listener
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        began = time.monotonic()
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._application(scope, receive, noting)
        except Exception as error:  # noqa: BLE001 - its text may hold anything
            _LOG.error("a request failed", kind=type(error).__name__, place=place_of(error))
            if not status:
                await PlainTextResponse("Internal server error", 500)(scope, receive, noting)
        _LOG.info(
            "request",
            listener=self._listener,
            method=scope["method"],
            route=template(self._routes, scope),
            status=status,
            ms=round((time.monotonic() - began) * 1000),
        )


def template(routes: Sequence[BaseRoute], scope: Scope) -> str:
    """The path of the route that a request goes to, with its parameters' names in place of their values."""
    asked = {"type": "http", "path": scope["path"], "method": scope["method"], "headers": [], "root_path": ""}
    return _template(routes, asked)


def _template(routes: Sequence[BaseRoute], asked: Scope) -> str:
    for route in routes:
        match, child = route.matches(asked)
        if match is not Match.NONE:
            path: str = getattr(route, "path", "?")
            return (
                path + _template(route.routes, {**asked, **child})
                if isinstance(route, Mount) and route.routes
                else path
            )
    return "(none)"
