"""What became of an RDV, an absence or an event: what the journal tells, oldest first, and how it stands now. Pure.

Ids, hrefs, times and rules; never a title, a place, a name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from gateway.explain.slot import AUTHORS, source_of
from gateway.rules.explaining import explain_event
from gateway.store.values import JournalRow
from gateway.sync.guard import context_of, guard
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.pins import pin_text
from gateway.sync.values import (
    Action,
    AgentView,
    AgreedCopy,
    AgreedMirror,
    ChangeKind,
    Conflict,
    ConflictKind,
    JournalEntry,
    ObjectKind,
    Operation,
    PoolBlock,
    Presence,
    SeenEvent,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened. `at`: instant. `agent_id` None: told of everybody's."""

    at: datetime
    agent_id: int | None
    run_id: str
    side: str
    what: str
    rule: str


@dataclass(frozen=True, slots=True)
class Standing:
    """How it stands for one agent, in sentences."""

    agent_id: int
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Story:
    """`subject`: `rdv 12`, `absence 34` or an href."""

    subject: str
    moments: tuple[Moment, ...]
    standing: tuple[Standing, ...]

    @property
    def is_known(self) -> bool:
        """Whether anything is known of it."""
        return bool(self.moments or self.standing)


# --- the past ------------------------------------------------------------------------------------------------

_OBJECTS = {
    ObjectKind.RDV_COPY.value: "its copy in the calendar",
    ObjectKind.BUSY_BLOCK.value: "the absence that blocks its time",
    ObjectKind.ABSENCE_EVENT.value: "its event in the calendar",
    ObjectKind.ABSENCE.value: "the absence",
}
_ACTIONS = {
    Action.CREATE.value: "the gateway made {}",
    Action.UPDATE.value: "the gateway changed {}",
    Action.DELETE.value: "the gateway removed {}",
    Action.PAIR.value: "the gateway recognised {}, and wrote nothing",
}
_SEEN = {
    "appeared": "it was read for the first time",
    "changed": "somebody changed it",
    "vanished": "it is gone",
    "no_longer_read": "it is no longer read, and not proven gone",
}
_CHANGES = {
    ChangeKind.BLOCK_FREED.value: "a person deleted the absence: its time stays free",
    ChangeKind.BLOCK_SHORTENED.value: "a person shortened the absence: the rest stays free",
    ChangeKind.BLOCK_RELEASED.value: "a person moved or lengthened the absence: it is theirs now",
    ChangeKind.BLOCK_AGREED.value: "both sides were seen equal",
    ChangeKind.BLOCK_FORGOTTEN.value: "the absence is past and was purged",
    ChangeKind.SUPPRESSION_ENDED.value: "what a person had freed may block again: its event changed",
    ChangeKind.PROVENANCE_MOVED.value: "the absence stands for another event of the same time now",
    ChangeKind.MIRROR_AGREED.value: "both sides were seen equal",
    ChangeKind.BLOCK_LOST.value: "the absence is gone, which nobody meant: it is made again",
    ChangeKind.PIN_ENDED.value: "it follows its source again: that asks for something else now",
    ChangeKind.MIRROR_FORGOTTEN.value: "it is gone on both sides, or past",
}
_CONFLICTS = frozenset(kind.value for kind in ConflictKind)


def moments_of(rows: Iterable[JournalRow]) -> tuple[Moment, ...]:
    """`rows`: in any order; the oldest comes first."""
    return tuple(_moment(row.entry) for row in sorted(rows, key=lambda row: row.id))


def _moment(entry: JournalEntry) -> Moment:
    return Moment(entry.at, entry.agent_id, entry.run_id, entry.side, _what(entry), entry.rule)


def _what(entry: JournalEntry) -> str:
    if entry.action in _ACTIONS:
        text = _ACTIONS[entry.action].format(_OBJECTS.get(entry.object, entry.object))
        return f"{text} ({', '.join(entry.fields)})" if entry.fields else text
    if entry.object in _CONFLICTS:
        return f"{entry.rule.replace('_', ' ')}: {entry.object}"
    return _CHANGES.get(entry.object) or _SEEN.get(entry.rule) or f"{entry.action} {entry.object}"


