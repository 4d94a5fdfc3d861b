"""Steps, what their requests add up to, and that a run's id goes with its work into every thread."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import structlog

from connectors.errors import ITMustAct
from connectors.exchanges import Exchange, exchange, turn
from gateway.sync.steps import Failure, Step, StepName, about, in_context, step, watched
from gateway.sync.values import Operation, RunReport


class Notes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.exchanges: list[Exchange] = []

    def waited(self, system: str, seconds: float) -> None:
        pass

    def exchanged(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)

    def stepped(self, step: Step) -> None:
        self.steps.append(step)

    def applied(self, operation: Operation, outcome: str) -> None:
        pass

    def ended(self, report: RunReport) -> None:
        pass


def asks(status: int | None = 207) -> None:
    with turn("agenda"):
        pass
    with exchange("agenda", "PROPFIND") as told:
        told.status, told.received = status, 100


def test_a_step_adds_up_its_requests_and_names_its_run_and_agent() -> None:
    notes = Notes()
    with watched(notes, "r1"), about(7), step(StepName.READ_CALENDAR, "agenda/part") as counts:
        asks()
        asks(503)
        counts["events"] = 2
    (told,) = notes.steps
    assert (told.system, told.run_id, told.agent_id) == ("agenda", "r1", 7)  # the section, not an agent's part of it
    assert (told.requests, told.received, dict(told.counts), told.failure) == (2, 200, {"events": 2}, None)
    assert told.seconds >= told.waited + told.remote
    assert [each.status for each in notes.exchanges] == [207, 503]


def test_a_step_that_fails_says_what_kind_of_error_and_who_can_mend_it() -> None:
    notes = Notes()
    with pytest.raises(ITMustAct), watched(notes, "r1"), step(StepName.WRITE, "agenda"):
        raise ITMustAct("the certificate is over", system="agenda/part")
    with pytest.raises(KeyError), watched(notes, "r1"), step(StepName.PLAN, "gateway"):
        raise KeyError("a title")
    with pytest.raises(KeyError), watched(notes, "r1"), step(StepName.PLAN, "gateway", expected=LookupError):
        raise KeyError("a title")
    assert [each.failure for each in notes.steps] == [
        Failure("agenda", "ITMustAct", "it"),
        Failure("gateway", "OurBug", "maintainers"),
        None,
    ]


def test_the_id_of_a_run_and_its_watcher_go_into_threads_only_where_the_context_is_handed_on() -> None:
    notes = Notes()

    def work() -> object:
        with step(StepName.PLAN, "gateway"):
            asks()
        return structlog.contextvars.get_contextvars().get("run_id")

    with ThreadPoolExecutor(2) as pool:
        with watched(notes, "r1"):
            handed = [pool.submit(in_context(work)) for _ in range(8)]
            bare = pool.submit(work)
        with watched(None, "r2"):
            other = pool.submit(in_context(work))
    assert [each.result() for each in handed] == ["r1"] * 8
    assert (bare.result(), other.result()) == (None, "r2")
    assert [each.run_id for each in notes.steps] == ["r1"] * 8


def test_work_of_two_runs_at_the_same_time_is_told_apart() -> None:
    notes = Notes()
    together = threading.Barrier(2)

    def run(run_id: str) -> None:
        with watched(notes, run_id), step(StepName.PLAN, "gateway"):
            together.wait(5)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, ["r1", "r2"]))
    assert {each.run_id for each in notes.steps} == {"r1", "r2"}


def test_without_a_watcher_steps_and_requests_cost_nothing_and_tell_nobody() -> None:
    with step(StepName.PLAN, "gateway") as counts:
        counts["events"] = 1
        asks()
