"""What was found out about one calendar server by reading from it, remembered from run to run."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Announced(StrEnum):
    """What the properties of calendars say that the server can do."""

    SYNC_TOKEN = "sync_token"  # noqa: S105 - no password
    SYNC_REPORT = "sync_report"
    CTAG = "ctag"
    RESOURCE_ID = "resource_id"
    CREATION_DATE = "creation_date"
    PRIVILEGES = "privileges"


class Caught(StrEnum):
    """What the server was seen to do. The value is how `check` names it."""

    TOKEN_REFUSED = "a sync-token was refused"  # noqa: S105 - no password
    TOKEN_WENT_BACK = "a sync-token went back"  # noqa: S105 - no password
    TOKEN_LIES = "a sync-token answer left changes out"  # noqa: S105 - no password
    REPEATS = "a sync-token answer repeated what was not new"
    EMPTY_CHANGE = "a mark moved and no change was told"
    MARK_LIES = "a mark stood still while items changed"
    RESTLESS_ETAGS = "ETags changed while nothing else did"
    FALSE_REMOVAL = "an item was said to be removed and was there"
    CALENDAR_REMADE = "a calendar was made anew at the same address"
    SECOND_MARKS = "marks count whole seconds"
    LEFT_OUT = "an item was left out of an answer and was there"
    QUERY_FAILS = "a query for a span of time failed"


# One contradiction may be a change between two requests; two are a habit.
_HABIT = 2


@dataclass(frozen=True, slots=True)
class Findings:
    """`software`: what the server calls itself, "" if it does not. `caught`: how often; only grows."""

    software: str = ""
    announced: frozenset[Announced] = frozenset()
    caught: Mapping[Caught, int] = field(default_factory=lambda: MappingProxyType({}))

    def with_caught(self, what: Caught) -> Findings:
        """The same with one more of `what`."""
        return replace(self, caught=MappingProxyType({**self.caught, what: self.caught.get(what, 0) + 1}))

    def with_announced(self, software: str, announced: Collection[Announced]) -> Findings:
        """The same with what the server says of itself. Another software, or version, is judged anew."""
        if software and self.software and software != self.software:
            return Findings(software, frozenset(announced))
        return replace(self, software=software or self.software, announced=self.announced | frozenset(announced))

    @property
    def trusts_tokens(self) -> bool:
        """Whether answers to a sync-token may be taken for all that changed."""
        return self.caught.get(Caught.TOKEN_LIES, 0) < _HABIT

    @property
    def trusts_marks(self) -> bool:
        """Whether an equal mark may be taken for "unchanged"."""
        return self.caught.get(Caught.MARK_LIES, 0) < _HABIT

    def __str__(self) -> str:
        stored = {"software": self.software, "announced": sorted(self.announced), "caught": dict(self.caught)}
        return json.dumps(stored, sort_keys=True, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Findings:
        """Findings from their text; none for anything else. What this version does not know is left out."""
        try:
            stored: dict[str, Any] = json.loads(text or "")
            names = {each.value: each for each in Announced}
            kinds = {each.value: each for each in Caught}
            return cls(
                str(stored["software"]),
                frozenset(names[name] for name in stored["announced"] if name in names),
                MappingProxyType({kinds[k]: int(count) for k, count in stored["caught"].items() if k in kinds}),
            )
        except (ValueError, KeyError, TypeError, AttributeError):
            return cls()
