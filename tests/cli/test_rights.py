"""`check`: the technical account's rights in each organisation, what is missing, and the one write it can make."""

from __future__ import annotations

import pytest

from gateway.composition import opened_store
from gateway.sandbox.state import State
from gateway.settings import load
from tests.cli.conftest import MARTINE, Answer, Deployment

ACCOUNT_ID = 1
NORD = 1


def problems(answer: Answer) -> list[str]:
    return [each["detail"] for each in answer.json["checks"] if not each["ok"]]


def ids(state: State, agent_id: int) -> list[int]:
    return [absence["id"] for absence in state.absences_of(agent_id)]


def in_nord(answer: Answer) -> dict[str, object]:
    (found,) = [each for each in answer.json["organisations"] if each["organisation"] == NORD]
    return found


def shared_rdv(deployment: Deployment) -> int:
    """An RDV that agents of two services hold together; gives the id of the one whose service is not the account's."""
    state = deployment.double.state
    rows = state.storage.rows(
        "SELECT agent_roles.agent_id, service_id FROM agent_roles JOIN agent_services USING (agent_id)"
        " WHERE organisation_id = ? AND agent_roles.agent_id <> ? ORDER BY 1",
        [NORD, ACCOUNT_ID],
    )
    (own,) = {row[0] for row in state.storage.rows("SELECT service_id FROM agent_services WHERE agent_id = 1")}
    ours = next(row["agent_id"] for row in rows if row["service_id"] == own)
    other = next(row["agent_id"] for row in rows if row["service_id"] != own)
    rdv = state.storage.row(
        "SELECT rdvs.id FROM rdvs JOIN motifs ON motifs.id = motif_id WHERE rdvs.organisation_id = ? AND service_id = ?"
        " AND starts_at > datetime('now', '+1 day') AND starts_at < datetime('now', '+13 days')",
        [NORD, own],
    )
    assert rdv is not None
    state.rdvs.set_agents(rdv["id"], [ours, other])
    return int(other)


class TestRights:
    """A table per organisation; what is proven to be missing is a problem with its remedy."""

    def test_an_admin_everywhere_misses_nothing(self, deployment):
        answer = deployment.cli("check", "--json")
        assert answer.code == 0
        assert {each["role"] for each in answer.json["organisations"]} <= {
            "admin or secretariat",
            "not proven",
            "not told: one service",
        }
        assert in_nord(answer)["role"] == "admin or secretariat"
        assert all(each["webhooks_listable"] and each["new"] for each in answer.json["organisations"])
        assert "Rights of the technical account" in deployment.cli("check").out

    def test_a_basic_role_shows_by_the_agents_that_it_hides(self, deployment):
        hidden = shared_rdv(deployment)
        state = deployment.double.state
        state.directory.set_role(ACCOUNT_ID, NORD, "basic")
        state.storage.run("DELETE FROM territorial_admins WHERE agent_id = ?", [ACCOUNT_ID])
        answer = deployment.cli("check", "--json")
        found = in_nord(answer)
        assert answer.code == 3
        assert found["role"] == "not admin"
        assert hidden in found["agents_not_visible"]
        assert found["services_without_rdv"]
        (problem,) = problems(answer)
        assert problem.startswith("organisation 1 (MDS Paris Nord): agents ")
        assert "role admin in this organisation" in deployment.cli("check").err

    def test_agents_of_an_organisation_without_a_role_are_named(self, deployment):
        """A new organisation is not covered by itself: a territorial admin sees its agents, and no RDV."""
        state = deployment.double.state
        territory = state.storage.number("SELECT territory_id FROM organisations WHERE id = ?", [NORD])
        service = state.storage.number("SELECT id FROM services ORDER BY id LIMIT 1")
        new = state.directory.add_organisation("MDS Nouvelle", territory)
        person = state.directory.add_agent("Nina", "NOUVELLE", email="nina@demo.example", service_ids=[service])
        state.directory.set_role(person, new, "basic")
        answer = deployment.cli("check", "--json")
        assert answer.code == 3
        assert problems(answer) == [f"agents {person} work in organisations where the technical account has no role"]
        assert new not in {each["organisation"] for each in answer.json["organisations"]}

    def test_an_organisation_that_a_sync_saw_and_that_is_lost_is_named(self, deployment):
        cli = deployment.live()
        assert not in_nord(cli("check", "--json"))["new"]
        deployment.double.state.directory.remove_role(ACCOUNT_ID, NORD)
        answer = cli("check", "--json")
        assert answer.code == 3
        assert "organisation 1 (MDS Paris Nord) was visible at an earlier sync and is not any more" in problems(answer)

    def test_an_enrolled_agent_who_is_not_visible_is_named_with_the_remedy(self, deployment):
        cli = deployment.enrolled()
        deployment.double.state.rights.withhold(ACCOUNT_ID, "agent", MARTINE)
        answer = cli("check")
        assert answer.code == 3
        assert f"agent {MARTINE} is enrolled and not visible" in answer.err
        assert "withdraw the agent if they left" in answer.err

    def test_which_way_in_is_used_is_said(self, deployment):
        answer = deployment.cli("check", "--json")
        (access,) = [each for each in answer.json["checks"] if each["what"] == "rdv_solidarites: access"]
        assert access["ok"]
        assert access["detail"].startswith("password of passerelle@demo.example")


