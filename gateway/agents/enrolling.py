"""Enrolling: what is wished for one agent or a whole wave, checked against both sides, and recorded.

Nothing is written on either side before a first plan is approved. One agent who cannot be enrolled never stops the
others of a wave.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, runtime_checkable
from zoneinfo import ZoneInfo

from connectors.errors import ConnectorError
from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.records import Agent, CalendarInfo
from gateway.agents.accounts import AccountBook, Aliases, account_check, part_name, split_name
from gateway.agents.homes import asks_for_homes, only_home, organisations_by_agent
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.sync.values import AgentState, CalendarRef, JournalEntry, LinkedAgent, MatchedAgent

_T = TypeVar("_T")
_Result = TypeVar("_Result")


class Refused(Exception):
    """An agent who cannot be enrolled so: what is wrong, and what to do. `remote`: a system failed, not the wish."""

    def __init__(self, what: str, *, remedy: str, remote: bool = False) -> None:
        super().__init__(what)
        self.remedy = remedy
        self.remote = remote


@runtime_checkable
class FindsPeople(Protocol):
    """An account on a server that may be asked for people."""

    def homes_of(self, email: str) -> tuple[str, ...]:
        """Decoded paths of the calendar homes of whoever has this address. Raises `ConnectorError`."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """What became of several wishes, each by its agent's id."""

    agents: tuple[LinkedAgent, ...]
    refused: tuple[tuple[int, Refused], ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """A calendar that blocks, as wished for. `account` "": the one that receives."""

    account: str
    calendar: str


class Enrolling:
    """Resolves wishes. Reads RDV-Solidarités once, and each account once, however many agents there are."""

    def __init__(
        self, settings: Settings, store: Store, accounts: AccountBook, rdv_solidarites: RdvSolidarites
    ) -> None:
        self._settings = settings
        self._store = store
        self._accounts = accounts
        self._sections = {section.name: section for section in settings.accounts}
        self._aliases = Aliases.of(settings)
        self._agents = {agent.id: agent for agent in rdv_solidarites.agents()}
        self._zones = zones_by_agent(rdv_solidarites, settings)
        by_home = asks_for_homes(settings.rules.to_book())
        self._homes = organisations_by_agent(rdv_solidarites) if by_home else None
        self._fault = account_check(settings)
        self._discovered: dict[str, tuple[CalendarInfo, ...] | ConnectorError | Refused] = {}
        self._locks: dict[str, threading.Lock] = {}
        self._known = {agent.agent_id: agent for agent in store.agents()}
        self._receiving = {agent.target: agent.agent_id for agent in self._known.values()}

    @property
    def agents(self) -> Mapping[int, Agent]:
        """Everybody whom RDV-Solidarités shows, by id."""
        return self._agents

    def one(self, wish: MatchedAgent) -> LinkedAgent:
        """Raises `Refused`, and `ConnectorError` when the account cannot be read."""
        account = self._account_of(wish)
        sources = self._sources_of(wish)
        return self._resolve(wish, account, sources)

    def many(self, wishes: Sequence[MatchedAgent]) -> Enrolled:
        """Each by itself; accounts are read a few at a time."""
        threads = self._settings.gateway.threads_per_host
        accounts = attempt(self._account_of, wishes, threads)
        others = attempt(self._sources_of, wishes, threads)
        names = [name for name in accounts if isinstance(name, str)]
        names += [source.account for each in others if isinstance(each, tuple) for source in each if source.account]
        attempt(self._calendars, list(dict.fromkeys(names)), threads)  # side by side, before one by one
        done: list[LinkedAgent] = []
        refused: list[tuple[int, Refused]] = []
        for wish, account, sources in zip(wishes, accounts, others, strict=True):
            try:
                if not isinstance(account, str):
                    raise account
                if not isinstance(sources, tuple):
                    raise sources
                done.append(self._resolve(wish, account, sources))
            except Refused as refusal:
                refused.append((wish.agent_id, refusal))
            except ConnectorError as error:
                told = Refused(f"{error.system}: {error}", remedy=error.remedy, remote=True)
                refused.append((wish.agent_id, told))
        return Enrolled(tuple(done), tuple(refused))

    def _calendars(self, name: str) -> tuple[CalendarInfo, ...]:
        """The calendars of an account, asked for once however many agents share it."""
        with self._locks.setdefault(name, threading.Lock()):
            if name not in self._discovered:
                try:
                    self._discovered[name] = discovered(self._accounts, name)
                except (ConnectorError, Refused) as error:
                    self._discovered[name] = error
            found = self._discovered[name]
        if isinstance(found, Exception):
            raise found
        return found

    # --- one wish --------------------------------------------------------------------------------------------

    def _account_of(self, wish: MatchedAgent) -> str:
        """The full name of the account that receives. Raises `Refused` for one that cannot."""
        section_name, part = split_name(wish.account)
        section = self._sections.get(section_name)
        elsewhere, colon, _ = wish.target.partition(":")
        for name in (section_name, *([split_name(elsewhere)[0]] if colon else ())):
            if name in self._sections and self._sections[name].read_only:
                raise Refused(
                    f"The account {name} is a subscription: it is only read, and cannot receive RDVs.",
                    remedy=f"Name the account that receives, and let this one block: --source {name}:feed (in the "
                    f"mapping file: {name}:feed under blocks).",
                )
        name = self._full_name(wish.account, wish.agent_id)
        if not part and wish.target.startswith("/") and section is not None and not section.serves_many:
            return self._shared_home(name, wish.target)
        return name

    def _full_name(self, account: str, agent_id: int) -> str:
        """Of a section that serves many, the agent's part."""
        section_name, part = split_name(account)
        section = self._sections.get(section_name)
        if section is not None and section.serves_many and not part:
            account = self._part_of(section_name, agent_id, search=section.principal_search)
        fault = self._fault(account)
        if fault is not None:
            raise Refused(f"{fault[:1].upper()}{fault[1:]}.", remedy="Name another account, or correct [[accounts]].")
        return account

    def _sources_of(self, wish: MatchedAgent) -> tuple[_Source, ...]:
        """The calendars that block, with the full names of those accounts that are not the one that receives."""
        found: list[_Source] = []
        for text in wish.sources:
            account, colon, calendar = text.partition(":")
            if colon and split_name(account)[0] in self._sections:
                found.append(_Source(self._full_name(account, wish.agent_id), calendar))
            else:
                found.append(_Source("", text))
        return tuple(found)

    def _part_of(self, section: str, agent_id: int, *, search: bool) -> str:
        agent = self._agents.get(agent_id)
        email = self._aliases.calendar_email(agent) if agent is not None else None
        if email is None:
            remedy = f"Name their part of the account, such as {section}/<e-mail>, or add them to [[aliases]]."
            raise Refused(f"Agent {agent_id} has no e-mail in RDV-Solidarités.", remedy=remedy)
        if not search:
            return part_name(section, email)
        homes = homes_of(self._accounts, section, email)
        if len(homes) != 1:
            found = "nobody" if not homes else f"{len(homes)} homes"
            remedy = f"Name the home in the account, such as {section}/<path>, or add them to [[aliases]]."
            raise Refused(f"Searching for the e-mail of agent {agent_id} in {section} found {found}.", remedy=remedy)
        return part_name(section, homes[0])

    def _shared_home(self, account: str, target: str) -> str:
        """For a calendar that another person shares: the account at that person's home, or at the calendar alone
        when the home may not be listed. The account itself when the calendar is among its own."""
        if any(_is_at(calendar, target) for calendar in self._calendars(account)):
            return account
        home = target.rstrip("/").rpartition("/")[0] + "/"
        for place in (home, target):
            name = part_name(account, place)
            try:
                if any(_is_at(calendar, target) for calendar in self._calendars(name)):
                    return name
            except ConnectorError:
                continue
        return account

    def _resolve(self, wish: MatchedAgent, account: str, sources: Sequence[_Source]) -> LinkedAgent:
        present = self._known.get(wish.agent_id)
        usual = self._sections[split_name(account)[0]].calendar
        target = _target(self._calendars(account), account, wish.target, usual)
        ref = CalendarRef(account, target.calendar)
        self._refuse_change(wish.agent_id, present, ref)
        owner = self._receiving.setdefault(ref, wish.agent_id)
        if owner != wish.agent_id:  # one agent's RDVs are not for another one to read
            raise Refused(
                f"{ref} already receives the RDVs of agent {owner}.",
                remedy="Name this agent's own calendar with --target.",
            )
        return LinkedAgent(
            agent_id=wish.agent_id,
            zone=wish.zone or self._zone(wish.agent_id),
            sources=tuple(dict.fromkeys(self._source(each, account) for each in sources)) or (ref,),
            target=ref,
            state=AgentState.FIRST_RUN,
            wave=wish.wave if wish.wave is not None or present is None else present.wave,
            organisation_id=self._home(wish, present),
            service_id=wish.service_id or (present.service_id if present else None),
        )

    def _source(self, source: _Source, receiving: str) -> CalendarRef:
        account = source.account or receiving
        return CalendarRef(account, _calendar(self._calendars(account), source.calendar).calendar)

    def _refuse_change(self, agent_id: int, present: LinkedAgent | None, target: CalendarRef) -> None:
        if present is None or (present.state is AgentState.FIRST_RUN and not present.first_run_approved):
            return
        if present.state is not AgentState.LEFT:
            raise Refused(
                f"Agent {agent_id} is enrolled already ({present.state.value}).",
                remedy="Their calendars cannot be changed once a plan of theirs was approved.",
            )
        view = self._store.agent_view(agent_id)
        if target != present.target and (view.copies or view.mirrors):
            raise Refused(
                f"Agent {agent_id} left, and what was written for them is still in {present.target}.",
                remedy=f"Name that calendar, or run `rdv-gateway leave {agent_id} --remove` first.",
            )

    def _home(self, wish: MatchedAgent, present: LinkedAgent | None) -> int | None:
        """The home organisation as named, or the only one that there is, looked up where rules ask for it."""
        named = wish.organisation_id or (present.organisation_id if present else None)
        return named if named is not None or self._homes is None else only_home(self._homes, wish.agent_id)

    def _zone(self, agent_id: int) -> ZoneInfo:
        zones = self._zones(agent_id)
        if len(zones) > 1:
            names = ", ".join(sorted(zone.key for zone in zones))
            raise Refused(f"Agent {agent_id} works in several zones: {names}.", remedy="Give one with --zone.")
        return next(iter(zones))


def record(store: Store, enrolled: Iterable[LinkedAgent], *, at: datetime, by: str) -> None:
    """All in one transaction, each with its journal entry."""
    with store.transaction() as tx:
        for agent in enrolled:
            tx.put_agent(agent)
            tx.drop_matched(agent.agent_id)
            tx.drop_figures(agent.agent_id)
            tx.withdraw_approvals(agent.agent_id)
            tx.journal(
                JournalEntry(
                    at=at,
                    run_id="",
                    agent_id=agent.agent_id,
                    side="gateway",
                    action="enroll",
                    object="agent",
                    reference=f"agent {agent.agent_id}",
                    rule="enrolled",
                    fields=("zone", "sources", "target"),
                    by=by,
                )
            )


# --- both sides ----------------------------------------------------------------------------------------------


def zones_by_agent(rdv_solidarites: RdvSolidarites, settings: Settings) -> Callable[[int], Collection[ZoneInfo]]:
    """The zones of an agent's organisations as configured; at least one. Reads organisations only if they differ."""
    section = settings.rdv_solidarites
    found: dict[int, set[ZoneInfo]] = {}
    if section.organisation_zones:
        for organisation in rdv_solidarites.organisations():
            zone = section.organisation_zones.get(organisation.id, section.time_zone)
            for agent in rdv_solidarites.agents(organisation.id):
                found.setdefault(agent.id, set()).add(zone)
    return lambda agent_id: found.get(agent_id) or {section.time_zone}


def discovered(accounts: Mapping[str, CalendarAccount], name: str) -> tuple[CalendarInfo, ...]:
    """The calendars of an account. Raises `ConnectorError`, and `Refused` for an account that cannot be."""
    account = accounts.get(name)
    if account is None:
        raise Refused(f"There is no account {name}.", remedy="Correct the account, or [[accounts]].")
    return account.discover()


def homes_of(accounts: Mapping[str, object], section: str, email: str) -> tuple[str, ...]:
    """Where a search by e-mail leads. Raises `ConnectorError`, and `Refused` for a server that cannot be asked."""
    account = accounts.get(section)
    if not isinstance(account, FindsPeople):
        raise Refused(f"The account {section} cannot search for people.", remedy="Take principal_search away.")
    return account.homes_of(email)


def attempt(
    step: Callable[[_T], _Result], values: Sequence[_T], threads: int
) -> list[_Result | Refused | ConnectorError]:
    """The step for each value, a few at a time, and what went wrong in place of a result."""

    def one(value: _T) -> _Result | Refused | ConnectorError:
        try:
            return step(value)
        except (Refused, ConnectorError) as error:
            return error

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(one, values))


def _is_at(calendar: CalendarInfo, path: str) -> bool:
    return calendar.calendar.rstrip("/") == path.rstrip("/")


def _target(calendars: Sequence[CalendarInfo], account: str, wanted: str, usual: str) -> CalendarInfo:
    target = _calendar(calendars, wanted) if wanted else _only(calendars, account, usual)
    if target.writable is False:
        raise Refused(
            f"{target.calendar} may not be written by this account.", remedy="Name another with --target, or share it."
        )
    return target


def _only(calendars: Sequence[CalendarInfo], account: str, usual: str) -> CalendarInfo:
    if len(calendars) == 1:
        return calendars[0]
    named = [each for each in calendars if usual and usual in (each.name, each.calendar.rstrip("/").rpartition("/")[2])]
    if len(named) == 1:
        return named[0]
    raise Refused(
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
    raise Refused(f"In this account {fault}.", remedy=f"There are: {known}.")
