"""The night's work: each task once per local night, caught up when the machine slept or the service was away."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import structlog

from connectors.errors import ConnectorError
from gateway.composition import Application, auditor
from gateway.journal.purging import Purge
from gateway.store.store import Store
from gateway.sync.fleet import place_of

_LOG = structlog.get_logger(__name__)
_NOTE = "night/"
_BY = "rdv-gateway serve"


@dataclass(frozen=True, slots=True)
class NightTask:
    """`name` is known to the database: one that is renamed is done again. `work` may take long; what it raises is told
    and keeps no other task from being done."""

    name: str
    work: Callable[[], object]


def night_of(now: datetime, zone: ZoneInfo, at: time) -> date:
    """The local day whose night work is due at this instant: today's from `at` on, else yesterday's."""
    local = now.astimezone(zone)
    return local.date() if local.time() >= at else local.date() - timedelta(days=1)


class Night:
    """Does what is due. Which night each task was done for is kept in the database."""

    def __init__(self, store: Store, tasks: Sequence[NightTask], *, zone: ZoneInfo, at: time) -> None:
        self._store = store
        self._tasks = tasks
        self._zone = zone
        self._at = at

    def run(self, now: datetime, *, stopped: Callable[[], bool] = bool) -> tuple[str, ...]:
        """Names of the tasks that were done. One that failed is tried again the next night.

        A task that this database has never done waits for the first night after the service began.
        """
        night = night_of(now, self._zone, self._at)
        done: list[str] = []
        for task in self._tasks:
            before = self._store.note(_NOTE + task.name)
            if stopped() or (before is not None and date.fromisoformat(before) >= night):
                continue
            with self._store.transaction() as tx:
                tx.put_note(_NOTE + task.name, night.isoformat())
            if before is None:
                continue
            _do(task)
            done.append(task.name)
        return tuple(done)


def _do(task: NightTask) -> None:
    try:
        found = task.work()
    except ConnectorError as error:
        _LOG.warning("night work failed", task=task.name, reason=str(error), addressee=error.addressee.value)
    except Exception as error:  # noqa: BLE001 - its text may hold anything
        _LOG.error("night work failed", task=task.name, kind=type(error).__name__, place=place_of(error))
    else:
        _LOG.info("night work done", task=task.name, found=found)


def usual_tasks(application: Application) -> tuple[NightTask, ...]:
    """What the gateway itself has to do at night."""
    store, settings, clock = application.store, application.settings, application.clock

    def audit() -> dict[str, int]:
        report = auditor(application).run()
        drift = sum(len(agent.drift) for agent in report.agents)
        failed = sum(bool(agent.problems) for agent in report.agents)
        found = {"agents": len(report.agents), "drift": drift, "not_compared": failed}
        with store.transaction() as tx:
            tx.put_note("audit", json.dumps({"at": report.started_at.isoformat(), **found}))
        if drift:
            _LOG.warning("the audit found drift; `rdv-gateway audit` shows it", **found)
        return found

    def seal() -> None:
        with store.transaction() as tx:
            tx.seal_journal(at=clock.now())

    def purge() -> tuple[int, int, bool]:
        now, kept = clock.now(), settings.journal
        entries = None if kept.entries_age is None else now - kept.entries_age
        return Purge(store, now - kept.content_age, entries).run(at=now, by=_BY)

    def forget_runs() -> int:
        with store.transaction() as tx:
            return tx.forget_runs(clock.now() - settings.schedule.runs_age)

    return (
        NightTask("audit", audit),
        NightTask("seal_journal", seal),
        NightTask("purge_journal", purge),
        NightTask("forget_runs", forget_runs),
    )
