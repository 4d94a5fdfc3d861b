"""`check`: try everything that a sync needs, one by one, and say who can mend what fails. Writes nothing remote, but
for `--write-test`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from connectors.errors import Addressee, ConnectorError
from connectors.ports import CalendarAccount
from connectors.records import CalendarInfo, ServerTrait
from gateway.agents.accounts import split_name
from gateway.agents.enrolling import Refused, attempt, discovered
from gateway.agents.homes import homeless
from gateway.cli.check_network import Fact, network_facts
from gateway.cli.conflicts import doubled_agents, doubled_text
from gateway.cli.describe import problem_lines
from gateway.cli.exits import Exit
from gateway.cli.output import age, messages, print_json, progress, results, table
from gateway.cli.rights import COLUMNS as RIGHTS_COLUMNS
from gateway.cli.rights import Rights, read_rights, rights_json, rights_problems, rights_rows
from gateway.cli.session import turn
from gateway.cli.stopping import stop_lines
from gateway.cli.write_test import write_test
from gateway.clock import SystemClock
from gateway.composition import (
    SharedByAccounts,
    account_book,
    opened_store,
    rdv_solidarites_client,
    shared_by_accounts,
)
from gateway.consent import consent_problem, renewed_at
from gateway.keys import load_keys
from gateway.settings import AccountSection, Settings, load
from gateway.settings_problems import SettingsError
from gateway.store.store import Store
from gateway.sync.observe_calendars import moved_to
from gateway.sync.observe_rdv_solidarites import EVERYWHERE
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent, Problem

_COLUMNS = ("Checked", "", "Found")
_OF_THIS_MACHINE = frozenset({"configuration", "keys", "database", "network"})
_WRITES = "writes"
_NAMED = 5
"""How many accounts with one trouble are named."""
_ACTIVE = (AgentState.FIRST_RUN, AgentState.LIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried. `problem` None: it is well. `detail`: what was seen."""

    what: str
    detail: str
    problem: Problem | None = None
    rights: Rights | None = None


def run(config: Path, *, as_json: bool, retry: bool = False, write_test: int | None = None) -> Exit:
    """Try, show, and leave with 2 for a fault of this machine, 3 for one of a remote system.

    `write_test`: the id of an agent of whom an absence is made and removed, or None.
    """
    settings = load(config)
    with progress("Trying both sides…", as_json=as_json):
        findings = list(look(settings, retry=retry))
        if write_test is not None:
            findings.append(_write_test(settings, write_test))
    problems = [finding.problem for finding in findings if finding.problem is not None]
    rights = next((finding.rights for finding in findings if finding.rights is not None), None)
    if as_json:
        organisations = rights.organisations if rights is not None else ()
        print_json(
            {
                "checks": [_json(finding) for finding in findings],
                "organisations": [rights_json(each) for each in organisations],
            }
        )
    else:
        rows = [(finding.what, "PROBLEM" if finding.problem else "ok", finding.detail) for finding in findings]
        results().print(table(f"{config}", _COLUMNS, rows))
        if rights is not None:
            results().print(table("Rights of the technical account", RIGHTS_COLUMNS, rights_rows(rights)))
        for line in problem_lines(problems):
            messages().print(line)
    if any(problem.system in _OF_THIS_MACHINE for problem in problems):
        return Exit.USAGE
    if any(problem.system != _WRITES for problem in problems):
        return Exit.REMOTE
    return Exit.NEEDS_PERSON if problems else Exit.FINE


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
            yield from _stopped(store)
            doubled = doubled_agents(store)
            if doubled:
                yield Finding("second synchroniser", doubled_text(doubled))
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


def _stopped(store: Store) -> Iterator[Finding]:
    stop = store.stop()
    if stop is not None:
        shown, _ = stop_lines(stop)
        remedy = "Let writes go on with `rdv-gateway resume --writes` when the reason is gone."
        yield Finding(_WRITES, shown, Problem(None, _WRITES, shown, Addressee.IT.value, remedy))


