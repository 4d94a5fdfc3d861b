"""Neutral records that connectors speak, whatever the wire.

Times: an *instant* is an aware `datetime`; a *wall-clock* is a naive `datetime` whose zone is known elsewhere
(RDV-Solidarités' absences: the agent's zone); an iCalendar time (`EventTime`) says which by its type.
Personal text (title, place, notes) exists in these records in memory only.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

# --- calendar side -------------------------------------------------------------------------------------------

EventTime = date | datetime
"""RFC 5545 DTSTART and the like. A `date` is all-day. An aware `datetime` carries a `ZoneInfo` or `datetime.UTC`
(a custom VTIMEZONE is resolved to the IANA zone that it equals). A naive `datetime` means *floating* (form 1 of
section 3.3.5) and nothing else: a TZID that cannot be resolved is a `BadItem`, never a naive time."""


class Transparency(StrEnum):
    """RFC 5545 section 3.8.2.7."""

    OPAQUE = "OPAQUE"
    TRANSPARENT = "TRANSPARENT"


class EventStatus(StrEnum):
    """RFC 5545 section 3.8.1.11, for VEVENT. Absent in the source means CONFIRMED here."""

    CONFIRMED = "CONFIRMED"
    TENTATIVE = "TENTATIVE"
    CANCELLED = "CANCELLED"


class BusyStatus(StrEnum):
    """What Outlook and Exchange know beyond TRANSP and STATUS (X-MICROSOFT-CDO-BUSYSTATUS; EWS
    LegacyFreeBusyStatus; Graph showAs). Free and tentative are told by `Transparency` and `EventStatus`."""

    OUT_OF_OFFICE = "OOF"
    ELSEWHERE = "WORKINGELSEWHERE"


class Classification(StrEnum):
    """RFC 5545 section 3.8.1.3. Unknown values are PRIVATE, as the RFC asks."""

    PUBLIC = "PUBLIC"
    PRIVATE = "PRIVATE"
    CONFIDENTIAL = "CONFIDENTIAL"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """What makes a series of a component: texts and values as in RFC 5545 section 3.8.5."""

    # RRULE values without the property name, e.g. "FREQ=WEEKLY;BYDAY=MO"; hidden, an X- part may hold anything.
    rules: tuple[str, ...] = field(default=(), repr=False)
    dates: tuple[EventTime, ...] = ()  # RDATE (of a PERIOD: its start; see period_ends)
    period_ends: tuple[tuple[EventTime, EventTime], ...] = ()  # (start, end) of each RDATE given as PERIOD
    excluded: tuple[EventTime, ...] = ()  # EXDATE

    def __bool__(self) -> bool:
        return bool(self.rules or self.dates)


@dataclass(frozen=True, slots=True)
class EventComponent:
    """One VEVENT: a single event, the master of a series, or one override of it (`recurrence_id` set).

    `end` is exclusive (RFC 5545 section 3.6.1) and always filled: DTEND, or DTSTART + DURATION, or, with neither,
    the next day for a date and `start` itself for a time (zero length).
    """

    start: EventTime
    end: EventTime
    recurrence: Recurrence = Recurrence()
    recurrence_id: EventTime | None = None
    this_and_future: bool = False  # RECURRENCE-ID;RANGE=THISANDFUTURE
    transparency: Transparency = Transparency.OPAQUE
    status: EventStatus = EventStatus.CONFIRMED
    classification: Classification = Classification.PUBLIC
    declined: bool = False  # the calendar's owner answered DECLINED, where the connector can tell
    busy_status: BusyStatus | None = None
    categories: tuple[str, ...] = field(default=(), repr=False)
    summary: str = field(default="", repr=False)
    location: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    url: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One calendar object resource: all components that share a UID under one href (RFC 4791 section 4.1)."""

    uid: str
    components: tuple[EventComponent, ...]  # master first if there is one; an override may stand alone
    marker: str | None = None  # value of X-RDV-GATEWAY, verified by nobody yet
    product_id: str = ""  # PRODID of the VCALENDAR


@dataclass(frozen=True, slots=True)
class CalendarItem:
    """One stored item as the server gave it. Identity is (calendar, href); UID is only an attribute of the body.

    `href`: percent-decoded path on the server, or an item id. `version`: ETag or change key, opaque, "" if the
    server gave none. `modified`: the server's getlastmodified, "" if unknown (an equal ETag with another
    `modified` is another version: SOGo).
    """

    href: str
    version: str
    body: bytes = field(repr=False)
    modified: str = ""


