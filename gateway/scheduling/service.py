"""The service under one configuration: conductor, clock, listeners and the right to sync, from `start` to `close`."""

from __future__ import annotations

import logging
import os
import random
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor as JobThreads
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from starlette.routing import BaseRoute

from connectors.errors import ConnectorError
from connectors.ports import Clock
from gateway.composition import Application, opened
from gateway.scheduling.conductor import Conductor, Situation
from gateway.scheduling.delays import Delays
from gateway.scheduling.handover import ServiceState, drop_service_state, is_wished, put_service_state
from gateway.scheduling.night import Night, NightTask, usual_tasks
from gateway.settings import Settings
from gateway.store.problems import AnotherSync
from gateway.sync.fleet import place_of
from gateway.web.listeners import Limits, Listeners

_LOG = structlog.get_logger(__name__)
_RUN_THREADS = 128
"""More than there are lanes: each may have two runs, and one that hangs keeps its thread."""
_JOB_THREADS = 16
_TICK, _READ, _BEAT, _HANDOVER, _NIGHT = 0.25, 1.0, 5.0, 0.5, 300.0
_BACKED_OFF_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Job:
    """Something that the clock calls. `trigger`: one of APScheduler's. Not called while another process syncs; a call
    that is late is made once, and never while the one before goes on."""

    name: str
    trigger: Any
    call: Callable[[], object]


@dataclass(frozen=True, slots=True)
class Extension:
    """What a package adds to the service."""

    public: Sequence[BaseRoute] = ()
    internal: Sequence[BaseRoute] = ()
    jobs: Sequence[Job] = ()
    night: Sequence[NightTask] = ()
    close: Callable[[], object] = lambda: None  # called when nothing listens any more, before the database is closed


@dataclass(frozen=True, slots=True)
class Parts:
    """What extensions are made from. `conductor.at_once` has agents synced now, `conductor.pace_reading` says how
    often RDV-Solidarités is to be read, `delays.read` gives what was measured."""

    application: Application
    conductor: Conductor
    delays: Delays
    since: datetime
    stopping: Callable[[], bool]


Extensions = Callable[[Parts], Sequence[Extension]]


@dataclass(slots=True)
class _Told:
    """What `status` shows beside the conductor's situation."""

    lines: dict[str, object] = field(default_factory=dict)