def _rdv_solidarites(settings: Settings, store: Store | None) -> Iterator[Finding]:
    what = "rdv_solidarites"
    clock = SystemClock()
    states = store.organisation_states() if store else {}
    known = tuple(state for number, state in states.items() if number != EVERYWHERE)
    yield from _access(settings, store, clock.now())
    try:
        with closing(rdv_solidarites_client(settings, store, clock)) as client:
            rights = read_rights(client, {state.id for state in known}, clock.now())
            listing = client.absences()
    except (ConnectorError, SettingsError) as error:
        yield _failed(what, error)
        return
    organisations = [each.organisation for each in rights.organisations]
    for each in rights.organisations:
        detail = f"{each.organisation.name}, {len(each.agents)} agents"
        yield Finding(f"{what}: organisation {each.organisation.id}", detail)
    shown = f"{len(rights.visible)} agents and {len(listing.absences)} absences visible"
    yield Finding(f"{what}: rights", shown, rights=rights)
    for problem in rights_problems(rights, store.agents(_ACTIVE) if store else (), known):
        yield Finding(what, problem.reason, problem)
    yield from _homeless(settings, rights, store.agents(_ACTIVE) if store else ())
    if not listing.complete:
        reason = "the list of absences changed while it was read, or holds a record that cannot be read"
        yield _missing(what, reason, "Nothing, unless it is said again and again.")
    for zone_of in sorted(settings.rdv_solidarites.organisation_zones.keys() - {one.id for one in organisations}):
        reason = f"organisation {zone_of} of [rdv_solidarites.organisation_zones] is not visible"
        yield _missing(what, reason, "Correct its id, or give the technical account a role there.")


