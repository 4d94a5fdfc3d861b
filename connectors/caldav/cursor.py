"""How far a calendar was read, as this connector remembers it between readings: an opaque text for everybody else."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

_VERSION = 2
_WEEK = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Cursor:
    """What one reading leaves for the next. `read_at` and `listed_at` are instants.

    `token`, `ctag`: the calendar's own, "" when it has none. `identity`: tells a calendar from one that was made
    anew under the same address, "" when the server does not say. `listed_at`: when all of it was last listed.
    `window`: short names (`short_name`) of what the last listing of a span of time held, empty without one.
    `unfinished`: some bodies are still to be fetched, and only a whole listing tells which.
    """

    read_at: datetime
    listed_at: datetime
    token: str = ""
    ctag: str = ""
    identity: str = ""
    window: frozenset[str] = frozenset()
    unfinished: bool = False

    def __str__(self) -> str:
        values: dict[str, object] = {
            "v": _VERSION,
            "read": self.read_at.isoformat(),
            "listed": self.listed_at.isoformat(),
            "token": self.token,
            "ctag": self.ctag,
            "identity": self.identity,
            "window": "".join(sorted(self.window)),
            "unfinished": self.unfinished,
        }
        return json.dumps({name: value for name, value in values.items() if value}, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str | None) -> Cursor | None:
        """A cursor from its text; None for anything else, which leads to a whole listing."""
        try:
            stored: dict[str, Any] = json.loads(text or "")
            if stored["v"] != _VERSION:
                return None
            names = str(stored.get("window", ""))
            return cls(
                read_at=_instant(stored["read"]),
                listed_at=_instant(stored["listed"]),
                token=str(stored.get("token", "")),
                ctag=str(stored.get("ctag", "")),
                identity=str(stored.get("identity", "")),
                window=frozenset(names[first : first + _NAME] for first in range(0, len(names), _NAME)),
                unfinished=bool(stored.get("unfinished", False)),
            )
        except (ValueError, KeyError, TypeError):
            return None

    def sweep_is_due(self, calendar: str, now: datetime) -> bool:
        """Whether all of the calendar is to be listed again, whatever its marks say: weekly, each on its own day."""
        return self.unfinished or now - self.listed_at >= _WEEK * _spread(calendar) or now < self.listed_at


_NAME = 8


def short_name(href: str) -> str:
    """A few characters that stand for an href. That two share one costs a question, never an error."""
    return b64encode(blake2b(href.encode(), digest_size=6).digest()).decode()


def short_names(hrefs: Iterable[str]) -> frozenset[str]:
    """Those of several."""
    return frozenset(map(short_name, hrefs))


def _instant(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no instant")
    return moment


def _spread(calendar: str) -> float:
    """From 0.75 to 1, the same for a calendar each time: a thousand calendars are not all listed in one night."""
    return 0.75 + int.from_bytes(blake2b(calendar.encode(), digest_size=2).digest()) / 2**18
