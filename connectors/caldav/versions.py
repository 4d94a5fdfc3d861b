"""What tells one state of an item or a calendar from another, and how far a server's word for it can be believed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_COUNTER = re.compile(r'"?[A-Za-z]*\d{1,8}"?')
_CLOCK = re.compile(r"(.*[^\d])?(\d{10})")
_NUMBERED = re.compile(r"(.*?)(\d+)")
_UNSETTLED = "?"
_SECOND_IS_OVER = timedelta(seconds=2)
"""After this a second is certainly past on the server: whole seconds on both sides, and the time of an answer."""


def version_of(etag: str, modified: str, server_time: datetime) -> str:
    """The version of an item: its ETag, and, where that is a small counter, when it was modified too.

    SOGo counts from zero again when an item is deleted and made anew, so that equal ETags mean different contents.
    SOGo tells when only in the answer to a PROPFIND. What was modified in the second of the answer, or nobody says
    when, has an unsettled version: the item may have changed, or still change, without another ETag.
    `server_time`: an instant of the server's clock.
    """
    if not _COUNTER.fullmatch(etag):
        return etag
    moment = http_date(modified)
    settled = moment is not None and server_time >= moment + _SECOND_IS_OVER
    return f"{etag} {modified if settled else _UNSETTLED}"


def etag_in(version: str) -> str:
    """The ETag in a version, as If-Match wants it."""
    return version.partition(" ")[0] if comes_back(version) else version


def comes_back(version: str) -> bool:
    """Whether the ETag in a version is a small counter, so that an equal one does not mean an equal content."""
    return _COUNTER.fullmatch(version.partition(" ")[0]) is not None


def is_unsettled(version: str) -> bool:
    """Whether an item with this version may have changed unseen."""
    return version.endswith(f" {_UNSETTLED}")


def is_news(version: str, known: str | None) -> bool:
    """Whether an item that has this version now has to be read, when it was read last in the version `known`."""
    return not version or is_unsettled(version) or version != known


def is_settled(mark: str, server_time: datetime) -> bool:
    """False when a mark that is a second of the clock (SOGo) is that of the answer: more may happen within it."""
    return not any(
        (second := _second_of(part)) is not None and second - timedelta(days=1) < server_time < second + _SECOND_IS_OVER
        for part in mark.split()
    )


def went_back(old: str, new: str) -> bool:
    """Whether a counting token has become smaller: the calendar was made anew, or the server restored."""
    before, after = _NUMBERED.fullmatch(old), _NUMBERED.fullmatch(new)
    if before is None or after is None or before[1] != after[1]:
        return False
    return int(after[2]) < int(before[2])


def http_date(text: str) -> datetime | None:
    """The instant that an HTTP date says (RFC 9110 section 5.6.7); None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _second_of(part: str) -> datetime | None:
    match = _CLOCK.fullmatch(part)
    return datetime.fromtimestamp(int(match[2]), UTC) if match else None
