"""How much time calendars block, and what of them blocks most."""

from __future__ import annotations

from datetime import date

import pytest

from gateway.sync.busy_load import busy_load
from gateway.sync.figures import weekly_hours
from gateway.sync.planning import PlanContext
from gateway.sync.values import AgentView, CalendarRef, Suppression
from tests.sync.builders import AGENT, SOURCE, agent, context, event, provenance, view, wall

OTHER = CalendarRef("account", "/perso/")
WEEK = {"horizon_days": 6}  # today and six days: hours a week are hours


def shares(of: AgentView, ctx: PlanContext) -> dict[tuple[str, str], float]:
    return {(each.kind, each.name): round(each.hours_per_week, 2) for each in busy_load(of, ctx).shares}


def test_hours_are_told_by_kind_and_what_overlaps_counts_once() -> None:
    of = view(
        events=[
            event("day", date(2026, 6, 3), date(2026, 6, 4)),
            event("meeting", "3 09:00", "3 11:00"),  # within the day
            event("daily", "4 09:00", "4 10:00", rule="FREQ=DAILY;COUNT=3"),
            event("free", "5 14:00", "5 15:00", free=True),
        ]
    )
    assert busy_load(of, context(**WEEK)).hours_per_week == pytest.approx(24 - 1 / 60 + 3)
    found = shares(of, context(**WEEK))
    assert found["length", "all-day events"] == 23.98
    assert found["length", "events with hours"] == 5
    assert found["repetition", "series"] == 3
    assert found["repetition", "single events"] == 23.98
    assert found["calendar", str(SOURCE)] == 26.98
    assert found["reason", "busy"] == 26.98


def test_the_largest_share_comes_first_and_calendars_are_told_apart() -> None:
    of = view(
        agent=agent(sources=(SOURCE, OTHER)),
        events=[event("a", "3 09:00", "3 10:00"), event("b", "3 09:00", "3 13:00", ref=OTHER)],
    )
    load = busy_load(of, context(**WEEK))
    assert load.hours_per_week == 4
    calendars = [(each.name, each.hours_per_week) for each in load.shares if each.kind == "calendar"]
    assert calendars == [(str(OTHER), 4), (str(SOURCE), 1)]
    assert [each.hours_per_week for each in load.shares] == sorted(
        (e.hours_per_week for e in load.shares), reverse=True
    )


def test_hours_and_freed_time_are_left_out() -> None:
    """What does not block is no load."""
    of = view(events=[event("a", "3 09:00", "3 12:00")])
    span = wall("3 09:00"), wall("3 12:00")
    freed = Suppression(AGENT, provenance("a"), *span, wall("3 09:00"), wall("3 10:00"))
    assert busy_load(view(events=of.events, suppressions=(freed,)), context(**WEEK)).hours_per_week == 2
    assert busy_load(of, context(blocks={"minimum_minutes": 200}, **WEEK)).hours_per_week == 0
    assert busy_load(of, context(block_time=False, **WEEK)).hours_per_week == 0


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], 0),
        ([("1 00:00", "2 00:00")], 24),
        ([("1 10:00", "1 12:00"), ("1 11:00", "1 13:00")], 3),
        ([("1 11:00", "1 13:00"), ("1 10:00", "1 12:00")], 3),
        ([("1 00:00", "30 00:00")], 168),  # longer than the window
        ([("9 00:00", "10 00:00")], 0),  # after it
    ],
)
def test_weekly_hours_are_those_within_the_window(spans: list[tuple[str, str]], expected: float) -> None:
    found = weekly_hours([(wall(start), wall(end)) for start, end in spans], wall("1 00:00"), wall("8 00:00"))
    assert found == pytest.approx(expected)
