"""Values that the verbs of a sync hand to each other. No I/O, no clock.

Two states, never mixed. *Observed*: what each side was seen to hold (`Seen…`). *Agreed*: the ancestor, what both
sides were last known to share (`Agreed…`, `PoolBlock`); it moves only with a successful operation, or when both
sides are seen equal.

Times of absences and blocks are wall-clock in the agent's zone; other `datetime` values are instants (UTC).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from connectors.records import Absence, EventDraft, Rdv
from gateway.rules.book import RuleSubject
from mappings.blocks import Block, Provenance
from mappings.native import NativeSource
from mappings.times import EventTimes


class Side(StrEnum):
    CALENDAR = "calendar"
    RDV_SOLIDARITES = "rdv_solidarites"


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"
    PAIR = "pair"  # recognise what is there already; writes nothing remote
    ACCEPT = "accept"  # take over what persons did, where that is held; writes nothing remote


class ObjectKind(StrEnum):
    RDV_COPY = "rdv_copy"  # our event for (RDV, agent)
    BUSY_BLOCK = "busy_block"  # an absence of the pool: time that calendar events occupy
    ABSENCE_EVENT = "absence_event"  # our event for an absence born in RDV-Solidarités
    ABSENCE = "absence"  # an absence born in RDV-Solidarités


class OperationClass(StrEnum):
    """What a hold stops: one class never stops the others."""

    COVER = "cover"  # adds busy time in RDV-Solidarités
    UNCOVER = "uncover"  # frees some there
    COPY = "copy"
    UNCOPY = "uncopy"
    MIRROR = "mirror"


class AgentState(StrEnum):
    FIRST_RUN = "first_run"  # enrolled; the first plan waits for its approval
    LIVE = "live"
    PAUSED = "paused"
    LEFT = "left"


class HoldReason(StrEnum):
    FIRST_RUN = "first_run"
    MANY_REMOVALS = "many_removals"
    UNPROVEN = "unproven"
    FOUND_ABSENCE = "found_absence"
    NATIVE_SYNC = "native_sync"
    SHRUNKEN_CALENDAR = "shrunken_calendar"
    CALENDAR_RESTORED = "calendar_restored"
    RDVS_RESTORED = "rdv_solidarites_restored"
    DATABASE_RESTORED = "database_restored"
    MANY_FREED = "many_freed"
    MANY_AGENTS = "many_agents"


@dataclass(frozen=True, slots=True, order=True)
class CalendarRef:
    """A calendar: the account's name in the configuration, and its identity within the account."""

    account: str
    calendar: str

    def __str__(self) -> str:
        return f"{self.account}:{self.calendar}"


@dataclass(frozen=True, slots=True)
class LinkedAgent:
    """An enrolled agent: 1-N calendars that block, exactly one that receives (it is one of those read)."""

    agent_id: int
    zone: ZoneInfo
    sources: tuple[CalendarRef, ...]
    target: CalendarRef
    state: AgentState
    first_run_approved: bool = False
    wave: int | None = None  # the group of agents to go live with
    organisation_id: int | None = None  # the home organisation, whose rules hold; None: no organisation's
    service_id: int | None = None

    @property
    def subject(self) -> RuleSubject:
        """The agent as rules see them."""
        return RuleSubject(self.agent_id, self.organisation_id, self.service_id)

    @property
    def calendars(self) -> tuple[CalendarRef, ...]:
        """All calendars to observe, each once, the target included."""
        return tuple(dict.fromkeys((*self.sources, self.target)))


@dataclass(frozen=True, slots=True)
class MatchedAgent:
    """An agent of whom it is known which calendars are theirs, and who is not enrolled yet.

    `account`: as in `CalendarRef`. `sources`, `target`: a calendar's identity or its name; none: the account's only
    one, or the target. `zone` None: that of the agent's organisations.
    """

    agent_id: int
    account: str
    sources: tuple[str, ...] = ()
    target: str = ""
    zone: ZoneInfo | None = None
    wave: int | None = None
    organisation_id: int | None = None
    service_id: int | None = None


# --- observed ------------------------------------------------------------------------------------------------


