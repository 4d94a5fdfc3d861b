"""`explain`: why a slot is blocked or not, and what became of an RDV, an absence or an event. From the database alone:
by what was last read, which is said. Never a title, a place or a name: this is IT's screen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import age, messages, moment, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.clock import SystemClock
from gateway.composition import engine_settings
from gateway.explain.slot import Blocking, Circumstances, SlotExplanation, explain_slot, last_writes
from gateway.explain.story import (
    Moment,
    Standing,
    Story,
    absence_standing,
    event_standing,
    moments_of,
    rdv_standing,
)
from gateway.keys import load_keys
from gateway.rules.explaining import EventExplanation, events_named, time_typed
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.sync.ceiling import RDV_SOLIDARITES
from gateway.sync.engine import EngineSettings, plan_context
from gateway.sync.planning import PlanContext
from gateway.sync.values import AgentView

_MOMENT_COLUMNS = ("At", "Agent", "Where", "What", "Rule", "Run")
_BLOCKING_COLUMNS = ("Absence", "From", "To", "Whose", "Stands for", "Written")


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a time of an agent, or one of the three things."""

    agent: int | None = None
    at: str | None = None
    rdv: int | None = None
    absence: int | None = None
    event: str | None = None


def run(config: Path, question: Question, *, as_json: bool) -> Exit:
    """Answer it. Raises `UserError` for a question that is none."""
    things = [question.at, question.rdv, question.absence, question.event]
    if sum(each is not None for each in things) != 1:
        raise UserError("Ask one thing: --at, --rdv, --absence or --event.", remedy="See `rdv-gateway explain --help`.")
    with local(config) as (settings, store):
        if question.agent is not None:
            require_enrolled(store, [question.agent])
        desk = _Desk.of(settings, store)
        if question.at is not None:
            _tell_slot(desk, question, as_json=as_json)
        else:
            _tell_story(desk, _story(desk, question), as_json=as_json)
    return Exit.FINE


@dataclass(frozen=True, slots=True)
class _Desk:
    """What every answer is made of."""

    store: Store
    settings: EngineSettings
    context: PlanContext

    @classmethod
    def of(cls, settings: Settings, store: Store) -> _Desk:
        made, keys = engine_settings(settings), load_keys(settings.gateway.keys)
        return cls(store, made, plan_context(made, keys, SystemClock().now()))

    def readings(self, view: AgentView) -> dict[str, datetime | None]:
        """When each calendar of an agent was last read; a calendar whose mark did not move keeps its reading."""
        states = {ref: self.store.calendar_state(ref) for ref in view.agent.calendars}
        return {str(ref): state.read_at if state is not None else None for ref, state in states.items()}

    def last_complete(self, agent_id: int) -> datetime | None:
        """The last sync of this agent that was proven complete."""
        return next((each.last_complete_at for each in self.store.agent_status() if each.agent_id == agent_id), None)


# --- a slot --------------------------------------------------------------------------------------------------


def _tell_slot(desk: _Desk, question: Question, *, as_json: bool) -> None:
    slot = time_typed(question.at or "")
    if question.agent is None:
        raise UserError("A time is somebody's.", remedy="Name the agent: `rdv-gateway explain AGENT --at …`.")
    if slot is None:
        raise UserError("--at takes a time such as 2026-03-02T09:00, or a day.", remedy="Give it as the agent's clock.")
    view = desk.store.agent_view(question.agent)
    found = explain_slot(view, slot, desk.context, _circumstances(desk, view, slot))
    last = desk.last_complete(question.agent)
    if as_json:
        print_json({**_slot_json(question.agent, found), "as_of": last, "readings": desk.readings(view)})
    else:
        _show_slot(question.agent, found)
        messages().print(f"By the last complete sync, {age(last, desk.context.now)} ago.")


def _circumstances(desk: _Desk, view: AgentView, slot: tuple[datetime, datetime]) -> Circumstances:
    store, now = desk.store, desk.context.now
    near = [each.absence.id for each in view.absences if each.absence.start < slot[1] and slot[0] < each.absence.end]
    rows = store.history([f"absence {number}" for number in near]) if near else ()
    return Circumstances(
        approvals=store.approvals(view.agent.agent_id),
        written=last_writes(rows),
        stop=store.stop(),
        full=desk.settings.ceiling.left(store.written(RDV_SOLIDARITES, now=now), now) <= 0,
    )


