"""Why a slot of an agent is blocked in RDV-Solidarités, or is not. Pure: by what was last read and by the journal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from connectors.records import Rdv
from gateway.rules.explaining import EventExplanation, events_at, explain_event
from gateway.store.values import JournalRow
from gateway.sync.guard import context_of, guard
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.planning.conflicts import times_between
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    BlockOrigin,
    Held,
    Interval,
    ObjectKind,
    Operation,
    PoolBlock,
    Presence,
    SeenAbsence,
    Stop,
    Suppression,
)
from mappings.blocks import Provenance
from mappings.rdv_event import rdv_zone
from mappings.wallclock import outer_wall_interval, to_instant


class Author(StrEnum):
    """Whose an absence is."""

    OURS = "the gateway made it"
    ADOPTED = "the gateway made it, and found it again"
    FOUND = "a person typed it, and it stands for an event of the same time"
    RELEASED = "the gateway made it, and a person moved or lengthened it: it is theirs now"
    TYPED = "a person typed it in RDV-Solidarités"


AUTHORS = {
    BlockOrigin.CREATED: Author.OURS,
    BlockOrigin.ADOPTED: Author.ADOPTED,
    BlockOrigin.FOUND: Author.FOUND,
    BlockOrigin.RELEASED: Author.RELEASED,
}


@dataclass(frozen=True, slots=True)
class Source:
    """An occurrence that a block stands for. `date`: of the occurrence, as the block's provenance names it; "" for an
    event that does not recur."""

    calendar: str
    href: str
    date: str


@dataclass(frozen=True, slots=True)
class Written:
    """The last write of it: when (an instant), by which run and rule."""

    at: datetime
    run_id: str
    action: str
    rule: str


@dataclass(frozen=True, slots=True)
class Blocking:
    """An absence over the slot. Wall-clock of the agent. `sure`: False when the last readings could not prove it."""

    absence_id: int
    start: datetime
    end: datetime
    author: Author
    recurring: bool
    sure: bool
    sources: tuple[Source, ...] = ()
    written: Written | None = None


@dataclass(frozen=True, slots=True)
class Intended:
    """A change of the time over the slot that is to come. `waits`: for what; "" for nothing but the next sync."""

    action: Action
    start: datetime
    end: datetime
    rule: str
    waits: str = ""


@dataclass(frozen=True, slots=True)
class SlotExplanation:
    """`rdvs`: ids of those that take place then, which occupy the slot too. `notes`: what else bears on it."""

    start: datetime
    end: datetime
    blocking: tuple[Blocking, ...]
    rdvs: tuple[int, ...]
    events: tuple[EventExplanation, ...]
    freed: tuple[Suppression, ...]
    intended: tuple[Intended, ...]
    notes: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """One sentence."""
        parts = []
        if self.blocking:
            parts.append(f"blocked by {_listed('absence', [each.absence_id for each in self.blocking])}")
        if self.rdvs:
            parts.append(f"taken by {_listed('RDV', self.rdvs)}")
        return " and ".join(parts) or "not blocked"


def _listed(noun: str, numbers: Iterable[int]) -> str:
    return f"{noun} {', '.join(map(str, numbers))}"


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What an agent's state is beside the view. `written`: the last journaled write by absence id. `full`: whether a
    ceiling of writes to RDV-Solidarités is reached."""

    approvals: frozenset[str] = frozenset()
    written: Mapping[int, Written] | None = None
    stop: Stop | None = None
    full: bool = False


def last_writes(rows: Iterable[JournalRow]) -> dict[int, Written]:
    """By absence id, of entries newest first."""
    found: dict[int, Written] = {}
    for row in rows:
        entry = row.entry
        number = entry.reference.removeprefix("absence ")
        if entry.action in (Action.CREATE, Action.UPDATE, Action.PAIR) and number.isdecimal():
            found.setdefault(int(number), Written(entry.at, entry.run_id, entry.action, entry.rule))
    return found


def explain_slot(
    view: AgentView, slot: tuple[datetime, datetime], context: PlanContext, circumstances: Circumstances
) -> SlotExplanation:
    """`slot`: wall-clock of the agent, from and until."""
    start, end = slot
    approvals = circumstances.approvals
    events = tuple(explain_event(view, event, context, approvals=approvals) for event in events_at(view, start, end))
    return SlotExplanation(
        start=start,
        end=end,
        blocking=tuple(_blocking(view, slot, context, circumstances.written or {})),
        rdvs=tuple(_rdvs(view, slot, context)),
        events=events,
        freed=tuple(each for each in view.suppressions if each.start < end and start < each.end),
        intended=tuple(_intended(view, slot, context, circumstances)),
        notes=tuple(_notes(view, slot, context)),
    )


