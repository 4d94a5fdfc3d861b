"""`leave`: what was written is kept or removed, also when the database is lost, and nothing else is touched."""

from datetime import datetime, time, timedelta
from pathlib import Path

import pytest

from connectors.caldav.provision import put_raw
from gateway.cli.main import main
from gateway.demo.agendas import PARIS
from gateway.sandbox.absences import weekly
from gateway.store.database import sync_lock
from gateway.sync.record import Recorder
from mappings.identity import ABSENCE_TAG
from tests.cli.conftest import CALENDAR_PASSWORD, MARTINE, Deployment


class Sides:
    """Both sides of a deployment, to be compared byte for byte."""

    def __init__(self, deployment: Deployment, radicale: Path) -> None:
        self.deployment = deployment
        self._home = radicale / "collections" / "collection-root" / deployment.username

    def items(self) -> dict[str, bytes]:
        """Every item of Martine's calendar as the server keeps it."""
        return {
            path.name: path.read_bytes() for path in sorted(self._home.rglob("*.ics")) if ".Radicale" not in str(path)
        }

    def absences(self) -> dict[int, tuple[object, ...]]:
        """Every absence of RDV-Solidarités."""
        keys = ("title", "first_day", "start_time", "end_day", "end_time", "rrule")
        return {
            each["id"]: tuple(each.get(key) for key in keys)
            for each in self.deployment.double.state.contents()["absences"]
        }

    def ours(self) -> int:
        """How much bears the gateway's names."""
        events = sum(name.startswith("rdvgw-") for name in self.items())
        return events + sum(absence[0] == ABSENCE_TAG for absence in self.absences().values())

    def put(self, name: str, body: bytes) -> None:
        """An item that a person puts there."""
        deployment = self.deployment
        home = f"{deployment.calendars_url}{deployment.username}/"
        put_raw(home, deployment.username, CALENDAR_PASSWORD, f"{deployment.calendar}{name}", body)


@pytest.fixture
def sides(deployment, calendar_server) -> Sides:
    return Sides(deployment, calendar_server._directory)


def lose_the_database(deployment: Deployment) -> None:
    """As a disk that broke: the key file and the configuration are left."""
    for path in deployment.cli.config.parent.glob("rdv-gateway.sqlite3*"):
        path.unlink()
    assert deployment.cli("db", "upgrade").code == 0


class TestKeep:
    """The sync ends, and everything stays."""

    def test_nothing_is_touched_and_the_statement_counts_it(self, deployment, sides):
        """Afterwards nobody is synced any more."""
        cli = deployment.live()
        before = sides.items(), sides.absences()
        answer = cli("leave", str(MARTINE), "--keep", "--yes", "--json")
        assert answer.code == 0
        (agent,) = answer.json["agents"]
        assert sum(agent["found"].values()) == sides.ours()
        assert agent["removed"] == {"copies": 0, "blocks": 0, "mirrored_events": 0}
        assert cli("status", "--json").json["agents"][0]["state"] == "left"
        assert cli("sync", "--json").json["operations"] == []
        assert (sides.items(), sides.absences()) == before
        assert f"Agent {MARTINE}" in Path(answer.json["statement"]).read_text()


class TestRemove:
    """Everything of ours goes, nothing else."""

    def test_both_sides_are_as_they_were_before_the_gateway_came(self, deployment, sides):
        """Byte for byte; the absence typed on both sides stays where a person typed it."""
        before = sides.items(), sides.absences()
        cli = deployment.live()
        assert sides.ours() > 3
        answer = cli("leave", str(MARTINE), "--remove", "--yes", "--json")
        assert (answer.code, answer.json["complete"]) == (0, True)
        assert (sides.items(), sides.absences()) == before
        (agent,) = answer.json["agents"]
        assert agent["found"] == agent["removed"]
        assert min(agent["found"].values()) > 0
        assert agent["typed_by_persons"] > 0

    def test_without_yes_it_only_looks(self, deployment, sides):
        """And says what it would remove; the agent stays live."""
        cli = deployment.live()
        before = sides.items(), sides.absences()
        answer = cli("leave", "--all", "--remove")
        assert answer.code == 1
        assert "Nothing was changed" in answer.err
        assert (sides.items(), sides.absences()) == before
        assert cli("status", "--json").json["agents"][0]["state"] == "live"

    def test_each_removal_is_journaled_with_its_rule(self, deployment):
        """As every other write."""
        cli = deployment.live()
        removed = cli("leave", str(MARTINE), "--remove", "--yes", "--json").json["agents"][0]["removed"]
        entries = cli("journal", "--limit", "1000", "--json").json["entries"]
        of_leaving = [entry for entry in entries if entry["rule"] == "agent_left"]
        assert len(of_leaving) == sum(removed.values())
        assert {entry["action"] for entry in of_leaving} == {"delete"}

    def test_what_a_refusing_server_keeps_is_left_and_a_second_command_removes_it(self, deployment, sides):
        """The other side is done meanwhile."""
        before = sides.items(), sides.absences()
        cli = deployment.live()
        deployment.double.faults.add(kind="status", method="DELETE", status=500, times=1000)
        answer = cli("leave", str(MARTINE), "--remove", "--yes", "--json")
        assert answer.code in (1, 3)
        (agent,) = answer.json["agents"]
        assert agent["left"]["blocks"] > 0
        assert agent["left"]["copies"] == 0
        assert sides.items() == before[0]
        deployment.double.faults.clear()
        cli("leave", str(MARTINE), "--remove", "--yes")
        assert (sides.items(), sides.absences()) == before

    def test_an_agent_who_left_can_come_back(self, deployment, sides):
        """By a first run that is shown and approved again."""
        cli = deployment.live()
        cli("leave", str(MARTINE), "--remove", "--yes")
        assert cli("enroll", str(MARTINE), "--account", "agenda").code == 0
        assert cli("sync", "--json").json["operations"][0]["action"] == "pair"
        assert sides.ours() == 0

    def test_no_sync_may_run_meanwhile(self, deployment):
        """Exit code 4."""
        cli = deployment.live()
        with sync_lock(cli.config.parent / "rdv-gateway.sqlite3"):
            assert cli("leave", "--all", "--remove", "--yes").code == 4

    @pytest.mark.parametrize(
        "arguments", [("2",), ("2", "--keep", "--remove"), ("--keep",), ("2", "--all", "--keep"), ("3", "--keep")]
    )
    def test_what_is_not_clear_is_refused(self, deployment, arguments):
        """Whom, and what becomes of it."""
        cli = deployment.live()
        assert cli("leave", *arguments, "--yes").code == 2


