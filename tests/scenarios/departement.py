"""A département put together for one scenario: a real calendar server, the double of RDV-Solidarités, and the gateway
between them as its own composition builds it from a configuration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from connectors.caldav.provision import make_calendar
from connectors.ports import Clock
from gateway.composition import Application, opened
from gateway.keys import create_key_file
from gateway.sandbox.faults import Faults
from gateway.sandbox.server import Sandbox
from gateway.sandbox.state import State
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.sync.approval import approve, pending
from gateway.sync.values import (
    AgentReport,
    AgentState,
    CalendarRef,
    Held,
    HoldReason,
    LinkedAgent,
    Operation,
    RunReport,
)
from tests.scenarios.database import ScenarioDatabase
from tests.scenarios.person import Person
from tests.scenarios.small_departement import ACCOUNT, NORD, PASSWORD, PMI, SAINT_DENIS, motif, workshop
from tests.servers.counting_proxy import CountingProxy

PARIS, REUNION = ZoneInfo("Europe/Paris"), ZoneInfo("Indian/Reunion")
CALENDAR = "agenda"
_CALENDAR_WRITES = ("PUT", "DELETE", "POST", "PATCH", "MKCALENDAR", "PROPPATCH", "MOVE", "COPY")


class CalendarServer(Protocol):
    """What `tests.servers` starts."""

    name: str
    users: dict[str, str]

    @property
    def url(self) -> str: ...

    def home(self, user: str) -> str: ...


class Departement:
    """`door` counts and spoils what the gateway asks of the calendar server; `sandbox` does so on its side."""

    def __init__(
        self,
        directory: Path,
        *,
        server: CalendarServer,
        door: CountingProxy,
        sandbox: Sandbox,
        database: ScenarioDatabase,
        clock: Clock,
        logins: Iterator[str],
    ) -> None:
        self.directory = directory
        self.server = server
        self.door = door
        self.sandbox = sandbox
        self.database = database
        self.clock = clock
        self.rdv_solidarites_url = sandbox.url
        self.people: list[Person] = []
        self.organisation_zones: dict[int, str] = {SAINT_DENIS: REUNION.key}
        self.rules: dict[str, Any] = {}
        self.copies: dict[str, Any] = {}
        self.limits: dict[str, Any] = {}
        self.read_timeout = 20.0  # seconds after which an answer is given up, on both sides
        self._logins = logins
        self._stack = ExitStack()
        self._application: Application | None = None
        self._first_day = clock.now().astimezone(PARIS).date()
        self.keys = directory / "gateway.keys"
        self.addresses: dict[str, str] = {}  # login -> where their calendars are, if not behind `door`
        self._keep_secret("rdv-solidarites", PASSWORD)
        create_key_file(self.keys)

    # --- times -------------------------------------------------------------------------------------------------

    def day(self, number: int) -> date:
        """Day 0 is the Monday on which a scenario begins."""
        return self._first_day + timedelta(days=number)

    def at(self, number: int, hour: int, minute: int = 0) -> datetime:
        """A wall-clock on that day."""
        return datetime.combine(self.day(number), time(hour, minute))

    # --- people ------------------------------------------------------------------------------------------------

    @property
    def state(self) -> State:
        return self.sandbox.state

    @property
    def faults(self) -> Faults:
        return self.sandbox.faults

    def agent(self, *, organisations: Collection[int] = (NORD,), service: int = PMI, zone: ZoneInfo = PARIS) -> Person:
        """An agent with an empty calendar, to be enrolled at the next sync."""
        login = next(self._logins)
        number = self.state.directory.add_agent(login, "AGENT", email=f"{login}@dept.example", service_ids=[service])
        for organisation in organisations:
            self.state.directory.set_role(number, organisation)
        calendar = f"{self.server.home(login)}{CALENDAR}/"
        password = self.server.users[login]
        self._keep_secret(login, password)
        make_calendar(self.server.url, login, password, calendar, "Agenda")
        person = Person(
            number,
            login=login,
            password=password,
            calendar=calendar,
            zone=zone,
            server=self.server.url,
            state=self.state,
        )
        self.people.append(person)
        self.stop()
        return person

    def rdv(
        self, start: datetime, *agents: Person, organisation: int = NORD, service: int = PMI, **details: Any
    ) -> int:
        """An RDV of half an hour, with the one usager."""
        given: dict[str, Any] = {
            "organisation_id": organisation,
            "motif_id": motif(organisation, service),
            "lieu_id": organisation,
            "user_ids": [1],
            "agent_ids": [agent.id for agent in agents],
            "starts_at": start,
        }
        return self.state.rdvs.create(**(given | details))

    def workshop(self, start: datetime, *agents: Person, organisation: int = NORD) -> int:
        """A collective RDV, nobody inscribed yet."""
        return self.rdv(
            start, *agents, organisation=organisation, motif_id=workshop(organisation), user_ids=[], name="Budget"
        )

    def absence(self, agent: Person, title: str, start: datetime, end: datetime, **details: Any) -> int:
        """An absence that somebody types in RDV-Solidarités."""
        times: dict[str, Any] = {
            "first_day": start.date(),
            "start_time": start.time(),
            "end_day": end.date(),
            "end_time": end.time(),
        }
        return self.state.absences.create(agent.id, title=title, **times, **details)

    def move_absence(self, absence_id: int, start: datetime, end: datetime) -> None:
        self.state.absences.update(
            absence_id,
            first_day=start.date(),
            start_time=start.time(),
            end_day=end.date(),
            end_time=end.time(),
        )

    # --- the gateway -------------------------------------------------------------------------------------------

    @property
    def application(self) -> Application:
        """The gateway at work; started, with every agent enrolled, when it is not."""
        if self._application is None:
            self._application = self._stack.enter_context(opened(self.settings(), clock=self.clock))
            with self._application.store.transaction() as tx:
                known = {agent.agent_id for agent in self._application.store.agents()}
                for person in self.people:
                    if person.id not in known:
                        tx.put_agent(self.linked(person))
        return self._application

    @property
    def store(self) -> Store:
        return self.application.store

    def linked(self, person: Person) -> LinkedAgent:
        sources = tuple(CalendarRef(person.login, calendar) for calendar in (person.calendar, *person.other_calendars))
        return LinkedAgent(person.id, person.zone, sources, sources[0], AgentState.FIRST_RUN)

    def second_calendar(self, person: Person) -> str:
        """One more calendar of an agent who is not enrolled yet; it blocks. Gives its path."""
        calendar = f"{self.server.home(person.login)}perso/"
        make_calendar(self.server.url, person.login, person.password, calendar, "Perso")
        person.other_calendars += (calendar,)
        return calendar

    def configures_password(self, person: Person, password: str) -> None:
        """IT gives the gateway this password of theirs, and starts it again."""
        self._keep_secret(person.login, password)
        self.stop()

    def stop(self) -> None:
        """End the gateway; the next use starts it again on the same files."""
        self._application = None
        self._stack.close()

    def close(self) -> None:
        self.stop()
        self.database.close()
        for person in self.people:
            person.close()

    def sync(self, *, minutes: float = 1) -> RunReport:
        """One sync, `minutes` after the one before."""
        self.clock.sleep(60 * minutes)
        return self.application.engine.run()

    def settled(self, *, most: int = 6) -> list[RunReport]:
        """Syncs until one finds nothing left to do; not more than `most`."""
        reports = [self.sync()]
        while any(agent.done or agent.unsettled or agent.problems for agent in reports[-1].agents):
            assert len(reports) < most, f"still at work after {most} syncs: {_told(reports[-1].agents)}"
            reports.append(self.sync())
        return reports

    def goes_live(self) -> None:
        """First plans made, approved, done. A machine under load may need a second look."""
        self.settled()
        self.approves()
        self.settled()
        states = {agent.state for agent in self.store.agents()}
        assert states == {AgentState.LIVE}, states

    def approves(self) -> int:
        """Somebody approves all that waits; how many operations that is."""
        waiting = pending(self.store)
        approve(self.store, waiting, at=self.clock.now(), by="scenario")
        return len(waiting.holds)

    def loses_database(self) -> None:
        """A new database beside the same keys."""
        self.stop()
        self.database.loses()

    def saves_database(self) -> str:
        """A copy of the database as of now."""
        self.stop()
        return self.database.saves()

    def restores_database(self, copy: str) -> None:
        self.stop()
        self.database.restores(copy)

    def configuration(self) -> dict[str, Any]:
        """The configuration, as it would be read from a file."""
        return {
            "gateway": {"database": self.database.place, "keys": str(self.keys)},
            "rdv_solidarites": {
                "url": self.rdv_solidarites_url,
                "login": ACCOUNT,
                "password_file": self._secret("rdv-solidarites"),
                "requests_per_second": 1000.0,
                "read_timeout": self.read_timeout,
                "organisation_zones": self.organisation_zones,
            },
            "accounts": [self._account(person) for person in self.people],
            "rules": self.rules | {"copies": self.copies},
            "limits": self.limits,
        }

    def settings(self) -> Settings:
        return Settings.model_validate(self.configuration())

    def _account(self, person: Person) -> dict[str, Any]:
        return {
            "name": person.login,
            "url": self.addresses.get(person.login, self.door.url) + self.server.home(person.login).lstrip("/"),
            "username": person.login,
            "password_file": self._secret(person.login),
            "profile": self.server.name,
            "read_timeout": self.read_timeout,
        }

    def _secret(self, name: str) -> str:
        return str(self.directory / f"secret-{name}")

    def _keep_secret(self, name: str, secret: str) -> None:
        Path(self._secret(name)).write_text(secret)

    # --- what can be seen --------------------------------------------------------------------------------------

    def forget_requests(self) -> None:
        """Count from zero again."""
        self.door.forget()
        self.sandbox.requests.reset()

    def calendar_requests(self) -> Counter[str]:
        """Requests that the calendar server got from the gateway, by method."""
        return Counter(self.door.methods())

    def writes(self) -> list[str]:
        """Every request since `forget_requests` by which the gateway may have changed something, on either side."""
        calendar = [f"{seen.method} {seen.path}" for seen in self.door.seen if seen.method in _CALENDAR_WRITES]
        there = [
            f"{entry.method} {entry.path}"
            for entry in self.sandbox.requests.entries
            if entry.method != "GET" and "/auth/" not in entry.path
        ]
        return calendar + there

    def everything(self) -> dict[str, Any]:
        """All that both sides hold: calendars with their ETags, absences, RDVs."""
        absences = [
            {name: value for name, value in row.items() if name != "ical"}  # it bears the time of the reading
            for person in self.people
            for row in self.state.absences_of(person.id)
        ]
        calendars = {person.login: person.files_by_href() for person in self.people}
        return {"calendars": calendars, "absences": absences, "rdvs": self.state.contents()["rdvs"]}

    @contextmanager
    def untouched(self) -> Iterator[None]:
        """Nothing may be different on either side, nor be written, by what happens within."""
        before = self.everything()
        self.forget_requests()
        yield
        written = self.writes()
        assert written == [], written
        after = self.everything()
        assert after == before, {name: (before[name], after[name]) for name in before if before[name] != after[name]}


def done(*reports: RunReport) -> list[Operation]:
    """What these runs did, for everybody."""
    return [operation for report in reports for agent in report.agents for operation in agent.done]


def held(report: RunReport) -> list[Held]:
    return [each for agent in report.agents for each in agent.held]


def reasons(report: RunReport) -> set[HoldReason]:
    """Why something waits."""
    return {each.reason for each in held(report)}


def problems(report: RunReport) -> list[str]:
    everywhere = [*report.problems, *(each for agent in report.agents for each in agent.problems)]
    return [each.reason for each in everywhere]


def conflicts(report: RunReport) -> list[str]:
    return [each.kind.value for agent in report.agents for each in agent.conflicts]


def _told(agents: Collection[AgentReport]) -> str:
    return "; ".join(
        f"agent {agent.agent_id}: {[f'{each.rule} {each.action}' for each in agent.done]},"
        f" {agent.unsettled} unsettled, {[each.reason for each in agent.problems]}"
        for agent in agents
    )
