"""Small values that the store gives back, beside those of `gateway.sync.values`. Datetimes are instants (UTC)
unless said otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from gateway.sync.values import (
    Action,
    AgentState,
    Conflict,
    HoldReason,
    JournalEntry,
    ObjectKind,
    OperationClass,
    Presence,
    Problem,
    Side,
)


@dataclass(frozen=True, slots=True)
class CalendarState:
    """How far a calendar was read. `cursor` and `mark` as the connector gave them; None: start over.

    `patterns`: digest of the rules' categories and titles that every event of it was asked about.
    """

    cursor: str | None
    mark: str
    read_at: datetime
    patterns: str = ""


@dataclass(frozen=True, slots=True)
class KnownItem:
    version: str
    raw_digest: str
    set_aside: str  # why it cannot be read; "" if it can


@dataclass(frozen=True, slots=True)
class OrganisationState:
    """An organisation as last listed. `agents_epoch` counts changes of its agent list."""

    id: int
    name: str
    agent_ids: frozenset[int]
    agents_epoch: int


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """A window of an organisation's RDVs and when its last complete reading was asked for."""

    start: datetime
    end: datetime
    read_at: datetime


@dataclass(frozen=True, slots=True)
class ObservedRdv:
    """What is known of an RDV without decrypting it. `digest`: keyed, of the whole record, as it was saved with."""

    id: int
    starts_at_server: datetime
    service_id: int | None
    agent_ids: frozenset[int]
    presence: Presence
    missing_because: str
    missing_readings: int
    agents_epoch: int
    digest: str


@dataclass(frozen=True, slots=True)
class ObservedAbsence:
    """What is known of an absence without decrypting its title. Times are wall-clock in the agent's zone.

    `title_digest` is `Keyring.digest` of the title's UTF-8.
    """

    id: int
    agent_id: int
    start: datetime
    end: datetime
    rrule: str | None
    title_digest: str
    presence: Presence
    missing_because: str


@dataclass(frozen=True, slots=True)
class HoldRow:
    """An operation that waits for a person, without the draft. `when`: wall-clock of the time concerned."""

    agent_id: int
    digest: str
    op_class: OperationClass
    reason: HoldReason
    explanation: str
    since: datetime
    side: Side
    action: Action
    kind: ObjectKind
    rdv_id: int | None
    absence_id: int | None
    href: str
    when: datetime


@dataclass(frozen=True, slots=True)
class ConflictRow:
    """A conflict that is there now. `run_id`: of the run that found it. `tell`: "agent" or e-mail addresses, as the
    rules name them. `told_at` None: nobody was told yet."""

    conflict: Conflict
    since: datetime
    run_id: str
    tell: tuple[str, ...]
    told_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConflictNotice:
    """Something to tell of a conflict: that it is there since then; or, `over`, that it is no more, or was settled as
    soon as it was found."""

    conflict: Conflict
    since: datetime
    tell: tuple[str, ...]
    over: bool


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """Where one agent stands. `last_problem` is of the last run: None when it had none."""

    agent_id: int
    state: AgentState
    last_complete_at: datetime | None
    last_run_id: str | None
    last_problem: Problem | None
    held: int
    set_aside: int
    open_intents: int
    conflicts: int


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run in numbers. `finished_at` is None while it runs, and for ever if it was killed."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    dry_run: bool
    agents: int
    done: int
    held: int
    set_aside: int
    conflicts: int
    unsettled: int
    waiting: int
    problems: tuple[Problem, ...]  # of the whole run
    requests: tuple[tuple[str, int], ...]


class JournalRow(NamedTuple):
    """An entry and its number: the greater, the newer."""

    id: int
    entry: JournalEntry
