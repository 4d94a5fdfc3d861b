"""What others see of an agent's time, as the rules let it out: colleagues in RDV-Solidarités and in a shared calendar,
usagers as slots that are not offered. Pure, and made by the very functions that a sync writes with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from connectors.errors import BadItem
from connectors.records import Classification, EventDraft, EventTime, Transparency
from gateway.rules.outcome import Outcome, outcome
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.values import AgentState, AgentView, Plan
from mappings.absence_event import absence_draft
from mappings.identity import absence_title
from mappings.rdv_event import rdv_draft, rdv_zone
from mappings.recurrence import occurrences
from mappings.times import ComponentTimes, EventTimes
from mappings.wallclock import outer_wall_interval, to_instant


@dataclass(frozen=True, slots=True)
class SeenBlock:
    """An absence in RDV-Solidarités that stands for busy time. Wall-clock. `title` None: a person typed it there."""

    start: datetime
    end: datetime
    title: str | None


@dataclass(frozen=True, slots=True)
class SharedEvent:
    """An event of ours as a viewer of the calendar sees it who has no right on private items (RFC 5545 section
    3.8.1.3). Wall-clock. `rdv_id` or `absence_id`: which one it is, which the viewer is not told.

    `private`: only that the time is taken, or, when it is not `busy`, nothing at all. The texts are empty then."""

    start: datetime
    end: datetime
    busy: bool
    private: bool
    rdv_id: int | None = None
    absence_id: int | None = None
    title: str = ""
    place: str = ""
    description: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class ColleagueView:
    rdv_solidarites: tuple[SeenBlock, ...]
    calendar: tuple[SharedEvent, ...]


def as_colleague(view: AgentView, context: PlanContext, day: date) -> ColleagueView:
    """One day, once the next sync did what the rules ask for and what it holds is approved."""
    held = _held(view, context)
    start, end = _day(day)
    blocks = [
        SeenBlock(span.start, span.end, None if span.typed else absence_title(span.label))
        for span in held.blocks
        if span.start < end and start < span.end
    ]
    events = [*_copies(view, held, context, day), *_mirrors(view, held, context, day)]
    return ColleagueView(tuple(blocks), tuple(sorted(events, key=lambda each: (each.start, each.end))))


def as_usager(view: AgentView, context: PlanContext, day: date) -> tuple[tuple[datetime, datetime], ...]:
    """Times of one day that are not offered since a block of the agent's lies over them: nothing tells why."""
    start, end = _day(day)
    merged: list[tuple[datetime, datetime]] = []
    for span in _held(view, context).blocks:  # sorted by start
        begin, until = max(span.start, start), min(span.end, end)
        if begin >= until:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], until)
        else:
            merged.append((begin, until))
    return tuple(merged)


def _held(view: AgentView, context: PlanContext) -> Outcome:
    """Of who is paused or has left, what stayed: no sync works on it."""
    synced = view.agent.state in (AgentState.FIRST_RUN, AgentState.LIVE)
    return outcome(view, make_plan(view, context) if synced else Plan(view.agent.agent_id), context)


def _day(day: date) -> tuple[datetime, datetime]:
    start = datetime.combine(day, time.min)
    return start, start + timedelta(days=1)


def _copies(view: AgentView, held: Outcome, context: PlanContext, day: date) -> Iterator[SharedEvent]:
    agent = view.agent
    for seen in view.rdvs:
        rdv = seen.rdv
        if rdv.id not in held.copies:
            continue
        zone = rdv_zone(rdv, context.organisation_zone(rdv.organisation_id))
        rules = context.rulebook.for_rdv(agent.subject, str(agent.target), rdv)
        try:
            draft = rdv_draft(rdv, agent.agent_id, zone, rules, context.identity)
        except BadItem:
            continue  # it is set aside, and has no copy
        yield from _shared(draft, view, day, rdv_id=rdv.id)


def _mirrors(view: AgentView, held: Outcome, context: PlanContext, day: date) -> Iterator[SharedEvent]:
    for seen in view.absences:
        if seen.absence.id not in held.mirrors:
            continue
        try:
            draft = absence_draft(seen.absence, view.agent.zone, context.identity)
        except BadItem:
            continue
        yield from _shared(draft, view, day, absence_id=seen.absence.id)


def _shared(
    draft: EventDraft, view: AgentView, day: date, *, rdv_id: int | None = None, absence_id: int | None = None
) -> Iterator[SharedEvent]:
    private = draft.classification is not Classification.PUBLIC
    for start, end in _times(draft.start, draft.end, draft, view, day):
        shown = SharedEvent(
            start,
            end,
            busy=draft.transparency is Transparency.OPAQUE,
            private=private,
            rdv_id=rdv_id,
            absence_id=absence_id,
            title="" if private else draft.summary,
            place="" if private else draft.location,
            description="" if private else draft.description,
            url="" if private else draft.url,
        )
        if shown.busy or not private:
            yield shown


def _times(
    start: EventTime, end: EventTime, draft: EventDraft, view: AgentView, day: date
) -> Iterator[tuple[datetime, datetime]]:
    """Occurrences that touch the day, on the agent's clock."""
    zone = view.agent.zone
    times = EventTimes((ComponentTimes(start, end, recurrence=draft.recurrence),))
    first, last = _day(day)
    try:
        found = occurrences(times, to_instant(first, zone), to_instant(last, zone), zone)
    except BadItem:
        return
    for each in found:
        yield outer_wall_interval(each.start, each.end, zone)
