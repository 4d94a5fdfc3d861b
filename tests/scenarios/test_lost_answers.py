"""Writes whose answers never came, at every phase: one of everything in the end.

Answers are given up after `_READ_TIMEOUT` seconds of real time; the gateway's patience (twice that) passes on the
scenario's clock, but never before what comes late has really come.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway.sync.values import BlockOrigin
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours
from tests.servers.counting_proxy import Before, Cut, Fault, Hang, Instead, Reply

_READ_TIMEOUT = 0.5
_LATE = _READ_TIMEOUT + 0.3

# What the double does with a request: (kind, its details). All but the last two leave the caller without an answer.
_PHASES: dict[str, tuple[str, dict[str, Any]]] = {
    "before": ("cut_before", {}),
    "hung": ("hang", {"seconds": _LATE}),
    "committed_unanswered": ("cut_after", {}),
    "committed_half_answered": ("truncate", {}),
    "committed_late": ("commit_late", {"seconds": _LATE}),
    "gateway_timeout": ("status", {"status": 504, "body": "html"}),
}


@pytest.fixture
def agent(departement: Departement) -> Person:
    """A live agent; answers are waited for shortly."""
    departement.read_timeout = _READ_TIMEOUT
    person = departement.agent()
    departement.goes_live()
    return person


@pytest.fixture(params=_PHASES)
def phase(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _spoil(departement: Departement, method: str, phase: str) -> None:
    kind, details = _PHASES[phase]
    departement.faults.add(kind, method=method, path=r"/api/v1/absences(/\d+)?", **details)


def _meanwhile(departement: Departement, phase: str) -> None:
    """What is under way is done by now; the gateway looked twice before its patience was over."""
    departement.sync(minutes=0)
    if phase == "committed_late":
        time.sleep(_LATE)
    departement.sync(minutes=0)


@on_one_calendar_server
def test_a_creation_of_an_absence_leaves_one(departement: Departement, agent: Person, phase: str) -> None:
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    _spoil(departement, "POST", phase)
    departement.sync()
    _meanwhile(departement, phase)
    assert len(agent.absences()) <= 1
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]


@on_one_calendar_server
def test_a_creation_whose_event_is_deleted_meanwhile_leaves_none(
    departement: Departement, agent: Person, phase: str
) -> None:
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    _spoil(departement, "POST", phase)
    departement.sync()
    agent.deletes(event)
    _meanwhile(departement, phase)
    departement.settled()
    assert agent.absences() == []


def _ends(departement: Departement, agent: Person, start: datetime, hour: int) -> None:
    """The absence that begins then ends at that hour, although that may be before it begins: a row that no gateway
    can read."""
    number = agent.absence_at(start)
    departement.state.storage.run("UPDATE absences SET end_time = ? WHERE id = ?", [f"{hour:02}:00:00", number])


@on_one_calendar_server
def test_a_creation_is_waited_for_while_what_may_be_it_cannot_be_read(departement: Departement, agent: Person) -> None:
    """Its event is deleted meanwhile: nobody would know what to remove."""
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    _spoil(departement, "POST", "committed_unanswered")
    departement.sync()
    _ends(departement, agent, departement.at(1, 9), 8)
    agent.deletes(event)
    departement.sync(minutes=5)
    assert len(departement.store.open_intents()) == 1
    _ends(departement, agent, departement.at(1, 9), 10)
    departement.settled()
    assert agent.absences() == []


@on_one_calendar_server
def test_time_is_blocked_all_the_same_when_what_may_be_its_absence_stays_unreadable(
    departement: Departement, agent: Person
) -> None:
    """Nobody is bookable for more than an hour by that; the next lost answer is settled at once; and whenever the
    absence can be read, there is one of everything."""
    agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    _spoil(departement, "POST", "committed_unanswered")
    departement.sync()
    _ends(departement, agent, departement.at(1, 9), 8)
    departement.sync(minutes=61)
    assert agent.blocks().count(hours(departement.at(1, 9))) == 1
    agent.types_event("Réunion", *hours(departement.at(2, 9)))
    _spoil(departement, "POST", "before")
    departement.sync()
    departement.sync()
    assert hours(departement.at(2, 9)) in agent.blocks()
    departement.state.storage.run("UPDATE absences SET end_time = '10:00:00' WHERE end_time = '08:00:00'")
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9)), hours(departement.at(2, 9))]


@on_one_calendar_server
def test_a_change_of_an_absence_ends_as_its_event_is(departement: Departement, agent: Person, phase: str) -> None:
    """Although the event moves once more while the first change may still come."""
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.settled()
    agent.moves(event, *hours(departement.at(1, 14)))
    _spoil(departement, "PATCH", phase)
    departement.sync()
    agent.moves(event, *hours(departement.at(1, 16)))
    _meanwhile(departement, phase)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 16))]
    (block,) = departement.store.agent_view(agent.id).blocks
    assert block.origin.value == "created"


_Hours = tuple[float, float]


def _is_changed_unanswered(departement: Departement, agent: Person, asked: _Hours) -> int:
    """The block of 9 to 12 is to be of other hours, and nobody knows whether it is. Its number; the event is again as
    it was before that is settled."""
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9), 3))
    departement.settled()
    number = agent.absence_at(departement.at(1, 9))
    agent.moves(event, *_between(departement, asked))
    _spoil(departement, "PATCH", "committed_unanswered")
    departement.sync(minutes=0)
    agent.moves(event, *_between(departement, (9, 12)))
    return number


def _between(departement: Departement, when: _Hours) -> tuple[datetime, datetime]:
    return hours(departement.at(1, 0) + timedelta(hours=when[0]), when[1] - when[0])


@on_one_calendar_server
def test_a_block_deleted_where_a_lost_change_may_have_put_it_frees_nothing_that_it_held_before(
    departement: Departement, agent: Person
) -> None:
    """The person saw it at 14 and deleted it there; the event is at 9 again, and they are not bookable then."""
    departement.state.absences.delete(_is_changed_unanswered(departement, agent, (14, 17)))
    departement.settled()
    assert agent.blocks() == [_between(departement, (9, 12))]


@on_one_calendar_server
def test_a_block_deleted_frees_what_it_held_before_a_lost_change_and_after_it(
    departement: Departement, agent: Person
) -> None:
    departement.state.absences.delete(_is_changed_unanswered(departement, agent, (9, 11)))
    departement.settled()
    assert agent.blocks() == [_between(departement, (11, 12))]


@on_one_calendar_server
def test_a_block_lengthened_where_a_lost_change_may_have_put_it_is_theirs_though_it_was_longer_before(
    departement: Departement, agent: Person
) -> None:
    number = _is_changed_unanswered(departement, agent, (10, 11))
    start, end = _between(departement, (9.5, 11.5))
    departement.move_absence(number, start, end)
    departement.settled()
    (block,) = [each for each in departement.store.agent_view(agent.id).blocks if each.absence_id == number]
    assert block.origin is BlockOrigin.RELEASED
    assert (start, end) in agent.blocks()


@on_one_calendar_server
def test_a_removal_of_an_absence_leaves_none_and_is_no_wish_of_a_person(
    departement: Departement, agent: Person, phase: str
) -> None:
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.settled()
    agent.frees(event)
    _spoil(departement, "DELETE", phase)
    departement.sync()
    _meanwhile(departement, phase)
    departement.settled()
    assert agent.absences() == []
    agent.writes(event, transp="OPAQUE")
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]


@on_one_calendar_server
def test_a_removal_that_is_no_longer_wanted_ends_with_the_time_occupied(
    departement: Departement, agent: Person, phase: str
) -> None:
    """The event is busy again before it is known whether its absence was removed."""
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    departement.settled()
    agent.frees(event)
    _spoil(departement, "DELETE", phase)
    departement.sync()
    agent.writes(event, transp="OPAQUE")
    _meanwhile(departement, phase)
    departement.settled()
    assert agent.blocks() == [hours(departement.at(1, 9))]


@on_one_calendar_server
def test_a_mirror_moved_in_the_calendar_ends_alike_on_both_sides(
    departement: Departement, agent: Person, phase: str
) -> None:
    departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.settled()
    ((href, _),) = agent.ours().items()
    agent.moves(href, *hours(departement.at(1, 14)))
    _spoil(departement, "PATCH", phase)
    departement.sync()
    _meanwhile(departement, phase)
    departement.settled()
    assert agent.absences() == [("Réunion", *hours(departement.at(1, 14)))]
    assert agent.shown() == [Shown("Réunion", *hours(departement.at(1, 14)))]


# --- the calendar's side: through a proxy that cuts -----------------------------------------------------------------


def _late() -> None:
    time.sleep(_LATE)


_CUTS: dict[str, Fault] = {
    "before": Cut(),
    "hung": Hang(_LATE),
    "committed_unanswered": Cut(forward=True),
    "committed_late": Before(_late),
    "gateway_timeout": Instead(Reply(504)),
    "committed_and_504": Instead(Reply(504), forward=True),
}


@pytest.fixture(params=_CUTS)
def cut(request: pytest.FixtureRequest) -> Fault:
    return _CUTS[request.param]


def _rdv_moves(departement: Departement, rdv: int) -> None:
    departement.state.rdvs.move(rdv, departement.at(1, 14))


def _rdv_is_deleted(departement: Departement, rdv: int) -> None:
    departement.state.rdvs.delete(rdv)


@pytest.mark.parametrize("written", [("PUT", _rdv_moves, [14]), ("DELETE", _rdv_is_deleted, [])], ids=["PUT", "DELETE"])
def test_a_write_to_the_calendar_whose_answer_is_lost_ends_as_the_rdv_is(
    departement: Departement,
    agent: Person,
    written: tuple[str, Callable[[Departement, int], None], list[int]],
    cut: Fault,
) -> None:
    method, act, expected = written
    departement.rdv(departement.at(3, 9), agent)
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.settled()
    act(departement, rdv)
    departement.door.when(method, cut)
    departement.sync()
    departement.sync()
    time.sleep(_LATE if isinstance(cut, Before) else 0)
    departement.settled()
    other = Shown("RDV", *hours(departement.at(3, 9), 0.5))
    assert agent.shown() == [*(Shown("RDV", *hours(departement.at(1, hour), 0.5)) for hour in expected), other]


def test_a_new_copy_whose_answer_is_lost_is_there_once(departement: Departement, agent: Person, cut: Fault) -> None:
    departement.rdv(departement.at(1, 9), agent)
    departement.door.when("PUT", cut)
    departement.sync()
    departement.sync()
    time.sleep(_LATE if isinstance(cut, Before) else 0)
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(1, 9), 0.5))]


def test_a_late_copy_of_an_rdv_that_is_gone_by_then_does_not_stay(departement: Departement, agent: Person) -> None:
    departement.rdv(departement.at(3, 9), agent)
    departement.settled()
    rdv = departement.rdv(departement.at(1, 9), agent)
    departement.door.when("PUT", Before(_late))
    departement.sync()
    departement.state.rdvs.delete(rdv)
    departement.sync(minutes=0)
    time.sleep(_LATE)
    departement.settled()
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]


def test_a_write_is_waited_for_from_when_its_answer_was_given_up(departement: Departement, agent: Person) -> None:
    """It had waited for its turn, a token or a slow disk for longer than a late answer may take."""
    departement.rdv(departement.at(3, 9), agent)
    departement.settled()
    rdv = departement.rdv(departement.at(1, 9), agent)

    def waits_and_is_late() -> None:
        departement.clock.sleep(300)
        _late()

    departement.door.when("PUT", Before(waits_and_is_late))
    departement.sync()
    departement.state.rdvs.delete(rdv)
    departement.sync(minutes=0)
    time.sleep(_LATE)
    departement.settled()
    departement.settled()
    assert agent.shown() == [Shown("RDV", *hours(departement.at(3, 9), 0.5))]


def test_a_late_event_of_an_absence_that_is_gone_by_then_does_not_stay(departement: Departement, agent: Person) -> None:
    absence = departement.absence(agent, "Réunion", *hours(departement.at(1, 9)))
    departement.door.when("PUT", Before(_late))
    departement.sync()
    departement.state.absences.delete(absence)
    departement.sync(minutes=0)
    time.sleep(_LATE)
    departement.settled()
    departement.settled()
    assert agent.shown() == []
