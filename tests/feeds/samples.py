"""A département with one listed motif, and links to its feeds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from connectors.records import Participation, Rdv
from gateway.feeds.building import FeedBuilder
from gateway.feeds.links import Links, NewLink, Wish
from gateway.feeds.values import Language
from gateway.settings_feeds import FeedsSection
from gateway.store.store import Store
from mappings.feed_levels import DEFAULT_LEVELS, Level, Purpose
from tests.mappings.samples import IDENTITY
from tests.store.samples import NOW
from tests.store.samples import rdv as sample

PARIS = ZoneInfo("Europe/Paris")
ZOE, CHILD, OTHER = 1_040, 1_041, 1_042
FEEDS = FeedsSection(motifs=(5,), phone="03 21 00 00 00")


class Clock:
    """Stands still."""

    def __init__(self, now: datetime = NOW) -> None:
        self.at = now

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


def rdv(rdv_id: int = 1, usager_id: int = ZOE, days: int = 7, **changes: Any) -> Rdv:
    """An RDV of one notified usager, `days` after the day of `NOW`."""
    start = datetime(2026, 3, 2, 9) + timedelta(days=days)
    made = {
        "starts_at": start,
        "ends_at": start + timedelta(minutes=30),
        "starts_at_server": (start - timedelta(hours=1)).replace(tzinfo=UTC),
        "participations": (Participation(rdv_id * 10, "unknown", usager_id, notified=True),),
        "lieu_id": 8,
        "organisation_phone": "01 02 03 04 05",
    }
    return sample(rdv_id, **(made | changes))


def save(store: Store, *rdvs: Rdv, at: datetime = NOW) -> None:
    digests = {each.id: repr(tuple(getattr(each, name) for name in each.__slots__)) for each in rdvs}
    with store.transaction() as tx:
        tx.save_rdvs(rdvs, digests=digests, agents_epoch=0, read_at=at)


def builder(store: Store, feeds: FeedsSection = FEEDS) -> FeedBuilder:
    return FeedBuilder(store, feeds, IDENTITY, PARIS)


def new_link(
    store: Store,
    purpose: Purpose = Purpose.USAGER,
    subject: int = ZOE,
    *,
    level: Level | None = None,
    language: Language = Language.FRENCH,
    clock: Clock | None = None,
    make_token: Callable[[], str] | None = None,
    feeds: FeedsSection = FEEDS,
) -> NewLink:
    made = Links(store, feeds, clock or Clock(), "tests")
    if make_token is not None:
        made = Links(store, feeds, clock or Clock(), "tests", make_token)
    return made.create([Wish(purpose, subject, level or DEFAULT_LEVELS[purpose], language)])[0]
