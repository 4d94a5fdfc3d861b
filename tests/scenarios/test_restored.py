"""A side, or our own database, is put back to yesterday or lost, while life goes on on both sides: a state that IT
understands, then one of everything."""

from __future__ import annotations

import re
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from icalendar import Calendar

from gateway.cli import holds, relink, session, status
from gateway.store.database import upgrade
from gateway.sync.engine import plan_context
from gateway.sync.rejecting import reject
from gateway.sync.values import ConflictKind, HoldReason
from tests.scenarios.choices import on_one_calendar_server
from tests.scenarios.departement import Departement, done, held, reasons
from tests.scenarios.person import Interval, Person, Shown, hours
from tests.scenarios.small_departement import SOCIAL
from tests.servers.radicale import RadicaleServer

pytestmark = on_one_calendar_server
_MARKER = "X-RDV-GATEWAY"
_DAY = 24 * 60


@dataclass
class Life:
    """What one agent types, and what is made for them, on both sides."""

    departement: Departement
    agent: Person
    hour: int
    events: list[str] = field(default_factory=list)
    rdvs: list[int] = field(default_factory=list)
    absences: list[int] = field(default_factory=list)

    def begins(self) -> None:
        for day in range(3, 8):
            self._types(day)
        for day in range(10, 13):
            self._makes_rdv(day)
        for day in range(20, 23):
            self._takes_leave(day)

    def goes_on(self, week: int = 0) -> None:
        """Of events, RDVs and absences: one moves, one goes, one is new."""
        departement, agent, shift = self.departement, self.agent, 30 + 8 * week
        agent.moves(self.events[0], *hours(departement.at(shift, self.hour)))
        agent.deletes(self.events.pop(1))
        self._types(shift + 1)
        departement.state.rdvs.move(self.rdvs[0], departement.at(shift + 2, self.hour))
        departement.state.rdvs.delete(self.rdvs.pop(1))
        self._makes_rdv(shift + 3)
        departement.move_absence(self.absences[0], *hours(departement.at(shift + 4, self.hour)))
        departement.state.absences.delete(self.absences.pop(1))
        self._takes_leave(shift + 5)

    def _types(self, day: int) -> None:
        self.events.append(self.agent.types_event(f"N° {day}", *hours(self.departement.at(day, self.hour))))

    def _makes_rdv(self, day: int) -> None:
        self.rdvs.append(self.departement.rdv(self.departement.at(day, self.hour), self.agent))

    def _takes_leave(self, day: int) -> None:
        interval = hours(self.departement.at(day, self.hour))
        self.absences.append(self.departement.absence(self.agent, "Congé", *interval))


@pytest.fixture
def lives(departement: Departement) -> list[Life]:
    """Of two agents, live since a while."""
    departement.rules = {"many_count": 100}
    made = [Life(departement, departement.agent(), 9), Life(departement, departement.agent(service=SOCIAL), 14)]
    for life in made:
        life.begins()
    departement.goes_live()
    return made


def a_day_passes(departement: Departement, lives: list[Life]) -> None:
    departement.clock.sleep(60 * _DAY)
    for life in lives:
        life.goes_on()
    departement.settled()


@dataclass(frozen=True)
class Said:
    """What IT reads."""

    holds: str
    status: str


Ask = Callable[[Departement], Said]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def ask(departement: Departement) -> Said:
        departement.stop()
        monkeypatch.setattr(session, "load", lambda _config: departement.settings())
        monkeypatch.setenv("COLUMNS", "1000")
        texts = []
        for command in (lambda: holds.run(Path(), (), as_json=False), lambda: status.run(Path(), as_json=False)):
            capsys.readouterr()
            command()
            captured = capsys.readouterr()
            texts.append(" ".join((captured.out + captured.err).split()))
        return Said(*texts)

    return ask


def typed(life: Life) -> Counter[Interval]:
    """When the events of the agent's calendar that are not the gateway's take place."""
    found: Counter[Interval] = Counter()
    for _, text in life.agent.files_by_href().values():
        if _MARKER not in text:
            event = Calendar.from_ical(text).walk("VEVENT")[0]
            start, end = (
                event[name].dt.astimezone(life.agent.zone).replace(tzinfo=None) for name in ("DTSTART", "DTEND")
            )
            found[start, end] += 1
    return found


