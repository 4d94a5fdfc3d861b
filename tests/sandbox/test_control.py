"""Control endpoints, the request log, and the notice on every answer."""

from __future__ import annotations

from typing import Any

import httpx2

from gateway.sandbox.gate import NOTICE, NOTICE_HEADER
from tests.sandbox.support import World


def operate(world: World, operation: str, **arguments: Any) -> httpx2.Response:
    return world.anonymous().post(f"/_sandbox/{operation}", json=arguments)


def contents(world: World) -> dict[str, Any]:
    return world.anonymous().get("/_sandbox/state").json()


def test_an_rdv_lives_through_control(world: World) -> None:
    rdv = operate(
        world,
        "rdvs/create",
        organisation_id=1,
        motif_id=1,
        lieu_id=1,
        agent_ids=[2],
        user_ids=[1],
        starts_at="2026-03-04T10:00",
    ).json()["result"]

    def now() -> dict[str, Any]:
        return next(one for one in contents(world)["rdvs"] if one["id"] == rdv)

    assert now()["starts_at"] == "2026-03-04 10:00:00 +0100"
    operate(world, "rdvs/move", rdv_id=rdv, starts_at="2026-03-05T11:00", duration_in_min=60)
    assert now()["ends_at"] == "2026-03-05 12:00:00 +0100"
    operate(world, "rdvs/swap_agent", rdv_id=rdv, old_agent_id=2, new_agent_id=5)
    assert [agent["id"] for agent in now()["agents"]] == [5]
    for operation, arguments, status in (
        ("cancel", {"status": "revoked"}, "revoked"),
        ("recreate", {}, "unknown"),
        ("set_status", {"status": "noshow"}, "noshow"),
    ):
        assert operate(world, f"rdvs/{operation}", rdv_id=rdv, **arguments).status_code == 200
        assert now()["status"] == status
    operate(world, "rdvs/purge", rdv_id=rdv)
    assert contents(world)["rdvs"] == []


def test_a_collective_rdv_takes_participants(world: World) -> None:
    made = operate(
        world,
        "rdvs/create",
        organisation_id=1,
        motif_id=4,
        lieu_id=1,
        agent_ids=[3],
        name="Budget",
        max_participants_count=4,
        starts_at="2026-03-04T10:00",
    ).json()
    for user in (1, 2):
        operate(world, "rdvs/add_participant", rdv_id=made["result"], user_id=user)
    operate(world, "rdvs/set_participation", participation_id=1, status="excused")
    [rdv] = contents(world)["rdvs"]
    assert (rdv["collectif"], rdv["users_count"], len(rdv["participations"])) == (True, 1, 2)


def test_absences_are_typed_by_hand(world: World) -> None:
    day = {"first_day": "2026-03-04", "start_time": "09:00", "end_time": "10:00"}
    absence = operate(world, "absences/create", agent_id=2, title="Réunion", **day).json()["result"]
    operate(world, "absences/update", absence_id=absence, title="Autre", end_time="11:00")
    [shown] = contents(world)["absences"]
    assert (shown["title"], shown["end_time"]) == ("Autre", "11:00:00")
    refused = operate(world, "absences/update", absence_id=absence, end_time="08:00")
    assert (refused.status_code, "ends_time" in refused.json()["errors"]) == (422, True)
    operate(world, "absences/delete", absence_id=absence)
    assert contents(world)["absences"] == []


def test_rights_zones_tokens_and_webhooks_are_set_through_control(world: World) -> None:
    assert operate(world, "rights/withhold", caller_id=1).status_code == 200
    assert world.client().get("/api/v1/organisations").json()["organisations"] == []
    operate(world, "rights/restore", caller_id=1)
    assert operate(world, "directory/set_zone_mode", organisation_id=3, zone_mode="new").status_code == 200
    tokens = operate(world, "accounts/grant", agent_id=2).json()["result"]
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert world.anonymous().get("/api/v1/agents/me", headers=bearer).json()["agent"]["id"] == 2
    operate(world, "accounts/expire_all")
    assert world.anonymous().get("/api/v1/agents/me", headers=bearer).status_code == 401
    assert operate(world, "webhooks/set_policy", lose=3).json()["result"]["lose"] == 3