class Presence(StrEnum):
    PRESENT = "present"
    GONE = "gone"  # proven
    UNKNOWN = "unknown"  # not seen, not proven gone: nothing is decided from it


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An item of a calendar as last seen: times and keyed digests, no text of a person."""

    ref: CalendarRef
    href: str
    version: str
    raw_digest: str
    uid: str = ""
    marker: str | None = None
    native: NativeSource | None = None  # put there by RDV-Solidarités itself, as far as the event alone tells
    times: EventTimes | None = None  # None: set aside, or holds no event
    set_aside: str = ""  # why it cannot be read; "" if it can
    # Keyed digests of our own fields, for events that carry our marker or our UID namespace; "" for others.
    owned_digest: str = ""
    times_digest: str = ""
    title_digest: str = ""
    notes_digest: str = ""


@dataclass(frozen=True, slots=True)
class SeenRdv:
    """An RDV as last read. `missing_because`: why its absence from readings is not believed (UNKNOWN)."""

    rdv: Rdv
    presence: Presence
    missing_because: str = ""


@dataclass(frozen=True, slots=True)
class SeenAbsence:
    absence: Absence
    presence: Presence
    missing_because: str = ""


# --- agreed --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AgreedCopy:
    """The copy of an RDV in an agent's calendar. Digests: `asked` of the draft last written, others as re-read."""

    rdv_id: int
    agent_id: int
    ref: CalendarRef
    href: str
    uid: str
    asked_digest: str
    owned_digest: str
    notes_digest: str
    ends_at: datetime  # instant; after it the copy is history and stays
    put_back_on: date | None = None
    put_back_count: int = 0
    written_at: datetime | None = None  # instant of our last write; None: not known


class BlockOrigin(StrEnum):
    CREATED = "created"  # we wrote it
    FOUND = "found"  # a person typed it; paired on sight; theirs until a first-run approval
    ADOPTED = "adopted"  # carries our tag, was unknown to our database
    RELEASED = "released"  # a person moved or lengthened it: theirs, never written again


@dataclass(frozen=True, slots=True)
class PoolBlock:
    """An absence that stands for time occupied in calendars. Wall-clock in the agent's zone."""

    absence_id: int
    agent_id: int
    start: datetime
    end: datetime
    provenance: frozenset[Provenance]
    origin: BlockOrigin
    approved: bool = True  # False: found, and no approval lists it yet
    label: str = ""  # what it is called beside the tag; "": masked


@dataclass(frozen=True, slots=True)
class AgreedMirror:
    """An absence born in RDV-Solidarités and our event for it."""

    absence_id: int
    agent_id: int
    ref: CalendarRef
    href: str
    uid: str
    start: datetime  # wall-clock agreed on both sides
    end: datetime
    recurring: bool
    asked_digest: str  # of the draft last written (title included)
    title_digest: str  # as re-read after our write: another one was typed by a person, and stays
    times_digest: str = ""  # as re-read after our write, for a recurring one: its edits are put back


@dataclass(frozen=True, slots=True)
class Suppression:
    """Time that a person freed in RDV-Solidarités for one occurrence, until that occurrence itself changes."""

    agent_id: int
    provenance: Provenance
    occurrence_start: datetime  # wall-clock of the occurrence when it was freed
    occurrence_end: datetime
    start: datetime  # the freed part
    end: datetime


class PinnedThing(StrEnum):
    """What a pin keeps as it is. Its number: an RDV's id, or an absence's."""

    RDV = "rdv"  # its copy, there or not
    BLOCK = "block"  # an absence of the pool
    MIRROR = "mirror"  # an absence and its event, there or not


@dataclass(frozen=True, slots=True)
class Pin:
    """A person's word that something stays as it is, although its source asks for something else.

    `version`: keyed digest of what the source asks for; another one ends the pin. `digest`: of the operation that was
    refused; "" where one was undone.
    """

    agent_id: int
    thing: PinnedThing
    number: int
    version: str
    digest: str
    reason: str  # "reject" or "undo"
    at: datetime  # instant
    by: str


@dataclass(frozen=True, slots=True)
class OpenIntent:
    """A remote write that was committed to and whose outcome is not recorded yet."""

    id: int
    run_id: str
    operation: Operation
    opened_at: datetime  # or its answer was given up: after that nothing more is sent for it
    highest_absence_id: int  # known when it was opened
    before: bytes | None = field(default=None, repr=False)  # pre-image of what the write overwrites or removes