@dataclass(frozen=True, slots=True)
class Reminder:
    """An alarm that shows `text` so many minutes before an event starts (RFC 5545 section 3.6.6, DISPLAY)."""

    minutes_before: int
    text: str


@dataclass(frozen=True, slots=True)
class EventDraft:
    """What we want an event of ours to be. Never an organizer or an attendee.

    `start`/`end` as in EventComponent. `recurrence` only for a recurring absence of RDV-Solidarités. `category`,
    `color` (a CSS3 name, RFC 7986 section 5.9) and `reminder` are written into a new event only: from then on they
    are the agent's, and an update leaves alone what is there.
    """

    uid: str
    marker: str
    start: EventTime
    end: EventTime
    summary: str = field(repr=False)
    location: str = field(default="", repr=False)
    description: str = field(default="", repr=False)
    url: str = field(default="", repr=False)
    recurrence: Recurrence = Recurrence()
    transparency: Transparency = Transparency.OPAQUE
    status: EventStatus = EventStatus.CONFIRMED
    classification: Classification = Classification.PRIVATE
    category: str = ""
    color: str = ""
    reminder: Reminder | None = None


@dataclass(frozen=True, slots=True)
class CalendarInfo:
    """A calendar found by discovery. `calendar` is its identity in every call: the decoded path or folder id."""

    calendar: str
    name: str
    writable: bool | None = None  # None: the server does not say


@dataclass(frozen=True, slots=True)
class CalendarMark:
    """What one look at a home says of one calendar, enough to know whether to read it.

    `mark` equal to the one stored with the last complete reading = unchanged; "" = cannot tell, read it.
    """

    calendar: str
    mark: str


@dataclass(frozen=True, slots=True)
class CalendarChanges:
    """Answer to "what changed since this cursor".

    `complete`: True = a whole proven listing: an href of `known` that is not in `present` is gone.
    False = a delta: only `removed` is gone, each proven by a GET that says 404 while its calendar answers 200.
    `present` is filled for a complete listing only. `items` hold what is new or has another version.
    `unreadable`: (href, version, reason) of items that the server lists but does not give, or that exceed a limit.
    `more`: the bodies were too many for one answer; ask again, with this cursor and with these items among `known`.
    """

    cursor: str
    mark: str
    complete: bool
    items: tuple[CalendarItem, ...]
    removed: frozenset[str] = frozenset()
    present: frozenset[str] = frozenset()
    unreadable: tuple[tuple[str, str, str], ...] = ()
    more: bool = False


@dataclass(frozen=True, slots=True)
class ReadingScope:
    """What of a calendar matters, for servers that cannot say what changed and hold too much to list each time.

    `start`, `end`: instants; what happens between them. `hrefs`: items that matter wherever they lie in time.
    """

    start: datetime
    end: datetime
    hrefs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ServerTrait:
    """One thing known of a calendar server, for people. `basis`: how it is known, e.g. "tested" or "assumed"."""

    name: str
    value: str
    basis: str


# --- RDV-Solidarités side ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Organisation:
    id: int
    name: str
    phone_number: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where an organisation's events are sent to. Its secret is never given; only the web page can delete it."""

    id: int
    organisation_id: int
    target_url: str = field(repr=False)  # may hold a secret of its receiver's
    subscriptions: frozenset[str] = frozenset()  # in the API's words: rdv, absence, ...


@dataclass(frozen=True, slots=True)
class Agent:
    """An agent as listed. `email` is None for an intervenant."""

    id: int
    email: str | None
    first_name: str
    last_name: str


@dataclass(frozen=True, slots=True)
class Motif:
    id: int
    name: str
    service_id: int | None
    location_type: str
    collectif: bool = False


class UsagerField(StrEnum):
    """A usager's fields that can be chosen, by name. Remarks and social fields (family, housing, benefits, case
    number) are not among them, so no configuration can ask for them."""

    FIRST_NAME = "first_name"
    LAST_NAME = "last_name"
    PHONE_NUMBER = "phone_number"
    EMAIL = "email"
    ADDRESS = "address"  # also the street of a home visit
    BIRTH_DATE = "birth_date"


@dataclass(frozen=True, slots=True)
class RdvSelection:
    """What of an RDV's personal content may pass the connector's door: what some rule shows. By default nothing.

    `context`: what agents wrote in the RDV's context.
    """

    usager_fields: frozenset[UsagerField] = frozenset()
    context: bool = False


