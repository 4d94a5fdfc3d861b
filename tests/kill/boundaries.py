"""Boundaries of the real program, generated: before and after each call of a port, each request on the wire, and each
commit of the store. Nothing of the product knows of them: its classes are wrapped in the process that is to die.

Ports are wrapped method by method as their protocols list them, so that a method they gain is wrapped too.
"""

from __future__ import annotations

import inspect
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import httpx2
import requests.adapters

from connectors.caldav.account import CalDavAccount
from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.rdv_solidarites.client import RdvSolidaritesClient
from gateway.store.store import Store
from gateway.store.transaction import Transaction

_PURE = {"parse", "href_of", "is_due", "traits", "close"}
"""Methods of ports that send nothing, by their contract."""


class Boundaries:
    """Counts those that are crossed, and ends the process at one of them as a power cut would."""

    def __init__(self, kill_at: int) -> None:
        self._kill_at = kill_at  # 0: at none
        self._lock = threading.Lock()
        self.crossed: list[str] = []

    def cross(self, where: str) -> None:
        with self._lock:
            self.crossed.append(where)
            if len(self.crossed) == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    def install(self) -> None:
        """For the rest of this process."""
        for implementation, port in ((CalDavAccount, CalendarAccount), (RdvSolidaritesClient, RdvSolidarites)):
            for name, _ in inspect.getmembers(port, inspect.isfunction):
                if not name.startswith("_") and name not in _PURE:
                    self._wrap(implementation, name)
        self._wrap(httpx2.HTTPTransport, "handle_request")
        self._wrap(requests.adapters.HTTPAdapter, "send")
        _wrap_commits(self)

    def _wrap(self, owner: type, name: str) -> None:
        original: Callable[..., Any] = getattr(owner, name)

        @wraps(original)
        def crossing(*arguments: Any, **named: Any) -> Any:
            self.cross(f"before {owner.__name__}.{name}")
            answer = original(*arguments, **named)
            self.cross(f"after {owner.__name__}.{name}")
            return answer

        setattr(owner, name, crossing)


def _wrap_commits(boundaries: Boundaries) -> None:
    original = Store.transaction

    @contextmanager
    def crossing(store: Store) -> Iterator[Transaction]:
        with original(store) as tx:
            yield tx
            boundaries.cross("before a commit")
        boundaries.cross("after a commit")

    Store.transaction = crossing  # type: ignore[method-assign]
