"""What there is to tell, computed from what the store knows. Pure."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from connectors.errors import Addressee
from gateway.alerts.values import Audience, Cause, Kind
from gateway.store.values import AgentStatus, ConflictNotice, ConflictRow, HoldRow
from gateway.sync.values import (
    AgentState,
    Conflict,
    ConflictKind,
    HoldReason,
    LinkedAgent,
    Problem,
    Stop,
    Suppression,
)

AGENT, REFERENTE = "agent", "referente"
"""Whom `tell_conflicts` of the rules may name, beside e-mail addresses."""

_MANY, _MANY_SHARE = 5, 0.2
_DETAIL = 300
_NOT_TOLD = frozenset({HoldReason.FIRST_RUN, HoldReason.NATIVE_SYNC})
"""What waits as it should: IT is about to approve it; or it is told as a conflict."""


@dataclass(frozen=True, slots=True)
class AgentFacts:
    """An enrolled agent. `resting`: a system of theirs is declared away, so that nobody is told of what follows."""

    agent: LinkedAgent
    status: AgentStatus
    resting: bool = False


@dataclass(frozen=True, slots=True)
class Situation:
    """All that causes are computed from. `over`: conflicts that are no more and of which something may be told.
    `sentences`: what befell the database. `access`: what is wrong with an OAuth access. `unaddressed`, `undelivered`:
    how many agents have no known address, how many messages were given up. `stale_after`: the age of the last complete
    sync that is too much."""

    now: datetime
    agents: tuple[AgentFacts, ...] = ()
    conflicts: tuple[ConflictRow, ...] = ()
    over: tuple[ConflictNotice, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    holds: tuple[HoldRow, ...] = ()
    access: Problem | None = None
    stop: Stop | None = None
    sentences: tuple[str, ...] = ()
    unaddressed: int = 0
    undelivered: int = 0
    stale_after: timedelta = timedelta(hours=1)


def causes(situation: Situation) -> Iterator[Cause]:
    """Everything there is to tell, whoever is told."""
    live = {each.agent.agent_id: each for each in situation.agents if each.agent.state is AgentState.LIVE}
    yield from _systems(tuple(live.values()), situation)
    yield from _conflicts(situation, live)
    yield from _freed(situation, live)
    yield from _holds(situation.holds, live)
    yield from _whole(situation)


def section(system: str) -> str:
    """The part of a system's name that the configuration gives: what follows names a person."""
    return system.partition("/")[0]


# --- systems -------------------------------------------------------------------------------------------------


def _systems(live: Sequence[AgentFacts], situation: Situation) -> Iterator[Cause]:
    """One cause for each trouble that IT can end, however many agents it has."""
    groups: dict[tuple[Kind, str, str], list[AgentFacts]] = defaultdict(list)
    refused: dict[str, list[AgentFacts]] = defaultdict(list)
    silent: list[AgentFacts] = []
    for each in live:
        problem, is_stale = each.status.last_problem, _is_stale(each, situation)
        if problem is None:
            if is_stale:
                silent.append(each)
        elif problem.addressee == Addressee.AGENT:
            refused[section(problem.system)].append(each)
        elif problem.addressee == Addressee.NOBODY:
            if is_stale:
                groups[Kind.SYSTEM_AWAY, section(problem.system), ""].append(each)
        else:
            kind = Kind.NEEDS_IT if problem.addressee == Addressee.IT else Kind.DEFECT
            groups[kind, section(problem.system), _trait(problem.remedy)].append(each)
    for (kind, subject, about), whom in sorted(groups.items()):
        yield _system(kind, subject, whom, about=about)
    yield from _refused(refused, live)
    if silent:
        yield _system(Kind.SERVICE_SILENT, "", silent, settle=_patience(silent, situation))


def _is_stale(each: AgentFacts, situation: Situation) -> bool:
    """An agent who was never synced completely is, too: for how long shows in time."""
    last = each.status.last_complete_at
    return last is None or situation.now - last > situation.stale_after


def _patience(whom: Iterable[AgentFacts], situation: Situation) -> timedelta | None:
    never = all(each.status.last_complete_at is None for each in whom)
    return situation.stale_after if never else None


def _system(
    kind: Kind, subject: str, whom: Sequence[AgentFacts], *, about: str = "", settle: timedelta | None = None
) -> Cause:
    complete = [each.status.last_complete_at for each in whom if each.status.last_complete_at is not None]
    problem = whom[0].status.last_problem
    return Cause(
        kind,
        Audience.IT,
        subject,
        about=about,
        count=len(whom),
        since=min(complete, default=None),
        detail=_detail(problem),
        settle=settle,
        quiet=all(each.resting for each in whom),
    )


def _refused(refused: dict[str, list[AgentFacts]], live: Sequence[AgentFacts]) -> Iterator[Cause]:
    """Each agent's own matter, unless it befalls many at once."""
    for subject, whom in sorted(refused.items()):
        of_system = sum(any(section(ref.account) == subject for ref in each.agent.calendars) for each in live)
        many = len(whom) > max(_MANY, _MANY_SHARE * of_system)
        if many:
            yield _system(Kind.MANY_REFUSED, subject, whom)
        for each in whom:
            yield Cause(
                Kind.RECONNECT,
                Audience.AGENT,
                subject,
                agent_id=each.agent.agent_id,
                since=each.status.last_complete_at,
                quiet=many or each.resting,
            )


