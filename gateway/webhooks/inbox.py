"""Keeps what is received, many in one transaction, before the sender is answered."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from connectors.errors import ConnectorError
from gateway.store.store import Store
from gateway.store.webhooks import Received

_LOG = structlog.get_logger(__name__)

CAPACITY = 2_000
"""Webhooks that may wait for the database at once."""
_AT_ONCE = 500


class InboxFull(Exception):
    """Nothing more can be kept right now: the sender is to try again."""


@dataclass(slots=True)
class _Waiting:
    received: Received
    loop: asyncio.AbstractEventLoop
    kept: asyncio.Future[None]


class Inbox:
    """One thread that commits whatever came while the last commit was under way. `on_kept` is called from it."""

    def __init__(self, store: Store, on_kept: Callable[[], None], *, capacity: int = CAPACITY) -> None:
        self._store = store
        self._on_kept = on_kept
        self._capacity = capacity
        self._queue: deque[_Waiting] = deque()
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="webhook-inbox", daemon=True)
        self._thread.start()

    async def keep(self, received: Received) -> None:
        """Return when it is committed. Raises `InboxFull`, also when the database cannot be written."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(received, loop, loop.create_future())
        with self._changed:
            if self._closing or len(self._queue) >= self._capacity:
                raise InboxFull
            self._queue.append(waiting)
            self._changed.notify()
        await waiting.kept

    def close(self) -> None:
        """Commit what is queued, take nothing more, end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    @property
    def depth(self) -> int:
        """How many wait for the database."""
        return len(self._queue)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._queue and not self._closing:
                    self._changed.wait()
                some = [self._queue.popleft() for _ in range(min(len(self._queue), _AT_ONCE))]
            if not some:
                return
            self._commit(some)

    def _commit(self, some: list[_Waiting]) -> None:
        failed = False
        new = 0
        try:
            with self._store.transaction() as tx:
                new = tx.webhooks.keep([each.received for each in some])
        except Exception as error:  # noqa: BLE001 - the sender tries again, and the thread has to live
            failed = True
            told = str(error) if isinstance(error, ConnectorError) else type(error).__name__
            _LOG.error("webhooks could not be kept", count=len(some), error=told)
        by_loop: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        for each in some:
            by_loop.setdefault(each.loop, []).append(each)
        for loop, waiting in by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_answer, waiting, failed)
        if new:
            self._on_kept()


def _answer(waiting: list[_Waiting], failed: bool) -> None:
    for each in waiting:
        if each.kept.done():
            continue  # whoever asked has gone
        if failed:
            each.kept.set_exception(InboxFull())
        else:
            each.kept.set_result(None)
