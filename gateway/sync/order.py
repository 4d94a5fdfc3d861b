"""Which of two words on one thing of RDV-Solidarités is the later. Pure.

No record there has a version. A webhook is as of the second in which it was written, a listing as of the moment its
request was sent, our own write as of the moment it was answered.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from gateway.store.last_word import Said

MARGIN = timedelta(seconds=10)
"""What the clocks of two machines may differ by: a reading that lacks a thing proves nothing against a webhook that is
older by less."""
RESOLUTION = timedelta(seconds=1)
_ECHO = timedelta(seconds=2)
"""A webhook of our own write may say a second that begins after its answer came, by clocks that agree to a second."""


class Verdict(Enum):
    """What to do with a webhook."""

    APPLY = "apply"
    STALE = "stale"  # something later is known
    DOUBTFUL = "doubtful"  # it may be the echo of one of our own writes: read again


def as_of(written_at: datetime) -> datetime:
    """The instant that a webhook speaks of, whose second of writing begins at `written_at`: as late as can be."""
    return written_at + RESOLUTION


def judge(
    written_at: datetime, *, said: Said | None, read_at: datetime | None, there: bool, destroyed: bool
) -> Verdict:
    """Whether a webhook is later than all that is known.

    `written_at`: by our clock. `read_at`: when the last listing was asked for that held the thing (`there`), or would
    have. An id never comes back: a removal is the last word of its second, and believed against a listing that is only
    a little later.
    """
    if said is not None and said.by_us:
        if written_at <= said.at - RESOLUTION - MARGIN:
            return Verdict.STALE
        if written_at <= said.at + _ECHO:
            return Verdict.DOUBTFUL
    elif said is not None and (as_of(written_at) < said.at or (said.gone and as_of(written_at) == said.at)):
        return Verdict.STALE
    if read_at is not None:
        proves_since = read_at if there and not destroyed else read_at - MARGIN
        if as_of(written_at) < proves_since:
            return Verdict.STALE
    return Verdict.APPLY
