"""RDVs, absences and plages d'ouverture as entries of a feed.

Fails closed. An usager's feed holds an RDV only if its motif is on the département's list and the participation is
one that the usager is notified of: an RDV that RDV-Solidarités hides from an usager leaves no other trace in its API.
What is unknown is not there, and what a level does not name (`feed_levels.SHOWN`) is not said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.deliveries import PlageOuverture
from connectors.errors import BadItem
from connectors.icalendar_feed import FeedEntry
from connectors.records import Absence, EventStatus, EventTime, Participation, Rdv, RdvStatus, Transparency
from connectors.vtimezones import VTIMEZONES
from mappings import feed_texts as texts
from mappings.absence_event import absence_draft
from mappings.feed_levels import SHOWN, FeedField, Level, Purpose
from mappings.identity import Identity
from mappings.rdv_event import rdv_zone
from mappings.texts import Translate, source_text
from mappings.wallclock import to_instant

_CANCELLED = (RdvStatus.EXCUSED, RdvStatus.REVOKED)
_KNOWN = frozenset(RdvStatus)
_LONGEST = timedelta(days=31)


@dataclass(frozen=True, slots=True)
class MotifList:
    """The motifs that usagers may see in a feed, by id or by name (spaces and case do not count). By default none."""

    ids: frozenset[int] = frozenset()
    names: frozenset[str] = frozenset()

    def holds(self, rdv: Rdv) -> bool:
        """Whether the RDV's motif is one of them."""
        name = _plain(rdv.motif_name)
        return rdv.motif_id in self.ids or (bool(name) and name in {_plain(each) for each in self.names})


@dataclass(frozen=True, slots=True)
class FeedRules:
    """How the entries of one feed are made. `zone`: of RDVs that name none, and of absences. `motifs`: of an usager's
    feed. `phone`: where the API names no organisation's."""

    purpose: Purpose
    level: Level
    zone: ZoneInfo
    identity: Identity
    motifs: MotifList = MotifList()
    organisation_zones: tuple[tuple[int, ZoneInfo], ...] = ()
    phone: str = field(default="")
    translate: Translate = source_text

    @property
    def shown(self) -> frozenset[FeedField]:
        """What may be said; nothing for a level that this purpose does not have."""
        return SHOWN[self.purpose].get(self.level, frozenset())


def rdv_entry(rdv: Rdv, subject: int, rules: FeedRules) -> FeedEntry | None:
    """An RDV in the feed of `subject`, the id of whoever or whatever the feed is for. None: it is not in it.

    An usager sees their own participation and those of children they answer for; it takes place as long as one of
    these does. Of a lieu and an organisation, only what takes place.
    """
    concerned = _concerned(rdv, subject, rules)
    if concerned is None or not timedelta(0) < rdv.ends_at - rdv.starts_at <= _LONGEST:
        return None
    cancelled = rdv.cancelled or (bool(concerned) and all(each.status in _CANCELLED for each in concerned))
    if cancelled and rules.purpose in (Purpose.LIEU, Purpose.ORGANISATION):
        return None
    zone = rdv_zone(rdv, dict(rules.organisation_zones).get(rdv.organisation_id, rules.zone))
    try:
        start = to_instant(rdv.starts_at, zone).astimezone(zone)
        end = to_instant(rdv.ends_at, zone, start=False).astimezone(zone)
    except OverflowError:
        return None
    prefix = rules.translate(texts.CANCELLED_PREFIX) if cancelled else ""
    return FeedEntry(
        uid=rules.identity.feed_uid("rdv", rdv.id),
        start=start,
        end=end,
        summary=prefix + _title(rdv, rules),
        location=_location(rdv, rules),
        description="\n".join(_lines(rdv, rules)),
        url=rdv.url if FeedField.PAGE in rules.shown else "",
        status=EventStatus.CANCELLED if cancelled else EventStatus.CONFIRMED,
        transparency=Transparency.TRANSPARENT if cancelled else Transparency.OPAQUE,
    )


def absence_entry(absence: Absence, agent_id: int, rules: FeedRules) -> FeedEntry | None:
    """An absence in its agent's feed; None: it is not in it, or cannot be written."""
    neutral = texts.BUSY if rules.level is Level.TIMES else texts.ABSENCE
    return _span(absence, agent_id, rules, kind="absence", neutral=neutral)


