"""What calendars were seen to hold."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import ColumnElement, Connection, bindparam, delete, insert, select, tuple_

from connectors.errors import BadItem, OurBug
from gateway.store.schema import calendar_state, observed_event
from gateway.store.upsert import upsert
from gateway.store.values import CalendarState, KnownItem
from gateway.sync.values import CalendarRef, SeenEvent
from mappings.native import NativeSource
from mappings.times import EventTimes, dump_times, load_times

_STATE = (calendar_state.c.cursor, calendar_state.c.mark, calendar_state.c.read_at, calendar_state.c.patterns)
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


def state(connection: Connection, ref: CalendarRef) -> CalendarState | None:
    row = connection.execute(select(*_STATE).where(_is(ref))).first()
    return row and CalendarState(*row)


def known_items(connection: Connection, ref: CalendarRef) -> dict[str, KnownItem]:
    event = observed_event.c
    query = select(event.href, event.version, event.raw_digest, event.set_aside)
    query = query.join(calendar_state).where(_is(ref))
    return {href: KnownItem(version, digest, aside) for href, version, digest, aside in connection.execute(query)}


def seen_events(connection: Connection, refs: Collection[CalendarRef]) -> Iterator[SeenEvent]:
    """Every event of these calendars, ordered by calendar and href."""
    query = select(calendar_state.c.id, calendar_state.c.account, calendar_state.c.calendar).where(
        tuple_(calendar_state.c.account, calendar_state.c.calendar).in_([(ref.account, ref.calendar) for ref in refs])
    )
    by_id = {
        calendar_id: CalendarRef(account, calendar) for calendar_id, account, calendar in connection.execute(query)
    }
    events = select(*_EVENT).where(observed_event.c.calendar_id.in_(by_id))
    events = events.order_by(observed_event.c.calendar_id, observed_event.c.href)
    for calendar_id, href, version, raw, uid, marker, native, text, aside, *digests in connection.execute(events):
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
    calendar_id = connection.execute(select(calendar_state.c.id).where(_is(ref))).scalar()
    row: dict[str, object] = {
        "cursor": state.cursor,
        "mark": state.mark,
        "read_at": state.read_at,
        "patterns": state.patterns,
    }
    if calendar_id is None:
        row |= {"account": ref.account, "calendar": ref.calendar}
        (calendar_id,) = connection.execute(insert(calendar_state), row).inserted_primary_key or (0,)
    else:
        connection.execute(calendar_state.update().where(calendar_state.c.id == calendar_id), row)
    upsert(connection, observed_event, [_event_row(calendar_id, event) for event in events])
    if gone:
        connection.execute(
            delete(observed_event).where(
                observed_event.c.calendar_id == calendar_id, observed_event.c.href == bindparam("gone_href")
            ),
            [{"gone_href": href} for href in gone],
        )


def save_event(connection: Connection, event: SeenEvent) -> None:
    calendar_id = connection.execute(select(calendar_state.c.id).where(_is(event.ref))).scalar()
    if calendar_id is None:
        raise OurBug(f"an event of {event.ref} is kept before that calendar was read", system="database")
    upsert(connection, observed_event, [_event_row(calendar_id, event)])


def drop_event(connection: Connection, ref: CalendarRef, href: str) -> None:
    of_calendar = select(calendar_state.c.id).where(_is(ref)).scalar_subquery()
    connection.execute(
        delete(observed_event).where(observed_event.c.calendar_id == of_calendar, observed_event.c.href == href)
    )


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


def _is(ref: CalendarRef) -> ColumnElement[bool]:
    return (calendar_state.c.account == ref.account) & (calendar_state.c.calendar == ref.calendar)
