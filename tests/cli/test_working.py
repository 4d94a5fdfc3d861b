"""`agents`, `enroll`, `plan`, `approve`, `sync`, `status`, `journal`: the life of a deployment."""

import sys
from datetime import date

import pytest

from gateway.demo.agendas import PARIS, agendas
from gateway.demo.calendars import fill
from gateway.store.database import sync_lock
from tests.cli.conftest import CALENDAR_PASSWORD, MARTINE, Terminal

PRIVATE_WORDS = ("Dentiste", "Inventé", "CRIP", "dossiers", "Anniversaire", "Formation", "équipe PMI", "PRIVATE")


def absences(deployment):
    """All absences of RDV-Solidarités: id, title and times."""
    keys = ("id", "title", "first_day", "start_time", "end_day", "end_time")
    return [[absence[key] for key in keys] for absence in deployment.double.state.contents()["absences"]]


class TestAgents:
    """Who is there, and how they stand."""

    def test_lists_agents_with_their_state(self, deployment):
        """An enrolled one has a state, the others none; an intervenant has no e-mail."""
        cli = deployment.enrolled()
        listed = {each["agent"]: each for each in cli("agents", "--json").json["agents"]}
        assert (listed[MARTINE]["email"], listed[MARTINE]["state"]) == ("martine@demo.example", "first_run")
        assert listed[3]["state"] is None
        assert None in {each["email"] for each in listed.values()}

    def test_an_enrolled_agent_who_is_no_longer_shown_is_listed_all_the_same(self, deployment):
        """Lost rights do not make an agent disappear."""
        cli = deployment.enrolled()
        deployment.double.state.directory.remove_role(MARTINE, 1)
        listed = {each["agent"]: each for each in cli("agents", "--json").json["agents"]}
        assert (listed[MARTINE]["seen"], listed[MARTINE]["state"]) == (False, "first_run")
        assert "not seen" in cli("agents").out


class TestEnroll:
    """Linking an agent to calendars."""

    def test_finds_out_what_is_left_open(self, deployment):
        """The account's only calendar both blocks and receives; the zone is the configured one."""
        answer = deployment.cli("enroll", "Martine@demo.example", "--account", "agenda", "--json")
        assert answer.code == 0
        assert answer.json == {
            "agent": MARTINE,
            "zone": "Europe/Paris",
            "target": f"agenda:{deployment.calendar}",
            "sources": [f"agenda:{deployment.calendar}"],
            "state": "first_run",
        }

    def test_the_zone_is_that_of_the_agent_s_organisation(self, deployment):
        """Maya works in La Réunion only."""
        config = deployment.cli.config
        zones = '[rdv_solidarites.organisation_zones]\n3 = "Indian/Reunion"\n[[accounts]]'
        config.write_text(config.read_text().replace("[[accounts]]", zones))
        answer = deployment.cli("enroll", "maya@demo.example", "--account", "agenda", "--json")
        assert answer.json["zone"] == "Indian/Reunion"

    def test_an_agent_of_several_zones_needs_one_named(self, deployment):
        """Bruno works in two organisations; nothing is guessed."""
        config = deployment.cli.config
        zones = '[rdv_solidarites.organisation_zones]\n2 = "Indian/Reunion"\n[[accounts]]'
        config.write_text(config.read_text().replace("[[accounts]]", zones))
        command = ("enroll", "bruno@demo.example", "--account", "agenda")
        refused = deployment.cli(*command)
        assert refused.code == 2
        assert "several zones: Europe/Paris, Indian/Reunion" in refused.err
        assert deployment.cli(*command, "--zone", "Europe/Paris").code == 0

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            (("nobody@demo.example", "--account", "agenda"), "shows no agent nobody@demo.example"),
            (("2", "--account", "agend"), "did you mean agenda?"),
            (("2", "--account", "agenda", "--target", "other"), "there is no calendar other"),
            (("2", "--account", "agenda", "--source", "other"), "there is no calendar other"),
            (("2", "--account", "agenda", "--zone", "Europe/Pari"), "did you mean Europe/Paris?"),
        ],
    )
    def test_refuses_what_does_not_exist_and_records_nothing(self, deployment, arguments, said):
        """Each refusal names what was meant."""
        answer = deployment.cli("enroll", *arguments)
        assert answer.code == 2
        assert said in answer.err
        assert deployment.cli("status", "--json").json["agents"] == []

    def test_two_agents_never_share_the_calendar_that_receives(self, deployment):
        """One agent's RDVs are not for another one to read."""
        deployment.enrolled()
        answer = deployment.cli("enroll", "bruno@demo.example", "--account", "agenda")
        assert answer.code == 2
        assert "already receives the RDVs of agent 2" in answer.err

    def test_can_be_corrected_until_a_plan_is_approved(self, deployment):
        """Not afterwards: what was written lies in those calendars."""
        cli = deployment.enrolled()
        again = ("enroll", str(MARTINE), "--account", "agenda", "--target", "Agenda", "--zone", "Indian/Reunion")
        assert cli(*again, "--json").json["zone"] == "Indian/Reunion"
        cli("plan")
        cli("approve", str(MARTINE), "--yes")
        refused = cli(*again)
        assert refused.code == 2
        assert "enrolled already" in refused.err

    def test_with_several_calendars_one_has_to_be_named(self, deployment):
        """By its path or its name."""
        home = f"{deployment.calendars_url}{deployment.username}/"
        fill(home, deployment.username, CALENDAR_PASSWORD, [], calendar="second")
        refused = deployment.cli("enroll", "2", "--account", "agenda")
        assert refused.code == 2
        assert "has 2 calendars" in refused.err
        chosen = deployment.cli("enroll", "2", "--account", "agenda", "--target", f"/{deployment.username}/second/")
        assert chosen.code == 0


