"""Parameters of the API: strict. What is unknown, doubled or not in the documented form is refused and named."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from gateway.api.problems import Fault, invalid
from gateway.sync.values import AgentState, ConflictKind

_MOST = 2**63 - 1
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})")


def _whole(value: object) -> object:
    """Of the forms that `int` takes, the plain one."""
    if not isinstance(value, str) or re.fullmatch(r"[1-9][0-9]{0,18}", value):
        return value
    raise ValueError("expected a whole number, 1 or more")


def _instant(value: object) -> object:
    if not isinstance(value, str) or _INSTANT.fullmatch(value):
        return value
    raise ValueError("expected an instant with its offset, such as 2026-03-02T09:00:00Z")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("expected an instant within the calendar") from None


def _number(most: int) -> Any:
    """The schema is said, since pydantic loses the bounds of a number that may be null."""
    return WithJsonSchema({"type": "integer", "minimum": 1, "maximum": most})


Id = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=_MOST), _number(_MOST)]
Limit = Annotated[int, BeforeValidator(_whole), Field(ge=1, le=500), _number(500)]
Instant = Annotated[datetime, BeforeValidator(_instant), AfterValidator(_in_utc)]

_LIMIT = Field(default=100, description="The most items of a page.")
_CURSOR = Field(default=None, description="Where to go on: `next` of the page before.")
Place = Annotated[str, Field(pattern="^[1-9][0-9]{0,17}[.][0-9a-f]{32}$", max_length=60)]


class Query(BaseModel):
    """What all queries share."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class NoQuery(Query):
    """No parameter."""


class AgentsQuery(Query):
    """Which agents."""

    state: AgentState | None = Field(default=None, description="Only those in this state.")
    organisation: Id | None = Field(default=None, description="Only those of this home organisation.")
    cursor: Id | None = _CURSOR
    limit: Limit = _LIMIT


class ConflictsQuery(Query):
    """Which conflicts."""

    agent: Id | None = Field(default=None, description="Only those of this agent.")
    kind: ConflictKind | None = Field(default=None, description="Only those of this kind.")
    cursor: Place | None = _CURSOR
    limit: Limit = _LIMIT


class JournalQuery(Query):
    """Which entries."""

    agent: Id | None = Field(default=None, description="Only those about this agent.")
    since: Instant | None = Field(default=None, description="Not before this instant.")
    until: Instant | None = Field(default=None, description="Before this instant.")
    cursor: Id | None = _CURSOR
    limit: Limit = _LIMIT


_Query = TypeVar("_Query", bound=Query)


def parsed(kind: type[_Query], given: Sequence[tuple[str, str]]) -> _Query:
    """The query, or `Problem` (400) that names each parameter at fault."""
    doubled = [name for name, count in Counter(name for name, _ in given).items() if count > 1]
    if doubled:
        raise invalid(*(Fault(parameter=_shown(name), reason="given more than once") for name in doubled))
    try:
        return kind.model_validate(dict(given))
    except ValidationError as error:
        raise invalid(*(_fault(kind, each) for each in error.errors(include_input=False, include_url=False))) from None


def _fault(kind: type[Query], error: Any) -> Fault:
    name = str(error["loc"][0]) if error["loc"] else ""
    reason = error["msg"].removeprefix("Value error, ")
    if error["type"] == "extra_forbidden":
        known = ", ".join(kind.model_fields) or "none"
        reason = f"unknown; there are: {known}"
    return Fault(parameter=_shown(name), reason=reason)


def _shown(name: str) -> str:
    """The name of a parameter, so far as it can be one."""
    return name if re.fullmatch(r"[A-Za-z0-9_.-]{1,40}", name) else "…"
