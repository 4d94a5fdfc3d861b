"""The port of whatever delivers a message, and what it says of one that it did not take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from connectors.errors import ITMustAct, RetryLater

SYSTEM = "alerts"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to one address. `id`: the same whenever it is sent again. `payload`: for machines, as JSON. `to`:
    "" for a channel that has one receiver."""

    id: str
    made_at: datetime
    to: str = field(repr=False)
    subject: str = field(repr=False)
    body: str = field(repr=False)
    payload: str = field(default="", repr=False)


class Refused(ITMustAct):
    """The message, or its address, will not be taken however often it is tried."""

    default_remedy = "Correct the address in the configuration."


class Unavailable(RetryLater):
    """The server takes nothing now."""


class Channel(Protocol):
    """Where messages go. Thread-safe."""

    def send(self, letter: Letter) -> None:
        """Hand it over. Raises `Refused` (of this message), `Unavailable`, or `ITMustAct` (of the channel)."""