class TestSyncing:
    """From the first plan to a round without writes."""

    def test_the_first_plan_is_held_whole_and_says_what_it_costs(self, deployment):
        """Held with its reason, and how many writes on each side and for how long."""
        cli = deployment.enrolled()
        before = absences(deployment)
        answer = cli("plan", "--json")
        assert answer.code == 1
        plan = answer.json
        assert {held["reason"] for held in plan["held"]} == {"first_run"}
        assert plan["writes"]["rdv_solidarites"] == sum(held["side"] == "rdv_solidarites" for held in plan["held"])
        assert plan["writes"]["calendar"] > 0
        assert plan["seconds_needed"] == pytest.approx(plan["writes"]["rdv_solidarites"] / 500, abs=0.1)
        assert absences(deployment) == before

    def test_an_approved_plan_is_done_and_then_nothing_is_left(self, deployment):
        """The twin typed on both sides is paired; two more syncs write nothing."""
        cli = deployment.enrolled()
        held = len(cli("plan", "--json").json["held"])
        approved = cli("approve", str(MARTINE), "--yes", "--json").json
        assert (len(approved["approved"]), approved["first_runs"]) == (held, [MARTINE])
        done = cli("sync", "--json")
        assert done.code == 0
        actions = [operation["action"] for operation in done.json["operations"]]
        assert (actions.count("pair"), len(actions)) == (1, held + 1)
        assert cli("sync", "--json").json["operations"] == []
        assert cli("sync", "--json").json["operations"] == []
        assert cli("status", "--json").json["agents"][0]["state"] == "live"

    def test_only_named_agents_are_synced(self, deployment):
        """And a name that is not enrolled is refused."""
        cli = deployment.enrolled()
        assert cli("plan", "--agent", str(MARTINE), "--json").json["held"]
        refused = cli("sync", "--agent", "3")
        assert refused.code == 2
        assert "Not enrolled: 3" in refused.err

    def test_with_nobody_enrolled_there_is_nothing_to_sync(self, deployment):
        """It says what to do first."""
        answer = deployment.cli("sync")
        assert answer.code == 2
        assert "rdv-gateway enroll" in answer.err

    def test_one_process_syncs_at_a_time(self, deployment):
        """Exit code 4 for the second one."""
        cli = deployment.enrolled()
        with sync_lock(cli.config.parent / "rdv-gateway.sqlite3"):
            assert cli("sync").code == 4
            assert cli("status").code == 0

    def test_a_remote_that_fails_is_said_with_its_remedy(self, deployment, monkeypatch):
        """Exit code 3; nothing is written on either side."""
        cli = deployment.enrolled()
        monkeypatch.setenv("AGENDA_PASSWORD", "wrong-password")
        answer = cli("sync", "--json")
        assert answer.code == 3
        assert {error["system"] for error in answer.json["errors"]} == {"agenda"}
        assert all(error["remedy"] and error["addressee"] == "it" for error in answer.json["errors"])
        assert cli("status").code == 3
        assert "wrong-password" not in answer.out + answer.err

    def test_the_api_token_is_kept_for_the_next_process(self, deployment):
        """Signing in anew would end the session of whoever else uses the account."""
        deployment.live()
        signs_in = deployment.double.request_counts["POST /api/v1/auth/sign_in"]
        assert signs_in == 1


