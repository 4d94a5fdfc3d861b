"""Webhooks as a part of the service: applied as soon as they are kept; what they change is synced at once."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

from apscheduler.triggers.interval import IntervalTrigger

from gateway.composition import webhook_service
from gateway.scheduling.service import Extension, Job, Parts
from gateway.sync.observe_rdv_solidarites import EVERYWHERE
from gateway.webhooks.service import REFRESH_SECONDS, WebhookService
from gateway.webhooks.subscribing import may_rest

_LOOK, _PACE = 0.1, 60.0
_IDLE = timedelta(minutes=1)
"""Without anything kept a pass is made so often, for what is overdue or old."""
_READINGS_APART = timedelta(seconds=30)
_TRUSTED = 24 * 3600.0
"""Webhooks tell of everything as long as one came within so many seconds."""


class _Hooking:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._clock = parts.application.clock
        self._arrived = threading.Event()
        self._next = self._clock.now()
        self._wanted = False
        self._wished_at: datetime | None = None
        self.service: WebhookService = webhook_service(parts.application, on_kept=self._arrived.set)

    def apply(self) -> None:
        """A pass, if there is anything to do."""
        now = self._clock.now()
        if self._arrived.is_set() or not self._next - _IDLE <= now < self._next:
            self._arrived.clear()
            applied = self.service.apply()
            self._parts.conductor.at_once(applied.agent_ids, since=now)
            self._wanted = self._wanted or applied.reading_wanted
            self._next = now + (_IDLE if applied.again_in is None else timedelta(seconds=applied.again_in))
        if self._wanted and (self._wished_at is None or abs(now - self._wished_at) >= _READINGS_APART):
            self._wanted, self._wished_at = False, now
            self._parts.conductor.read_soon()

    def pace(self) -> None:
        """Read rarely while webhooks tell of changes."""
        settings, store = self._parts.application.settings, self._parts.application.store
        with store.webhooks() as tables:
            rows = tables.endpoints()
        organisations = frozenset(store.organisation_states()) - {EVERYWHERE}
        rests = may_rest(rows, organisations, self._clock.now(), _TRUSTED)
        rare = max(settings.webhooks.rdvs_interval, settings.schedule.rdvs_interval)
        self._parts.conductor.pace_reading(rare if rests else settings.schedule.rdvs_interval)


def webhooks(parts: Parts) -> Extension:
    """Routes and jobs of webhooks."""
    hooking = _Hooking(parts)
    return Extension(
        public=hooking.service.routes,
        jobs=(
            Job("webhooks", IntervalTrigger(seconds=_LOOK), hooking.apply),
            Job("webhook_secrets", IntervalTrigger(seconds=REFRESH_SECONDS), hooking.service.refresh),
            Job("reading_pace", IntervalTrigger(seconds=_PACE), hooking.pace),
        ),
        close=hooking.service.close,
    )
