"""The read API as routes of the public listener."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from connectors.errors import ConnectorError, OurBug
from gateway.api import models
from gateway.api.limiting import RateLimit
from gateway.api.openapi import Operation, document
from gateway.api.problems import Problem, insufficient_scope, not_allowed, not_found, too_many, unauthorized
from gateway.api.queries import AgentsQuery, ConflictsQuery, JournalQuery, NoQuery, parsed
from gateway.api.resources import Resources
from gateway.api.tokens import Authenticator
from gateway.api.values import ApiToken, Scope
from gateway.sync.fleet import place_of

_LOG = structlog.get_logger(__name__)
_BASE = "/api/v1"

Answer = Callable[[Resources, ApiToken, Any, int], BaseModel]
"""From the resources, for a token: its query, and the number in the path (0 where there is none)."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is served at a path, and what it takes to read it."""

    operation: Operation
    answer: Answer


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        Operation("/status", "getStatus", "All agents in numbers", Scope.STATE, NoQuery, models.Fleet),
        lambda of, token, _query, _number: of.fleet(token),
    ),
    Endpoint(
        Operation("/agents", "listAgents", "Where each agent stands", Scope.STATE, AgentsQuery, models.AgentPage),
        lambda of, token, query, _number: of.agents(token, query),
    ),
    Endpoint(
        Operation("/agents/{agent}", "getAgent", "Where one agent stands", Scope.STATE, NoQuery, models.AgentDetail),
        lambda of, token, _query, number: of.agent(token, number),
    ),
    Endpoint(
        Operation(
            *("/conflicts", "listConflicts", "What a person should know or settle"),
            *(Scope.CONFLICTS, ConflictsQuery, models.ConflictPage),
        ),
        lambda of, token, query, _number: of.conflicts(token, query),
    ),
    Endpoint(
        Operation("/journal", "listJournal", "Entries of the journal", Scope.JOURNAL, JournalQuery, models.JournalPage),
        lambda of, token, query, _number: of.journal(token, query),
    ),
)


def openapi() -> dict[str, Any]:
    """The API's description (OpenAPI 3.1)."""
    return document(_BASE, [each.operation for each in ENDPOINTS])


def api_routes(resources: Resources, authenticator: Authenticator, limit: RateLimit) -> Sequence[BaseRoute]:
    """All under `/api`. Every error there is a `application/problem+json`."""
    described = json.dumps(openapi(), ensure_ascii=False).encode()
    guard = _Guard(authenticator, limit)

    async def description(request: Request) -> Response:
        return _conditional(request, described) if request.method in ("GET", "HEAD") else not_allowed().response()

    async def nothing(_request: Request) -> Response:
        return not_found().response()

    routes = [_route(each, resources, guard) for each in ENDPOINTS]
    return (
        *routes,
        Route(f"{_BASE}/openapi.json", _AnyMethod(description)),
        Route("/api", _AnyMethod(nothing)),
        Route("/api/{rest:path}", _AnyMethod(nothing)),
    )


@dataclass(frozen=True, slots=True)
class _Guard:
    authenticator: Authenticator
    limit: RateLimit

    def admit(self, request: Request, scope: Scope) -> ApiToken:
        token = self.authenticator.token_of(request.headers.get("Authorization"))
        if token is None:
            raise unauthorized()
        seconds = self.limit.wait(token.id)
        if seconds > 0:
            raise too_many(math.ceil(seconds))
        if scope not in token.scopes:
            raise insufficient_scope(scope.value)
        return token


class _AnyMethod:
    """An ASGI application, since a route that is a function answers other methods itself, without the reason."""

    def __init__(self, handler: Callable[[Request], Any]) -> None:
        self._handler = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        response = await self._handler(Request(scope, receive))
        await response(scope, receive, send)


def _route(endpoint: Endpoint, resources: Resources, guard: _Guard) -> Route:
    operation = endpoint.operation

    def answered(request: Request) -> Response:
        try:
            if request.method not in ("GET", "HEAD"):
                raise not_allowed()
            token = guard.admit(request, operation.scope)
            query = parsed(operation.query, request.query_params.multi_items())
            answer = endpoint.answer(resources, token, query, _number(request))
            return _conditional(request, answer.model_dump_json(by_alias=True).encode())
        except Problem as problem:
            return problem.response()
        except ConnectorError as error:
            return _failure(operation.path, error)
        except Exception as error:  # noqa: BLE001 - its text may hold anything
            return _failure(operation.path, error)

    async def handler(request: Request) -> Response:
        return await run_in_threadpool(answered, request)

    return Route(f"{_BASE}{operation.path}", _AnyMethod(handler))


def _number(request: Request) -> int:
    text = request.path_params.get("agent", "0")
    if text != "0" and not re.fullmatch(r"[1-9][0-9]{0,17}", text):
        raise not_found()
    return int(text)


def _failure(path: str, error: Exception) -> Response:
    if isinstance(error, ConnectorError) and not isinstance(error, OurBug):
        _LOG.warning("the API cannot answer", path=path, system=error.system, reason=str(error))
        title = "The database cannot be read now."
        return Problem(503, "unavailable", title, headers={"Retry-After": "30"}).response()
    _LOG.error("the API failed", path=path, kind=type(error).__name__, place=place_of(error))
    return Problem(500, "defect", "A fault of the gateway itself.").response()


def _conditional(request: Request, body: bytes) -> Response:
    """304 when the caller has it already (RFC 9110, section 13.1.2). Kept by nobody between: it is for one token."""
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    given = request.headers.get("If-None-Match", "")
    if given.strip() == "*" or etag in (each.strip().removeprefix("W/") for each in given.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