def typed_absences(life: Life) -> list[tuple[str, datetime, datetime]]:
    return [each for each in life.agent.absences() if "agenda" not in each[0]]


def left_over(life: Life) -> tuple[Counter[Interval], Counter[Shown]]:
    """After asserting that everything is there once: blocks and events of ours that nothing asks for any more."""
    agent, state = life.agent, life.departement.state
    blocks = Counter(agent.blocks())
    asked = typed(life)
    assert max(blocks.values(), default=1) == 1
    assert asked - blocks == Counter(), "time that is not blocked"
    wanted = Counter(
        Shown("RDV", *hours(_wall(row["starts_at"]), 0.5))
        for row in state.rdvs_of(agent.id)
        if row["status"] == "unknown"
    )
    wanted += Counter(Shown(title, start, end) for title, start, end in agent.absences() if "agenda" not in title)
    shown = Counter(agent.shown())
    assert wanted - shown == Counter(), "not shown"
    return blocks - asked, shown - wanted


def _wall(text: str) -> datetime:
    """As the agents' clock shows it."""
    return datetime.fromisoformat(re.sub(r" [+-]\d{4}$", "", text))


def converged(departement: Departement) -> None:
    """Within two syncs nothing is left to do or to hold."""
    departement.sync()
    departement.sync()
    departement.forget_requests()
    report = departement.sync()
    assert (done(report), held(report), departement.writes()) == ([], [], [])
    assert departement.store.open_intents() == ()
    assert departement.store.verify_journal().is_whole


def assert_one_of_everything(departement: Departement, lives: list[Life]) -> None:
    """And what nothing asks for any more, since it came back or was forgotten, is told, each of it."""
    extra = sum(count.total() for life in lives for count in left_over(life))
    told = sum(row.conflict.kind is ConflictKind.ORPHAN for row in departement.store.conflicts())
    assert extra == told, [left_over(life) for life in lives]


def test_a_lost_database_is_named_and_what_is_there_is_paired(
    departement: Departement, lives: list[Life], said: Ask
) -> None:
    a_day_passes(departement, lives)
    departement.stop()
    place = Path(departement.database.place)
    for file in place.parent.glob(f"{place.name}*"):
        file.unlink()
    upgrade(place)
    for life in lives:
        life.goes_on(1)
    before = departement.everything()
    report = departement.sync()
    assert reasons(report) == {HoldReason.FIRST_RUN}
    words = said(departement)
    for text in (words.holds, words.status):
        assert "it was lost or replaced" in text
        assert "first_run" in text
    assert departement.everything() == before
    departement.approves()
    converged(departement)
    assert departement.sync().told == ()
    assert_one_of_everything(departement, lives)


def test_a_database_of_yesterday_is_named_and_both_sides_go_on(
    departement: Departement, lives: list[Life], said: Ask
) -> None:
    copy = departement.saves_database()
    a_day_passes(departement, lives)
    departement.restores_database(copy)
    for life in lives:
        life.goes_on(1)
    report = departement.sync()
    assert reasons(report) == {HoldReason.DATABASE_RESTORED}
    words = said(departement)
    for text in (words.holds, words.status):
        assert "restored from a backup" in text
        assert "database_restored" in text
    while departement.approves():  # what the first approval and second readings bring to light is listed by itself
        departement.sync()
    converged(departement)
    assert_one_of_everything(departement, lives)


@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_rdv_solidarites_of_yesterday_is_named_and_nothing_that_was_typed_is_lost(
    departement: Departement, lives: list[Life], said: Ask, answer: str
) -> None:
    storage = departement.state.storage
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as yesterday:
        storage._connection.backup(yesterday)
        a_day_passes(departement, lives)
        typed_before = [typed(life) for life in lives]
        yesterday.backup(storage._connection)
    report = departement.settled()[-1]
    assert HoldReason.RDVS_RESTORED in reasons(report)
    words = said(departement)
    for text in (words.holds, words.status):
        assert "RDV-Solidarités looks restored from a backup" in text
    for _ in range(3):
        if answer == "approve":
            departement.approves()
        else:
            application = departement.application
            context = plan_context(application.engine._settings, application.keys, departement.clock.now())
            reject(application.store, context, application.store.holds(), at=departement.clock.now(), by="scenario")
        departement.sync()
    converged(departement)
    assert [typed(life) for life in lives] == typed_before
    if answer == "approve":
        assert_one_of_everything(departement, lives)


