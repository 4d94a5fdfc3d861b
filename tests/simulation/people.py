"""What people do in a history: each step picks something that exists, does it, and says what it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.icalendar_text import parse_event
from connectors.records import Rdv
from mappings.identity import NAMESPACE
from tests.simulation import second_sync
from tests.simulation.calendar_model import Item
from tests.simulation.meetings import (
    PRIVATE_WORD,
    Exceptional,
    Meeting,
    copied_by_hand,
    moved_by,
    with_alarm,
    with_times,
    with_title,
)
from tests.simulation.rdv_model import PARIS, StoredAbsence, server_instant
from tests.simulation.rules import CATEGORIES, RETITLED
from tests.simulation.world import REUNION, Person, World

TYPED_WORD = "Quarantaine"
_MINUTES = (0, 15, 30, 45)
_LENGTHS = (15, 30, 60, 60, 90, 120, 180)
_SHIFTS = (-1440, -120, -60, -30, 15, 30, 60, 60, 120, 1440, 2880)


def some_time(world: World, *, least_days: int = 0) -> datetime:
    """A wall-clock time in the next weeks, mostly near."""
    chance = world.chance
    days = chance.choice([chance.randint(least_days, 4), chance.randint(least_days, world.rules.horizon_days + 3)])
    today = world.clock.now().replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    return today + timedelta(days=days, hours=chance.randint(8, 17), minutes=chance.choice(_MINUTES))


def some_length(world: World) -> timedelta:
    return timedelta(minutes=world.chance.choice(_LENGTHS))


def some_shift(world: World) -> timedelta:
    return timedelta(minutes=world.chance.choice(_SHIFTS))


def new_meeting(world: World, person: Person) -> Meeting:
    """An event that this agent might make."""
    chance = world.chance
    number = world.counts["meetings made"]
    world.counts["meetings made"] += 1
    start, length, all_day, every, times = some_time(world), some_length(world), False, 0, 1
    kind = chance.random()
    if kind < 0.15:
        start, length, all_day = start.replace(hour=0, minute=0), timedelta(days=chance.choice([1, 1, 2, 4])), True
    elif kind < 0.2:
        start, length = start.replace(hour=19), timedelta(hours=chance.choice([13, 14]))
    if chance.random() < 0.25:
        every, times = chance.choice([(1, 3), (2, 4), (7, 3), (7, 5)])
        length = timedelta(days=1) if all_day else length
    zone = chance.choice([person.zone, person.zone, PARIS, ZoneInfo("UTC")])
    meeting = Meeting(
        f"meeting-{number}@example.test",
        zone,
        start,
        length,
        f"{PRIVATE_WORD} {number}",
        all_day=all_day,
        free=chance.random() < 0.1,
        every=every,
        times=times,
        tentative=world.taste.random() < 0.2,
        category=world.taste.choice(CATEGORIES),
    )
    if every and not all_day and chance.random() < 0.3:
        meeting.added = (start + timedelta(days=every * times, hours=1),)
    return meeting


def make_event(world: World, person: Person) -> str | None:
    meeting = new_meeting(world, person)
    calendar = world.chance.choice(person.calendars)
    world.calendar.put_meeting(calendar, _new_href(world, calendar), meeting)
    if len(person.sources) > 1 and world.chance.random() < 0.15:
        for other in person.sources:
            if other != calendar:
                world.calendar.put_meeting(other, _new_href(world, other), replace(meeting))
    return f"{person.agent_id} makes {_said(meeting)} in {calendar}"


def _new_href(world: World, calendar: str) -> str:
    world.counts["items made"] += 1
    return f"{calendar}item-{world.counts['items made']}.ics"


def _said(meeting: Meeting) -> str:
    series = f" x{meeting.times} every {meeting.every} days" if meeting.every else ""
    free = " free" if meeting.free else ""
    return f"{meeting.uid.partition('@')[0]} {meeting.start:%d.%m %H:%M} for {meeting.length}{series}{free}"


def _own_event(world: World, person: Person) -> tuple[str, str, Item, Meeting] | None:
    found = [
        (calendar, href, item)
        for calendar in person.calendars
        for href, item in sorted(world.calendar.calendars[calendar].items())
        if item.meeting is not None
    ]
    if not found:
        return None
    calendar, href, item = world.chance.choice(found)
    assert item.meeting is not None
    return calendar, href, item, item.meeting


def _change_event(world: World, person: Person, verb: str, change: Callable[[Meeting], Meeting | None]) -> str | None:
    found = _own_event(world, person)
    if found is None:
        return None
    calendar, href, _, meeting = found
    changed = change(meeting)
    if changed is None:
        return None
    world.calendar.put_meeting(calendar, href, changed)
    return f"{person.agent_id} {verb}: {_said(changed)} in {calendar}"


def move_event(world: World, person: Person) -> str | None:
    def moved(meeting: Meeting) -> Meeting:
        shift = some_shift(world)
        if meeting.all_day:
            shift = timedelta(days=world.chance.choice([-1, 1, 2, 7]))
        return moved_by(meeting, shift)

    return _change_event(world, person, "moves", moved)


def lengthen_event(world: World, person: Person) -> str | None:
    def changed(meeting: Meeting) -> Meeting:
        if meeting.all_day:
            return replace(meeting, length=timedelta(days=world.chance.choice([1, 2, 3])))
        return replace(meeting, length=some_length(world))

    return _change_event(world, person, "changes the length of", changed)


def free_event(world: World, person: Person) -> str | None:
    return _change_event(world, person, "makes free or busy", lambda meeting: replace(meeting, free=not meeting.free))


def retitle_event(world: World, person: Person) -> str | None:
    world.counts["titles"] += 1
    title = f"{PRIVATE_WORD} {RETITLED} {world.counts['titles']}"
    return _change_event(world, person, "retitles", lambda meeting: replace(meeting, title=title))


def except_occurrence(world: World, person: Person) -> str | None:
    """One occurrence of a series is cancelled, made free, or moved."""

    def changed(meeting: Meeting) -> Meeting | None:
        starts = meeting.starts()
        if not meeting.every or len(starts) < 2:
            return None
        original = world.chance.choice(starts)
        kind = world.chance.choice(["cancel", "move", "move", "free"])
        if kind == "cancel" and original != meeting.start:
            return replace(meeting, excluded=meeting.excluded | {original})
        shift = timedelta(days=world.chance.choice([1, 2])) if meeting.all_day else some_shift(world)
        exceptional = Exceptional(original + shift, meeting.length, meeting.free or kind == "free")
        return replace(meeting, moved={**meeting.moved, original: exceptional})

    return _change_event(world, person, "changes an occurrence of", changed)


def delete_event(world: World, person: Person) -> str | None:
    found = _own_event(world, person)
    if found is None:
        return None
    calendar, href, _item, meeting = found
    world.calendar.remove(calendar, href)
    return f"{person.agent_id} deletes {_said(meeting)} from {calendar}"


def carry_event(world: World, person: Person) -> str | None:
    """Into another calendar of theirs."""
    found = _own_event(world, person)
    others = [each for each in person.calendars if found and each != found[0]]
    if found is None or not others:
        return None
    calendar, href, _item, meeting = found
    world.calendar.remove(calendar, href)
    other = world.chance.choice(others)
    world.calendar.put_meeting(other, _new_href(world, other), meeting)
    return f"{person.agent_id} carries {_said(meeting)} from {calendar} to {other}"


# --- events of ours ------------------------------------------------------------------------------------------


def _our_event(world: World, person: Person) -> tuple[str, Item] | None:
    found = [
        (href, item)
        for href, item in sorted(world.calendar.calendars[person.target].items())
        if item.ours and href.rpartition("/")[2].startswith(NAMESPACE)
    ]
    return world.chance.choice(found) if found else None


def _touch(world: World, person: Person, href: str) -> str:
    """Note that a person edited an event; its name for the log. That of a typed absence may change the absence."""
    for absence in world.server.absences.values():
        if absence.agent_id == person.agent_id and world.mirror_href(absence, person) == href:
            world.event_edited.add(absence.id)
            world.mirror_touched(person, absence, "calendar")
            return f"the event of absence {absence.id}"
    for rdv_id in world.server.rdvs:
        if world.copy_href(rdv_id, person) == href:
            return f"the copy of rdv {rdv_id}"
    return "an event of ours of nothing any more"


def edit_ours(world: World, person: Person) -> str | None:
    found = _our_event(world, person)
    if found is None:
        return None
    return _edit_our_event(world, person, *found)


def _edit_our_event(world: World, person: Person, href: str, item: Item) -> str:
    # A known limit: a title that comes between our write and our reading is taken for what the server made of ours.
    kinds = ["move", "move", "alarm"] if world.weather.reading_again else ["move", "move", "title", "alarm"]
    kind = world.chance.choice(kinds)
    what = _touch(world, person, href)
    if kind == "move":
        start = some_time(world).replace(tzinfo=UTC)
        body = with_times(item.body, start, start + some_length(world))
        kind = f"moves to {start:%d.%m %H:%M}Z"
    elif kind == "title":
        world.counts["titles"] += 1
        body = with_title(item.body, f"{PRIVATE_WORD} mine {world.counts['titles']}")
    else:
        body = with_alarm(item.body)
    world.calendar.edit(person.target, href, body)
    return f"{person.agent_id} {kind}: {what}"


def delete_ours(world: World, person: Person) -> str | None:
    found = _our_event(world, person)
    if found is None:
        return None
    what = _touch(world, person, found[0])
    world.calendar.remove(person.target, found[0])
    return f"{person.agent_id} deletes {what}"


def carry_ours(world: World, person: Person) -> str | None:
    """Into another calendar, as it is."""
    found = _our_event(world, person)
    others = [each for each in person.calendars if each != person.target]
    if found is None or not others:
        return None
    href, item = found
    other = world.chance.choice(others)
    target = f"{other}{href.rpartition('/')[2]}"
    if target in world.calendar.calendars[other]:
        return None
    what = _touch(world, person, href)
    world.calendar.remove(person.target, href)
    world.calendar.adopt(other, target, item)
    return f"{person.agent_id} carries {what} to {other}"


def copy_ours(world: World, person: Person) -> str | None:
    """By hand: another UID, the marker kept."""
    found = _our_event(world, person)
    if found is None:
        return None
    href, item = found
    event = parse_event(item.body, system="model")
    world.counts["hand copies"] += 1
    uid = f"hand-copy-{world.counts['hand copies']}@example.test"
    meeting = copied_by_hand(item.body, uid, event.marker or "") if event else None
    if meeting is None:
        return None
    calendar = world.chance.choice(person.calendars)
    world.calendar.put_meeting(calendar, _new_href(world, calendar), meeting)
    return f"{person.agent_id} copies {href.rpartition('/')[2][:14]} by hand to {calendar}: {_said(meeting)}"


# --- RDV-Solidarités -----------------------------------------------------------------------------------------


def make_rdv(world: World, person: Person) -> str | None:
    rdv = new_rdv(world, person, some_time(world))
    return f"rdv {rdv.id} is made for {rdv.agent_ids} at {rdv.starts_at:%d.%m %H:%M}"


def new_rdv(world: World, person: Person, start: datetime) -> Rdv:
    server = world.server
    id_ = server.new_id()
    agents = [person.agent_id]
    others = [each.agent_id for each in world.people if each.organisation_id == person.organisation_id]
    if world.chance.random() < 0.2:
        agents = sorted({*agents, world.chance.choice(others)})
    rdv = Rdv(
        id=id_,
        uuid=f"00000000-0000-4000-8000-{id_:012d}",
        status="unknown",
        starts_at=start,
        ends_at=start + some_length(world),
        starts_at_server=server_instant(start),
        time_zone=None,
        organisation_id=person.organisation_id,
        agent_ids=tuple(agents),
        motif_id=1,
        motif_name="Suivi",
        service_id=server.services[person.agent_id],
        location_type="public_office",
        collectif=False,
        url=f"https://rdv.example.test/rdvs/{id_}",
    )
    server.rdvs[id_] = rdv
    return rdv


def _rdv(world: World, person: Person) -> Rdv | None:
    found = [rdv for rdv in world.server.rdvs.values() if person.agent_id in rdv.agent_ids]
    return world.chance.choice(found) if found else None


def change_rdv(world: World, person: Person) -> str | None:
    """Moved, cancelled or un-cancelled, given to another agent, or deleted for good."""
    rdv = _rdv(world, person)
    if rdv is None:
        return None
    server = world.server
    kind = world.chance.choice(["move", "move", "status", "status", "swap", "delete", "again"])
    if kind == "move":
        start = some_time(world)
        server.rdvs[rdv.id] = replace(
            rdv, starts_at=start, ends_at=start + some_length(world), starts_at_server=server_instant(start)
        )
        return f"rdv {rdv.id} is moved to {start:%d.%m %H:%M}"
    if kind == "swap":
        others = [each.agent_id for each in world.people if each.organisation_id == person.organisation_id]
        agents = tuple(sorted({world.chance.choice(others)}))
        server.rdvs[rdv.id] = replace(rdv, agent_ids=agents)
        return f"rdv {rdv.id} goes from {rdv.agent_ids} to {agents}"
    if kind == "delete":
        server.deleted_rdvs[rdv.id] = server.rdvs.pop(rdv.id)
        return f"rdv {rdv.id} is deleted for good"
    status = "unknown" if rdv.cancelled else world.chance.choice(["excused", "revoked", "seen"])
    server.rdvs[rdv.id] = replace(rdv, status=status)
    if kind == "again" and status in ("excused", "revoked"):
        new = new_rdv(world, person, some_time(world))
        return f"rdv {rdv.id} is {status}, and made again as rdv {new.id} at {new.starts_at:%d.%m %H:%M}"
    return f"rdv {rdv.id} is {status}"


def type_absence(world: World, person: Person) -> str | None:
    start = some_time(world)
    end = start + some_length(world)
    if world.chance.random() < 0.2:
        start = start.replace(hour=0, minute=0)
        end = start.replace(hour=23, minute=59) + timedelta(days=world.chance.choice([0, 1]))
    busy = sorted(world.busy(person))
    if busy and world.chance.random() < 0.25:
        twin = world.chance.choice(busy)
        start, end = twin.start, twin.end
    number = world.counts["absences typed"]
    world.counts["absences typed"] += 1
    absence = world.server.type_absence(person.agent_id, f"{TYPED_WORD} {number}", start, end)
    return f"{person.agent_id} types absence {absence.id} {start:%d.%m %H:%M} - {end:%d.%m %H:%M}"


def _absence(world: World, person: Person, *, typed: bool) -> StoredAbsence | None:
    found = [
        each
        for each in world.server.absences.values()
        if each.agent_id == person.agent_id and each.typed is typed and each.end > world.wall(person)
    ]
    return world.chance.choice(found) if found else None


def edit_absence(world: World, person: Person) -> str | None:
    return _edit_in_rdv_solidarites(world, person, _absence(world, person, typed=True))


def edit_block(world: World, person: Person) -> str | None:
    return _edit_in_rdv_solidarites(world, person, _absence(world, person, typed=False))


def _edit_in_rdv_solidarites(world: World, person: Person, absence: StoredAbsence | None) -> str | None:
    if absence is None:
        return None
    world.absence_touched(person, absence)
    kind = world.chance.choice(["delete", "shorten", "move", "lengthen"])
    name = f"{'absence' if absence.typed else 'block'} {absence.id}"
    if kind == "delete":
        world.server.drop_absence(absence.id)
        return f"{person.agent_id} deletes {name} in RDV-Solidarités"
    start, end = absence.interval
    quarter = timedelta(minutes=15)
    if kind == "shorten" and end - start > 2 * quarter:
        start, end = world.chance.choice(
            [(start + quarter, end), (start, end - quarter), (start + quarter, end - quarter)]
        )
    elif kind == "lengthen" and start.hour > 1 and end.hour < 22:
        start, end = start - quarter, end + quarter
    else:
        shift = timedelta(days=1) if end - start > timedelta(hours=12) else some_shift(world)
        start, end = start + shift, end + shift
    world.server.edit_absence(absence.id, start, end)
    return f"{person.agent_id} sets {name} to {start:%d.%m %H:%M} - {end:%d.%m %H:%M}"


_Step = Callable[[World, Person], str | None]


def rival(world: World, thing: str | int) -> str | None:
    """Somebody edits the very thing that the gateway is about to write."""
    if isinstance(thing, int):
        absence = world.server.absences.get(thing)
        if absence is None:
            return None
        person = next(each for each in world.people if each.agent_id == absence.agent_id)
        return _edit_in_rdv_solidarites(world, person, absence)
    person = next(each for each in world.people if thing.startswith(each.target))
    item = world.calendar.calendars[person.target].get(thing)
    return _edit_our_event(world, person, thing, item) if item else None


STEPS: tuple[tuple[_Step, int], ...] = (
    (make_event, 8),
    (move_event, 6),
    (lengthen_event, 3),
    (free_event, 3),
    (retitle_event, 1),
    (except_occurrence, 4),
    (delete_event, 4),
    (carry_event, 2),
    (edit_ours, 6),
    (delete_ours, 3),
    (carry_ours, 1),
    (copy_ours, 2),
    (make_rdv, 5),
    (change_rdv, 8),
    (type_absence, 4),
    (edit_absence, 4),
    (edit_block, 5),
    (second_sync.appears, 2),
    (second_sync.vanishes, 2),
)

WHILE_A_RUN_GOES_ON: tuple[_Step, ...] = (make_event, move_event, edit_ours, edit_ours, edit_block, edit_absence)
"""What people may do in the middle of a run. Not what takes back a reason for a removal: that is a race that
RDV-Solidarités, which has no versions, cannot help to decide."""


def act(world: World) -> str | None:
    """One step of somebody."""
    world.server.catch_up()  # they see what is there now
    world.calendar.catch_up()
    person = world.chance.choice(world.people)
    step = world.chance.choices([step for step, _ in STEPS], [weight for _, weight in STEPS])[0]
    return step(world, person)


def act_meanwhile(world: World) -> str | None:
    """One step of somebody while a run goes on."""
    world.server.catch_up()
    world.calendar.catch_up()
    return world.chance.choice(WHILE_A_RUN_GOES_ON)(world, world.chance.choice(world.people))


__all__ = ["REUNION", "STEPS", "act", "act_meanwhile", "new_meeting", "new_rdv"]
