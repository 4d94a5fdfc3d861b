"""What is to be done: by what the last sync knew, by what the next one will know, and by what is really there. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from gateway.audit.values import Cause, Finding
from gateway.sync.ceiling import remote_of
from gateway.sync.guard import context_of, guard
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.values import AgentView, Change, Conflict, ConflictKind, Guarded, Operation, Plan


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Why something may rightly not be done yet. `stopped`: a person stopped all writes. `full`: remotes whose ceiling
    of writes is reached. `failed`: the last run told of a problem of this agent."""

    approvals: frozenset[str] = frozenset()
    sync_running: bool = False
    stopped: bool = False
    full: frozenset[str] = frozenset()
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Decided:
    plan: Plan
    guarded: Guarded


def decide(view: AgentView, context: PlanContext, approvals: frozenset[str]) -> Decided:
    """Plan and guard, as a sync would."""
    plan = make_plan(view, context)
    return Decided(plan, guard(plan, context_of(view, plan, approvals, context.rules(view.agent))))


def plan_findings(
    last: Decided | None, coming: Decided, real: Decided, circumstances: Circumstances
) -> Iterator[Finding]:
    """`last`: by what is stored, at the time of the last run; None: there was none. `coming`: what the next sync will
    do. `real`: what it should do."""
    left = _keys(last) if last is not None else frozenset()
    asked, planned = _keys(real), _keys(coming)
    for operation in coming.guarded.allowed:
        if operation.digest in asked:
            yield _operation(operation, _why_to_do(operation, left, circumstances), "is to be done")
        else:
            yield _operation(operation, Cause.MISTAKEN, "would be done")
    for operation in real.guarded.allowed:
        if operation.digest not in planned:
            yield _operation(operation, Cause.UNKNOWN_TO_SYNC, "is not going to be done")
    for change in coming.plan.changes:
        cause = Cause.UNFINISHED if _change_key(change) in left else Cause.SINCE_LAST_READING
        if circumstances.sync_running and cause is Cause.UNFINISHED:
            cause = Cause.SYNC_RUNNING
        yield _change(change, cause)
    yield from _waiting(coming)


def _keys(decided: Decided) -> frozenset[str]:
    operations = {operation.digest for operation in decided.guarded.allowed}
    return frozenset(operations | {_change_key(change) for change in decided.plan.changes})


def _change_key(change: Change) -> str:
    return repr((change.kind.value, change.block, change.mirror, sorted(map(repr, change.suppressions))))


def _why_to_do(operation: Operation, left: Collection[str], circumstances: Circumstances) -> Cause:
    if operation.digest not in left:
        return Cause.SINCE_LAST_READING
    remote = remote_of(operation)
    if remote is not None and (circumstances.stopped or remote in circumstances.full):
        return Cause.WAITING
    if circumstances.sync_running:
        return Cause.SYNC_RUNNING
    is_new = operation.digest in circumstances.approvals and not circumstances.failed
    return Cause.APPROVED if is_new else Cause.UNFINISHED


def _operation(operation: Operation, cause: Cause, text: str) -> Finding:
    what = f"{operation.action.value} {operation.kind.value} {text} ({operation.rule})"
    return Finding(operation.agent_id, cause, "operation", _reference(operation), what, when=operation.when)


def _reference(operation: Operation) -> str:
    """Which thing: ids, an href, or the time that is to be blocked."""
    if operation.rdv_id is not None:
        return f"rdv {operation.rdv_id}"
    if operation.absence_id is not None:
        return f"absence {operation.absence_id}"
    if operation.interval is not None:
        return f"{operation.interval.start.isoformat()}/{operation.interval.end.isoformat()}"
    return operation.href


def _change(change: Change, cause: Cause) -> Finding:
    held = change.block or change.mirror
    reference = f"absence {held.absence_id}" if held is not None else ""
    if held is None and change.suppressions:
        reference = change.suppressions[0].provenance.href
    what = f"{change.kind.value} is to be taken over ({change.rule})"
    return Finding(change.agent_id, cause, "change", reference, what, when=held.start if held else None)


def _waiting(coming: Decided) -> Iterator[Finding]:
    """What differs and waits: for a person, or for an answer."""
    for held in coming.guarded.held:
        found = _operation(held.operation, Cause.HELD, "is held")
        yield replace(found, what=f"{found.what}: {held.explanation or held.reason.value}")
    for item in coming.plan.set_aside:
        yield Finding(item.agent_id, Cause.SET_ASIDE, "event", item.href, item.reason)
    for conflict in coming.plan.conflicts:
        yield _conflict(conflict)


def _conflict(conflict: Conflict) -> Finding:
    cause = Cause.ORPHAN if conflict.kind is ConflictKind.ORPHAN else Cause.CONFLICT
    parts = [f"rdv {conflict.rdv_id}" if conflict.rdv_id is not None else ""]
    parts += [f"absence {conflict.absence_id}" if conflict.absence_id is not None else "", conflict.href]
    reference = " ".join(part for part in parts if part) or conflict.kind.value
    return Finding(conflict.agent_id, cause, "conflict", reference, conflict.reason, when=conflict.start)


def standing_findings(view: AgentView) -> Iterator[Finding]:
    """Differences that are meant to be: time freed by hand, writes whose outcome is awaited."""
    agent_id = view.agent.agent_id
    for freed in view.suppressions:
        what = "its event occupies this time, and a person freed it"
        yield Finding(agent_id, Cause.SUPPRESSED, "event", freed.provenance.href, what, when=freed.start)
    for intent in view.open_intents:
        yield _operation(intent.operation, Cause.OPEN_WRITE, "was sent")