def test_a_calendar_server_of_yesterday_is_named_and_nothing_that_was_typed_is_lost(
    departement: Departement, lives: list[Life], said: Ask, tmp_path: Path
) -> None:
    server = departement.server
    assert isinstance(server, RadicaleServer)
    folders = [server._storage / "collections" / "collection-root" / life.agent.login for life in lives]
    for folder in folders:
        shutil.copytree(folder, tmp_path / folder.name)
    a_day_passes(departement, lives)
    for folder in folders:
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / folder.name, folder)
    typed_before = [typed_absences(life) for life in lives]
    report = departement.settled()[-1]
    assert reasons(report) == {HoldReason.CALENDAR_RESTORED}
    words = said(departement)
    for text in (words.holds, words.status):
        assert "the calendar looks restored from a backup" in text
    assert [typed_absences(life) for life in lives] == typed_before
    departement.approves()
    converged(departement)
    assert_one_of_everything(departement, lives)


def test_a_small_loss_is_named_when_the_newest_rdvs_are_gone_too(departement: Departement, lives: list[Life]) -> None:
    """One block of one agent: by itself it would count as freed by hand."""
    storage = departement.state.storage
    life = lives[0]
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as yesterday:
        storage._connection.backup(yesterday)
        life.agent.types_event("Nouveau", *hours(departement.at(15, 9)))
        departement.rdv(departement.at(16, 9), life.agent)
        departement.settled()
        yesterday.backup(storage._connection)
    assert reasons(departement.sync()) == {HoldReason.RDVS_RESTORED}
    assert departement.store.agent_view(life.agent.id).suppressions == ()
    departement.approves()
    departement.sync()
    departement.approves()
    converged(departement)
    assert_one_of_everything(departement, lives)


def test_a_calendar_at_another_address_is_named_and_followed_without_doubles(
    departement: Departement, lives: list[Life], said: Ask
) -> None:
    """Pairs go along: nothing is written."""
    life = lives[0]
    server = departement.server
    assert isinstance(server, RadicaleServer)
    folder = server._storage / "collections" / "collection-root" / life.agent.login
    (folder / "agenda").rename(folder / "calendrier")
    blocks, before = life.agent.blocks(), typed_absences(life)
    departement.sync()
    new = f"/{life.agent.login}/calendrier/"
    words = said(departement)
    assert f"calendar moved: what {life.agent.calendar} held is at {new} now" in words.holds
    assert f"agents relink AGENT --to {new}" in words.holds
    assert "calendar moved" in str([agent.last_problem for agent in departement.store.agent_status()])
    assert relink.run(Path(), life.agent.id, new, as_json=False) == 0
    life.agent.calendar = new
    life.events = [href.replace("/agenda/", "/calendrier/") for href in life.events]
    departement.forget_requests()
    departement.settled()
    assert departement.writes() == []
    assert (life.agent.blocks(), typed_absences(life)) == (blocks, before)
    life.goes_on()
    departement.settled()
    converged(departement)
    assert_one_of_everything(departement, lives)


def test_what_did_not_come_along_to_the_new_address_changes_no_absence(
    departement: Departement, lives: list[Life], said: Ask
) -> None:
    life = lives[0]
    server = departement.server
    assert isinstance(server, RadicaleServer)
    leave = next(href for href, event in life.agent.ours().items() if event["SUMMARY"] == "Congé")
    life.agent.deletes(leave)
    life.agent.deletes(life.events[0])
    folder = server._storage / "collections" / "collection-root" / life.agent.login
    (folder / "agenda").rename(folder / "calendrier")
    before = life.agent.absences()
    said(departement)
    new = f"/{life.agent.login}/calendrier/"
    assert relink.run(Path(), life.agent.id, new, as_json=False) == 0
    life.agent.calendar = new
    assert reasons(departement.settled()[-1]) == {HoldReason.CALENDAR_RESTORED}
    assert life.agent.absences() == before
    assert "it moved: it was /" in said(departement).holds
    departement.approves()
    converged(departement)
    assert_one_of_everything(departement, lives)
