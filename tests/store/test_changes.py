"""The database counts every change of what a plan is made of, whoever writes it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import AgentHistory, AgentReport, AgentState, HoldReason, Pin, PinnedThing, Presence, Sign
from tests.store.samples import (
    AGENT,
    MAIN,
    NOW,
    absence,
    agent,
    block,
    copy,
    entry,
    event,
    mirror,
    operation,
    rdv,
    suppression,
)

PIN = Pin(AGENT, PinnedThing.RDV, 2, "version", "", "undo", NOW, "maria")
OTHER = 8


def save_rdv(tx: Transaction, status: str) -> None:
    tx.save_rdvs([rdv(2, status=status)], digests={2: status}, agents_epoch=0, read_at=NOW)


def open_one(tx: Transaction) -> int:
    return tx.open_intent("run", operation(), highest_absence_id=0, at=NOW).id


@pytest.fixture
def filled(store: Store) -> Store:
    with store.transaction() as tx:
        tx.put_agent(agent(OTHER, sources=()))
        tx.save_calendar_reading(MAIN, events=[event("a")], gone=(), cursor=None, mark="", read_at=NOW)
        save_rdv(tx, "unknown")
        tx.save_absences([absence(2)])
        tx.put_copy(copy(2))
        tx.put_block(block(2))
        tx.put_mirror(mirror(3))
        tx.add_suppressions([suppression()])
        tx.put_pin(PIN)
        open_one(tx)
    return store


CHANGES: dict[str, Callable[[Transaction], object]] = {
    "state": lambda tx: tx.set_agent_state(AGENT, AgentState.PAUSED),
    "home": lambda tx: tx.set_agent_home(AGENT, 3, None),
    "sources": lambda tx: tx.put_agent(agent(AGENT, sources=(MAIN,))),
    "event changed": lambda tx: tx.save_event(event("a", version='"2"')),
    "event added": lambda tx: tx.save_event(event("b")),
    "event gone": lambda tx: tx.drop_event(MAIN, event("a").href),
    "rdv changed": lambda tx: save_rdv(tx, "seen"),
    "rdv missing": lambda tx: tx.save_rdv_missing(2, readings=1, presence=Presence.UNKNOWN, because="lost"),
    "rdv gone": lambda tx: tx.forget_rdvs([2]),
    "absence changed": lambda tx: tx.save_absences([replace(absence(2), title="autre")]),
    "absence of somebody else now": lambda tx: tx.save_absences([replace(absence(2), agent_id=OTHER)]),
    "absence in doubt": lambda tx: tx.save_absence_presence(2, Presence.UNKNOWN, "lost"),
    "absence forgotten": lambda tx: tx.forget_absences([2]),
    "copy": lambda tx: tx.put_copy(copy(2, asked_digest="other")),
    "no copy": lambda tx: tx.drop_copy(2, AGENT),
    "block": lambda tx: tx.put_block(block(2, label="other")),
    "no block": lambda tx: tx.drop_block(2),
    "mirror": lambda tx: tx.put_mirror(mirror(3, title_digest="other")),
    "no mirror": lambda tx: tx.drop_mirror(3),
    "suppression over": lambda tx: tx.end_suppressions([suppression()]),
    "pin": lambda tx: tx.put_pin(replace(PIN, number=5)),
    "no pin": lambda tx: tx.drop_pin(PIN),
    "intent": open_one,
    "intent over": lambda tx: tx.close_intent(1, "done"),
    "sign": lambda tx: tx.put_history(AGENT, AgentHistory({}, (Sign(HoldReason.DATABASE_RESTORED, "lost"),))),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_of_what_a_plan_is_made_of_is_counted(filled: Store, change: Callable[[Transaction], object]) -> None:
    agents = filled.agents()
    before = filled.change_counts(agents)
    view = filled.agent_view(AGENT)
    with filled.transaction() as tx:
        change(tx)
    assert filled.agent_view(AGENT) != view, "the sample changes nothing"
    assert filled.change_counts(agents).of(agent(AGENT)) != before.of(agent(AGENT))


def test_every_table_of_an_agents_view_is_among_the_samples(filled: Store) -> None:
    """A part that is added to the view needs its triggers, and a sample here."""
    view = filled.agent_view(AGENT)
    empty = [name for name in view.__slots__ if not getattr(view, name)]
    assert empty == []


def test_what_is_written_again_as_it_was_is_no_change(filled: Store) -> None:
    before = filled.change_counts(filled.agents())
    with filled.transaction() as tx:
        tx.save_absences([absence(2)])
        save_rdv(tx, "unknown")
        tx.put_copy(copy(2))
        tx.put_block(block(2))
        tx.put_mirror(mirror(3))
        tx.save_calendar_reading(MAIN, events=[event("a")], gone=(), cursor="7", mark="m", read_at=NOW)
        tx.journal(entry())
    assert filled.change_counts(filled.agents()) == before


def test_what_is_somebody_elses_is_no_change_of_ones_own(filled: Store) -> None:
    before = filled.change_counts(filled.agents()).of(agent(AGENT))
    with filled.transaction() as tx:
        tx.set_agent_state(OTHER, AgentState.PAUSED)
        tx.save_absences([absence(9, agent_id=OTHER)])
    assert filled.change_counts(filled.agents()).of(agent(AGENT)) == before


def test_the_time_of_the_last_complete_run_moves_for_who_was_not_planned(filled: Store) -> None:
    with filled.transaction() as tx:
        tx.save_agent_result(AgentReport(AGENT), run_id="first", at=NOW, complete=True)
        tx.save_unchanged([AGENT], run_id="second", at=NOW + timedelta(hours=1), complete=True)
        tx.save_unchanged([AGENT], run_id="third", at=NOW + timedelta(hours=2), complete=False)
    status = next(each for each in filled.agent_status() if each.agent_id == AGENT)
    assert (status.last_run_id, status.last_complete_at) == ("third", NOW + timedelta(hours=1))
