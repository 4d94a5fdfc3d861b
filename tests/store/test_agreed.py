"""The agreed state, and who is enrolled."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy.exc import IntegrityError

from connectors.errors import OurBug
from gateway.store.store import Store
from gateway.sync.values import AgentState, BlockOrigin
from tests.store.samples import (
    AGENT,
    MAIN,
    MORNING,
    SECOND,
    absence,
    agent,
    block,
    copy,
    mirror,
    provenance,
    suppression,
)


def test_agents_are_listed_by_id_and_by_state(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_agent(agent(9, state=AgentState.PAUSED, sources=(SECOND,), target=MAIN))
        tx.put_agent(agent(3, state=AgentState.FIRST_RUN, first_run_approved=False))
    assert [each.agent_id for each in store.agents()] == [3, AGENT, 9]
    assert store.agents([AgentState.PAUSED]) == (agent(9, state=AgentState.PAUSED, sources=(SECOND,)),)
    assert [each.agent_id for each in store.agents({AgentState.LIVE, AgentState.FIRST_RUN})] == [3, AGENT]
    assert store.agents([]) == ()
    assert store.agent(3) == agent(3, state=AgentState.FIRST_RUN, first_run_approved=False)
    assert store.agent(4) is None


def test_the_order_of_an_agents_calendars_is_kept(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_agent(agent(AGENT, sources=(SECOND, MAIN), target=SECOND))
    assert store.agent(AGENT) == agent(AGENT, sources=(SECOND, MAIN), target=SECOND)


def test_state_and_approval_of_an_agent_change_alone(store: Store) -> None:
    first = agent(9, state=AgentState.FIRST_RUN, first_run_approved=False)
    with store.transaction() as tx:
        tx.put_agent(first)
        tx.set_first_run_approved(9)
        tx.set_agent_state(9, AgentState.LIVE)
    assert store.agent(9) == replace(first, state=AgentState.LIVE, first_run_approved=True)


def test_who_is_not_enrolled_has_no_view_and_no_state(store: Store) -> None:
    with pytest.raises(OurBug, match="agent 4 is not enrolled"):
        store.agent_view(4)
    with pytest.raises(OurBug, match="agent 4 is not enrolled"), store.transaction() as tx:
        tx.set_agent_state(4, AgentState.LEFT)
    with pytest.raises(IntegrityError), store.transaction() as tx:
        tx.put_block(block(agent_id=4))


def test_a_view_holds_what_is_agreed_with_this_agent_only(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_agent(agent(9))
        for agent_id in (AGENT, 9):
            tx.put_copy(copy(1, agent_id=agent_id, href=f"/{agent_id}.ics"))
            tx.put_block(block(10 + agent_id, agent_id=agent_id))
            tx.put_mirror(mirror(20 + agent_id, agent_id=agent_id))
            tx.add_suppressions([suppression(agent_id=agent_id)])
    view = store.agent_view(9)
    assert view.copies == (copy(1, agent_id=9, href="/9.ics"),)
    assert view.blocks == (block(19, agent_id=9),)
    assert view.mirrors == (mirror(29, agent_id=9),)
    assert view.suppressions == (suppression(agent_id=9),)


def test_what_is_put_replaces_and_what_is_dropped_is_gone(store: Store) -> None:
    later = MORNING + timedelta(hours=3)
    with store.transaction() as tx:
        tx.put_copy(copy(1))
        tx.put_copy(copy(1, put_back_count=2))
        tx.put_copy(copy(2))
        tx.put_block(block(1))
        tx.put_block(block(1, end=later, provenance=frozenset({provenance("a"), provenance("b")})))
        tx.put_block(block(2))
        tx.put_mirror(mirror(3))
        tx.put_mirror(mirror(3, end=later))
        tx.put_mirror(mirror(4))
        tx.add_suppressions([suppression("a"), suppression("b")])
        tx.drop_copy(2, AGENT)
        tx.drop_copy(1, 9)
        tx.drop_block(2)
        tx.drop_mirror(4)
        tx.end_suppressions([suppression("b"), suppression("a", start=MORNING)])
    view = store.agent_view(AGENT)
    assert view.copies == (copy(1, put_back_count=2),)
    assert view.blocks == (block(1, end=later, provenance=frozenset({provenance("a"), provenance("b")})),)
    assert view.mirrors == (mirror(3, end=later),)
    assert view.suppressions == (suppression("a"),)


def test_one_event_is_the_copy_of_one_rdv_only(store: Store) -> None:
    """The database itself refuses that two mappings claim one event."""
    with store.transaction() as tx:
        tx.put_copy(copy(1, href="/one.ics"))
        tx.put_mirror(mirror(1, href="/one.ics"))
    with pytest.raises(IntegrityError), store.transaction() as tx:
        tx.put_copy(copy(2, href="/one.ics"))
    with pytest.raises(IntegrityError), store.transaction() as tx:
        tx.put_mirror(mirror(2, href="/one.ics"))


def test_mapped_absences_are_those_of_the_pool_and_the_mirrors(store: Store) -> None:
    with store.transaction() as tx:
        tx.save_absences([absence(1)])
        tx.put_block(block(2))
        tx.put_mirror(mirror(3))
        tx.put_copy(copy(4))
        tx.put_copy(copy(5))
    assert store.mapped_absence_ids() == {2, 3}
    assert store.copied_rdv_ids() == {4, 5}


@pytest.mark.parametrize("kind", ["block", "mirror"])
def test_absences_we_created_count_for_the_highest_id(store: Store, kind: str) -> None:
    with store.transaction() as tx:
        tx.put_block(block(8)) if kind == "block" else tx.put_mirror(mirror(8))
        tx.put_block(block(5))
        tx.drop_block(8)
        tx.drop_mirror(8)
    assert store.highest_absence_id() == 8


def test_an_approval_of_the_first_run_covers_the_found_blocks_of_that_agent(store: Store) -> None:
    found = block(1, origin=BlockOrigin.FOUND, approved=False)
    with store.transaction() as tx:
        tx.put_agent(agent(9))
        tx.put_block(found)
        tx.put_block(replace(found, absence_id=2, agent_id=9))
        tx.put_block(replace(found, absence_id=3, origin=BlockOrigin.ADOPTED))
        assert tx.approve_found_blocks(AGENT) == 1
        assert tx.approve_found_blocks(AGENT) == 0
    assert [one.approved for one in store.agent_view(AGENT).blocks] == [True, False]
    assert [one.approved for one in store.agent_view(9).blocks] == [False]
