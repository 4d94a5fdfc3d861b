"""What all accounts on one calendar server share: the gate for requests, what was found out, its times of trouble."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta

from connectors.caldav.concurrency import Concurrency
from connectors.caldav.findings import Announced, Caught, Findings
from connectors.caldav.memory import ForgetfulServers, ServerMemory
from connectors.caldav.profiles import ServerProfile

_FAILURES = 6
"""So many in a row, and the server is left alone for a while."""
_FIRST_PAUSE = timedelta(seconds=15)
_LONGEST_PAUSE = timedelta(minutes=10)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Server:
    """One server, by `host:port`. Thread-safe."""

    def __init__(self, host: str, profile: ServerProfile, memory: ServerMemory, now: Callable[[], datetime]) -> None:
        self._host = host
        self._memory = memory
        self._now = now
        self._lock = threading.Lock()
        self._findings: Findings | None = None
        self._failures = 0
        self._pause = _FIRST_PAUSE
        self._left_alone_until: datetime | None = None
        self.concurrency = Concurrency(*profile.at_a_time)

    # --- findings --------------------------------------------------------------------------------------------

    @property
    def findings(self) -> Findings:
        """What is known so far, from earlier runs too."""
        with self._lock:
            return self._known()

    def caught(self, what: Caught) -> None:
        """The server was seen to do this."""
        with self._lock:
            found = self._findings = self._known().with_caught(what)
        # Saved when it is new and then ever more rarely: a habit is no news.
        if found.caught[what] & (found.caught[what] - 1) == 0:
            self._memory.save(self._host, str(found))

    def announced(self, software: str, announced: Collection[Announced]) -> None:
        """The server said this of itself."""
        with self._lock:
            before = self._known()
            found = self._findings = before.with_announced(software, announced)
        if found != before:
            self._memory.save(self._host, str(found))

    def _known(self) -> Findings:
        if self._findings is None:
            self._findings = Findings.parse(self._memory.load(self._host))
        return self._findings

    # --- trouble ---------------------------------------------------------------------------------------------

    def pause_left(self) -> float:
        """Seconds for which no request should be sent, after many that failed; 0 when it may be tried."""
        with self._lock:
            if self._left_alone_until is None:
                return 0.0
            return max(0.0, (self._left_alone_until - self._now()).total_seconds())

    def failed(self) -> None:
        """No answer came, or one that says that the server is in trouble."""
        with self._lock:
            self._failures += 1
            if self._failures >= _FAILURES:
                self._left_alone_until = self._now() + self._pause
                self._pause = min(2 * self._pause, _LONGEST_PAUSE)
                self._failures = _FAILURES - 1  # after the pause, one that fails is enough

    def answered(self) -> None:
        """An answer came that makes sense."""
        with self._lock:
            self._failures = 0
            self._pause = _FIRST_PAUSE
            self._left_alone_until = None


class Servers:
    """The servers of one application. Thread-safe. `now` gives instants."""

    def __init__(self, memory: ServerMemory | None = None, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._memory = memory or ForgetfulServers()
        self._now = now
        self._lock = threading.Lock()
        self._servers: dict[str, Server] = {}

    def at(self, host: str, profile: ServerProfile, *, most_at_a_time: int) -> Server:
        """The server at `host:port`, the same for every account. The first account's profile begins."""
        with self._lock:
            server = self._servers.get(host)
            if server is None:
                server = self._servers[host] = Server(host, profile, self._memory, self._now)
        server.concurrency.at_most(min(most_at_a_time, profile.at_a_time[1]))
        return server