def plage_entry(plage: PlageOuverture, agent_id: int, rules: FeedRules) -> FeedEntry | None:
    """A plage d'ouverture in its agent's feed, as time that is free; None as for an absence. Not in a feed of times
    only, which says when the agent is busy."""
    if rules.level is Level.TIMES:
        return None
    start, end = (datetime.combine(plage.first_day, each) for each in (plage.start, plage.end))
    same = Absence(plage.id, plage.agent_id, plage.title, start, end, plage.rrule)
    entry = _span(same, agent_id, rules, kind="plage", neutral=texts.PLAGE)
    return None if entry is None else replace(entry, transparency=Transparency.TRANSPARENT)


def _span(absence: Absence, agent_id: int, rules: FeedRules, *, kind: str, neutral: str) -> FeedEntry | None:
    if rules.purpose is not Purpose.AGENT or absence.agent_id != agent_id:
        return None
    try:
        draft = absence_draft(absence, rules.zone, rules.identity)
    except (BadItem, OverflowError):
        return None
    if draft.recurrence and rules.zone.key not in VTIMEZONES:
        return None  # without its zone it would move when the clocks change
    title = _one_line(absence.title) if FeedField.TITLE in rules.shown else ""
    return FeedEntry(
        uid=rules.identity.feed_uid(kind, absence.id),
        start=_in_zone(draft.start, rules.zone),
        end=_in_zone(draft.end, rules.zone),
        summary=title or rules.translate(neutral),
        rule=next(iter(draft.recurrence.rules), ""),
    )


# --- whose it is ---------------------------------------------------------------------------------------------


def _concerned(rdv: Rdv, subject: int, rules: FeedRules) -> tuple[Participation, ...] | None:
    """The participations of an usager's feed, none for the other purposes; None: the RDV is not in the feed."""
    match rules.purpose:
        case Purpose.USAGER:
            own = tuple(each for each in rdv.participations if _is_seen(each, subject))
            return own if own and rdv.status in _KNOWN and rules.shown and rules.motifs.holds(rdv) else None
        case Purpose.AGENT:
            is_there = subject in rdv.agent_ids
        case Purpose.LIEU:
            is_there = subject == rdv.lieu_id
        case Purpose.ORGANISATION:
            is_there = subject == rdv.organisation_id
    return () if is_there else None


def _is_seen(participation: Participation, usager_id: int) -> bool:
    mine = usager_id in (participation.usager_id, participation.responsible_id)
    return mine and participation.notified and participation.status in _KNOWN


# --- what is said of it --------------------------------------------------------------------------------------


def _title(rdv: Rdv, rules: FeedRules) -> str:
    neutral = rules.translate(texts.BUSY if rules.level is Level.TIMES else texts.RDV)
    if FeedField.MOTIF not in rules.shown:
        return neutral
    collective = _one_line(rdv.title) if rdv.collectif else ""
    return " · ".join(filter(None, (_one_line(rdv.motif_name) or neutral, collective)))


def _location(rdv: Rdv, rules: FeedRules) -> str:
    kind = rules.translate(texts.KINDS[rdv.location_type]) if rdv.location_type in texts.KINDS else ""
    if FeedField.KIND not in rules.shown:
        return ""
    if FeedField.PLACE not in rules.shown:
        return kind
    if rdv.location_type == "home":
        return rules.translate(texts.AT_HOME)
    place = (rdv.lieu_name, rdv.lieu_address) if rdv.location_type == "public_office" else ()
    return ", ".join(filter(None, map(_one_line, place))) or kind


def _lines(rdv: Rdv, rules: FeedRules) -> Iterator[str]:
    if FeedField.VISIO in rules.shown and rdv.visio_url:
        yield rules.translate(texts.JOIN).format(url=rdv.visio_url)
    if FeedField.PHONE in rules.shown and (phone := _one_line(rdv.organisation_phone) or rules.phone):
        yield rules.translate(texts.CALL).format(phone_number=phone)
    if rules.purpose is Purpose.USAGER:
        yield rules.translate(texts.SMS_PREVAILS)


def _in_zone(time: EventTime, zone: ZoneInfo) -> EventTime:
    return time.astimezone(zone) if isinstance(time, datetime) else time


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    return _one_line(text).casefold()
