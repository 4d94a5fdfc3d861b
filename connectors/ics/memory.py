"""What is remembered of a subscription from run to run, so that an unchanged one costs one small request."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

_VERSION = 1


class FeedMemory(Protocol):
    """A text about one link. Thread-safe."""

    def load(self) -> str | None:
        """The text that was saved last."""

    def save(self, text: str) -> None:
        """Keep a text in place of the last one."""


class ForgetfulFeed:
    """Keeps nothing."""

    def load(self) -> str | None:
        """Nothing."""
        return None

    def save(self, text: str) -> None:
        """Nothing is kept."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What a conditional request carries (RFC 9110 section 8.8). Texts as the server gave them, "" for none."""

    etag: str = ""
    modified: str = ""

    def __bool__(self) -> bool:
        return bool(self.etag or self.modified)


@dataclass(frozen=True, slots=True)
class Remembered:
    """The last whole file. `mark`: of what it said. `refresh`: how often it asks to be read at most. `read_at`: when
    it was asked for. `rests_until`: it is left alone until then. Both are instants."""

    mark: str
    validators: Validators
    refresh: timedelta
    read_at: datetime
    rests_until: datetime

    def dump(self) -> str:
        """For `parse`."""
        return json.dumps(
            {
                "v": _VERSION,
                "mark": self.mark,
                "etag": self.validators.etag,
                "modified": self.validators.modified,
                "refresh": self.refresh.total_seconds(),
                "read_at": self.read_at.isoformat(),
                "rests_until": self.rests_until.isoformat(),
            }
        )

    @classmethod
    def parse(cls, text: str | None) -> Remembered | None:
        """What `dump` wrote; None for anything else: then all is asked for again."""
        try:
            kept = json.loads(text or "")
            if kept["v"] != _VERSION:
                return None
            return cls(
                mark=kept["mark"],
                validators=Validators(kept["etag"], kept["modified"]),
                refresh=timedelta(seconds=kept["refresh"]),
                read_at=datetime.fromisoformat(kept["read_at"]),
                rests_until=datetime.fromisoformat(kept["rests_until"]),
            )
        except (ValueError, KeyError, TypeError, OverflowError):
            return None
