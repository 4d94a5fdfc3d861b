"""`agents propose|export|import|notice`, `enroll|pause|resume|approve --wave`: a département in groups."""

import json
from datetime import datetime

import pytest

from gateway.agents.roster_file import read_roster
from gateway.demo.agendas import PARIS, agendas
from gateway.demo.calendars import fill
from tests.cli.conftest import CALENDAR_PASSWORD, MARTINE
from tests.servers.radicale import RadicaleServer

BRUNO, GINA, SOPHIE, PAUL = 3, 4, 5, 6
_PEOPLE = ("martine", "bruno", "gina")


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory):
    """A Radicale on which a service account may reach everybody's home, as a template needs."""
    users = dict.fromkeys([*(f"{name}@demo.example" for name in _PEOPLE), "service"], CALENDAR_PASSWORD)
    with RadicaleServer(users, tmp_path_factory.mktemp("shared"), rights="authenticated") as server:
        for name in _PEOPLE:
            login = f"{name}@demo.example"
            fill(f"{server.url}{login}/", login, CALENDAR_PASSWORD, agendas(datetime.now(PARIS).date())[name])
        yield server


@pytest.fixture
def many(deployment, shared_server):
    """The deployment's command line, with one section that serves everybody by a template."""
    config = deployment.cli.config
    text, _, _ = config.read_text().partition("[[accounts]]")
    config.write_text(
        f'{text}[[accounts]]\nname = "agendas"\nurl = "{shared_server.url}"\nhome = "/{{email}}/"\n'
        'username = "service"\npassword_env = "AGENDA_PASSWORD"\nprofile = "radicale"\n'
        '[notices]\ncontact = "assistance@demo.example"\ndepartement = "La Démo"\n'
    )
    return deployment.cli


@pytest.fixture
def proposed(many, tmp_path):
    """With the proposal as a file, two agents a wave."""
    file = tmp_path / "agents.csv"
    many("agents", "propose", "--output", str(file), "--wave-size", "2")
    return file


def states(cli) -> dict[int, tuple[str | None, int | None]]:
    return {each["agent"]: (each["state"], each["wave"]) for each in cli("agents", "--json").json["agents"]}


class TestProposal:
    """By e-mail; who cannot be matched is named for a person."""

    def test_finds_homes_and_names_who_has_none(self, many):
        """An intervenant has no e-mail; others have no calendar there."""
        answer = many("agents", "propose", "--json")
        assert answer.code == 1
        assert answer.json["matched"] == [MARTINE, BRUNO, GINA]
        accounts = {each["agent"]: each["account"] for each in answer.json["agents"]}
        assert accounts[BRUNO] == "agendas/bruno@demo.example"
        left = {each["agent"]: each["reason"] for each in answer.json["unmatched"]}
        assert "intervenant" in left[PAUL]
        assert SOPHIE in left
        assert states(many)[MARTINE] == (None, None)

    def test_an_alias_leads_to_another_address(self, many):
        """Of an agent by e-mail, and of one without any by id."""
        config = many.config
        aliases = (
            '[[aliases]]\nemail = "sophie@demo.example"\ncalendar_email = "gina@demo.example"\n'
            f'[[aliases]]\nagent = {PAUL}\ncalendar_email = "bruno@demo.example"\n'
        )
        config.write_text(config.read_text() + aliases)
        accounts = {each["agent"]: each["account"] for each in many("agents", "propose", "--json").json["agents"]}
        assert accounts[SOPHIE] == "agendas/gina@demo.example"
        assert accounts[PAUL] == "agendas/bruno@demo.example"

    def test_no_file_is_overwritten(self, many, proposed):
        """A person may have worked on it."""
        before = proposed.read_bytes()
        assert many("agents", "propose", "--output", str(proposed)).code == 2
        assert many("agents", "export", "--output", str(proposed)).code == 2
        assert proposed.read_bytes() == before


