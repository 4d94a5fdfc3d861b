"""Where everything stands when metrics are asked for: from the store by a few aggregate statements, from the service's
own state, and from files."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.certificates import authorities_in, certificates_in
from connectors.errors import ConnectorError
from gateway.consent import PURGED_AFTER, renewed_at
from gateway.store.figures import AGES, OLDER, Figures, Webhooks
from gateway.store.store import Store
from gateway.watching.metrics import PREFIX

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DelayCounts:
    """Delays of one promise. `counts`: how many were at most as long as each of `bounds` (seconds), each in its first
    bucket alone, then those that were longer than all. `total`: their sum in seconds."""

    promise: str
    bounds: Sequence[float]
    counts: Sequence[int]
    total: float


@dataclass(frozen=True, slots=True)
class Around:
    """What is told of beside the database. `queues`: how many things wait, by queue. `delays`: since the service began.
    `certificates`, `authorities`: files, by the section that names them. `directory`: of the database, if it is here.
    `consent`: the access is one that somebody consented to."""

    now: Callable[[], datetime]
    queues: Callable[[], Mapping[str, int]] = dict
    delays: Callable[[], Iterable[DelayCounts]] = tuple
    last_tick: Callable[[], datetime | None] = lambda: None
    certificates: Mapping[str, Path] = field(default_factory=dict)
    authorities: Mapping[str, Path] = field(default_factory=dict)
    directory: Path | None = None
    consent: bool = False


class Standing(Collector):
    """Gauges, computed when they are asked for. A database that cannot be read is one of the things told."""

    def __init__(self, store: Store, around: Around, remotes: Iterable[str]) -> None:
        self._store = store
        self._around = around
        self._remotes = tuple(remotes)

    def describe(self) -> Iterable[Metric]:
        """Nothing: looking at the names must not ask the database."""
        return ()

    def collect(self) -> Iterator[Metric]:
        now = self._around.now()
        try:
            figures = self._store.figures(now)
            stopped = self._store.stop() is not None
            renewed = renewed_at(self._store) if self._around.consent else None
        except ConnectorError:
            yield _gauge("database_readable", "1: the database answers.", 0)
        else:
            yield _gauge("database_readable", "1: the database answers.", 1)
            yield _gauge("writes_stopped", "1: a person stopped all writes.", int(stopped))
            yield from _of_agents(figures, self._remotes)
            yield from _waiting(figures, now)
            yield from _of_webhooks(figures.webhooks, now)
            if renewed is not None:
                left = (renewed + PURGED_AFTER - now) / _DAY
                yield _gauge("consent_days_left", "Until the consent is forgotten unless it is renewed.", left)
        yield from self._of_service()
        yield from self._of_files(now)

    def _of_service(self) -> Iterator[Metric]:
        tick = self._around.last_tick()
        if tick is not None:
            yield _gauge("last_tick_timestamp_seconds", "When the service last looked for work.", tick.timestamp())
        queues = _family("queue_length", "What waits in the service.", "queue")
        for name, length in self._around.queues().items():
            queues.add_metric((name,), length)
        yield queues
        delays = HistogramMetricFamily(
            f"{PREFIX}delay_seconds", "How long changes take through the gateway, by promise.", labels=("promise",)
        )
        for each in self._around.delays():
            delays.add_metric((each.promise,), _cumulative(each), each.total)
        yield delays

    def _of_files(self, now: datetime) -> Iterator[Metric]:
        days = _family("certificate_days_left", "Until a configured certificate or authority is over.", "certificate")
        found = [*(_days("client", p, now, n) for n, p in self._around.certificates.items())]
        found += [_days("authority", p, now, n) for n, p in self._around.authorities.items()]
        for name, left in filter(None, found):
            days.add_metric((name,), left)
        yield days
        if self._around.directory is not None:
            usage = shutil.disk_usage(self._around.directory)
            yield _gauge("disk_free_bytes", "Of the file system that holds the database.", usage.free)
            yield _gauge("disk_size_bytes", "Of the file system that holds the database.", usage.total)


def _of_agents(figures: Figures, remotes: Iterable[str]) -> Iterator[Metric]:
    agents = _family("agents", "Enrolled agents.", "state")
    for state, count in sorted(figures.states.items()):
        agents.add_metric((state,), count)
    yield agents
    ages = _family(
        "agents_by_age", "Synced agents by the age of their last complete sync, below which it is.", "system", "age"
    )
    systems = sorted({system for system, _ in figures.ages} | set(remotes))
    for system in systems:
        for age in (*AGES, OLDER):
            ages.add_metric((system, age), figures.ages.get((system, age), 0))
    yield ages


def _waiting(figures: Figures, now: datetime) -> Iterator[Metric]:
    holds = _family("holds", "Operations that wait for a person.", "reason", "op_class")
    oldest = _family("oldest_hold_seconds", "For how long the first of them waits.", "reason", "op_class")
    for of, (count, since) in sorted(figures.holds.items()):
        holds.add_metric(of, count)
        oldest.add_metric(of, (now - since).total_seconds())
    yield from (holds, oldest)
    conflicts = _family("conflicts", "Conflicts that are there now.", "kind")
    for kind, count in sorted(figures.conflicts.items()):
        conflicts.add_metric((kind,), count)
    yield conflicts
    yield _gauge("open_writes", "Writes whose outcome is not known yet.", figures.open_writes)
    first = figures.first_open_write
    age = 0.0 if first is None else (now - first).total_seconds()
    yield _gauge("oldest_open_write_seconds", "For how long the first of them is open.", age)
    if figures.rdvs_read_at is not None:
        read = figures.rdvs_read_at.timestamp()
        yield _gauge("rdvs_read_timestamp_seconds", "When RDVs were last asked for by polling.", read)
    yield _gauge("database_bytes", "Size of the database.", figures.database_bytes)


def _of_webhooks(webhooks: Webhooks, now: datetime) -> Iterator[Metric]:
    yield _gauge("webhook_endpoints", "Organisations with an endpoint.", webhooks.endpoints)
    # Kept in the database: they go on after a restart.
    yield CounterMetricFamily(f"{PREFIX}webhooks", "Deliveries taken in.", value=webhooks.received)
    yield CounterMetricFamily(
        f"{PREFIX}lost_webhooks", "Changes that a reading found and no delivery told of.", value=webhooks.lost
    )
    yield _gauge("waiting_webhooks", "Deliveries taken in and not applied yet.", webhooks.waiting)
    first = webhooks.first_waiting
    waits = 0.0 if first is None else (now - first).total_seconds()
    yield _gauge("oldest_waiting_webhook_seconds", "For how long the first of them waits.", waits)
    last = webhooks.last_received_at
    if last is not None:
        yield _gauge("last_webhook_timestamp_seconds", "When a delivery was last taken in.", last.timestamp())


def _cumulative(delays: DelayCounts) -> list[tuple[str, float]]:
    buckets, seen = [], 0
    for bound, count in zip((*delays.bounds, None), delays.counts, strict=True):
        seen += count
        buckets.append(("+Inf" if bound is None else str(float(bound)), float(seen)))
    return buckets


def _days(kind: str, path: Path, now: datetime, name: str) -> tuple[str, float] | None:
    """None: the file cannot be read, which the requests that need it say louder."""
    try:
        # Of a client's file, the first certificate is its own; of authorities, the first to expire counts.
        found = certificates_in(path)[0] if kind == "client" else authorities_in(path)[0]
    except (OSError, ValueError):
        return None
    return f"{kind} {name}", (found.not_after - now) / _DAY


def _family(name: str, text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, labels=labels)


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(PREFIX + name, text, value=value)