class TestWriteTest:
    """Only when asked for, for a named agent, in the past; and never while writes are stopped."""

    def test_makes_and_removes_one_absence(self, deployment):
        state = deployment.double.state
        before = ids(state, MARTINE)
        highest = state.storage.number("SELECT max(id) FROM absences")
        answer = deployment.cli("check", "--write-test", str(MARTINE), "--json")
        assert answer.code == 0
        (tested,) = [each for each in answer.json["checks"] if each["what"].endswith("write test")]
        assert tested["detail"] == f"absence {highest + 1} of agent {MARTINE} was made and removed"
        assert ids(state, MARTINE) == before
        entries = deployment.cli("journal", "--json").json["entries"]
        assert [(entry["action"], entry["rule"]) for entry in entries] == [
            ("delete", "write_test"),
            ("create", "write_test"),
        ]
        written = deployment.cli("status", "--json").json["writes"]
        assert [(row["system"], row["this_hour"]) for row in written] == [("rdv_solidarites", 2)]

    def test_without_it_nothing_is_written(self, deployment):
        deployment.double.requests.reset()
        assert deployment.cli("check").code == 0
        writes = [key for key in deployment.double.request_counts if not key.startswith("GET") and "auth" not in key]
        assert writes == []

    @pytest.mark.parametrize(
        ("fault", "words"),
        [
            (
                {"method": "POST", "path": "/api/v1/absences", "kind": "status", "status": 403},
                "no absence could be made",
            ),
            ({"method": "POST", "path": "/api/v1/absences", "kind": "truncate"}, "may have been made"),
            ({"method": "DELETE", "path": "/api/v1/absences/.*", "kind": "status", "status": 403}, "remove it by hand"),
        ],
    )
    def test_what_fails_or_is_left_is_said(self, deployment, fault, words):
        deployment.double.faults.add(**fault)
        answer = deployment.cli("check", "--write-test", str(MARTINE))
        deployment.double.faults.clear()
        assert answer.code == 3
        assert words in answer.err
        assert "-> " in answer.err

    def test_an_agent_who_is_not_visible_is_refused_by_the_server(self, deployment):
        deployment.double.state.rights.withhold(ACCOUNT_ID, "agent", MARTINE)
        answer = deployment.cli("check", "--write-test", str(MARTINE), "--json")
        assert answer.code == 3
        assert any("no absence could be made" in problem for problem in problems(answer))

    def test_a_stop_and_a_running_sync_forbid_it(self, deployment):
        with opened_store(load(deployment.cli.config)) as store, store.sync_lock():
            assert deployment.cli("check", "--write-test", str(MARTINE)).code == 4
        deployment.cli("stop")
        answer = deployment.cli("check", "--write-test", str(MARTINE))
        assert answer.code == 2
        assert "stopped" in answer.err
        assert deployment.cli("status", "--json").json["writes"] == []
