"""What the databases have in common, as `gateway.store.database` uses it."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, Engine

from connectors.errors import ConnectorError


@dataclass(frozen=True, slots=True)
class Engines:
    """Two ways to the same connections.

    `reading`: a transaction sees the committed state of one instant. `writing`: a transaction that had its turn (see
    `Backend.take_turn`) sees all that was committed before.
    """

    reading: Engine
    writing: Engine

    def dispose(self) -> None:
        """Close every connection that is not in use."""
        self.writing.dispose()


class Backend(Protocol):
    """One database of one kind."""

    @property
    def where(self) -> str:
        """Its place in words for people, without a password."""
        ...

    @property
    def in_memory(self) -> bool:
        """Gone on closing, and with one connection for all threads: readers wait for the writer."""
        ...

    def create(self) -> None:
        """Make the place where its tables will be, if that is ours to make."""
        ...

    def require_place(self) -> None:
        """Raise `UnmigratedDatabase` where opening it would make one."""
        ...

    def engines(self, *, synchronous: bool = True, patient: bool = False) -> Engines:
        """`synchronous`: a commit that returned survives a power cut. `patient`: for work that may take long."""
        ...

    def begin_reading(self, connection: Connection) -> None:
        """First of all on a connection of `reading`: what is read from here on is of one instant."""
        ...

    def take_turn(self, connection: Connection) -> None:
        """First of all within a transaction of `writing`: wait until no other one writes; none will until it ends.

        Raises the driver's error, which `explain` knows, when that takes too long.
        """
        ...

    def sweep(self, connection: Connection) -> bool:
        """Take what was removed out of the files, where that is ours to do; False: not all of it, somebody reads."""
        ...

    def require_fit(self, connection: Connection) -> None:
        """Raise `ITMustAct` when what is stored in it would not come back as it was."""
        ...

    def sync_lock(self) -> AbstractContextManager[Connection | None]:
        """Be the only process that syncs on it. Raises `AnotherSync`.

        The connection, where there is one, is what holds the lock: all writes of the sync must go through it, so that
        they end with it.
        """
        ...

    def explain(self, error: BaseException) -> ConnectorError | None:
        """A driver's error that passes, or that somebody outside can mend, in the words of the error tree."""
        ...
