"""What every request of an account passes, whichever library sends it: the count, the limit, the lock."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from connectors.caldav.faults import wrong_password


class Door:
    """Lets at most `limit` requests through at a time, counts them, and none any more after a wrong password.

    Directories lock a person out after a few wrong passwords, so that the first request goes alone: were the
    password wrong, all threads together would have tried it before the first answer.
    """

    def __init__(self, limit: int, *, system: str, owned_by_it: bool) -> None:
        self._slots = threading.BoundedSemaphore(limit)
        self._system = system
        self._owned_by_it = owned_by_it
        self._lock = threading.Lock()
        self._first = threading.Lock()
        self._opened = False
        self._refused = False
        self._requests = 0

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._requests

    def count(self) -> None:
        """One request is being sent."""
        with self._lock:
            self._requests += 1

    @contextmanager
    def passage(self) -> Iterator[None]:
        """Around each request. Raises `AgentMustAct` or `ITMustAct`, unsent, once the password was refused."""
        with ExitStack() as held:
            held.enter_context(self._slots)
            if not self._opened:
                held.enter_context(self._first)
            if self._refused:
                raise wrong_password(system=self._system, owned_by_it=self._owned_by_it)
            try:
                yield
            finally:
                self._opened = True

    def judge(self, status: int) -> None:
        """Look at an answer's status before anybody else does. Raises as `passage` for 401."""
        if status == 401:
            self._refused = True
            raise wrong_password(system=self._system, owned_by_it=self._owned_by_it)