def test_wrong_operations_are_refused_with_a_reason(world: World) -> None:
    assert operate(world, "storage/clear").status_code == 404
    assert operate(world, "rdvs/get", rdv_id=1).status_code == 404
    assert "rdv_id" in operate(world, "rdvs/move").json()["error"]
    assert operate(world, "rdvs/cancel", rdv_id=99).status_code == 404
    assert operate(world, "rdvs/move", rdv_id=1, starts_at="demain").status_code == 422
    assert operate(world, "directory/set_zone_mode", organisation_id=1, zone_mode="x").status_code == 422
    assert operate(world, "webhooks/set_policy", unknown=1).status_code == 422
    assert world.anonymous().post("/_sandbox/rdvs/move", content=b"[1]").status_code == 422
    assert world.anonymous().post("/_sandbox/rdvs/move", content=b"{").status_code == 422


def test_a_refused_operation_changes_nothing(world: World) -> None:
    rdv = world.rdv([2])
    before = world.state.rdv(rdv)
    assert operate(world, "rdvs/move", rdv_id=rdv, starts_at="2026-03-09T09:00", agent_ids=[]).status_code == 422
    assert world.state.rdv(rdv) == before


def test_faults_are_put_in_force_listed_and_cleared(world: World) -> None:
    client = world.anonymous()
    fault = {"kind": "status", "path": ".*/absences", "status": 429, "retry_after": 3, "times": 2}
    [listed] = client.post("/_sandbox/faults", json=fault).json()["faults"]
    assert (listed["kind"], listed["times"]) == ("status", 2)
    assert world.client().get("/api/v1/absences").status_code == 429
    assert client.delete("/_sandbox/faults").json() == {"faults": []}
    assert world.client().get("/api/v1/absences").status_code == 200
    for wrong in ({"kind": "weather"}, {"kind": "status", "unknown": 1}, {"kind": "html", "path": "("}):
        assert client.post("/_sandbox/faults", json=wrong).status_code == 422


def test_requests_are_logged_without_ids_in_their_counts_and_without_content(world: World) -> None:
    client = world.client("pmi")
    client.get("/api/v1/absences", params={"page": 2})
    client.get("/api/v1/absences/41")
    client.get("/api/v1/absences/42")
    world.anonymous().get("/api/v1/agents")
    world.anonymous().get("/")
    assert world.sandbox.request_counts == {
        "GET /api/v1/absences": 1,
        "GET /api/v1/absences/{id}": 2,
        "GET /api/v1/agents": 1,
    }
    shown = world.anonymous().get("/_sandbox/requests").json()
    assert shown["counts"] == world.sandbox.request_counts
    assert shown["requests"][0] == {
        "at": "2026-03-02T08:00:00+00:00",
        "method": "GET",
        "path": "/api/v1/absences",
        "query": "page=2",
        "status": 200,
        "agent_id": 2,
        "fault": None,
    }
    assert [(one["status"], one["agent_id"]) for one in shown["requests"][1:]] == [(404, 2), (404, 2), (401, None)]
    assert world.anonymous().delete("/_sandbox/requests").json() == {"counts": {}, "requests": []}


def test_reset_brings_the_first_day_back(world: World) -> None:
    world.rdv()
    world.absence()
    world.sandbox.faults.add("status")
    client = world.client()
    assert world.anonymous().post("/_sandbox/reset").status_code == 200
    state = contents(world)
    assert (state["rdvs"], state["absences"], len(state["agents"])) == ([], [], 7)
    assert client.get("/api/v1/agents/me").status_code == 401
    assert world.rdv() == 1


def test_every_answer_says_that_this_is_a_double(world: World) -> None:
    world.sandbox.faults.add("status", path="/api/v1/agents")
    for path in ("/", "/api/v1/absences", "/api/v1/agents", "/_sandbox/", "/nothing"):
        assert world.anonymous().get(path).headers[NOTICE_HEADER] == NOTICE


def test_the_index_names_every_operation_and_fault(world: World) -> None:
    index = world.anonymous().get("/_sandbox/").json()
    assert {"rdvs/create", "absences/delete", "rights/withhold", "webhooks/set_policy"} <= set(index["operations"])
    assert "cut_after" in index["faults"]
    assert world.anonymous().get("/_sandbox/deliveries").json() == {"deliveries": []}


def test_another_site_cannot_drive_the_double_through_a_browser(world: World) -> None:
    absence = world.absence()
    for path in (f"/absences/{absence}/supprimer", "/_sandbox/reset"):
        answer = world.anonymous().post(path, headers={"Sec-Fetch-Site": "cross-site"})
        assert answer.status_code == 403
    assert world.state.absence(absence)
