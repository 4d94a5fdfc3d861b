"""What most commands begin with: the configuration, then the database, the remotes, the lock."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.cli.exits import UserError
from gateway.cli.output import messages
from gateway.clock import SystemClock
from gateway.composition import Application, opened, opened_store
from gateway.scheduling.handover import taken_turn
from gateway.settings import Settings, load
from gateway.store.store import Store


@contextmanager
def local(config: Path) -> Iterator[tuple[Settings, Store]]:
    """The configuration and the database; no remote system, no lock."""
    settings = load(config)
    with opened_store(settings) as store:
        yield settings, store


@contextmanager
def remote(config: Path) -> Iterator[Application]:
    """Everything but the lock: for what reads the remotes and records nothing of them."""
    with opened(load(config)) as application:
        yield application


@contextmanager
def syncing(config: Path) -> Iterator[Application]:
    """Everything, as the one process that syncs on this database; a service that runs lets go of it meanwhile.

    Raises `AnotherSync`.
    """
    with opened(load(config)) as application, turn(application.store):
        yield application


@contextmanager
def turn(store: Store) -> Iterator[None]:
    """The right to sync. Raises `AnotherSync` when another command has it."""

    def waiting() -> None:
        messages().print("The service runs: waiting until it lets this command work.")

    with taken_turn(store, SystemClock(), waiting=waiting):
        yield


def require_enrolled(store: Store, agent_ids: Collection[int]) -> None:
    """Raise `UserError` for a named agent who is not enrolled."""
    known = {agent.agent_id for agent in store.agents()}
    unknown = sorted(set(agent_ids) - known)
    if unknown:
        names = ", ".join(map(str, unknown))
        raise UserError(f"Not enrolled: {names}.", remedy="See `rdv-gateway agents`, then `rdv-gateway enroll`.")
