"""A département's rules over both servers: labels, patterns, directions, and a change of them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement, done
from tests.scenarios.person import Person, hours

_LABELLED = {"blocks": {"labels": {"Formation": "Formation"}}}
_READ_TIMEOUT = 0.5
_LATE = _READ_TIMEOUT + 0.3

# Nothing of the calendar server matters to what stands in RDV-Solidarités.

_PHASES: dict[str, tuple[str, dict[str, Any]]] = {
    "before": ("cut_before", {}),
    "committed_unanswered": ("cut_after", {}),
    "committed_late": ("commit_late", {"seconds": _LATE}),
}


def _chooses(departement: Departement, rules: dict[str, Any]) -> None:
    departement.rules = rules
    departement.stop()


def _titles(agent: Person) -> list[str]:
    return [title for title, _, _ in sorted(agent.absences(), key=lambda each: each[1])]


def _numbers(departement: Departement, agent: Person) -> list[int]:
    return [int(row["id"]) for row in departement.state.absences_of(agent.id)]


def test_labels_come_and_go_with_the_rules_and_cost_one_write_each(departement: Departement, agent: Person) -> None:
    _chooses(departement, _LABELLED)
    agent.types_event("Secourisme", *hours(departement.at(1, 9)), "CATEGORIES:FORMATION")
    agent.types_event("Dentiste", *hours(departement.at(1, 10)))
    departement.settled()
    assert _titles(agent) == ["Formation · agenda", "Occupé · agenda"]
    _chooses(departement, {})
    assert [each.rule for each in done(*departement.settled())].count("label_changed") <= 1
    assert _titles(agent) == ["Occupé · agenda"], "they touch, and nothing sets them apart any more"
    _chooses(departement, _LABELLED)
    departement.settled()
    assert _titles(agent) == ["Formation · agenda", "Occupé · agenda"]


def test_a_label_alone_is_one_change(departement: Departement, agent: Person) -> None:
    agent.types_event("Secourisme", *hours(departement.at(1, 9)), "CATEGORIES:Formation")
    departement.settled()
    (number,) = _numbers(departement, agent)
    _chooses(departement, _LABELLED)
    assert [(each.rule, each.absence_id) for each in done(*departement.settled())] == [("label_changed", number)]
    assert _titles(agent) == ["Formation · agenda"]


def test_a_title_that_somebody_typed_over_ours_stays(departement: Departement, agent: Person) -> None:
    event = agent.types_event("Secourisme", *hours(departement.at(1, 9)), "CATEGORIES:Formation")
    departement.settled()
    departement.state.absences.update(agent.absence_at(departement.at(1, 9)), title="Au CCAS")
    _chooses(departement, _LABELLED)
    assert done(*departement.settled()) == []
    agent.moves(event, *hours(departement.at(1, 14)))
    departement.settled()
    assert agent.absences() == [("Au CCAS", *hours(departement.at(1, 14)))]


def test_labelled_blocks_are_found_again_after_a_lost_database(departement: Departement, agent: Person) -> None:
    _chooses(departement, _LABELLED)
    agent.types_event("Secourisme", *hours(departement.at(1, 9)), "CATEGORIES:Formation")
    agent.types_event("Dentiste", *hours(departement.at(2, 9)))
    departement.settled()
    known = _numbers(departement, agent), agent.absences()
    departement.loses_database()
    departement.goes_live()
    assert (_numbers(departement, agent), agent.absences()) == known
    assert {block.label for block in departement.store.agent_view(agent.id).blocks} == {"Formation", ""}
    departement.loses_database()
    _chooses(departement, {})
    departement.goes_live()
    assert _numbers(departement, agent) == known[0]
    assert _titles(agent) == ["Occupé · agenda", "Occupé · agenda"]


@pytest.fixture
def hasty(departement: Departement) -> Person:
    """A live agent of a labelling département; answers are waited for shortly."""
    departement.read_timeout = _READ_TIMEOUT
    departement.rules = _LABELLED
    person = departement.agent()
    departement.goes_live()
    return person


def _loses_answer(departement: Departement, method: str, phase: str) -> None:
    kind, details = _PHASES[phase]
    departement.faults.add(kind, method=method, path=r"/api/v1/absences(/\d+)?", **details)
    departement.sync()
    departement.sync(minutes=0)
    if phase == "committed_late":
        time.sleep(_LATE)
    departement.sync(minutes=0)


@on_one_calendar_server
@pytest.mark.parametrize("phase", _PHASES)
def test_a_labelled_creation_whose_answer_is_lost_leaves_one(
    departement: Departement, hasty: Person, phase: str
) -> None:
    hasty.types_event("Secourisme", *hours(departement.at(1, 9)), "CATEGORIES:Formation")
    _loses_answer(departement, "POST", phase)
    departement.settled()
    assert _titles(hasty) == ["Formation · agenda"]


@on_one_calendar_server
@pytest.mark.parametrize("phase", _PHASES)
def test_a_change_of_label_whose_answer_is_lost_is_made(departement: Departement, hasty: Person, phase: str) -> None:
    """Its times say nothing of whether it was done: they are the same before and after."""
    hasty.types_event("Secourisme", *hours(departement.at(1, 9)), "CATEGORIES:Formation")
    departement.settled()
    _chooses(departement, {})
    _loses_answer(departement, "PATCH", phase)
    departement.settled()
    assert _titles(hasty) == ["Occupé · agenda"]


def test_another_title_pattern_frees_what_was_read_long_ago(departement: Departement, agent: Person) -> None:
    """Nothing changed in the calendar, and its title was not kept."""
    agent.types_event("Déjeuner", *hours(departement.at(1, 12)))
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.settled()
    assert len(agent.blocks()) == 2
    _chooses(departement, {"blocks": {"never_titles": ["dejeuner*"]}})
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]
    departement.forget_requests()
    departement.sync()
    assert sum(departement.calendar_requests().values()) <= 1, "asked once, and not at every sync"
    _chooses(departement, {})
    departement.settled()
    assert len(agent.blocks()) == 2


def test_directions_are_switched_off_and_on_again(departement: Departement, agent: Person) -> None:
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.absence(agent, "Congé", *hours(departement.at(2, 9)))
    departement.settled()
    assert (len(agent.blocks()), len(agent.shown())) == (1, 1)
    _chooses(departement, {"block_time": False, "mirror_absences": False})
    departement.settled()
    assert (agent.blocks(), agent.shown()) == ([], [])
    assert [title for title, _, _ in agent.absences()] == ["Congé"]
    _chooses(departement, {})
    departement.settled()
    assert (len(agent.blocks()), len(agent.shown())) == (1, 1)
