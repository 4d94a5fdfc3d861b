"""Calendar events -> the time they occupy in the horizon, as wall-clock units with their provenance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connectors.errors import BadItem
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.recognition import SortedEvents
from gateway.sync.values import AgentView, SetAside, Suppression
from mappings.blocks import Block, Provenance, block_of, subtract, within_api_bounds
from mappings.recurrence import occurrences
from mappings.wallclock import to_instant

_LOOK_BACK = timedelta(days=60)
"""How far a block that is still running may have begun: bounds the expansion, not the block."""


@dataclass(frozen=True, slots=True)
class BusyTime:
    """`units`: one per busy occurrence (before suppressions and merging). `frozen`: places whose time is unknown
    now, since their event cannot be read: blocks that come from them stay as they are."""

    units: tuple[Block, ...]
    frozen: frozenset[tuple[str, str]]
    set_aside: tuple[SetAside, ...]
    window_start: datetime  # wall-clock
    window_end: datetime


def busy_time(view: AgentView, events: SortedEvents, context: PlanContext) -> BusyTime:
    """Expand every event of the calendars that block, over today and the horizon."""
    agent = view.agent
    start, end = _window(view, context)
    units: list[Block] = []
    frozen: set[tuple[str, str]] = set()
    set_aside: list[SetAside] = []
    today = context.today(agent)
    for event in events.busy:
        reason = event.set_aside
        if not reason and event.times is not None:
            try:
                found = occurrences(event.times, to_instant(start, agent.zone), to_instant(end, agent.zone), agent.zone)
            except BadItem as error:
                reason = str(error)
            else:
                place = (str(event.ref), event.href)
                blocks = (
                    block_of(each, Provenance(*place, event.uid, each.recurrence_id), agent.zone) for each in found
                )
                units.extend(kept for block in blocks if (kept := within_api_bounds(block, today)) is not None)
        if reason:
            frozen.add((str(event.ref), event.href))
            set_aside.append(SetAside(agent.agent_id, event.href, reason))
    return BusyTime(tuple(units), frozenset(frozen), tuple(set_aside), start, end)


def _window(view: AgentView, context: PlanContext) -> tuple[datetime, datetime]:
    """From today 00:00, or from the start of a block of ours that is still running, so that it does not shrink."""
    now = context.wall_now(view.agent)
    today = context.today(view.agent)
    running = [block.start for block in view.blocks if block.start < now < block.end]
    start = min([datetime.combine(today, time.min), *running])
    earliest = datetime.combine(today, time.min) - _LOOK_BACK
    return max(start, earliest), _midnight(today + timedelta(days=context.rules(view.agent).horizon_days + 1))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min)


@dataclass(frozen=True, slots=True)
class Freed:
    """What suppressions leave. `ended`: those whose occurrence changed, is free now, or is past."""

    units: tuple[Block, ...]
    ended: tuple[Suppression, ...]


def apply_suppressions(busy: BusyTime, suppressions: Iterable[Suppression], now: datetime) -> Freed:
    """Take out what persons freed by hand; a suppression holds for one occurrence as it was then (`now`: wall)."""
    by_occurrence: dict[tuple[object, ...], list[Suppression]] = {}
    for suppression in suppressions:
        by_occurrence.setdefault(_suppressed(suppression), []).append(suppression)
    kept: list[Block] = []
    met: set[tuple[object, ...]] = set()
    for unit in busy.units:
        keys = {_occurrence(provenance, unit.start, unit.end) for provenance in unit.provenance}
        found = [s for key in keys for s in by_occurrence.get(key, ())]
        met |= keys
        kept.extend(subtract(unit, [(s.start, s.end) for s in found]) if found else (unit,))
    ended = [
        suppression
        for key, group in by_occurrence.items()
        if key not in met
        for suppression in group
        if _is_over(suppression, busy, now)
    ]
    return Freed(tuple(kept), tuple(ended))


def _is_over(suppression: Suppression, busy: BusyTime, now: datetime) -> bool:
    place = (suppression.provenance.calendar, suppression.provenance.href)
    if place in busy.frozen:
        return False  # its event cannot be read now: nothing is known of it
    in_window = suppression.occurrence_end > busy.window_start and suppression.occurrence_start < busy.window_end
    return in_window or suppression.occurrence_end <= now


def _occurrence(provenance: Provenance, start: datetime, end: datetime) -> tuple[object, ...]:
    """An occurrence keeps its name when its item moves to another place; without a UID the place is its name."""
    name: tuple[object, ...] = (provenance.uid,) if provenance.uid else (provenance.calendar, provenance.href)
    return (*name, provenance.recurrence_id, start, end)


def _suppressed(suppression: Suppression) -> tuple[object, ...]:
    return _occurrence(suppression.provenance, suppression.occurrence_start, suppression.occurrence_end)
