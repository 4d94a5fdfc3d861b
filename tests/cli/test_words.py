"""What is said in which words: errors, times, the new configuration's text, logs."""

import json
import logging
import tomllib
from datetime import UTC, date, datetime, timedelta

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import AgentMustAct, ITMustAct, OurBug, RetryLater
from gateway import logs
from gateway.cli import failures
from gateway.cli.describe import problem_lines, problems_of, run_json
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import age, moment
from gateway.cli.runs import exit_of
from gateway.cli.template import quoted
from gateway.settings_problems import SettingsError
from gateway.store.problems import AnotherSync, Unreachable
from gateway.sync.values import AgentReport, Conflict, ConflictKind, Problem, RunReport, SetAside

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (UserError("No such thing.", remedy="Name another."), Exit.USAGE, "No such thing."),
        (UserError("It waits.", remedy="Decide.", code=Exit.NEEDS_PERSON), Exit.NEEDS_PERSON, "It waits."),
        (SettingsError(("a: wrong", "b: wrong"), file="x.toml"), Exit.USAGE, "x.toml: a: wrong"),
        (ITMustAct("no keys", system="keys"), Exit.USAGE, "keys: no keys"),
        (ITMustAct("refused", system="rdv_solidarites"), Exit.REMOTE, "rdv_solidarites: refused"),
        (AgentMustAct("password", system="zimbra"), Exit.REMOTE, "zimbra: password"),
        (RetryLater("slow", system="zimbra"), Exit.REMOTE, "zimbra: slow"),
        (AnotherSync("another process syncs"), Exit.BUSY, "database: another process syncs"),
        (Unreachable("no answer"), Exit.REMOTE, "database: no answer"),
        (ModuleNotFoundError("x", name="jinja2"), Exit.USAGE, "The package jinja2 is not installed."),
        (PermissionError(13, "Permission denied", "/etc/x"), Exit.USAGE, "/etc/x: Permission denied"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code(error, code, line, capsys):
    """What, where; and what to do on a line of its own."""
    assert failures.tell(error, as_json=False) is code
    assert capsys.readouterr().err.splitlines()[0] == line


def raised(error):
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - whatever it is
        return caught


@pytest.mark.parametrize("error", [ValueError("Dentiste à 14 h"), OurBug("Dentiste", system="database")])
def test_a_defect_shows_its_place_and_not_its_text(error, capsys):
    """Its text may quote what was being handled."""
    assert failures.tell(raised(error), as_json=True) is Exit.DEFECT
    captured = capsys.readouterr()
    assert "Dentiste" not in captured.out + captured.err
    assert "test_words.py:" in captured.err
    assert json.loads(captured.out)["error"]["exit_code"] == 5


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_text_is_read_back_from_toml(text):
    """Whatever a user name or an address holds."""
    assert tomllib.loads(f"key = {quoted(text)}")["key"] == text


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (date(2026, 3, 2), "2026-03-02"),
        (datetime(2026, 3, 2, 9, 5), "2026-03-02 09:05"),
        (NOW, "2026-03-02 12:00Z"),
    ],
)
def test_times_for_people(value, shown):
    """A wall-clock as it is, an instant in UTC with a Z."""
    assert moment(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172_800, "2 d"), (-5, "0 s")],
)
def test_ages_for_people(seconds, shown):
    """Roughly, in the largest unit of which there are two."""
    assert age(NOW - timedelta(seconds=seconds), NOW) == shown
    assert age(None, NOW) == "never"


def test_equal_problems_are_told_once_with_all_their_agents():
    """A server that is down is one line, however many agents are on it."""
    down = Problem(None, "zimbra", "no answer", "nobody", "Nothing.")
    reports = tuple(AgentReport(agent_id, problems=(down,)) for agent_id in (2, 3))
    other = Problem(None, "rdv_solidarites", "no organisation", "it", "Give it a role.")
    report = RunReport("r", NOW, 1.0, reports, problems=(other,))
    assert list(problem_lines(problems_of(report))) == [
        "rdv_solidarites: no organisation\n-> it: Give it a role.",
        "zimbra: no answer (agents: 2, 3)\n-> nobody: Nothing.",
    ]
    assert [error["agent"] for error in run_json(report)["errors"]] == [None, 2, 3]


@pytest.mark.parametrize(
    ("reports", "problems", "code"),
    [
        ((AgentReport(2),), (), Exit.FINE),
        ((AgentReport(2, set_aside=(SetAside(2, "/a", "no zone"),)),), (), Exit.FINE),
        ((AgentReport(2, conflicts=(Conflict(2, ConflictKind.ORPHAN, "x"),)),), (), Exit.NEEDS_PERSON),
        (
            (AgentReport(2, conflicts=(Conflict(2, ConflictKind.ORPHAN, "x"),)),),
            (Problem(None, "rdv_solidarites", "x", "it", "y"),),
            Exit.REMOTE,
        ),
    ],
)
def test_the_exit_code_of_a_run(reports, problems, code):
    """A failure goes before what waits for a person; an unreadable item stops nothing and alarms nobody."""
    assert exit_of(RunReport("r", NOW, 1.0, reports, problems=problems)) is code


class TestLogs:
    """Nothing personal and no secret, whoever logs."""

    def lines(self, capsys):
        return [json.loads(line) for line in capsys.readouterr().err.splitlines()]

    def test_keys_that_could_hold_personal_text_are_dropped(self, capsys):
        """Whatever their case; the line says that something was dropped."""
        logs.configure("info", json=True)
        structlog.get_logger("gateway").info("planned", agent=3, title="Dentiste", Password="x")
        (line,) = self.lines(capsys)
        assert (line["agent"], line["dropped"]) == (3, ["Password", "title"])
        assert "title" not in line

    def test_addresses_lose_user_and_query(self, capsys):
        """In structured values and in formatted messages of any library."""
        logs.configure("info", json=True)
        structlog.get_logger("gateway").warning("see https://u:secret@dav.example.fr/a?token=secret#x now")
        logging.getLogger("other").warning("GET %s failed", "https://dav.example.fr/b?token=secret")
        texts = [line["event"] for line in self.lines(capsys)]
        assert texts == ["see https://dav.example.fr/a now", "GET https://dav.example.fr/b failed"]

    def test_libraries_that_quote_what_they_handle_are_quiet(self, capsys):
        """Whole addresses at info, bodies of events at warning."""
        logs.configure("debug", json=True)
        for name in ("httpx2", "httpcore2.http11", "urllib3.connectionpool", "sqlalchemy.engine"):
            logging.getLogger(name).info("GET https://dav.example.fr/a?token=secret")
        for name in ("caldav", "icalendar.prop"):
            logging.getLogger(name).warning("BEGIN:VEVENT SUMMARY:Dentiste")
        assert self.lines(capsys) == []

    def test_a_traceback_is_logged_as_text(self, capsys):
        """Without the values of variables."""
        logs.configure("error")
        personal = "Dentiste"
        try:
            len(5)
        except TypeError:
            structlog.get_logger("gateway").exception("defect", title=personal)
        said = capsys.readouterr().err
        assert "TypeError" in said
        assert personal not in said