# --- plan ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Interval:
    """Wall-clock, `start` < `end`."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing to do on one side, with the rule that decided it.

    Which fields are filled follows from (kind, action). `interval`: what an absence shall be. `draft`: what an
    event shall be. `basis`: what the remote must still be right before the write (an event's owned digest, an
    absence's "start/end"); "" for a creation. `unproven`: why the disappearance behind it is not proven.
    """

    agent_id: int
    side: Side
    action: Action
    kind: ObjectKind
    op_class: OperationClass
    rule: str
    when: datetime  # start of the time concerned (wall-clock), for the order of work and for people
    rdv_id: int | None = None
    absence_id: int | None = None
    ref: CalendarRef | None = None
    href: str = ""
    draft: EventDraft | None = None
    interval: Interval | None = None
    basis: str = ""
    provenance: frozenset[Provenance] = frozenset()
    unproven: str = ""
    needs_approval: bool = False  # touches an absence that a person typed and no approval lists
    puts_back: bool = False
    rewrites_notes: bool = False
    keeps_title: bool = False
    recurring: bool = False
    label: str = ""  # what a block is called beside the tag; "": masked
    undoes: int = 0  # the journal entry that is undone; 0: none
    body: bytes | None = field(default=None, repr=False)  # of an event that is put back, as its server gave it
    title: str = field(default="", repr=False)  # of an absence that is put back

    @property
    def writes(self) -> bool:
        """Whether anything is written on its side."""
        return self.action not in (Action.PAIR, Action.ACCEPT)

    @property
    def digest(self) -> str:
        """Names this operation in an approval: the same again tomorrow if nothing moved. No personal text."""
        asked: tuple[object, ...] = ()
        if self.draft is not None:
            asked = (self.draft.uid, self.draft.start, self.draft.end, self.draft.status)
        if self.interval is not None:
            asked += (self.interval.start, self.interval.end)
        if self.label and self.action is not Action.DELETE:
            asked += (self.label,)
        parts = (self.agent_id, self.side, self.action, self.kind, self.rdv_id, self.absence_id, self.ref, self.href)
        return hashlib.sha256(repr((parts, tuple(str(a) for a in asked))).encode()).hexdigest()


class ConflictKind(StrEnum):
    BOTH_EDITED = "both_edited"
    DELETED_AND_EDITED = "deleted_and_edited"
    PUT_BACK_TOO_OFTEN = "put_back_too_often"
    NATIVE_SYNC = "native_sync"
    ORPHAN = "orphan"
    NEAR_TWIN = "near_twin"
    RDV_OVER_BUSY = "rdv_over_busy"

    @property
    def is_momentary(self) -> bool:
        """Settled as soon as it is found: there is nothing to do but to tell of it."""
        return self in (ConflictKind.BOTH_EDITED, ConflictKind.DELETED_AND_EDITED)


@dataclass(frozen=True, slots=True)
class Conflict:
    """Something a person should know or settle. `reason` is a sentence for IT, without personal text."""

    agent_id: int
    kind: ConflictKind
    reason: str
    rdv_id: int | None = None
    absence_id: int | None = None
    href: str = ""
    start: datetime | None = None  # wall-clock of the agent: the time that it is about
    end: datetime | None = None

    @property
    def digest(self) -> str:
        """Names this conflict from one run to the next. A second synchroniser is one, whatever it wrote."""
        about: tuple[object, ...] = (self.rdv_id, self.absence_id, self.href, str(self.start), str(self.end))
        if self.kind is ConflictKind.NATIVE_SYNC:
            about = ()
        return hashlib.sha256(repr((self.agent_id, self.kind.value, *about)).encode()).hexdigest()


class ChangeKind(StrEnum):
    """Changes of the agreed state that need no remote write: what a person did, seen and taken over."""

    BLOCK_FREED = "block_freed"  # gone from RDV-Solidarités
    BLOCK_SHORTENED = "block_shortened"
    BLOCK_RELEASED = "block_released"
    BLOCK_AGREED = "block_agreed"  # both sides seen equal
    BLOCK_FORGOTTEN = "block_forgotten"  # past and purged
    SUPPRESSION_ENDED = "suppression_ended"
    BLOCK_LOST = "block_lost"  # gone, and not for good: it is made again
    PROVENANCE_MOVED = "provenance_moved"
    MIRROR_AGREED = "mirror_agreed"  # both sides seen equal
    MIRROR_FORGOTTEN = "mirror_forgotten"  # gone on both sides, or past
    PIN_ENDED = "pin_ended"  # its source asks for something else now


@dataclass(frozen=True, slots=True)
class Change:
    """One change of the agreed state, applied in one transaction with its journal entry."""

    kind: ChangeKind
    agent_id: int
    rule: str
    block: PoolBlock | None = None  # the block as it is to be kept; for BLOCK_FREED the one that is gone
    suppressions: tuple[Suppression, ...] = ()  # to add, or to end
    mirror: AgreedMirror | None = None
    pin: Pin | None = None
    approval: str = ""  # the digest by which a person let it through


@dataclass(frozen=True, slots=True)
class SetAside:
    """An item that cannot be read: named, with the reason; everything else goes on."""

    agent_id: int
    href: str
    reason: str


@dataclass(frozen=True, slots=True)
class Sign:
    """Something is wrong with a whole side of an agent. `explanation`: for IT, what was seen. `doubted`: digests of the
    only moves of blocks that it makes doubtful; None: of all of them."""

    reason: HoldReason
    explanation: str
    doubted: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class AgentHistory:
    """`usual`: how many events each calendar that blocks held when it was last believed. `signs`: those that were seen
    once and hold until nothing waits for them any more."""

    usual: Mapping[CalendarRef, int] = field(default_factory=dict)
    signs: tuple[Sign, ...] = ()


