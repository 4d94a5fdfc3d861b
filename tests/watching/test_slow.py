"""The slowest steps are kept with what they were about; the table stays small."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from gateway.keys import Keyring
from gateway.store.database import open_database
from gateway.store.slow import KEPT_FOR, MOST, VERY_LONG, SlowStep
from gateway.store.store import Store
from gateway.sync.steps import Failure, Step, StepName, step
from gateway.sync.steps import watched as watching
from gateway.watching.metrics import Metrics
from gateway.watching.slow import NEVER_SLOW, SlowSteps
from gateway.watching.watch import Watch
from tests.store.samples import NOW
from tests.watching.samples import watched

STEP = Step(
    StepName.READ_CALENDAR,
    "agenda",
    6.5,
    waited=1.0,
    remote=5.0,
    requests=3,
    received=4096,
    counts={"events": 12, "pages": 2},
    run_id="r1",
    agent_id=7,
)
SLOW = SlowStep(NOW, "r", None, "plan", "gateway", 200, 0, 0, 0, 0, {}, None)


def test_a_slow_step_is_kept_with_its_scenario_and_its_phases(store: Store) -> None:
    kept = SlowSteps(store, lambda: NOW)
    kept.note(STEP)
    kept.note(replace(STEP, seconds=9.0, failure=Failure("agenda", "RetryLater", "nobody")))
    kept.write()
    worse, found = store.slow_steps(10)
    assert (worse.milliseconds, worse.failure) == (9000, "RetryLater")
    assert found == SlowStep(
        NOW, "r1", 7, "read_calendar", "agenda", 6500, 1000, 5000, 3, 4096, {"events": 12, "pages": 2}, None
    )
    assert found.ours == 500


def test_what_is_fast_is_never_kept(store: Store) -> None:
    kept = SlowSteps(store, lambda: NOW)
    kept.note(replace(STEP, seconds=NEVER_SLOW / 1000))
    kept.write()
    assert store.slow_steps(10) == ()


def test_only_the_worst_are_kept_and_a_step_has_to_be_worse_to_come_in(store: Store) -> None:
    with store.transaction() as tx:
        floor = tx.add_slow_steps([replace(SLOW, milliseconds=1000 + n) for n in range(MOST + 50)], now=NOW)
    found = store.slow_steps(1000)
    assert [each.milliseconds for each in found] == [1000 + n for n in reversed(range(50, MOST + 50))]
    assert floor == 1050


def test_the_latest_very_long_ones_stay_though_worse_ones_are_older(store: Store) -> None:
    worst = [replace(SLOW, milliseconds=60_000, at=NOW - timedelta(days=3))] * MOST
    latest = [replace(SLOW, milliseconds=VERY_LONG, run_id="late")]
    with store.transaction() as tx:
        tx.add_slow_steps(worst, now=NOW)
        tx.add_slow_steps([*latest, replace(SLOW, milliseconds=VERY_LONG - 1)], now=NOW)
    assert len(store.slow_steps(1000)) == MOST + 1
    assert store.slow_steps(1, latest=True) == (latest[0],)


def test_after_a_month_a_step_is_forgotten(store: Store) -> None:
    with store.transaction() as tx:
        tx.add_slow_steps([replace(SLOW, milliseconds=60_000, at=NOW - KEPT_FOR - timedelta(minutes=1))], now=NOW)
    assert store.slow_steps(10) == ()


def test_what_is_gathered_between_two_writings_is_bounded_and_the_worst_of_it_is_kept(store: Store) -> None:
    kept = SlowSteps(store, lambda: NOW)
    for number in range(5_000):
        kept.note(replace(STEP, seconds=1 + number % 1000))
    assert len(kept._gathered) <= 400
    kept.write()
    assert store.slow_steps(1)[0].milliseconds == 1_000_000


def test_a_database_that_cannot_be_written_stops_nobody(path: Path, keys: Keyring) -> None:
    database = open_database(path, keys)
    kept = SlowSteps(Store(database), lambda: NOW)
    database.close()
    path.write_bytes(b"no database any more" * 1000)
    kept.note(STEP)
    kept.write_if_due()
    assert kept._gathered == []
    database.close()


def test_watching_a_step_costs_microseconds(sqlite_store: Store) -> None:
    """A run has some ten steps per agent, and the fastest of them takes a millisecond."""
    watch = watched(Metrics(("agenda",)), sqlite_store)
    bare, told = (_seconds_of_a_step(each) for each in (None, watch))
    print(f"{(told - bare) * 1e6:.0f} us")
    assert told - bare < 500e-6


def _seconds_of_a_step(watch: Watch | None) -> float:
    times = []
    with watching(watch, "r"):
        for _ in range(5):
            began = time.process_time()
            for _ in range(500):
                with step(StepName.PLAN, "agenda") as counts:
                    counts["events"] = 1
            times.append((time.process_time() - began) / 500)
    return min(times)
