"""The Retry-After header of an answer (RFC 9110 section 10.2.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,9}")


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Seconds to wait, from a number of seconds or a date; None when the header says nothing usable.

    `now`: the instant at which the answer came.
    """
    text = (value or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # "-0000": UTC, as RFC 5322 section 3.3 reads it
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
