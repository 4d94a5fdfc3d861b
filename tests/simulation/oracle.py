"""The promises, asserted at the end of a history against what the two sides really hold."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

from connectors.icalendar_text import parse_event
from connectors.records import EventStatus, Rdv, Transparency
from gateway.sync.values import ConflictKind
from mappings.identity import NAMESPACE, label_of
from tests.simulation import second_sync
from tests.simulation.calendar_model import Item
from tests.simulation.intervals import Interval, minus, overlap, text, union, within
from tests.simulation.meetings import PRIVATE_WORD
from tests.simulation.people import TYPED_WORD
from tests.simulation.rdv_model import StoredAbsence
from tests.simulation.weather import BrokenPromise
from tests.simulation.world import Person, World, absence_image, event_interval, rdv_span, unlabelled


def check(world: World) -> None:
    """Raise `BrokenPromise` for the first promise that does not hold."""
    for person in world.people:
        _blocks(world, person)
        _labels(world, person)
        _copies(world, person)
        _mirrors(world, person)
        freed = [*_freed(world, person, certain=True), *_freed(world, person, certain=False)]
        second_sync.check(world, person, freed)
    _untouched(world)
    _private(world)
    _journal(world)


# --- busy time -----------------------------------------------------------------------------------------------


def _blocks(world: World, person: Person) -> None:
    now = world.wall(person)
    end = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=world.rules.horizon_days + 1)
    span, ever = (now, end), (now, now + timedelta(days=3650))
    office = world.office(person)
    busy = [(each.start, each.end) for each in world.busy(person)]
    other = {(each.start, each.end) for each in world.busy(person)}
    certain = _freed(world, person, certain=True)
    open_time = _freed(world, person, certain=False)
    pool = [each for each in world.pool(person) if each.end > now]
    ours = [each for each in pool if each.kept]
    orphans = _orphans(world, person)
    required = within(office.cut(minus(busy, [*certain, *open_time])), span)
    uncovered = minus(required, [each.interval for each in pool])
    if uncovered:
        raise BrokenPromise("correct", f"agent {person.agent_id} is busy and bookable: {text(uncovered)}")
    explained = office.cut(minus(busy, certain))
    extra = within(minus([each.interval for each in ours if each.id not in orphans], explained), ever)
    if extra:
        raise BrokenPromise("correct", f"agent {person.agent_id} is blocked for nothing: {text(extra)}")
    for index, one in enumerate(ours):
        for another in (*ours[index + 1 :], *(each for each in pool if each not in ours)):
            both = overlap(one.interval, another.interval)
            if both and not {one.id, another.id} & orphans and not (another.typed and another.interval not in other):
                if one.interval != another.interval and _may_overlap(world, person, one, another, both):
                    continue
                raise BrokenPromise("no doubles", f"blocks {one.id} and {another.id} both cover {text([both])}")


def _may_overlap(world: World, person: Person, one: StoredAbsence, another: StoredAbsence, both: Interval) -> bool:
    """Two blocks stand for one time where each event has its own, or each label, and several events are there."""
    office = world.office(person)
    if office.merged and (not office.labelled or one.title == another.title):
        return False
    return len([each for each in world.busy(person) if overlap(both, (each.start, each.end))]) > 1


def _labels(world: World, person: Person) -> None:
    """A block is called as one of the events behind it is to be called."""
    now, orphans = world.wall(person), _orphans(world, person)
    for absence in world.pool(person):
        if not absence.kept or absence.end <= now or absence.id in orphans:
            continue
        labels = {each.label for each in world.busy(person) if overlap(absence.interval, (each.start, each.end))}
        if label_of(absence.title) not in labels:
            raise BrokenPromise("correct", f"block {absence.id} is called {absence.title}, and not one of {labels}")


def _freed(world: World, person: Person, *, certain: bool) -> list[Interval]:
    """Freed time, but where another occurrence keeps the agent busy."""
    memory = world.memories[person.agent_id]
    current = unlabelled(world.busy(person))
    found: list[Interval] = []
    for each in memory.freed:
        if each.certain is not certain or each.occurrence not in current:
            continue
        if not certain:
            found.append(each.part)
            continue
        covered_by_others = []
        for another in current:
            if another != each.occurrence:
                gaps = [f.part for f in memory.freed if f.occurrence == another and f.certain]
                covered_by_others += minus([(another.start, another.end)], gaps)
        found += minus([each.part], covered_by_others)
    return union(found)


def _orphans(world: World, person: Person) -> set[int]:
    """Blocks without a known origin that the report names: after a set-back, or edited by a person before their making
    was recorded."""
    if world.last_report is None:
        return set()
    named = {
        conflict.absence_id
        for report in world.last_report.agents
        for conflict in report.conflicts
        if report.agent_id == person.agent_id and conflict.kind is ConflictKind.ORPHAN and conflict.absence_id
    }
    return {id_ for id_ in named if world.set_back or world.server.absences[id_].touched}


# --- copies of RDVs ------------------------------------------------------------------------------------------


def _copies(world: World, person: Person) -> None:
    now = world.clock.now()
    items = world.calendar.calendars[person.target]
    for rdv in world.server.rdvs.values():
        href = world.copy_href(rdv.id, person)
        found = items.get(href)
        _, ends = rdv_span(rdv)
        if ends <= now:
            continue
        wanted = person.agent_id in rdv.agent_ids and not (rdv.cancelled and world.rules.cancelled == "remove")
        if found is None:
            if wanted and not rdv.cancelled:
                raise BrokenPromise("correct", f"rdv {rdv.id} has no copy for agent {person.agent_id}")
            continue
        if not wanted:
            if world.set_back and href in _named_orphans(world):
                continue
            raise BrokenPromise("correct", f"rdv {rdv.id} still has a copy for agent {person.agent_id}")
        _copy_is_right(rdv, found, person)
    _nothing_left_over(world, person)


def _named_orphans(world: World) -> set[str]:
    """Events of ours of which the last report says that nothing is known."""
    return {
        conflict.href
        for report in (world.last_report.agents if world.last_report else ())
        for conflict in report.conflicts
        if conflict.kind is ConflictKind.ORPHAN
    }


def _copy_is_right(rdv: Rdv, item: Item, person: Person) -> None:
    event = parse_event(item.body, system="model")
    name = f"the copy of rdv {rdv.id} for agent {person.agent_id}"
    if event is None or len(event.components) != 1:
        raise BrokenPromise("correct", f"{name} is no single event")
    it = event.components[0]
    if (it.start, it.end) != rdv_span(rdv):
        raise BrokenPromise("correct", f"{name} is at {it.start} - {it.end}, and the rdv at {rdv_span(rdv)}")
    states = (it.status is EventStatus.CANCELLED, it.transparency is Transparency.TRANSPARENT)
    if states != (rdv.cancelled, rdv.cancelled):
        raise BrokenPromise("correct", f"{name} is {it.status}, and the rdv {rdv.status}")
    if PRIVATE_WORD in it.summary:
        raise BrokenPromise("correct", f"{name} has a title that a person gave it")


def _nothing_left_over(world: World, person: Person) -> None:
    """Every event of ours that is not past stands for something that exists, or is named as an orphan."""
    known = {world.copy_href(rdv_id, person) for rdv_id in world.server.rdvs}
    known |= {world.mirror_href(absence, person) for absence in world.server.absences.values()}
    named = _named_orphans(world)
    for href, item in world.calendar.calendars[person.target].items():
        if not item.ours or href in known or not href.rpartition("/")[2].startswith(NAMESPACE):
            continue
        if event_interval(item.body, person.zone)[1] <= world.wall(person):
            continue
        carried = not world.belongs(href, person)  # from the calendar of somebody else
        # One whose creation was never answered, and which a person moved before it was looked for.
        if not ((world.set_back or carried or item.touched) and href in named):
            raise BrokenPromise("correct", f"an event of ours stands for nothing any more: {world.origin(href)}")


# --- mirrors -------------------------------------------------------------------------------------------------


def _mirrors(world: World, person: Person) -> None:
    now = world.wall(person)
    busy = [(each.start, each.end) for each in world.busy(person)]
    for absence in world.server.absences.values():
        if not absence.typed or absence.agent_id != person.agent_id or absence.end <= now:
            continue
        shown = world.event_interval(absence.id, person)
        if shown is None:
            # It stands for calendar time (found, or typed twice), unless a person moved it after that.
            if minus([absence.interval], busy) and not (absence.touched or absence.unsure):
                raise BrokenPromise("correct", f"absence {absence.id} has no event: {text([absence.interval])}")
        elif shown != absence.interval:
            raise BrokenPromise("correct", f"absence {absence.id}: {text([absence.interval])} and {text([shown])}")


# --- nothing lost, nothing told, everything written down -----------------------------------------------------


def _untouched(world: World) -> None:
    for calendar, items in world.calendar.calendars.items():
        for href, item in items.items():
            if item.meeting is not None and item.body != item.meeting.text():
                raise BrokenPromise("nothing lost", f"{calendar}{href} is not what its owner left")


def _private(world: World) -> None:
    data = world.disk.content()
    for word in (PRIVATE_WORD, TYPED_WORD):
        if word.encode() in data:
            raise BrokenPromise("nothing private leaves", f"{word} stands in clear in the database")
    told = repr((world.journal(), world.store.holds(), world.store.runs(), world.last_report))
    if PRIVATE_WORD in told:
        raise BrokenPromise("nothing private leaves", f"{PRIVATE_WORD} is shown to people")
    if any(PRIVATE_WORD in absence.title for absence in world.server.absences.values()):
        raise BrokenPromise("nothing private leaves", f"{PRIVATE_WORD} stands in RDV-Solidarités")


def journal_holds(world: World) -> None:
    """Whatever befell it, the journal verifies: no entry is missing, changed or of nobody's writing."""
    verdict = world.store.verify_journal()
    if not verdict.is_whole:
        raise BrokenPromise("journal valid", f"{verdict.findings[0]}")


def _journal(world: World) -> None:
    entries = world.journal()
    written = Counter((each.side, each.action, each.reference) for each in entries)
    lost = sum(each.action == "unanswered" and each.reference.startswith("absence at") for each in entries)
    owed = Counter(world.owed.writes)
    if world.set_back:  # a creation that was found again may be taken for that of an older intent
        lost += sum(count for key, count in written.items() if key[1] == "create" and key not in owed)
    for (side, action, reference), count in owed.items():
        known = written[side, action, reference] + written[side, "unanswered", reference]
        if world.set_back:  # a database that was set back finds what it does not know of, and says so
            known += written[side, "pair", reference]
        if known < count and action == "create" and lost:
            lost -= 1  # one whose id was never learned
        elif known < count:
            raise BrokenPromise("journaled", f"{count} times {action} of {reference} in {side}, not all written down")
    kept = {each.before for each in entries if each.before is not None}
    for body in world.owed.bodies:
        if body not in kept:
            raise BrokenPromise("nothing lost", "an event that a person had edited was overwritten and not kept")
    images = {image for each in entries if (image := absence_image(each))}
    for image in world.owed.absences:
        if image not in images:
            raise BrokenPromise("nothing lost", f"absence {image[0]} was overwritten and not kept")
