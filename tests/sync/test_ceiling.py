"""Ceilings of writes: what is left, how long the rest takes, and whose turn it is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sync.ceiling import (
    Ceiling,
    even_share,
    hour_of,
    nearest_first,
    nearness,
    remote_of,
    split,
    writes_by_remote,
)
from gateway.sync.values import Action, CalendarRef, ObjectKind, Operation, OperationClass, Side

NOW = datetime(2026, 6, 1, 9, 20, tzinfo=UTC)
HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 6, 1, 8, 0)
TODAY = MONDAY.date()
ZIMBRA = CalendarRef("zimbra", "/agenda/")


def absence(agent_id: int, day: int, action: Action = Action.CREATE) -> Operation:
    when = MONDAY + timedelta(days=day)
    return Operation(
        agent_id, Side.RDV_SOLIDARITES, action, ObjectKind.BUSY_BLOCK, OperationClass.COVER, "event_occupies_time", when
    )


def copy(agent_id: int, day: int) -> Operation:
    when = MONDAY + timedelta(days=day)
    return Operation(
        agent_id,
        Side.CALENDAR,
        Action.CREATE,
        ObjectKind.RDV_COPY,
        OperationClass.COPY,
        "rdv_planned",
        when,
        ref=ZIMBRA,
    )


@pytest.mark.parametrize(
    ("written", "left"),
    [
        ({}, 10),
        ({0: 4}, 6),
        ({0: 10}, 0),
        ({0: 12}, 0),  # the ceiling was lowered
        ({-1: 10}, 10),  # another hour
        ({-1: 10, -2: 7}, 8),  # the day's ceiling is nearer
        ({-23: 25}, 0),
        ({-24: 25}, 10),  # a day ago
        ({1: 25}, 10),  # the clock was set back: a later hour is not this one
    ],
)
def test_what_is_left_is_the_nearer_of_both_ceilings(written: dict[int, int], left: int) -> None:
    counts = {hour_of(NOW) + offset * HOUR: count for offset, count in written.items()}
    assert Ceiling(per_hour=10, per_day=25).left(counts, NOW) == left


def test_an_hour_begins_on_the_clock_wherever_the_zone() -> None:
    in_chatham = NOW.astimezone(datetime.strptime("+1245", "%z").tzinfo)
    assert hour_of(in_chatham) == datetime(2026, 6, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("writes", "hours"),
    [
        (0, 0),
        (6, 0),  # 4 of this hour's 10 are used
        (7, 1),
        (16, 1),
        (17, 2),
        (21, 2),  # 25 of the day
        (22, 24),  # the 4 of this hour count for a day
        (46, 26),
    ],
)
def test_how_long_the_rest_takes(writes: int, hours: int) -> None:
    assert Ceiling(per_hour=10, per_day=25).hours_until_done(writes, {hour_of(NOW): 4}, NOW) == hours


@given(
    per_hour=st.integers(1, 20),
    per_day=st.integers(1, 60),
    writes=st.integers(0, 200),
    written=st.dictionaries(st.integers(-30, 0), st.integers(0, 20), max_size=8),
)
def test_the_estimate_is_what_writing_as_fast_as_allowed_takes(
    per_hour: int, per_day: int, writes: int, written: dict[int, int]
) -> None:
    """Hour by hour, as many as are left."""
    ceiling = Ceiling(per_hour, per_day)
    counts = {hour_of(NOW) + offset * HOUR: count for offset, count in written.items()}
    told = ceiling.hours_until_done(writes, counts, NOW)
    hours, rest = 0, writes
    while True:
        now = NOW + hours * HOUR
        sent = min(rest, ceiling.left(counts, now))
        counts[hour_of(now)] = counts.get(hour_of(now), 0) + sent
        rest -= sent
        if rest == 0:
            break
        hours += 1
    assert told == hours


def test_each_calendar_account_has_its_own_ceiling_and_pairing_none() -> None:
    operations = [absence(1, 0), copy(1, 0), copy(1, 1), absence(1, 0, Action.PAIR)]
    assert [remote_of(each) for each in operations] == ["rdv_solidarites", "zimbra", "zimbra", None]
    assert writes_by_remote(operations) == {"rdv_solidarites": 1, "zimbra": 2}


@pytest.mark.parametrize(("left", "agents", "share"), [(3000, 1200, 1), (3000, 10, 150), (10, 1200, 0), (10, 0, 5)])
def test_half_of_what_is_left_is_shared_evenly(left: int, agents: int, share: int) -> None:
    assert even_share(left, agents) == share


def test_a_split_keeps_the_order_and_lets_pairings_through() -> None:
    first, second, third = absence(1, 0), absence(1, 1), absence(1, 2)
    pairing, event = absence(1, 5, Action.PAIR), copy(1, 3)
    assert split([pairing, first, event, second, third], {"rdv_solidarites": 2}) == (
        [pairing, first, second],
        [event, third],
    )


def test_the_nearest_dates_of_the_whole_fleet_go_first() -> None:
    """And equal dates to whoever got least."""
    queues = {
        1: [absence(1, day) for day in (0, 1, 2, 9)],
        2: [absence(2, day) for day in (2, 3)],
        3: [absence(3, day) for day in (2, 2, 2)],
    }
    granted = nearest_first(queues, {"rdv_solidarites": 5}, TODAY)
    assert granted == {1: {"rdv_solidarites": 2}, 2: {"rdv_solidarites": 1}, 3: {"rdv_solidarites": 2}}


def test_what_is_past_comes_after_what_is_ahead_the_latest_first() -> None:
    """A backfill does not hold up the RDVs of tomorrow."""
    queues = {1: [absence(1, day) for day in (5, -1, -3)], 2: [absence(2, day) for day in (0, -2)]}
    order = []
    for left in range(1, 6):
        granted = nearest_first(queues, {"rdv_solidarites": left}, TODAY)
        order.append(next(agent for agent in queues if granted[agent].get("rdv_solidarites", 0) > order.count(agent)))
    assert order == [2, 1, 1, 2, 1]


def test_the_hours_of_today_that_are_over_are_not_past() -> None:
    days = [datetime(2026, 6, 1, 8), datetime(2026, 6, 3), datetime(2026, 5, 31, 23), datetime(2026, 1, 2)]
    assert sorted(set(days), key=lambda when: nearness(when, date(2026, 6, 1))) == days


def test_remotes_do_not_wait_for_each_other() -> None:
    granted = nearest_first({1: [absence(1, 0), copy(1, 9)]}, {"rdv_solidarites": 0, "zimbra": 7}, TODAY)
    assert granted == {1: {"zimbra": 1}}


@given(
    queues=st.dictionaries(st.integers(1, 6), st.lists(st.integers(0, 30), max_size=8), max_size=6),
    left=st.integers(0, 30),
)
def test_no_write_is_granted_before_a_nearer_one_that_waits(queues: dict[int, list[int]], left: int) -> None:
    """Whatever the queues: nothing is lost, nothing too much, and within an agent the order holds."""
    operations = {agent: [absence(agent, day) for day in sorted(days)] for agent, days in queues.items()}
    granted = {
        agent: per_remote.get("rdv_solidarites", 0)
        for agent, per_remote in nearest_first(operations, {"rdv_solidarites": left}, TODAY).items()
    }
    assert sum(granted.values()) == min(left, sum(map(len, queues.values())))
    last = [queue[granted[agent] - 1].when for agent, queue in operations.items() if granted[agent]]
    waiting = [queue[granted[agent]].when for agent, queue in operations.items() if granted[agent] < len(queue)]
    assert not last or not waiting or max(last) <= min(waiting)
