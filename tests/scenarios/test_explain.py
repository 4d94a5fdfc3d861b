"""Why a slot is blocked or not, and what became of a thing: each reason made by hand and found in the answer."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from gateway.composition import engine_settings
from gateway.explain.slot import Author, Circumstances, SlotExplanation, explain_slot, last_writes
from gateway.explain.story import Moment, absence_standing, event_standing, moments_of, rdv_standing
from gateway.rules.explaining import Standing
from gateway.sync.engine import plan_context
from gateway.sync.planning import PlanContext
from gateway.sync.values import Stop
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours


def context(departement: Departement) -> PlanContext:
    application = departement.application
    return plan_context(engine_settings(application.settings), application.keys, departement.clock.now())


def slot(departement: Departement, agent: Person, start: datetime, minutes: int = 1) -> SlotExplanation:
    """As the command asks."""
    view = departement.store.agent_view(agent.id)
    rows = departement.store.history([f"absence {each.absence.id}" for each in view.absences])
    circumstances = Circumstances(departement.store.approvals(agent.id), last_writes(rows), departement.store.stop())
    return explain_slot(view, (start, start + timedelta(minutes=minutes)), context(departement), circumstances)


def told(departement: Departement, *references: str) -> list[str]:
    return [each.what for each in story(departement, *references)]


def story(departement: Departement, *references: str) -> tuple[Moment, ...]:
    return moments_of(departement.store.history(references))


# --- slots ---------------------------------------------------------------------------------------------------


def test_a_block_names_its_event_its_date_its_rule_and_the_run_that_wrote_it(
    departement: Departement, agent: Person
) -> None:
    href = agent.types_event("Équipe", *hours(departement.at(1, 9)), "RRULE:FREQ=WEEKLY;COUNT=3")
    report = departement.sync()
    found = slot(departement, agent, departement.at(8, 9, 30))
    (block,) = found.blocking
    assert found.verdict == f"blocked by absence {block.absence_id}"
    assert (block.start, block.end) == hours(departement.at(8, 9))
    assert (block.author, block.sure) == (Author.OURS, True)
    (source,) = block.sources
    assert (source.calendar, source.href) == (f"{agent.login}:{agent.calendar}", href)
    assert f"{departement.day(8):%Y%m%d}" in source.date
    assert block.written is not None
    assert (block.written.run_id, block.written.rule) == (report.run_id, "event_occupies_time")
    assert [each.href for each in found.events] == [href]
    assert slot(departement, agent, departement.at(8, 10)).verdict == "not blocked"


def test_time_freed_by_hand_is_not_blocked_and_says_so(departement: Departement, agent: Person) -> None:
    href = agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.settled()
    departement.state.absences.delete(agent.absence_at(departement.at(1, 9)))
    departement.settled()
    found = slot(departement, agent, departement.at(1, 9))
    assert found.verdict == "not blocked"
    assert [each.provenance.href for each in found.freed] == [href]
    (event,) = found.events
    assert [each.standing for each in event.occurrences] == [Standing.FREED]


def test_what_persons_typed_and_rdvs_block_too_and_are_told_apart(departement: Departement, agent: Person) -> None:
    typed = departement.absence(agent, "Congé", *hours(departement.at(1, 9)))
    rdv = departement.rdv(departement.at(1, 9, 30), agent)
    departement.settled()
    found = slot(departement, agent, departement.at(1, 9, 30))
    assert [(each.absence_id, each.author) for each in found.blocking] == [(typed, Author.TYPED)]
    assert found.rdvs == (rdv,)
    assert found.verdict == f"blocked by absence {typed} and taken by RDV {rdv}"


def test_a_block_that_a_person_lengthened_is_theirs(departement: Departement, agent: Person) -> None:
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.settled()
    departement.move_absence(agent.absence_at(departement.at(1, 9)), *hours(departement.at(1, 9), 3))
    departement.settled()
    (block, *_) = slot(departement, agent, departement.at(1, 11)).blocking
    assert block.author is Author.RELEASED


def test_what_is_to_come_says_what_it_waits_for(departement: Departement, agent: Person) -> None:
    """The first run's hold, then a stop, then the next sync."""
    newcomer = departement.agent()
    newcomer.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.sync()
    found = slot(departement, newcomer, departement.at(1, 9))
    (waiting,) = found.intended
    assert (found.verdict, waiting.waits.startswith("held: first run")) == ("not blocked", True)
    assert any("first plan waits" in note for note in found.notes)
    departement.approves()
    (coming,) = slot(departement, newcomer, departement.at(1, 9)).intended
    assert coming.waits == ""
    with departement.store.transaction() as tx:
        tx.set_stop(Stop(departement.clock.now(), "somebody"))
    (stopped,) = slot(departement, newcomer, departement.at(1, 9)).intended
    assert "resume --writes" in stopped.waits


