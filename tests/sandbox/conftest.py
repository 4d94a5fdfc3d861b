from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.sandbox.server import Sandbox
from tests.sandbox.support import Clock, Receiver, World, seed


@pytest.fixture(scope="session")
def running() -> Iterator[tuple[Sandbox, Clock]]:
    """One server for all tests: stopping one takes a fifth of a second."""
    clock = Clock()
    with Sandbox(seed=seed, clock=clock) as sandbox:
        yield sandbox, clock


@pytest.fixture
def world(running: tuple[Sandbox, Clock]) -> Iterator[World]:
    """The small world as on its first day."""
    sandbox, clock = running
    clock.now = Clock().now
    sandbox.state.reset()
    sandbox.faults.clear()
    sandbox.requests.reset()
    made = World(sandbox, clock)
    yield made
    for client in made.clients:
        client.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()
