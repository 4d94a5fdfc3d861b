"""Signs that a whole side is not to be believed: pure tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.server_time import ServerTime
from gateway.rules.values import AgentRules
from gateway.sync.guard import context_of, guard
from gateway.sync.guard.clock import clock_trouble
from gateway.sync.guard.fleet import are_many
from gateway.sync.guard.signs import Numbered, rdvs_restored, remembered, signs_of
from gateway.sync.guard.values import GuardLimits
from gateway.sync.guard.words import ENDS, WHAT
from gateway.sync.planning import make_plan
from gateway.sync.values import (
    Action,
    AgentHistory,
    AgentView,
    ChangeKind,
    Guarded,
    HoldReason,
    Plan,
    Presence,
    Sign,
)
from tests.sync.builders import NOW, SOURCE, block, context, copy_of, event, held, rdv, view

LIMITS = GuardLimits()
RESTORED = Sign(HoldReason.DATABASE_RESTORED, "")


def signs(
    situation: AgentView, history: AgentHistory | None = None, earlier: dict[int, set[str]] | None = None
) -> dict[HoldReason, str]:
    plan: Plan = make_plan(situation, context())
    known = replace(situation, history=history or AgentHistory())
    found = signs_of(known, plan, AgentRules(), earlier=earlier or {})
    return {each.reason: each.explanation for each in found}


def calendar_of(count: int) -> AgentView:
    return view(events=[event(f"e{n}", f"{n % 25 + 2} 09:00", f"{n % 25 + 2} 10:00") for n in range(count)])


@pytest.mark.parametrize(
    ("before", "now", "shrunken"),
    [(5, 0, False), (6, 0, True), (30, 6, True), (30, 7, False), (6, 1, False), (8, 1, True), (0, 0, False)],
)
def test_a_calendar_is_shrunken_when_it_lost_more_than_many_and_a_fifth_is_left(
    before: int, now: int, *, shrunken: bool
) -> None:
    history = AgentHistory({SOURCE: before})
    assert (HoldReason.SHRUNKEN_CALENDAR in signs(calendar_of(now), history)) is shrunken


def test_what_a_calendar_usually_holds_follows_only_while_it_is_believed() -> None:
    emptied = replace(calendar_of(0), history=AgentHistory({SOURCE: 9}))
    assert remembered(emptied, (), {HoldReason.SHRUNKEN_CALENDAR}).usual == {SOURCE: 9}
    assert remembered(emptied, (), set()).usual == {SOURCE: 0}


def test_a_lasting_sign_is_over_when_nothing_waits_for_it() -> None:
    assert remembered(calendar_of(1), (RESTORED,), {RESTORED.reason}).signs == (RESTORED,)
    assert remembered(calendar_of(1), (RESTORED,), {HoldReason.UNPROVEN}).signs == ()


@pytest.mark.parametrize(("again", "doubtful"), [("4 09:00", True), ("5 09:00", False)])
def test_a_block_that_moves_after_the_first_whole_look_at_a_restored_database_was_moved_by_a_person(
    again: str, *, doubtful: bool
) -> None:
    """At that look it stood at the 4th; maybe we moved it there ourselves, and our database forgot it."""
    ours = block(1, "3 09:00", "3 10:00", "a")

    def at(start: str, *known: Sign) -> tuple[AgentView, Guarded]:
        moved = held(ours, start, f"{start.split(maxsplit=1)[0]} 10:00")
        situation = view(
            events=[event("a", "3 09:00", "3 10:00")],
            blocks=[ours],
            absences=[moved],
            history=AgentHistory(signs=known),
        )
        plan = make_plan(situation, context())
        return situation, guard(plan, context_of(situation, plan, frozenset(), AgentRules()))

    situation, first = at("4 09:00", RESTORED)
    moves = [each.operation.digest for each in first.held if each.operation.action is Action.ACCEPT]
    (unread,) = remembered(situation, (RESTORED,), {RESTORED.reason}).signs
    assert unread.doubted is None
    (known,) = remembered(situation, (RESTORED,), {RESTORED.reason}, doubted=moves).signs
    _, later = at(again, known)
    assert ([each.reason for each in later.held] == [RESTORED.reason]) is doubtful
    assert ([each.kind for each in later.changes] == [ChangeKind.BLOCK_RELEASED]) is not doubtful


def copies(present: int, gone: int, *, gone_are_newest: bool = True) -> AgentView:
    """Copies written minute by minute, of which some are not in the calendar."""
    agreed, seen, rdvs = [], [], []
    for number in range(1, present + gone + 1):
        source = rdv(number, f"{number + 1} 10:00")
        copy, its_event = copy_of(source)
        agreed.append(replace(copy, written_at=NOW + timedelta(minutes=number)))
        is_gone = number > present if gone_are_newest else number <= gone
        seen += [] if is_gone else [its_event]
        rdvs.append(source)
    return view(copies=agreed, events=seen)


@pytest.mark.parametrize(
    ("situation", "restored"),
    [
        (copies(2, 3), True),
        (copies(2, 2), False),
        (copies(0, 4), False),
        (copies(2, 3, gone_are_newest=False), False),
    ],
    ids=["the three newest", "two", "all, which is an emptied calendar", "the three oldest"],
)
def test_a_calendar_without_the_newest_copies_is_restored(situation: AgentView, *, restored: bool) -> None:
    assert (HoldReason.CALENDAR_RESTORED in signs(situation)) is restored


@pytest.mark.parametrize(("back", "restored"), [(1, False), (2, True)])
def test_copies_that_are_back_as_they_once_were_tell_of_a_backup(back: int, *, restored: bool) -> None:
    situation = copies(3, 0)
    events = [
        replace(each, owned_digest=f"old {number}") if number < back else each
        for number, each in enumerate(situation.events)
    ]
    edited = replace(situation, events=tuple(events))
    earlier = {copy.rdv_id: {f"old {number}"} for number, copy in enumerate(situation.copies)}
    assert (HoldReason.CALENDAR_RESTORED in signs(edited, earlier=earlier)) is restored
    assert HoldReason.CALENDAR_RESTORED not in signs(edited), "a person's own edits are none of ours"


@pytest.mark.parametrize(
    ("gone", "there", "restored"),
    [
        ({7: 1, 8: 2, 9: 1}, {1, 6}, True),
        ({7: 1, 8: 1, 9: 1}, {1, 6}, False),
        (dict.fromkeys(range(10, 16), 1), {1, 6}, True),
        ({7: 1, 8: 2}, {1, 6}, True),
        ({8: 1}, {1, 6}, False),
        ({7: 1, 8: 2, 9: 1}, {10}, False),
        ({7: 1, 8: 2, 9: 1}, set(), False),
        ({}, {1}, False),
    ],
    ids=["newest of two", "newest of one", "six of one", "one each", "one", "not the newest", "all", "none"],
)
def test_rdv_solidarites_is_restored_when_exactly_its_newest_absences_are_gone(
    gone: dict[int, int], there: set[int], *, restored: bool
) -> None:
    assert (rdvs_restored(Numbered(gone, there)) is not None) is restored


@pytest.mark.parametrize(
    ("absences", "rdvs", "restored"),
    [
        (Numbered({8: 1}, {1, 6}), Numbered({30: 1}, {20}), True),
        (Numbered({8: 1}, {1, 6}), Numbered({30: 1}, {31}), False),
        (Numbered({8: 1}, {1, 9}), Numbered({30: 1}, {20}), False),
        (Numbered({}, {1, 6}), Numbered({30: 1}, {20}), False),
    ],
    ids=["newest of both", "a newer RDV is there", "a newer absence is there", "RDVs alone"],
)
def test_the_newest_rdvs_bear_witness_to_a_small_loss_of_absences(
    absences: Numbered, rdvs: Numbered, *, restored: bool
) -> None:
    assert (rdvs_restored(absences, rdvs) is not None) is restored


@pytest.mark.parametrize(("total", "freed", "many"), [(6, 6, True), (5, 5, False), (40, 7, False), (30, 7, True)])
def test_many_blocks_taken_away_at_once_are_a_sign(total: int, freed: int, *, many: bool) -> None:
    pool = [block(n, f"{n % 25 + 2} 09:00", f"{n % 25 + 2} 10:00", f"e{n}") for n in range(1, total + 1)]
    absences = [held(each, presence=Presence.GONE if each.absence_id <= freed else Presence.PRESENT) for each in pool]
    situation = view(blocks=pool, absences=absences)
    assert (HoldReason.MANY_FREED in signs(situation)) is many


@pytest.mark.parametrize(
    ("agents", "losing", "many"),
    [(20, 6, False), (20, 7, True), (19, 19, False), (1200, 360, False), (1200, 361, True)],
)
def test_many_agents_at_once(agents: int, losing: int, *, many: bool) -> None:
    assert are_many(losing, agents, LIMITS) is many


MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


@pytest.mark.parametrize(
    ("last", "offsets", "believed"),
    [
        (None, [], True),
        (NOW - HOUR, [], True),
        (NOW + MINUTE, [], True),
        (NOW + 3 * MINUTE, [], False),
        (NOW - 35 * HOUR, [], True),
        (NOW - 37 * HOUR, [], False),
        (NOW - 900 * HOUR, [MINUTE], True),
        (NOW + 900 * HOUR, [-MINUTE], True),
        (NOW - MINUTE, [6 * MINUTE], False),
        (NOW - MINUTE, [-6 * MINUTE], False),
        (NOW - MINUTE, [6 * MINUTE, 4 * MINUTE], True),
        (NOW - MINUTE, [600 * HOUR, -4 * MINUTE], True),
    ],
)
def test_a_clock_is_believed_when_a_server_agrees_or_nothing_speaks_against_it(
    last: datetime | None, offsets: list[timedelta], *, believed: bool
) -> None:
    assert (clock_trouble(NOW, last, offsets, LIMITS.clock_tolerance) is None) is believed


@pytest.mark.parametrize(
    ("header", "offset"),
    [
        ("Mon, 01 Jun 2026 06:00:00 GMT", timedelta(0)),
        ("Mon, 01 Jun 2026 06:07:00 GMT", 7 * MINUTE),
        ("Mon, 01 Jun 2026 05:00:00 -0000", -HOUR),
        ("yesterday", None),
        (None, None),
    ],
)
def test_a_server_tells_its_time(header: str | None, offset: timedelta | None) -> None:
    told = ServerTime()
    told.note(header, datetime(2026, 6, 1, 6, tzinfo=UTC))
    assert told.offset == offset


def test_every_state_is_named_and_says_how_it_ends() -> None:
    assert set(WHAT) == set(ENDS) == set(HoldReason)
