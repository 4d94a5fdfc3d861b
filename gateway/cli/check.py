"""`check`: try everything that a sync needs, one by one, and say who can mend what fails. Writes nothing remote."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from connectors.errors import Addressee, ConnectorError
from connectors.records import ServerTrait
from gateway.cli.check_network import Fact, network_facts
from gateway.cli.describe import problem_lines
from gateway.cli.exits import Exit
from gateway.cli.output import messages, print_json, progress, results, table
from gateway.clock import SystemClock
from gateway.composition import (
    SharedByAccounts,
    calendar_account,
    opened_store,
    rdv_solidarites_client,
    shared_by_accounts,
)
from gateway.keys import load_keys
from gateway.settings import AccountSection, Settings, load
from gateway.settings_problems import SettingsError
from gateway.store.store import Store
from gateway.sync.values import AgentState, Problem

_COLUMNS = ("Checked", "", "Found")
_OF_THIS_MACHINE = frozenset({"configuration", "keys", "database", "network"})
_ACTIVE = (AgentState.FIRST_RUN, AgentState.LIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. `problem` None: it is well. `detail`: what was seen."""

    what: str
    detail: str
    problem: Problem | None = None


def run(config: Path, *, as_json: bool, retry: bool = False) -> Exit:
    """Try, show, and leave with 2 for a fault of this machine, 3 for one of a remote system."""
    settings = load(config)
    with progress("Trying both sides…", as_json=as_json):
        findings = list(look(settings, retry=retry))
    problems = [finding.problem for finding in findings if finding.problem is not None]
    if as_json:
        print_json({"checks": [_json(finding) for finding in findings]})
    else:
        rows = [(finding.what, "PROBLEM" if finding.problem else "ok", finding.detail) for finding in findings]
        results().print(table(f"{config}", _COLUMNS, rows))
        for line in problem_lines(problems):
            messages().print(line)
    if any(problem.system in _OF_THIS_MACHINE for problem in problems):
        return Exit.USAGE
    return Exit.REMOTE if problems else Exit.FINE


def look(settings: Settings, *, retry: bool = False) -> Iterator[Finding]:
    """All findings, in the order a person would mend them. `retry`: see `shared_by_accounts`."""
    yield Finding("configuration", "accounts: " + ", ".join(section.name for section in settings.accounts))
    with ExitStack() as stack:
        store: Store | None = None
        try:
            store = stack.enter_context(opened_store(settings))
            agents = store.agents(_ACTIVE)
            yield Finding("keys", str(settings.gateway.keys))
            yield Finding("database", f"{settings.gateway.database}, {len(agents)} agents enrolled")
        except ConnectorError as error:
            yield _failed(error.system, error)
        for fact in network_facts(settings, SystemClock().now(), os.environ):
            yield _fact(fact)
        yield from _rdv_solidarites(settings, store)
        keys = load_keys(settings.gateway.keys) if store is not None else None
        shared = shared_by_accounts(SystemClock(), store, keys, retry=retry)
        for section in settings.accounts:
            yield from _account(settings, section, store, shared)
        yield from _unconfigured(settings, store)


def _rdv_solidarites(settings: Settings, store: Store | None) -> Iterator[Finding]:
    what = "rdv_solidarites"
    try:
        with closing(rdv_solidarites_client(settings, store, SystemClock())) as client:
            organisations = client.organisations()
            for organisation in organisations:
                seen = client.agents(organisation.id)
                yield Finding(f"{what}: organisation {organisation.id}", f"{organisation.name}, {len(seen)} agents")
            visible = {agent.id for agent in client.agents()}
            listing = client.absences()
    except (ConnectorError, SettingsError) as error:
        yield _failed(what, error)
        return
    if not organisations:
        yield _missing(what, "the technical account sees no organisation", "Give it a role in each organisation.")
    yield Finding(f"{what}: rights", f"{len(visible)} agents and {len(listing.absences)} absences visible")
    if not listing.complete:
        reason = "the list of absences changed while it was read, or holds a record that cannot be read"
        yield _missing(what, reason, "Nothing, unless it is said again and again.")
    for zone_of in sorted(settings.rdv_solidarites.organisation_zones.keys() - {one.id for one in organisations}):
        reason = f"organisation {zone_of} of [rdv_solidarites.organisation_zones] is not visible"
        yield _missing(what, reason, "Correct its id, or give the technical account a role there.")
    for agent in store.agents(_ACTIVE) if store else ():
        if agent.agent_id not in visible:
            reason = f"agent {agent.agent_id} is enrolled and not visible to the technical account"
            yield _missing(what, reason, "Give the technical account its rights on this agent back.")


def _account(
    settings: Settings, section: AccountSection, store: Store | None, shared: SharedByAccounts
) -> Iterator[Finding]:
    what = f"account {section.name}"
    try:
        with closing(calendar_account(settings, section, shared)) as account:
            calendars = account.discover()
            traits = account.traits()
    except (ConnectorError, SettingsError) as error:
        yield _failed(what, error, system=section.name)
        return
    yield Finding(what, "calendars: " + ", ".join(calendar.calendar for calendar in calendars))
    yield from server_profile(section.name, traits)
    found = {calendar.calendar for calendar in calendars}
    for agent in store.agents(_ACTIVE) if store else ():
        for ref in agent.calendars:
            if ref.account == section.name and ref.calendar not in found:
                reason = f"calendar {ref.calendar} of agent {agent.agent_id} is not visible to this account"
                yield _missing(what, reason, "Share it with the account again.", system=section.name)


def server_profile(account: str, traits: Iterable[ServerTrait]) -> Iterator[Finding]:
    """What is known of an account's server, one line each, with how it is known."""
    for trait in traits:
        yield Finding(f"account {account}: server", f"{trait.name}: {trait.value} ({trait.basis})")


def _unconfigured(settings: Settings, store: Store | None) -> Iterator[Finding]:
    configured = {section.name for section in settings.accounts}
    for agent in store.agents(_ACTIVE) if store else ():
        for name in sorted({ref.account for ref in agent.calendars} - configured):
            reason = f"agent {agent.agent_id} is enrolled with account {name}, which is not configured"
            yield _missing("configuration", reason, "Add it to [[accounts]] again.", system="configuration")


def _failed(what: str, error: ConnectorError | SettingsError, *, system: str | None = None) -> Finding:
    if isinstance(error, SettingsError):
        remedy = "Set the variable or make the file that the configuration names."
        return _missing(what, str(error), remedy, system="configuration")
    problem = Problem(None, system or error.system, str(error), error.addressee.value, error.remedy)
    return Finding(what, str(error), problem)


def _fact(fact: Fact) -> Finding:
    if fact.remedy:
        return _missing(fact.what, fact.detail, fact.remedy, system="network")
    return Finding(fact.what, fact.detail)


def _missing(what: str, reason: str, remedy: str, *, system: str = "rdv_solidarites") -> Finding:
    return Finding(what, reason, Problem(None, system, reason, Addressee.IT.value, remedy))


def _json(finding: Finding) -> dict[str, object]:
    problem = finding.problem
    return {
        "what": finding.what,
        "ok": problem is None,
        "detail": finding.detail,
        "system": problem.system if problem else None,
        "addressee": problem.addressee if problem else None,
        "remedy": problem.remedy if problem else None,
    }
