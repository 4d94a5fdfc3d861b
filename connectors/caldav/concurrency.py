"""How many requests one server gets at the same time: found out by watching how it bears them.

Servers differ by more than a factor of ten in what they take (threads that fight for one lock, accept queues of
five), and one server is asked by many accounts. So all of them pass one gate, which begins low, lets one more through
while answers come as fast as before, and halves when connections break.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

_ROUND = 12
"""Answers that are looked at together: one slow answer says nothing."""
_LONGEST_PATIENCE = 32
_NOISE = 0.003


@dataclass(slots=True)
class Turn:
    """One request under way. `alone`: how many were under way with it, itself included, when it began."""

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
        usual = self._usual.get(kind, seconds)
        # Falls quickly to a faster answer and forgets slowly, so that a server that was made slower is learnt anew.
        self._usual[kind] = usual * 0.7 + seconds * 0.3 if seconds < usual else usual * 1.01
        if turn.together < self._limit or turn.generation != self._generation:
            return  # says nothing of how the server bears the present limit
        self._ratios.append(seconds / self._usual[kind])
        if len(self._ratios) < _ROUND:
            return
        slower, self._ratios = median(self._ratios), []
        if slower > 1.2 * self._limit:
            # More than in proportion: together they take longer than one after the other.
            self._shrink_to(self._limit - 1, turn)
        elif slower <= max(1.5, 0.8 * self._limit):
            self._good_rounds += 1
            if self._good_rounds >= self._patience and self._limit < self._most:
                self._set(self._limit + 1)
        else:
            self._good_rounds = 0

    def _shrink_to(self, limit: int, turn: Turn) -> None:
        if turn.generation != self._generation:
            return
        if self._limit > 1:
            self._patience = min(2 * self._patience, _LONGEST_PATIENCE)
        self._set(max(1, limit))

    def _set(self, limit: int) -> None:
        self._limit = limit
        self._generation += 1
        self._good_rounds = 0
        self._ratios = []
