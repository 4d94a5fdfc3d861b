"""`rules explain` and `rules ids`: which rules hold, and what they make of an event. Never a title, a place or a note:
this is IT's screen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

from connectors.errors import ConnectorError
from connectors.records import EventTime, Motif, Organisation
from gateway.agents.homes import asks_for_homes, homeless, organisations_by_agent
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, progress, results, table
from gateway.cli.rules_values import COLUMNS, choice_json, choice_row, shown
from gateway.cli.session import remote, require_enrolled
from gateway.composition import Application, engine_settings
from gateway.rules.book import RuleBook
from gateway.rules.explaining import (
    AgentExplanation,
    ComponentExplanation,
    EventExplanation,
    RdvKind,
    events_at,
    events_named,
    explain,
    explain_event,
    time_typed,
)
from gateway.sync.engine import plan_context
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.values import AgentView, CalendarRef, LinkedAgent, SeenEvent

_MOST_OCCURRENCES = 10
"""Shown to people of one series; the nearest."""


# --- an agent ------------------------------------------------------------------------------------------------


def agent(config: Path, agent_id: int, *, everything: bool, as_json: bool) -> Exit:
    """Every choice that holds for the agent, their calendars and their RDVs, with the section that made it."""
    with remote(config) as application, progress("Looking…", as_json=as_json):
        view = _view(application, agent_id)
        book = application.settings.rules.to_book()
        found = explain(view, book)
        notes = list(_notes(application, view.agent, book))
    if as_json:
        print_json({**_agent_json(view.agent, found, everything=everything), "notes": notes})
        return Exit.FINE
    _show_agent(view.agent, found, everything=everything)
    for note in notes:
        messages().print(note)
    return Exit.FINE


def _view(application: Application, agent_id: int) -> AgentView:
    require_enrolled(application.store, [agent_id])
    return application.store.agent_view(agent_id)


def _notes(application: Application, linked: LinkedAgent, book: RuleBook) -> Iterator[str]:
    """Asks RDV-Solidarités only when an agent's organisations make a difference and none is named."""
    if linked.organisation_id is not None or not asks_for_homes(book):
        return
    try:
        homes = organisations_by_agent(application.rdv_solidarites)
    except ConnectorError as error:
        yield f"Whether a home organisation should be named is not known: {error.system}: {error}."
        return
    for _, own in homeless([linked], homes, book):
        listed = ", ".join(map(str, sorted(own)))
        yield (
            f"Agent {linked.agent_id} has no home organisation, so no rules by organisation hold for their calendar."
            f" They work in: {listed}. Name one in the column organisation (`rdv-gateway agents export`)."
        )


def _show_agent(linked: LinkedAgent, found: AgentExplanation, *, everything: bool) -> None:
    console = results()
    home = ", ".join(
        f"{name} {number}"
        for name, number in (("organisation", linked.organisation_id), ("service", linked.service_id))
        if number is not None
    )
    parts = [(f"Agent {linked.agent_id} ({home or 'no home organisation, no service'})", found.agent)]
    parts += [(f"Events of {ref}", choices) for ref, choices in found.calendars]
    parts += [(f"Copies of RDVs of {_kinds_text(kinds)}", choices) for kinds, choices in found.copies]
    for title, choices in parts:
        rows = [choice_row(choice) for choice in shown(choices, everything=everything)]
        console.print(title if rows else f"{title}: as by default")
        if rows:
            console.print(table("", COLUMNS, rows))
    if not everything:
        messages().print("What nobody chose is left out; --all shows it. Ids: `rdv-gateway rules ids`.")


def _kinds_text(kinds: Sequence[RdvKind]) -> str:
    return "; ".join(
        f"organisation {kind.organisation_id}, service {kind.service_id or '-'}, motif {kind.motif_id or '-'}"
        f" ({kind.rdvs} seen)"
        for kind in kinds
    )


