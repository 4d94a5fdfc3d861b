"""`init`, `check`, `db upgrade`: from nothing to a deployment that is known to work."""

import stat
import sys
import tomllib

import pytest

from connectors.errors import Addressee
from gateway.settings import load
from gateway.store.database import sync_lock
from tests.cli.conftest import Terminal


class TestInit:
    """A first deployment in one command."""

    OPTIONS = (
        *("init", "--url", "https://rdv.example.fr", "--login", "technique@example.fr"),
        *("--account", "mon-agenda", "--account-url", "https://dav.example.fr/", "--username", 'quo"te\\'),
    )

    def test_makes_a_configuration_that_is_accepted_and_private_keys(self, cli):
        """Answers survive quoting; the key file is its owner's; no secret is asked or kept."""
        answer = cli(*self.OPTIONS, "--json")
        assert answer.code == 0
        assert answer.json["variables"] == ["RDV_SOLIDARITES_PASSWORD", "MON_AGENDA_PASSWORD"]
        settings = load(cli.config)
        assert settings.accounts[0].username == 'quo"te\\'
        assert settings.rdv_solidarites.login == "technique@example.fr"
        assert stat.S_IMODE(settings.gateway.keys.stat().st_mode) == 0o600
        assert settings.gateway.database.exists()

    def test_never_overwrites(self, cli):
        """A second `init` changes nothing."""
        cli(*self.OPTIONS)
        before = cli.config.read_bytes()
        answer = cli(*self.OPTIONS)
        assert answer.code == 2
        assert "exists already" in answer.err
        assert cli.config.read_bytes() == before

    def test_a_refused_answer_leaves_nothing_behind(self, cli):
        """The next attempt starts clean."""
        options = [option.replace("https://dav", "http://dav") for option in self.OPTIONS]
        answer = cli(*options)
        assert answer.code == 2
        assert "accounts[mon-agenda].url" in answer.err
        assert list(cli.config.parent.iterdir()) == []

    def test_without_a_terminal_a_missing_answer_is_named(self, cli):
        """Nothing waits for an answer that nobody gives."""
        answer = cli("init", "--url", "https://rdv.example.fr")
        assert answer.code == 2
        assert "--login is missing" in answer.err

    def test_on_a_terminal_it_asks_for_what_is_missing(self, cli, monkeypatch):
        """Questions go to stderr, and an empty answer takes the default."""
        monkeypatch.setattr(sys, "stdin", Terminal("\ntechnique@example.fr\n\nhttps://dav.example.fr/\nservice\n"))
        answer = cli("init", "--json")
        assert answer.code == 0
        settings = load(cli.config)
        assert (settings.rdv_solidarites.url, settings.accounts[0].name) == ("https://www.rdv-solidarites.fr", "agenda")
        assert answer.json["config"] == str(cli.config)
        assert "E-mail of the technical account" in answer.err

    def test_keys_put_back_from_their_copy_are_taken_up(self, cli):
        """A deployment moved to another machine keeps its identity."""
        cli(*self.OPTIONS)
        keys = cli.config.parent / "rdv-gateway.keys"
        content = keys.read_bytes()
        cli.config.unlink()
        assert cli(*self.OPTIONS).code == 0
        assert keys.read_bytes() == content


class TestCheck:
    """Everything is tried; what fails names who can mend it."""

    def test_says_what_is_seen_on_both_sides(self, deployment):
        """Organisations with their agents, rights, calendars."""
        answer = deployment.cli("check", "--json")
        assert answer.code == 0
        details = {each["what"]: each["detail"] for each in answer.json["checks"]}
        assert details["rdv_solidarites: organisation 1"].startswith("MDS Paris Nord, ")
        assert details["account agenda"] == f"calendars: {deployment.calendar}"
        assert all(each["ok"] for each in answer.json["checks"])

    def test_a_wrong_password_is_its_account_s_matter_alone(self, deployment, monkeypatch):
        """The other side is still tried."""
        monkeypatch.setenv("AGENDA_PASSWORD", "wrong-password")
        answer = deployment.cli("check", "--json")
        assert answer.code == 3
        failed = [each for each in answer.json["checks"] if not each["ok"]]
        assert [(each["system"], each["addressee"]) for each in failed] == [("agenda", Addressee.IT.value)]
        assert "wrong-password" not in answer.out + answer.err

    def test_a_missing_secret_is_the_configuration_s_matter(self, deployment, monkeypatch):
        """Exit code 2: nothing remote has failed."""
        monkeypatch.delenv("AGENDA_PASSWORD")
        answer = deployment.cli("check")
        assert answer.code == 2
        assert "AGENDA_PASSWORD is not set" in answer.err

    def test_open_keys_are_refused_with_the_command_that_mends_them(self, deployment):
        """Both sides are tried all the same."""
        keys = deployment.cli.config.parent / "rdv-gateway.keys"
        keys.chmod(0o644)
        answer = deployment.cli("check")
        assert answer.code == 2
        assert f"chmod 600 {keys}" in answer.err
        assert "calendars: " in answer.out

    def test_an_enrolled_agent_whom_the_account_lost_is_named(self, deployment):
        """Lost rights look like emptied lists: they are said, not judged."""
        cli = deployment.enrolled()
        deployment.double.state.directory.remove_role(2, 1)
        answer = cli("check", "--json")
        assert answer.code == 3
        assert "agent 2 is enrolled and not visible to the technical account" in answer.out

    def test_an_account_that_went_from_the_configuration_is_named(self, deployment):
        """Its agents cannot be synced any more."""
        cli = deployment.enrolled()
        cli.config.write_text(cli.config.read_text().replace('name = "agenda"', 'name = "other"'))
        answer = cli("check")
        assert answer.code == 2
        assert "agent 2 is enrolled with account agenda, which is not configured" in answer.err


class TestDatabase:
    """`db upgrade`, and a database that is not there."""

    def test_upgrade_makes_a_missing_database(self, deployment):
        """And says so to scripts."""
        path = deployment.cli.config.parent / "rdv-gateway.sqlite3"
        path.unlink()
        missing = deployment.cli("status")
        assert missing.code == 2
        assert "rdv-gateway db upgrade" in missing.err
        assert not path.exists()
        answer = deployment.cli("db", "upgrade", "--json")
        assert (answer.code, answer.json) == (0, {"database": str(path), "current": True})
        assert deployment.cli("status").code == 0

    def test_upgrade_waits_for_no_sync(self, deployment):
        """It is refused while another process syncs."""
        with sync_lock(deployment.cli.config.parent / "rdv-gateway.sqlite3"):
            assert deployment.cli("db", "upgrade").code == 4


@pytest.mark.parametrize("command", [("status",), ("plan",), ("db", "upgrade"), ("check",)])
def test_without_a_configuration_every_command_says_how_to_make_one(cli, command):
    """One line, no traceback, and the same for scripts."""
    answer = cli(*command, "--json")
    assert answer.code == 2
    assert "rdv-gateway init" in answer.json["error"]["messages"][0]
    assert "Traceback" not in answer.err


def test_the_made_configuration_is_plain_toml(cli):
    """Any other reader understands it."""
    cli(*TestInit.OPTIONS)
    assert tomllib.loads(cli.config.read_text())["accounts"][0]["username"] == 'quo"te\\'