class TestMappingFile:
    """Out and in again."""

    def test_import_says_what_it_would_change_and_changes_it_with_yes(self, many, proposed):
        """In waves of two."""
        looked = many("agents", "import", str(proposed), "--json")
        assert [each["agent"] for each in looked.json["would_change"]] == [MARTINE, BRUNO, GINA]
        assert states(many)[MARTINE] == (None, None)
        assert many("agents", "import", str(proposed), "--yes").code == 0
        assert states(many)[MARTINE] == ("matched", 1)
        assert states(many)[GINA] == ("matched", 2)

    @pytest.mark.parametrize("name", ["agents.csv", "agents.json"])
    def test_what_is_exported_and_imported_changes_nothing(self, many, proposed, tmp_path, name):
        """With agents matched, in their first run and paused."""
        many("agents", "import", str(proposed), "--yes")
        many("enroll", "--wave", "1")
        many("pause", str(BRUNO))
        (tmp_path / "out").mkdir()
        file = tmp_path / "out" / name
        assert many("agents", "export", "--output", str(file)).code == 0
        answer = many("agents", "import", str(file), "--yes", "--json")
        assert (answer.code, answer.json["changed"], answer.json["set_aside"]) == (0, [], [])
        assert answer.json["unchanged"] == len(read_roster(file.read_bytes()).lines)

    def test_a_bad_line_is_set_aside_with_its_number_and_the_rest_goes_on(self, many, tmp_path):
        """What, where, what to do."""
        file = tmp_path / "agents.csv"
        file.write_text(
            "agent,email,account,wave\n"
            f"{MARTINE},,agendas/martine@demo.example,1\n"
            ",nobody@demo.example,agendas/martine@demo.example,1\n"
            f"{BRUNO},,elsewhere,1\n"
            f"{GINA},,agendas/gina@demo.example,first\n"
        )
        answer = many("agents", "import", str(file), "--yes", "--json")
        assert answer.code == 1
        assert [each["agent"] for each in answer.json["changed"]] == [MARTINE]
        faults = {each["line"]: each["reason"] for each in answer.json["set_aside"]}
        assert "no agent with the e-mail nobody@demo.example" in faults[3]
        assert "no account elsewhere" in faults[4]
        assert "wave is not a whole number" in faults[5]

    def test_a_file_pauses_and_resumes(self, many, proposed, tmp_path):
        """By the column state."""
        many("agents", "import", str(proposed), "--yes")
        many("enroll", "--wave", "1")
        exported = many("agents", "export").out
        for state in ("paused", "first_run"):
            file = tmp_path / f"{state}.csv"
            file.write_text(exported.replace("first_run", state))
            assert many("agents", "import", str(file), "--yes").code == 0
            assert states(many)[MARTINE] == (state, 1)


class TestWaves:
    """A handful of commands for everybody."""

    def test_from_the_proposal_to_live(self, many, proposed):
        """Enrolled as matched, planned, approved as one, done."""
        many("agents", "import", str(proposed), "--yes")
        enrolled = many("enroll", "--wave", "1", "--json")
        assert enrolled.code == 0
        assert [each["agent"] for each in enrolled.json["enrolled"]] == [MARTINE, BRUNO]
        assert {each["target"] for each in enrolled.json["enrolled"]} == {
            "agendas/martine@demo.example:/martine@demo.example/agenda/",
            "agendas/bruno@demo.example:/bruno@demo.example/agenda/",
        }
        planned = many("plan", "--json").json
        assert set(planned["requests"]) == {"rdv_solidarites", "agendas"}
        looked = many("approve", "--wave", "1", "--json")
        assert (looked.code, looked.json["approved"]) == (1, False)
        approved = many("approve", "--wave", "1", "--yes", "--json").json
        assert approved["first_runs"] == [MARTINE, BRUNO]
        assert approved["operations"] == len(planned["held"])
        assert approved["summary"]["rdv_solidarites_writes"] == planned["writes"]["rdv_solidarites"]
        assert approved["summary"]["hours_per_week"]["largest"] > 0
        many("sync")
        assert states(many)[MARTINE] == ("live", 1)
        assert states(many)[GINA] == ("matched", 2)
        many("leave", str(MARTINE), str(BRUNO), "--remove", "--yes")  # the server is shared by tests

    def test_who_cannot_be_enrolled_is_named_and_stays_matched(self, many, tmp_path):
        """The others of the wave are enrolled."""
        file = tmp_path / "agents.json"
        lines = [
            {"agent": MARTINE, "account": "agendas/martine@demo.example", "wave": 1},
            {"agent": BRUNO, "account": "agendas/bruno@demo.example", "receives": "nowhere", "wave": 1},
            {"agent": SOPHIE, "account": "agendas", "wave": 1},
        ]
        file.write_text(json.dumps(lines))
        many("agents", "import", str(file), "--yes")
        answer = many("enroll", "--wave", "1", "--json")
        assert answer.code in (1, 3)
        assert [each["agent"] for each in answer.json["enrolled"]] == [MARTINE]
        refused = {each["agent"]: each["reason"] for each in answer.json["set_aside"]}
        assert "there is no calendar nowhere" in refused[BRUNO]
        assert states(many)[BRUNO] == ("matched", 1)

    def test_a_pause_ends_the_sync_and_takes_approvals_back(self, many, proposed):
        """After it, the first plan is shown again."""
        many("agents", "import", str(proposed), "--yes")
        many("enroll", "--wave", "1")
        many("plan")
        many("approve", "--wave", "1", "--yes")
        assert many("pause", "--wave", "1", "--json").json["paused"] == [MARTINE, BRUNO]
        assert many("sync", "--json").json["operations"] == []
        assert many("resume", str(MARTINE), "--json").json["resumed"] == [MARTINE]
        done = many("sync", "--json").json
        assert {each["action"] for each in done["operations"]} <= {"pair"}
        assert {held["reason"] for held in done["held"]} == {"first_run"}

    @pytest.mark.parametrize(
        "command",
        [
            ("enroll",),
            ("enroll", "2", "--wave", "1"),
            ("enroll", "--wave", "1", "--account", "agendas"),
            ("enroll", "2"),
            ("pause",),
            ("pause", "--wave", "9"),
            ("resume", "99"),
            ("approve", "--wave", "1", "--class", "copy"),
            ("agents", "notice"),
        ],
    )
    def test_what_is_not_clear_is_refused(self, many, command):
        """Nobody, two ways at once, nobody there."""
        assert many(*command).code == 2