def _agent_json(linked: LinkedAgent, found: AgentExplanation, *, everything: bool) -> dict[str, object]:
    return {
        "agent": linked.agent_id,
        "organisation": linked.organisation_id,
        "service": linked.service_id,
        "choices": [choice_json(each) for each in shown(found.agent, everything=everything)],
        "calendars": [
            {"calendar": str(ref), "choices": [choice_json(each) for each in shown(choices, everything=everything)]}
            for ref, choices in found.calendars
        ],
        "copies": [
            {
                "rdvs": [
                    {
                        "organisation": kind.organisation_id,
                        "service": kind.service_id,
                        "motif": kind.motif_id,
                        "seen": kind.rdvs,
                    }
                    for kind in kinds
                ],
                "choices": [choice_json(each) for each in shown(choices, everything=everything)],
            }
            for kinds, choices in found.copies
        ],
    }


# --- an event ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Read:
    """An event as it is now. `explained` None: it is not there any more. `changed`: since its last reading."""

    ref: CalendarRef
    href: str
    changed: bool
    explained: EventExplanation | None = None


def event(config: Path, agent_id: int, wanted: str, *, as_json: bool) -> Exit:
    """Each event that is meant, read live, and why it blocks or not. Raises `UserError` when there is none."""
    with remote(config) as application, progress("Looking…", as_json=as_json):
        view = _view(application, agent_id)
        found = [_read(application, view, *place) for place in _places(view, wanted)]
    if not found:
        raise UserError(
            f"Agent {agent_id} has no such event in the calendars that were read.",
            remedy="Give its href, its UID, or a time such as 2026-03-02T09:00; `rdv-gateway plan` reads what is new.",
        )
    if as_json:
        print_json({"agent": agent_id, "events": [_read_json(each) for each in found]})
        return Exit.FINE
    for each in found:
        _show_event(each)
    return Exit.FINE


def _places(view: AgentView, wanted: str) -> list[tuple[CalendarRef, str]]:
    span = time_typed(wanted)
    if span is not None:
        return [(each.ref, each.href) for each in events_at(view, *span)]
    known = [(each.ref, each.href) for each in events_named(view, wanted)]
    return known or [(ref, wanted) for ref in view.agent.calendars if wanted.startswith(ref.calendar)]


def _read(application: Application, view: AgentView, ref: CalendarRef, href: str) -> _Read:
    settings = engine_settings(application.settings)
    book = settings.rulebook
    observer = CalendarObserver(
        application.store,
        application.clock,
        application.keys.digest_key,
        timedelta(days=book.longest_horizon_days),
        book.patterns,
        settings.instance_host,
    )
    account = application.accounts.get(ref.account)
    if account is None:
        raise UserError(f"There is no account {ref.account}.", remedy="Add it to [[accounts]] again.")
    item = account.read(ref.calendar, href)
    if item is None:
        return _Read(ref, href, changed=True)
    now = observer.see(account, ref, item)
    before = next((each for each in view.events if (each.ref, each.href) == (ref, href)), None)
    explained = explain_event(
        _with(view, now),
        now,
        plan_context(settings, application.keys, application.clock.now()),
        approvals=application.store.approvals(view.agent.agent_id),
    )
    return _Read(ref, href, before is None or before.raw_digest != now.raw_digest, explained)


def _with(view: AgentView, event: SeenEvent) -> AgentView:
    others = tuple(each for each in view.events if (each.ref, each.href) != (event.ref, event.href))
    return replace(view, events=(*others, event))


def _show_event(read: _Read) -> None:
    console = results()
    console.print(f"{read.ref} {read.href}{' (changed since it was last read)' if read.changed else ''}")
    found = read.explained
    if found is None:
        console.print("It is not there any more.")
        return
    if found.never_because:
        console.print(f"It never blocks: {found.never_because}.")
        return
    if found.set_aside:
        console.print(f"It cannot be read: {found.set_aside}. What blocks on its behalf stays as it is.")
    rows = [_component_row(each) for each in found.components]
    console.print(table("", _COMPONENT_COLUMNS, rows))
    if any(each.busy for each in found.components) and not found.occurrences and not found.set_aside:
        console.print(f"No occurrence from now to {moment(found.horizon_end)}, the end of horizon_days.")
        return
    shown_ones = found.occurrences[:_MOST_OCCURRENCES]
    if shown_ones:
        rows = [
            (
                moment(each.start),
                moment(each.end),
                ", ".join(f"{moment(start)} - {moment(end)}" for start, end in each.left) or "nothing",
                each.standing.value,
                ", ".join(map(str, each.absences)) or "-",
            )
            for each in shown_ones
        ]
        console.print(table("Occurrences", ("From", "To", "Blocks", "How it stands", "Absence"), rows))
    if len(found.occurrences) > len(shown_ones):
        messages().print(f"{len(found.occurrences) - len(shown_ones)} later ones: take --json.")


