"""What there is to tell, from what the store knows."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.alerts.causes import AgentFacts, Situation, causes
from gateway.alerts.values import Audience, Cause, Kind
from gateway.store.values import AgentStatus, HoldRow
from gateway.sync.values import (
    Action,
    AgentState,
    CalendarRef,
    HoldReason,
    LinkedAgent,
    ObjectKind,
    OperationClass,
    Problem,
    Side,
    Stop,
    Suppression,
)
from mappings.blocks import Provenance
from tests.alerts.conftest import PARIS, START, trouble

FRESH, STALE = START - timedelta(minutes=5), START - timedelta(hours=2)


def facts(
    agent_id: int,
    problem: Problem | None = None,
    last: datetime | None = FRESH,
    *,
    resting: bool = False,
    state: AgentState = AgentState.LIVE,
) -> AgentFacts:
    ref = CalendarRef("zimbra", "/c/")
    linked = LinkedAgent(agent_id, PARIS, (ref,), ref, state)
    return AgentFacts(linked, AgentStatus(agent_id, state, last, "run", problem, 0, 0, 0, 0), resting)


def found(*agents: AgentFacts, **others: object) -> list[Cause]:
    return list(causes(Situation(START, agents, **others)))  # type: ignore[arg-type]


def hold(agent_id: int, reason: HoldReason) -> HoldRow:
    kinds = (Side.CALENDAR, Action.DELETE, ObjectKind.RDV_COPY)
    return HoldRow(
        agent_id, "d", OperationClass.UNCOPY, reason, "many", STALE, *kinds, 12, None, "", datetime(2026, 3, 9)
    )


@pytest.mark.parametrize(
    ("addressee", "last", "told"),
    [
        ("agent", FRESH, [(Kind.RECONNECT, Audience.AGENT)]),
        ("it", FRESH, [(Kind.NEEDS_IT, Audience.IT)]),
        ("maintainers", FRESH, [(Kind.DEFECT, Audience.IT)]),
        ("nobody", FRESH, []),
        ("nobody", STALE, [(Kind.SYSTEM_AWAY, Audience.IT)]),
        ("nobody", None, [(Kind.SYSTEM_AWAY, Audience.IT)]),
        (None, FRESH, []),
        (None, STALE, [(Kind.SERVICE_SILENT, Audience.IT)]),
        (None, None, [(Kind.SERVICE_SILENT, Audience.IT)]),
    ],
)
def test_who_can_mend_an_agents_trouble_is_told_of_it(addressee, last, told):
    problem = trouble(addressee) if addressee else None
    assert [(each.kind, each.audience) for each in found(facts(7, problem, last))] == told


def test_one_trouble_of_a_system_is_one_cause_and_two_are_two():
    same = [facts(each, trouble("it", system=f"zimbra/agent{each}@x.fr", remedy=f"Wait {each} s.")) for each in (1, 2)]
    other = facts(3, trouble("it", remedy="Renew the certificate."))
    assert [(each.subject, each.count) for each in found(*same)] == [("zimbra", 2)]
    assert len(found(*same, other)) == 2


def test_an_agent_never_synced_has_as_long_as_one_who_was():
    (never,) = found(facts(7, None, None), stale_after=timedelta(hours=5))
    assert never.patience == timedelta(hours=5)


@pytest.mark.parametrize(("refused", "of", "many"), [(5, 5, False), (6, 6, True), (6, 100, False), (21, 100, True)])
def test_many_agents_refused_are_its_matter(refused, of, many):
    whom = [facts(each, trouble("agent") if each <= refused else None) for each in range(1, of + 1)]
    said = found(*whom)
    assert (Kind.MANY_REFUSED in {each.kind for each in said}) is many
    own = [each for each in said if each.kind is Kind.RECONNECT]
    assert len(own) == refused
    assert {each.quiet for each in own} == {many}


def test_what_rests_is_quiet_and_a_group_is_only_when_all_of_it_does():
    resting = facts(1, trouble("nobody"), STALE, resting=True)
    assert [each.quiet for each in found(resting)] == [True]
    assert [each.quiet for each in found(resting, facts(2, trouble("nobody"), STALE))] == [False]


@pytest.mark.parametrize("state", [AgentState.PAUSED, AgentState.LEFT, AgentState.FIRST_RUN])
def test_only_live_agents_have_causes(state):
    agent = facts(7, trouble("it"), STALE, state=state)
    assert found(agent, holds=(hold(7, HoldReason.MANY_REMOVALS),)) == []


def test_holds_are_one_cause_for_each_reason_but_for_those_that_wait_as_they_should():
    rows = (hold(1, HoldReason.UNPROVEN), hold(1, HoldReason.UNPROVEN), hold(2, HoldReason.UNPROVEN))
    rest = (hold(2, HoldReason.MANY_AGENTS), hold(2, HoldReason.FIRST_RUN), hold(2, HoldReason.NATIVE_SYNC))
    said = found(facts(1), facts(2), holds=rows + rest)
    assert sorted((each.subject, each.count) for each in said) == [("many_agents", 1), ("unproven", 2)]


def test_time_freed_in_the_past_is_no_news():
    def freed(day: int) -> Suppression:
        start, end = datetime(2026, 3, day, 9), datetime(2026, 3, day, 10)
        return Suppression(7, Provenance("c", "h", "u", ""), start, end, start, end)

    (told,) = found(facts(7), suppressions=(freed(1), freed(3)))
    assert (told.kind, told.start) == (Kind.FREED_BY_HAND, datetime(2026, 3, 3, 9))


def test_what_concerns_the_gateway_itself_is_told_to_it():
    access = Problem(None, "rdv_solidarites", "the access lapses", "it", "Run `rdv-gateway check`.")
    said = found(
        access=access,
        stop=Stop(STALE, "admin", "canary"),
        sentences=("It was restored.", "Its clock ran back."),
        unaddressed=3,
        undelivered=2,
    )
    kinds = [Kind.ACCESS_LAPSING, Kind.WRITES_STOPPED, Kind.DATABASE, Kind.DATABASE, Kind.NO_ADDRESS, Kind.UNDELIVERED]
    assert [each.kind for each in said] == kinds
    assert {each.audience for each in said} == {Audience.IT}
    assert len({each.identity for each in said}) == 6
    assert "canary" not in repr(said)
