"""`rules explain|ids|simulate`, `seen-by`, and the hours that `plan` shows: the département's rules on IT's screen."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from gateway.demo.agendas import PARIS
from tests.cli.conftest import MARTINE

TITLES = ("Dentiste", "CRIP", "Anniversaire", "Point dossiers", "Formation")
"""Words of Martine's own titles: never on IT's screen."""
RULES = """
[[rules.for]]
organisation = 1
horizon_days = 30
[rules.for.blocks]
never_titles = ["Appel *"]

[[rules.for]]
service = 1
[rules.for.copies]
neutral_title = "Rendez-vous PMI"
"""


def adds(cli, text):
    """More text at the end of the configuration."""
    cli.config.write_text(f"{cli.config.read_text()}\n{text}")


def at(days, hour, minute=0):
    """A wall-clock from next Monday on, as the demo's agendas count."""
    today = datetime.now(PARIS).date()
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=1)
    return datetime.combine(monday + timedelta(days=days), datetime.min.time()) + timedelta(hours=hour, minutes=minute)


def silent_about(answer):
    """Whether none of the agent's own titles is on the screen."""
    return not any(title in answer.out + answer.err for title in TITLES)


def choices(listed):
    return {each["name"]: (each["value"], each["set_in"]) for each in listed}


class TestHome:
    """The mapping file's columns `organisation` and `service`."""

    @pytest.fixture
    def mapping(self, deployment, tmp_path):
        cli = deployment.enrolled()

        def imports(organisation, service="", *more):
            file = tmp_path / "mapping.json"
            exported = json.loads(cli("agents", "export", "--json").out)["agents"]
            (line,) = [each for each in exported if each["agent"] == MARTINE]
            file.write_text(json.dumps([line | {"organisation": organisation, "service": service}]))
            return cli("agents", "import", str(file), *more)

        return cli, imports

    def test_an_import_names_whose_rules_hold_and_plans_nothing(self, mapping):
        """Then the organisation's rules hold, and the service's."""
        cli, imports = mapping
        adds(cli, RULES)
        answer = imports(1, 1, "--yes")
        assert answer.code == 0
        assert "nothing is planned by this" in answer.err
        found = cli("rules", "explain", str(MARTINE), "--json").json
        assert (found["organisation"], found["service"]) == (1, 1)
        assert choices(found["choices"])["horizon_days"] == (30, "rules.for, section 1")
        assert imports(1, 1, "--json").json["unchanged"] == 1

    def test_an_organisation_that_is_not_there_is_set_aside(self, mapping):
        _, imports = mapping
        answer = imports(77, "", "--json")
        assert answer.code == 1
        assert "no organisation 77" in answer.json["set_aside"][0]["reason"]

    def test_propose_fills_in_the_only_organisation(self, mapping):
        """Of who was known already, too: there is one way to get at it for a whole département."""
        cli, _ = mapping
        answer = cli("agents", "propose", "--json").json
        homes = {each["agent"]: each["organisation"] for each in answer["agents"]}
        assert homes[MARTINE] == 1
        assert answer["home_proposed"] == [MARTINE]

    def test_who_has_no_home_is_told_where_rules_differ_by_organisation(self, mapping):
        """By `rules explain` and by `check`; an enrolment looks the only organisation up."""
        cli, imports = mapping
        assert imports("", "", "--yes").code == 0
        adds(cli, RULES)
        assert "no home organisation" in cli("rules", "explain", str(MARTINE)).err
        checked = cli("check", "--json")
        assert any("no home organisation" in each["detail"] for each in checked.json["checks"])
        assert cli("enroll", str(MARTINE), "--account", "agenda").code == 0
        assert cli("rules", "explain", str(MARTINE), "--json").json["organisation"] == 1