def _blocking(
    view: AgentView, slot: tuple[datetime, datetime], context: PlanContext, written: Mapping[int, Written]
) -> Iterator[Blocking]:
    pool = {block.absence_id: block for block in view.blocks}
    start, end = slot
    for seen in view.absences:
        if seen.presence is Presence.GONE:
            continue
        for begin, last in times_between(seen.absence, view, start, end, context):
            if begin < end and start < last:
                yield _as_blocking(seen, (begin, last), pool.get(seen.absence.id), written.get(seen.absence.id))


def _as_blocking(
    seen: SeenAbsence, span: tuple[datetime, datetime], block: PoolBlock | None, written: Written | None
) -> Blocking:
    return Blocking(
        absence_id=seen.absence.id,
        start=span[0],
        end=span[1],
        author=Author.TYPED if block is None else AUTHORS[block.origin],
        recurring=seen.absence.rrule is not None,
        sure=seen.presence is Presence.PRESENT,
        sources=() if block is None else tuple(map(source_of, sorted(block.provenance))),
        written=written,
    )


def source_of(provenance: Provenance) -> Source:
    """For people."""
    return Source(provenance.calendar, provenance.href, provenance.recurrence_id)


def _rdvs(view: AgentView, slot: tuple[datetime, datetime], context: PlanContext) -> Iterator[int]:
    start, end = slot
    for seen in view.rdvs:
        rdv = seen.rdv
        concerns = view.agent.agent_id in rdv.agent_ids and not rdv.cancelled and seen.presence is not Presence.GONE
        if concerns:
            begin, last = _wall(rdv, view, context)
            if begin < end and start < last:
                yield rdv.id


def _wall(rdv: Rdv, view: AgentView, context: PlanContext) -> tuple[datetime, datetime]:
    zone = rdv_zone(rdv, context.organisation_zone(rdv.organisation_id))
    instants = to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)
    return outer_wall_interval(*instants, view.agent.zone)


# --- what is to come -----------------------------------------------------------------------------------------


def _intended(
    view: AgentView, slot: tuple[datetime, datetime], context: PlanContext, circumstances: Circumstances
) -> Iterator[Intended]:
    plan = make_plan(view, context)
    guarded = guard(plan, context_of(view, plan, circumstances.approvals, context.rules(view.agent)))
    waits = ""
    if circumstances.stop is not None:
        waits = "a person stopped all writes: `rdv-gateway resume --writes`"
    elif circumstances.full:
        waits = "the ceiling of writes to RDV-Solidarités is reached"
    for operation in guarded.allowed:
        yield from _over(operation, slot, waits)
    for held in guarded.held:
        yield from _over(held.operation, slot, _held_text(held))
    for intent in view.open_intents:
        yield from _over(intent.operation, slot, "it was sent, and its outcome is not known yet")


def _held_text(held: Held) -> str:
    return f"held: {held.explanation or held.reason.value}"


def _over(operation: Operation, slot: tuple[datetime, datetime], waits: str) -> Iterator[Intended]:
    interval = operation.interval
    concerns = operation.kind in (ObjectKind.BUSY_BLOCK, ObjectKind.ABSENCE) and operation.action is not Action.PAIR
    if concerns and interval is not None and _meets(interval, slot):
        yield Intended(operation.action, interval.start, interval.end, operation.rule, waits)


def _meets(interval: Interval, slot: tuple[datetime, datetime]) -> bool:
    return interval.start < slot[1] and slot[0] < interval.end


# --- what else bears on it -----------------------------------------------------------------------------------


def _notes(view: AgentView, slot: tuple[datetime, datetime], context: PlanContext) -> Iterator[str]:
    agent, rules, now = view.agent, context.rules(view.agent), context.wall_now(view.agent)
    horizon = datetime.combine(now.date() + timedelta(days=rules.horizon_days + 1), time.min)
    if agent.state is AgentState.PAUSED:
        yield "this agent is paused: nothing is written until `resume`"
    if agent.state is AgentState.LEFT:
        yield "this agent left: nothing is written any more"
    if agent.state is AgentState.FIRST_RUN and not agent.first_run_approved:
        yield "this agent's first plan waits for its approval"
    if not rules.block_time:
        yield "block_time is off for this agent: events block nothing"
    if slot[0] >= horizon:
        yield f"it lies beyond horizon_days ({rules.horizon_days}): events block nothing yet from {horizon:%Y-%m-%d} on"
    if slot[1] <= now:
        yield "it is past: nothing is written for it any more"