_COMPONENT_COLUMNS = ("From", "To", "Kind", "Says", "Blocks", "Because", "Rule", "Set in", "Fits", "Label")


def _component_row(component: ComponentExplanation) -> tuple[object, ...]:
    return (
        _time_text(component.start),
        _time_text(component.end),
        _kind(component),
        component.availability.value,
        "yes" if component.busy else "no",
        component.reason.value,
        component.rule or "-",
        (component.place or "default") if component.rule else "-",
        ", ".join(component.matches) or "-",
        component.label or "-",
    )


def _kind(component: ComponentExplanation) -> str:
    if component.recurrence_id is not None:
        return f"exception of {_time_text(component.recurrence_id)}"
    return "series" if component.recurring else "single"


def _time_text(time: EventTime) -> str:
    """As the event has it, with its zone; a day alone for all-day."""
    if not isinstance(time, datetime):
        return time.isoformat()
    zone = f" {time.tzinfo}" if time.tzinfo is not None else ""
    return f"{time:%Y-%m-%d %H:%M}{zone}"


def _read_json(read: _Read) -> dict[str, object]:
    found = read.explained
    document: dict[str, object] = {
        "calendar": str(read.ref),
        "href": read.href,
        "gone": found is None,
        "changed_since_reading": read.changed,
    }
    if found is None:
        return document
    return document | {
        "never_because": found.never_because or None,
        "set_aside": found.set_aside or None,
        "horizon_end": found.horizon_end,
        "components": [_component_json(each) for each in found.components],
        "occurrences": [
            {
                "start": each.start,
                "end": each.end,
                "blocks": [{"start": start, "end": end} for start, end in each.left],
                "standing": each.standing.name.lower(),
                "absences": list(each.absences),
            }
            for each in found.occurrences
        ],
    }


def _component_json(component: ComponentExplanation) -> dict[str, object]:
    recurrence_id: date | None = component.recurrence_id
    return {
        "start": _time_text(component.start),
        "end": _time_text(component.end),
        "series": component.recurring,
        "exception_of": None if recurrence_id is None else _time_text(recurrence_id),
        "says": component.availability.value,
        "blocks": component.busy,
        "because": component.reason.value,
        "rule": component.rule or None,
        "set_in": (component.place or "default") if component.rule else None,
        "fits": list(component.matches),
        "label": component.label or None,
    }


# --- ids -----------------------------------------------------------------------------------------------------


def ids(config: Path, *, as_json: bool) -> Exit:
    """Organisations, and the services and motifs of each. The API lists no services: they are known by their motifs."""
    with remote(config) as application, progress("Reading motifs…", as_json=as_json):
        client = application.rdv_solidarites
        found = [(each, client.motifs(each.id)) for each in client.organisations()]
    if as_json:
        print_json({"organisations": [_organisation_json(*each) for each in found]})
        return Exit.FINE
    rows = [
        (organisation.id, organisation.name, service or "-", ", ".join(f"{motif.id} {motif.name}" for motif in motifs))
        for organisation, every in found
        for service, motifs in _by_service(every)
    ]
    results().print(table("What rules can be for", ("Organisation", "Name", "Service", "Motifs"), rows))
    return Exit.FINE


def _by_service(motifs: Sequence[Motif]) -> list[tuple[int, list[Motif]]]:
    """Those without a service under 0. An organisation without motifs is listed too."""
    found: dict[int, list[Motif]] = {} if motifs else {0: []}
    for motif in sorted(motifs, key=lambda each: each.id):
        found.setdefault(motif.service_id or 0, []).append(motif)
    return sorted(found.items())


def _organisation_json(organisation: Organisation, motifs: Sequence[Motif]) -> dict[str, object]:
    return {
        "organisation": organisation.id,
        "name": organisation.name,
        "services": [
            {"service": service or None, "motifs": [{"motif": motif.id, "name": motif.name} for motif in some]}
            for service, some in _by_service(motifs)
        ],
    }