class Service:
    """Opened on construction (raises what `opened` raises), so that a configuration that cannot be used is known
    before the one in force is left."""

    def __init__(
        self, settings: Settings, clock: Clock, *, delays: Delays, since: datetime, extensions: Extensions
    ) -> None:
        self._clock = clock
        self._stack = ExitStack()
        self._turn = ExitStack()
        self._has_turn = threading.Event()
        self._closing = threading.Event()
        self._listeners: Listeners | None = None
        self._told = _Told()
        self._application = application = self._stack.enter_context(opened(settings, clock=clock))
        schedule = settings.schedule
        self._runs = ThreadPoolExecutor(_RUN_THREADS, thread_name_prefix="run")
        self.conductor = Conductor(
            engine=application.engine,
            store=application.store,
            clock=clock,
            pace=schedule.to_pace(),
            reading_interval=schedule.rdvs_interval,
            delays=delays,
            chance=random.random,
            executor=self._runs,
        )
        self._since = since
        self._extensions = tuple(extensions(Parts(application, self.conductor, delays, since, self._closing.is_set)))
        tasks = (*usual_tasks(application), *(task for each in self._extensions for task in each.night))
        self._night = Night(
            application.store, tasks, zone=settings.rdv_solidarites.time_zone, at=settings.schedule.night
        )
        self._scheduler = BackgroundScheduler(
            timezone=settings.rdv_solidarites.time_zone,
            executors={"default": JobThreads(_JOB_THREADS)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def take_turn(self, *, wait: bool) -> None:
        """Be the process that syncs. `wait`: for another one that is; else raises `AnotherSync`."""
        while not self._has_turn.is_set():
            try:
                self._turn.enter_context(self._application.store.sync_lock())
            except AnotherSync:
                if not wait or self._closing.wait(_HANDOVER):
                    raise
            else:
                self._has_turn.set()

    def start(self, sockets: Mapping[str, socket.socket]) -> None:
        """Serve, and sync from now on. `sockets`: listening ones, by bind."""
        web = self._application.settings.web
        self._listeners = Listeners(
            (sockets[web.public_bind], [route for each in self._extensions for route in each.public]),
            (sockets[web.internal_bind], [route for each in self._extensions for route in each.internal]),
            Limits(web.body_limit, web.header_limit, web.trusted_proxies),
        )
        self._listeners.start()
        for job in (*self._own_jobs(), *(job for each in self._extensions for job in each.jobs)):
            self._scheduler.add_job(self._guarded(job), job.trigger, id=job.name, next_run_time=self._clock.now())
        every = IntervalTrigger(seconds=_HANDOVER)
        self._scheduler.add_job(_safely(Job("hand_over", every, self._hand_over)), every, id="hand_over")
        logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of each call that waits for the last
        self._scheduler.start()

    def tell(self, name: str, value: object) -> None:
        """Show this in `status` too."""
        self._told.lines[name] = value
        self._beat()

    def drain(self, seconds: float | None) -> bool:
        """Start nothing more; whether all that was under way ended in time."""
        self._closing.set()
        if self._scheduler.running:
            self._scheduler.pause()
        return self.conductor.drain(seconds)

    def close(self) -> None:
        """After `drain`: stop listening, let go of the right to sync, close the database and all connections."""
        self._closing.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        if self._listeners is not None:
            self._listeners.stop()
        for each in self._extensions:
            each.close()
        if self._has_turn.is_set():
            try:
                drop_service_state(self._application.store)
            except ConnectorError as error:
                _LOG.warning("the end of the service could not be noted", reason=str(error))
        self._turn.close()
        self._runs.shutdown(wait=False, cancel_futures=True)
        self._stack.close()

    # --- jobs ------------------------------------------------------------------------------------------------

    def _own_jobs(self) -> tuple[Job, ...]:
        return (
            Job("tick", IntervalTrigger(seconds=_TICK), self.conductor.tick),
            Job("read", IntervalTrigger(seconds=_READ), self.conductor.read),
            Job("beat", IntervalTrigger(seconds=_BEAT), self._beat),
            Job("night", IntervalTrigger(seconds=_NIGHT), self._nightly),
        )

    def _guarded(self, job: Job) -> Callable[[], None]:
        safe = _safely(job)

        def call() -> None:
            if self._has_turn.is_set() and not self._closing.is_set():
                safe()

        return call

    def _nightly(self) -> None:
        self._night.run(self._clock.now(), stopped=self._closing.is_set)

    def _beat(self) -> None:
        content = {**_shown(self.conductor.situation), **self._told.lines}
        state = ServiceState(os.getpid(), self._since, self._clock.now(), content)
        put_service_state(self._application.store, state)

    # --- the right to sync -----------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Let a command sync that wishes to, and go on when it is done."""
        store = self._application.store
        if not is_wished(store, self._clock.now()) or self._closing.is_set():
            return
        self.conductor.drain(None)
        self._has_turn.clear()
        self._turn.close()
        _LOG.info("a command syncs: the service waits")
        while not self._closing.wait(_HANDOVER):
            self._beat()
            if is_wished(store, self._clock.now()):
                continue
            try:
                self.take_turn(wait=False)
            except AnotherSync:
                continue
            if not self._closing.is_set():
                self.conductor.go_on()
            _LOG.info("the service goes on")
            return


def _safely(job: Job) -> Callable[[], None]:
    """A job whose errors are told, by kind and place where their text may hold anything."""

    def call() -> None:
        try:
            job.call()
        except ConnectorError as error:
            _LOG.warning("a job failed", job=job.name, reason=str(error), addressee=error.addressee.value)
        except Exception as error:  # noqa: BLE001 - the next call tries again
            _LOG.error("a job failed", job=job.name, kind=type(error).__name__, place=place_of(error))

    return call


def _shown(situation: Situation) -> dict[str, object]:
    backed_off = situation.backed_off
    return {
        "agents": situation.agents,
        "running": situation.running,
        "overdue": situation.overdue,
        "rdv_solidarites": {
            "read_at": None if situation.reading_at is None else situation.reading_at.isoformat(),
            "failures": situation.reading_failures,
            "next_at": situation.reading_due.isoformat(),
        },
        "backed_off": sum(len(each.agent_ids) for each in backed_off),
        "backed_off_groups": [
            {
                "agents": sorted(each.agent_ids)[:_BACKED_OFF_SHOWN],
                "failures": each.failures,
                "next_at": each.due.isoformat(),
            }
            for each in backed_off[:_BACKED_OFF_SHOWN]
        ],
    }