def _homeless(settings: Settings, rights: Rights, agents: Sequence[LinkedAgent]) -> Iterator[Finding]:
    """Rules by organisation that do not hold for somebody who works there, since no home is named."""
    homes: dict[int, set[int]] = {}
    for each in rights.organisations:
        for agent_id in each.agents:
            homes.setdefault(agent_id, set()).add(each.organisation.id)
    found = [str(agent.agent_id) for agent, _ in homeless(agents, homes, settings.rules.to_book())]
    if found:
        named = ", ".join(found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
        reason = f"{len(found)} agents have no home organisation, though rules differ by organisation: {named}"
        remedy = "Name it in the mapping file; `rdv-gateway agents propose` fills it in for who works in one only."
        yield _missing("rules", reason, remedy, system="configuration")


def _access(settings: Settings, store: Store | None, now: datetime) -> Iterator[Finding]:
    """Which way in is used. An access that nobody renewed is told of, although this very check will renew it."""
    what = "rdv_solidarites: access"
    section = settings.rdv_solidarites.oauth
    if section is None:
        yield Finding(what, f"password of {settings.rdv_solidarites.login}; newer instances take OAuth only")
    elif store is None:
        yield Finding(what, "OAuth")
    else:
        problem = consent_problem(store, now, configured=section.refresh_token is not None)
        last = renewed_at(store)
        detail = "OAuth" if last is None else f"OAuth, last renewed {age(last, now)} ago"
        yield Finding(what, problem.reason if problem else detail, problem)


def _write_test(settings: Settings, agent_id: int) -> Finding:
    """One absence made and removed, while nobody syncs."""
    clock = SystemClock()
    what = "rdv_solidarites: write test"
    with opened_store(settings) as store, turn(store):
        try:
            with closing(rdv_solidarites_client(settings, store, clock)) as client:
                done, problem = write_test(
                    client, store, clock, agent_id=agent_id, ceiling=settings.limits.to_ceiling()
                )
        except (ConnectorError, SettingsError) as error:
            return _failed(what, error)
    return Finding(what, done, problem)


def _account(
    settings: Settings, section: AccountSection, store: Store | None, shared: SharedByAccounts
) -> Iterator[Finding]:
    what = f"account {section.name}"
    agents = store.agents(_ACTIVE) if store else ()
    wanted: dict[CalendarRef, list[int]] = {}
    for agent in agents:
        for ref in agent.calendars:
            if split_name(ref.account)[0] == section.name:
                wanted.setdefault(ref, []).append(agent.agent_id)
    parts = sorted({ref.account for ref in wanted} - {section.name})
    names = parts if section.serves_many else [section.name, *parts]
    try:
        alone = settings.model_copy(update={"accounts": (section,)})
        with closing(account_book(alone, shared)) as book:
            answers = attempt(partial(discovered, book), names, settings.gateway.threads_per_host)
            found = dict(zip(names, answers, strict=True))
            lost = [ref for ref in wanted if _is_missing(ref, found[ref.account])]
            moved = {ref: _moved(book[ref.account], ref, store) for ref in lost if store is not None}
            traits = book[names[0]].traits() if names and names[0] in book else ()
    except (ConnectorError, SettingsError) as error:
        yield _failed(what, error, system=section.name)
        return
    yield from _reached(section, found, parts)
    yield from server_profile(section.name, traits)
    for ref, agent_ids in wanted.items():
        if _is_missing(ref, found[ref.account]):
            there = moved.get(ref)
            if there is not None:
                reason = f"calendar moved: what {ref.calendar} of agent {agent_ids[0]} held is at {there} now"
                remedy = f"`rdv-gateway agents relink {agent_ids[0]} --to {there}` keeps what is paired."
                yield _missing(what, reason, remedy, system=section.name)
                continue
            reason = f"calendar {ref.calendar} of agent {agent_ids[0]} is not visible to this account"
            yield _missing(what, reason, "Share it with the account again.", system=section.name)


def _is_missing(ref: CalendarRef, found: tuple[CalendarInfo, ...] | Refused | ConnectorError) -> bool:
    """Whether its account answered without this calendar."""
    return isinstance(found, tuple) and ref.calendar not in {each.calendar for each in found}


def _moved(account: CalendarAccount, ref: CalendarRef, store: Store) -> str | None:
    """Where a calendar is now, if not at its place; None when that cannot be told."""
    try:
        return moved_to(account, ref, store.known_items(ref))
    except ConnectorError:
        return None  # told by what was discovered


def _reached(
    section: AccountSection,
    found: Mapping[str, tuple[CalendarInfo, ...] | Refused | ConnectorError],
    parts: Sequence[str],
) -> Iterator[Finding]:
    """The section's own calendars, and how many agents' parts of it answer; equal troubles of parts once."""
    what = f"account {section.name}"
    own = found.get(section.name)
    if isinstance(own, tuple):
        yield Finding(what, "calendars: " + ", ".join(calendar.calendar for calendar in own))
    if section.serves_many or parts:
        well = sum(isinstance(found[part], tuple) for part in parts)
        yield Finding(f"{what}: agents", f"{well} of {len(parts)} agents' homes answer")
    troubles: dict[tuple[str, str, str], list[str]] = {}
    for name, answer in found.items():
        if isinstance(answer, ConnectorError):
            troubles.setdefault((str(answer), answer.addressee.value, answer.remedy), []).append(name)
        elif isinstance(answer, Refused):
            troubles.setdefault((str(answer), Addressee.IT.value, answer.remedy), []).append(name)
    for (reason, addressee, remedy), names in troubles.items():
        whose = "" if names == [section.name] else f" ({len(names)}: {', '.join(names[:_NAMED])})"
        yield Finding(what, reason, Problem(None, section.name, f"{reason}{whose}", addressee, remedy))


def server_profile(account: str, traits: Iterable[ServerTrait]) -> Iterator[Finding]:
    """What is known of an account's server, one line each, with how it is known."""
    for trait in traits:
        yield Finding(f"account {account}: server", f"{trait.name}: {trait.value} ({trait.basis})")


def _unconfigured(settings: Settings, store: Store | None) -> Iterator[Finding]:
    configured = {section.name for section in settings.accounts}
    for agent in store.agents(_ACTIVE) if store else ():
        for name in sorted({split_name(ref.account)[0] for ref in agent.calendars} - configured):
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