# --- the present ---------------------------------------------------------------------------------------------


def rdv_standing(view: AgentView, rdv_id: int, context: PlanContext, approvals: frozenset[str]) -> Standing:
    """How an RDV stands for an agent."""
    copy = next((each for each in view.copies if each.rdv_id == rdv_id), None)
    hrefs = {copy.href} if copy is not None else set()
    sentences = [*_read_rdv(view, rdv_id), *_copy(view, copy)]
    sentences += _decided(
        view, context, approvals, lambda each: each.rdv_id == rdv_id, hrefs=hrefs, name=f"rdv {rdv_id}"
    )
    if copy is None and not context.rules(view.agent).copy_rdvs:
        sentences.append("copy_rdvs is off for this agent")
    return Standing(view.agent.agent_id, tuple(sentences))


def _read_rdv(view: AgentView, rdv_id: int) -> Iterator[str]:
    seen = next((each for each in view.rdvs if each.rdv.id == rdv_id), None)
    if seen is None:
        yield "RDV-Solidarités: the last reading showed no such RDV of this agent"
        return
    match seen.presence:
        case Presence.GONE:
            yield "RDV-Solidarités: it is proven gone"
        case Presence.UNKNOWN:
            yield f"RDV-Solidarités: no longer read, {seen.missing_because or 'one reading more decides'}"
        case Presence.PRESENT:
            zone = f" {seen.rdv.time_zone}" if seen.rdv.time_zone else ""
            yield f"RDV-Solidarités: {seen.rdv.starts_at:%Y-%m-%d %H:%M} to {seen.rdv.ends_at:%H:%M}{zone}"
    if seen.rdv.cancelled:
        yield "it is cancelled"
    if view.agent.agent_id not in seen.rdv.agent_ids:
        yield "it is not this agent's any more"


def _copy(view: AgentView, copy: AgreedCopy | None) -> Iterator[str]:
    if copy is None:
        yield "the gateway keeps no copy of it in this agent's calendar"
        return
    event = _event(view, copy)
    written = f", written {copy.written_at:%Y-%m-%d %H:%MZ}" if copy.written_at else ""
    yield f"its copy is {copy.href} in {copy.ref}{written}"
    if event is None:
        yield "that event is not in the calendar"
    elif event.owned_digest != copy.owned_digest:
        yield "that event is not as the gateway wrote it"
    if copy.put_back_count and copy.put_back_on is not None:
        yield f"edits of it were put back {copy.put_back_count} times on {copy.put_back_on}"


def _event(view: AgentView, held: AgreedCopy | AgreedMirror) -> SeenEvent | None:
    return next((each for each in view.events if (each.ref, each.href) == (held.ref, held.href)), None)


def absence_standing(view: AgentView, absence_id: int, context: PlanContext, approvals: frozenset[str]) -> Standing:
    """How an absence stands."""
    block = next((each for each in view.blocks if each.absence_id == absence_id), None)
    mirror = next((each for each in view.mirrors if each.absence_id == absence_id), None)
    sentences = list(_read_absence(view, absence_id))
    if block is not None:
        sentences += _block(block)
    if mirror is not None:
        there = "" if _event(view, mirror) is not None else ", which is not in the calendar"
        sentences.append(f"a person typed it in RDV-Solidarités; its event is {mirror.href} in {mirror.ref}{there}")
    hrefs = {mirror.href} if mirror is not None else set()
    name = f"absence {absence_id}"
    sentences += _decided(view, context, approvals, lambda each: each.absence_id == absence_id, hrefs=hrefs, name=name)
    return Standing(view.agent.agent_id, tuple(sentences))


