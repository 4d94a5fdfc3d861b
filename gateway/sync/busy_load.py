"""How much time an agent's calendars block, and what of them blocks most. Pure.

Told by kinds of events, calendars and labels of the configuration: never by a title.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time

from gateway.sync.figures import weekly_hours
from gateway.sync.planning.busy_time import apply_suppressions, busy_time
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.recognition import sort_events
from gateway.sync.values import AgentView, BusyLoad, BusyShare, SeenEvent
from mappings.busy_rules import BusyRules, Reason, verdict

_Interval = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """What can be told of an event that blocks."""

    all_day: bool
    recurring: bool
    reason: Reason


def busy_load(view: AgentView, context: PlanContext) -> BusyLoad:
    """Hours a week on average over the horizon, without what persons freed. Time that several events take counts
    once, in the whole and in each share."""
    agent = view.agent
    if not context.rules(agent).block_time:
        return BusyLoad(agent.agent_id, 0.0, ())
    busy = busy_time(view, sort_events(view, context), context)
    freed = apply_suppressions(busy, view.suppressions, context.wall_now(agent))
    events = {(str(event.ref), event.href): event for event in view.events}
    known: dict[tuple[str, str], _Kinds] = {}
    every: list[_Interval] = []
    shares: dict[tuple[str, str], list[_Interval]] = {}
    for unit in freed.units:
        every.append((unit.start, unit.end))
        for provenance in unit.provenance:
            place = (provenance.calendar, provenance.href)
            if place not in known:
                rules = context.rulebook.for_calendar(agent.subject, provenance.calendar)
                known[place] = _kinds(events[place], rules)
            for share in _shares(known[place], provenance.calendar, unit.label):
                shares.setdefault(share, []).append((unit.start, unit.end))
    window = datetime.combine(context.today(agent), time.min), busy.window_end
    found = [BusyShare(*name, weekly_hours(intervals, *window)) for name, intervals in shares.items()]
    found.sort(key=lambda each: (-each.hours_per_week, each.kind, each.name))
    return BusyLoad(agent.agent_id, weekly_hours(every, *window), tuple(found))


def _kinds(event: SeenEvent, rules: BusyRules) -> _Kinds:
    """By the first of its components that blocks: of a series, the one that all others come from."""
    components = event.times.components if event.times else ()
    verdicts = [(component, verdict(component, rules)) for component in components]
    component, found = next(pair for pair in verdicts if pair[1].busy)
    recurring = any(each.recurrence or each.recurrence_id is not None for each in components)
    return _Kinds(not isinstance(component.start, datetime), recurring, found.reason)


def _shares(kinds: _Kinds, calendar: str, label: str) -> Iterator[tuple[str, str]]:
    yield "length", "all-day events" if kinds.all_day else "events with hours"
    yield "repetition", "series" if kinds.recurring else "single events"
    yield "calendar", calendar
    yield "reason", kinds.reason.value
    if label:
        yield "label", label
