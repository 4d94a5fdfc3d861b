"""Both sides as they are now: complete listings, no cursor, no mark, nothing that an earlier reading left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from connectors.errors import ConnectorError, ITMustAct, RetryLater, RightsMissing
from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.records import Absence, Rdv, RdvWindow
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import ZONE_DOUBT, covers, whole_period
from gateway.sync.values import AgentView, CalendarRef, Presence, SeenAbsence, SeenEvent, SeenRdv

_SYSTEM = "rdv_solidarites"


@dataclass(frozen=True, slots=True)
class RdvSolidaritesNow:
    """All that the service account sees, by id. `unread_…`: records that are there and cannot be read.

    `period`: RDVs that start in it were all read.
    """

    requested_at: datetime
    visible_agents: frozenset[int]
    rdvs: Mapping[int, Rdv]
    absences: Mapping[int, Absence]
    unread_rdvs: frozenset[int]
    unread_absences: frozenset[int]
    period: RdvWindow


def read_rdv_solidarites(client: RdvSolidarites, now: datetime, backfill_from: date | None) -> RdvSolidaritesNow:
    """Everything. Raises what the port raises, `RetryLater` when a listing is not proven complete, and `ITMustAct`
    when nothing at all is visible."""
    organisations = client.organisations()
    if not organisations:
        raise ITMustAct(
            "no organisation is visible to the service account any more",
            system=_SYSTEM,
            remedy="Give the service account its roles back.",
        )
    visible = frozenset(agent.id for agent in client.agents())
    absences = client.absences()
    if not absences.complete:
        raise RetryLater("the list of absences changed while it was read", system=_SYSTEM)
    period = whole_period(now, backfill_from)
    rdvs: dict[int, Rdv] = {}
    unread: set[int] = set()
    for organisation in organisations:
        listing = client.rdvs(organisation.id, [period])
        if not covers(listing.windows, period.start, period.end):
            raise RetryLater(f"the RDVs of organisation {organisation.id} changed while they were read", system=_SYSTEM)
        rdvs |= {rdv.id: rdv for rdv in listing.rdvs}
        unread |= {number for number, _ in listing.unreadable if number is not None}
    return RdvSolidaritesNow(
        requested_at=now,
        visible_agents=visible,
        rdvs=rdvs,
        absences={absence.id: absence for absence in absences.absences},
        unread_rdvs=frozenset(unread),
        unread_absences=frozenset(number for number, _ in absences.unreadable),
        period=period,
    )


def read_calendar(account: CalendarAccount, ref: CalendarRef, observer: CalendarObserver) -> dict[str, SeenEvent]:
    """Every item of a calendar by href, listed and fetched whole. Raises what the port raises."""
    found: dict[str, SeenEvent] = {}
    cursor: str | None = None
    more = True
    while more:
        versions = {href: event.version for href, event in found.items()}
        changes = account.changes(ref.calendar, cursor, versions, None)
        if not changes.complete:
            raise RetryLater("the calendar could not be listed completely", system=account.name)
        more, cursor = changes.more, changes.cursor
        found |= {item.href: observer.see(account, ref, item) for item in changes.items}
        found |= {
            href: SeenEvent(ref, href, version, raw_digest="", set_aside=reason)
            for href, version, reason in changes.unreadable
        }
        page = {item.href for item in changes.items} | {href for href, _, _ in changes.unreadable}
        for href in found.keys() - changes.present - page:
            del found[href]
    return found


def view_now(
    stored: AgentView, events: Iterable[SeenEvent], there: RdvSolidaritesNow, client: RdvSolidarites
) -> AgentView:
    """What a plan would be made of if it were read this moment; what is agreed comes from `stored`.

    An absence that stands for something and is no longer listed is asked for by its own id, as a sync does.
    """
    return replace(
        stored,
        events=tuple(events),
        rdvs=tuple(_rdvs(stored, there)),
        absences=tuple(_absences(stored, there, client)),
    )


def _rdvs(stored: AgentView, there: RdvSolidaritesNow) -> Iterator[SeenRdv]:
    agent_id = stored.agent.agent_id
    concerned = {copy.rdv_id for copy in stored.copies} | {seen.rdv.id for seen in stored.rdvs}
    for rdv in there.rdvs.values():
        if agent_id in rdv.agent_ids or rdv.id in concerned:
            yield SeenRdv(rdv, Presence.PRESENT)
    for seen in stored.rdvs:
        if seen.rdv.id in there.rdvs:
            continue
        if seen.presence is Presence.PRESENT and is_in_period(seen.rdv, there):
            yield SeenRdv(seen.rdv, Presence.UNKNOWN)  # one reading more decides
        else:
            yield seen


def is_in_period(rdv: Rdv, there: RdvSolidaritesNow) -> bool:
    """Whether this RDV would have been read, were it still there and visible."""
    start = rdv.starts_at_server
    inside = there.period.start <= start - ZONE_DOUBT and start + ZONE_DOUBT <= there.period.end
    return inside and rdv.id not in there.unread_rdvs


def _absences(stored: AgentView, there: RdvSolidaritesNow, client: RdvSolidarites) -> Iterator[SeenAbsence]:
    agent_id = stored.agent.agent_id
    for absence in there.absences.values():
        if absence.agent_id == agent_id:
            yield SeenAbsence(absence, Presence.PRESENT)
    mapped = {block.absence_id for block in stored.blocks} | {mirror.absence_id for mirror in stored.mirrors}
    mapped |= {intent.operation.absence_id or 0 for intent in stored.open_intents}
    for seen in stored.absences:
        if seen.absence.id in there.absences:
            continue
        if seen.absence.id in there.unread_absences or seen.presence is Presence.GONE:
            yield seen
        elif seen.absence.id in mapped:
            yield _asked_for(seen, client)


def _asked_for(seen: SeenAbsence, client: RdvSolidarites) -> SeenAbsence:
    try:
        found = client.absence(seen.absence.id)
    except RightsMissing:
        because = "the service account may not see this absence any more"
        return replace(seen, presence=Presence.UNKNOWN, missing_because=because)
    except ConnectorError as error:
        return replace(seen, presence=Presence.UNKNOWN, missing_because=str(error))
    return replace(seen, presence=Presence.GONE) if found is None else SeenAbsence(found, Presence.PRESENT)