def _show_slot(agent_id: int, found: SlotExplanation) -> None:
    console = results()
    console.print(f"Agent {agent_id}, {moment(found.start)} - {moment(found.end)}: {found.verdict}")
    if found.blocking:
        console.print(table("Blocked by", _BLOCKING_COLUMNS, map(_blocking_row, found.blocking)))
    for event in found.events:
        console.print(f"Event {event.href} in {event.ref}: {'; '.join(_event_words(event, found))}")
    for freed in found.freed:
        console.print(
            f"Freed by hand: {moment(freed.start)} - {moment(freed.end)} of event {freed.provenance.href},"
            " until that event changes"
        )
    for each in found.intended:
        what = f"{each.action.value} {moment(each.start)} - {moment(each.end)} ({each.rule})"
        console.print(f"{f'Waiting, {each.waits}' if each.waits else 'The next sync'}: {what}")
    for note in found.notes:
        console.print(f"Note: {note}")
    if not (found.blocking or found.rdvs or found.events or found.freed or found.intended or found.notes):
        console.print("No event, no absence and no RDV of this agent is known for that time.")


def _event_words(event: EventExplanation, slot: SlotExplanation) -> Iterator[str]:
    if event.never_because:
        yield f"never blocks: {event.never_because}"
        return
    if event.set_aside:
        yield f"cannot be read: {event.set_aside}"
    for part in event.components:
        place = f" ({part.rule} in {part.place or 'the defaults'})" if part.rule else ""
        yield f"{'blocks' if part.busy else 'does not block'}: {part.reason.value}{place}"
    for each in event.occurrences:
        if each.start < slot.end and slot.start < each.end:
            yield f"{moment(each.start)} - {moment(each.end)} {each.standing.value}"


def _blocking_row(each: Blocking) -> tuple[object, ...]:
    sources = "; ".join(f"{source.href} {source.date}".strip() for source in each.sources)
    doubt = "" if each.sure else " (not seen by the last reading)"
    written = each.written
    return (
        *(each.absence_id, moment(each.start), moment(each.end), f"{each.author.value}{doubt}", sources or "-"),
        f"{moment(written.at)} {written.action} ({written.rule}), run {written.run_id[:8]}" if written else "-",
    )


def _slot_json(agent_id: int, found: SlotExplanation) -> dict[str, object]:
    return {
        "agent": agent_id,
        "start": found.start,
        "end": found.end,
        "verdict": found.verdict,
        "blocked": bool(found.blocking or found.rdvs),
        "blocking": [
            {
                "absence": each.absence_id,
                "start": each.start,
                "end": each.end,
                "whose": each.author.name.lower(),
                "recurring": each.recurring,
                "sure": each.sure,
                "stands_for": [{"calendar": s.calendar, "href": s.href, "date": s.date or None} for s in each.sources],
                "written": None
                if each.written is None
                else {
                    "at": each.written.at,
                    "run": each.written.run_id,
                    "action": each.written.action,
                    "rule": each.written.rule,
                },
            }
            for each in found.blocking
        ],
        "rdvs": list(found.rdvs),
        "events": [
            {"calendar": str(each.ref), "href": each.href, "words": list(_event_words(each, found))}
            for each in found.events
        ],
        "freed": [
            {"start": each.start, "end": each.end, "calendar": each.provenance.calendar, "href": each.provenance.href}
            for each in found.freed
        ],
        "intended": [
            {
                "action": each.action.value,
                "start": each.start,
                "end": each.end,
                "rule": each.rule,
                "waits": each.waits or None,
            }
            for each in found.intended
        ],
        "notes": list(found.notes),
    }


# --- a story -------------------------------------------------------------------------------------------------


def _story(desk: _Desk, question: Question) -> Story:
    if question.rdv is not None:
        return _rdv(desk, question.rdv, question.agent)
    if question.absence is not None:
        return _absence(desk, question.absence, question.agent)
    return _event(desk, question.event or "", question.agent)


def _views(desk: _Desk, agent_ids: Iterable[int | None], only: int | None) -> Iterator[AgentView]:
    """Those of the enrolled agents among them."""
    enrolled = {agent.agent_id for agent in desk.store.agents()}
    for agent_id in sorted({each for each in agent_ids if each is not None} & enrolled):
        if only in (None, agent_id):
            yield desk.store.agent_view(agent_id)


