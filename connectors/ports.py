"""Ports that connectors implement. The gateway knows these and no concrete class (but for its composition)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from connectors.deliveries import Delivery
from connectors.records import (
    Absence,
    AbsenceDraft,
    AbsenceListing,
    Agent,
    CalendarChanges,
    CalendarEvent,
    CalendarInfo,
    CalendarItem,
    CalendarMark,
    EventDraft,
    Motif,
    Organisation,
    RdvListing,
    RdvWindow,
    ReadingScope,
    ServerTrait,
    WebhookEndpoint,
)


class CalendarAccount(Protocol):
    """One set of credentials on one calendar server, with every calendar reachable through it.

    Safe to call from several threads. Every method may raise `RetryLater`, `AgentMustAct`, `ITMustAct`
    (`RightsMissing`) or `OurBug`; what else it raises is said with it.
    """

    @property
    def name(self) -> str:
        """The account's name in the configuration; `system` of every error."""

    @property
    def host(self) -> str:
        """Which server it is, for limits per server: `host:port`."""

    @property
    def requests(self) -> int:
        """How many requests were sent since it was built."""

    def discover(self) -> tuple[CalendarInfo, ...]:
        """All calendars of the account. None at all is an `ITMustAct`, never an empty answer."""

    def look(self) -> tuple[CalendarMark, ...]:
        """One request for the whole home: what each of its calendars says about change."""

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        """Whether a calendar is to be read although its mark is the one of the last reading. Sends nothing."""

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None = None
    ) -> CalendarChanges:
        """What changed since `cursor`; a whole listing when it is None or when the server refuses it.

        `known`: href -> version of all that is stored, so that only other versions are fetched; "" for a version: its
        body is wanted whatever it is. `scope`: what matters, None for everything; what lies outside may be told
        later, and is never told to be gone for that.
        Raises `ITMustAct` when the calendar itself is gone or is a listing in disguise (no row of its own
        with 200, or a row in error).
        """

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        """One item, or None when it is proven gone: 404 on it while its calendar answers."""

    def parse(self, item: CalendarItem) -> CalendarEvent | None:
        """The event in an item; None when it holds none (VTODO, VJOURNAL). Pure. Raises `BadItem`."""

    def create(self, calendar: str, draft: EventDraft) -> CalendarItem:
        """Write a new item at `<uid>.ics`; returns it as re-read after the write.

        Raises `Stale` when something is already there, `BadItem` when refused, `AnswerLost`.
        """

    def update(self, calendar: str, item: CalendarItem, draft: EventDraft, *, notes: bool) -> CalendarItem:
        """Make our fields of `item` what `draft` says, only if it still has `item.version`; as re-read after.

        Our fields are times, title, place, link, status, transparency, class and marker; what a person added
        (alarms, categories, other properties) stays. The description is ours only when `notes` is true.
        Raises `Stale`, `BadItem`, `AnswerLost`.
        """

    def delete(self, calendar: str, item: CalendarItem) -> None:
        """Remove `item`, only if it still has `item.version`. Gone already is success. `Stale`, `AnswerLost`."""

    def put_back(self, calendar: str, href: str, body: bytes, replacing: CalendarItem | None) -> CalendarItem:
        """Make an item what it once was, as its server gave it then; as re-read after the write.

        `replacing`: what is there now, only if it still has that version; None: only when nothing is there.
        Raises `Stale`, `BadItem`, `AnswerLost`.
        """

    def href_of(self, calendar: str, uid: str) -> str:
        """Where `create` puts a draft with this UID. Pure."""

    def traits(self) -> tuple[ServerTrait, ...]:
        """What is known of the server: by its kind, by what it announced, and by what it was caught at."""

    def close(self) -> None:
        """Give connections back."""


