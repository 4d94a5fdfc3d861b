"""The right to sync, which one process has at a time, handed from the service to a command and back.

The service holds it as long as it runs. A command that needs it leaves a wish in the database; the service lets its
runs end between two writes and lets go; the command takes it, and the service takes it again when no wish is left and
nobody holds it. A wish or a service that was killed is known by its age: both renew theirs.
"""

from __future__ import annotations

import getpass
import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from connectors.ports import Clock
from gateway.store.problems import AnotherSync
from gateway.store.store import Store

SERVICE = "service"
WISH = "sync_wish/"
_WISH_LASTS = timedelta(seconds=10)
_SERVICE_LASTS = timedelta(seconds=30)
_RENEWED = timedelta(seconds=2)
_STEP = 0.1
_PATIENCE = timedelta(seconds=90)


@dataclass(frozen=True, slots=True)
class ServiceState:
    """What the service says of itself. `at`: when it last did; `since`: when it began. `content`: see `serve`."""

    pid: int
    since: datetime
    at: datetime
    content: dict[str, object]

    def runs(self, now: datetime) -> bool:
        """Whether it can be believed to run: it says something every few seconds, and takes this back at its end."""
        return abs(now - self.at) < _SERVICE_LASTS


def service_state(store: Store) -> ServiceState | None:
    """The service's last word on this database; None: there is none."""
    text = store.note(SERVICE)
    if text is None:
        return None
    said = json.loads(text)
    return ServiceState(
        said["pid"], datetime.fromisoformat(said["since"]), datetime.fromisoformat(said["at"]), said["content"]
    )


def put_service_state(store: Store, state: ServiceState) -> None:
    """Say it."""
    said = {"pid": state.pid, "since": state.since.isoformat(), "at": state.at.isoformat(), "content": state.content}
    with store.transaction() as tx:
        tx.put_note(SERVICE, json.dumps(said))


def drop_service_state(store: Store) -> None:
    """The service has ended."""
    with store.transaction() as tx:
        tx.drop_note(SERVICE)


def is_wished(store: Store, now: datetime) -> bool:
    """Whether a command waits for the right to sync."""
    return any(abs(now - datetime.fromisoformat(text)) < _WISH_LASTS for text in store.notes(WISH).values())


@contextmanager
def taken_turn(store: Store, clock: Clock, *, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """The right to sync, for a command; of a service that runs, it is asked for. `waiting` is called once if so.

    Raises `AnotherSync` when another command has it, or the service does not let go in time.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(store.sync_lock())
        except AnotherSync:
            state = service_state(store)
            if state is None or not state.runs(clock.now()):
                raise
            waiting()
            _ask(store, clock, stack)
        yield


def _ask(store: Store, clock: Clock, stack: ExitStack) -> None:
    name = f"{WISH}{getpass.getuser()}-{os.getpid()}-{uuid4().hex[:8]}"
    began = clock.now()
    renewed: datetime | None = None
    try:
        while True:
            now = clock.now()
            if renewed is None or now - renewed >= _RENEWED:
                with store.transaction() as tx:
                    tx.put_note(name, now.isoformat())
                renewed = now
            try:
                stack.enter_context(store.sync_lock())
            except AnotherSync:
                if now - began > _PATIENCE:
                    raise
                clock.sleep(_STEP)
            else:
                return
    finally:
        with store.transaction() as tx:
            tx.drop_note(name)
