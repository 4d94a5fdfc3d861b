"""The steps of a run, told to whoever watches: what was done, on which system, how long each part of it took.

A step holds names of the configuration, ids and counts, never what an event or an RDV says. The watcher travels in a
context variable, as the bindings of the log do, so that no step needs to be handed one; threads are given the context
of the run (`in_context`). Steps do not nest: their seconds may be added up.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar, copy_context
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ParamSpec, Protocol, TypeVar

import structlog

from connectors.errors import Addressee, ConnectorError
from connectors.exchanges import Exchange, Listener, heard_by
from gateway.sync.values import Operation, RunReport

_P = ParamSpec("_P")
_R = TypeVar("_R")

OURSELVES = "gateway"
"""The system of a step that asks no other one."""


class StepName(StrEnum):
    LOOK_AT_HOME = "look_at_home"
    READ_CALENDAR = "read_calendar"
    READ_DIRECTORY = "read_directory"
    READ_ABSENCES = "read_absences"
    READ_RDVS = "read_rdvs"
    LOAD = "load"
    SETTLE = "settle"
    PLAN = "plan"
    WRITE = "write"
    RECORD = "record"


@dataclass(frozen=True, slots=True)
class Failure:
    """How a step ended that raised. `kind`: the error's type, by what to do about it."""

    system: str
    kind: str
    addressee: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step that ended. Seconds: `seconds` in all; `waited` of them for the server's gate or pace; `remote` of them
    for answers, the network included; the rest is ours, the database included. `counts`: what it was about."""

    name: StepName
    system: str
    seconds: float
    waited: float = 0.0
    remote: float = 0.0
    requests: int = 0
    received: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    run_id: str = ""
    agent_id: int | None = None
    failure: Failure | None = None

    @property
    def ours(self) -> float:
        """Seconds that neither waiting nor a server explains."""
        return max(0.0, self.seconds - self.waited - self.remote)


class Watcher(Listener, Protocol):
    """Is told by the threads that work. Must not raise, and must be quick."""

    def stepped(self, step: Step) -> None:
        """A step ended, well or badly."""

    def applied(self, operation: Operation, outcome: str) -> None:
        """What became of an operation."""

    def ended(self, report: RunReport) -> None:
        """A run ended."""


_watcher: ContextVar[Watcher | None] = ContextVar("gateway.sync.steps.watcher", default=None)


def watcher() -> Watcher | None:
    """Who watches in this context."""
    return _watcher.get()


@contextmanager
def watched(watcher: Watcher | None, run_id: str) -> Iterator[None]:
    """A run: within the block everything that is logged carries its id, and that one watches; None: as before."""
    token = _watcher.set(watcher) if watcher is not None else None
    try:
        with (
            heard_by(watcher) if watcher is not None else nullcontext(),
            structlog.contextvars.bound_contextvars(run_id=run_id),
        ):
            yield
    finally:
        if token is not None:
            _watcher.reset(token)


@contextmanager
def about(agent_id: int) -> Iterator[None]:
    """Within the block, log lines and steps are about this agent."""
    with structlog.contextvars.bound_contextvars(agent=agent_id):
        yield


def in_context(work: Callable[_P, _R]) -> Callable[_P, _R]:
    """The same work for another thread, in the context of this one: pools do not hand it on."""
    context = copy_context()

    def run(*arguments: _P.args, **named: _P.kwargs) -> _R:
        return context.run(work, *arguments, **named)

    return run


class _Open:
    """A step under way: adds up what its requests say, and hands it on."""

    __slots__ = ("_next", "received", "remote", "requests", "waited_for")

    def __init__(self, listener: Listener) -> None:
        self._next = listener
        self.waited_for = 0.0
        self.remote = 0.0
        self.requests = 0
        self.received = 0

    def waited(self, system: str, seconds: float) -> None:
        self.waited_for += seconds
        self._next.waited(system, seconds)

    def exchanged(self, exchange: Exchange) -> None:
        self.remote += exchange.seconds
        self.requests += 1
        self.received += exchange.received
        self._next.exchanged(exchange)


@contextmanager
def step(name: StepName, system: str, *, expected: type[Exception] | None = None) -> Iterator[Counter[str]]:
    """Around one step, in one thread; what is put into the counter is told with it.

    `system`: an account's name, of which the section counts, or `OURSELVES`. `expected`: an exception that is no
    failure.
    """
    counts: Counter[str] = Counter()
    told = _watcher.get()
    if told is None:
        yield counts
        return
    listening = _Open(told)
    failure: Failure | None = None
    section = system.partition("/")[0]
    began = time.perf_counter()
    try:
        with heard_by(listening):
            yield counts
    except Exception as error:
        if expected is None or not isinstance(error, expected):
            failure = _failure(error, section)
        raise
    finally:
        bound = structlog.contextvars.get_contextvars()
        told.stepped(
            Step(
                name,
                section,
                time.perf_counter() - began,
                listening.waited_for,
                listening.remote,
                listening.requests,
                listening.received,
                counts,
                bound.get("run_id", ""),
                bound.get("agent"),
                failure,
            )
        )


def _failure(error: Exception, section: str) -> Failure:
    if isinstance(error, ConnectorError):
        return Failure(error.system.partition("/")[0], type(error).__name__, error.addressee.value)
    return Failure(section, "OurBug", Addressee.MAINTAINERS.value)
