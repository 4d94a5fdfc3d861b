"""The journal's entries in the database. They are added and read; nothing here, nor the database, changes one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Column, Connection, Row, RowMapping, ScalarSelect, Select, bindparam, func, insert, select

from gateway.journal import checkpoints
from gateway.journal.chain import NOTHING, Head, chain_of, content_digest, entry_digest
from gateway.keys import Keyring
from gateway.person_keys import PersonKeyGone
from gateway.store.codec import dump_json
from gateway.store.schema import journal, journal_content
from gateway.store.values import JournalRow
from gateway.sync.values import JournalEntry

_COLUMNS = (
    journal.c.id,
    journal.c.at,
    journal.c.run_id,
    journal.c.agent_id,
    journal.c.side,
    journal.c.action,
    journal.c.object,
    journal.c.reference,
    journal.c.rule,
    journal.c.fields,
    journal.c.after_digest,
    journal.c.by,
)


def _last_of_chain(column: Column[Any]) -> ScalarSelect[Any]:
    of_chain = select(column).where(journal.c.chain == bindparam("of_chain"))
    return of_chain.order_by(journal.c.sequence.desc()).limit(1).scalar_subquery()


_LAST = select(
    select(func.max(journal.c.id)).scalar_subquery(),
    _last_of_chain(journal.c.sequence),
    _last_of_chain(journal.c.digest),
)
_ADD, _ADD_CONTENT = insert(journal), insert(journal_content)


@dataclass(frozen=True, slots=True)
class JournalFilter:
    """Which entries; None: all. `since` included, `until` not; `object`: a kind (`rdv_copy`) or a reference
    (`rdv 12`). `agent_ids`: of none but these agents."""

    agent_id: int | None = None
    run_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    entry_id: int | None = None
    object: str | None = None
    agent_ids: frozenset[int] | None = None

    def of(self, query: Select[Any]) -> Select[Any]:
        """The query, narrowed."""
        equal = {"agent_id": self.agent_id, "run_id": self.run_id, "id": self.entry_id}
        for name, value in equal.items():
            if value is not None:
                query = query.where(journal.c[name] == value)
        if self.agent_ids is not None:
            query = query.where(journal.c.agent_id.in_(sorted(self.agent_ids)))
        if self.since is not None:
            query = query.where(journal.c.at >= self.since)
        if self.until is not None:
            query = query.where(journal.c.at < self.until)
        if self.object is not None:
            query = query.where((journal.c.object == self.object) | (journal.c.reference == self.object))
        return query


def append(connection: Connection, keys: Keyring, entries: Iterable[JournalEntry]) -> list[int]:
    """Add entries, each at the end of its chain, pre-images encrypted; their ids, each one more than the one before.

    The caller's transaction has its turn to write: nobody else adds anything until it ends.
    """
    rows: list[dict[str, Any]] = []
    contents: list[dict[str, object]] = []
    heads: dict[int, Head] = {}
    next_id = 0
    for entry in entries:
        chain = chain_of(entry.agent_id)
        if chain not in heads:
            after, heads[chain] = _next(connection, chain)
            next_id = next_id or after  # those that are added here are not in the database yet
        sealed = None if entry.before is None else _seal(keys, entry.agent_id, next_id, entry.before)
        row = _row_of(keys, entry, next_id, sealed, heads[chain])
        heads[chain] = Head(heads[chain].sequence + 1, row["digest"])
        rows.append(row)
        if sealed is not None:
            contents.append({"journal_id": next_id, "before": sealed})
        next_id += 1
    if rows:
        connection.execute(_ADD, rows)
    if contents:
        connection.execute(_ADD_CONTENT, contents)
    return [row["id"] for row in rows]


def _row_of(keys: Keyring, entry: JournalEntry, entry_id: int, sealed: bytes | None, head: Head) -> dict[str, Any]:
    row = {
        "id": entry_id,
        "at": entry.at,
        "run_id": entry.run_id,
        "agent_id": entry.agent_id,
        "side": entry.side,
        "action": entry.action,
        "object": entry.object,
        "reference": entry.reference,
        "rule": entry.rule,
        "fields": dump_json(entry.fields),
        "by": entry.by,
        "before_digest": "" if entry.before is None else _digest(keys, entry.agent_id, entry.before),
        "after_digest": entry.after_digest,
        "content_digest": "" if sealed is None else content_digest(keys.chain_key, sealed),
        "chain": chain_of(entry.agent_id),
        "sequence": head.sequence + 1,
        "previous": head.digest,
    }
    return row | {"digest": entry_digest(keys.chain_key, row)}


def read(
    connection: Connection,
    keys: Keyring,
    chosen: JournalFilter,
    *,
    limit: int,
    before_id: int | None,
    with_content: bool,
) -> tuple[JournalRow, ...]:
    """Entries with their numbers, newest first. `before` is filled only `with_content`, and not once it is purged or
    erased."""
    columns = (*_COLUMNS, journal_content.c.before) if with_content else _COLUMNS
    query = select(*columns).order_by(journal.c.id.desc()).limit(limit)
    if with_content:
        query = query.outerjoin_from(journal, journal_content)
    if before_id is not None:
        query = query.where(journal.c.id < before_id)
    return tuple(_row(keys, row, with_content=with_content) for row in connection.execute(chosen.of(query)))


def stored(connection: Connection, chosen: JournalFilter) -> Iterator[RowMapping]:
    """All columns of the entries, oldest first, as they are; `before` still encrypted, None where there is none."""
    query = select(journal, journal_content.c.before).outerjoin_from(journal, journal_content)
    ordered = chosen.of(query).order_by(journal.c.id)
    yield from connection.execute(ordered, execution_options={"yield_per": 500}).mappings()


def content_of(keys: Keyring, agent_id: int | None, entry_id: int, sealed: bytes) -> bytes | None:
    """A pre-image; None once its key is gone. Raises `Undecipherable`."""
    if agent_id is None:
        return keys.decrypt(sealed, _context(entry_id))
    try:
        return keys.decrypt_for(agent_id, sealed, _context(entry_id))
    except PersonKeyGone:
        return None


def _row(keys: Keyring, row: Row[Any], *, with_content: bool) -> JournalRow:
    values: dict[str, Any] = {column.name: value for column, value in zip(_COLUMNS, row, strict=False)}
    entry_id: int = values.pop("id")
    sealed = row.before if with_content else None
    before = None if sealed is None else content_of(keys, row.agent_id, entry_id, sealed)
    values["fields"] = tuple(json.loads(values["fields"]))
    return JournalRow(entry_id, JournalEntry(**values, before=before))


def _next(connection: Connection, chain: int) -> tuple[int, Head]:
    """The number of the next entry, and what it follows."""
    last_id, sequence, digest = connection.execute(_LAST, {"of_chain": chain}).one()
    if last_id is not None and sequence is not None:
        return last_id + 1, Head(sequence, digest)
    removed = checkpoints.anchored(connection)  # what came before may have been removed, with an anchor in its place
    return (last_id or removed.last_id) + 1, removed.chains.get(chain, NOTHING)


def _seal(keys: Keyring, agent_id: int | None, entry_id: int, content: bytes) -> bytes:
    if agent_id is None:
        return keys.encrypt(content, _context(entry_id))
    return keys.encrypt_for(agent_id, content, _context(entry_id))


def _digest(keys: Keyring, agent_id: int | None, content: bytes) -> str:
    return keys.digest(content) if agent_id is None else keys.persons.digest(agent_id, content)


def _context(entry_id: int) -> str:
    return f"journal_content/before/{entry_id}"
