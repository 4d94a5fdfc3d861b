"""How many requests one server gets at the same time: found out by watching how it bears them.

Servers differ by more than a factor of ten in what they take (threads that fight for one lock, accept queues of
five), and one server is asked by many accounts. So all of them pass one gate. It begins low, tries one more from time
to time and keeps that if the server then answers more in the same time, tries one less when answers get slow, and
halves when connections break.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

_ROUND = 12
"""Answers that are looked at together: one slow answer says nothing."""
_LONGEST_PATIENCE = 64
_NOISE = 0.003
_BETTER = 1.04
_AS_GOOD = 0.98
_SLOW = 0.5


@dataclass(slots=True)
class Turn:
    """One request under way. `together`: how many were under way when it began, itself included."""

    began: float
    together: int
    generation: int


class Concurrency:
    """A gate of adaptive width. Thread-safe. `timer` gives seconds, of any origin."""

    def __init__(self, first: int, most: int, *, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._limit = min(first, most)
        self._most = most
        self._running = 0
        self._generation = 0  # counts changes of the limit, so that one storm of failures halves it once
        self._free = threading.Condition()
        self._usual: dict[str, float] = {}
        self._ratios: list[float] = []
        self._trial: _Trial | None = None
        self._pace = 0.0
        self._patience = 1
        self._good_rounds = 0

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return self._limit

    def at_most(self, most: int) -> None:
        """Never more than this from now on: the least that any account of the server is configured with."""
        with self._free:
            self._most = min(self._most, most)
            self._limit = min(self._limit, self._most)

    def begin(self) -> Turn:
        """Wait until a request may be sent."""
        with self._free:
            self._free.wait_for(lambda: self._running < self._limit)
            self._running += 1
            return Turn(self._timer(), self._running, self._generation)

    def end(self, turn: Turn, kind: str, *, broken: bool = False) -> None:
        """A request has ended. `kind`: requests of one kind take about as long; "" for one that may take any time.

        `broken`: the connection was reset or refused, or the server said that it has too much to do.
        """
        with self._free:
            self._running -= 1
            if broken:
                self._shrink_to(self._limit // 2, turn)
            elif kind:
                self._watch(kind, self._timer() - turn.began, turn)
            self._free.notify_all()

    def _watch(self, kind: str, seconds: float, turn: Turn) -> None:
        seconds = max(seconds, _NOISE)
        # What requests of this kind usually take, so that kinds can be compared. It moves by less in a round than what
        # makes one limit better than another.
        usual = self._usual.setdefault(kind, seconds)
        self._usual[kind] = usual * (1.001 if seconds > usual else 0.999)
        if turn.together < self._limit or turn.generation != self._generation:
            return  # says nothing of how the server bears the present limit
        self._ratios.append(seconds / usual)
        if len(self._ratios) == _ROUND:
            pace, self._ratios = self._limit / median(self._ratios), []
            self._judge(pace)

    def _judge(self, pace: float) -> None:
        """`pace`: how much is answered in the same time, compared with what is usual, at the present limit."""
        trial, self._trial = self._trial, None
        if trial is not None:
            self._end_trial(trial, pace)
        elif pace < _SLOW * self._pace:
            self._try(-1, pace)
        else:
            self._pace = pace
            self._good_rounds += 1
            if self._good_rounds >= self._patience:
                self._try(+1, pace)

    def _end_trial(self, trial: _Trial, pace: float) -> None:
        step = self._limit - trial.limit
        if pace >= _BETTER * trial.pace:
            self._patience = max(1, self._patience // 2)
            self._try(step, pace)
            return
        self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
        if step < 0 and pace >= _AS_GOOD * trial.pace:
            self._pace = pace
        else:
            self._pace = trial.pace
            self._set(trial.limit)

    def _try(self, step: int, pace: float) -> None:
        """See how the server bears one more, or one less."""
        self._pace = pace
        if 1 <= self._limit + step <= self._most:
            trial = _Trial(self._limit, pace)
            self._set(self._limit + step)
            self._trial = trial

    def _shrink_to(self, limit: int, turn: Turn) -> None:
        if turn.generation != self._generation:
            return
        self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
        self._pace = 0.0
        self._set(max(1, limit))

    def _set(self, limit: int) -> None:
        self._limit = limit
        self._generation += 1
        self._good_rounds = 0
        self._ratios = []
        self._trial = None


@dataclass(frozen=True, slots=True)
class _Trial:
    """What there was before another limit is tried."""

    limit: int
    pace: float
