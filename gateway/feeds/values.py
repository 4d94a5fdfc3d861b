"""Links to feeds as values."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from mappings.feed_levels import Level, Purpose


class Language(StrEnum):
    """What a feed and its page are written in."""

    FRENCH = "fr"
    ENGLISH = "en"


class LinkState(StrEnum):
    """What a link answers: its feed; an empty calendar, so that programs take away what they showed; nothing more."""

    OPEN = "open"
    EMPTIED = "emptied"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class FeedLink:
    """A feed that somebody may subscribe to. `subject`: the id of whom or what it is for. `organisation_id`: whose
    phone number its page shows. `past_days`, `future_days`: the window, around the day of the reader's asking.
    `content_digest`, `changed_at`: of the feed as it was made last. Instants."""

    id: int
    purpose: Purpose
    subject: int = field(repr=False)
    level: Level
    language: Language
    past_days: int
    future_days: int
    organisation_id: int | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    content_digest: str = ""
    changed_at: datetime | None = None

    def closed_at(self, token_ends_at: datetime | None, now: datetime) -> datetime | None:
        """Since when a token of it opens nothing any more; None: it does. `token_ends_at`: since it was rotated."""
        ends = [each for each in (self.revoked_at, self.expires_at, token_ends_at) if each is not None and each <= now]
        return min(ends, default=None)

    def state(self, token_ends_at: datetime | None, now: datetime, grace: timedelta) -> LinkState:
        """What one of its tokens opens at an instant."""
        closed = self.closed_at(token_ends_at, now)
        if closed is None:
            return LinkState.OPEN
        return LinkState.EMPTIED if now < closed + grace else LinkState.CLOSED


@dataclass(frozen=True, slots=True)
class FeedUse:
    """How a link was used of late. `readers`: the most distinct programs that read it on one day."""

    last_on: str | None = None
    readers: int = 0


def new_token() -> str:
    """256 random bits, fit for a URL."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> str:
    """All that is kept of a token: it has too many bits to be guessed from this."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
