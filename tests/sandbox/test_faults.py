"""Faults on demand, seen by a real client."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from gateway.sandbox.faults import KINDS, Fault
from gateway.sandbox.server import Sandbox
from tests.sandbox.support import Clock, World, seed

PATH = "/api/v1/absences"
FIELDS = {"agent_id": 2, "title": "Occupé", "first_day": "2026-03-03", "start_time": "09:00", "end_time": "10:30"}


def stored(world: World) -> int:
    return len(world.state.absences_of(2))


def test_429_says_when_to_come_back(world: World) -> None:
    world.sandbox.faults.add("status", status=429, retry_after=7)
    client = world.client()
    answer = client.get(PATH)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
    assert answer.headers["ratelimit-remaining"] == "0"
    assert isinstance(answer.json()["errors"][0], str)
    assert client.get(PATH).status_code == 200


@pytest.mark.parametrize(
    ("body", "kind"), [("json", "application/json"), ("html", "text/html"), ("empty", "text/plain")]
)
def test_server_errors_come_in_bursts_and_commit_nothing(world: World, body: str, kind: str) -> None:
    world.sandbox.faults.add("status", status=502, body=body, times=2, method="POST")
    client = world.client()
    answers = [client.post(PATH, json=FIELDS) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [502, 502, 200]
    assert answers[0].headers["content-type"].startswith(kind)
    assert stored(world) == 1


def test_a_proxys_page_answers_200_and_commits_nothing(world: World) -> None:
    world.sandbox.faults.add("html")
    answer = world.client().post(PATH, json=FIELDS)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html")
    assert stored(world) == 0


@pytest.mark.parametrize(("kind", "kept"), [("cut_before", 0), ("cut_after", 1), ("truncate", 1)])
def test_a_cut_connection_leaves_no_answer(world: World, kind: str, kept: int) -> None:
    world.sandbox.faults.add(kind, method="POST")
    client = world.client()
    with pytest.raises(httpx2.RemoteProtocolError):
        client.post(PATH, json=FIELDS)
    assert stored(world) == kept
    assert client.get(PATH).status_code == 200
    assert [entry.status for entry in world.sandbox.requests.entries] == [None, 200]


def test_a_hanging_request_commits_nothing(world: World) -> None:
    world.sandbox.faults.add("hang", seconds=0.3)
    with pytest.raises(httpx2.ReadTimeout):
        world.client().post(PATH, json=FIELDS, timeout=0.1)
    time.sleep(0.4)
    assert stored(world) == 0


def test_a_late_commit_comes_after_the_client_gave_up(world: World) -> None:
    world.sandbox.faults.add("commit_late", seconds=0.4)
    client = world.client()
    with pytest.raises(httpx2.ReadTimeout):
        client.post(PATH, json=FIELDS, timeout=0.1)
    assert stored(world) == 0
    assert client.get(PATH).json()["absences"] == []
    deadline = time.monotonic() + 5
    while not stored(world) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert stored(world) == 1


def test_a_slow_answer_is_whole_and_others_are_not_slowed(world: World) -> None:
    world.sandbox.faults.add("slow", seconds=0.6, method="POST")
    client, other = world.client(), world.client()
    with ThreadPoolExecutor(1) as pool:
        begin = time.monotonic()
        slow = pool.submit(client.post, PATH, json=FIELDS)
        while not stored(world):
            time.sleep(0.01)
        assert other.get(PATH).status_code == 200
        assert not slow.done()
        assert slow.result().json()["absence"]["id"] == 1
    assert time.monotonic() - begin >= 0.6


def lists(world: World, count: int) -> httpx2.Client:
    world.state.absences.set_tie_order("stable")
    with world.state.storage.transaction():
        for _ in range(count):
            world.absence()
    return world.client()


@pytest.mark.parametrize(
    ("fault", "ids"),
    [
        ({"kind": "page_empty", "page": 2}, []),
        ({"kind": "page_repeat", "page": 2}, list(range(1, 101))),
        ({"kind": "page_repeat", "page": 1}, list(range(101, 151))),
    ],
)
def test_a_page_of_a_list_can_be_missing_with_its_meta_intact(
    world: World, fault: dict[str, Any], ids: list[int]
) -> None:
    client = lists(world, 150)
    world.sandbox.faults.add(**fault)
    answer = client.get(PATH, params={"page": fault["page"]}).json()
    assert [absence["id"] for absence in answer["absences"]] == ids
    assert (answer["meta"]["current_page"], answer["meta"]["total_count"]) == (fault["page"], 150)
    whole = client.get(PATH, params={"page": fault["page"]}).json()
    assert [absence["id"] for absence in whole["absences"]] not in ([], ids)


def test_other_pages_do_not_use_up_the_fault(world: World) -> None:
    client = lists(world, 150)
    world.sandbox.faults.add("page_empty", page=2)
    assert len(client.get(PATH).json()["absences"]) == 100
    assert client.get(PATH, params={"page": 2}).json()["absences"] == []


def test_a_fault_waits_its_turn_and_hits_what_fits_only(world: World) -> None:
    world.sandbox.faults.add("status", method="GET|POST", path=".*/absences", skip=1, times=1)
    client = world.client()
    statuses = [
        client.get("/api/v1/agents").status_code,
        client.get(PATH).status_code,
        client.get(f"{PATH}/9").status_code,
        client.post(PATH, json=FIELDS).status_code,
        client.get(PATH).status_code,
    ]
    assert statuses == [200, 200, 404, 500, 200]


def test_a_fault_without_count_lasts_until_cleared(world: World) -> None:
    world.sandbox.faults.add("status", status=503, times=None)
    client = world.client()
    assert {client.get(PATH).status_code for _ in range(5)} == {503}
    world.sandbox.faults.clear()
    assert client.get(PATH).status_code == 200


@pytest.mark.parametrize("wrong", [{"kind": "weather"}, {"kind": "hang", "path": "("}, {"kind": "html", "body": "x"}])
def test_a_fault_that_cannot_be_is_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"none of|regular|json"):
        Fault(**wrong)  # type: ignore[arg-type]


def test_stopping_does_not_wait_for_faults() -> None:
    clock = Clock()
    with Sandbox(seed=seed, clock=clock) as sandbox:
        made = World(sandbox, clock)
        client = made.client()
        for kind in ("hang", "commit_late"):
            sandbox.faults.add(kind, seconds=60)
            with pytest.raises(httpx2.ReadTimeout):
                client.post(PATH, json=FIELDS, timeout=0.1)
        client.close()
        begin = time.monotonic()
    assert time.monotonic() - begin < 2


def test_the_kinds_are_all_documented() -> None:
    assert all(KINDS.values())
