"""`python -m tests.limits.unchanged_agent`: what an agent costs at whom nothing changed, with 120 busy occurrences."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

from connectors.icalendar_text import parse_event
from connectors.records import Absence
from gateway.rules.book import RuleBook
from gateway.sync.planning import PlanContext, busy_time, make_plan
from gateway.sync.planning.expansion import Expansions
from gateway.sync.values import (
    AgentState,
    AgentView,
    BlockOrigin,
    CalendarRef,
    LinkedAgent,
    PoolBlock,
    Presence,
    SeenAbsence,
    SeenEvent,
)
from mappings.busy_rules import Patterns
from mappings.identity import Identity, absence_title
from mappings.times import dump_times, load_times, times_of
from tests.campaigns.agendas import FIRST_MONDAY, calendar_of, fill
from tests.simulation.calendar_model import CalendarServer, Style
from tests.simulation.rdv_model import PARIS, RdvServer
from tests.simulation.weather import ModelClock

AGENT, OCCURRENCES, ROUNDS = 1, 120, 15


def unchanged(rulebook: RuleBook) -> tuple[Callable[[], AgentView], PlanContext]:
    """An agent whose blocks all stand. Each call gives the view anew, as from the database: equal, not the same."""
    now = (FIRST_MONDAY + timedelta(hours=7)).replace(tzinfo=PARIS)
    clock = ModelClock(now)
    calendars, server = CalendarServer(clock, Style()), RdvServer(clock)
    fill(AGENT, OCCURRENCES, Random(1), calendars, server)
    ref = CalendarRef("agendas", calendar_of(AGENT))
    kept: list[tuple[SeenEvent, str]] = []
    for href, item in calendars.calendars[ref.calendar].items():
        event = parse_event(item.body, system="model")
        assert event is not None
        times = times_of(event, Patterns.of([rulebook.for_calendar(_agent(ref).subject, str(ref))]).matches_of)
        kept.append((SeenEvent(ref, href, item.version, "raw", uid=event.uid), dump_times(times)))
    context = PlanContext(now, rulebook, Identity(b"i" * 32, "model"), b"k" * 32, PARIS)
    blocks: list[PoolBlock] = []

    def view() -> AgentView:
        absences = [Absence(b.absence_id, AGENT, absence_title(b.label), b.start, b.end) for b in blocks]
        seen = tuple(SeenAbsence(absence, Presence.PRESENT) for absence in absences)
        events = tuple(replace(event, times=load_times(text)) for event, text in kept)
        return AgentView(_agent(ref), events, (), seen, blocks=tuple(blocks))

    for number, made in enumerate(make_plan(view(), context).operations, start=1):
        assert made.interval is not None
        span = made.interval.start, made.interval.end
        blocks.append(PoolBlock(number, AGENT, *span, made.provenance, BlockOrigin.CREATED, label=made.label))
    assert make_plan(view(), context).operations == ()
    return view, context


def _agent(ref: CalendarRef) -> LinkedAgent:
    return LinkedAgent(AGENT, PARIS, (ref,), ref, AgentState.LIVE)


def milliseconds(rulebook: RuleBook, *, remembered: bool) -> float:
    """CPU of one plan, the least of several: with what earlier plans remember, or with nothing."""
    view, context = unchanged(rulebook)
    spent: list[float] = []
    for _ in range(ROUNDS):
        if not remembered:
            busy_time._EXPANSIONS = Expansions()
        at_hand = view()
        began = time.process_time()
        make_plan(at_hand, context)
        spent.append(1000 * (time.process_time() - began))
    return min(spent)


if __name__ == "__main__":
    for name, book in (
        ("no rules", RuleBook()),
        (
            "labels, patterns, hours",
            RuleBook.for_everybody(blocks={"labels": {"Formation": "Formation"}, "minimum_minutes": 10}),
        ),
    ):
        first, again = (milliseconds(book, remembered=remembered) for remembered in (False, True))
        print(f"{name}: {first:.1f} ms a plan at first, {again:.1f} ms again")
