"""Requests to remote systems, told to whoever listens in this context: which system, how long, what came of it.

What is told holds no path, address, header or body. The listener travels in a context variable, as log bindings do:
a connector is not asked who wants to know, and without a listener telling costs next to nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request that was sent. `status` None: no answer came. `seconds`: until the end of the answer, or for writes
    to calendars until its beginning. `received`: bytes of the answer's body, as far as they were counted."""

    system: str
    method: str
    status: int | None
    seconds: float
    received: int


class Listener(Protocol):
    """Is told at once, by the thread that waited or sent. Must not raise, and must be quick."""

    def waited(self, system: str, seconds: float) -> None:
        """A request waited so long for its turn: at the server's gate, or for the pace that the server gets."""

    def exchanged(self, exchange: Exchange) -> None:
        """A request was sent, and answered or not."""


_listener: ContextVar[Listener | None] = ContextVar("connectors.exchanges.listener", default=None)


@contextmanager
def heard_by(listener: Listener) -> Iterator[Listener | None]:
    """Within the block, in this context, that one listens in place of the one who is given, if there is any."""
    before = _listener.get()
    token = _listener.set(listener)
    try:
        yield before
    finally:
        _listener.reset(token)


class Answering:
    """What becomes known of an exchange while it goes on."""

    __slots__ = ("received", "status")

    def __init__(self) -> None:
        self.status: int | None = None
        self.received = 0


@contextmanager
def exchange(system: str, method: str) -> Iterator[Answering]:
    """Around the sending of one request. Whoever sends notes the status and the length of the answer."""
    answering = Answering()
    began = time.perf_counter()
    try:
        yield answering
    finally:
        listener = _listener.get()
        if listener is not None:
            seconds = time.perf_counter() - began
            listener.exchanged(Exchange(system, method, answering.status, seconds, answering.received))


@contextmanager
def turn(system: str) -> Iterator[None]:
    """Around waiting for one's turn."""
    began = time.perf_counter()
    try:
        yield
    finally:
        listener = _listener.get()
        if listener is not None:
            listener.waited(system, time.perf_counter() - began)
