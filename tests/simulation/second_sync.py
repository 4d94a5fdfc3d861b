"""RDV-Solidarités' own sync, which some agents switch on and off beside the gateway; and what is to be told of RDVs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.sync.values import ConflictKind
from tests.simulation.intervals import Interval, minus, union, within
from tests.simulation.meetings import PRIVATE_WORD
from tests.simulation.weather import BrokenPromise
from tests.simulation.world import NativeFile, Person, World, rdv_span

_UNKNOWN = "11111111-0000-4000-8000-{:012d}"
"""An RDV that the technical account does not see."""


@dataclass(frozen=True, slots=True)
class _Appearance:
    uid: str
    start: datetime  # instants
    end: datetime
    cancelled: bool = False


def appears(world: World, person: Person) -> str | None:
    """It writes the file of an RDV: of the agent's own, or of one that is not seen; past, cancelled or to come."""
    known = [rdv for rdv in world.server.rdvs.values() if person.agent_id in rdv.agent_ids]
    world.counts["native copies"] += 1
    number = world.counts["native copies"]
    if known and world.chance.random() < 0.6:
        rdv = world.chance.choice(known)
        seen = _Appearance(rdv.uuid.upper() if number % 2 else rdv.uuid, *rdv_span(rdv))
    else:
        start = world.clock.now().replace(minute=0, second=0, microsecond=0)
        start += timedelta(hours=world.chance.choice([-72, -3, 24, 30, 100]))
        cancelled = world.chance.random() < 0.2
        seen = _Appearance(_UNKNOWN.format(number), start, start + timedelta(minutes=30), cancelled)
    calendar = world.chance.choice([person.target, person.target, *person.calendars])
    file = NativeFile(_body(seen), seen.end, ahead=not seen.cancelled)
    href = f"{calendar}{seen.uid}.ics"
    if href in world.calendar.calendars[calendar]:
        return None
    world.calendar.put_foreign(calendar, href, file.body)
    world.natives[calendar, href] = file
    return f"the own sync of {person.agent_id} writes {seen.uid[-12:]} {seen.start:%d.%m %H:%M}Z in {calendar}"


def vanishes(world: World, person: Person) -> str | None:
    """It takes one of its files away."""
    found = sorted(place for place in world.natives if place[0] in person.calendars)
    if not found:
        return None
    _take_away(world, place := world.chance.choice(found))
    return f"the own sync of {person.agent_id} takes {place[1].rpartition('/')[2][-16:-4]} away"


def switched_off(world: World) -> None:
    """At the end: what it wrote ahead is gone, what is past stays."""
    for place, file in sorted(world.natives.items()):
        if file.ends > world.clock.now() and file.ahead:
            _take_away(world, place)


def _take_away(world: World, place: tuple[str, str]) -> None:
    world.calendar.remove(*place)
    del world.natives[place]


def _body(seen: _Appearance) -> bytes:
    lines = [
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:RDV Solidarités", "BEGIN:VEVENT", f"UID:{seen.uid}"),
        *("DTSTAMP:20250101T000000Z", f"DTSTART:{seen.start:%Y%m%dT%H%M%SZ}", f"DTEND:{seen.end:%Y%m%dT%H%M%SZ}"),
        *(f"SUMMARY:{PRIVATE_WORD}", "STATUS:CANCELLED" if seen.cancelled else "STATUS:CONFIRMED"),
        *("DESCRIPTION:https://rdv.example.test/rdvs/1", "END:VEVENT", "END:VCALENDAR"),
    ]
    return "".join(f"{line}\r\n" for line in lines).encode()


# --- the promises --------------------------------------------------------------------------------------------


def check(world: World, person: Person, freed: list[Interval]) -> None:
    """What it wrote is as it wrote it; each RDV over busy time is told, and nothing else is."""
    for (calendar, href), file in world.natives.items():
        item = world.calendar.calendars[calendar].get(href)
        if item is None or item.body != file.body:
            raise BrokenPromise("nothing lost", f"{href} of another sync is not what it left")
    rows = [row.conflict for row in world.store.conflicts(person.agent_id)]
    if any(each.kind is ConflictKind.NATIVE_SYNC for each in rows):
        raise BrokenPromise("correct", f"agent {person.agent_id} is told of another sync that is switched off")
    told = {each.rdv_id for each in rows if each.kind is ConflictKind.RDV_OVER_BUSY}
    for rdv_id, span in _to_come(world, person).items():
        certain, possible = _overlapped(world, person, span, freed)
        if certain and rdv_id not in told:
            raise BrokenPromise("correct", f"rdv {rdv_id} is over busy time of agent {person.agent_id}, untold")
        if rdv_id in told and not possible:
            raise BrokenPromise("correct", f"rdv {rdv_id} is told to be over busy time, and is not")
    if not told <= _to_come(world, person).keys():
        raise BrokenPromise("correct", f"rdvs {told} are told of, and some are cancelled, past or not this agent's")


def _to_come(world: World, person: Person) -> dict[int, Interval]:
    """The agent's RDVs within the horizon, as wall-clock of the agent."""
    now = world.wall(person)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    spans: dict[int, Interval] = {}
    for rdv in world.server.rdvs.values():
        start, end = (each.astimezone(person.zone).replace(tzinfo=None) for each in rdv_span(rdv))
        ahead = now < start < midnight + timedelta(days=world.rules.horizon_days + 1)
        if ahead and not rdv.cancelled and person.agent_id in rdv.agent_ids:
            spans[rdv.id] = (start, end)
    return spans


def _overlapped(world: World, person: Person, span: Interval, freed: list[Interval]) -> tuple[bool, bool]:
    """Whether busy time, or an absence that a person typed, lies under it: for certain; and at all."""
    busy = [(each.start, each.end) for each in world.busy(person)]
    office = world.office(person)
    typed = [each for each in world.server.absences.values() if each.agent_id == person.agent_id]
    mirrored = [each.interval for each in typed if each.typed and world.is_mirrored(each, person)]
    certain = within([*office.cut(minus(busy, freed)), *mirrored], span)
    possible = within([*union(office.cut(busy)), *(each.interval for each in typed)], span)
    return bool(certain), bool(possible)
