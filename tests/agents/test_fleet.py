"""1,200 agents: matched, enrolled in three waves and approved in groups, in seconds and a handful of steps."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.errors import ITMustAct
from connectors.records import Agent, CalendarInfo
from gateway.agents import roster as rosters
from gateway.agents.accounts import AccountBook, account_check
from gateway.agents.enrolling import Enrolling, Refused, record
from gateway.agents.proposing import Proposing
from gateway.agents.roster_file import read_roster, write_csv
from gateway.cli.approve_wave import wave_group
from gateway.keys import create_key_file, load_keys
from gateway.settings import Settings, load
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.approval import approve
from gateway.sync.values import (
    Action,
    AgentState,
    AgreedCopy,
    CalendarRef,
    Held,
    HoldReason,
    Interval,
    MatchedAgent,
    ObjectKind,
    Operation,
    OperationClass,
    PlanFigures,
    Side,
)

AGENTS, WAVES, HELD = 1_200, 3, 40
AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
SERVICE = 'username = "service"\npassword_env = "PASSWORD"\n'


class FakeRdvSolidarites:
    """Shows agents; one in a hundred has no e-mail."""

    def __init__(self, count: int) -> None:
        self._agents = tuple(
            Agent(number, None if number % 100 == 0 else f"agent{number}@example.fr", "Agent", str(number))
            for number in range(1, count + 1)
        )

    def agents(self, organisation_id: int | None = None) -> tuple[Agent, ...]:
        return self._agents


class FakeAccount:
    """A home with one calendar. `homes`: what a search finds, by e-mail."""

    def __init__(self, calendars: tuple[CalendarInfo, ...], homes: dict[str, tuple[str, ...]] | None = None) -> None:
        self._calendars = calendars
        self._homes = homes or {}
        self.asked = 0

    def discover(self) -> tuple[CalendarInfo, ...]:
        self.asked += 1
        if not self._calendars:
            raise ITMustAct("The calendar server shows no calendar.", system="agendas")
        return self._calendars

    def homes_of(self, email: str) -> tuple[str, ...]:
        return self._homes.get(email, ())

    def close(self) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path):
    create_key_file(tmp_path / "keys")
    database = open_database("sqlite://", load_keys(tmp_path / "keys"))
    yield Store(database)
    database.close()


def settings(tmp_path: Path, accounts: str, more: str = "") -> Settings:
    path = tmp_path / "rdv-gateway.toml"
    path.write_text(
        '[rdv_solidarites]\nurl = "https://www.rdv-solidarites.fr"\nlogin = "t@example.fr"\npassword_env = "X"\n'
        f'[[accounts]]\nname = "agendas"\nurl = "https://agenda.example.fr/"\n{accounts}{more}',
        encoding="utf-8",
    )
    return load(path)


def calendar(path: str, name: str = "Agenda") -> CalendarInfo:
    return CalendarInfo(path, name, writable=True)


def book_of_homes() -> AccountBook:
    """Every agent has a home with one calendar, by e-mail or by path."""

    def home(part: str) -> FakeAccount:
        return FakeAccount((calendar(f"/dav/{part.strip('/')}/Calendar/"),))

    return AccountBook({"agendas": FakeAccount(())}, {"agendas": home}, sharing=["agendas"])


def held(agent_id: int) -> tuple[Held, ...]:
    first = datetime(2026, 3, 3, 9)
    return tuple(
        Held(
            Operation(
                agent_id=agent_id,
                side=Side.RDV_SOLIDARITES,
                action=Action.CREATE,
                kind=ObjectKind.BUSY_BLOCK,
                op_class=OperationClass.COVER,
                rule="event_occupies_time",
                when=first + timedelta(days=number),
                interval=Interval(first + timedelta(days=number), first + timedelta(days=number, hours=1)),
            ),
            HoldReason.FIRST_RUN,
            "",
        )
        for number in range(HELD)
    )


def test_a_whole_departement_goes_through_in_seconds(tmp_path: Path, store: Store) -> None:
    """Propose, import, then for each wave enroll and approve; 12 without e-mail and 3 odd ones are left to a person."""
    made = settings(tmp_path, f'home = "/dav/{{email}}/"\n{SERVICE}')
    client, book = FakeRdvSolidarites(AGENTS), book_of_homes()
    started = time.monotonic()
    now = rosters.known(store, client.agents(), account_check(made))
    proposal = Proposing(made, book).propose(now, wave_size=AGENTS // WAVES)
    assert (len(proposal.matched), len(proposal.unmatched)) == (1_188, 12)
    found = rosters.compare(read_roster(write_csv(proposal.lines).encode()).lines, now)
    assert (len(found.edits), found.faults, found.unchanged) == (1_188, (), 12)
    rosters.apply(store, found.edits, at=AT, by="test")
    left_out: list[int] = []
    for wave in range(1, WAVES + 1):
        wishes = [each for each in store.matched_agents() if each.wave == wave]
        enrolled = Enrolling(made, store, book, client).many(wishes)
        assert enrolled.refused == ()
        record(store, enrolled.agents, at=AT, by="test")
        with store.transaction() as tx:
            for agent in enrolled.agents:
                minutes = 6_000 if agent.agent_id % 400 == 1 else 600 + agent.agent_id % 90
                tx.replace_holds(agent.agent_id, held(agent.agent_id), run_id="run", at=AT)
                tx.save_figures(PlanFigures(agent.agent_id, AT, 5, 30, HELD, minutes, 0))
        group = wave_group(store, wave, (), made.outliers.to_rules())
        left_out += group.left_out
        assert len(group.approval.holds) == HELD * len(group.approval.agents)
        approve(store, group.approval, at=AT, by="test")
    assert left_out == [1, 401, 801]
    assert sum(agent.first_run_approved for agent in store.agents()) == 1_188 - len(left_out)
    assert time.monotonic() - started < 60


def test_what_was_imported_is_exported_and_imported_without_change(tmp_path: Path, store: Store) -> None:
    """For matched and enrolled agents, those without e-mail too."""
    made = settings(tmp_path, f'home = "/dav/{{email}}/"\n{SERVICE}')
    client = FakeRdvSolidarites(200)
    fault = account_check(made)
    now = rosters.known(store, client.agents(), fault)
    rosters.apply(store, rosters.compare(Proposing(made, book_of_homes()).propose(now).lines, now).edits, at=AT, by="")
    enrolling = Enrolling(made, store, book_of_homes(), client)
    record(store, enrolling.many(store.matched_agents()[:50]).agents, at=AT, by="test")
    now = rosters.known(store, client.agents(), fault)
    again = rosters.compare(read_roster(write_csv(rosters.roster(now)).encode()).lines, now)
    assert (again.edits, again.faults, again.unchanged) == ((), (), 200)


class TestReach:
    """Each way from an agent to a calendar."""

    def test_a_search_by_email_gives_the_home(self, tmp_path: Path, store: Store) -> None:
        """Remembered by its path."""
        made = settings(tmp_path, f"principal_search = true\n{SERVICE}")
        service = FakeAccount((), {"agent1@example.fr": ("/dav/uid-1/",), "agent2@example.fr": ("/a/", "/b/")})
        parts = {"/dav/uid-1/": FakeAccount((calendar("/dav/uid-1/Calendar/"),))}
        book = AccountBook({"agendas": service}, {"agendas": parts.__getitem__}, sharing=["agendas"])
        enrolling = Enrolling(made, store, book, FakeRdvSolidarites(3))
        linked = enrolling.one(MatchedAgent(1, "agendas"))
        assert linked.target == CalendarRef("agendas//dav/uid-1/", "/dav/uid-1/Calendar/")
        with pytest.raises(Refused, match="found 2 homes"):
            enrolling.one(MatchedAgent(2, "agendas"))
        with pytest.raises(Refused, match="found nobody"):
            enrolling.one(MatchedAgent(3, "agendas"))

    def test_a_calendar_shared_from_elsewhere_is_reached_by_its_path(self, tmp_path: Path, store: Store) -> None:
        """Through its owner's home, or alone when the home may not be listed."""
        made = settings(tmp_path, SERVICE)
        parts = {
            "/dav/a/": FakeAccount((calendar("/dav/a/Calendar/"),)),
            "/dav/b/": FakeAccount(()),
            "/dav/b/Calendar/": FakeAccount((calendar("/dav/b/Calendar/"),)),
        }
        service = FakeAccount((calendar("/dav/service/shared/"),))
        book = AccountBook({"agendas": service}, {"agendas": parts.__getitem__}, sharing=["agendas"])
        enrolling = Enrolling(made, store, book, FakeRdvSolidarites(9))
        wishes = [
            MatchedAgent(1, "agendas", target="/dav/service/shared/"),
            MatchedAgent(2, "agendas", target="/dav/a/Calendar/"),
            MatchedAgent(3, "agendas", target="/dav/b/Calendar/"),
            MatchedAgent(4, "agendas", target="/dav/c/Calendar/"),
        ]
        enrolled = enrolling.many(wishes)
        accounts = [agent.target.account for agent in enrolled.agents]
        assert accounts == ["agendas", "agendas//dav/a/", "agendas//dav/b/Calendar/"]
        assert [number for number, _ in enrolled.refused] == [4]
        assert service.asked == 1, "asked once, however many agents there are"

    def test_each_agent_s_own_account_is_one_with_credentials(self, tmp_path: Path, store: Store) -> None:
        """Who has none is named."""
        path = tmp_path / "credentials.csv"
        path.write_text("email;username;password\nagent1@example.fr;one;secret\n", encoding="utf-8")
        path.chmod(0o600)
        made = settings(tmp_path, 'credentials_file = "credentials.csv"\n')
        enrolling = Enrolling(made, store, book_of_homes(), FakeRdvSolidarites(2))
        assert enrolling.one(MatchedAgent(1, "agendas")).target.account == "agendas/agent1@example.fr"
        with pytest.raises(Refused, match=r"no line for agent2@example\.fr"):
            enrolling.one(MatchedAgent(2, "agendas"))

    def test_of_several_calendars_the_usual_one_is_taken(self, tmp_path: Path, store: Store) -> None:
        """By its name or the end of its path; else one has to be named."""
        calendars = (calendar("/dav/x/Calendar/", "Calendrier"), calendar("/dav/x/astreintes/", "Astreintes"))
        book = AccountBook(
            {"agendas": FakeAccount(())}, {"agendas": lambda _: FakeAccount(calendars)}, sharing=["agendas"]
        )
        for more, target in (('calendar = "Calendar"\n', "/dav/x/Calendar/"), ("", None)):
            made = settings(tmp_path, f'home = "/{{email}}/"\n{SERVICE}{more}')
            enrolling = Enrolling(made, store, book, FakeRdvSolidarites(1))
            if target is None:
                with pytest.raises(Refused, match="has 2 calendars"):
                    enrolling.one(MatchedAgent(1, "agendas"))
            else:
                assert enrolling.one(MatchedAgent(1, "agendas")).target.calendar == target

    def test_two_agents_of_one_wave_never_share_the_calendar_that_receives(self, tmp_path: Path, store: Store) -> None:
        """The second one is refused, the first one enrolled."""
        made = settings(tmp_path, f'home = "/{{email}}/"\n{SERVICE}')
        enrolling = Enrolling(made, store, book_of_homes(), FakeRdvSolidarites(2))
        enrolled = enrolling.many([MatchedAgent(1, "agendas"), MatchedAgent(2, "agendas/agent1@example.fr")])
        assert [agent.agent_id for agent in enrolled.agents] == [1]
        assert "already receives the RDVs of agent 1" in str(enrolled.refused[0][1])


def test_who_left_keeps_their_calendar_while_something_is_in_it(tmp_path: Path, store: Store) -> None:
    """They come back to it, not to another."""
    made = settings(tmp_path, f'home = "/{{email}}/"\n{SERVICE}')
    client = FakeRdvSolidarites(1)
    gone = Enrolling(made, store, book_of_homes(), client).one(MatchedAgent(1, "agendas"))
    record(store, [gone], at=AT, by="test")
    left = replace(gone, state=AgentState.LEFT, first_run_approved=True)
    copy = AgreedCopy(7, 1, gone.target, f"{gone.target.calendar}rdvgw-1.ics", "rdvgw-1", "", "", "", AT)
    with store.transaction() as tx:
        tx.put_agent(left)
        tx.put_copy(copy)
    enrolling = Enrolling(made, store, book_of_homes(), client)
    with pytest.raises(Refused, match="is still in"):
        enrolling.one(MatchedAgent(1, "agendas/other@example.fr"))
    back = enrolling.one(MatchedAgent(1, "agendas"))
    assert (back.state, back.first_run_approved) == (AgentState.FIRST_RUN, False)
