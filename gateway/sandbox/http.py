"""What every API endpoint shares: who calls, the parameters, pages of 100, JSON answers."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from gateway.sandbox.errors import Refused, no_such_record, unauthenticated
from gateway.sandbox.permissions import Caller
from gateway.sandbox.state import State

PAGE_SIZE = 100
JSON_TYPE = "application/json; charset=utf-8"

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Call:
    """An authenticated request. `params` merges the query and the body (JSON or form); the body wins."""

    state: State
    caller: Caller
    path: Mapping[str, str]
    params: Mapping[str, Any]

    def record_id(self, name: str, model: str) -> int:
        """An id of the path. Raises `Refused` (404) when it is no number."""
        text = self.path[name]
        if not (text.isascii() and text.isdecimal()):
            raise no_such_record(model)
        return int(text)

    @property
    def page(self) -> int:
        """As Ruby's `to_i` reads it: leading digits or 0; whatever is below 1 is the first page."""
        digits = ""
        for character in str(self.params.get("page", "")).strip():
            if not (character.isascii() and character.isdecimal()):
                break
            digits += character
        return max(1, int(digits or 0))


Handler = Callable[[Call], Response]


def authenticated(state: State, handler: Handler) -> Endpoint:
    """An endpoint for agents: 401 for anybody else, and refusals in the server's words."""

    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            with state.storage.transaction():
                agent_id = caller_of(state, request.headers)
                request.scope["sandbox.agent"] = agent_id
                caller = state.rights.caller(agent_id)
                return handler(Call(state, caller, request.path_params, parameters(request, body)))
        except Refused as refused:
            return reply(refused.body, refused.status)

    return endpoint


def caller_of(state: State, headers: Mapping[str, str]) -> int:
    """The agent behind password token headers, else behind a bearer token. Raises `Refused` (401)."""
    agent_id = None
    if "access-token" in headers and "uid" in headers:
        agent_id = state.accounts.agent_of_password_token(
            headers["uid"], headers.get("client", ""), headers["access-token"]
        )
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if agent_id is None and scheme.lower() == "bearer":
        agent_id = state.accounts.agent_of_access_token(token.strip())
    if agent_id is None:
        raise unauthenticated()
    return agent_id


def parameters(request: Request, body: bytes) -> dict[str, Any]:
    """The query's and the body's parameters in one. Raises `Refused` (400) for JSON that cannot be read."""
    merged: dict[str, Any] = dict(request.query_params)
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind == "application/json" and body:
        try:
            content = json.loads(body)
        except ValueError:
            raise Refused(400, {"errors": ["Error occurred while parsing request parameters"]}) from None
        merged |= content if isinstance(content, dict) else {}
    elif kind == "application/x-www-form-urlencoded":
        merged |= dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True))
    return merged


def reply(body: object, status: int = 200) -> Response:
    return Response(json.dumps(body, ensure_ascii=False), status, media_type=JSON_TYPE)


def listing(root: str, records: Sequence[object], page: int, total: int) -> Response:
    """A page of a list, with its `meta`."""
    pages = -(-total // PAGE_SIZE)
    meta = {
        "current_page": page,
        "next_page": page + 1 if page < pages else None,
        "prev_page": page - 1 if 1 < page <= pages else None,
        "total_pages": pages,
        "total_count": total,
    }
    return reply({root: records, "meta": meta})


def offset(page: int) -> int:
    return (page - 1) * PAGE_SIZE
