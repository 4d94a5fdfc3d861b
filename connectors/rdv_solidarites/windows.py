"""Reading RDVs by windows that fit one page.

The list has no order and repeats an RDV for each of its agents, so only a window that fits a single page is known
to be whole. A window that does not fit is cut in halves down to one second, the finest that the API tells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.errors import OurBug
from connectors.rdv_solidarites.faults import SYSTEM
from connectors.rdv_solidarites.listings import Query, read_all, read_page
from connectors.rdv_solidarites.timestamps import as_parameter
from connectors.rdv_solidarites.wire import Wire
from connectors.records import RdvWindow

_SECOND = timedelta(seconds=1)
_MOST_PIECES = 1_000  # of one requested window; what is left is told as not read


@dataclass(frozen=True, slots=True)
class Piece:
    """Records of one window as read. `whole`: nothing in it was missed."""

    window: RdvWindow
    records: tuple[object, ...]
    whole: bool


def read_windows(wire: Wire, organisation_id: int, windows: Sequence[RdvWindow]) -> Iterator[Piece]:
    """The windows in the pieces that could be read, in order. Raises as `Wire.read`."""
    for window in windows:
        pending = deque([_to_seconds(window)])
        for _ in range(_MOST_PIECES):
            if not pending:
                break
            current = pending.popleft()
            query = _query(organisation_id, current)
            page = read_page(wire, query, 1)
            if page.last:
                yield Piece(current, page.records, whole=True)
            elif current.start < current.end:
                pending.extendleft(reversed(_halves(current)))
            else:
                first, second = read_all(wire, query, page), read_all(wire, query)
                same = first.ids == second.ids and not (first.nameless or second.nameless)
                yield Piece(current, first.records + second.records, whole=same)


def _query(organisation_id: int, window: RdvWindow) -> Query:
    return Query(
        path=f"/api/v1/organisations/{organisation_id}/rdvs",
        key="rdvs",
        filters={"starts_after": as_parameter(window.start), "starts_before": as_parameter(window.end)},
    )


def _to_seconds(window: RdvWindow) -> RdvWindow:
    """The window in UTC, widened to whole seconds."""
    start, end = _utc(window.start), _utc(window.end)
    if end < start:
        raise OurBug("A window of RDVs ends before it starts.", system=SYSTEM)
    rounded = end.replace(microsecond=0)
    return RdvWindow(start.replace(microsecond=0), rounded if rounded == end else rounded + _SECOND)


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise OurBug("A window of RDVs is made of instants, not of wall-clock times.", system=SYSTEM)
    return moment.astimezone(UTC)


def _halves(window: RdvWindow) -> tuple[RdvWindow, RdvWindow]:
    """Both bounds are inclusive and starts are whole seconds: the halves are disjoint and leave no gap."""
    middle = window.start + (window.end - window.start) // (2 * _SECOND) * _SECOND
    return RdvWindow(window.start, middle), RdvWindow(middle + _SECOND, window.end)
