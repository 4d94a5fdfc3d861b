"""Conflicts are kept while they are there, and told once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from gateway.store.conflicts import ConflictChanges
from gateway.store.store import Store
from gateway.sync.values import AgentState, Conflict, ConflictKind
from tests.store.samples import AGENT, NOW, agent

LATER = NOW + timedelta(hours=1)

WALL = datetime(2026, 3, 2, 9)
OVER_BUSY = Conflict(
    AGENT,
    ConflictKind.RDV_OVER_BUSY,
    "this RDV overlaps an event",
    rdv_id=12,
    href="/a/1.ics",
    start=WALL + timedelta(days=1),
    end=WALL + timedelta(days=1, hours=1),
)
NATIVE = Conflict(AGENT, ConflictKind.NATIVE_SYNC, "looks like its own sync", href="/a/2.ics")
MOMENTARY = Conflict(AGENT, ConflictKind.BOTH_EDITED, "changed on both sides", absence_id=4)


def found(
    store: Store, *conflicts: Conflict, at: datetime = NOW, run: str = "run", tell: Sequence[str] = ("agent",)
) -> ConflictChanges:
    wall = WALL + (at - NOW)
    with store.transaction() as tx:
        return tx.replace_conflicts(AGENT, conflicts, tell=tell, run_id=run, at=at, wall=wall)


def told(store: Store, *, at: datetime = NOW) -> list[tuple[ConflictKind, bool]]:
    """What there is to tell; then it is told."""
    notices = store.conflict_notices()
    with store.transaction() as tx:
        tx.mark_told(notices, at=at)
    return [(each.conflict.kind, each.over) for each in notices]


def test_a_conflict_is_kept_as_it_was_found(store: Store) -> None:
    assert found(store, OVER_BUSY, NATIVE, tell=("agent", "it@dept.example")).appeared == (OVER_BUSY, NATIVE)
    rows = store.conflicts(AGENT)
    assert [each.conflict for each in rows] == [OVER_BUSY, NATIVE]
    assert {(each.since, each.run_id, each.tell, each.told_at) for each in rows} == {
        (NOW, "run", ("agent", "it@dept.example"), None)
    }


def test_one_that_is_still_there_keeps_its_beginning(store: Store) -> None:
    """A second synchroniser is one conflict, whichever of its events is met first."""
    found(store, OVER_BUSY, NATIVE, run="first")
    again = found(store, OVER_BUSY, replace(NATIVE, href="/a/9.ics", reason="Outlook too"), at=LATER, run="second")
    assert again == ConflictChanges((), ())
    assert [(each.since, each.run_id) for each in store.conflicts()] == [(NOW, "first")] * 2
    assert store.conflicts()[1].conflict.reason == "Outlook too"


def test_one_that_is_over_is_gone_and_comes_back_as_a_new_one(store: Store) -> None:
    found(store, OVER_BUSY)
    assert found(store, at=LATER).over == (OVER_BUSY,)
    assert store.conflicts() == ()
    assert found(store, OVER_BUSY, at=LATER).appeared == (OVER_BUSY,)
    assert store.conflicts()[0].since == LATER


def test_an_rdv_that_moves_over_something_else_is_another_conflict(store: Store) -> None:
    found(store, OVER_BUSY)
    moved = replace(OVER_BUSY, start=WALL + timedelta(days=2), end=WALL + timedelta(days=2, hours=1))
    assert found(store, moved, at=LATER) == ConflictChanges((moved,), (OVER_BUSY,))


def test_conflicts_are_counted_by_agent_and_kind(store: Store) -> None:
    found(store, OVER_BUSY, replace(OVER_BUSY, rdv_id=13), NATIVE)
    assert store.conflict_counts() == {AGENT: {ConflictKind.NATIVE_SYNC: 1, ConflictKind.RDV_OVER_BUSY: 2}}
    assert [each.conflicts for each in store.agent_status() if each.agent_id == AGENT] == [3]


def test_each_is_told_once_and_its_end_if_it_was_told(store: Store) -> None:
    found(store, OVER_BUSY)
    assert told(store) == [(ConflictKind.RDV_OVER_BUSY, False)]
    found(store, OVER_BUSY, at=LATER)
    assert told(store) == []
    found(store, at=LATER)
    assert told(store) == [(ConflictKind.RDV_OVER_BUSY, True)]
    assert told(store) == []


def test_nothing_is_told_of_one_that_was_over_before_it_was_told(store: Store) -> None:
    found(store, OVER_BUSY)
    found(store, at=LATER)
    assert told(store) == []


def test_what_was_settled_as_it_was_found_is_told_afterwards(store: Store) -> None:
    """The next run no longer finds it."""
    found(store, MOMENTARY)
    found(store, at=LATER)
    assert store.conflicts() == ()
    assert told(store) == [(ConflictKind.BOTH_EDITED, True)]
    assert told(store) == []


def test_an_end_is_not_told_when_the_time_simply_came(store: Store) -> None:
    found(store, OVER_BUSY)
    told(store)
    assert found(store, at=NOW + timedelta(days=2)).over == (OVER_BUSY,)
    assert told(store) == []


def test_one_that_comes_back_before_its_end_was_told_is_no_news(store: Store) -> None:
    found(store, OVER_BUSY)
    told(store)
    found(store, at=LATER)
    found(store, OVER_BUSY, at=LATER)
    assert told(store) == []
    assert len(store.conflicts()) == 1


def test_an_end_that_nobody_tells_is_forgotten_after_a_week(store: Store) -> None:
    found(store, MOMENTARY)
    found(store, at=LATER)
    found(store, at=LATER + timedelta(days=7))
    assert store.conflict_notices() == ()


@pytest.mark.parametrize("state", [AgentState.FIRST_RUN, AgentState.PAUSED, AgentState.LEFT])
def test_only_those_of_live_agents_are_told(store: Store, state: AgentState) -> None:
    """Before the first plan is approved, whoever approves it sees them."""
    found(store, OVER_BUSY)
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT, state=state))
    assert store.conflict_notices() == ()


def test_what_nobody_is_to_be_told_of_is_kept_and_not_told(store: Store) -> None:
    found(store, OVER_BUSY, MOMENTARY, tell=())
    assert len(store.conflicts()) == 2
    assert store.conflict_notices() == ()


def test_those_of_an_agent_who_leaves_are_forgotten(store: Store) -> None:
    found(store, OVER_BUSY, MOMENTARY)
    with store.transaction() as tx:
        tx.drop_conflicts(AGENT)
    assert store.conflicts() == store.conflict_notices() == ()