class TestApprove:
    """Nothing goes through that was not meant."""

    def test_needs_to_be_told_whose(self, deployment):
        """Neither nobody nor both."""
        cli = deployment.enrolled()
        assert cli("approve").code == 2
        assert cli("approve", "2", "--all").code == 2

    @pytest.mark.parametrize("form", [(), ("--json",)])
    def test_without_a_terminal_it_shows_and_approves_nothing(self, deployment, form):
        """`--yes` is needed."""
        cli = deployment.enrolled()
        cli("plan")
        answer = cli("approve", "--all", *form)
        assert answer.code == 1
        assert "first_run" in answer.out or "first run" in answer.out
        assert cli("sync", "--json").json["operations"][0]["action"] == "pair"

    @pytest.mark.parametrize(("typed", "code"), [("y\n", 0), ("n\n", 1)])
    def test_on_a_terminal_it_asks(self, deployment, monkeypatch, typed, code):
        """And does what is answered."""
        cli = deployment.enrolled()
        cli("plan")
        monkeypatch.setattr(sys, "stdin", Terminal(typed))
        assert cli("approve", "--all").code == code
        assert bool(cli("status", "--json").json["held"]) is True
        assert cli("sync").code == code

    def test_a_part_of_a_first_run_leaves_the_rest_waiting(self, deployment):
        """Only the named class goes through, and the agent is still in their first run."""
        cli = deployment.enrolled()
        cli("plan")
        assert cli("approve", "--all", "--class", "copy", "--yes", "--json").json["first_runs"] == []
        done = cli("sync", "--json")
        assert done.code == 1
        assert {operation["object"] for operation in done.json["operations"]} == {"rdv_copy", "busy_block"}
        assert {operation["action"] for operation in done.json["operations"]} == {"create", "pair"}
        assert {held["class"] for held in done.json["held"]} == {"cover", "mirror"}
        assert cli("status", "--json").json["agents"][0]["state"] == "first_run"

    def test_nothing_to_approve_is_fine(self, deployment):
        """Exit code 0, so that a script may always call it."""
        assert deployment.live()("approve", "--all", "--yes", "--json").json == {"approved": [], "first_runs": []}


class TestPrivacy:
    """No command shows a word of a personal event."""

    def test_no_title_anywhere(self, deployment):
        """Tables and JSON of every command that speaks of events, and everything on stderr at debug level."""
        cli = deployment.enrolled()
        shown = ""
        for command in ("plan", "approve --all --yes", "sync", "status", "journal --limit 1000", "plan", "agents"):
            for form in ((), ("--json",)):
                answer = cli.run("--log-level", "debug", *command.split(), *form, "--config", str(cli.config))
                shown += answer.out + answer.err
        assert "busy_block" in shown
        assert [word for word in PRIVATE_WORDS if word in shown] == []
        assert CALENDAR_PASSWORD not in shown


class TestJournal:
    """What was written and decided."""

    def test_holds_decisions_and_writes_newest_first(self, deployment):
        """Enrolment, approval, then writes; each with its rule."""
        cli = deployment.live()
        entries = cli("journal", "--limit", "1000", "--json").json["entries"]
        assert [entry["id"] for entry in entries] == sorted((entry["id"] for entry in entries), reverse=True)
        assert [entry["action"] for entry in entries[::-1]][:2] == ["enroll", "approve"]
        assert {entry["object"] for entry in entries} >= {"rdv_copy", "busy_block", "absence_event"}

    def test_can_be_narrowed(self, deployment):
        """By agent, by run, by number."""
        cli = deployment.live()
        run = cli("status", "--json").json["runs"][0]["run"]
        assert {entry["run"] for entry in cli("journal", "--run", run, "--json").json["entries"]} == {run}
        assert cli("journal", "--agent", "3", "--json").json["entries"] == []
        assert len(cli("journal", "--limit", "2", "--json").json["entries"]) == 2


def test_times_are_shown_as_the_agent_s_own(deployment):
    """An RDV at nine in Paris is at nine in the table, not at eight UTC."""
    out = deployment.enrolled()("plan").out
    copies = [line for line in out.splitlines() if "copy of an RDV" in line]
    assert copies
    assert any(" 09:00 " in line for line in copies)
    assert not any("Z " in line for line in copies)


def test_the_sample_holds_what_these_tests_look_for():
    """A word that is not in the calendar could not leak from it."""
    bodies = b" ".join(entry.body for entry in agendas(date(2026, 3, 2))["martine"]).decode()
    assert PARIS.key in bodies
    assert all(word in bodies for word in PRIVATE_WORDS)
