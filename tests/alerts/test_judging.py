"""What is told, reminded of and said to be over: by example, and for any history of causes with restarts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.alerts.judging import Pace, judge, noted
from gateway.alerts.values import MANNERS, Audience, Cause, Entry, Identity, Kind, Word

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PACE = Pace()
AWAY = Cause(Kind.SYSTEM_AWAY, Audience.IT, "zimbra")
FREED = Cause(Kind.FREED_BY_HAND, Audience.AGENT, agent_id=7)
SETTLE = MANNERS[Kind.SYSTEM_AWAY].settle
MINUTE = timedelta(minutes=1)


def play(causes: list[list[Cause]], step: timedelta = MINUTE, *, room: list[bool] | None = None):
    """Evaluations one step after the other; what was told at each, and what is remembered at last."""
    memory: dict[Identity, Entry] = {}
    told = []
    for number, here in enumerate(causes):
        now = START + number * step
        judgement = judge(here, memory, now, pace=PACE)
        news = judgement.news if room is None or room[number] else ()
        memory = noted(judgement.memory, news, now)
        told.append([(each.word, each.cause.kind) for each in news])
    return told, memory


def words(told) -> list[tuple[int, Word]]:
    return [(number, word) for number, each in enumerate(told) for word, _ in each]


def test_a_cause_is_told_once_it_lasted_and_not_again_before_its_reminder():
    told, _ = play([[AWAY]] * 120)
    assert words(told) == [(10, Word.TOLD)]


def test_a_cause_that_does_not_last_is_told_to_nobody_and_forgotten():
    told, memory = play([[AWAY]] * 5 + [[]] * 60)
    assert words(told) == []
    assert memory == {}


def test_reminders_come_after_a_day_then_three_then_each_week():
    told, _ = play([[AWAY]] * (24 * 30), step=timedelta(hours=1))
    hours = [number - 1 for number, _ in words(told)]
    assert hours == [0, 24, 24 * 4, 24 * 11, 24 * 18, 24 * 25]
    assert [word for _, word in words(told)] == [Word.TOLD] + [Word.REMINDER] * 5


def test_the_end_is_told_once_the_cause_stayed_away():
    told, memory = play([[AWAY]] * 20 + [[]] * 60)
    assert words(told) == [(10, Word.TOLD), (50, Word.OVER)]
    assert memory == {}


def test_a_cause_that_flaps_is_told_once_and_over_once():
    flapping = [[AWAY] if minute % 7 < 3 else [] for minute in range(300)]
    told, _ = play(flapping + [[]] * 60)
    assert [word for _, word in words(told)] == [Word.TOLD, Word.OVER]


def test_a_block_freed_by_hand_is_told_at_once_and_never_spoken_of_again():
    told, _ = play([[FREED]] * 60 * 24 * 3 + [[]] * 60)
    assert words(told) == [(0, Word.TOLD)]


def test_nobody_is_told_anything_while_it_is_quiet_and_the_end_of_quiet_tells_what_is_left():
    quiet = Cause(Kind.SYSTEM_AWAY, Audience.IT, "zimbra", quiet=True)
    told, _ = play([[quiet]] * 60 + [[AWAY]] * 5)
    assert words(told) == [(60, Word.TOLD)]


def test_the_end_of_what_was_told_is_no_news_once_its_time_came():
    rdv = Cause(Kind.RDV_OVER_BUSY, Audience.AGENT, agent_id=7, until=START + timedelta(minutes=30))
    told, memory = play([[rdv]] * 30 + [[]] * 60)
    assert words(told) == [(5, Word.TOLD)]
    assert memory == {}


def test_what_concerned_an_agent_who_is_synced_no_more_is_dropped_in_silence():
    cause = Cause(Kind.RECONNECT, Audience.AGENT, "zimbra", agent_id=7)
    entry = Entry(cause, START, told_at=START, last_told_at=START, times=1)
    judgement = judge([], {cause.identity: entry}, START + timedelta(days=1), is_dropped=lambda each: each is cause)
    assert (judgement.memory, judgement.news) == ({}, ())


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_says_how_it_is_told(kind):
    assert MANNERS[kind].settle >= timedelta(0)


CAUSES = (AWAY, FREED, Cause(Kind.RECONNECT, Audience.AGENT, "zimbra", agent_id=7))
HISTORIES = st.lists(
    st.tuples(st.sets(st.sampled_from(range(3))), st.integers(1, 40), st.booleans()), min_size=1, max_size=25
)


@given(HISTORIES)
def test_any_history_tells_once_per_cause_and_over_when_over(history):
    """Phases of some minutes, with some causes there; in some there is no room for any message. What is remembered is
    all that passes from one evaluation to the next: a restart is nothing."""
    here = [[CAUSES[each] for each in sorted(phase)] for phase, minutes, _ in history for _ in range(minutes)]
    room = [open_ for _, minutes, open_ in history for _ in range(minutes)]
    told, memory = play(here, room=room)
    calm = PACE.calm // MINUTE
    for cause in CAUSES:
        there = [cause in each for each in here]
        said = [(number, word) for number, each in enumerate(told) for word, kind in each if kind is cause.kind]
        kinds = [word for _, word in said]
        if cause.manner.says_over:
            assert kinds == [Word.TOLD, Word.OVER] * (len(kinds) // 2) + [Word.TOLD] * (len(kinds) % 2)
        for number, word in said:
            if word is Word.TOLD:
                assert there[number]
            else:
                assert not any(there[max(0, number - calm) : number + 1])
        # Never told twice within one presence, gaps shorter than the calm included.
        for (first, one), (second, two) in pairwise(said):
            if (one, two) == (Word.TOLD, Word.TOLD):
                assert "0" * calm in "".join("01"[each] for each in there[first:second])
        # Nothing is lost: whoever had room was told of what lasted.
        settle = cause.patience // MINUTE
        if len(there) > settle and all(there[-settle - 1 :]) and room[-1]:
            assert memory[cause.identity].told_at is not None
        # Whoever was told was told the end too, once it stayed away and there was room.
        if len(there) > calm and not any(there[-calm - 1 :]) and room[-1]:
            assert cause.identity not in memory