# --- conflicts and what persons did --------------------------------------------------------------------------


def _conflicts(situation: Situation, live: dict[int, AgentFacts]) -> Iterator[Cause]:
    for row in situation.conflicts:
        facts = live.get(row.conflict.agent_id)
        if facts is not None and not row.conflict.kind.is_momentary:
            kind = Kind.RDV_OVER_BUSY if row.conflict.kind is ConflictKind.RDV_OVER_BUSY else Kind.CONFLICT
            yield from _of_conflict(kind, row.conflict, row.tell, row.since, facts)
    for notice in situation.over:
        facts = live.get(notice.conflict.agent_id)
        if facts is not None and notice.over and notice.conflict.kind.is_momentary:
            yield from _of_conflict(Kind.DECIDED, notice.conflict, notice.tell, notice.since, facts)


def _of_conflict(
    kind: Kind, conflict: Conflict, tell: Iterable[str], since: datetime, facts: AgentFacts
) -> Iterator[Cause]:
    """One cause for each that the rules name."""
    starts_at = None if conflict.start is None else _instant(conflict.start, facts.agent)
    for whom in dict.fromkeys(tell):
        audience = Audience.AGENT if whom == AGENT else Audience.REFERENTE
        yield Cause(
            kind,
            audience,
            conflict.kind.value,
            agent_id=conflict.agent_id,
            organisation_id=facts.agent.organisation_id if whom == REFERENTE else None,
            address="" if whom in (AGENT, REFERENTE) else whom,
            about=about_decided(conflict, since) if kind is Kind.DECIDED else conflict.digest,
            since=since,
            start=conflict.start,
            end=conflict.end,
            until=starts_at if kind is Kind.RDV_OVER_BUSY else None,
            quiet=facts.resting,
        )


def about_decided(conflict: Conflict, since: datetime) -> str:
    """Names one time that the gateway decided: the same may be edited on both sides again."""
    return f"{conflict.digest}@{since.isoformat()}"


def _freed(situation: Situation, live: dict[int, AgentFacts]) -> Iterator[Cause]:
    for each in situation.suppressions:
        facts = live.get(each.agent_id)
        if facts is None:
            continue
        until = _instant(each.end, facts.agent)
        if until > situation.now:
            about = hashlib.sha256(repr((str(each.provenance), each.start, each.end)).encode()).hexdigest()
            yield Cause(
                Kind.FREED_BY_HAND,
                Audience.AGENT,
                agent_id=each.agent_id,
                about=about,
                start=each.start,
                end=each.end,
                until=until,
                quiet=facts.resting,
            )


def _instant(wall: datetime, agent: LinkedAgent) -> datetime:
    return wall.replace(tzinfo=agent.zone).astimezone(UTC)


# --- the gateway itself --------------------------------------------------------------------------------------


def _holds(holds: Collection[HoldRow], live: dict[int, AgentFacts]) -> Iterator[Cause]:
    """One for each reason."""
    groups: dict[HoldReason, list[HoldRow]] = defaultdict(list)
    for each in holds:
        if each.agent_id in live and each.reason not in _NOT_TOLD:
            groups[each.reason].append(each)
    for reason, rows in sorted(groups.items()):
        since, agents = min(row.since for row in rows), {row.agent_id for row in rows}
        quiet = all(live[each].resting for each in agents)
        yield Cause(Kind.HOLDS, Audience.IT, reason.value, count=len(agents), since=since, quiet=quiet)


def _whole(situation: Situation) -> Iterator[Cause]:
    if situation.access is not None:
        subject = section(situation.access.system)
        yield Cause(Kind.ACCESS_LAPSING, Audience.IT, subject, detail=_detail(situation.access))
    if situation.stop is not None:
        yield Cause(Kind.WRITES_STOPPED, Audience.IT, since=situation.stop.at)
    for sentence in situation.sentences:
        yield Cause(Kind.DATABASE, Audience.IT, about=_trait(sentence), detail=_plain(sentence))
    if situation.unaddressed:
        yield Cause(Kind.NO_ADDRESS, Audience.IT, count=situation.unaddressed)
    if situation.undelivered:
        yield Cause(Kind.UNDELIVERED, Audience.IT, count=situation.undelivered)


def _detail(problem: Problem | None) -> str:
    return "" if problem is None else _plain(f"{problem.reason} -> {problem.remedy}")


def _plain(text: str) -> str:
    """One line without addresses: those name persons."""
    return re.sub(r"[^\s<>,;:\"']+@[^\s<>,;:\"']+", "…", " ".join(text.split()))[:_DETAIL]


def _trait(text: str) -> str:
    """What tells one trouble of a system from another: the sentence without what changes in it."""
    return hashlib.sha256(re.sub(r"\d+", "0", _plain(text)).encode()).hexdigest()[:16]
