"""What the internal listener tells of the service, put together from the application and the service's own state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from starlette.routing import BaseRoute

from gateway.composition import Application
from gateway.settings import Settings
from gateway.watching.health import Health
from gateway.watching.routes import watching_routes
from gateway.watching.standing import Around, DelayCounts, Standing


@dataclass(frozen=True, slots=True)
class ServiceState:
    """The service as it is at any time. `queues`: how many things wait, by queue. `delays`: since it began."""

    last_tick: Callable[[], datetime | None]
    stopping: Callable[[], bool]
    queues: Callable[[], Mapping[str, int]] = dict
    delays: Callable[[], Iterable[DelayCounts]] = tuple


def internal_routes(application: Application, state: ServiceState) -> Sequence[BaseRoute]:
    """`/healthz`, `/readyz`, `/metrics`. To be called once for an application."""
    metrics, store, now = application.watch.metrics, application.store, application.clock.now
    around = around_of(application.settings, now, state)
    metrics.registry.register(Standing(store, around, metrics.accounts))
    return watching_routes(metrics.registry, Health(store, now, state.last_tick, state.stopping))


def around_of(settings: Settings, now: Callable[[], datetime], state: ServiceState) -> Around:
    """What the configuration names that comes to an end."""
    network, database = settings.network, settings.gateway.database
    certificates = {
        account.name: account.client_certificate_file
        for account in settings.accounts
        if account.client_certificate_file is not None
    }
    if network.client_certificate_file is not None:
        certificates["network"] = network.client_certificate_file
    return Around(
        now=now,
        queues=state.queues,
        delays=state.delays,
        last_tick=state.last_tick,
        certificates=certificates,
        authorities={"network": network.ca_file} if network.ca_file is not None else {},
        directory=database.absolute().parent if isinstance(database, Path) else None,
        consent=settings.rdv_solidarites.oauth is not None,
    )
