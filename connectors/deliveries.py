"""What webhooks of RDV-Solidarités tell, as neutral records."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from enum import StrEnum

from connectors.records import Absence, Rdv


class Told(StrEnum):
    """What a webhook is about. The values are the API's model names, but for PING, which is our own."""

    RDV = "Rdv"
    ABSENCE = "Absence"
    PLAGE_OUVERTURE = "PlageOuverture"
    LIEU = "Lieu"
    AGENT = "Agent"
    AGENT_ROLE = "AgentRole"
    PING = "RdvGatewayPing"


class DeliveryEvent(StrEnum):
    """What befell it."""

    CREATED = "created"
    UPDATED = "updated"
    DESTROYED = "destroyed"


@dataclass(frozen=True, slots=True)
class PlageOuverture:
    """Opening hours of an agent. Wall-clock in the agent's zone; `rrule`: the API's text, None if not recurring."""

    id: int
    agent_id: int
    organisation_id: int | None
    first_day: date
    start: time
    end: time
    rrule: str | None
    lieu_id: int | None
    motif_ids: tuple[int, ...]
    title: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Lieu:
    """A place of an organisation. One for a `single_use` may be anybody's address."""

    id: int
    organisation_id: int | None
    single_use: bool
    name: str = field(default="", repr=False)
    address: str = field(default="", repr=False)


DeliveredContent = Rdv | Absence | PlageOuverture | Lieu


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook, reduced to what the gateway may know.

    `said_at`: instant at which it was written, in whole seconds of the server's clock, rounded down. `purge`: it was
    removed because its retention ended. `content`: None when it is destroyed, when nothing of it is kept, or when it
    could not be read, which `unreadable` says why.
    """

    about: Told
    event: DeliveryEvent
    record_id: int
    said_at: datetime
    purge: bool = False
    content: DeliveredContent | None = None
    unreadable: str = ""
