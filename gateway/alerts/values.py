"""What alerts are made of: causes, what is remembered of each, and the news that follow. No I/O, no clock.

Nothing here holds personal content: no title, no place, no name of a usager. Ids, times, systems and counts only.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum


class Audience(StrEnum):
    AGENT = "agent"
    IT = "it"
    REFERENTE = "referente"


class Severity(StrEnum):
    INFORMATION = "information"
    WARNING = "warning"
    URGENT = "urgent"


class Kind(StrEnum):
    """What a cause is. Its value names its text, and is what `alerts.off` of the configuration lists."""

    RECONNECT = "reconnect"  # the agent's own access to their calendar is refused
    RDV_OVER_BUSY = "rdv_over_busy"
    FREED_BY_HAND = "freed_by_hand"  # somebody removed a block in RDV-Solidarités: it is not made again
    CONFLICT = "conflict"  # any other that lasts
    DECIDED = "decided"  # both sides were edited, and the gateway chose
    NEEDS_IT = "needs_it"  # certificate, rights, account, address
    SYSTEM_AWAY = "system_away"
    MANY_REFUSED = "many_refused"  # so many agents' own accesses at once that it is not they who can mend it
    SERVICE_SILENT = "service_silent"  # agents are not synced and nothing says why
    ACCESS_LAPSING = "access_lapsing"
    HOLDS = "holds"
    WRITES_STOPPED = "writes_stopped"
    DATABASE = "database"
    DEFECT = "defect"
    NO_ADDRESS = "no_address"  # there is something to tell agents whose address nobody knows
    UNDELIVERED = "undelivered"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a kind is told. `settle`: how long it lasts before it is told. `says_over`: whether its end is news."""

    severity: Severity
    settle: timedelta
    reminds: bool = True
    says_over: bool = True


_AT_ONCE, _SOON, _LATER = timedelta(0), timedelta(minutes=10), timedelta(minutes=30)

MANNERS = {
    Kind.RECONNECT: Manner(Severity.WARNING, _SOON),
    Kind.RDV_OVER_BUSY: Manner(Severity.WARNING, timedelta(minutes=5)),
    Kind.FREED_BY_HAND: Manner(Severity.INFORMATION, _AT_ONCE, reminds=False, says_over=False),
    Kind.CONFLICT: Manner(Severity.WARNING, _SOON),
    Kind.DECIDED: Manner(Severity.INFORMATION, _AT_ONCE, reminds=False, says_over=False),
    Kind.NEEDS_IT: Manner(Severity.URGENT, _SOON),
    Kind.SYSTEM_AWAY: Manner(Severity.URGENT, _SOON),
    Kind.MANY_REFUSED: Manner(Severity.URGENT, _SOON),
    Kind.SERVICE_SILENT: Manner(Severity.URGENT, _SOON),
    Kind.ACCESS_LAPSING: Manner(Severity.URGENT, _AT_ONCE),
    Kind.HOLDS: Manner(Severity.WARNING, _LATER),
    Kind.WRITES_STOPPED: Manner(Severity.WARNING, timedelta(hours=4)),
    Kind.DATABASE: Manner(Severity.WARNING, _AT_ONCE, says_over=False),
    Kind.DEFECT: Manner(Severity.WARNING, _SOON),
    Kind.NO_ADDRESS: Manner(Severity.WARNING, timedelta(hours=1)),
    Kind.UNDELIVERED: Manner(Severity.WARNING, _AT_ONCE, says_over=False),
}

Identity = tuple[str, str, str, int, int, str, str]


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that somebody can mend, or should know.

    Same `identity`: same cause, however its figures change. `subject`: a system's section, or a reason; "": the whole
    gateway. `organisation_id`, `address`: which référente, or whom the rules name. `about`: tells causes of one subject
    apart. `count`: of agents, or of things. `start`, `end`: the time concerned, as the agent's wall-clock. `since` and
    `until` are instants: when it began, if known; from when on it is no news. `detail`: one line for IT, English.
    `settle`: in place of its kind's. `quiet`: it is there, and nobody is to be told of it now.
    """

    kind: Kind
    audience: Audience
    subject: str = ""
    agent_id: int | None = None
    organisation_id: int | None = None
    address: str = field(default="", repr=False)
    about: str = ""
    count: int = 1
    since: datetime | None = None
    start: datetime | None = None
    end: datetime | None = None
    until: datetime | None = None
    detail: str = ""
    settle: timedelta | None = None
    quiet: bool = False

    @property
    def identity(self) -> Identity:
        """Names it from one evaluation to the next."""
        numbers = (self.agent_id or 0, self.organisation_id or 0)
        return (self.kind.value, self.audience.value, self.subject, *numbers, self.address, self.about)

    @property
    def manner(self) -> Manner:
        """How its kind is told."""
        return MANNERS[self.kind]

    @property
    def patience(self) -> timedelta:
        """How long it lasts before it is told."""
        return self.manner.settle if self.settle is None else self.settle


@dataclass(frozen=True, slots=True)
class Entry:
    """What is remembered of a cause. Instants. `gone_at`: since when it is not there any more, if it is not. `told_at`
    None: nobody was told. `times`: how often it was told, reminders included."""

    cause: Cause
    first_seen: datetime
    gone_at: datetime | None = None
    told_at: datetime | None = None
    last_told_at: datetime | None = None
    times: int = 0


class Word(StrEnum):
    TOLD = "told"
    REMINDER = "reminder"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class News:
    """Something to tell. `since`: an instant."""

    word: Word
    cause: Cause
    since: datetime