@dataclass(frozen=True, slots=True)
class AgentView:
    """All that a plan for one agent is made of."""

    agent: LinkedAgent
    events: tuple[SeenEvent, ...]
    rdvs: tuple[SeenRdv, ...]
    absences: tuple[SeenAbsence, ...]
    copies: tuple[AgreedCopy, ...] = ()
    blocks: tuple[PoolBlock, ...] = ()
    mirrors: tuple[AgreedMirror, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    open_intents: tuple[OpenIntent, ...] = ()
    pins: tuple[Pin, ...] = ()
    history: AgentHistory = AgentHistory()


@dataclass(frozen=True, slots=True)
class Plan:
    agent_id: int
    operations: tuple[Operation, ...] = ()
    changes: tuple[Change, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    doubled: bool = False  # another synchroniser writes this agent's RDVs: no copy of ours is made or changed
    busy: tuple[Block, ...] = ()  # occurrences that occupy time, what persons freed by hand left out

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to do and nothing to take over."""
        return not self.operations and not self.changes


@dataclass(frozen=True, slots=True)
class Held:
    """An operation that waits for a person."""

    operation: Operation
    reason: HoldReason
    explanation: str


@dataclass(frozen=True, slots=True)
class Guarded:
    """`changes`: those of the plan that may be taken over now."""

    allowed: tuple[Operation, ...] = ()
    held: tuple[Held, ...] = ()
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanFigures:
    """What an agent's first plan comes to, for a person who approves many at once. `weekly_minutes`: of busy time
    that it asks for in RDV-Solidarités, on average over the horizon."""

    agent_id: int
    made_at: datetime  # instant
    pairs: int
    calendar_writes: int
    rdv_solidarites_writes: int
    weekly_minutes: int
    near_twins: int


@dataclass(frozen=True, slots=True)
class BusyShare:
    """Of the time that an agent's calendars block, that of one kind of events. `kind`: length, repetition, calendar,
    reason or label; `name`: which one, for people."""

    kind: str
    name: str
    hours_per_week: float


@dataclass(frozen=True, slots=True)
class BusyLoad:
    """How much time an agent's calendars block, the largest shares first."""

    agent_id: int
    hours_per_week: float
    shares: tuple[BusyShare, ...]


# --- brakes --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stop:
    """A person stopped all writes. `reason`: in their words, for their colleagues; "" if they gave none."""

    at: datetime  # instant
    by: str
    reason: str = ""


# --- outcome -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as people are told of it."""

    agent_id: int | None
    system: str
    reason: str
    addressee: str
    remedy: str


@dataclass(frozen=True, slots=True)
class AgentReport:
    """What one run did for one agent."""

    agent_id: int
    planned: tuple[Operation, ...] = ()  # what the guard let through; done in a real run, only shown in a dry one
    done: tuple[Operation, ...] = ()
    held: tuple[Held, ...] = ()
    waiting: tuple[
        Operation, ...
    ] = ()  # let through, and left to a later run: a ceiling is reached, or a stop is in force
    set_aside: tuple[SetAside, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    problems: tuple[Problem, ...] = ()
    unsettled: int = 0  # writes whose answer was lost, to be settled by reading
    load: BusyLoad | None = None  # of a dry run
    seconds: float = field(default=0.0, compare=False)  # from the start of the run to this agent's end


@dataclass(frozen=True, slots=True)
class RunReport:
    """What one run did for everybody. `requests`: how many, by system."""

    run_id: str
    started_at: datetime
    seconds: float
    agents: tuple[AgentReport, ...]
    problems: tuple[Problem, ...] = ()  # of the whole run; each agent's own are in its report
    requests: tuple[tuple[str, int], ...] = ()
    dry_run: bool = False
    stop: Stop | None = None  # in force when the run ended
    told: tuple[str, ...] = ()  # what befell the database, in sentences for IT


# --- journal -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One remote write or one observed change. `before` is personal: encrypted wherever it is kept."""

    at: datetime
    run_id: str
    agent_id: int | None
    side: str
    action: str  # create, update, delete, pair, observed, approve, enroll, ...
    object: str  # ObjectKind, or agent, hold, ...
    reference: str  # which one: "rdv 12", "absence 34", an href; ids only
    rule: str
    fields: tuple[str, ...] = ()  # names of the fields concerned, never values
    before: bytes | None = field(default=None, repr=False)  # pre-image of what was overwritten or removed
    after_digest: str = ""  # keyed digest of what we left there
    by: str = ""  # the person who did or approved it, where that is known
