"""What calendars were seen to hold."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_, update

from connectors.errors import BadItem, OurBug
from gateway.store.schema import calendar_state, observed_event
from gateway.store.statements import among, batches, given
from gateway.store.upsert import upsert
from gateway.store.values import CalendarState, KnownItem
from gateway.sync.values import CalendarRef, SeenEvent
from mappings.native import NativeSource
from mappings.times import EventTimes, dump_times, load_times

_IS = given(calendar_state.c.account, calendar_state.c.calendar)
_STATE = select(
    calendar_state.c.cursor, calendar_state.c.mark, calendar_state.c.read_at, calendar_state.c.patterns
).where(_IS)
_ID = select(calendar_state.c.id).where(_IS)
_STATES = select(
    calendar_state.c.account,
    calendar_state.c.calendar,
    calendar_state.c.cursor,
    calendar_state.c.mark,
    calendar_state.c.read_at,
    calendar_state.c.patterns,
).where(tuple_(calendar_state.c.account, calendar_state.c.calendar).in_(bindparam("refs", expanding=True)))
_STATES_AT_ONCE = 500
_NEW_STATE = insert(calendar_state)
_MOVE_STATE = update(calendar_state).where(given(calendar_state.c.id))
_KNOWN = (
    select(observed_event.c.href, observed_event.c.version, observed_event.c.raw_digest, observed_event.c.set_aside)
    .join(calendar_state)
    .where(_IS)
)
_IDS = select(calendar_state.c.id, calendar_state.c.account, calendar_state.c.calendar).where(
    tuple_(calendar_state.c.account, calendar_state.c.calendar).in_(bindparam("refs", expanding=True))
)
_EVENT = (
    observed_event.c.calendar_id,
    observed_event.c.href,
    observed_event.c.version,
    observed_event.c.raw_digest,
    observed_event.c.uid,
    observed_event.c.marker,
    observed_event.c.native,
    observed_event.c.times,
    observed_event.c.set_aside,
    observed_event.c.owned_digest,
    observed_event.c.times_digest,
    observed_event.c.title_digest,
    observed_event.c.notes_digest,
)
_EVENTS = (
    select(*_EVENT)
    .where(among(observed_event.c.calendar_id))
    .order_by(observed_event.c.calendar_id, observed_event.c.href)
)
_DROP_EVENT = delete(observed_event).where(given(observed_event.c.calendar_id, observed_event.c.href))
_DROP_EVENT_OF = delete(observed_event).where(
    observed_event.c.calendar_id == _ID.scalar_subquery(), given(observed_event.c.href)
)


def state(connection: Connection, ref: CalendarRef) -> CalendarState | None:
    row = connection.execute(_STATE, _bound(ref)).first()
    return row and CalendarState(*row)


def states(connection: Connection, refs: Iterable[CalendarRef]) -> dict[CalendarRef, CalendarState]:
    found: dict[CalendarRef, CalendarState] = {}
    for some in batches(((ref.account, ref.calendar) for ref in refs), _STATES_AT_ONCE):
        for account, calendar, *rest in connection.execute(_STATES, {"refs": some}):
            found[CalendarRef(account, calendar)] = CalendarState(*rest)
    return found


def known_items(connection: Connection, ref: CalendarRef) -> dict[str, KnownItem]:
    rows = connection.execute(_KNOWN, _bound(ref))
    return {href: KnownItem(version, digest, aside) for href, version, digest, aside in rows}


def seen_events(connection: Connection, refs: Collection[CalendarRef]) -> Iterator[SeenEvent]:
    """Every event of these calendars, ordered by calendar and href."""
    found = connection.execute(_IDS, {"refs": [(ref.account, ref.calendar) for ref in refs]})
    by_id = {calendar_id: CalendarRef(account, calendar) for calendar_id, account, calendar in found}
    events = connection.execute(_EVENTS, {"of_calendar_id": list(by_id)})
    for calendar_id, href, version, raw, uid, marker, native, text, aside, *digests in events:
        times, unreadable = _times(text)
        source = native and NativeSource(native)
        yield SeenEvent(
            by_id[calendar_id], href, version, raw, uid, marker, source, times, aside or unreadable, *digests
        )


def save_reading(
    connection: Connection,
    ref: CalendarRef,
    *,
    events: Sequence[SeenEvent],
    gone: Collection[str],
    state: CalendarState,
) -> None:
    calendar_id = connection.scalar(_ID, _bound(ref))
    row: dict[str, object] = {
        "cursor": state.cursor,
        "mark": state.mark,
        "read_at": state.read_at,
        "patterns": state.patterns,
    }
    if calendar_id is None:
        row |= {"account": ref.account, "calendar": ref.calendar}
        (calendar_id,) = connection.execute(_NEW_STATE, row).inserted_primary_key or (0,)
    else:
        connection.execute(_MOVE_STATE, row | {"of_id": calendar_id})
    upsert(connection, observed_event, [_event_row(calendar_id, event) for event in events])
    if gone:
        connection.execute(_DROP_EVENT, [{"of_calendar_id": calendar_id, "of_href": href} for href in gone])


def save_event(connection: Connection, event: SeenEvent) -> None:
    calendar_id = connection.scalar(_ID, _bound(event.ref))
    if calendar_id is None:
        raise OurBug(f"an event of {event.ref} is kept before that calendar was read", system="database")
    upsert(connection, observed_event, [_event_row(calendar_id, event)])


def drop_event(connection: Connection, ref: CalendarRef, href: str) -> None:
    connection.execute(_DROP_EVENT_OF, _bound(ref) | {"of_href": href})


def _event_row(calendar_id: int, event: SeenEvent) -> dict[str, object]:
    return {
        "calendar_id": calendar_id,
        "href": event.href,
        "version": event.version,
        "raw_digest": event.raw_digest,
        "uid": event.uid,
        "marker": event.marker,
        "native": event.native and event.native.value,
        "times": None if event.times is None else dump_times(event.times),
        "set_aside": event.set_aside,
        "owned_digest": event.owned_digest,
        "times_digest": event.times_digest,
        "title_digest": event.title_digest,
        "notes_digest": event.notes_digest,
    }


def _times(text: str | None) -> tuple[EventTimes | None, str]:
    if text is None:
        return None, ""
    try:
        return load_times(text), ""
    except BadItem as error:  # a zone that this machine no longer knows
        return None, str(error)


def _bound(ref: CalendarRef) -> dict[str, str]:
    return {"of_account": ref.account, "of_calendar": ref.calendar}
