"""What the API answers. Ids, states, counts and times; never a title, a place, a note, an attendee or a usager."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from gateway.sync.values import AgentState, ConflictKind, HoldReason, OperationClass


class Model(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(frozen=True)


Next = Annotated[str | None, Field(description="The `cursor` of the next page; null on the last one.")]
WallClock = Annotated[
    datetime, WithJsonSchema({"type": "string", "examples": ["2026-03-02T09:00:00"]}, mode="serialization")
]
"""Of the agent, without offset."""


class AgentCounts(Model):
    """Enrolled agents by state."""

    first_run: int
    live: int
    paused: int
    left: int


class Freshness(Model):
    """Live agents by the age of their last proven-complete sync."""

    fresh: int
    stale: int = Field(description="Older than `alerts.stale_minutes` of the configuration.")
    never: int


class Fleet(Model):
    """All agents that the token may see, in numbers."""

    agents: AgentCounts
    freshness: Freshness
    with_error: int = Field(description="Agents whose last run had an error.")
    holds: int = Field(description="Operations that wait for a person.")
    conflicts: int
    writes_stopped_since: datetime | None = Field(description="Somebody stopped all writes; null: nobody did.")


class SyncError(Model):
    """Why the last run of an agent did not succeed."""

    system: str = Field(description="`rdv_solidarites`, `database`, or the name of a calendar account.")
    addressee: str = Field(description="Who can mend it: `agent`, `it`, `maintainer`, or `nobody` when it passes.")


class Agent(Model):
    """One enrolled agent."""

    id: int = Field(description="As in RDV-Solidarités.")
    organisation: int | None = Field(description="Home organisation.")
    service: int | None
    wave: int | None
    state: AgentState
    zone: str = Field(description="IANA time zone.", examples=["Europe/Paris"])
    last_complete_at: datetime | None = Field(description="End of the last sync that was proven complete.")
    holds: int = Field(description="Operations that wait for a person.")
    conflicts: int
    set_aside: int = Field(description="Events that cannot be read.")
    unsettled: int = Field(description="Writes whose answer was lost and that are being settled.")
    error: SyncError | None


class AgentPage(Model):
    """Agents by id."""

    items: list[Agent]
    next: Next


class HoldGroup(Model):
    """Operations of one kind that wait for a person for one reason."""

    operation_class: OperationClass = Field(serialization_alias="class")
    reason: HoldReason
    count: int
    since: datetime


class AgentDetail(Agent):
    """One enrolled agent, with what waits for a person."""

    held: list[HoldGroup]


class Conflict(Model):
    """Something that a person should know or settle."""

    id: str
    agent: int
    kind: ConflictKind
    rdv: int | None
    absence: int | None
    start: WallClock | None = Field(description="Wall-clock in `zone`, without offset.")
    end: WallClock | None
    zone: str
    since: datetime


class ConflictPage(Model):
    """Conflicts that are there now, by agent."""

    items: list[Conflict]
    next: Next


class Entry(Model):
    """An entry of the journal, without pre-images: those leave the gateway on its own command line only."""

    id: int
    at: datetime
    run: str | None
    agent: int | None
    side: str = Field(examples=["calendar", "rdv_solidarites", "gateway"])
    action: str = Field(examples=["create", "update", "delete", "pair", "observed", "approve"])
    object: str = Field(examples=["rdv_copy", "busy_block", "absence_event", "absence", "agent"])
    reference: str | None = Field(
        description="Which one, as `rdv 12` or `absence 34`. Anything else, such as the address of an event, only with"
        " the scope `journal:people`."
    )
    rule: str
    fields: list[str] = Field(description="Names of the fields concerned, never values.")
    by: str | None = Field(description="Who did or approved it; only with the scope `journal:people`.")


class JournalPage(Model):
    """Entries, newest first."""

    items: list[Entry]
    next: Next