class Killed(BaseException):
    """The process is gone."""


class TestKilled:
    """At any instant: the same command goes on."""

    @pytest.mark.parametrize("survived", [0, 2, 5])
    def test_after_a_write_whose_outcome_was_not_recorded(self, deployment, sides, monkeypatch, survived):
        """The remote has done it, and the database does not know."""
        before = sides.items(), sides.absences()
        cli = deployment.live()
        record = Recorder.done
        left = iter(range(survived))

        def killed(*arguments):
            if next(left, None) is None:
                raise Killed
            record(*arguments)

        with monkeypatch.context() as patched:
            patched.setattr(Recorder, "done", killed)
            with pytest.raises(Killed):
                main(["leave", str(MARTINE), "--remove", "--yes", "--config", str(cli.config)])
        answer = cli("leave", str(MARTINE), "--remove", "--yes", "--json")
        assert (answer.code, answer.json["agents"][0]["unsettled"]) == (0, 0)
        assert (sides.items(), sides.absences()) == before

    def test_an_answer_that_was_lost_is_settled_by_the_next_command(self, deployment, sides):
        """A removal that was done unanswered is not sent again blindly."""
        before = sides.items(), sides.absences()
        cli = deployment.live()
        deployment.double.faults.add(kind="cut_after", method="DELETE", times=1)
        assert cli("leave", str(MARTINE), "--remove", "--yes").code != 0
        assert cli("leave", str(MARTINE), "--remove", "--yes").code == 0
        assert (sides.items(), sides.absences()) == before


class TestLostDatabase:
    """The key file and the configuration are enough to leave without a trace."""

    def test_everything_of_ours_goes_and_nothing_else(self, deployment, sides):
        """A person's copy of our event stays, also with its marker; what fits nothing is listed, and stays too."""
        cli = deployment.live()
        body = next(body for name, body in sides.items().items() if name.startswith("rdvgw-"))
        uid = next(line for line in body.decode().splitlines() if line.startswith("UID:"))
        sides.put("copie.ics", body.replace(uid.encode(), b"UID:copie-de-martine"))
        orphan = "rdvgw-" + "0" * 32
        sides.put(f"{orphan}.ics", body.replace(uid.encode(), f"UID:{orphan}".encode()))
        tomorrow = datetime.now(PARIS).date() + timedelta(days=1)
        hours = {"start_time": time(9), "end_time": time(10)}
        odd = deployment.double.state.absences.create(
            MARTINE, title=ABSENCE_TAG, first_day=tomorrow, rrule=weekly([f"{tomorrow:%a}"[:2].upper()]), **hours
        )
        items = sides.items()
        not_ours = {name: items[name] for name in items if not name.startswith("rdvgw-") or orphan in name}
        typed = {number: each for number, each in sides.absences().items() if each[0] != ABSENCE_TAG or number == odd}
        lose_the_database(deployment)
        answer = cli("leave", "--all", "--remove", "--yes", "--json")
        assert answer.code == 1
        assert sides.items() == not_ours
        assert sides.absences() == typed
        listed = [each["where"] for each in answer.json["for_a_person"]]
        listed += [each["where"] for agent in answer.json["agents"] for each in agent["for_a_person"]]
        assert sorted(listed) == sorted([f"agenda:{deployment.calendar}{orphan}.ics", f"absence {odd}"])

    def test_of_one_agent_alone(self, deployment, sides):
        """Every calendar is looked through, and only that agent's are removed."""
        cli = deployment.live()
        lose_the_database(deployment)
        assert cli("leave", "3", "--remove", "--yes").code == 0
        assert sides.ours() > 3
        assert cli("leave", str(MARTINE), "--remove", "--yes").code == 0
        assert sides.ours() == 0

    def test_webhook_endpoints_are_listed_with_what_could_not_be(self, deployment):
        """Only RDV-Solidarités' web page can delete them; their paths may hold secrets and are not shown."""
        hooks = deployment.double.state.webhooks
        hooks.add_endpoint(
            organisation_id=1, target_url="https://passerelle.example/secret-path", secret="s", subscriptions=["rdv"]
        )
        cli = deployment.live()
        answer = cli("leave", "--all", "--remove", "--json")
        by_organisation = {each["organisation"]: each for each in answer.json["webhook_endpoints"]}
        assert [each["address"] for each in by_organisation[1]["endpoints"]] == ["https://passerelle.example"]
        assert "secret-path" not in answer.out
