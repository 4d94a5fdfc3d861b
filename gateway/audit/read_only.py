"""Ports that only read: whatever asks through them, nothing can be written to either side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from connectors.errors import OurBug
from connectors.ports import CalendarAccount, RdvSolidarites
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


class ReadOnlyCalendar:
    """A `CalendarAccount` that reads through another one. Its writing methods raise `OurBug` and send nothing."""

    def __init__(self, account: CalendarAccount) -> None:
        self._account = account

    @property
    def name(self) -> str:
        """The account's name in the configuration."""
        return self._account.name

    @property
    def host(self) -> str:
        """`host:port` of the server."""
        return self._account.host

    @property
    def requests(self) -> int:
        """How many requests the account behind has sent."""
        return self._account.requests

    def discover(self) -> tuple[CalendarInfo, ...]:
        """As `CalendarAccount.discover`."""
        return self._account.discover()

    def look(self) -> tuple[CalendarMark, ...]:
        """As `CalendarAccount.look`."""
        return self._account.look()

    def is_due(self, calendar: str, cursor: str | None) -> bool:
        """As `CalendarAccount.is_due`."""
        return self._account.is_due(calendar, cursor)

    def changes(
        self, calendar: str, cursor: str | None, known: Mapping[str, str], scope: ReadingScope | None = None
    ) -> CalendarChanges:
        """As `CalendarAccount.changes`."""
        return self._account.changes(calendar, cursor, known, scope)

    def read(self, calendar: str, href: str) -> CalendarItem | None:
        """As `CalendarAccount.read`."""
        return self._account.read(calendar, href)

    def parse(self, item: CalendarItem) -> CalendarEvent | None:
        """As `CalendarAccount.parse`."""
        return self._account.parse(item)

    def create(self, calendar: str, draft: EventDraft) -> CalendarItem:
        """Raises `OurBug`."""
        _ = (calendar, draft)
        _refuse(self.name)

    def update(self, calendar: str, item: CalendarItem, draft: EventDraft, *, notes: bool) -> CalendarItem:
        """Raises `OurBug`."""
        _ = (calendar, item, draft, notes)
        _refuse(self.name)

    def delete(self, calendar: str, item: CalendarItem) -> None:
        """Raises `OurBug`."""
        _ = (calendar, item)
        _refuse(self.name)

    def put_back(self, calendar: str, href: str, body: bytes, replacing: CalendarItem | None) -> CalendarItem:
        """Raises `OurBug`."""
        _ = (calendar, href, body, replacing)
        _refuse(self.name)

    def href_of(self, calendar: str, uid: str) -> str:
        """As `CalendarAccount.href_of`."""
        return self._account.href_of(calendar, uid)

    def traits(self) -> tuple[ServerTrait, ...]:
        """As `CalendarAccount.traits`."""
        return self._account.traits()

    def close(self) -> None:
        """Nothing: the account behind is closed by whoever opened it."""


class ReadOnlyRdvSolidarites:
    """RDV-Solidarités, read through another client. Its writing methods raise `OurBug` and send nothing."""

    def __init__(self, client: RdvSolidarites) -> None:
        self._client = client

    @property
    def requests(self) -> int:
        """How many requests the client behind has sent."""
        return self._client.requests

    @property
    def read_timeout(self) -> float:
        """Seconds after which an answer is given up."""
        return self._client.read_timeout

    def organisations(self) -> tuple[Organisation, ...]:
        """As `RdvSolidarites.organisations`."""
        return self._client.organisations()

    def agents(self, organisation_id: int | None = None) -> tuple[Agent, ...]:
        """As `RdvSolidarites.agents`."""
        return self._client.agents(organisation_id)

    def motifs(self, organisation_id: int) -> tuple[Motif, ...]:
        """As `RdvSolidarites.motifs`."""
        return self._client.motifs(organisation_id)

    def webhook_endpoints(self, organisation_id: int) -> tuple[WebhookEndpoint, ...]:
        """As `RdvSolidarites.webhook_endpoints`."""
        return self._client.webhook_endpoints(organisation_id)

    def rdvs(self, organisation_id: int, windows: Sequence[RdvWindow]) -> RdvListing:
        """As `RdvSolidarites.rdvs`."""
        return self._client.rdvs(organisation_id, windows)

    def absences(self) -> AbsenceListing:
        """As `RdvSolidarites.absences`."""
        return self._client.absences()

    def absence(self, absence_id: int) -> Absence | None:
        """As `RdvSolidarites.absence`."""
        return self._client.absence(absence_id)

    def create_absence(self, draft: AbsenceDraft) -> Absence:
        """Raises `OurBug`."""
        _ = draft
        _refuse("rdv_solidarites")

    def update_absence(self, absence_id: int, draft: AbsenceDraft) -> Absence:
        """Raises `OurBug`."""
        _ = (absence_id, draft)
        _refuse("rdv_solidarites")

    def delete_absence(self, absence_id: int) -> None:
        """Raises `OurBug`."""
        _ = absence_id
        _refuse("rdv_solidarites")

    def close(self) -> None:
        """Nothing: the client behind is closed by whoever opened it."""


def _refuse(system: str) -> NoReturn:
    raise OurBug("a write was asked for while both sides are only compared", system=system)
