"""Which rules hold for an agent, and what they make of one event. Pure: what is read live is handed in.

Nothing here carries a text of a person: an event is its place, its times, and the patterns of the rules that it fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum

from connectors.errors import BadItem
from connectors.records import EventTime
from gateway.rules.book import Choice, RuleBook
from gateway.sync.guard import GuardContext, guard, totals_of
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.busy_time import BusyOccurrence, BusyTime, apply_suppressions, busy_time
from gateway.sync.planning.expansion import Expansions, Window
from gateway.sync.planning.recognition import SortedEvents, sort_events
from gateway.sync.values import AgentView, CalendarRef, ObjectKind, Operation, Presence, SeenEvent
from mappings.blocks import Block
from mappings.busy_rules import BusyRules, Reason, decide, known_matches, verdict
from mappings.times import Availability, EventTimes
from mappings.wallclock import to_instant

_NOT_CHOSEN = frozenset({"translate"})
"""A field of the rules that no configuration sets."""

_KEYS = {
    Reason.CALENDAR: "blocks",
    Reason.ALWAYS_CATEGORY: "always_categories",
    Reason.ALWAYS_TITLE: "always_titles",
    Reason.NEVER_CATEGORY: "never_categories",
    Reason.NEVER_TITLE: "never_titles",
    Reason.TENTATIVE: "tentative",
    Reason.ELSEWHERE: "elsewhere",
    Reason.ALL_DAY: "all_day",
}


# --- an agent ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RdvKind:
    """What rules look at in an RDV, and how many RDVs of the agent are so."""

    organisation_id: int
    service_id: int | None
    motif_id: int | None
    rdvs: int


@dataclass(frozen=True, slots=True)
class AgentExplanation:
    """Every choice that holds: for the agent, for each calendar of theirs, and for the copies of RDVs, those together
    that are shown alike."""

    agent: tuple[Choice, ...]
    calendars: tuple[tuple[CalendarRef, tuple[Choice, ...]], ...]
    copies: tuple[tuple[tuple[RdvKind, ...], tuple[Choice, ...]], ...]


def explain(view: AgentView, book: RuleBook) -> AgentExplanation:
    """`view`: the RDVs that were last seen decide which copies are told of."""
    subject, target = view.agent.subject, str(view.agent.target)
    seen = [each.rdv for each in view.rdvs if each.presence is Presence.PRESENT]
    counts = Counter((rdv.organisation_id, rdv.service_id, rdv.motif_id) for rdv in seen)
    samples = {(rdv.organisation_id, rdv.service_id, rdv.motif_id): rdv for rdv in seen}
    alike: dict[str, tuple[list[RdvKind], tuple[Choice, ...]]] = {}
    for kind in sorted(samples, key=lambda each: tuple(number or 0 for number in each)):
        choices = _chosen(book.explain_rdv(subject, target, samples[kind]))
        kinds, _ = alike.setdefault(repr(choices), ([], choices))
        kinds.append(RdvKind(*kind, rdvs=counts[kind]))
    return AgentExplanation(
        agent=_chosen(book.explain_agent(subject)),
        calendars=tuple((ref, _chosen(book.explain_calendar(subject, str(ref)))) for ref in view.agent.sources),
        copies=tuple((tuple(kinds), choices) for kinds, choices in alike.values()),
    )


def _chosen(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    return tuple(choice for choice in choices if choice.name not in _NOT_CHOSEN)


# --- which event ---------------------------------------------------------------------------------------------


def events_at(view: AgentView, start: datetime, end: datetime) -> tuple[SeenEvent, ...]:
    """What lies between two wall-clocks of the agent in any calendar of theirs, free time too."""
    zone = view.agent.zone
    window = Window(to_instant(start, zone), to_instant(end, zone), zone)
    return tuple(event for event in view.events if event.times is not None and _lies_in(event.times, window))


def _lies_in(times: EventTimes, window: Window) -> bool:
    taken = EventTimes(tuple(replace(each, availability=Availability.BUSY) for each in times.components))
    try:
        return bool(Expansions().of(taken, window))
    except BadItem:
        return False  # it is set aside, and named there


def events_named(view: AgentView, name: str) -> tuple[SeenEvent, ...]:
    """By href or by UID."""
    return tuple(event for event in view.events if name in (event.href, event.uid))


# --- an event ------------------------------------------------------------------------------------------------


class Standing(StrEnum):
    """What becomes of one occurrence that the rules let block."""

    OFF = "block_time is off for this agent"
    TOO_SHORT = "shorter than minimum_minutes"
    OUT_OF_HOURS = "out of the hours that matter"
    FREED = "a person freed it in RDV-Solidarités: it stays free until the event changes"
    COVERED = "blocks in RDV-Solidarités"
    HELD = "held until a person approves"
    PLANNED = "written by the next sync"


@dataclass(frozen=True, slots=True)
class ComponentExplanation:
    """One VEVENT. `rule`: the key of the rules that decided, "" when the event itself says so; `place`: where that
    key is set, "" by default. `matches`: categories and patterns of the rules that it fits, as the rules write them."""

    start: EventTime
    end: EventTime
    recurring: bool
    recurrence_id: EventTime | None
    availability: Availability
    busy: bool
    reason: Reason
    rule: str
    place: str
    label: str
    matches: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OccurrenceExplanation:
    """One occurrence within the horizon. Wall-clock of the agent. `left`: what of it blocks. `absences`: ids of those
    that stand for it."""

    start: datetime
    end: datetime
    left: tuple[tuple[datetime, datetime], ...]
    standing: Standing
    absences: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EventExplanation:
    """`never_because`: why no rule is asked about it at all, "" when rules decide. `set_aside`: why it cannot be read.
    `horizon_end`: wall-clock after which nothing blocks yet."""

    ref: CalendarRef
    href: str
    never_because: str
    set_aside: str
    components: tuple[ComponentExplanation, ...]
    occurrences: tuple[OccurrenceExplanation, ...]
    horizon_end: datetime


def explain_event(
    view: AgentView, event: SeenEvent, context: PlanContext, *, approvals: Collection[str] = ()
) -> EventExplanation:
    """`event`: one of the view's, as it is now. `approvals`: as for the guard."""
    agent = view.agent
    events = sort_events(view, context)
    rules = context.rulebook.for_calendar(agent.subject, str(event.ref))
    never = _never_because(view, event, events)
    days = context.rules(agent).horizon_days + 1
    alone = busy_time(view, replace(events, busy=() if never else (event,)), context)
    set_aside = event.set_aside or next((each.reason for each in alone.set_aside), "")
    return EventExplanation(
        ref=event.ref,
        href=event.href,
        never_because=never,
        set_aside=set_aside,
        components=tuple(_components(event, rules, context.rulebook.explain_calendar(agent.subject, str(event.ref)))),
        occurrences=_occurrences(view, alone, rules, context, approvals),
        horizon_end=datetime.combine(context.today(agent) + timedelta(days=days), time.min),
    )


