"""What the gateway left in calendars and in RDV-Solidarités, found again: with the database, or by the key file alone.

An event is ours when it lies where the database says, or when its UID is in our namespace and its marker fits, both
computed again for every RDV and absence that can be read now. An absence is ours when it bears our tag and the form
that we give to intervals (whole minutes, not recurring). What is in our namespace and fits nothing is listed for a
person and never touched.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from connectors.errors import ConnectorError
from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.records import Absence, Agent, RdvWindow
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.planning.blocks import interval_text
from gateway.sync.values import (
    Action,
    AgentView,
    BlockOrigin,
    CalendarRef,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    Problem,
    SeenEvent,
    Side,
)
from mappings.absence_event import absence_span
from mappings.identity import NAMESPACE, Identity, is_tagged

RULE = "agent_left"
_BACK = timedelta(days=5 * 366)  # RDV-Solidarités purges after two years; copies may stand for longer
_AHEAD = timedelta(days=5 * 366)
_MOST_PAIRS = 5_000_000
"""How many (RDV, agent) pairs are tried for events that fit no participation of today: about half a minute."""


class Trace(StrEnum):
    """The kinds of things that a statement counts."""

    COPY = "copies"
    BLOCK = "blocks"
    MIRROR = "mirrored_events"


_TRACES = {
    ObjectKind.RDV_COPY: Trace.COPY,
    ObjectKind.BUSY_BLOCK: Trace.BLOCK,
    ObjectKind.ABSENCE_EVENT: Trace.MIRROR,
}


def trace_of(operation: Operation) -> Trace:
    """What a removal concerns."""
    return _TRACES[operation.kind]


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that only a person can judge; it is left alone. `agent_id` None: nobody knows whose it is."""

    agent_id: int | None
    where: str  # "absence 12", or a calendar's item
    why: str


@dataclass(frozen=True, slots=True)
class Traces:
    """`removals`: one operation for each thing that is ours. `typed`: how many absences of persons were seen."""

    removals: tuple[Operation, ...] = ()
    doubts: tuple[Doubt, ...] = ()
    typed: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """What an event of ours stands for."""

    kind: ObjectKind
    number: int  # of the RDV or of the absence
    agent_id: int
    marker: str


@dataclass(frozen=True, slots=True)
class Readable:
    """What RDV-Solidarités shows now. `problems`: what of it could not be read.

    `absences_proven_at`: when the list of absences was asked for (an instant), None if it was not complete.
    """

    agents: tuple[Agent, ...]
    rdvs: tuple[tuple[int, tuple[int, ...]], ...]  # id and agents
    absences: tuple[Absence, ...]
    absences_proven_at: datetime | None
    problems: tuple[Problem, ...]


def read_rdv_solidarites(client: RdvSolidarites, *, now: datetime) -> Readable:
    """Everything of the last and the next five years. Raises `ConnectorError` when agents cannot even be listed."""
    agents = client.agents()
    problems: list[Problem] = []
    rdvs: list[tuple[int, tuple[int, ...]]] = []
    window = RdvWindow(now - _BACK, now + _AHEAD)
    for organisation in client.organisations():
        try:
            listing = client.rdvs(organisation.id, (window,))
        except ConnectorError as error:
            problems.append(problem_of(error, None, f"organisation {organisation.id}"))
            continue
        rdvs += [(rdv.id, rdv.agent_ids) for rdv in listing.rdvs]
    listed = client.absences()
    if not listed.complete:
        remedy = "Run the same command again: what was missed is found then."
        problems.append(Problem(None, "rdv_solidarites", "the list of absences changed while read", "it", remedy))
    proven_at = listed.requested_at if listed.complete else None
    return Readable(agents, tuple(rdvs), listed.absences, proven_at, tuple(problems))


# --- events --------------------------------------------------------------------------------------------------


