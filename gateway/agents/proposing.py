"""Proposing which calendars are whose, by e-mail: for a person to look through before it is imported."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.errors import ConnectorError, ITMustAct
from connectors.records import Agent, CalendarInfo
from gateway.agents.accounts import AccountBook, Aliases, part_name, read_credentials
from gateway.agents.enrolling import Refused, attempt, discovered, homes_of
from gateway.agents.homes import only_home
from gateway.agents.roster import Known, roster
from gateway.agents.roster_file import RosterLine, RosterState
from gateway.settings import AccountSection, Settings


@dataclass(frozen=True, slots=True)
class Unmatched:
    """An agent for whom a person must decide: why, and what to do."""

    agent_id: int
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """`lines`: everybody. `matched`: ids of those who are new in it. Those who were known are as they were, but for
    a home organisation that none was named for: `housed`, their ids."""

    lines: tuple[RosterLine, ...]
    matched: tuple[int, ...]
    housed: tuple[int, ...]
    unmatched: tuple[Unmatched, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    account: str
    receives: str = ""
    calendars: tuple[str, ...] = ()  # when there are several and none is the usual one


class Proposing:
    """Looks for each agent in each section of the configuration. Writes nothing anywhere."""

    def __init__(self, settings: Settings, accounts: AccountBook) -> None:
        self._settings = settings
        # A subscription cannot receive RDVs: who has one beside their calendar, a person says.
        self._sections = [section for section in settings.accounts if not section.read_only]
        self._accounts = accounts
        self._aliases = Aliases.of(settings)
        self._credentials = {
            section.name: read_credentials(section.credentials_file, section.name)
            for section in self._sections
            if section.credentials_file is not None
        }
        self._own: dict[str, tuple[CalendarInfo, ...] | Exception] = {}

    def propose(
        self, now: Known, *, homes: Mapping[int, Collection[int]] | None = None, wave_size: int | None = None
    ) -> Proposal:
        """Everybody whom RDV-Solidarités shows and who is not known here yet. `homes`: their organisations,
        None: not to be proposed. `wave_size`: how many a wave, if any; waves are numbered after those that are there.
        """
        for section in self._sections:
            if not section.serves_many:
                self._own[section.name] = attempt(lambda name: discovered(self._accounts, name), [section.name], 1)[0]
        people = {agent.id: agent for agent in now.agents}
        lines = roster(now)
        new = [line for line in lines if line.state is RosterState.UNKNOWN]
        threads = self._settings.gateway.threads_per_host
        judged = attempt(lambda line: self._judge(people[line.agent_id or 0]), new, threads)
        wave = max((line.wave or 0 for line in lines), default=0) + 1
        found: dict[int, RosterLine] = {}
        unmatched: list[Unmatched] = []
        for line, judgement in zip(new, judged, strict=True):
            agent_id = line.agent_id or 0
            if isinstance(judgement, Exception):
                unmatched.append(Unmatched(agent_id, str(judgement), judgement.remedy))
                continue
            if judgement.calendars:
                remedy = f"Name one of them under receives: {', '.join(judgement.calendars)}."
                unmatched.append(Unmatched(agent_id, f"{judgement.account} has several calendars", remedy))
            number = None if wave_size is None else wave + len(found) // wave_size
            found[agent_id] = replace(
                line, account=judgement.account, receives=judgement.receives, wave=number, state=RosterState.MATCHED
            )
        proposed = tuple(found.get(line.agent_id or 0, line) for line in lines)
        housed = tuple(_housed(line, homes or {}) for line in proposed)
        changed = [
            after.agent_id or 0
            for before, after in zip(proposed, housed, strict=True)
            if after != before and after.agent_id not in found
        ]
        return Proposal(housed, tuple(found), tuple(changed), tuple(unmatched))

    def _judge(self, agent: Agent) -> _Place:
        """Raises `Refused` when a person must decide."""
        email = self._aliases.calendar_email(agent)
        if email is None:
            remedy = "Give their account in the file, as <section>/<e-mail>, or add them to [[aliases]]."
            raise Refused("no e-mail in RDV-Solidarités (an intervenant)", remedy=remedy)
        places: list[_Place] = []
        reasons: list[str] = []
        for section in self._sections:
            try:
                places += self._places(section, email)
            except (ConnectorError, Refused) as error:
                reasons.append(f"{section.name}: {error}")
        if len(places) == 1:
            return places[0]
        if places:
            names = ", ".join(place.receives or place.account for place in places)
            raise Refused("found in several places", remedy=f"Keep one of them: {names}.")
        why = "; ".join(dict.fromkeys(reasons)) or "no calendar was found by their e-mail"
        raise Refused(why, remedy="Give their account and calendar in the file, or add them to [[aliases]].")

    def _places(self, section: AccountSection, email: str) -> list[_Place]:
        if not section.serves_many:
            return self._shared(section, email)
        if section.name in self._credentials:
            if email not in self._credentials[section.name]:
                return []
            names = [part_name(section.name, email)]
        elif section.principal_search:
            names = [part_name(section.name, home) for home in homes_of(self._accounts, section.name, email)]
        else:
            names = [part_name(section.name, email)]
        places: list[_Place] = []
        for name in names:
            try:
                places.append(_place(name, discovered(self._accounts, name), section.calendar))
            except ITMustAct:
                # Not there, or not shared: with one section for each part of the département, that is usual.
                if len(self._sections) == 1:
                    raise
        return places

    def _shared(self, section: AccountSection, email: str) -> list[_Place]:
        """Calendars among the account's own that bear the agent's name: shared with it, or filed by agent."""
        calendars = self._own[section.name]
        if isinstance(calendars, Exception):
            raise calendars
        wanted = {email, email.partition("@")[0]}
        owners = {
            path.rstrip("/"): {address.casefold() for address in addresses}
            for path, addresses in section.owner_addresses.items()
        }
        found = [
            calendar
            for calendar in calendars
            if calendar.writable is not False
            and (
                email in owners.get(calendar.calendar.rstrip("/"), ())
                or wanted & {segment.casefold() for segment in calendar.calendar.split("/")}
                or calendar.name.strip().casefold() == email
            )
        ]
        return [_Place(section.name, calendar.calendar) for calendar in found]


def _housed(line: RosterLine, homes: Mapping[int, Collection[int]]) -> RosterLine:
    """With the agent's only organisation as home, where they have an account and nobody named one."""
    if line.organisation is not None or not line.account:
        return line
    return replace(line, organisation=only_home(homes, line.agent_id or 0))


def _place(account: str, calendars: Sequence[CalendarInfo], usual: str) -> _Place:
    """An agent's own home. The calendar is left open when there is one, or one that is the usual one."""
    named = [each for each in calendars if usual and usual in (each.name, each.calendar.rstrip("/").rpartition("/")[2])]
    if len(calendars) == 1 or len(named) == 1:
        return _Place(account)
    return _Place(account, calendars=tuple(calendar.calendar for calendar in calendars))
