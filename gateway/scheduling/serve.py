"""`rdv-gateway serve`: the process. It begins, reloads its configuration, and ends.

What the service consists of beside syncing is in `extensions`: one line for each package.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog

from connectors.errors import ConnectorError
from connectors.ports import Clock
from gateway.alerts.assembly import alert_jobs
from gateway.api.service import business_jobs, public_routes
from gateway.clock import SystemClock
from gateway.scheduling.delays import Delays
from gateway.scheduling.feeding import feeds
from gateway.scheduling.hooking import webhooks
from gateway.scheduling.service import Extension, Extensions, Job, Parts, Service
from gateway.scheduling.watched import watching
from gateway.settings import Settings, load
from gateway.settings_logs import LogsSection
from gateway.settings_problems import SettingsError
from gateway.web.listeners import listening

_LOG = structlog.get_logger(__name__)
_GRACE = 8.0
_LOOK = 2.0


def extensions(parts: Parts) -> Sequence[Extension]:
    """Routes, jobs and night work of the other packages: add yours as one more item."""
    application = parts.application
    return (
        Extension(jobs=tuple(Job(*job) for job in alert_jobs(application))),
        Extension(
            public=public_routes(application),
            jobs=tuple(Job(*job) for job in business_jobs(application)),
        ),
        webhooks(parts),
        watching(parts),
        feeds(parts),
    )


@contextmanager
def signals() -> Iterator[tuple[threading.Event, threading.Event, threading.Event]]:
    """Events: something came; it was SIGTERM or SIGINT; it was SIGHUP."""
    came, stop, reload = threading.Event(), threading.Event(), threading.Event()
    meanings = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}

    def note(number: int, _frame: object) -> None:
        meanings[signal.Signals(number)].set()
        came.set()

    before = {number: signal.signal(number, note) for number in meanings}
    try:
        yield came, stop, reload
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Process:
    """Serves under one configuration after the other, until it is told to stop."""

    def __init__(
        self,
        config: Path,
        *,
        log: Callable[[LogsSection], None],
        clock: Clock | None = None,
        extended: Extensions = extensions,
    ) -> None:
        """`log`: makes the process log as a configuration says, when that one comes into force."""
        self._config = config
        self._log = log
        self._clock = clock or SystemClock()
        self._extended = extended
        self._delays = Delays()
        self._since = self._clock.now()
        self._sockets: dict[str, socket.socket] = {}

    def run(self, *, started: Callable[[Settings], None]) -> None:
        """Until SIGTERM or SIGINT; then back within ten seconds, whatever hangs. `started` is called once it serves.

        Raises `SettingsError`, `UnmigratedDatabase` and others when it cannot begin, `AnotherSync` when another
        process syncs.
        """
        with signals() as (came, stop, reload), ExitStack() as stack:
            stack.callback(self._close_sockets)
            settings = load(self._config)
            service = self._opened(settings)
            try:
                service.take_turn(wait=False)
                self._listen(settings)
                service.start(self._sockets)
            except BaseException:
                service.close()
                raise
            self._log(settings.logs)
            started(settings)
            known = self._version()
            while not stop.is_set():
                came.wait(_LOOK)
                came.clear()
                version = self._version()
                if not stop.is_set() and (reload.is_set() or version != known):
                    known = version
                    reload.clear()
                    service = self._reloaded(service, stop)
            _LOG.info("ending")
            if not service.drain(_GRACE):
                _LOG.warning(
                    "something is still under way; what it wrote without an answer is settled at the next start"
                )
            service.close()

    def _opened(self, settings: Settings) -> Service:
        return Service(settings, self._clock, delays=self._delays, since=self._since, extensions=self._extended)

    def _listen(self, settings: Settings) -> None:
        """On the addresses of a configuration, beside those that are listened on already. Raises `SettingsError`."""
        for key, bind in (("public_bind", settings.web.public_bind), ("internal_bind", settings.web.internal_bind)):
            if bind not in self._sockets:
                try:
                    self._sockets[bind] = listening(bind)
                except OSError as error:
                    raise SettingsError((f"web.{key}: {bind} cannot be had: {error.strerror}",)) from None

    def _reloaded(self, service: Service, stop: threading.Event) -> Service:
        """The service under the file as it is now; the one that was, if that cannot be used or the end comes first."""
        try:
            settings = load(self._config)
            self._listen(settings)
            following = self._opened(settings)
        except (SettingsError, ConnectorError) as error:
            reasons = list(error.problems) if isinstance(error, SettingsError) else [str(error)]
            _LOG.error("the changed configuration cannot be used; the former one stays", reasons=reasons)
            service.tell("configuration", {"refused": reasons})
            return service
        while not service.drain(_LOOK / 4):
            if stop.is_set():
                following.close()
                return service
        service.close()
        following.take_turn(wait=True)
        following.start(self._sockets)
        used = {settings.web.public_bind, settings.web.internal_bind}
        for bind in self._sockets.keys() - used:
            self._sockets.pop(bind).close()
        self._log(settings.logs)
        _LOG.warning("the configuration was reloaded")
        return following

    def _version(self) -> tuple[int, int] | None:
        try:
            found = self._config.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

    def _close_sockets(self) -> None:
        for each in self._sockets.values():
            each.close()