@pytest.mark.parametrize(
    ("rules", "day", "note"),
    [({}, 90, "beyond horizon_days"), ({"block_time": False}, 1, "block_time is off"), ({}, -1, "it is past")],
    ids=str,
)
def test_what_keeps_any_event_from_blocking_is_noted(
    departement: Departement, rules: dict[str, object], day: int, note: str
) -> None:
    agent = departement.agent()
    departement.rules |= rules
    departement.goes_live()
    assert any(note in each for each in slot(departement, agent, departement.at(day, 9)).notes)


def test_an_event_that_is_free_says_by_which_rule(departement: Departement, agent: Person) -> None:
    agent.types_event("Libre", *hours(departement.at(1, 9)), "TRANSP:TRANSPARENT")
    departement.settled()
    found = slot(departement, agent, departement.at(1, 9))
    assert found.verdict == "not blocked"
    assert [part.reason.value for event in found.events for part in event.components] == ["shown as free"]


# --- stories -------------------------------------------------------------------------------------------------


def test_the_story_of_an_rdv_tells_each_write_in_order_and_how_it_stands(
    departement: Departement, agent: Person
) -> None:
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    departement.state.rdvs.move(rdv, departement.at(2, 9))
    departement.settled()
    moments = story(departement, f"rdv {rdv}")
    writes = [each.what for each in moments if each.what.startswith("the gateway")]
    assert [text.partition(" its copy")[0] for text in writes] == ["the gateway made", "the gateway changed"]
    assert [each.at for each in moments] == sorted(each.at for each in moments)
    (href,) = agent.ours()
    agent.deletes(href)
    departement.settled()
    view = departement.store.agent_view(agent.id)
    words = " ".join(rdv_standing(view, rdv, context(departement), frozenset()).sentences)
    assert f"{departement.day(2)} 09:00" in words
    assert f"its copy is {href}" in words
    assert "put back 1 times" in words


def test_the_story_of_an_absence_names_what_it_stands_for(departement: Departement, agent: Person) -> None:
    href = agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.settled()
    number = agent.absence_at(departement.at(1, 9))
    view = departement.store.agent_view(agent.id)
    words = absence_standing(view, number, context(departement), frozenset()).sentences
    assert any(href in each for each in words)
    departement.state.absences.delete(number)
    departement.settled()
    assert told(departement, f"absence {number}")[0] == "the gateway made the absence that blocks its time"
    assert "a person deleted the absence: its time stays free" in told(departement, f"absence {number}")


def test_the_story_of_an_event_tells_what_was_seen_and_how_it_blocks(departement: Departement, agent: Person) -> None:
    departement.settled()
    href = agent.types_event("Secret", *hours(departement.at(1, 9)))
    departement.settled()
    agent.moves(href, *hours(departement.at(2, 9)))
    departement.settled()
    assert told(departement, href) == ["it was read for the first time", "somebody changed it"]
    view = departement.store.agent_view(agent.id)
    (event,) = [each for each in view.events if each.href == href]
    standing = event_standing(view, event, context(departement), frozenset())
    assert any("blocks in RDV-Solidarités (absence" in each for each in standing.sentences)
    assert "Secret" not in repr(standing)


def test_a_held_removal_is_in_the_story(departement: Departement, agent: Person) -> None:
    events = [agent.types_event("Équipe", *hours(departement.at(day, 9))) for day in range(1, 12)]
    departement.settled()
    number = agent.absence_at(departement.at(1, 9))
    for href in events:
        agent.deletes(href)
    departement.sync()
    view = departement.store.agent_view(agent.id)
    words = absence_standing(view, number, context(departement), frozenset()).sentences
    assert any(each.startswith("held, delete busy_block") for each in words)
