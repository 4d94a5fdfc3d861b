"""What a server's answers say of the time there (RFC 9110 section 6.6.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime


class ServerTime:
    """How far a server's clock is ahead of ours, by its last answer that told. Safe to use from several threads."""

    def __init__(self) -> None:
        self._offset: timedelta | None = None

    @property
    def offset(self) -> timedelta | None:
        """None when no answer told."""
        return self._offset

    def note(self, date: str | None, now: datetime) -> None:
        """`date`: the Date header of an answer, written to the second. `now`: the instant at which it came."""
        if not date:
            return
        try:
            there = parsedate_to_datetime(date)
        except ValueError:
            return
        self._offset = (there if there.tzinfo is not None else there.replace(tzinfo=UTC)) - now
