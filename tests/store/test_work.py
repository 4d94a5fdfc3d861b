"""Intents, holds, approvals, runs, secrets."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from connectors.errors import OurBug
from gateway.store.database import Database
from gateway.store.schema import intent
from gateway.store.store import Store
from gateway.store.values import AgentStatus, HoldRow, RunRow
from gateway.sync.values import (
    Action,
    AgentReport,
    AgentState,
    Conflict,
    ConflictKind,
    Held,
    HoldReason,
    ObjectKind,
    Operation,
    OperationClass,
    Problem,
    RunReport,
    SetAside,
    Side,
)
from tests.store.samples import AGENT, MORNING, NOW, agent, operation

LATER = NOW + timedelta(hours=1)
PROBLEM = Problem(None, "rdv_solidarites", "429 Too Many Requests", "nobody", "Nothing.")


def held(*operations: Operation, explanation: str = "6 of 7") -> list[Held]:
    return [Held(one, HoldReason.MANY_REMOVALS, explanation) for one in operations]


# --- intents -------------------------------------------------------------------------------------------------


def test_an_intent_is_open_until_its_outcome_is_known(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_agent(agent(9))
        first = tx.open_intent("run-1", operation(), highest_absence_id=31, at=NOW)
        other = tx.open_intent("run-1", operation(agent_id=9), highest_absence_id=31, at=LATER)
    assert store.open_intents() == (first, other)
    assert store.agent_view(9).open_intents == (other,)
    with store.transaction() as tx:
        tx.close_intent(first.id, "done")
    assert store.open_intents() == (other,)


def test_a_closed_intent_stays_without_its_operation(store: Store, database: Database) -> None:
    with store.transaction() as tx:
        opened = tx.open_intent("run-1", operation(), highest_absence_id=31, at=NOW)
        tx.close_intent(opened.id, "not sent")
    with database.read() as connection:
        row = connection.execute(select(intent.c.outcome, intent.c.operation, intent.c.digest)).one()
    assert tuple(row) == ("not sent", None, operation().digest)


def test_an_intent_closes_once(store: Store) -> None:
    with store.transaction() as tx:
        opened = tx.open_intent("run-1", operation(), highest_absence_id=31, at=NOW)
        tx.close_intent(opened.id, "done")
    with pytest.raises(OurBug, match=f"intent {opened.id} is not open"), store.transaction() as tx:
        tx.close_intent(opened.id, "not sent")


# --- holds and approvals -------------------------------------------------------------------------------------


def test_holds_are_replaced_and_those_that_stay_keep_since_when(store: Store) -> None:
    stays, goes = operation(rdv_id=1), operation(rdv_id=2)
    comes = operation(rdv_id=3, when=MORNING + timedelta(days=1))
    with store.transaction() as tx:
        tx.replace_holds(AGENT, held(stays, goes), run_id="run-1", at=NOW)
        tx.replace_holds(AGENT, held(comes, stays, explanation="7 of 7"), run_id="run-2", at=LATER)
    rows = store.holds(AGENT)
    assert [(row.rdv_id, row.since, row.explanation) for row in rows] == [(1, NOW, "7 of 7"), (3, LATER, "7 of 7")]
    with store.transaction() as tx:
        tx.replace_holds(AGENT, [], run_id="run-3", at=LATER)
    assert store.holds() == ()


def test_a_hold_names_its_operation(store: Store) -> None:
    waits = operation(absence_id=4, href="/a.ics")
    with store.transaction() as tx:
        tx.put_agent(agent(3))
        tx.replace_holds(AGENT, held(waits), run_id="run-1", at=NOW)
        tx.replace_holds(3, held(operation(agent_id=3)), run_id="run-1", at=NOW)
    expected = HoldRow(
        AGENT,
        waits.digest,
        OperationClass.COPY,
        HoldReason.MANY_REMOVALS,
        "6 of 7",
        NOW,
        Side.CALENDAR,
        Action.CREATE,
        ObjectKind.RDV_COPY,
        1,
        4,
        "/a.ics",
        MORNING,
    )
    assert store.holds(AGENT) == (expected,)
    assert [row.agent_id for row in store.holds()] == [3, AGENT]


def test_an_approval_is_used_up_once(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_agent(agent(9))
        tx.approve(AGENT, ["one", "two"], at=NOW, by="it")
        tx.approve(AGENT, ["two"], at=LATER, by="it")
        tx.approve(9, ["one"], at=NOW, by="it")
        assert tx.consume_approval(AGENT, "one")
        assert not tx.consume_approval(AGENT, "one")
    assert store.approvals(AGENT) == {"two"}
    assert store.approvals(9) == {"one"}


# --- runs ----------------------------------------------------------------------------------------------------


def test_a_run_is_kept_in_numbers(store: Store) -> None:
    report = AgentReport(
        AGENT,
        done=(operation(), operation()),
        held=tuple(held(operation())),
        set_aside=(SetAside(AGENT, "/a.ics", "unknown zone"),),
        conflicts=(Conflict(AGENT, ConflictKind.ORPHAN, "unknown"),),
        unsettled=1,
        waiting=(operation(), operation(), operation()),
    )
    whole = RunReport("run-2", NOW, 2.0, (report, AgentReport(9)), (PROBLEM,), (("zimbra", 3), ("rdv_solidarites", 9)))
    with store.transaction() as tx:
        tx.start_run("run-1", at=NOW - timedelta(hours=1), dry_run=True)
        tx.start_run("run-2", at=NOW)
        tx.finish_run(whole, at=LATER)
    killed = RunRow("run-1", NOW - timedelta(hours=1), None, True, 0, 0, 0, 0, 0, 0, 0, (), ())
    assert store.runs() == (RunRow("run-2", NOW, LATER, False, 2, 2, 1, 1, 1, 1, 3, (PROBLEM,), whole.requests), killed)
    assert store.runs(1) == store.runs()[:1]


def test_a_run_that_never_started_cannot_finish(store: Store) -> None:
    with pytest.raises(OurBug, match="run-9 was never started"), store.transaction() as tx:
        tx.finish_run(RunReport("run-9", NOW, 1.0, ()), at=LATER)


def test_the_status_of_an_agent_remembers_the_last_complete_sync(store: Store) -> None:
    troubled = AgentReport(AGENT, set_aside=(SetAside(AGENT, "/a.ics", "?"),), problems=(PROBLEM,))
    with store.transaction() as tx:
        tx.put_agent(agent(3, state=AgentState.PAUSED))
        tx.save_agent_result(AgentReport(AGENT), run_id="run-1", at=NOW, complete=True)
    assert store.agent_status()[1] == AgentStatus(AGENT, AgentState.LIVE, NOW, "run-1", None, 0, 0, 0, 0)
    with store.transaction() as tx:
        tx.save_agent_result(troubled, run_id="run-2", at=LATER, complete=False)
        tx.replace_holds(AGENT, held(operation(rdv_id=1), operation(rdv_id=2)), run_id="run-2", at=LATER)
        tx.open_intent("run-2", operation(), highest_absence_id=0, at=LATER)
        closed = tx.open_intent("run-2", operation(), highest_absence_id=0, at=LATER)
        tx.close_intent(closed.id, "done")
    assert store.agent_status() == (
        AgentStatus(3, AgentState.PAUSED, None, None, None, 0, 0, 0, 0),
        AgentStatus(AGENT, AgentState.LIVE, NOW, "run-2", PROBLEM, 2, 1, 1, 0),
    )


# --- secrets -------------------------------------------------------------------------------------------------


def test_a_secret_is_kept_under_its_name_and_replaced(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_secret("token", b"one")
        tx.put_secret("token", b"two")
        tx.put_secret("other", b"three")
    assert (store.secret("token"), store.secret("other"), store.secret("none")) == (b"two", b"three", None)
