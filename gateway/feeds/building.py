"""A link's feed as it is now, made from the database alone.

Each entry's version is kept: it moves only when the entry changes, so that equal data give equal bytes whoever asks,
and however often.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from connectors.icalendar_feed import FeedEntry, FeedHead, Version, render_feed
from connectors.records import EventStatus, EventTime
from gateway.feeds import texts
from gateway.feeds.values import FeedLink
from gateway.languages import translation
from gateway.settings_feeds import FeedsSection
from gateway.store.feeds import FeedTables
from gateway.store.store import Store
from mappings.feed_entries import FeedRules, absence_entry, plage_entry, rdv_entry
from mappings.feed_levels import Purpose
from mappings.identity import Identity

_COLOR = "steelblue"
_ZONE_DOUBT = timedelta(days=1)
_DAY = timedelta(days=1)
_RENEWED_BY = _DAY  # a link is not written anew for less


@dataclass(frozen=True, slots=True)
class Content:
    """A feed. `changed_at`: since when it is as it is, whole seconds."""

    head: FeedHead
    entries: tuple[tuple[FeedEntry, Version], ...] = field(repr=False)
    changed_at: datetime

    def render(self, source: str = "") -> bytes:
        """The file. `source`: where it is had."""
        return render_feed(replace(self.head, source=source), self.entries)


@dataclass(frozen=True, slots=True)
class _Made:
    entries: tuple[tuple[FeedEntry, Version], ...]
    changed: Mapping[str, tuple[str, Version]]
    digest: str


@dataclass(frozen=True, slots=True)
class FeedBuilder:
    """Makes feeds. Thread-safe. `zone`: of what names none."""

    store: Store
    feeds: FeedsSection
    identity: Identity
    zone: ZoneInfo
    organisation_zones: Mapping[int, ZoneInfo] = field(default_factory=dict)

    def build(self, link: FeedLink, now: datetime) -> Content:
        """The feed of an open link. Writes only when something in it changed since it was made last."""
        now = now.astimezone(UTC).replace(microsecond=0)
        zone = self._zone(link)
        with self.store.feeds() as tables:
            made = self._made(tables, link, zone, now)
        if made.changed or link.changed_at is None or made.digest != link.content_digest or self._renewal(link, made):
            return self._kept(link, zone, now)
        return Content(self.head(link), made.entries, link.changed_at)

    def next_day(self, link: FeedLink, now: datetime) -> datetime:
        """When the window of a feed moves next."""
        zone = self._zone(link)
        tomorrow = now.astimezone(zone).date() + _DAY
        return datetime.combine(tomorrow, time.min, tzinfo=zone).astimezone(UTC)

    def head(self, link: FeedLink) -> FeedHead:
        """What the feed says of itself."""
        name = translation(link.language)(texts.NAMES[link.purpose])
        return FeedHead(name, timedelta(minutes=self.feeds.refresh_minutes), _COLOR, link.language.value)

    def emptied(self, link: FeedLink, since: datetime) -> Content:
        """The feed of a closed link, so that programs take away what they showed."""
        return Content(self.head(link), (), since.astimezone(UTC).replace(microsecond=0))

    def _kept(self, link: FeedLink, zone: ZoneInfo, now: datetime) -> Content:
        """Made again where nobody else writes: two who ask at once must not make two versions of one change."""
        with self.store.transaction() as tx:
            current = tx.feeds.link(link.id) or link
            made = self._made(tx.feeds, current, zone, now)
            tx.feeds.save_versions(link.id, made.changed)
            changed_at = current.changed_at
            if changed_at is None or made.digest != current.content_digest:
                changed_at = now
                tx.feeds.save_content(link.id, made.digest, at=now)
            renewed = self._renewal(current, made)
            if renewed is not None:
                tx.feeds.prolong(link.id, renewed)
        return Content(self.head(link), made.entries, changed_at)

    def _renewal(self, link: FeedLink, made: _Made) -> datetime | None:
        """Until when the RDVs that are shown keep the link valid, if that is later."""
        ends = [_instant(entry.end) for entry, _ in made.entries if entry.status is EventStatus.CONFIRMED]
        last = max(ends, default=link.created_at) + self.feeds.validity
        return last if last >= link.expires_at + _RENEWED_BY else None

    def _zone(self, link: FeedLink) -> ZoneInfo:
        if link.purpose is Purpose.AGENT and (agent := self.store.agent(link.subject)) is not None:
            return agent.zone
        return self.zone

    def _made(self, tables: FeedTables, link: FeedLink, zone: ZoneInfo, now: datetime) -> _Made:
        today = now.astimezone(zone).date()
        known = tables.versions(link.id)
        entries: list[tuple[FeedEntry, Version]] = []
        changed: dict[str, tuple[str, Version]] = {}
        for entry in self._entries(tables, link, zone, today):
            digest = tables.digest(_canonical(entry))
            before = known.get(entry.uid)
            cancelled = entry.status is EventStatus.CANCELLED
            if before is None:
                if cancelled:
                    continue  # nobody ever read it otherwise
                version = Version(0, now)
            elif before[0] == digest:
                version = before[1]
            else:
                version = Version(before[1].sequence + 1, now)
            if before is None or before[0] != digest:
                changed[entry.uid] = (digest, version)
            if cancelled and version.changed_at.astimezone(zone).date() + _DAY * self.feeds.cancelled_days < today:
                continue
            entries.append((entry, version))
        body = render_feed(self.head(link), entries)
        return _Made(tuple(entries), changed, tables.digest(body))

    def _entries(self, tables: FeedTables, link: FeedLink, zone: ZoneInfo, today: date) -> Iterable[FeedEntry]:
        first, last = today - _DAY * link.past_days, today + _DAY * link.future_days
        rules = FeedRules(
            purpose=link.purpose,
            level=link.level,
            zone=zone,
            identity=self.identity,
            motifs=self.feeds.to_motifs(),
            organisation_zones=tuple(self.organisation_zones.items()),
            phone=self.feeds.phone_of(link.organisation_id),
            translate=translation(link.language),
        )
        start = datetime.combine(first, time.min, tzinfo=zone) - _ZONE_DOUBT
        end = datetime.combine(last, time.max, tzinfo=zone) + _ZONE_DOUBT
        found = [rdv_entry(rdv, link.subject, rules) for rdv in tables.rdvs(link, start, end)]
        if link.purpose is Purpose.AGENT:
            found += [absence_entry(each, link.subject, rules) for each in tables.absences(link.subject)]
            found += [plage_entry(each, link.subject, rules) for each in tables.plages(link.subject)]
        return (each for each in found if each is not None and _is_within(each, first, last))


def _is_within(entry: FeedEntry, first: date, last: date) -> bool:
    """A series is, as long as it has begun by then: where it ends, programs know."""
    return _day(entry.start) <= last and (bool(entry.rule) or _day(entry.end) >= first)


def _day(moment: EventTime) -> date:
    return moment.date() if isinstance(moment, datetime) else moment


def _instant(moment: EventTime) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC)
    return datetime(moment.year, moment.month, moment.day, tzinfo=UTC)


def _canonical(entry: FeedEntry) -> bytes:
    """All that an entry says, in one form for equal entries."""
    return repr([_plain(getattr(entry, each.name)) for each in fields(entry)]).encode(errors="surrogatepass")


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return f"{value.isoformat()} {value.tzinfo}"
    return value.isoformat() if isinstance(value, date) else str(value)
