"""What an audit finds: values, without I/O."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.sync.values import Problem


class Cause(StrEnum):
    """The likely cause of a difference. `is_drift`: no coming sync would end it."""

    # Drift.
    NOT_TOLD = "not_told"
    VERSION_CAME_BACK = "version_came_back"
    UNDERSTOOD_OTHERWISE = "understood_otherwise"
    STORE_CONTRADICTS = "store_contradicts"
    OTHER_WRITER = "other_writer"
    DOUBLE = "double"
    UNFINISHED = "unfinished"
    UNKNOWN_TO_SYNC = "unknown_to_sync"
    MISTAKEN = "mistaken"
    CLOCK = "clock"
    # Differences that a coming sync ends, or that wait for somebody.
    SINCE_LAST_READING = "since_last_reading"
    RULES_CHANGED = "rules_changed"
    APPROVED = "approved"
    WAITING = "waiting"
    SYNC_RUNNING = "sync_running"
    MOVING = "moving"
    FAR = "far"
    RESTLESS_VERSION = "restless_version"
    HELD = "held"
    SUPPRESSED = "suppressed"
    OPEN_WRITE = "open_write"
    CONFLICT = "conflict"
    ORPHAN = "orphan"
    SET_ASIDE = "set_aside"
    RIGHTS = "rights"
    LEFT_ALONE = "left_alone"

    @property
    def is_drift(self) -> bool:
        """Whether it counts."""
        return self in _DRIFT

    @property
    def explanation(self) -> str:
        """What it means, for IT."""
        return _TEXTS[self][0]

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _TEXTS[self][1]


_DRIFT = frozenset(
    {
        Cause.NOT_TOLD,
        Cause.VERSION_CAME_BACK,
        Cause.UNDERSTOOD_OTHERWISE,
        Cause.STORE_CONTRADICTS,
        Cause.OTHER_WRITER,
        Cause.DOUBLE,
        Cause.UNFINISHED,
        Cause.UNKNOWN_TO_SYNC,
        Cause.MISTAKEN,
        Cause.CLOCK,
    }
)

_REREAD = "Run `audit --repair-shadow`: the next sync reads this calendar whole."
_NOTHING = "Nothing: the next sync takes it in."
_SYNC = "Run a sync and audit again; if it is still there, report it with `support bundle`."

_TEXTS = {
    Cause.NOT_TOLD: ("the server's token or mark does not tell of this change", _REREAD),
    Cause.VERSION_CAME_BACK: ("another content bears the same ETag as the one that was read", _REREAD),
    Cause.UNDERSTOOD_OTHERWISE: ("the same content is understood otherwise than when it was read", _REREAD),
    Cause.STORE_CONTRADICTS: ("the database contradicts itself: restored, or changed by another program", _SYNC),
    Cause.OTHER_WRITER: ("a person or another program changed it, and no sync answers to that", _SYNC),
    Cause.DOUBLE: ("there is more than one of what should be there once", "Delete the one that is not ours by hand."),
    Cause.UNFINISHED: ("the last sync left it undone, or the rules were changed since", "Look at `status`; then sync."),
    Cause.UNKNOWN_TO_SYNC: ("it is to be done, and the next sync does not know", _REREAD),
    Cause.MISTAKEN: ("the next sync would do it, and what is really there does not ask for it", _REREAD),
    Cause.CLOCK: ("the database knows of readings in the future: the clock jumped", "Set this machine's clock (NTP)."),
    Cause.SINCE_LAST_READING: ("changed after the last reading", _NOTHING),
    Cause.RULES_CHANGED: ("the rules ask for other categories or titles than at the last reading", _NOTHING),
    Cause.APPROVED: ("approved, and not done yet", _NOTHING),
    Cause.WAITING: ("a stop is in force, or a ceiling of writes is reached", "See `status`; `resume --writes`."),
    Cause.SYNC_RUNNING: ("a sync is at work", "Nothing: audit again when it is done."),
    Cause.MOVING: ("it came up only when this was checked again", "Audit again."),
    Cause.FAR: ("far from the days that matter: read within a day", "Nothing."),
    Cause.RESTLESS_VERSION: ("its ETag changed and its content did not", "Nothing."),
    Cause.HELD: ("held until a person decides", "See `plan`; `approve` lets it through."),
    Cause.SUPPRESSED: (
        "a person freed this time in RDV-Solidarités",
        "Nothing: it stays free until the event changes.",
    ),
    Cause.OPEN_WRITE: ("a write was sent and its outcome is not known yet", "Nothing: the next sync settles it."),
    Cause.CONFLICT: ("left to a person", "See `conflicts`."),
    Cause.ORPHAN: ("it bears our name, and nothing is known of it", "Look at it; delete it by hand if it is idle."),
    Cause.SET_ASIDE: ("it cannot be read", "Correct or remove it at its source."),
    Cause.RIGHTS: ("the service account may not see it", "Give the service account its rights back."),
    Cause.LEFT_ALONE: ("a person removed the copy of a cancelled RDV", "Nothing."),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One difference. `kind`: event, rdv, absence, copy, block, mirror, operation, change or reading.

    `reference`: ids and hrefs only. `what`: a sentence without personal text. `fields`: names, never values.
    `when`: wall-clock of the agent, where there is one.
    """

    agent_id: int
    cause: Cause
    kind: str
    reference: str
    what: str
    fields: tuple[str, ...] = ()
    when: datetime | None = None

    @property
    def key(self) -> tuple[object, ...]:
        """The same difference when it is found a second time, whatever its cause then."""
        return (self.agent_id, self.kind, self.reference)


@dataclass(frozen=True, slots=True)
class Compared:
    """How much was compared."""

    events: int = 0
    rdvs: int = 0
    absences: int = 0
    copies: int = 0
    blocks: int = 0
    mirrors: int = 0


@dataclass(frozen=True, slots=True)
class AgentAudit:
    """One agent. `problems`: why this agent could not be compared; then there are no findings."""

    agent_id: int
    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    compared: Compared = Compared()

    @property
    def drift(self) -> tuple[Finding, ...]:
        """The findings that count."""
        return tuple(finding for finding in self.findings if finding.cause.is_drift)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """One audit. `requests`: how many, by system; all of them only read."""

    started_at: datetime
    seconds: float
    agents: tuple[AgentAudit, ...]
    requests: tuple[tuple[str, int], ...] = ()

    @property
    def drift(self) -> int:
        """How many differences no coming sync would end."""
        return sum(len(agent.drift) for agent in self.agents)

    @property
    def not_compared(self) -> int:
        """Agents of whom one side could not be read."""
        return sum(bool(agent.problems) for agent in self.agents)