class RdvSolidarites(Protocol):
    """RDV-Solidarités as one technical account sees it. Thread-safe. Errors as for `CalendarAccount`."""

    @property
    def requests(self) -> int:
        """How many requests were sent since it was built."""

    @property
    def read_timeout(self) -> float:
        """Seconds after which an answer is given up."""

    def organisations(self) -> tuple[Organisation, ...]:
        """Every organisation visible to the account."""

    def agents(self, organisation_id: int | None = None) -> tuple[Agent, ...]:
        """Agents visible, of one organisation or all. An organisation that is not ours is ignored by the server:
        never ask for one that `organisations` did not list."""

    def motifs(self, organisation_id: int) -> tuple[Motif, ...]:
        """Motifs of an organisation that `organisations` listed."""

    def webhook_endpoints(self, organisation_id: int) -> tuple[WebhookEndpoint, ...]:
        """Those of an organisation that `organisations` listed. 403 raises `RightsMissing`: some roles see none."""

    def rdvs(self, organisation_id: int, windows: Sequence[RdvWindow]) -> RdvListing:
        """RDVs whose start lies in the windows. A window that does not fit one page is split until it does; the
        answer holds the windows as they were read, so that the caller can ask for those next time."""

    def absences(self) -> AbsenceListing:
        """Every absence visible, past ones too: the API has no filter."""

    def absence(self, absence_id: int) -> Absence | None:
        """One absence; None = 404, proven gone. 403 raises `RightsMissing`."""

    def create_absence(self, draft: AbsenceDraft) -> Absence:
        """Not idempotent. Raises `BadItem` (422), `RightsMissing`, `AnswerLost`."""

    def update_absence(self, absence_id: int, draft: AbsenceDraft) -> Absence:
        """All four date and time fields at once. Raises `Stale` when it is gone (404), `BadItem`, `AnswerLost`."""

    def delete_absence(self, absence_id: int) -> None:
        """Gone already (404) is success. Raises `RightsMissing`, `AnswerLost`."""

    def close(self) -> None:
        """Give connections back."""


class RdvSolidaritesAccount(RdvSolidarites, Protocol):
    """What a check of the technical account asks beside what a sync does."""

    def me(self) -> Agent | None:
        """The agent behind the credentials; None where the instance has no such endpoint."""

    def webhooks_listable(self, organisation_id: int) -> bool:
        """Whether the account may list the webhook endpoints of an organisation; False for a refusal (403)."""

    def create_webhook_endpoint(
        self, organisation_id: int, target_url: str, secret: str, subscriptions: Collection[str]
    ) -> WebhookEndpoint:
        """Unless "absence" is among `subscriptions`, the server then sends "created" for every record there is of what
        they name. Raises `BadItem` (the address is taken), `RightsMissing`, `AnswerLost`."""

    def update_webhook_endpoint(
        self, endpoint: WebhookEndpoint, *, secret: str, subscriptions: Collection[str]
    ) -> WebhookEndpoint:
        """Everything is sent again as after a creation, whatever changed. Raises as that, and `Stale`."""


class WebhookDoor(Protocol):
    """What knows the webhooks of RDV-Solidarités. Pure, thread-safe."""

    @property
    def signature_header(self) -> str:
        """The name of the header that holds the signature of the raw body."""

    def sign(self, secret: str, body: bytes) -> str:
        """The signature of a raw body."""

    def is_signed(self, body: bytes, signature: str, secrets: Iterable[str]) -> bool:
        """Whether one of the secrets signed the raw body, in constant time."""

    def read(self, body: bytes) -> Delivery | None:
        """What a body says; None when it is about something of no interest. Raises `BadItem` for what is no webhook."""


@runtime_checkable
class TellsTime(Protocol):
    """A remote whose answers say what time it is there."""

    @property
    def clock_offset(self) -> timedelta | None:
        """How far its clock was ahead of ours at its last answer; None when no answer told."""


class Clock(Protocol):
    """Time as a value that can be injected."""

    def now(self) -> datetime:
        """The current instant, UTC, aware."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