class TestExplain:
    """Which rules hold, and what they make of one event."""

    def test_only_what_somebody_chose_is_shown_and_everything_with_all(self, deployment):
        cli = deployment.live()
        adds(cli, RULES)
        short = cli("rules", "explain", str(MARTINE), "--json").json
        assert short["choices"] == []
        by_service = [each for each in short["copies"] if each["choices"]]
        assert [kind["service"] for each in by_service for kind in each["rdvs"]] == [1] * len(by_service[0]["rdvs"])
        assert choices(by_service[0]["choices"]) == {"neutral_title": ("Rendez-vous PMI", "rules.for, section 2")}
        everything = cli("rules", "explain", str(MARTINE), "--all", "--json").json
        assert choices(everything["choices"])["horizon_days"] == (56, "default")
        assert "neutral_title" in cli("rules", "explain", str(MARTINE)).out

    def test_ids_lists_organisations_services_and_motifs(self, deployment):
        found = deployment.cli("rules", "ids", "--json").json["organisations"]
        services = {each["service"] for each in found[0]["services"]}
        assert services == {1, 2}
        assert "Consultation PMI" in deployment.cli("rules", "ids").out

    def test_an_event_is_read_live_by_time_by_href_and_by_uid(self, deployment):
        """What it says, which pattern it fits, where that is set; never what it is called."""
        cli = deployment.live()
        adds(cli, '[rules.blocks]\nnever_titles = ["Appel *"]\n')
        time = f"{at(2, 10, 45):%Y-%m-%dT%H:%M}"
        answer = cli("rules", "explain", str(MARTINE), time, "--json")
        (found,) = answer.json["events"]
        (component,) = found["components"]
        assert (component["blocks"], component["rule"], component["set_in"]) == (False, "never_titles", "rules")
        assert component["fits"] == ["title Appel *"]
        assert (found["changed_since_reading"], found["occurrences"]) == (False, [])
        by_href = cli("rules", "explain", str(MARTINE), found["href"], "--json")
        assert by_href.json == answer.json
        assert cli("rules", "explain", str(MARTINE), "martine-crip", "--json").json == answer.json
        for each in (answer, cli("rules", "explain", str(MARTINE), time)):
            assert silent_about(each)

    def test_an_occurrence_says_how_it_stands(self, deployment):
        """Blocks under an absence's id; out of hours; too short; beyond the horizon; freed by hand."""
        cli = deployment.live()
        name = f"{at(3, 16, 45):%Y-%m-%dT%H:%M}"

        def standing():
            (found,) = cli("rules", "explain", str(MARTINE), name, "--json").json["events"]
            return found["components"][0]["blocks"], [each["standing"] for each in found["occurrences"]]

        before = cli.config.read_text()
        assert standing() == (True, ["covered"])
        adds(cli, '[rules.blocks.hours]\nthursday = ["08:00-12:00"]\n')
        assert standing() == (True, ["out_of_hours"])
        cli.config.write_text(before)
        adds(cli, "[rules.blocks]\nminimum_minutes = 60\n")
        assert standing() == (True, ["too_short"])
        cli.config.write_text(before)
        adds(cli, "[rules]\nhorizon_days = 1\n")
        assert standing() == (True, [])

    def test_a_copy_of_the_gateway_never_blocks(self, deployment):
        """It says of which RDV it is."""
        cli = deployment.live()
        found = cli("rules", "explain", str(MARTINE), f"{at(0, 9):%Y-%m-%dT%H:%M}", "--json").json["events"]
        assert any("own copy of RDV" in (each["never_because"] or "") for each in found)

    def test_what_is_not_there_is_an_error_with_a_remedy(self, deployment):
        cli = deployment.live()
        assert cli("rules", "explain", str(MARTINE), "nothing").code == 2
        assert cli("rules", "explain", "99").code == 2


