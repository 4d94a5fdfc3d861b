"""What `rdv-gateway serve` takes from here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from apscheduler.triggers.interval import IntervalTrigger
from starlette.routing import BaseRoute

from gateway.api.delivering import Deliverer, Receiver
from gateway.api.limiting import RateLimit
from gateway.api.resources import Resources
from gateway.api.routes import api_routes
from gateway.api.telling import Teller
from gateway.api.tokens import Authenticator
from gateway.composition import Application, network_of
from gateway.settings import Settings

_LOOK, _SEND = 10, 5


class BusinessJob(NamedTuple):
    """Something to do now and then. `trigger`: of APScheduler."""

    name: str
    trigger: Any
    call: Callable[[], object]


def public_routes(application: Application) -> Sequence[BaseRoute]:
    """The read API, for the public listener. Without a token nothing of it is read."""
    settings, store, clock = application.settings, application.store, application.clock
    return api_routes(
        Resources(store, clock, settings.alerts.stale_after),
        Authenticator(store, clock),
        RateLimit(settings.business.requests_per_minute, time.monotonic),
    )


def business_jobs(application: Application) -> tuple[BusinessJob, ...]:
    """One that looks for what changed, and one for each webhook, so that one that is slow delays no other; none
    without a webhook. Raises `SettingsError` when a secret is missing."""
    store, clock = application.store, application.clock
    receivers = receivers_of(application.settings)
    if not receivers:
        return ()
    teller = Teller(store, clock, tuple(each.name for each in receivers))
    jobs = [BusinessJob("business events", IntervalTrigger(seconds=_LOOK, jitter=2), teller.look)]
    jobs += [
        BusinessJob(
            f"business webhook {each.name}",
            IntervalTrigger(seconds=_SEND, jitter=2),
            Deliverer(store, each, clock).deliver,
        )
        for each in receivers
    ]
    return tuple(jobs)


def receivers_of(settings: Settings) -> tuple[Receiver, ...]:
    """Those that are configured. Raises `SettingsError` when a secret is missing."""
    network = network_of(settings, settings.rdv_solidarites)
    return tuple(
        Receiver(each.name, each.address(), each.key(), network, each.events, each.organisations)
        for each in settings.business.webhooks
    )
