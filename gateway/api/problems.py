"""Errors of the API, as `application/problem+json` (RFC 9457). They never repeat what was sent."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Fault(BaseModel):
    """What is wrong with one parameter."""

    parameter: str
    reason: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    model_config = ConfigDict(json_schema_extra={"description": "What went wrong (RFC 9457)."})

    type: str = Field(description="Names the kind of problem.", examples=["urn:rdv-gateway:problem:invalid-parameter"])
    title: str
    status: int
    detail: str | None = None
    errors: list[Fault] | None = Field(default=None, description="By parameter, what is wrong with it.")


class Problem(Exception):
    """An answer that is an error. `kind`: the end of its `type`."""

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        *,
        detail: str | None = None,
        errors: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(title)
        self.status = status
        self._headers = dict(headers or {})
        self._details = ProblemDetails(
            type=f"urn:rdv-gateway:problem:{kind}",
            title=title,
            status=status,
            detail=detail,
            errors=list(errors) or None,
        )

    def response(self) -> Response:
        """The answer itself."""
        return Response(
            self._details.model_dump_json(exclude_none=True),
            self.status,
            {"Cache-Control": "no-store", **self._headers},
            MEDIA_TYPE,
        )


def unauthorized() -> Problem:
    """Neither whether the token was ever known, nor what is wrong with it."""
    return Problem(
        401,
        "unauthorized",
        "A valid token is needed.",
        detail="Send it as `Authorization: Bearer …`. It may be wrong, expired or revoked.",
        headers={"WWW-Authenticate": 'Bearer realm="rdv-gateway", error="invalid_token"'},
    )


def insufficient_scope(scope: str) -> Problem:
    """RFC 6750, section 3.1."""
    return Problem(
        403,
        "insufficient-scope",
        "This token may not read that.",
        detail=f"It needs the scope {scope}.",
        headers={"WWW-Authenticate": f'Bearer realm="rdv-gateway", error="insufficient_scope", scope="{scope}"'},
    )


def too_many(seconds: int) -> Problem:
    """`seconds`: after which one more request is taken."""
    return Problem(429, "too-many-requests", "This token asks too much.", headers={"Retry-After": str(seconds)})


def not_found() -> Problem:
    """The same for what is not there and for what the token may not see."""
    return Problem(404, "not-found", "There is no such thing, or this token may not see it.")


def not_allowed() -> Problem:
    """Everything here is read."""
    return Problem(405, "method-not-allowed", "This is for reading only.", headers={"Allow": "GET, HEAD"})


def invalid(*faults: Fault) -> Problem:
    """Parameters that cannot be used."""
    return Problem(400, "invalid-parameter", "A parameter cannot be used.", errors=faults)
