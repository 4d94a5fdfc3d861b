"""What every request of an account passes, whichever library sends it: the count, the server's gate, the lock."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta

from connectors.caldav.faults import wrong_password
from connectors.caldav.memory import PasswordMemory
from connectors.caldav.servers import Server
from connectors.errors import AgentMustAct, ITMustAct, RetryLater
from connectors.exchanges import turn as waiting
from connectors.retry_after import retry_after_seconds
from connectors.server_time import ServerTime


class Door:
    """Lets requests through as the server bears them, counts them, and none any more after a wrong password.

    Directories lock a person out after a few wrong passwords, so that the first request goes alone: were the
    password wrong, all threads together would have tried it before the first answer. `passwords` remembers a refusal
    from run to run.
    """

    def __init__(
        self, server: Server, passwords: PasswordMemory, *, system: str, owned_by_it: bool, now: Callable[[], datetime]
    ) -> None:
        self._server = server
        self._passwords = passwords
        self._system = system
        self._owned_by_it = owned_by_it
        self._now = now
        self._lock = threading.Lock()
        self._first = threading.Lock()
        self._opened = False
        self._refused = False
        self._accepted = False
        self._not_before: datetime | None = None
        self._requests = 0
        self._time = ServerTime()

    @property
    def clock_offset(self) -> timedelta | None:
        """See `connectors.ports.TellsTime`."""
        return self._time.offset

    @property
    def requests(self) -> int:
        """How many requests were sent."""
        return self._requests

    def count(self) -> None:
        """One request is being sent."""
        with self._lock:
            self._requests += 1

    @contextmanager
    def passage(self, kind: str = "", *, forgives: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        """Around each request. `kind`: see `Concurrency.end`. `forgives`: what says nothing of the server's health.

        Raises, unsent, `AgentMustAct` or `ITMustAct` once the password was refused, `RetryLater` while the server
        asks for patience or is left alone after many failures.
        """
        with ExitStack() as held:
            if not self._opened:
                held.enter_context(self._first)
            self._may_go()
            with waiting(self._system):
                turn = self._server.concurrency.begin()
            sent = broken = False
            try:
                self._may_go()  # what another request met while this one waited
                sent = True
                yield
            except Exception as problem:
                if sent and not isinstance(problem, (AgentMustAct, ITMustAct, *forgives)):
                    broken = True
                    self._server.failed()
                raise
            finally:
                self._server.concurrency.end(turn, kind, broken=broken)
                self._opened = True

    def judge(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Look at an answer's status before anybody else does. Raises as `passage` for 401.

        `headers`: names in lower case.
        """
        self._time.note((headers or {}).get("date"), self._now())
        if status == 401:
            self._refused = True
            self._passwords.note_refusal()
            raise wrong_password(system=self._system, owned_by_it=self._owned_by_it)
        if not self._accepted and status < 400:
            self._accepted = True
            self._passwords.note_acceptance()
        if status in (429, 502, 503, 504):
            self._server.failed()
            seconds = retry_after_seconds((headers or {}).get("retry-after"), now=self._now())
            if seconds:
                self._not_before = self._now() + timedelta(seconds=seconds)
        else:
            self._server.answered()

    def _may_go(self) -> None:
        if not self._opened and not self._refused:
            self._refused = self._passwords.was_refused()
        if self._refused:
            raise wrong_password(system=self._system, owned_by_it=self._owned_by_it)
        seconds = self._server.pause_left()
        if self._not_before is not None:
            seconds = max(seconds, (self._not_before - self._now()).total_seconds())
        if seconds > 0:
            raise RetryLater(
                "The calendar server is left alone for a while: it asked for that, or failed many times in a row.",
                system=self._system,
                retry_after=seconds,
            )
