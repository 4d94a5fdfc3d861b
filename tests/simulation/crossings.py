"""Boundaries, generated: before and after each call of a port, before and after each commit of the store.

The ports' methods are found on the wrapped objects, not listed: a method that a port gains is wrapped too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

from gateway.store.database import Database
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.apply import Applied, Applier
from gateway.sync.ledger import Ledger
from gateway.sync.values import Operation
from tests.simulation.weather import Weather

_PURE = {"parse", "href_of", "is_due", "traits", "close"}
"""Methods of ports that send nothing, by their contract."""


class Crossed:
    """A port with a boundary before and after each call that may send something."""

    def __init__(self, port: object, weather: Weather) -> None:
        self._port = port
        self._weather = weather

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not callable(found) or name in _PURE:
            return found

        @wraps(found)
        def crossing(*arguments: Any, **named: Any) -> Any:
            self._weather.boundary()
            answer = found(*arguments, **named)
            self._weather.boundary()
            return answer

        self.__dict__[name] = crossing
        return crossing


class CrossedStore(Store):
    """The store, with a boundary before and after each commit."""

    def __init__(self, database: Database, weather: Weather) -> None:
        super().__init__(database)
        self.weather = weather

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with super().transaction() as tx:
            yield tx
            self.weather.commits()
        self.weather.boundary()


@contextmanager
def operations_watched() -> Iterator[None]:
    """Each operation tells the weather when it begins and ends."""
    with patch.object(Applier, "apply", _watched(Applier.apply)):
        yield


def _watched(apply: Callable[[Applier, Ledger, Operation], Applied]) -> Callable[..., Applied]:
    def watched(applier: Applier, ledger: Ledger, operation: Operation) -> Applied:
        store = applier.store
        assert isinstance(store, CrossedStore)
        store.weather.begins(f"{operation.action} {operation.kind}")
        try:
            return apply(applier, ledger, operation)
        finally:
            store.weather.ends()

    return watched
