"""Webhooks, received over HTTP."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.sandbox.server import Sandbox
from tests.sandbox.support import Clock, Receiver, World, seed

SECRET = "clé-partagée"


@pytest.fixture
def hooked(world: World, receiver: Receiver) -> World:
    """Nord and Sud send their RDVs, absences and roles to the receiver; no burst."""
    for organisation in (1, 2):
        world.state.webhooks.add_endpoint(organisation, receiver.url, SECRET, ("rdv", "absence", "agent_role"))
    world.state.webhooks.set_policy(burst=0)
    return world


def sent(world: World) -> None:
    assert world.state.webhooks.wait_until_sent()


def test_a_webhook_is_signed_over_its_raw_body(hooked: World, receiver: Receiver) -> None:
    rdv = hooked.rdv()
    sent(hooked)
    [(headers, body)] = receiver.requests
    assert headers["X-Lapin-Signature"] == hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    event = json.loads(body)
    assert event["meta"] == {
        "model": "Rdv",
        "event": "created",
        "webhook_reason": None,
        "timestamp": "2026-03-02 09:00:00 +0100",
    }
    assert event["data"] == hooked.state.rdv(rdv)


def test_an_absence_is_sent_once_per_organisation_of_its_agent_even_for_our_own_writes(
    hooked: World, receiver: Receiver
) -> None:
    hooked.state.webhooks.set_policy(payload="stale")
    fields = {"agent_id": 3, "title": "X", "first_day": "2026-03-03", "start_time": "9:00", "end_time": "10:00"}
    client = hooked.client()
    absence = client.post("/api/v1/absences", json=fields).json()["absence"]
    client.patch("/api/v1/absences/1", json={"title": "Y"})
    client.delete("/api/v1/absences/1")
    sent(hooked)
    assert receiver.names == [f"Absence {event}" for event in ("created", "updated", "destroyed") for _ in "12"]
    assert {event["data"]["id"] for event in receiver.events} == {absence["id"]}


def test_a_creation_is_followed_by_a_burst(hooked: World, receiver: Receiver) -> None:
    hooked.state.webhooks.set_policy(burst=3)
    hooked.rdv()
    sent(hooked)
    assert receiver.names == ["Rdv created", *["Rdv updated"] * 3]


def test_a_participation_change_sends_at_least_two(hooked: World, receiver: Receiver) -> None:
    hooked.rdv()
    hooked.state.rdvs.set_participation(1, "excused")
    sent(hooked)
    assert receiver.names == ["Rdv created", "Rdv updated", "Rdv updated"]


def test_saving_without_a_change_sends_as_well(hooked: World, receiver: Receiver) -> None:
    hooked.state.rdvs.edit(hooked.rdv())
    sent(hooked)
    assert receiver.names == ["Rdv created", "Rdv updated"]


def test_other_organisations_hear_nothing(hooked: World, receiver: Receiver) -> None:
    hooked.rdv([6], organisation_id=3, motif_id=10, lieu_id=None)
    sent(hooked)
    assert receiver.requests == []


def test_a_swapped_agent_is_not_in_the_payload(hooked: World, receiver: Receiver) -> None:
    rdv = hooked.rdv([2])
    hooked.state.rdvs.swap_agent(rdv, 2, 5)
    sent(hooked)
    assert [agent["id"] for agent in receiver.events[-1]["data"]["agents"]] == [5]


@pytest.mark.parametrize(("operation", "reason"), [("delete", None), ("purge", "rgpd")])
def test_removal_is_destroyed_with_its_reason(
    hooked: World, receiver: Receiver, operation: str, reason: str | None
) -> None:
    rdv = hooked.rdv()
    sent(hooked)
    getattr(hooked.state.rdvs, operation)(rdv)
    sent(hooked)
    last = receiver.events[-1]
    assert (last["meta"]["event"], last["meta"]["webhook_reason"], last["data"]["id"]) == ("destroyed", reason, rdv)


def test_a_removed_agent_takes_absences_along_in_silence(hooked: World, receiver: Receiver) -> None:
    hooked.absence(3)
    sent(hooked)
    receiver.requests.clear()
    hooked.state.directory.remove_agent(3)
    sent(hooked)
    assert receiver.names == ["AgentRole destroyed"] * 2
    assert hooked.state.absences_of(3) == []


def test_a_lost_event_is_never_sent(hooked: World, receiver: Receiver) -> None:
    rdv = hooked.rdv()
    hooked.state.webhooks.set_policy(lose=1)
    hooked.state.rdvs.edit(rdv)
    hooked.state.rdvs.cancel(rdv)
    sent(hooked)
    assert receiver.names == ["Rdv created", "Rdv updated"]
    assert [one["outcome"] for one in hooked.state.webhooks.deliveries()] == ["done", "lost", "done"]


def test_deliveries_can_wait(hooked: World, receiver: Receiver) -> None:
    hooked.state.webhooks.set_policy(delay=0.3)
    begin = time.monotonic()
    hooked.rdv()
    sent(hooked)
    assert time.monotonic() - begin >= 0.3
    assert receiver.names == ["Rdv created"]


def test_deliveries_can_overtake_each_other(hooked: World, receiver: Receiver) -> None:
    hooked.state.webhooks.set_policy(disorder=0.5, payload="stale")
    rdvs = [hooked.rdv() for _ in range(12)]
    sent(hooked)
    arrived = [event["data"]["id"] for event in receiver.events]
    assert sorted(arrived) == rdvs
    assert arrived != rdvs


@pytest.mark.parametrize(("payload", "statuses"), [("stale", ["unknown", "excused"]), ("fresh", ["excused"] * 2)])
def test_what_is_sent_late_says_the_state_of_then_or_of_now(
    hooked: World, receiver: Receiver, payload: str, statuses: list[str]
) -> None:
    hooked.state.webhooks.set_policy(payload=payload, delay=0.2)
    hooked.state.rdvs.cancel(hooked.rdv())
    sent(hooked)
    assert [event["data"]["status"] for event in receiver.events] == statuses


def test_a_fresh_payload_of_a_record_that_is_gone_is_not_sent(hooked: World, receiver: Receiver) -> None:
    hooked.state.webhooks.set_policy(delay=0.1)
    hooked.state.rdvs.delete(hooked.rdv())
    sent(hooked)
    assert receiver.names == ["Rdv destroyed"]


@pytest.fixture
def failing() -> Iterator[Receiver]:
    """Answers 500 twice, then a redirect, then 200."""
    answers = [(500, "text/plain", b""), (500, "text/plain", b""), (302, "text/plain", b"")]
    made = Receiver(lambda number: answers[number - 1] if number <= 3 else (200, "text/plain", b""))
    yield made
    made.close()


def test_failures_are_sent_again_after_n_to_the_fourth(world: World, failing: Receiver) -> None:
    world.state.webhooks.add_endpoint(1, failing.url, SECRET, ("rdv",))
    world.state.webhooks.set_policy(burst=0, time_scale=0.004)
    begin = time.monotonic()
    world.rdv()
    sent(world)
    assert time.monotonic() - begin >= 0.004 * (1 + 16 + 81)
    assert failing.names == ["Rdv created"] * 4
    assert [(one["outcome"], one["attempts"]) for one in world.state.webhooks.deliveries()] == [("done", 4)]


def test_after_twenty_attempts_a_delivery_is_given_up(world: World) -> None:
    world.state.webhooks.add_endpoint(1, "http://127.0.0.1:1/closed", SECRET, ("rdv",))
    world.state.webhooks.set_policy(burst=0, time_scale=0.0)
    world.rdv()
    sent(world)
    [delivery] = world.state.webhooks.deliveries()
    assert (delivery["outcome"], delivery["attempts"]) == ("discarded", 20)


@pytest.mark.parametrize(
    ("status", "kind", "body"),
    [
        (200, "text/html", b"<html>filtered</html>"),
        (404, "application/json", b'{"message": "Appointment already deleted"}'),
    ],
)
def test_a_proxys_page_and_certain_refusals_count_as_done(world: World, status: int, kind: str, body: bytes) -> None:
    receiver = Receiver(lambda _: (status, kind, body))
    world.state.webhooks.add_endpoint(1, receiver.url, SECRET, ("rdv",))
    world.state.webhooks.set_policy(burst=0)
    world.rdv()
    sent(world)
    receiver.close()
    assert [one["attempts"] for one in world.state.webhooks.deliveries()] == [1]


def endpoint(world: World, receiver: Receiver, subscriptions: list[str]) -> dict[str, object]:
    return {"target_url": receiver.url, "secret": SECRET, "subscriptions": subscriptions, "trigger": False}


PATH = "/api/v1/organisations/1/webhook_endpoints"


def test_making_and_changing_an_endpoint_replays_everything(world: World, receiver: Receiver) -> None:
    rdvs = [world.rdv(), world.rdv()]
    client = world.client()
    made = client.post(PATH, json=endpoint(world, receiver, ["rdv", "motif"]))
    assert made.status_code == 200
    assert made.json()["webhook_endpoint"] == {
        "id": 1,
        "target_url": receiver.url,
        "organisation_id": 1,
        "subscriptions": ["rdv", "motif"],
    }
    sent(world)
    assert receiver.names == ["Rdv created"] * 2 + ["Motif created"] * 4
    receiver.requests.clear()
    assert client.patch(f"{PATH}/1", json={"subscriptions": ["rdv"], "trigger": False}).status_code == 200
    sent(world)
    assert [event["data"]["id"] for event in receiver.events] == rdvs


def test_nothing_is_replayed_when_absences_are_subscribed(world: World, receiver: Receiver) -> None:
    world.rdv()
    world.absence()
    world.client().post(PATH, json=endpoint(world, receiver, ["rdv", "absence"]))
    sent(world)
    assert receiver.requests == []


def test_endpoints_are_validated_and_for_territorial_admins(world: World, receiver: Receiver) -> None:
    client = world.client()
    for changes, attribute in (
        ({"secret": ""}, "secret"),
        ({"target_url": None}, "target_url"),
        ({"subscriptions": ["weather"]}, "subscriptions"),
    ):
        answer = client.post(PATH, json=endpoint(world, receiver, ["rdv"]) | changes)
        assert (answer.status_code, attribute in answer.json()["errors"]) == (422, True)
    assert client.post(PATH, json=endpoint(world, receiver, ["rdv"])).status_code == 200
    assert "target_url" in client.post(PATH, json=endpoint(world, receiver, ["rdv"])).json()["errors"]
    assert world.client("pmi").post(PATH, json=endpoint(world, receiver, ["rdv"])).status_code == 403
    overseas = client.post("/api/v1/organisations/3/webhook_endpoints", json=endpoint(world, receiver, ["rdv"]))
    assert overseas.status_code == 403
    assert len(world.client("pmi").get(PATH).json()["webhook_endpoints"]) == 1
    assert client.get(PATH, params={"target_url": "http://other/"}).json()["webhook_endpoints"] == []
    assert client.patch(f"{PATH}/9", json={}).status_code == 404


def test_an_endpoint_may_move_to_another_organisation(world: World, receiver: Receiver) -> None:
    client = world.client()
    client.post(PATH, json=endpoint(world, receiver, ["rdv"]))
    assert client.patch(f"{PATH}/1", json={"organisation_id": 2}).json()["webhook_endpoint"]["organisation_id"] == 2
    assert client.get(PATH).json()["webhook_endpoints"] == []


def test_what_was_not_sent_before_a_stop_is_sent_after_the_restart(tmp_path: Path, receiver: Receiver) -> None:
    file = tmp_path / "sandbox.sqlite3"
    with Sandbox(state=file, seed=seed, clock=Clock()) as first:
        first.state.webhooks.add_endpoint(1, receiver.url, SECRET, ("rdv",))
        first.state.webhooks.set_policy(burst=0, delay=0.5)
        rdv = World(first, Clock()).rdv()
    assert receiver.requests == []
    with Sandbox(state=file, seed=seed, clock=Clock()) as second:
        assert second.state.webhooks.wait_until_sent()
    assert [event["data"]["id"] for event in receiver.events] == [rdv]
