"""What may go wrong around a request or a commit: faults, lost answers, kills, and people who act meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from connectors.errors import RetryLater

READ_TIMEOUT = 15.0
_REQUEST_SECONDS = 0.2


class Killed(BaseException):
    """The process died here. Nothing may catch it."""


class BrokenPromise(BaseException):
    """What the gateway must never do, it did. Not an `Exception`, so that no product code can swallow it."""

    def __init__(self, promise: str, what: str) -> None:
        super().__init__(f"{promise}: {what}")
        self.promise = promise
        self.what = what


@dataclass(slots=True)
class ModelClock:
    """Time that only the history advances. Implements `connectors.ports.Clock`."""

    instant: datetime

    def now(self) -> datetime:
        return self.instant

    def sleep(self, seconds: float) -> None:
        self.instant += timedelta(seconds=seconds)


class Fate(StrEnum):
    """What becomes of a write."""

    ANSWERED = "answered"
    REFUSED = "refused"  # 429, 5xx: nothing happened, and it is known
    LOST = "lost"  # never arrived
    UNANSWERED = "unanswered"  # done, but the answer was lost
    LATE = "late"  # done after the client gave up, within twice its read timeout


@dataclass(slots=True)
class Weather:
    """Faults of one history, drawn from its own source of chance so that a seed repeats them."""

    chance: Random
    clock: ModelClock
    counts: Counter[str] = field(default_factory=Counter)
    trouble: float = 0.0  # chance that a request fails
    losses: float = 0.0  # chance that a write has another fate than an answer
    kill_after: int | None = None  # boundaries until the process dies
    intruder_after: int | None = None  # boundaries open to people until one of them acts
    intruder: Callable[[], None] | None = None
    rivalry: float = 0.0  # chance that somebody edits the very thing that is about to be read again or written
    rival: Callable[[str | int], None] | None = None
    reading_again: bool = False  # between a write to a calendar and the reading after it
    dead: bool = False

    def boundary(self, *, people: bool = False) -> None:
        """A point at which the process may die. `people`: somebody else may act right now too."""
        if self.dead:
            raise Killed
        if self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after < 0:
                self.dead, self.kill_after = True, None
                self.counts["kills"] += 1
                raise Killed
        if people and self.intruder is not None and self.intruder_after is not None:
            self.intruder_after -= 1
            if self.intruder_after < 0:
                act, self.intruder, self.intruder_after = self.intruder, None, None
                act()

    def request(self, system: str, *, people: bool = True) -> None:
        """One request is sent. Raises `RetryLater` when it fails."""
        self.boundary(people=people)
        self.clock.sleep(_REQUEST_SECONDS)
        if self.chance.random() < self.trouble:
            self.counts["faults"] += 1
            raise RetryLater("busy", system=system)

    def meet_rival(self, thing: str | int) -> None:
        """`thing`: the href of an event of ours, or the id of an absence."""
        if self.rival is not None and self.chance.random() < self.rivalry:
            self.rival(thing)

    def fate(self) -> Fate:
        """Of a write about to be sent."""
        if self.chance.random() >= self.losses:
            return Fate.ANSWERED
        fate = self.chance.choice([Fate.REFUSED, Fate.LOST, Fate.UNANSWERED, Fate.UNANSWERED, Fate.LATE, Fate.LATE])
        self.counts[fate.value] += 1
        return fate

    def late_by(self) -> timedelta:
        """How long after it was sent a late write is done: at most twice the read timeout."""
        return timedelta(seconds=self.chance.uniform(READ_TIMEOUT, 2 * READ_TIMEOUT - 1))

    def calm(self) -> None:
        """No faults any more."""
        self.trouble = self.losses = self.rivalry = 0.0
        self.kill_after = self.intruder_after = self.intruder = None
        self.dead = self.reading_again = False
