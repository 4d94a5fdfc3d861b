"""What was told to whom, and the messages that are on their way.

A message is queued in the transaction that notes its news as told, and noted as sent after it was: a crash between the
two sends it once more, under the same id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from gateway.alerts.values import Audience, Cause, Entry, Identity, Kind
from gateway.keys import Keyring
from gateway.store.codec import dump_json, load_provenance
from gateway.store.schema import alert, alert_message, meta, suppression
from gateway.store.upsert import upsert
from gateway.sync.values import Suppression

_DIGESTED = "alerts.digested_week"


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A message to send. `channel`: `mail`, or a webhook's name. `group`: keyed digest of whom it is for. `content`:
    personal, encrypted where it is kept; gone once it is sent or given up. Instants."""

    id: str
    channel: str
    group: str
    made_at: datetime
    next_at: datetime
    attempts: int = 0
    content: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class MessageCounts:
    """`sent` and `given_up` of the last days that are remembered."""

    waiting: int
    sent: int
    given_up: int


# --- what was told -------------------------------------------------------------------------------------------


def entries(connection: Connection, keys: Keyring) -> dict[Identity, Entry]:
    query = select(
        *(alert.c.key, alert.c.content, alert.c.first_seen, alert.c.gone_at, alert.c.told_at),
        *(alert.c.last_told_at, alert.c.times),
    )
    found = (
        Entry(_load_cause(keys.decrypt(content, _entry_context(key))), *rest)
        for key, content, *rest in connection.execute(query)
    )
    return {entry.cause.identity: entry for entry in found}


def save_entries(connection: Connection, keys: Keyring, changed: Iterable[Entry], dropped: Iterable[Identity]) -> None:
    rows = []
    for entry in changed:
        key = _key(keys, entry.cause.identity)
        rows.append(
            {
                "key": key,
                "first_seen": entry.first_seen,
                "gone_at": entry.gone_at,
                "told_at": entry.told_at,
                "last_told_at": entry.last_told_at,
                "times": entry.times,
                "content": keys.encrypt(_dump_cause(entry.cause), _entry_context(key)),
            }
        )
    upsert(connection, alert, rows)
    for identity in dropped:
        connection.execute(delete(alert).where(alert.c.key == _key(keys, identity)))


def _key(keys: Keyring, identity: Identity) -> str:
    return keys.digest(json.dumps(identity).encode())


def _entry_context(key: str) -> str:
    return f"alert/content/{key}"


_TIMES = ("since", "start", "end", "until")


def _dump_cause(cause: Cause) -> bytes:
    values: dict[str, Any] = {each.name: getattr(cause, each.name) for each in fields(cause)}
    values |= {name: values[name] and values[name].isoformat() for name in _TIMES}
    values["settle"] = None if cause.settle is None else cause.settle.total_seconds()
    return dump_json(values).encode()


def _load_cause(data: bytes) -> Cause:
    values = json.loads(data)
    values |= {name: values[name] and datetime.fromisoformat(values[name]) for name in _TIMES}
    settle = values["settle"]
    values["settle"] = None if settle is None else timedelta(seconds=settle)
    return Cause(**(values | {"kind": Kind(values["kind"]), "audience": Audience(values["audience"])}))


# --- messages ------------------------------------------------------------------------------------------------


def queue(connection: Connection, keys: Keyring, messages: Iterable[QueuedMessage]) -> None:
    rows = [
        {
            "id": each.id,
            "channel": each.channel,
            "addressees": each.group,
            "made_at": each.made_at,
            "next_at": each.next_at,
            "attempts": each.attempts,
            "content": keys.encrypt(each.content, _message_context(each.id)),
        }
        for each in messages
    ]
    if rows:
        connection.execute(insert(alert_message), rows)


def due(connection: Connection, keys: Keyring, now: datetime, limit: int) -> tuple[QueuedMessage, ...]:
    columns = alert_message.c
    query = select(alert_message).where(columns.content.is_not(None), columns.next_at <= now)
    return tuple(
        QueuedMessage(
            id=row.id,
            channel=row.channel,
            group=row.addressees,
            made_at=row.made_at,
            next_at=row.next_at,
            attempts=row.attempts,
            content=keys.decrypt(row.content, _message_context(row.id)),
        )
        for row in connection.execute(query.order_by(columns.next_at, columns.id).limit(limit))
    )


def begin_attempt(connection: Connection, message: QueuedMessage, next_at: datetime) -> bool:
    columns = alert_message.c
    same = (columns.id == message.id, columns.attempts == message.attempts, columns.content.is_not(None))
    values = {"attempts": message.attempts + 1, "next_at": next_at}
    return connection.execute(update(alert_message).where(*same).values(**values)).rowcount == 1


def end_message(connection: Connection, id_: str, *, sent_at: datetime | None, given_up_at: datetime | None) -> None:
    values = {"sent_at": sent_at, "given_up_at": given_up_at, "content": None}
    connection.execute(update(alert_message).where(alert_message.c.id == id_).values(**values))


def forget_messages(connection: Connection, before: datetime) -> None:
    old = or_(alert_message.c.sent_at < before, alert_message.c.given_up_at < before)
    connection.execute(delete(alert_message).where(old))


def last_made(connection: Connection) -> Mapping[str, datetime]:
    columns = alert_message.c
    query = select(columns.addressees, func.max(columns.made_at).label("last")).group_by(columns.addressees)
    return {row.addressees: row.last for row in connection.execute(query)}


def made_since(connection: Connection, since: datetime) -> int:
    query = select(func.count()).where(alert_message.c.made_at > since)
    return int(connection.scalar(query) or 0)


def counts(connection: Connection) -> MessageCounts:
    columns = alert_message.c
    query = select(func.count(columns.content), func.count(columns.sent_at), func.count(columns.given_up_at))
    return MessageCounts(*connection.execute(query).one())


def _message_context(id_: str) -> str:
    return f"alert_message/content/{id_}"


# --- the weekly digest ---------------------------------------------------------------------------------------


def digested_week(connection: Connection) -> str | None:
    return connection.scalar(select(meta.c.value).where(meta.c.name == _DIGESTED))


def set_digested_week(connection: Connection, week: str) -> None:
    upsert(connection, meta, [{"name": _DIGESTED, "value": week}])


# --- what there is to tell -----------------------------------------------------------------------------------


def suppressions_after(connection: Connection, moment: datetime) -> tuple[Suppression, ...]:
    query = select(suppression).where(suppression.c.ends_at > moment).order_by(*suppression.primary_key)
    return tuple(
        Suppression(agent_id, next(iter(load_provenance(provenance))), *times)
        for agent_id, provenance, *times in connection.execute(query)
    )