class TestNotice:
    """The mail to an agent, in French."""

    def test_says_what_is_read_what_is_seen_and_how_to_stop(self, many, proposed):
        """Of a matched agent, before anything is read."""
        many("agents", "import", str(proposed), "--yes")
        text = many("agents", "notice", str(MARTINE)).out
        assert "À : martine@demo.example" in text
        assert "Bonjour Martine Exemplier," in text
        for part in ("La Démo", "56 prochains jours", "« Occupé · agenda »", "« RDV »", "assistance@demo.example"):
            assert part in text

    def test_writes_a_file_for_each_agent_of_a_wave(self, many, proposed, tmp_path):
        """And sends nothing."""
        many("agents", "import", str(proposed), "--yes")
        directory = tmp_path / "notices"
        assert many("agents", "notice", "--wave", "1", "--directory", str(directory)).code == 0
        assert sorted(path.name for path in directory.iterdir()) == ["notice-2.txt", "notice-3.txt"]


class TestCheck:
    """An account that serves many is tried for those who are enrolled with it."""

    def test_says_how_many_homes_answer_and_names_a_calendar_that_went(
        self, many, proposed, shared_server, monkeypatch
    ):
        """Nobody has to give the service account a calendar of its own."""
        assert many("check").code == 0
        many("agents", "import", str(proposed), "--yes")
        many("enroll", "--wave", "1")
        answer = many("check", "--json")
        assert answer.code == 0
        details = {each["what"]: each["detail"] for each in answer.json["checks"]}
        assert details["account agendas: agents"] == "2 of 2 agents' homes answer"
        monkeypatch.setenv("AGENDA_PASSWORD", "wrong-password")
        answer = many("check", "--json")
        failed = [each for each in answer.json["checks"] if not each["ok"]]
        assert [(each["system"], each["addressee"]) for each in failed] == [("agendas", "it")]


class TestOwnAccounts:
    """Each agent by credentials of their own."""

    def test_from_the_credentials_file_to_live(self, many, shared_server, tmp_path):
        """Who has a wrong password is told as that agent's matter, and stops nobody."""
        file = tmp_path / "agendas.csv"
        lines = ["email;username;password"]
        lines += [f"{name}@demo.example;{name}@demo.example;{CALENDAR_PASSWORD}" for name in ("martine", "bruno")]
        file.write_text("\n".join([*lines, "gina@demo.example;gina@demo.example;wrong"]), encoding="utf-8")
        file.chmod(0o600)
        text = many.config.read_text().replace(
            'home = "/{email}/"\nusername = "service"\npassword_env = "AGENDA_PASSWORD"',
            'credentials_file = "agendas.csv"\nbelongs_to = "agent"',
        )
        many.config.write_text(text)
        proposal = many("agents", "propose", "--output", str(tmp_path / "agents.json"), "--wave-size", "9", "--json")
        assert proposal.json["matched"] == [MARTINE, BRUNO]
        left = {each["agent"]: each["reason"] for each in proposal.json["unmatched"]}
        assert "does not accept the user name and password" in left[GINA]
        many("agents", "import", str(tmp_path / "agents.json"), "--yes")
        assert len(many("enroll", "--wave", "1", "--json").json["enrolled"]) == 2
        many("plan")
        many("approve", "--wave", "1", "--yes")
        assert many("sync").code == 0
        assert states(many)[BRUNO] == ("live", 1)
        many("leave", str(MARTINE), str(BRUNO), "--remove", "--yes")  # the server is shared by tests


def test_after_a_lost_database_every_home_is_looked_through(many, proposed, shared_server):
    """By the template, for everybody whom RDV-Solidarités shows; homes that do not answer are named."""
    many("agents", "import", str(proposed), "--yes")
    many("enroll", "--wave", "1")
    many("plan")
    many("approve", "--wave", "1", "--yes")
    many("sync")
    for path in many.config.parent.glob("rdv-gateway.sqlite3*"):
        path.unlink()
    many("db", "upgrade")
    answer = many("leave", "--all", "--remove", "--yes", "--json").json
    assert {each["agent"] for each in answer["agents"]} >= {MARTINE, BRUNO}
    assert all(each["left"] == {"copies": 0, "blocks": 0, "mirrored_events": 0} for each in answer["agents"])
    assert sum(each["removed"]["copies"] for each in answer["agents"]) > 0
    assert any("sophie@demo.example" in each["reason"] for each in answer["errors"])
    again = many("leave", "--all", "--remove", "--yes", "--json").json
    assert sum(sum(each["found"].values()) for each in again["agents"]) == 0
