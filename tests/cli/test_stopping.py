"""`stop`, `resume`, and the ceilings of writes as the commands tell of them."""

from __future__ import annotations

import getpass

import pytest

from gateway.composition import opened_store
from gateway.settings import load
from tests.cli.conftest import MARTINE

REASON = "Bascule de la messagerie"


class TestStop:
    """Everybody is told, nothing is written, and nothing is lost."""

    def test_nothing_is_written_until_resume(self, deployment):
        cli = deployment.enrolled()
        cli("plan")
        cli("approve", "--all", "--yes")
        answer = cli("stop", "--reason", REASON, "--json")
        assert answer.code == 0
        assert (answer.json["was_stopped"], answer.json["stopped"]["reason"]) == (False, REASON)
        deployment.double.requests.reset()

        stopped = cli("sync", "--json")
        assert stopped.code == 1
        assert stopped.json["stopped"]["by"] == getpass.getuser()
        assert stopped.json["errors"] == []
        assert all(operation["action"] == "pair" for operation in stopped.json["operations"])
        assert len(stopped.json["waiting"]) > 10
        writes = [key for key in deployment.double.request_counts if not key.startswith("GET") and "auth" not in key]
        assert writes == []

        assert cli("resume", "--writes", "--json").json == {"stopped": None, "was_stopped": True}
        done = cli("sync", "--json")
        assert done.code == 0
        assert len(done.json["operations"]) == len(stopped.json["waiting"])
        assert done.json["waiting"] == []

    @pytest.mark.parametrize("command", ["status", "check", "plan", "sync"])
    def test_every_command_that_looks_says_so_loudly(self, deployment, command):
        cli = deployment.live()
        assert cli(command).code == 0
        cli("stop", "--reason", REASON)
        answer = cli(command)
        assert answer.code == 1
        assert f"STOPPED by {getpass.getuser()}" in answer.err
        assert REASON in answer.err
        assert "-> it: " in answer.err
        assert "rdv-gateway resume --writes" in answer.err
        cli("resume", "--writes")
        assert "STOPPED" not in cli(command).err

    def test_both_are_journaled_and_say_what_was(self, deployment):
        cli = deployment.cli
        assert "Nothing was stopped" in cli("resume", "--writes").out
        cli("stop")
        assert "already" in cli("stop").out
        assert cli("status", "--json").json["stopped"]["reason"] is None
        assert "Writes go on" in cli("resume", "--writes").out
        entries = [entry["action"] for entry in cli("journal", "--json").json["entries"]]
        assert entries == ["resume", "stop", "stop"]

    def test_it_is_not_lifted_by_forgetting_to_name_agents(self, deployment):
        """Nor together with them."""
        cli = deployment.enrolled()
        cli("stop")
        for arguments in ((), ("--writes", str(MARTINE)), ("--writes", "--all"), ("--all",)):
            cli("resume", *arguments)
            assert cli("status", "--json").json["stopped"] is not None

    def test_it_works_while_a_sync_holds_the_lock(self, deployment):
        """That is when it is needed."""
        with opened_store(load(deployment.cli.config)) as store, store.sync_lock():
            assert deployment.cli("sync").code == 4
            assert deployment.cli("stop").code == 0
            assert deployment.cli("resume", "--writes").code == 0


class TestCeilings:
    """How many writes, how long they take, and what waits: never an error."""

    def limited(self, cli, per_hour: int) -> None:
        cli.config.write_text(f"{cli.config.read_text()}\n[limits]\nwrites_per_hour = {per_hour}\n")

    def test_the_plan_says_how_many_writes_and_how_long(self, deployment):
        cli = deployment.enrolled()
        plan = cli("plan", "--json").json
        assert set(plan["hours_at_ceiling"]) == {"agenda", "rdv_solidarites"}
        assert set(plan["hours_at_ceiling"].values()) == {0}
        there = plan["writes"]["rdv_solidarites"]
        assert plan["seconds_needed"] == pytest.approx(there / 500, abs=0.1)
        assert "within the ceiling of 3000 writes an hour and 30000 a day" in cli("plan").out

        self.limited(cli, 2)
        slow = cli("plan", "--json").json
        assert slow["hours_at_ceiling"]["rdv_solidarites"] == -(-there // 2) - 1
        assert "at the ceiling of 2 writes an hour" in cli("plan").out

    def test_what_is_above_waits_and_is_no_error(self, deployment):
        cli = deployment.enrolled()
        cli("plan")
        cli("approve", "--all", "--yes")
        self.limited(cli, 3)
        answer = cli("sync", "--json")
        assert answer.code == 0
        by_side = [operation["side"] for operation in answer.json["operations"] if operation["action"] != "pair"]
        assert (by_side.count("rdv_solidarites"), by_side.count("calendar")) == (3, 3)
        assert answer.json["waiting"]
        assert {operation["agent"] for operation in answer.json["waiting"]} == {MARTINE}

        again = cli("sync")
        assert again.code == 0
        assert "left to later runs" in again.out

        status = cli("status", "--json")
        assert status.code == 0
        assert status.json["runs"][0]["waiting"] == len(answer.json["waiting"])
        assert {
            (row["system"], row["this_hour"], row["last_24_hours"], row["left_this_hour"])
            for row in status.json["writes"]
        } == {("agenda", 3, 3, 0), ("rdv_solidarites", 3, 3, 0)}
        assert "Left this hour" in cli("status").out