@dataclass(frozen=True, slots=True)
class Participation:
    """One usager's part in an RDV. `usager`: the fields that passed the door and are not empty, each once.

    `responsible_id`: the usager who answers for this one, a child's parent. `notified`: whether the usager is told of
    what becomes of the RDV; False too when the API does not say, since what is hidden from a usager leaves no other
    trace (API facts, 6.5).
    """

    id: int
    status: str
    usager_id: int | None = None
    usager: tuple[tuple[UsagerField, str], ...] = field(default=(), repr=False)
    responsible_id: int | None = field(default=None, kw_only=True)
    notified: bool = field(default=False, kw_only=True)

    def said(self, of: UsagerField) -> str:
        """That field of the usager; "" when it was not chosen, or is not known."""
        return next((value for name, value in self.usager if name is of), "")


class RdvStatus(StrEnum):
    """The five values known; `Rdv.status` is a plain string since others may come (API facts, 6.1)."""

    UNKNOWN = "unknown"
    SEEN = "seen"
    NOSHOW = "noshow"
    EXCUSED = "excused"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True)
class Rdv:
    """An RDV, reduced to what the gateway may know.

    `starts_at`/`ends_at`: wall-clock (naive), taken from the string; `time_zone` is its zone when the API gives
    one, else None and the organisation's configured zone holds (API facts, 5.5). `starts_at_server`: the instant
    that the server compares in `starts_after`/`starts_before`, give or take 12 h overseas.
    """

    id: int
    uuid: str
    status: str
    starts_at: datetime
    ends_at: datetime
    starts_at_server: datetime
    time_zone: str | None
    organisation_id: int
    agent_ids: tuple[int, ...]
    motif_id: int | None
    motif_name: str = field(repr=False)  # may say why somebody sees a social worker
    service_id: int | None
    location_type: str
    collectif: bool
    users_count: int | None = None
    max_participants_count: int | None = None
    title: str = field(default="", repr=False)  # name of a collective RDV
    lieu_name: str = field(default="", repr=False)
    lieu_address: str = field(default="", repr=False)  # a home visit's street only if chosen
    context: str = field(default="", repr=False)  # only if chosen
    participations: tuple[Participation, ...] = ()
    url: str = ""  # the RDV's page in RDV-Solidarités
    phone_number: str = field(default="", repr=False)  # of the lieu, else of the organisation; never an usager's
    visio_url: str = field(default="", repr=False)  # where to meet; whoever has it can come in
    lieu_id: int | None = None
    organisation_phone: str = field(default="", repr=False)  # of the organisation alone: a lieu's may say why

    def only(self, selection: RdvSelection) -> Rdv:
        """The same RDV as if no more than that had passed the door."""
        chosen = selection.usager_fields
        at_home = self.location_type == "home"
        return replace(
            self,
            lieu_address="" if at_home and UsagerField.ADDRESS not in chosen else self.lieu_address,
            context=self.context if selection.context else "",
            participations=tuple(
                replace(each, usager=tuple(pair for pair in each.usager if pair[0] in chosen))
                for each in self.participations
            ),
        )

    @property
    def cancelled(self) -> bool:
        """By status alone: `cancelled_at` is also set for a no-show (API facts, 6.1)."""
        return self.status in (RdvStatus.EXCUSED, RdvStatus.REVOKED)


@dataclass(frozen=True, slots=True)
class AbsenceDraft:
    """What we want an absence to be. Wall-clock in the agent's zone; `start` < `end`."""

    agent_id: int
    title: str = field(repr=False)
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Absence:
    """An absence as read. Wall-clock in the agent's zone. `rrule`: the API's odd text, None if not recurring."""

    id: int
    agent_id: int
    title: str = field(repr=False)
    start: datetime
    end: datetime
    rrule: str | None = None


@dataclass(frozen=True, slots=True)
class AbsenceListing:
    """Every absence visible. `complete`: all pages with equal total_count and as many distinct ids.

    `requested_at`: UTC instant at which the first page was asked for.
    `unreadable`: (absence id, reason) of records set aside: they are there, never to be taken for gone.
    """

    absences: tuple[Absence, ...]
    complete: bool
    requested_at: datetime
    unreadable: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True)
class RdvWindow:
    """A window that was read to its end: a single page, or twice with the same ids when it cannot shrink.

    `start` and `end` are UTC instants as sent in `starts_after` and `starts_before`, both inclusive.
    """

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class RdvListing:
    """RDVs of one organisation over windows. What lies outside `windows` was not read to its end.

    `unreadable`: (rdv id or None, reason) of records set aside.
    """

    organisation_id: int
    rdvs: tuple[Rdv, ...]
    windows: tuple[RdvWindow, ...]
    requested_at: datetime
    unreadable: tuple[tuple[int | None, str], ...] = ()
