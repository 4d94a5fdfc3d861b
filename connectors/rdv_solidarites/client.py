"""The `RdvSolidarites` port over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar

import httpx2

from connectors.errors import AnswerLost, BadItem, OurBug, RetryLater, RightsMissing, Stale
from connectors.http import checked_base_url, http_client
from connectors.network import Network
from connectors.ports import Clock
from connectors.rdv_solidarites import parsing
from connectors.rdv_solidarites.authentication import Authentication
from connectors.rdv_solidarites.faults import SYSTEM, Call
from connectors.rdv_solidarites.listings import Query, read_all, read_page, read_whole
from connectors.rdv_solidarites.pace import Pace
from connectors.rdv_solidarites.unreadable import Unreadable
from connectors.rdv_solidarites.windows import read_windows
from connectors.rdv_solidarites.wire import Wire
from connectors.records import (
    Absence,
    AbsenceDraft,
    AbsenceListing,
    Agent,
    Motif,
    Organisation,
    Rdv,
    RdvListing,
    RdvSelection,
    RdvWindow,
    WebhookEndpoint,
)

_MORE_READINGS = 2
_ABSENCES = Query(path="/api/v1/absences", key="absences", filters={})
_NOTHING_PERSONAL = RdvSelection()
_DIRECT = Network()
_Record = TypeVar("_Record")


class RdvSolidaritesClient:
    """RDV-Solidarités (RDV Service Public), API v1, as one technical account. See `connectors.ports.RdvSolidarites`.

    `base_url`: the host that answers itself, e.g. https://www.rdv-solidarites.fr; plain http to this machine only.
    `network`: the way there, and seconds of silence. `selection`: what of usagers may pass. `requests_per_second`
    None = no limit of ours; up to `burst` requests leave at once. `transport` stands in for the network in tests.
    """

    def __init__(
        self,
        base_url: str,
        authentication: Authentication,
        *,
        clock: Clock,
        selection: RdvSelection = _NOTHING_PERSONAL,
        network: Network = _DIRECT,
        requests_per_second: float | None = 2.0,
        burst: int = 5,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        url = checked_base_url(base_url, system=SYSTEM)
        self._base_url = str(url).rstrip("/")
        self._selection = selection
        self._read_timeout = network.read_timeout
        self._clock = clock
        self._wire = Wire(
            http_client(
                network, system=SYSTEM, base_url=url, headers={"Accept": "application/json"}, transport=transport
            ),
            network,
            authentication,
            Pace(requests_per_second, burst, clock),
            clock,
            # Room for one more attempt after one that timed out, and for the pauses of two quick failures.
            read_budget=1.5 * network.read_timeout + 5.0,
        )

    @property
    def clock_offset(self) -> timedelta | None:
        """See `connectors.ports.TellsTime`."""
        return self._wire.clock_offset

    @property
    def requests(self) -> int:
        return self._wire.requests

    @property
    def read_timeout(self) -> float:
        return self._read_timeout

    def me(self) -> Agent | None:
        path = "/api/v1/agents/me"
        document = self._wire.read_if_served(path)
        if document is None:
            return None
        if "agent" not in document:
            raise RetryLater(f"GET {path}: the answer holds no agent.", system=SYSTEM)
        return parsing.agent(document["agent"])

    def webhooks_listable(self, organisation_id: int) -> bool:
        query = Query(f"/api/v1/organisations/{organisation_id}/webhook_endpoints", "webhook_endpoints", {})
        try:
            read_page(self._wire, query, 1)
        except RightsMissing:
            return False
        return True

    def organisations(self) -> tuple[Organisation, ...]:
        return self._whole(Query("/api/v1/organisations", "organisations", {}), parsing.organisation)

    def agents(self, organisation_id: int | None = None) -> tuple[Agent, ...]:
        filters = {} if organisation_id is None else {"organisation_id": organisation_id}
        return self._whole(Query("/api/v1/agents", "agents", filters), parsing.agent)

    def motifs(self, organisation_id: int) -> tuple[Motif, ...]:
        return self._whole(Query(f"/api/v1/organisations/{organisation_id}/motifs", "motifs", {}), parsing.motif)

    def webhook_endpoints(self, organisation_id: int) -> tuple[WebhookEndpoint, ...]:
        path = f"/api/v1/organisations/{organisation_id}/webhook_endpoints"
        found = self._whole(Query(path, "webhook_endpoints", {}), parsing.webhook_endpoint)
        return tuple(replace(each, organisation_id=organisation_id) for each in found)

    def create_webhook_endpoint(
        self, organisation_id: int, target_url: str, secret: str, subscriptions: Collection[str]
    ) -> WebhookEndpoint:
        path = f"/api/v1/organisations/{organisation_id}/webhook_endpoints"
        body = {"target_url": target_url, "secret": secret, "subscriptions": sorted(subscriptions)}
        return _written_endpoint(self._wire.write(Call.CREATE, "POST", path, body), f"POST {path}")

    def update_webhook_endpoint(
        self, endpoint: WebhookEndpoint, *, secret: str, subscriptions: Collection[str]
    ) -> WebhookEndpoint:
        path = f"/api/v1/organisations/{endpoint.organisation_id}/webhook_endpoints/{endpoint.id}"
        body = {"secret": secret, "subscriptions": sorted(subscriptions)}
        return _written_endpoint(self._wire.write(Call.UPDATE, "PATCH", path, body), f"PATCH {path}")

    def rdvs(self, organisation_id: int, windows: Sequence[RdvWindow]) -> RdvListing:
        """RDVs read outside the listed windows are given too: they exist, others there may have been missed."""
        requested_at = self._clock.now()
        records: dict[int, object] = {}
        unreadable: list[tuple[int | None, str]] = []
        read: list[RdvWindow] = []
        for piece in read_windows(self._wire, organisation_id, windows):
            for record in piece.records:
                number = parsing.record_id(record)
                if number is None:
                    unreadable.append((None, "the rdv has no id"))
                else:
                    records[number] = record  # read again = read later: the later one holds
            if piece.whole:
                read.append(piece.window)
        rdvs, without = self._readable(records, lambda record: self._rdv(record, organisation_id))
        return RdvListing(organisation_id, rdvs, tuple(read), requested_at, tuple(unreadable) + without)

    def absences(self) -> AbsenceListing:
        """An unreadable absence counts as present: its id is in `unreadable`. One without an id cannot, and leaves
        the listing incomplete."""
        requested_at = self._clock.now()
        reading = read_all(self._wire, _ABSENCES)
        for _ in range(_MORE_READINGS):
            if reading.proven:
                break
            # Rows that tie swap between pages, so that one reading may never show them all: together they do.
            asked_again_at = self._clock.now()
            again = read_all(self._wire, _ABSENCES)
            if again.proven:
                reading, requested_at = again, asked_again_at
            else:
                reading = reading.joined(again)
        records = {number: record for record in reading.records if (number := parsing.record_id(record)) is not None}
        absences, unreadable = self._readable(records, parsing.absence)
        complete = reading.proven and not reading.nameless
        return AbsenceListing(absences, complete, requested_at, unreadable)

    def absence(self, absence_id: int) -> Absence | None:
        """Raises `BadItem` when it is there but cannot be read, besides what the port says."""
        path = f"/api/v1/absences/{absence_id}"
        try:
            document = self._wire.read(Call.SHOW, path)
        except Stale:
            return None
        if "absence" not in document:
            raise RetryLater(f"GET {path}: the answer holds no absence.", system=SYSTEM)
        try:
            return parsing.absence(document["absence"])
        except Unreadable as error:
            raise BadItem(f"Absence {absence_id} cannot be read: {error}.", system=SYSTEM) from error

    def create_absence(self, draft: AbsenceDraft) -> Absence:
        path = "/api/v1/absences"
        body = {"agent_id": draft.agent_id, **_absence_fields(draft)}
        return _written(self._wire.write(Call.CREATE, "POST", path, body), f"POST {path}")

    def update_absence(self, absence_id: int, draft: AbsenceDraft) -> Absence:
        """The title and all four date and time fields at once: the server checks a moved start against the end that
        it has. The agent of an absence cannot change."""
        path = f"/api/v1/absences/{absence_id}"
        return _written(self._wire.write(Call.UPDATE, "PATCH", path, _absence_fields(draft)), f"PATCH {path}")

    def delete_absence(self, absence_id: int) -> None:
        try:
            self._wire.delete(f"/api/v1/absences/{absence_id}")
        except Stale:
            return

    def close(self) -> None:
        self._wire.close()

    def _rdv(self, record: object, organisation_id: int) -> Rdv:
        return parsing.rdv(record, organisation_id=organisation_id, chosen=self._selection, base_url=self._base_url)

    def _whole(self, query: Query, parse: Callable[[object], _Record]) -> tuple[_Record, ...]:
        return tuple(parse(record) for record in read_whole(self._wire, query))

    @staticmethod
    def _readable(
        records: Mapping[int, object], parse: Callable[[object], _Record]
    ) -> tuple[tuple[_Record, ...], tuple[tuple[int, str], ...]]:
        parsed: list[_Record] = []
        unreadable: list[tuple[int, str]] = []
        for number, record in records.items():
            try:
                parsed.append(parse(record))
            except Unreadable as error:
                unreadable.append((number, str(error)))
        return tuple(parsed), tuple(unreadable)


def _absence_fields(draft: AbsenceDraft) -> dict[str, Any]:
    if draft.start.tzinfo is not None or draft.end.tzinfo is not None:
        raise OurBug("An absence is written in wall-clock times, not in instants.", system=SYSTEM)
    if not draft.title.strip() or draft.start >= draft.end:
        raise BadItem("An absence without a title, or that does not end after its start, is refused.", system=SYSTEM)
    return {
        "title": draft.title,
        "first_day": draft.start.date().isoformat(),
        "start_time": draft.start.time().isoformat(timespec="seconds"),
        "end_day": draft.end.date().isoformat(),
        "end_time": draft.end.time().isoformat(timespec="seconds"),
    }


def _written(document: Mapping[str, Any], what: str) -> Absence:
    """The absence that answers a write; one that cannot be read leaves open what was written."""
    try:
        return parsing.absence(document.get("absence"))
    except Unreadable as error:
        raise AnswerLost(f"{what}: the answer holds no readable absence.", system=SYSTEM) from error


def _written_endpoint(document: Mapping[str, Any], what: str) -> WebhookEndpoint:
    try:
        return parsing.webhook_endpoint(document.get("webhook_endpoint"))
    except Unreadable as error:
        raise AnswerLost(f"{what}: the answer holds no readable endpoint.", system=SYSTEM) from error
