"""Who is not planned again, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.sync.planning import make_plan
from gateway.sync.planning.same_until import same_until
from gateway.sync.resting import Resting
from gateway.sync.values import AgentReport, AgentView, Presence, SeenRdv
from tests.sync.builders import AGENT, NOW, absence, block, context, copy_of, event, held, rdv, view

UNTIL = NOW + timedelta(hours=3)


def resting() -> Resting:
    made = Resting()
    made.note(AgentReport(AGENT), (4, 2), since=NOW, until=UNTIL)
    return made


def test_nothing_changed_and_it_is_not_yet_time() -> None:
    assert resting().report(AGENT, (4, 2), UNTIL - timedelta(seconds=1)) == AgentReport(AGENT)


@pytest.mark.parametrize(
    ("agent_id", "counts", "now"),
    [
        (AGENT, (5, 2), NOW),
        (AGENT, (4, 3), NOW),
        (AGENT, (4, 2, 0), NOW),
        (AGENT, (4, 2), UNTIL),
        (AGENT, (4, 2), NOW - timedelta(seconds=1)),
        (AGENT + 1, (4, 2), NOW),
    ],
    ids=["the agent changed", "a calendar changed", "another calendar", "time is up", "the clock went back", "unknown"],
)
def test_a_plan_is_made(agent_id: int, counts: tuple[int, ...], now: datetime) -> None:
    assert resting().report(agent_id, counts, now) is None


def test_what_is_forgotten_is_planned_again() -> None:
    known = resting()
    known.forget()
    assert known.report(AGENT, (4, 2), NOW) is None


def until(situation: AgentView) -> datetime | None:
    return same_until(situation, make_plan(situation, context()).busy, context())


def test_a_plan_of_nothing_holds_until_the_agents_midnight() -> None:
    assert until(view()) == datetime(2026, 6, 1, 22, tzinfo=UTC)


def test_the_next_boundary_of_anything_ends_it() -> None:
    meeting = event("m", "1 14:00", "1 15:00")
    later = event("n", "1 16:00", "1 17:00")
    assert until(view(events=[later, meeting])) == datetime(2026, 6, 1, 12, tzinfo=UTC)
    ours = block(1, "1 11:30", "1 12:00")
    assert until(view(blocks=[ours], absences=[held(ours)])) == datetime(2026, 6, 1, 9, 30, tzinfo=UTC)
    assert until(view(absences=[absence(3, "1 12:00", "1 13:00")])) == datetime(2026, 6, 1, 10, tzinfo=UTC)


def test_an_rdvs_begin_and_a_copys_rest_after_a_write_are_boundaries() -> None:
    source = rdv(1, "1 15:00")
    copy, written = copy_of(source)
    situation = view(events=[written], rdvs=[SeenRdv(source, Presence.PRESENT)], copies=[copy])
    assert until(situation) == datetime(2026, 6, 1, 13, tzinfo=UTC)
