"""`enroll`: link an agent to calendars. Nothing is written on either side before their first plan is approved."""

from __future__ import annotations

import getpass
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from connectors.ports import RdvSolidarites
from connectors.records import Agent, CalendarInfo
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import print_json, progress, results
from gateway.cli.session import remote
from gateway.composition import Application
from gateway.settings import Settings
from gateway.settings_problems import nearest
from gateway.store.store import Store
from gateway.sync.values import AgentState, CalendarRef, JournalEntry, LinkedAgent


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for. None and nothing: to be found out."""

    agent: str
    account: str
    target: str | None = None
    sources: tuple[str, ...] = ()
    zone: str | None = None


def run(config: Path, wish: Wish, *, as_json: bool) -> Exit:
    """Enroll and say with what."""
    with remote(config) as application, progress("Looking at both sides…", as_json=as_json):
        linked = enroll(application, wish)
    if as_json:
        print_json(
            {
                "agent": linked.agent_id,
                "zone": linked.zone.key,
                "target": str(linked.target),
                "sources": [str(source) for source in linked.sources],
                "state": linked.state.value,
            }
        )
    else:
        results().print(
            f"Agent {linked.agent_id} is enrolled ({linked.zone.key}).\n"
            f"RDVs are copied to {linked.target}; blocking: {', '.join(map(str, linked.sources))}.\n"
            "Nothing is written yet. Next: `rdv-gateway plan`, then `rdv-gateway approve`."
        )
    return Exit.FINE


def enroll(application: Application, wish: Wish) -> LinkedAgent:
    """Check the wish against both sides, then record it with its journal entry. Raises `UserError`."""
    settings, store = application.settings, application.store
    settings.account(wish.account)
    zone = None if wish.zone is None else _named_zone(wish.zone)
    agent = _agent(application.rdv_solidarites.agents(), wish.agent)
    present = store.agent(agent.id)
    if present is not None and (present.state is not AgentState.FIRST_RUN or present.first_run_approved):
        raise UserError(
            f"Agent {agent.id} is enrolled already ({present.state.value}).",
            remedy="Their calendars cannot be changed once a plan of theirs was approved.",
        )
    calendars = application.accounts[wish.account].discover()
    target = _target(calendars, wish)
    sources = tuple(_calendar(calendars, name) for name in wish.sources) or (target,)
    _refuse_shared_target(store, agent.id, CalendarRef(wish.account, target.calendar))
    linked = LinkedAgent(
        agent_id=agent.id,
        zone=zone or agent_zone(application.rdv_solidarites, settings, agent.id),
        sources=tuple(dict.fromkeys(CalendarRef(wish.account, calendar.calendar) for calendar in sources)),
        target=CalendarRef(wish.account, target.calendar),
        state=AgentState.FIRST_RUN,
    )
    with store.transaction() as transaction:
        transaction.put_agent(linked)
        transaction.journal(
            JournalEntry(
                at=application.clock.now(),
                run_id="",
                agent_id=agent.id,
                side="gateway",
                action="enroll",
                object="agent",
                reference=f"agent {agent.id}",
                rule=f"enrolled by {getpass.getuser()}",
                fields=("zone", "sources", "target"),
            )
        )
    return linked


def _refuse_shared_target(store: Store, agent_id: int, target: CalendarRef) -> None:
    """One agent's RDVs are not for another one to read."""
    for other in store.agents():
        if other.agent_id != agent_id and other.target == target:
            raise UserError(
                f"{target} already receives the RDVs of agent {other.agent_id}.",
                remedy="Name this agent's own calendar with --target.",
            )


def agent_zone(rdv_solidarites: RdvSolidarites, settings: Settings, agent_id: int) -> ZoneInfo:
    """The zone of the agent's organisations as configured. Raises `UserError` when they differ."""
    section = settings.rdv_solidarites
    if not section.organisation_zones:
        return section.time_zone
    zones = {
        section.organisation_zones.get(organisation.id, section.time_zone)
        for organisation in rdv_solidarites.organisations()
        if any(agent.id == agent_id for agent in rdv_solidarites.agents(organisation.id))
    }
    if len(zones) > 1:
        names = ", ".join(sorted(zone.key for zone in zones))
        raise UserError(f"Agent {agent_id} works in several zones: {names}.", remedy="Give one with --zone.")
    return next(iter(zones), section.time_zone)


def _named_zone(name: str) -> ZoneInfo:
    if name not in available_timezones():
        hint = nearest(name, available_timezones())
        raise UserError(f"{name} is not an IANA time zone{hint}", remedy="Give one such as Europe/Paris.")
    return ZoneInfo(name)


def _agent(agents: Sequence[Agent], wanted: str) -> Agent:
    """By id, or by e-mail whatever its case."""
    for agent in agents:
        if wanted == str(agent.id) or (agent.email is not None and agent.email.casefold() == wanted.casefold()):
            return agent
    raise UserError(
        f"RDV-Solidarités shows no agent {wanted} to the technical account.", remedy="See `rdv-gateway agents`."
    )


def _target(calendars: Sequence[CalendarInfo], wish: Wish) -> CalendarInfo:
    target = _only(calendars, wish.account) if wish.target is None else _calendar(calendars, wish.target)
    if target.writable is False:
        raise UserError(
            f"{target.calendar} may not be written by this account.", remedy="Name another with --target, or share it."
        )
    return target


def _only(calendars: Sequence[CalendarInfo], account: str) -> CalendarInfo:
    if len(calendars) == 1:
        return calendars[0]
    raise UserError(
        f"The account {account} has {len(calendars)} calendars.",
        remedy=f"Name one with --target: {', '.join(calendar.calendar for calendar in calendars)}.",
    )


def _calendar(calendars: Sequence[CalendarInfo], wanted: str) -> CalendarInfo:
    """By identity, or by a name that only one calendar has."""
    for calendar in calendars:
        if calendar.calendar == wanted:
            return calendar
    named = [calendar for calendar in calendars if calendar.name == wanted]
    if len(named) == 1:
        return named[0]
    known = ", ".join(calendar.calendar for calendar in calendars)
    fault = f"several calendars are named {wanted}" if named else f"there is no calendar {wanted}"
    raise UserError(f"In this account {fault}.", remedy=f"There are: {known}.")
