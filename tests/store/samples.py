"""Values to store: one plain example of each, and strategies that give any of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from connectors.records import (
    Absence,
    Classification,
    EventDraft,
    EventStatus,
    Participation,
    Rdv,
    Recurrence,
    Reminder,
    Transparency,
    UsagerField,
)
from gateway.sync.values import (
    Action,
    AgentState,
    AgreedCopy,
    AgreedMirror,
    BlockOrigin,
    CalendarRef,
    Interval,
    JournalEntry,
    LinkedAgent,
    ObjectKind,
    Operation,
    OperationClass,
    PoolBlock,
    SeenEvent,
    Side,
    Suppression,
)
from mappings.blocks import Provenance
from mappings.native import NativeSource
from mappings.times import Availability, ComponentTimes, EventTimes, canonical_time

AGENT = 7
PARIS = ZoneInfo("Europe/Paris")
MAIN = CalendarRef("zimbra", "/dav/a.martin/Calendar/")
SECOND = CalendarRef("zimbra", "/dav/a.martin/Astreintes/")
NOW = datetime(2026, 3, 2, 8, 30, tzinfo=UTC)
MORNING = datetime(2026, 3, 2, 9, 0)


def agent(agent_id: int, **changes: Any) -> LinkedAgent:
    linked = LinkedAgent(agent_id, PARIS, (MAIN, SECOND), MAIN, AgentState.LIVE, first_run_approved=True)
    return replace(linked, **changes)


def event(name: str = "a", **changes: Any) -> SeenEvent:
    times = EventTimes((ComponentTimes(MORNING.replace(tzinfo=PARIS), MORNING.replace(hour=10, tzinfo=PARIS)),))
    seen = SeenEvent(MAIN, f"{MAIN.calendar}{name}.ics", '"1"', f"raw-{name}", uid=f"uid-{name}", times=times)
    return replace(seen, **changes)


def rdv(rdv_id: int = 1, **changes: Any) -> Rdv:
    made = Rdv(
        id=rdv_id,
        uuid=f"uuid-{rdv_id}",
        status="unknown",
        starts_at=MORNING,
        ends_at=MORNING + timedelta(hours=1),
        starts_at_server=NOW,
        time_zone="Europe/Paris",
        organisation_id=3,
        agent_ids=(AGENT,),
        motif_id=5,
        motif_name="Accompagnement RSA",
        service_id=2,
        location_type="public_office",
        collectif=False,
    )
    return replace(made, **changes)


def absence(absence_id: int = 1, **changes: Any) -> Absence:
    made = Absence(absence_id, AGENT, "Formation", MORNING, MORNING + timedelta(hours=2))
    return replace(made, **changes)


def provenance(name: str = "a") -> Provenance:
    return Provenance(MAIN.calendar, f"{MAIN.calendar}{name}.ics", f"uid-{name}", "")


def copy(rdv_id: int = 1, **changes: Any) -> AgreedCopy:
    href = f"{MAIN.calendar}rdv-{rdv_id}.ics"
    return replace(AgreedCopy(rdv_id, AGENT, MAIN, href, f"rdv-{rdv_id}", "asked", "owned", "notes", NOW), **changes)


def block(absence_id: int = 1, **changes: Any) -> PoolBlock:
    end = MORNING + timedelta(hours=1)
    made = PoolBlock(absence_id, AGENT, MORNING, end, frozenset({provenance()}), BlockOrigin.CREATED)
    return replace(made, **changes)


def mirror(absence_id: int = 1, **changes: Any) -> AgreedMirror:
    href, end = f"{MAIN.calendar}absence-{absence_id}.ics", MORNING + timedelta(hours=1)
    made = AgreedMirror(absence_id, AGENT, MAIN, href, "uid", MORNING, end, False, "asked", "title")
    return replace(made, **changes)


def suppression(name: str = "a", **changes: Any) -> Suppression:
    end, part = MORNING + timedelta(hours=2), MORNING + timedelta(hours=1)
    return replace(Suppression(AGENT, provenance(name), MORNING, end, part, end), **changes)


def operation(**changes: Any) -> Operation:
    draft = EventDraft("uid", "marker", NOW, NOW + timedelta(hours=1), "RDV")
    made = Operation(
        AGENT,
        Side.CALENDAR,
        Action.CREATE,
        ObjectKind.RDV_COPY,
        OperationClass.COPY,
        "an RDV without a copy",
        MORNING,
        rdv_id=1,
        ref=MAIN,
        draft=draft,
    )
    return replace(made, **changes)


def entry(**changes: Any) -> JournalEntry:
    made = JournalEntry(NOW, "run-1", AGENT, "calendar", "create", "rdv_copy", "rdv 1", "an RDV without a copy")
    return replace(made, **changes)


# --- strategies ----------------------------------------------------------------------------------------------

_ids = st.integers(min_value=1, max_value=2**53)
_texts = st.text(max_size=12)
_zones = st.sampled_from([PARIS, ZoneInfo("America/Martinique"), ZoneInfo("Pacific/Auckland"), ZoneInfo("UTC")])
_walls = st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2080, 1, 1))
_dates = st.dates(min_value=date(1990, 1, 1), max_value=date(2080, 1, 1))
instants = st.builds(lambda wall, zone: wall.replace(tzinfo=zone), _walls, st.just(UTC) | _zones)
event_times = _dates | _walls | instants | st.builds(lambda at: at.replace(fold=1), instants)
recurrences = st.builds(
    Recurrence,
    rules=st.tuples(_texts),
    dates=st.lists(event_times, max_size=2).map(tuple),
    period_ends=st.lists(st.tuples(event_times, event_times), max_size=1).map(tuple),
    excluded=st.lists(event_times, max_size=2).map(tuple),
)
refs = st.builds(CalendarRef, _texts, _texts)
provenances = st.frozensets(st.builds(Provenance, _texts, _texts, _texts, _texts), max_size=3)
drafts = st.builds(
    EventDraft,
    uid=_texts,
    marker=_texts,
    start=event_times,
    end=event_times,
    summary=_texts,
    location=_texts,
    description=_texts,
    url=_texts,
    recurrence=recurrences,
    transparency=st.sampled_from(Transparency),
    status=st.sampled_from(EventStatus),
    classification=st.sampled_from(Classification),
    category=_texts,
    color=_texts,
    reminder=st.none() | st.builds(Reminder, _ids, _texts),
)
operations = st.builds(
    Operation,
    agent_id=st.just(AGENT),
    side=st.sampled_from(Side),
    action=st.sampled_from(Action),
    kind=st.sampled_from(ObjectKind),
    op_class=st.sampled_from(OperationClass),
    rule=_texts,
    when=_walls,
    rdv_id=st.none() | _ids,
    absence_id=st.none() | _ids,
    ref=st.none() | refs,
    href=_texts,
    draft=st.none() | drafts,
    interval=st.none() | st.builds(Interval, _walls, _walls),
    basis=_texts,
    provenance=provenances,
    unproven=_texts,
    needs_approval=st.booleans(),
    puts_back=st.booleans(),
    rewrites_notes=st.booleans(),
    keeps_title=st.booleans(),
    recurring=st.booleans(),
)
rdvs = st.builds(
    Rdv,
    id=st.just(1),
    uuid=_texts,
    status=_texts,
    starts_at=_walls,
    ends_at=_walls,
    starts_at_server=instants,
    time_zone=st.none() | _texts,
    organisation_id=_ids,
    agent_ids=st.lists(_ids, max_size=3).map(lambda ids: (AGENT, *ids)),
    motif_id=st.none() | _ids,
    motif_name=_texts,
    service_id=st.none() | _ids,
    location_type=_texts,
    collectif=st.booleans(),
    users_count=st.none() | _ids,
    max_participants_count=st.none() | _ids,
    title=st.text(st.characters(), max_size=8),  # lone surrogates too: JSON can carry them
    lieu_name=_texts,
    lieu_address=_texts,
    context=_texts,
    participations=st.lists(
        st.builds(
            Participation,
            _ids,
            _texts,
            st.none() | _ids,
            st.dictionaries(st.sampled_from(UsagerField), _texts, max_size=3).map(lambda known: tuple(known.items())),
            responsible_id=st.none() | _ids,
            notified=st.booleans(),
        ),
        max_size=2,
    ).map(tuple),
    url=_texts,
    lieu_id=st.none() | _ids,
    organisation_phone=_texts,
    phone_number=_texts,
    visio_url=_texts,
)
absences = st.builds(
    Absence,
    id=st.just(1),
    agent_id=st.just(AGENT),
    title=st.text(st.characters(), max_size=8),
    start=_walls,
    end=_walls,
    rrule=st.none() | _texts,
)
_canonical = event_times.map(canonical_time)
events = st.builds(
    SeenEvent,
    ref=st.just(MAIN),
    href=st.just("/a.ics"),
    version=_texts,
    raw_digest=_texts,
    uid=_texts,
    marker=st.none() | _texts,
    native=st.none() | st.sampled_from(NativeSource),
    times=st.none()
    | st.builds(
        EventTimes,
        st.lists(
            st.builds(
                ComponentTimes,
                _canonical,
                _canonical,
                recurrence_id=st.none() | _canonical,
                availability=st.sampled_from(Availability),
            ),
            max_size=2,
        ).map(tuple),
    ),
    set_aside=_texts,
    owned_digest=_texts,
    times_digest=_texts,
    title_digest=_texts,
    notes_digest=_texts,
)
copies = st.builds(
    AgreedCopy,
    rdv_id=st.just(1),
    agent_id=st.just(AGENT),
    ref=refs,
    href=_texts,
    uid=_texts,
    asked_digest=_texts,
    owned_digest=_texts,
    notes_digest=_texts,
    ends_at=instants,
    put_back_on=st.none() | _dates,
    put_back_count=st.integers(0, 9),
)
blocks = st.builds(
    PoolBlock,
    absence_id=st.just(1),
    agent_id=st.just(AGENT),
    start=_walls,
    end=_walls,
    provenance=provenances,
    origin=st.sampled_from(BlockOrigin),
    approved=st.booleans(),
)
mirrors = st.builds(
    AgreedMirror,
    absence_id=st.just(1),
    agent_id=st.just(AGENT),
    ref=refs,
    href=_texts,
    uid=_texts,
    start=_walls,
    end=_walls,
    recurring=st.booleans(),
    asked_digest=_texts,
    title_digest=_texts,
    times_digest=_texts,
)
suppressions = st.builds(
    Suppression,
    agent_id=st.just(AGENT),
    provenance=st.builds(Provenance, _texts, _texts, _texts, _texts),
    occurrence_start=_walls,
    occurrence_end=_walls,
    start=_walls,
    end=_walls,
)
entries = st.builds(
    JournalEntry,
    at=instants,
    run_id=_texts,
    agent_id=st.none() | _ids,
    side=_texts,
    action=_texts,
    object=_texts,
    reference=_texts,
    rule=_texts,
    fields=st.lists(_texts, max_size=3).map(tuple),
    before=st.none() | st.binary(max_size=40),
    after_digest=_texts,
)
