"""Calendar events -> the time they occupy in the horizon, under the département's rules, as wall-clock units."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.errors import BadItem
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.expansion import Expansions, Stretch, Window
from gateway.sync.planning.recognition import SortedEvents
from gateway.sync.values import AgentView, SeenEvent, SetAside, Suppression
from mappings.blocks import Block, Provenance, subtract, within_api_bounds
from mappings.busy_rules import BusyRules, decide, matters
from mappings.wallclock import to_instant

_LOOK_BACK = timedelta(days=60)
"""How far a block that is still running may have begun: bounds the expansion, not the block."""

_EXPANSIONS = Expansions()


@dataclass(frozen=True, slots=True)
class BusyOccurrence:
    """One busy occurrence. `whole`: as its event has it, within what RDV-Solidarités takes. `parts`: what of it
    matters to the rules, in order and apart; none of it when it is too short or out of hours."""

    whole: Block
    parts: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class BusyTime:
    """Before suppressions and merging. `frozen`: places whose time is unknown now, since their event cannot be read:
    blocks that come from them stay as they are."""

    occurrences: tuple[BusyOccurrence, ...]
    frozen: frozenset[tuple[str, str]]
    set_aside: tuple[SetAside, ...]
    window_start: datetime  # wall-clock
    window_end: datetime

    @property
    def units(self) -> tuple[Block, ...]:
        """The time that matters, by occurrence: one block each, several where hours cut it."""
        return tuple(part for each in self.occurrences for part in each.parts)


def busy_time(view: AgentView, events: SortedEvents, context: PlanContext) -> BusyTime:
    """Expand every event of the calendars that block, over today and the horizon."""
    agent = view.agent
    start, end = _window(view, context)
    at = _At(_instants(start, end, agent.zone), context.today(agent))
    found: list[BusyOccurrence] = []
    frozen: set[tuple[str, str]] = set()
    set_aside: list[SetAside] = []
    for event in events.busy:
        rules = context.rulebook.for_calendar(agent.subject, str(event.ref))
        if not rules.blocks:
            continue  # nor does what cannot be read there matter
        reason = event.set_aside
        if not reason:
            try:
                found.extend(_occurrences(event, rules, at))
            except BadItem as error:
                reason = str(error)
        if reason:
            frozen.add((str(event.ref), event.href))
            set_aside.append(SetAside(agent.agent_id, event.href, reason))
    return BusyTime(tuple(found), frozenset(frozen), tuple(set_aside), start, end)


@dataclass(frozen=True, slots=True)
class _At:
    window: Window
    today: date


def _instants(start: datetime, end: datetime, zone: ZoneInfo) -> Window:
    return Window(to_instant(start, zone), to_instant(end, zone), zone)


def _occurrences(event: SeenEvent, rules: BusyRules, at: _At) -> Iterator[BusyOccurrence]:
    if event.times is None:
        return
    decided = decide(event.times, rules)
    if not any(component.busy for component in decided.components):
        return
    place = str(event.ref), event.href, event.uid
    for stretch in _EXPANSIONS.of(decided, at.window):
        source = frozenset({Provenance(*place, stretch.recurrence_id)})
        whole = within_api_bounds(Block(stretch.start, stretch.end, source, stretch.label), at.today)
        if whole is not None:
            yield BusyOccurrence(whole, _parts(whole, stretch, rules))


def _parts(whole: Block, stretch: Stretch, rules: BusyRules) -> tuple[Block, ...]:
    if not rules.hours and not rules.minimum_minutes:
        return (whole,)
    kept = matters(whole.start, whole.end, rules, length=stretch.length)
    return tuple(replace(whole, start=start, end=end) for start, end in kept)


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
    """What suppressions leave of the time that matters.

    `cut`: of that, what is left of occurrences of which a person freed some. `uncut`: the others, as their events have
    them. `ended`: suppressions whose occurrence changed, is free now, or is past.
    """

    units: tuple[Block, ...]
    cut: frozenset[Block]
    uncut: tuple[Block, ...]
    ended: tuple[Suppression, ...]


NOTHING = Freed((), frozenset(), (), ())


def apply_suppressions(busy: BusyTime, suppressions: Iterable[Suppression], now: datetime) -> Freed:
    """Take out what persons freed by hand; a suppression holds for one occurrence as it was then (`now`: wall)."""
    by_occurrence: dict[tuple[object, ...], list[Suppression]] = {}
    for suppression in suppressions:
        by_occurrence.setdefault(_suppressed(suppression), []).append(suppression)
    kept: list[Block] = []
    cut: set[Block] = set()
    uncut: list[Block] = []
    met: set[tuple[object, ...]] = set()
    for busy_one in busy.occurrences:
        found: list[Suppression] = []
        if by_occurrence:
            keys = _names(busy_one.whole)
            found = [s for key in keys for s in by_occurrence.get(key, ())]
            met |= keys
        if found:
            intervals = [(s.start, s.end) for s in found]
            left = [rest for part in busy_one.parts for rest in subtract(part, intervals)]
            cut.update(left)
            kept.extend(left)
        elif busy_one.parts:
            uncut.append(busy_one.whole)
            kept.extend(busy_one.parts)
    ended = [
        suppression
        for key, group in by_occurrence.items()
        if key not in met
        for suppression in group
        if _is_over(suppression, busy, now)
    ]
    return Freed(tuple(kept), frozenset(cut), tuple(uncut), tuple(ended))


def _is_over(suppression: Suppression, busy: BusyTime, now: datetime) -> bool:
    place = (suppression.provenance.calendar, suppression.provenance.href)
    if place in busy.frozen:
        return False  # its event cannot be read now: nothing is known of it
    in_window = suppression.occurrence_end > busy.window_start and suppression.occurrence_start < busy.window_end
    return in_window or suppression.occurrence_end <= now


def _names(whole: Block) -> set[tuple[object, ...]]:
    return {_occurrence(provenance, whole.start, whole.end) for provenance in whole.provenance}


def _occurrence(provenance: Provenance, start: datetime, end: datetime) -> tuple[object, ...]:
    """An occurrence keeps its name when its item moves to another place; without a UID the place is its name."""
    name: tuple[object, ...] = (provenance.uid,) if provenance.uid else (provenance.calendar, provenance.href)
    return (*name, provenance.recurrence_id, start, end)


def _suppressed(suppression: Suppression) -> tuple[object, ...]:
    return _occurrence(suppression.provenance, suppression.occurrence_start, suppression.occurrence_end)
