"""When a group is due: tables, and what holds whatever happens."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.scheduling import schedule
from gateway.scheduling.delays import BOUNDS, Delays, Direction
from gateway.scheduling.fleet_map import fleet_map
from gateway.scheduling.night import night_of
from gateway.scheduling.schedule import Outcome, Pace, Standing
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PACE = Pace()
PARIS = ZoneInfo("Europe/Paris")
FINE, CHANGED = Outcome(), Outcome(changed=True)
AWAY, OWN = Outcome(failed=True, passing=True), Outcome(failed=True)


def seconds(*, changed_ago: float | None = None, failures: int = 0, outcome: Outcome = FINE) -> float:
    """Until the next run, without jitter."""
    changed_at = None if changed_ago is None else NOON - timedelta(seconds=changed_ago)
    standing = schedule.after(Standing(NOON, changed_at, failures), outcome, NOON, PACE, 0.0)
    return (standing.due - NOON).total_seconds()


@pytest.mark.parametrize(
    ("changed_ago", "expected"),
    [(None, 60), (0, 45), (599, 45), (600, 60), (600 + 1800, 80), (600 + 3600, 100), (86_400, 100)],
)
def test_the_pace_slows_down_after_a_change(changed_ago, expected):
    """45 s for ten minutes, then 60 s growing to 100 s within an hour."""
    assert seconds(changed_ago=changed_ago) == expected


@pytest.mark.parametrize(("failures", "expected"), [(0, 60), (1, 120), (2, 240), (3, 480), (4, 900), (50, 900)])
def test_failures_double_the_wait_up_to_a_quarter_of_an_hour(failures, expected):
    """A failure after so many before it."""
    assert seconds(failures=failures, outcome=AWAY) == expected
    assert seconds(failures=failures, outcome=OWN) == expected


def test_a_success_ends_the_backoff():
    """After any number of failures the next look is at the usual time, or soon when there was a change."""
    assert seconds(failures=9) == 60
    assert seconds(failures=9, outcome=CHANGED) == 45


@given(
    st.lists(st.sampled_from([FINE, CHANGED, AWAY, OWN]), max_size=30),
    st.floats(0, 1),
    st.integers(0, 10_000),
)
def test_the_next_run_is_always_ahead_and_never_further_than_the_longest_wait(outcomes, chance, gap):
    """Whatever happened before."""
    now, standing = NOON, schedule.first("group", NOON, PACE)
    for outcome in outcomes:
        standing = schedule.after(standing, outcome, now, PACE, chance)
        assert PACE.fast * 0.9 <= standing.due - now <= PACE.longest_backoff
        now += timedelta(seconds=gap)


def test_first_runs_are_spread_over_the_interval():
    """Of 1,000 groups no tenth of the interval gets more than twice its share, and a restart changes no place."""
    due = [schedule.first(f"agendas/{number}@dept.example", NOON, PACE).due for number in range(1_000)]
    tenths = [
        sum(NOON + n * PACE.usual / 10 <= each < NOON + (n + 1) * PACE.usual / 10 for each in due) for n in range(10)
    ]
    assert sum(tenths) == 1_000
    assert max(tenths) < 200
    assert schedule.first("a", NOON, PACE) == schedule.first("a", NOON, PACE)


def test_a_server_that_is_back_gets_its_groups_one_after_the_other():
    """Those who waited for it come within a minute, each at a place of its own; who waits for something else waits."""
    waiting = Standing(NOON + timedelta(minutes=14), failures=5, away=True)
    back = [schedule.server_is_back(waiting, str(number), NOON, PACE) for number in range(200)]
    assert all(NOON <= each.due <= NOON + PACE.usual and not each.failures for each in back)
    assert len({each.due for each in back}) == 200
    own = Standing(NOON + timedelta(minutes=14), failures=5)
    assert schedule.server_is_back(own, "x", NOON, PACE) is own


@pytest.mark.parametrize(
    ("now", "night"),
    [
        (datetime(2026, 3, 2, 2, 29, tzinfo=UTC), date(2026, 3, 1)),
        (datetime(2026, 3, 2, 2, 30, tzinfo=UTC), date(2026, 3, 2)),
        (datetime(2026, 3, 2, 23, 30, tzinfo=UTC), date(2026, 3, 2)),  # half past midnight in Paris
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), date(2026, 3, 28)),  # 3:00, an hour was left out
        (datetime(2026, 3, 29, 1, 30, tzinfo=UTC), date(2026, 3, 29)),
    ],
)
def test_a_night_begins_at_half_past_three_local_time(now, night):
    """Also on the day on which the clocks change."""
    assert night_of(now, PARIS, time(3, 30)) == night


def agent(number: int, *calendars: tuple[str, str]) -> LinkedAgent:
    refs = tuple(CalendarRef(*each) for each in calendars)
    return LinkedAgent(number, PARIS, refs, refs[0], AgentState.LIVE)


def test_who_shares_an_account_is_a_group_and_who_shares_a_calendar_a_cell():
    """1 and 2 share an account; 2 and 3 a calendar of another; 4 is alone, on a server of the same name."""
    agents = [
        agent(1, ("zimbra", "/1/")),
        agent(2, ("zimbra", "/2/"), ("salle", "/commune/")),
        agent(3, ("salle", "/commune/")),
        agent(4, ("zimbra/4", "/4/")),
    ]
    found = fleet_map(agents, lambda account: account.partition("/")[0])
    assert {group.agent_ids for group in found.groups.values()} == {frozenset({1, 2, 3}), frozenset({4})}
    assert found.group_of[1].cells == (frozenset({1}), frozenset({2, 3}))
    assert found.group_of[1].lane == {"zimbra", "salle"}
    assert (found.cell_of[3], found.group_of[4].lane) == ({2, 3}, {"zimbra"})


@given(st.lists(st.floats(0, 10_000), min_size=1, max_size=50))
def test_quantiles_of_delays_are_bounds_of_what_was_recorded(values):
    """The 95th percentile is not below the true one, and not above the longest."""
    delays = Delays()
    for value in values:
        delays.record(Direction.COPY, value)
    found = delays.read()[Direction.COPY]
    assert found.count == len(values)
    true = sorted(values)[-(-95 * len(values) // 100) - 1]
    assert true <= found.quantile(0.95) <= max(values)
    assert len(found.counts) == len(BOUNDS) + 1
    assert delays.read()[Direction.BLOCK].quantile(0.5) == 0.0
