"""Which events of an agent's calendars are ours, whose the others are, and what is none of them."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass

from gateway.sync.planning.context import PlanContext
from gateway.sync.values import AgentView, CalendarRef, SeenEvent
from mappings.identity import Kinship, recognise


@dataclass(frozen=True, slots=True)
class SortedEvents:
    """Every event once. `copies` and `mirrors` are those of the receiving calendar, by RDV and by absence."""

    by_place: Mapping[tuple[CalendarRef, str], SeenEvent]
    busy: tuple[SeenEvent, ...]  # in a calendar that blocks, and nobody's but the agent's
    copies: Mapping[int, SeenEvent]
    mirrors: Mapping[int, SeenEvent]
    native: tuple[SeenEvent, ...]
    orphans: tuple[SeenEvent, ...]


def sort_events(view: AgentView, context: PlanContext) -> SortedEvents:
    """Recognise each event: by the place that we know, else by UID and marker (never by UID alone)."""
    agent = view.agent
    sources = frozenset(agent.sources)
    known_places = {(copy.ref, copy.href) for copy in view.copies} | {(m.ref, m.href) for m in view.mirrors}
    candidates = _candidates(view, context)
    uuids = frozenset(seen.rdv.uuid for seen in view.rdvs)
    copies: dict[int, SeenEvent] = {}
    mirrors: dict[int, SeenEvent] = {}
    busy: list[SeenEvent] = []
    native: list[SeenEvent] = []
    orphans: list[SeenEvent] = []
    for event in sorted(view.events, key=lambda e: (e.ref, e.href)):
        if (event.ref, event.href) in known_places:
            continue
        kinship, number = _kinship(event, candidates, uuids)
        if kinship is None:
            native.append(event)
        elif kinship is Kinship.ORPHAN:
            orphans.append(event)
        elif kinship is Kinship.THEIRS:
            if event.ref in sources:
                busy.append(event)
        elif event.ref == agent.target:
            (copies if kinship is Kinship.COPY else mirrors).setdefault(number, event)
    return SortedEvents(
        by_place={(event.ref, event.href): event for event in view.events},
        busy=tuple(busy),
        copies=copies,
        mirrors=mirrors,
        native=tuple(native),
        orphans=tuple(orphans),
    )


def _kinship(
    event: SeenEvent, candidates: Mapping[str, tuple[Kinship, int, str]], uuids: Container[str]
) -> tuple[Kinship | None, int]:
    """The kinship and the number of the RDV or absence; None for a copy made by RDV-Solidarités itself."""
    if event.native or event.uid in uuids:
        return None, 0
    recognised = recognise(event.uid, event.marker, candidates)
    return recognised.kinship, recognised.id or 0


def _candidates(view: AgentView, context: PlanContext) -> dict[str, tuple[Kinship, int, str]]:
    """Each UID that an event of ours for this agent may bear, with the marker that proves it."""
    agent_id, identity = view.agent.agent_id, context.identity
    rdv_ids = {seen.rdv.id for seen in view.rdvs} | {copy.rdv_id for copy in view.copies}
    absence_ids = {seen.absence.id for seen in view.absences} | {mirror.absence_id for mirror in view.mirrors}
    found: dict[str, tuple[Kinship, int, str]] = {}
    for rdv_id in rdv_ids:
        found[identity.copy_uid(rdv_id, agent_id)] = (Kinship.COPY, rdv_id, identity.copy_marker(rdv_id, agent_id))
    for absence_id in absence_ids:
        uid = identity.mirror_uid(absence_id, agent_id)
        found[uid] = (Kinship.MIRROR, absence_id, identity.mirror_marker(absence_id, agent_id))
    return found
