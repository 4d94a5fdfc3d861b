"""Feeds as a part of the service."""

from __future__ import annotations

from datetime import timedelta

from apscheduler.triggers.interval import IntervalTrigger

from gateway.feeds.building import FeedBuilder
from gateway.feeds.limits import PerMinute
from gateway.feeds.pages import Pages
from gateway.feeds.readers import Readers
from gateway.feeds.routes import FeedParts, feed_routes
from gateway.feeds.serving import FeedServer
from gateway.scheduling.night import NightTask
from gateway.scheduling.service import Extension, Job, Parts
from mappings.identity import Identity

_FLUSH = 60.0
_KEPT_AFTER = timedelta(days=366)


def feeds(parts: Parts) -> Extension:
    """`/ical/…` on the public listener, as soon as `web.base_url` says how links begin."""
    application = parts.application
    settings, store, clock = application.settings, application.store, application.clock
    if settings.web.base_url is None:
        return Extension()
    rdvs = settings.rdv_solidarites
    identity = Identity(application.keys.identity_key, application.keys.instance_id)
    builder = FeedBuilder(store, settings.feeds, identity, rdvs.time_zone, rdvs.organisation_zones)
    readers = Readers(store)
    own = FeedParts(
        FeedServer(store, builder, clock, settings.web.base_url),
        Pages(settings.web.base_url, rdvs.time_zone),
        readers,
        settings.feeds,
        clock,
        PerMinute(settings.feeds.per_link_per_minute),
        PerMinute(settings.feeds.unknown_per_minute),
    )

    def forget() -> int:
        with store.transaction() as tx:
            return tx.feeds.forget(clock.now() - settings.feeds.grace - _KEPT_AFTER)

    return Extension(
        public=feed_routes(own),
        jobs=(Job("feed_use", IntervalTrigger(seconds=_FLUSH), readers.flush),),
        night=(NightTask("forget_feeds", forget),),
    )