def _read_absence(view: AgentView, absence_id: int) -> Iterator[str]:
    seen = next((each for each in view.absences if each.absence.id == absence_id), None)
    if seen is None:
        yield "RDV-Solidarités: the last reading showed no such absence"
    elif seen.presence is Presence.GONE:
        yield "RDV-Solidarités: it is proven gone"
    elif seen.presence is Presence.UNKNOWN:
        yield f"RDV-Solidarités: no longer read, {seen.missing_because}"
    else:
        again = ", recurring" if seen.absence.rrule else ""
        yield f"RDV-Solidarités: {seen.absence.start:%Y-%m-%d %H:%M} to {seen.absence.end:%Y-%m-%d %H:%M}{again}"


def _block(block: PoolBlock) -> Iterator[str]:
    waits = "" if block.approved else "; changing it needs an approval"
    yield f"{AUTHORS[block.origin].value}{waits}"
    for source in map(source_of, sorted(block.provenance)):
        date = f", its date {source.date}" if source.date else ""
        yield f"it stands for the event {source.href} in {source.calendar}{date}"


def event_standing(view: AgentView, event: SeenEvent, context: PlanContext, approvals: frozenset[str]) -> Standing:
    """How an event of an agent's calendars stands, by what was last read."""
    found = explain_event(view, event, context, approvals=approvals)
    sentences = [f"it was read in {event.ref}"]
    if found.never_because:
        sentences.append(f"it never blocks: {found.never_because}")
    if found.set_aside:
        sentences.append(f"it cannot be read: {found.set_aside}")
    for part in found.components:
        place = f" ({part.rule} in {part.place or 'the defaults'})" if part.rule else ""
        sentences.append(f"{'it blocks' if part.busy else 'it does not block'}: {part.reason.value}{place}")
    for each in found.occurrences:
        absences = f" (absence {', '.join(map(str, each.absences))})" if each.absences else ""
        span = f"{each.start:%Y-%m-%d %H:%M} to {each.end:%Y-%m-%d %H:%M}"
        sentences.append(f"{span}: {each.standing.value}{absences}")
    sentences += _decided(view, context, approvals, lambda _: False, hrefs={event.href}, name=event.href)
    return Standing(view.agent.agent_id, tuple(dict.fromkeys(sentences)))


# --- what is decided -----------------------------------------------------------------------------------------


def _pinned(view: AgentView, name: str) -> Iterator[str]:
    for pin in view.pins:
        if pin_text(pin) == name:
            why = "rejected" if pin.reason == "reject" else "undone"
            yield f"it stays as it is since {pin.by} {why} it: `rdv-gateway pins {pin.agent_id}`"


def _decided(
    view: AgentView,
    context: PlanContext,
    approvals: frozenset[str],
    concerns: Callable[[Operation | Conflict], bool],
    *,
    hrefs: Collection[str],
    name: str,
) -> Iterator[str]:
    """What is to be done about it, what waits, what a person should know, what was sent and is not settled."""
    plan = make_plan(view, context)
    guarded = guard(plan, context_of(view, plan, approvals, context.rules(view.agent)))

    def is_meant(each: Operation | Conflict) -> bool:
        return concerns(each) or (bool(each.href) and each.href in hrefs)

    for operation in filter(is_meant, guarded.allowed):
        yield f"the next sync: {operation.action.value} {operation.kind.value} ({operation.rule})"
    for held in guarded.held:
        if is_meant(held.operation):
            what = f"{held.operation.action.value} {held.operation.kind.value} ({held.operation.rule})"
            yield f"held, {what}: {held.explanation or held.reason.value}"
    yield from _pinned(view, name)
    for conflict in filter(is_meant, plan.conflicts):
        yield f"conflict, {conflict.kind.value}: {conflict.reason}"
    for item in plan.set_aside:
        if item.href in (name, *hrefs):
            yield f"set aside: {item.reason}"
    for intent in view.open_intents:
        if is_meant(intent.operation):
            what = f"{intent.operation.action.value} {intent.operation.kind.value}"
            yield f"sent {intent.opened_at:%Y-%m-%d %H:%MZ}, its outcome is not known yet: {what}"