def _never_because(view: AgentView, event: SeenEvent, events: SortedEvents) -> str:
    place = (event.ref, event.href)
    rdvs = {(copy.ref, copy.href): copy.rdv_id for copy in view.copies}
    rdvs |= {(each.ref, each.href): number for number, each in events.copies.items()}
    absences = {(mirror.ref, mirror.href): mirror.absence_id for mirror in view.mirrors}
    absences |= {(each.ref, each.href): number for number, each in events.mirrors.items()}
    if place in rdvs:
        return f"it is the gateway's own copy of RDV {rdvs[place]}"
    if place in absences:
        return f"it is the gateway's own event for absence {absences[place]}"
    if any((each.event.ref, each.event.href) == place for each in events.native):
        return "RDV-Solidarités itself put it there"
    if any((each.ref, each.href) == place for each in events.orphans):
        return "it bears the gateway's namespace, and no RDV or absence is known for it"
    if event.ref not in view.agent.sources:
        return "its calendar is not one of those that block"
    return ""


def _components(event: SeenEvent, rules: BusyRules, choices: Iterable[Choice]) -> Iterator[ComponentExplanation]:
    if event.times is None:
        return
    places = {choice.name: choice.place for choice in choices}
    for component, decided in zip(event.times.components, decide(event.times, rules).components, strict=True):
        found = verdict(component, rules)
        key = _KEYS.get(found.reason, "")
        yield ComponentExplanation(
            start=component.start,
            end=component.end,
            recurring=bool(component.recurrence),
            recurrence_id=component.recurrence_id,
            availability=component.availability,
            busy=found.busy,
            reason=found.reason,
            rule=key,
            place=places.get(key, ""),
            label=decided.label,
            matches=known_matches(component.matches, rules),
        )


def _occurrences(
    view: AgentView, busy: BusyTime, rules: BusyRules, context: PlanContext, approvals: Collection[str]
) -> tuple[OccurrenceExplanation, ...]:
    if not busy.occurrences:
        return ()
    now, agent_rules = context.wall_now(view.agent), context.rules(view.agent)
    freed = apply_suppressions(busy, view.suppressions, now)
    left: dict[object, list[Block]] = {}
    for unit in freed.units:
        left.setdefault(unit.provenance, []).append(unit)
    guarded = guard(
        make_plan(view, context), GuardContext(view.agent.state, totals_of(view), frozenset(approvals), agent_rules)
    )
    held = [each.operation for each in guarded.held if each.operation.kind is ObjectKind.BUSY_BLOCK]
    return tuple(
        _occurrence(each, view, left, held, _Off(rules, is_off=not agent_rules.block_time))
        for each in sorted(busy.occurrences, key=lambda one: (one.whole.start, one.whole.end))
        if each.whole.end > now
    )


@dataclass(frozen=True, slots=True)
class _Off:
    rules: BusyRules
    is_off: bool


def _occurrence(
    occurrence: BusyOccurrence,
    view: AgentView,
    left: Mapping[object, list[Block]],
    held: Iterable[Operation],
    off: _Off,
) -> OccurrenceExplanation:
    whole = occurrence.whole
    kept = left.get(whole.provenance, [])
    absences = tuple(sorted(block.absence_id for block in view.blocks if block.provenance & whole.provenance))
    if off.is_off:
        standing = Standing.OFF
    elif not occurrence.parts:
        short = whole.end - whole.start < timedelta(minutes=off.rules.minimum_minutes)
        standing = Standing.TOO_SHORT if short else Standing.OUT_OF_HOURS
    elif not kept:
        standing = Standing.FREED
    elif any(operation.provenance & whole.provenance for operation in held):
        standing = Standing.HELD
    else:
        standing = Standing.COVERED if absences else Standing.PLANNED
    parts = tuple((block.start, block.end) for block in kept)
    return OccurrenceExplanation(whole.start, whole.end, parts, standing, absences)


# --- a time as typed -----------------------------------------------------------------------------------------


def time_typed(text: str) -> tuple[datetime, datetime] | None:
    """`2026-03-02T09:00` (that minute) or `2026-03-02` (that day) as a wall-clock interval; None for other texts."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        pass
    else:
        start = datetime.combine(day, time.min)
        return start, start + timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        return None
    moment = moment.replace(second=0, microsecond=0)
    return moment, moment + timedelta(minutes=1)
