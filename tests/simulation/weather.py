"""What may go wrong around a request or a commit: faults, lost answers, kills, and people who act meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from connectors.errors import AgentMustAct, ITMustAct, RetryLater, RightsMissing
from tests.simulation.faults import REQUEST_FAULTS, Cell, Fault, Phase, cells_of

READ_TIMEOUT = 15.0
_REQUEST_SECONDS = 0.2
_BURST = 3


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
    """What becomes of a write that was sent."""

    ANSWERED = "answered"
    REFUSED = "refused"  # 429: nothing happened, and it is known
    FORBIDDEN = "forbidden"  # 403: likewise
    FAILED = "failed"  # 5xx at once: nothing happened, and nobody knows
    FAILED_DONE = "failed, done"  # 5xx at once from something in between: it was done
    LOST = "lost"  # never arrived
    UNANSWERED = "unanswered"  # done, but the answer was lost
    LATE = "late"  # done after the client gave up, within twice its read timeout


_FATES = {
    Fault.TOO_MANY: Fate.REFUSED,
    Fault.RIGHTS: Fate.FORBIDDEN,
    Fault.TROUBLE: Fate.FAILED,
    Fault.TROUBLE_DONE: Fate.FAILED_DONE,
    Fault.TIMEOUT: Fate.LOST,
    Fault.TIMEOUT_DONE: Fate.UNANSWERED,
    Fault.TIMEOUT_LATE: Fate.LATE,
}
_SET_BACKS = (Fault.KILL_RESTORED, Fault.KILL_LOST)
_KILLS = (Fault.KILL, *_SET_BACKS)


@dataclass(slots=True)
class Weather:
    """Faults of one history, drawn from its own source of chance so that a seed repeats them.

    Two sorts: at random, by the chances below; and *aimed*, at one operation in one phase. The first operation of a
    kind in a history is nearly always aimed at, later ones less and less: so the rare kinds get their share.
    """

    chance: Random
    clock: ModelClock
    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[Cell] = field(default_factory=Counter)
    aims: float = 1.0  # how much is aimed; 0: nothing
    only: tuple[Fault, ...] = ()  # aim with these alone, and often: to see one mistake soon; (): with all
    sets_back: bool = True  # whether the database may be lost or set back: much is uncertain after that
    trouble: float = 0.0  # chance that a request fails
    losses: float = 0.0  # chance that a write has another fate than an answer
    kill_after: int | None = None  # boundaries until the process dies
    intruder_after: int | None = None  # boundaries open to people until one of them acts
    intruder: Callable[[], None] | None = None
    rivalry: float = 0.0  # chance that somebody edits the very thing that is about to be read again or written
    rival: Callable[[str | int], None] | None = None
    etag: Callable[[str], None] | None = None  # gives an event another version for nothing
    stop: Callable[[], None] | None = None  # a person stops all writes
    reading_again: bool = False  # between a write to a calendar and the reading after it
    dead: bool = False
    died_of: Fault | None = None
    operation: str = ""  # what is being applied; "" for none
    number: int = 0  # of operations begun
    phase: Phase = Phase.BEFORE
    bursts: Counter[str] = field(default_factory=Counter)  # by system, how many more requests fail
    _aim: tuple[Fault, Phase] | None = None
    _met: Counter[str] = field(default_factory=Counter)

    # --- operations ------------------------------------------------------------------------------------------

    def begins(self, operation: str) -> None:
        """An operation is being applied: perhaps something is to befall it."""
        self.operation, self.phase, self._aim = operation, Phase.BEFORE, None
        self.number += 1
        self._met[operation] += 1
        often = 0.5 if self.only else max(0.08, 0.9 / self._met[operation])
        cells = [cell for cell in cells_of(operation) if not self.only or cell[0] in self.only] if self.aims else []
        if cells and self.chance.random() < self.aims * often:
            aim = self.chance.choice(cells)
            self._aim = None if aim[0] in _SET_BACKS and not self.sets_back else aim

    def ends(self) -> None:
        """It was applied, or given up."""
        self.operation, self._aim = "", None

    def hit(self, fault: Fault) -> None:
        """A fault befell what goes on right now."""
        self.counts[fault.value] += 1
        if self.operation:
            self.hits[Cell(fault, self.operation, self.phase)] += 1

    def _aimed(self, *faults: Fault) -> Fault | None:
        """The fault that this moment was chosen for, if it is one of these; then it is used up."""
        if self._aim is None or self._aim[1] is not self.phase or self._aim[0] not in faults:
            return None
        fault, self._aim = self._aim[0], None
        return fault

    # --- boundaries ------------------------------------------------------------------------------------------

    def boundary(self, *, people: bool = False, transacting: bool = False) -> None:
        """A point at which the process may die. `people`: somebody else may act right now too."""
        if self.dead:
            raise Killed
        if self.kill_after is not None:
            self.kill_after -= 1
            if self.kill_after < 0:
                self._die(Fault.KILL)
        if self._aim is not None and self.chance.random() < 0.5:
            aimed = self._aimed(*_KILLS)
            if aimed is not None:
                self._die(aimed)
            if not transacting:
                self._from_outside()
        if people and self.intruder is not None and self.intruder_after is not None:
            self.intruder_after -= 1
            if self.intruder_after < 0:
                act, self.intruder, self.intruder_after = self.intruder, None, None
                act()

    def _die(self, fault: Fault) -> None:
        self.dead, self.kill_after, self.died_of = True, None, fault
        self.hit(fault)
        raise Killed

    def _from_outside(self) -> None:
        if self._aimed(Fault.CLOCK):
            self.hit(Fault.CLOCK)
            self.clock.sleep(self.chance.choice([120, 3600, 7 * 3600]))
        elif self.stop is not None and self._aimed(Fault.STOP):
            self.hit(Fault.STOP)
            self.stop()

    def commits(self) -> None:
        """A transaction is about to be committed. Raises when the database cannot."""
        self.boundary(transacting=True)
        fault = self._aimed(Fault.DATABASE_BUSY, Fault.DATABASE_FULL)
        if fault is not None:
            self.hit(fault)
            if fault is Fault.DATABASE_BUSY:
                raise RetryLater("another process keeps the database busy", system="database")
            raise ITMustAct("the database cannot be used: its disk is full", system="database")

    # --- requests --------------------------------------------------------------------------------------------

    def request(self, system: str, *, people: bool = True) -> None:
        """One request is sent. Raises when it fails before it does anything."""
        self.boundary(people=people)
        self.clock.sleep(_REQUEST_SECONDS)
        if self.bursts[system]:
            self.bursts[system] -= 1
            self.hit(Fault.TROUBLE)
            raise RetryLater("502", system=system)
        fault = self._aimed(*REQUEST_FAULTS)
        if fault is None and self.chance.random() < self.trouble:
            fault = self.chance.choice(REQUEST_FAULTS)
        if fault is not None:
            self.hit(fault)
            self._fails(fault, system)

    def _fails(self, fault: Fault, system: str) -> None:
        match fault:
            case Fault.SLOW:
                self.clock.sleep(READ_TIMEOUT - 1)
            case Fault.TOO_MANY:
                raise RetryLater("429", system=system, retry_after=30)
            case Fault.TROUBLE:
                self.bursts[system] = self.chance.randint(0, _BURST)
                raise RetryLater("500", system=system)
            case Fault.TIMEOUT:
                self.clock.sleep(READ_TIMEOUT)
                raise RetryLater("no answer", system=system)
            case Fault.RIGHTS:
                raise RightsMissing("403", system=system)
            case _:
                raise AgentMustAct("401", system=system)

    def meet_rival(self, thing: str | int) -> None:
        """`thing`: the href of an event of ours, or the id of an absence: it is about to be read or written."""
        aimed = self._aimed(Fault.EDITED)
        if self.rival is not None and (aimed or self.chance.random() < self.rivalry):
            self.hit(Fault.EDITED)
            self.rival(thing)
        if self.etag is not None and isinstance(thing, str) and self._aimed(Fault.ETAG):
            self.hit(Fault.ETAG)
            self.etag(thing)

    def sent(self) -> Fate:
        """A write has left: its fate."""
        self.phase = Phase.SENT
        self.boundary()
        if self._aimed(Fault.SLOW):
            self.hit(Fault.SLOW)
            self.clock.sleep(READ_TIMEOUT - 1)
        fault = self._aimed(*_FATES)
        if fault is None and self.chance.random() < self.losses:
            fault = self.chance.choice(tuple(_FATES))
        if fault is None:
            return Fate.ANSWERED
        self.hit(fault)
        return _FATES[fault]

    def answered(self) -> None:
        """The write was done, and its answer is here once this boundary is passed."""
        self.boundary()
        self.phase = Phase.ANSWERED

    def late_by(self) -> timedelta:
        """How long after it was sent a late write is done: at most twice the read timeout."""
        return timedelta(seconds=self.chance.uniform(READ_TIMEOUT, 2 * READ_TIMEOUT - 1))

    def calm(self) -> None:
        """No faults any more."""
        self.trouble = self.losses = self.rivalry = self.aims = 0.0
        self.kill_after = self.intruder_after = self.intruder = None
        self.dead = self.reading_again = False
        self.bursts.clear()
