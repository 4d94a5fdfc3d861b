"""guard: what runs, what waits for a person, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.rules.values import AgentRules
from gateway.sync.guard import GuardContext, guard, totals_of
from gateway.sync.planning import make_plan
from gateway.sync.values import (
    Action,
    AgentState,
    BlockOrigin,
    Guarded,
    HoldReason,
    OperationClass,
    Plan,
    Presence,
    SeenRdv,
)
from tests.sync.builders import AGENT, absence, block, context, copy_of, event, held, rdv, view, wall


def judge(plan: Plan, situation: object = None, **changes: object) -> Guarded:
    base = GuardContext(
        state=AgentState.LIVE,
        totals=totals_of(situation) if situation else {},  # type: ignore[arg-type]
        approvals=frozenset(),
        rules=AgentRules(),
    )
    return guard(plan, replace(base, **changes))  # type: ignore[arg-type]


def pool(count: int) -> list:
    return [block(n, f"{n + 1} 09:00", f"{n + 1} 10:00", f"e{n}") for n in range(1, count + 1)]


def events(count: int, hour: str = "09") -> list:
    return [event(f"e{n}", f"{n + 1} {hour}:00", f"{n + 1} {int(hour) + 1}:00") for n in range(1, count + 1)]


def test_a_first_run_writes_nothing_but_pairs() -> None:
    situation = view(events=events(3), absences=[absence(9, "2 09:00", "2 10:00")])
    plan = make_plan(situation, context())
    judged = judge(plan, situation, state=AgentState.FIRST_RUN)
    assert [op.action for op in judged.allowed] == [Action.PAIR]
    assert {each.reason for each in judged.held} == {HoldReason.FIRST_RUN}


def test_an_approval_lets_through_what_it_lists_and_nothing_else() -> None:
    plan = make_plan(view(events=events(3)), context())
    first, second, third = plan.operations
    judged = judge(plan, state=AgentState.FIRST_RUN, approvals=frozenset({first.digest, second.digest}))
    assert judged.allowed == (first, second)
    assert [each.operation for each in judged.held] == [third]


@pytest.mark.parametrize(
    ("kept", "removed", "waits"),
    [(0, 5, False), (0, 6, True), (24, 6, False), (23, 6, True)],
    ids=["five is few", "six of six", "six of thirty is a fifth", "six of twenty-nine is more"],
)
def test_many_removals_wait(kept: int, removed: int, *, waits: bool) -> None:
    blocks = pool(kept + removed)
    situation = view(events=events(kept), blocks=blocks, absences=[held(each) for each in blocks])
    judged = judge(make_plan(situation, context()), situation)
    assert len(judged.held) == (removed if waits else 0)
    assert {each.reason for each in judged.held} <= {HoldReason.MANY_REMOVALS}


def test_under_an_uncover_hold_moved_blocks_still_add_their_new_time() -> None:
    blocks = pool(8)
    situation = view(events=events(8, hour="15"), blocks=blocks, absences=[held(each) for each in blocks])
    judged = judge(make_plan(situation, context()), situation)
    assert {(op.action, op.op_class) for op in judged.allowed} == {(Action.CREATE, OperationClass.COVER)}
    assert len(judged.allowed) == 8
    assert {each.operation.action for each in judged.held} == {Action.DELETE}
    old = judged.held[0].operation
    assert old.interval is not None
    assert old.interval.start == wall("2 09:00")


def test_a_hold_on_one_class_never_stops_the_others() -> None:
    blocks = pool(8)
    situation = view(
        events=[event("new", "20 09:00", "20 10:00")],
        rdvs=[SeenRdv(rdv(), Presence.PRESENT)],
        blocks=blocks,
        absences=[held(each) for each in blocks],
    )
    judged = judge(make_plan(situation, context()), situation)
    assert {op.op_class for op in judged.allowed} == {OperationClass.COVER, OperationClass.COPY}
    assert {each.operation.op_class for each in judged.held} == {OperationClass.UNCOVER}


def test_an_unproven_disappearance_waits_with_its_reason() -> None:
    copy, seen = copy_of(rdv())
    situation = view(rdvs=[SeenRdv(rdv(), Presence.UNKNOWN, "rights may be lost")], copies=[copy], events=[seen])
    judged = judge(make_plan(situation, context()), situation)
    assert judged.allowed == ()
    assert judged.held[0].reason is HoldReason.UNPROVEN
    assert "rights may be lost" in judged.held[0].explanation


def test_an_absence_that_a_person_typed_waits_for_an_approval() -> None:
    found = block(9, "2 09:00", "2 10:00", "a", origin=BlockOrigin.FOUND, approved=False)
    situation = view(blocks=[found], absences=[held(found)])
    judged = judge(make_plan(situation, context()), situation)
    assert [each.reason for each in judged.held] == [HoldReason.FOUND_ABSENCE]


def test_the_native_sync_holds_copies_alone() -> None:
    copy, seen = copy_of(rdv())
    native = replace(seen, uid=rdv().uuid, marker=None, href="/agenda/native.ics")
    later = SeenRdv(rdv(2, "5 10:00"), Presence.PRESENT)
    situation = view(
        rdvs=[SeenRdv(rdv(), Presence.PRESENT), later],
        copies=[copy],
        events=[seen, native, event("a", "2 09:00", "2 10:00")],
    )
    judged = judge(make_plan(situation, context()), situation)
    assert [op.op_class for op in judged.allowed] == [OperationClass.COVER]
    assert [each.reason for each in judged.held] == [HoldReason.NATIVE_SYNC]


def test_no_approval_lets_a_doubled_copy_through() -> None:
    """A whole wave is approved at once: nobody may have looked at this one agent."""
    first, native = rdv(), replace(event("x", "2 10:00", "2 10:30"), uid=rdv().uuid)
    plan = make_plan(view(rdvs=[SeenRdv(first, Presence.PRESENT)], events=[native]), context())
    approvals = frozenset(each.digest for each in plan.operations)
    for state in (AgentState.FIRST_RUN, AgentState.LIVE):
        judged = judge(plan, state=state, approvals=approvals)
        assert [each.reason for each in judged.held] == [HoldReason.NATIVE_SYNC]
        assert judged.allowed == ()


def test_a_copy_whose_rdv_is_gone_is_removed_although_others_are_doubled() -> None:
    copy, seen = copy_of(rdv())
    native = replace(event("x", "5 10:00", "5 10:30"), uid=rdv(2).uuid)
    later = SeenRdv(rdv(2, "5 10:00"), Presence.PRESENT)
    situation = view(rdvs=[SeenRdv(rdv(), Presence.GONE), later], copies=[copy], events=[seen, native])
    judged = judge(make_plan(situation, context()), situation)
    assert [(op.action, op.rdv_id) for op in judged.allowed] == [(Action.DELETE, 1)]
    assert [(each.operation.rdv_id, each.reason) for each in judged.held] == [(2, HoldReason.NATIVE_SYNC)]


def test_an_operation_keeps_its_digest_from_one_plan_to_the_next() -> None:
    situation = view(events=events(3), rdvs=[SeenRdv(rdv(), Presence.PRESENT)])
    digests = [op.digest for op in make_plan(situation, context()).operations]
    assert digests == [op.digest for op in make_plan(situation, context()).operations]
    assert len(set(digests)) == len(digests)
    assert situation.agent.agent_id == AGENT
