"""Work in progress: intents, holds, approvals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from connectors.errors import OurBug
from gateway.keys import Keyring
from gateway.store.codec import dump_operation, load_operation
from gateway.store.schema import approval, hold, intent
from gateway.store.statements import given, optional
from gateway.store.upsert import upsert
from gateway.store.values import HoldRow
from gateway.sync.values import (
    Action,
    Held,
    HoldReason,
    ObjectKind,
    OpenIntent,
    Operation,
    OperationClass,
    Side,
)

_HOLD = (
    hold.c.agent_id,
    hold.c.digest,
    hold.c.op_class,
    hold.c.reason,
    hold.c.explanation,
    hold.c.since,
    hold.c.side,
    hold.c.action,
    hold.c.kind,
    hold.c.rdv_id,
    hold.c.absence_id,
    hold.c.href,
    hold.c.at_time,
)
_OPEN, _OPEN_OF_AGENT = optional(
    select(
        intent.c.id,
        intent.c.run_id,
        intent.c.agent_id,
        intent.c.operation,
        intent.c.opened_at,
        intent.c.highest_absence_id,
        intent.c.before,
    )
    .where(intent.c.outcome.is_(None))
    .order_by(intent.c.id),
    intent.c.agent_id,
)
_NEW_INTENT = insert(intent)
_FILL_INTENT = update(intent).where(given(intent.c.id))
_CHANGE_OPEN = _FILL_INTENT.where(intent.c.outcome.is_(None))
_HOLDS, _HOLDS_OF_AGENT = optional(
    select(*_HOLD).order_by(hold.c.agent_id, hold.c.at_time, hold.c.digest), hold.c.agent_id
)
_KNOWN_HOLDS = select(hold.c.digest, hold.c.since, hold.c.run_id).where(given(hold.c.agent_id))
_END_HOLD = delete(hold).where(given(hold.c.agent_id, hold.c.digest))
_APPROVALS = select(approval.c.digest).where(given(approval.c.agent_id))
_THIS_APPROVAL = given(approval.c.agent_id, approval.c.digest)
_APPROVED_BY = select(approval.c.approved_by).where(_THIS_APPROVAL)
_USE_APPROVAL = delete(approval).where(_THIS_APPROVAL)

# --- intents -------------------------------------------------------------------------------------------------


def open_intents(connection: Connection, keys: Keyring, agent_id: int | None) -> tuple[OpenIntent, ...]:
    rows = connection.execute(_OPEN if agent_id is None else _OPEN_OF_AGENT, {"of_agent_id": agent_id})
    return tuple(
        OpenIntent(
            id_,
            run_id,
            load_operation(keys.decrypt_for(owner, sealed, _context(id_, "operation"))),
            opened_at,
            highest,
            before=None if before is None else keys.decrypt_for(owner, before, _context(id_, "before")),
        )
        for id_, run_id, owner, sealed, opened_at, highest, before in rows
    )


def open_intent(
    connection: Connection,
    keys: Keyring,
    run_id: str,
    operation: Operation,
    *,
    highest_absence_id: int,
    at: datetime,
    before: bytes | None,
) -> OpenIntent:
    row = {
        "run_id": run_id,
        "agent_id": operation.agent_id,
        "digest": operation.digest,
        "opened_at": at,
        "highest_absence_id": highest_absence_id,
    }
    (intent_id,) = connection.execute(_NEW_INTENT, row).inserted_primary_key or (0,)
    owner = operation.agent_id
    # Encrypted for its row, whose id is known only now.
    sealed: dict[str, object] = {"of_id": intent_id}
    sealed["operation"] = keys.encrypt_for(owner, dump_operation(operation), _context(intent_id, "operation"))
    if before is not None:
        sealed["before"] = keys.encrypt_for(owner, before, _context(intent_id, "before"))
    connection.execute(_FILL_INTENT, sealed)
    return OpenIntent(intent_id, run_id, operation, at, highest_absence_id, before=before)


def await_intent(connection: Connection, intent_id: int, at: datetime) -> None:
    _change_open(connection, intent_id, opened_at=at)


def close_intent(connection: Connection, intent_id: int, outcome: str) -> None:
    _change_open(connection, intent_id, outcome=outcome, operation=None, before=None)


def _change_open(connection: Connection, intent_id: int, **values: object) -> None:
    if connection.execute(_CHANGE_OPEN, values | {"of_id": intent_id}).rowcount != 1:
        raise OurBug(f"intent {intent_id} is not open", system="database")


def _context(intent_id: int, column: str) -> str:
    return f"intent/{column}/{intent_id}"


# --- holds and approvals -------------------------------------------------------------------------------------


def holds(connection: Connection, agent_id: int | None) -> tuple[HoldRow, ...]:
    rows = connection.execute(_HOLDS if agent_id is None else _HOLDS_OF_AGENT, {"of_agent_id": agent_id})
    return tuple(
        HoldRow(
            agent, digest, OperationClass(op_class), HoldReason(reason), explanation, since,
            Side(side), Action(action), ObjectKind(kind), *rest,
        )
        for agent, digest, op_class, reason, explanation, since, side, action, kind, *rest in rows
    )  # fmt: skip


def replace_holds(connection: Connection, agent_id: int, held: Sequence[Held], *, run_id: str, at: datetime) -> None:
    before = connection.execute(_KNOWN_HOLDS, {"of_agent_id": agent_id})
    known = {digest: (since, first_run) for digest, since, first_run in before}
    rows = {}
    for one in held:
        digest = one.operation.digest
        since, first_run = known.get(digest, (at, run_id))
        rows[digest] = _hold_row(agent_id, digest, one, since=since, run_id=first_run)
    upsert(connection, hold, list(rows.values()))
    ended = known.keys() - rows.keys()
    if ended:
        connection.execute(_END_HOLD, [{"of_agent_id": agent_id, "of_digest": digest} for digest in ended])


def drop_holds(connection: Connection, agent_id: int, digests: Collection[str]) -> None:
    connection.execute(delete(hold).where(hold.c.agent_id == agent_id, hold.c.digest.in_(digests)))


def _hold_row(agent_id: int, digest: str, held: Held, *, since: datetime, run_id: str) -> dict[str, object]:
    operation = held.operation
    return {
        "agent_id": agent_id,
        "digest": digest,
        "run_id": run_id,
        "since": since,
        "op_class": operation.op_class.value,
        "reason": held.reason.value,
        "explanation": held.explanation,
        "side": operation.side.value,
        "action": operation.action.value,
        "kind": operation.kind.value,
        "rdv_id": operation.rdv_id,
        "absence_id": operation.absence_id,
        "href": operation.href,
        "at_time": operation.when,
    }


def approvals(connection: Connection, agent_id: int) -> frozenset[str]:
    return frozenset(connection.scalars(_APPROVALS, {"of_agent_id": agent_id}))


def approve(connection: Connection, agent_id: int, digests: Collection[str], *, at: datetime, by: str) -> None:
    rows = [
        {"agent_id": agent_id, "digest": digest, "approved_at": at, "approved_by": by} for digest in sorted(digests)
    ]
    upsert(connection, approval, rows)


def withdraw_approvals(connection: Connection, agent_id: int) -> int:
    return connection.execute(delete(approval).where(approval.c.agent_id == agent_id)).rowcount


def consume_approval(connection: Connection, agent_id: int, digest: str) -> str | None:
    this = {"of_agent_id": agent_id, "of_digest": digest}
    by: str | None = connection.scalar(_APPROVED_BY, this)
    if by is not None:
        connection.execute(_USE_APPROVAL, this)
    return by