class Recognition:
    """Tells our events from others. `views`: what the database knows, by agent; none after it was lost."""

    def __init__(self, identity: Identity, readable: Readable, views: Mapping[int, AgentView]) -> None:
        self._identity = identity
        self._readable = readable
        self._agents = sorted({agent.id for agent in readable.agents} | views.keys())
        self._places: dict[tuple[CalendarRef, str], Origin] = {}
        self._by_uid: dict[str, Origin] = {}
        for rdv_id, agent_ids in readable.rdvs:
            for agent_id in agent_ids:
                self._know_copy(rdv_id, agent_id)
        for absence in readable.absences:
            self._know_mirror(absence.id, absence.agent_id)
        for agent_id, view in views.items():
            for copy in view.copies:
                self._places[copy.ref, copy.href] = self._know_copy(copy.rdv_id, agent_id)
            for mirror in view.mirrors:
                self._places[mirror.ref, mirror.href] = self._know_mirror(mirror.absence_id, agent_id)

    def origin(self, event: SeenEvent) -> Origin | None:
        """Ours, and of what; None for everybody else's and for what cannot be told."""
        known = self._places.get((event.ref, event.href))
        if known is not None:
            return known
        found = self._by_uid.get(event.uid)
        return found if found is not None and _fits(event.marker, found.marker) else None

    def is_orphan(self, event: SeenEvent) -> bool:
        """In our namespace, and of nothing that is known; with a marker of another event it is a person's copy."""
        if not in_namespace(event):
            return False
        found = self._by_uid.get(event.uid)
        return found is None or not (event.marker or "").strip()

    def is_known_place(self, event: SeenEvent) -> bool:
        """Whether the database says that something of ours lies there."""
        return (event.ref, event.href) in self._places

    def search(self, uids: Collection[str]) -> None:
        """Try every RDV with every agent for these: whoever was taken off an RDV is no longer named by it."""
        left = {uid for uid in uids if uid not in self._by_uid}
        pairs = ((rdv_id, agent_id) for rdv_id, _ in self._readable.rdvs for agent_id in self._agents)
        for tried, (rdv_id, agent_id) in enumerate(pairs):
            if not left or tried >= _MOST_PAIRS:
                return
            uid = self._identity.copy_uid(rdv_id, agent_id)
            if uid in left:
                self._know_copy(rdv_id, agent_id)
                left.discard(uid)

    def _know_copy(self, rdv_id: int, agent_id: int) -> Origin:
        marker = self._identity.copy_marker(rdv_id, agent_id)
        origin = Origin(ObjectKind.RDV_COPY, rdv_id, agent_id, marker)
        self._by_uid[self._identity.copy_uid(rdv_id, agent_id)] = origin
        return origin

    def _know_mirror(self, absence_id: int, agent_id: int) -> Origin:
        marker = self._identity.mirror_marker(absence_id, agent_id)
        origin = Origin(ObjectKind.ABSENCE_EVENT, absence_id, agent_id, marker)
        self._by_uid[self._identity.mirror_uid(absence_id, agent_id)] = origin
        return origin


def in_namespace(event: SeenEvent) -> bool:
    """By its UID or, where its body cannot be read, by its name."""
    return event.uid.startswith(NAMESPACE) or event.href.rpartition("/")[2].startswith(NAMESPACE)


def _fits(marker: str | None, expected: str) -> bool:
    return marker is not None and hmac.compare_digest(marker.strip().encode(), expected.encode())


def read_calendar(account: CalendarAccount, ref: CalendarRef, observer: CalendarObserver) -> Iterator[SeenEvent]:
    """Every item of a calendar that can be read, and those that cannot, set aside. Raises `ConnectorError`."""
    known: dict[str, str] = {}
    cursor: str | None = None
    while True:
        changes = account.changes(ref.calendar, cursor, known)
        for item in changes.items:
            yield observer.see(account, ref, item)
        for href, version, reason in changes.unreadable:
            yield SeenEvent(ref, href, version, raw_digest="", set_aside=reason)
        if not changes.more:
            return
        cursor = changes.cursor
        known |= {item.href: item.version for item in changes.items}
        known |= {href: version for href, version, _ in changes.unreadable}


def event_removal(event: SeenEvent, origin: Origin, at: datetime) -> Operation:
    """The removal of one event of ours; it is re-read and compared right before. `at`: for the order of work."""
    is_copy = origin.kind is ObjectKind.RDV_COPY
    return Operation(
        agent_id=origin.agent_id,
        side=Side.CALENDAR,
        action=Action.DELETE,
        kind=origin.kind,
        op_class=OperationClass.UNCOPY if is_copy else OperationClass.MIRROR,
        rule=RULE,
        when=at,
        rdv_id=origin.number if is_copy else None,
        absence_id=None if is_copy else origin.number,
        ref=event.ref,
        href=event.href,
        basis=event.owned_digest,
    )


# --- absences ------------------------------------------------------------------------------------------------


def absence_traces(absences: Iterable[Absence], view: AgentView | None) -> Traces:
    """Of one agent. `view`: what the database knows of them; None after it was lost."""
    blocks = {block.absence_id: block for block in view.blocks} if view is not None else {}
    removals: list[Operation] = []
    doubts: list[Doubt] = []
    typed = 0
    for absence in sorted(absences, key=lambda each: (each.start, each.id)):
        block = blocks.get(absence.id)
        where = f"absence {absence.id}"
        if block is not None and block.origin in (BlockOrigin.FOUND, BlockOrigin.RELEASED):
            typed += 1
        elif block is not None and not _within(absence_span(absence), (block.start, block.end)):
            doubts.append(Doubt(absence.agent_id, where, "a person moved it since the gateway made it: it is theirs"))
        elif block is None and not is_tagged(absence.title):
            typed += 1
        elif block is None and not _is_our_form(absence):
            doubts.append(
                Doubt(absence.agent_id, where, "it bears the gateway's title, and not the form of its blocks")
            )
        else:
            removals.append(_block_removal(absence))
    return Traces(tuple(removals), tuple(doubts), typed)


def _is_our_form(absence: Absence) -> bool:
    return absence.rrule is None and all(
        moment.second == 0 and moment.microsecond == 0 for moment in absence_span(absence)
    )


def _within(inner: tuple[datetime, datetime], outer: tuple[datetime, datetime]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def _block_removal(absence: Absence) -> Operation:
    span = absence_span(absence)
    return Operation(
        agent_id=absence.agent_id,
        side=Side.RDV_SOLIDARITES,
        action=Action.DELETE,
        kind=ObjectKind.BUSY_BLOCK,
        op_class=OperationClass.UNCOVER,
        rule=RULE,
        when=absence.start,
        absence_id=absence.id,
        interval=Interval(*span),
        basis=interval_text(*span),
    )