class TestSimulate:
    """Before anything is saved."""

    def test_rules_alone_in_a_file_and_a_whole_configuration_come_to_the_same(self, deployment, tmp_path):
        """And the saved rules come to no change at all."""
        cli = deployment.live()
        assert cli("rules", "simulate", "--with", str(cli.config), "--json").json["totals"]["agents_changed"] == 0
        alone = tmp_path / "rules.toml"
        alone.write_text("[rules]\nblock_time = false\n")
        whole = tmp_path / "whole.toml"
        whole.write_text(f"{cli.config.read_text()}\n[rules]\nblock_time = false\n")
        answers = [cli("rules", "simulate", "--with", str(file), "--json").json for file in (alone, whole)]
        assert answers[0] == answers[1]
        assert answers[0]["totals"]["blocks_disappear"] > 0
        assert answers[0]["totals"]["hours_after"] < answers[0]["totals"]["hours_before"]

    def test_a_title_pattern_reads_calendars_again_and_says_so(self, deployment, tmp_path):
        """Live and in memory: the next sync still finds everything as it was."""
        cli = deployment.live()
        file = tmp_path / "rules.toml"
        file.write_text('[rules.blocks]\nnever_titles = ["Dentiste*"]\n')
        answer = cli("rules", "simulate", "--with", str(file), str(MARTINE), "--json")
        (agent,) = answer.json["agents"]
        assert [each["start"] for each in agent["blocks"]["disappear"]] == [at(3, 16, 30).isoformat()]
        assert answer.json["read_again"]["calendars"] == 1
        assert answer.json["read_again"]["requests"]["agenda"] >= 1
        assert silent_about(answer)
        told = cli("rules", "simulate", "--with", str(file))
        assert "Read again in memory" in told.out
        assert "Dentiste" not in told.out
        assert cli("sync", "--json").json["operations"] == []

    def test_a_fault_in_the_file_is_said_with_its_place(self, deployment, tmp_path):
        cli = deployment.enrolled()
        file = tmp_path / "rules.toml"
        file.write_text("[rules]\nhorizon_day = 3\n")
        answer = cli("rules", "simulate", "--with", str(file))
        assert answer.code == 2
        assert "rules.horizon_day: unknown key; did you mean horizon_days?" in answer.err

    def test_who_was_never_read_is_named(self, deployment, tmp_path):
        """Nothing is guessed."""
        cli = deployment.enrolled()
        answer = cli("rules", "simulate", "--with", str(cli.config))
        assert answer.code == 3
        assert "not read yet" in answer.err


class TestSeenBy:
    """What the rules let out, and no more."""

    def rdv_day(self, deployment):
        return f"{at(0, 9):%Y-%m-%d}"

    def test_a_colleague_sees_masked_blocks_and_only_busy_private_copies(self, deployment):
        cli = deployment.live()
        seen = cli("seen-by", "colleague", str(MARTINE), "--day", f"{at(3, 0):%Y-%m-%d}", "--json")
        assert [each["title"] for each in seen.json["rdv_solidarites"]] == ["Occupé · agenda"]
        copies = cli("seen-by", "colleague", str(MARTINE), "--day", self.rdv_day(deployment), "--json").json["calendar"]
        assert [(each["start"], each["only_busy"], "title" in each) for each in copies] == [
            (at(0, 9).isoformat(), True, False)
        ]
        assert silent_about(seen)

    def test_a_public_copy_is_read_as_the_rules_show_it(self, deployment):
        cli = deployment.live()
        adds(cli, '[rules.copies]\nclassification = "PUBLIC"\nneutral_title = "Pris"\n')
        (copy,) = cli("seen-by", "colleague", str(MARTINE), "--day", self.rdv_day(deployment), "--json").json[
            "calendar"
        ]
        assert (copy["title"], copy["only_busy"]) == ("Pris", False)
        assert "Pris" in cli("seen-by", "colleague", str(MARTINE), "--day", self.rdv_day(deployment)).out

    def test_a_usager_sees_withheld_time_and_no_reason(self, deployment):
        """What touches is one stretch: not even how many events there are."""
        cli = deployment.live()
        answer = cli("seen-by", "usager", str(MARTINE), "--day", f"{at(2, 0):%Y-%m-%d}", "--json")
        assert answer.json["withheld"] == [{"start": at(2, 9).isoformat(), "end": at(2, 11).isoformat()}]
        assert set(answer.json) == {"viewer", "agent", "day", "withheld"}
        assert silent_about(answer)


class TestBlockedHours:
    """`plan` says what blocks most."""

    def test_plan_shows_hours_by_kind_and_no_title(self, deployment):
        cli = deployment.enrolled()
        answer = cli("plan", "--json")
        (blocked,) = answer.json["blocked"]
        shares = {(each["kind"], each["name"]): each["hours_per_week"] for each in blocked["by"]}
        assert shares["repetition", "series"] == pytest.approx(1.5, abs=0.4)  # an hour and a half on Mondays
        assert shares["length", "events with hours"] == blocked["hours_per_week"]
        told = cli("plan")
        assert "Hours blocked per week" in told.out
        assert silent_about(answer)
        assert silent_about(told)

    def test_a_sync_shows_none(self, deployment):
        assert "blocked" not in deployment.live()("sync", "--json").json
