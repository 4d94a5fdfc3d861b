"""Where to look for what the gateway left, and what was found there. Writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from connectors.errors import ConnectorError
from connectors.records import Absence
from gateway.agents.accounts import Aliases, part_name, split_name
from gateway.agents.enrolling import Refused, attempt, discovered, homes_of
from gateway.agents.traces import (
    Doubt,
    Readable,
    Recognition,
    absence_traces,
    event_removal,
    in_namespace,
    read_calendar,
    read_rdv_solidarites,
)
from gateway.composition import Application
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.observe_rdv_solidarites import problem_of
from gateway.sync.values import AgentView, CalendarRef, Operation, Problem, SeenEvent
from mappings.identity import Identity

_ORPHAN = (
    "it is in the gateway's namespace, and fits no RDV and no absence that can be read: remove it by hand if it is"
)
_ORPHAN = f"{_ORPHAN} not wanted"
_UNREADABLE = "it bears a name of the gateway's, and cannot be read: look at it in the calendar"


@dataclass(frozen=True, slots=True)
class Search:
    """`removals`: what is ours, one operation each. `typed`: absences of persons, by agent. `agents`: who is concerned.

    `problems`: what could not be read; there may be more of ours behind each of them.
    """

    removals: tuple[Operation, ...]
    doubts: tuple[Doubt, ...]
    problems: tuple[Problem, ...]
    typed: Mapping[int, int]
    agents: tuple[int, ...]
    readable: Readable
    calendars: int


def search(application: Application, agent_ids: Collection[int] | None) -> Search:
    """Everything of ours of these agents, or, with None, of everybody in every calendar that can be reached.

    Of an agent whom the database does not know, every calendar is looked through. Raises `ConnectorError` when
    RDV-Solidarités cannot be read.
    """
    store, now = application.store, application.clock.now()
    readable = read_rdv_solidarites(application.rdv_solidarites, now=now)
    known = {agent.agent_id for agent in store.agents()}
    views = {number: store.agent_view(number) for number in known if agent_ids is None or number in agent_ids}
    everywhere = agent_ids is None or not known.issuperset(agent_ids)
    recognition = Recognition(Identity(application.keys.identity_key, application.keys.instance_id), readable, views)
    places, unreached = _places(application, views, readable, everywhere=everywhere)
    events, unread = _events(application, places, recognition)
    scope = frozenset({agent.id for agent in readable.agents} | known) if agent_ids is None else frozenset(agent_ids)
    removals, doubts = _judged(events, recognition, views, scope, now)
    by_agent: defaultdict[int, list[Absence]] = defaultdict(list)
    for absence in readable.absences:
        by_agent[absence.agent_id].append(absence)
    typed: dict[int, int] = {}
    for agent_id in sorted(scope):
        traces = absence_traces(by_agent[agent_id], views.get(agent_id))
        removals += traces.removals
        doubts += traces.doubts
        typed[agent_id] = traces.typed
    concerned = {operation.agent_id for operation in removals} | set(views if agent_ids is None else agent_ids)
    problems = (*readable.problems, *unreached, *unread)
    return Search(tuple(removals), tuple(doubts), problems, typed, tuple(sorted(concerned)), readable, len(places))


# --- where ---------------------------------------------------------------------------------------------------


def _places(
    application: Application, views: Mapping[int, AgentView], readable: Readable, *, everywhere: bool
) -> tuple[list[CalendarRef], list[Problem]]:
    """Each calendar once, by the name that the database has for it if it has one; and accounts that fail."""
    found: dict[tuple[str, str], CalendarRef] = {}
    problems: list[Problem] = []
    subscriptions = {section.name for section in application.settings.accounts if section.read_only}

    def add(ref: CalendarRef) -> None:
        if split_name(ref.account)[0] in subscriptions:
            return  # nothing was ever written there
        account = application.accounts.get(ref.account)
        host = account.host if account is not None else ref.account
        found.setdefault((host, ref.calendar.rstrip("/")), ref)

    for view in views.values():
        for ref in (*view.agent.calendars, *(copy.ref for copy in view.copies), *(each.ref for each in view.mirrors)):
            if ref.account:
                add(ref)
    if everywhere:
        names, unsearched = _accounts(application, readable)
        problems += unsearched
        threads = application.settings.gateway.threads_per_host
        answers = attempt(lambda name: discovered(application.accounts, name), names, threads)
        for name, calendars in zip(names, answers, strict=True):
            if isinstance(calendars, Exception):
                problems.append(_problem(name, calendars))
                continue
            for calendar in calendars:
                add(CalendarRef(name, calendar.calendar))
    return list(found.values()), problems


def _accounts(application: Application, readable: Readable) -> tuple[list[str], list[Problem]]:
    """Every account there can be: whole sections, and the part of each agent who has an e-mail."""
    aliases = Aliases.of(application.settings)
    emails = sorted({email for agent in readable.agents if (email := aliases.calendar_email(agent))})
    names: list[str] = []
    problems: list[Problem] = []
    threads = application.settings.gateway.threads_per_host
    for section in application.settings.accounts:
        if section.read_only:
            continue
        if not section.serves_many:
            names.append(section.name)
        elif not section.principal_search:
            parts = [part_name(section.name, email) for email in emails]
            names += [name for name in parts if application.accounts.get(name) is not None]
        else:
            answers = attempt(partial(homes_of, application.accounts, section.name), emails, threads)
            for homes in answers:
                if isinstance(homes, Exception):
                    problems.append(_problem(section.name, homes))
                else:
                    names += [part_name(section.name, home) for home in homes]
    return list(dict.fromkeys(names)), problems


# --- what ----------------------------------------------------------------------------------------------------


def _events(
    application: Application, places: list[CalendarRef], recognition: Recognition
) -> tuple[list[SeenEvent], list[Problem]]:
    """Of all events only those that could be ours; and calendars that cannot be read."""
    rulebook = application.settings.rules.to_book()
    horizon = timedelta(days=rulebook.longest_horizon_days)
    key = application.keys.digest_key
    observer = CalendarObserver(application.store, application.clock, key, horizon, rulebook.patterns)

    def read(ref: CalendarRef) -> list[SeenEvent]:
        account = application.accounts.get(ref.account)
        if account is None:
            raise Refused(f"the account {ref.account} is not configured", remedy="Add it to [[accounts]] again.")
        events = read_calendar(account, ref, observer)
        return [event for event in events if in_namespace(event) or recognition.is_known_place(event)]

    found: list[SeenEvent] = []
    problems: list[Problem] = []
    threads = application.settings.gateway.threads_per_host
    for ref, events in zip(places, attempt(read, places, threads), strict=True):
        if isinstance(events, Exception):
            problems.append(_problem(str(ref), events))
        else:
            found += events
    return found, problems


def _judged(
    events: Iterable[SeenEvent],
    recognition: Recognition,
    views: Mapping[int, AgentView],
    scope: Collection[int],
    at: datetime,
) -> tuple[list[Operation], list[Doubt]]:
    owners = {ref: agent_id for agent_id, view in views.items() for ref in view.agent.calendars}
    recognition.search([event.uid for event in events if recognition.is_orphan(event)])
    removals: list[Operation] = []
    doubts: list[Doubt] = []
    for event in events:
        where = f"{event.ref.account}:{event.href}"
        origin = recognition.origin(event)
        if origin is not None and origin.agent_id not in scope:
            continue
        if event.set_aside:
            doubts.append(Doubt(origin.agent_id if origin else owners.get(event.ref), where, _UNREADABLE))
        elif origin is not None:
            removals.append(event_removal(event, origin, at))
        elif recognition.is_orphan(event):
            doubts.append(Doubt(owners.get(event.ref), where, _ORPHAN))
    return removals, doubts


def _problem(where: str, error: Refused | ConnectorError) -> Problem:
    if isinstance(error, ConnectorError):
        return problem_of(error, None, where)
    return Problem(None, "configuration", f"{where}: {error}", "it", error.remedy)
