"""Webhooks that the double really sends, over sockets, with what goes wrong on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gateway.keys import Keyring
from gateway.sandbox.server import Sandbox
from gateway.store.webhooks import EndpointRow
from tests.webhooks.listener import Listener
from tests.webhooks.sandbox_world import AGENTS, Busy, held, observer_of, polled, seed, subscribe


class Joined:
    def __init__(self, sandbox: Sandbox, listener: Listener, keys: Keyring, spare: Path) -> None:
        self.sandbox, self.listener, self.keys, self._spare = sandbox, listener, keys, spare

    def live(self, acts: int, **policy: Any) -> None:
        self.sandbox.state.webhooks.set_policy(**policy)
        busy = Busy(self.sandbox, acts)
        for _ in range(acts):
            busy.act()
        assert self.sandbox.state.webhooks.wait_until_sent(30)
        self.listener.settle()

    def polled(self) -> Any:
        return polled(self.sandbox, self.keys, self._spare)

    def read(self) -> None:
        observer, client = observer_of(self.sandbox, self.listener.store, self.keys)
        observer.read(AGENTS)
        client.close()

    @property
    def endpoints(self) -> dict[int, EndpointRow]:
        with self.listener.store.webhooks() as tables:
            return {each.organisation_id: each for each in tables.endpoints()}


@pytest.fixture
def joined(tmp_path: Path, sqlite_template: Path, keys: Keyring) -> Iterator[Joined]:
    spare = Path(shutil.copy(sqlite_template, tmp_path / "polled.sqlite3"))
    with (
        Sandbox(seed=seed) as sandbox,
        Listener(tmp_path, sqlite_template, keys, agents=AGENTS, base_url=sandbox.url) as listener,
    ):
        subscribe(sandbox, listener)
        listener.apply_always()
        yield Joined(sandbox, listener, keys, spare)


@pytest.mark.parametrize(
    "policy",
    [
        {"payload": "fresh"},
        {"payload": "fresh", "burst": 5},
        {"payload": "stale", "delay": 0.2},
        {"payload": "fresh", "disorder": 1.0},
    ],
    ids=lambda policy: "-".join(f"{name}={value}" for name, value in policy.items()),
)
def test_webhooks_alone_bring_what_a_reading_gives(joined: Joined, policy: dict[str, Any]) -> None:
    joined.live(30, **policy)
    rdvs, absences = held(joined.listener.store)
    assert (rdvs, absences) == joined.polled()
    assert len(rdvs) >= 3
    assert absences


def test_what_an_overtaken_frozen_webhook_leaves_behind_a_reading_mends(joined: Joined) -> None:
    """Two changes in one second, frozen, that overtake each other: nothing in them tells which is the later."""
    joined.live(40, payload="stale", disorder=1.0)
    joined.read()
    joined.read()
    assert held(joined.listener.store) == joined.polled()


def test_an_endpoint_that_was_away_gets_everything_again(joined: Joined) -> None:
    joined.listener.service.receiver._secrets = {}  # as if it did not know its secrets yet: it refuses
    joined.sandbox.state.webhooks.set_policy(time_scale=0.3, payload="fresh")
    busy = Busy(joined.sandbox, 1)
    for _ in range(8):
        busy.act()
    joined.listener.service.refresh()
    assert joined.sandbox.state.webhooks.wait_until_sent(20)
    joined.listener.settle()
    assert held(joined.listener.store) == joined.polled()


def test_a_replay_of_everything_changes_nothing(joined: Joined) -> None:
    joined.live(20, payload="fresh")
    before = held(joined.listener.store)
    endpoint = joined.sandbox.state.webhooks.add_endpoint(3, joined.listener.hook(3), "secret-of-the-tests", ("rdv",))
    joined.sandbox.state.webhooks.replay(endpoint)
    for number in (1, 2):
        joined.sandbox.state.webhooks.remove_endpoint(number)
        replayed = joined.sandbox.state.webhooks.add_endpoint(
            number, joined.listener.hook(number), "secret-of-the-tests", ("rdv", "lieu", "agent_role")
        )
        joined.sandbox.state.webhooks.replay(replayed)
    assert joined.sandbox.state.webhooks.wait_until_sent(20)
    joined.listener.settle()
    assert held(joined.listener.store) == before == joined.polled()


def test_what_was_lost_a_reading_finds_and_counts(joined: Joined) -> None:
    joined.live(10, payload="fresh")
    joined.read()
    joined.live(0, lose=10_000)
    busy = Busy(joined.sandbox, 5)
    for _ in range(8):
        busy._create()
    joined.read()
    assert held(joined.listener.store) == joined.polled()
    with joined.listener.store.transaction() as tx:
        tx.webhooks.count_lost(datetime.now(UTC) + timedelta(seconds=1))
    assert joined.endpoints[1].lost == 8


def test_a_swapped_agent_a_purge_and_a_removed_agent(joined: Joined) -> None:
    state = joined.sandbox.state
    busy = Busy(joined.sandbox, 1)
    busy._create()
    busy._create()
    state.rdvs.set_agents(busy.rdvs[0], [2])
    assert state.webhooks.wait_until_sent(10)
    joined.listener.settle()
    joined.listener.applied.clear()
    state.rdvs.swap_agent(busy.rdvs[0], 2, 5)
    state.rdvs.purge(busy.rdvs[1])
    state.directory.remove_agent(3)
    assert state.webhooks.wait_until_sent(10)
    joined.listener.settle()
    assert {2, 5} <= set().union(*(each.agent_ids for each in joined.listener.applied))
    assert any(each.reading_wanted for each in joined.listener.applied)
    assert set(held(joined.listener.store)[0]) == {busy.rdvs[0]}