def _rdv(desk: _Desk, rdv_id: int, only: int | None) -> Story:
    store, subject = desk.store, f"rdv {rdv_id}"
    rows = store.history([subject])
    observed = [each for number in store.organisation_states() for each in store.observed_rdvs(number)]
    concerned = {agent_id for each in observed if each.id == rdv_id for agent_id in each.agent_ids}
    views = list(_views(desk, concerned | {row.entry.agent_id for row in rows}, only))
    hrefs = {copy.href for view in views for copy in view.copies if copy.rdv_id == rdv_id}
    rows = store.history([subject, *hrefs])
    standing = tuple(rdv_standing(view, rdv_id, desk.context, _approvals(desk, view)) for view in views)
    return Story(subject, moments_of(rows), standing)


def _absence(desk: _Desk, absence_id: int, only: int | None) -> Story:
    store, subject = desk.store, f"absence {absence_id}"
    rows = store.history([subject])
    known = store.observed_absences().get(absence_id)
    concerned = {row.entry.agent_id for row in rows} | ({known.agent_id} if known is not None else set())
    views = list(_views(desk, concerned, only))
    hrefs = {mirror.href for view in views for mirror in view.mirrors if mirror.absence_id == absence_id}
    rows = store.history([subject, *hrefs])
    standing = tuple(absence_standing(view, absence_id, desk.context, _approvals(desk, view)) for view in views)
    return Story(subject, moments_of(rows), standing)


def _event(desk: _Desk, name: str, only: int | None) -> Story:
    """By href; by UID too when the agent is named."""
    concerned = [
        agent.agent_id
        for agent in desk.store.agents()
        if agent.agent_id == only or any(name.startswith(ref.calendar) for ref in agent.calendars)
    ]
    views = list(_views(desk, concerned, only))
    found = [(view, event) for view in views for event in events_named(view, name)]
    hrefs = {event.href for _, event in found} | {name}
    absences = {
        block.absence_id
        for view in views
        for block in view.blocks
        if any(each.href in hrefs for each in block.provenance)
    }
    rows = desk.store.history([*hrefs, *(f"absence {number}" for number in absences)])
    standing = tuple(event_standing(view, event, desk.context, _approvals(desk, view)) for view, event in found)
    return Story(name, moments_of(rows), standing)


def _approvals(desk: _Desk, view: AgentView) -> frozenset[str]:
    return desk.store.approvals(view.agent.agent_id)


def _tell_story(desk: _Desk, story: Story, *, as_json: bool) -> None:
    if as_json:
        print_json(_story_json(story, desk))
        return
    console = results()
    if not story.is_known:
        console.print(
            f"Nothing is known of {story.subject}: no sync read it for anybody who is enrolled, or it is outside of"
            " what is read (backfill_from, the organisations of the service account, the agents' calendars)."
        )
        return
    if story.moments:
        console.print(table(story.subject, _MOMENT_COLUMNS, map(_moment_row, story.moments)))
    for standing in story.standing:
        console.print(f"Now, agent {standing.agent_id} (last complete sync {_age(desk, standing)} ago):")
        for sentence in standing.sentences:
            console.print(f"  {sentence}")
    if not story.standing:
        console.print("Now: the last readings do not hold it.")


def _age(desk: _Desk, standing: Standing) -> str:
    return age(desk.last_complete(standing.agent_id), desk.context.now)


def _moment_row(each: Moment) -> tuple[object, ...]:
    agent = "-" if each.agent_id is None else each.agent_id
    return (moment(each.at), agent, each.side, each.what, each.rule, each.run_id[:8])


def _story_json(story: Story, desk: _Desk) -> dict[str, object]:
    return {
        "subject": story.subject,
        "known": story.is_known,
        "moments": _moments_json(story.moments),
        "now": [
            {
                "agent": each.agent_id,
                "as_of": desk.last_complete(each.agent_id),
                "words": list(each.sentences),
            }
            for each in story.standing
        ],
    }


def _moments_json(moments: Sequence[Moment]) -> list[dict[str, object]]:
    return [
        {
            "at": each.at,
            "agent": each.agent_id,
            "side": each.side,
            "what": each.what,
            "rule": each.rule,
            "run": each.run_id,
        }
        for each in moments
    ]
