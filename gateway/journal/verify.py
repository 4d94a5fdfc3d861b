"""Verification: everything in the journal that is not as the gateway wrote it, by chain, number, id and time.

An entry proves itself by its digest, which nobody makes without the key file. What is missing shows by the numbers of
the chains and by the ids, which have no gaps; an end that was cut off, by a checkpoint. One pass in the order of ids;
what is remembered is one head per chain, and what was found.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, ColumnElement, Connection, LargeBinary, cast, select

from gateway.journal import checkpoints as sealing
from gateway.journal.chain import COLUMNS, Ends
from gateway.journal.checkpoints import Checkpoint, UnusableCheckpoint
from gateway.journal.examining import Examination, Removals, Stored
from gateway.journal.findings import Finding, Kind
from gateway.journal.retention import CONTENT, ERASE, PURGE, purged_before
from gateway.keys import Keyring
from gateway.sealing import key_of
from gateway.store.columns import AnyText, Instant, unescaped
from gateway.store.schema import journal, journal_content

SHOWN = 1_000
"""Findings beyond this are counted only."""

_ROWS_AT_ONCE = 1_000


class Given(NamedTuple):
    """A checkpoint and where it came from."""

    source: str
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification saw. `first_id` to `last_id`: what is there; older ones were removed under an anchor.

    `sealed_id`: the last entry that a proven checkpoint covers (0: none); what comes after can still be cut off without
    being missed. `unreadable`: pre-images whose key is gone, by chain.
    """

    entries: int
    chains: int
    first_id: int
    last_id: int
    removed_before: datetime | None
    sealed_id: int
    sealed_at: datetime | None
    checkpoints: int
    contents: int
    unreadable: dict[int, int]
    findings: tuple[Finding, ...]
    more: int

    @property
    def unsealed(self) -> int:
        """How many entries no checkpoint covers."""
        return max(0, self.last_id - max(self.sealed_id, self.first_id - 1))

    @property
    def is_whole(self) -> bool:
        """Whether everything is as it was written."""
        return not self.findings


def verify(connection: Connection, keys: Keyring, given: Sequence[Given], *, public_key: bytes | None) -> Verdict:
    """Look at everything. `connection` sees one instant. `public_key`: whose signatures count; None: our own."""
    proven, findings = _proven(connection, keys, given, public_key or sealing.public_key(keys))
    anchors = [one for one in proven.kept if one.removed_before is not None]
    anchor = anchors[-1] if anchors else None
    start = Ends(0, None, {}) if anchor is None else anchor.ends
    everything = (*proven.kept, *proven.given)
    if anchor is not None:
        findings += [finding for one in everything if (finding := _against_anchor(one, anchor)) is not None]
    due = [one for one in everything if one.ends.last_id >= start.last_id]
    examination = Examination(keys.chain_key, start, due, _removals(connection, keys))
    counts = _Counts(keys)
    for row in _rows(connection):
        counts.see(row)
        examination.feed(row)
    findings += _loose_contents(connection)
    examination.finish()
    found = [*findings, *examination.findings]
    newest = max(everything, key=lambda one: one.ends.last_id, default=None)
    return Verdict(
        entries=counts.entries,
        chains=len(examination.heads),
        first_id=start.last_id + 1,
        last_id=examination.last_id,
        removed_before=None if anchor is None else anchor.removed_before,
        sealed_id=0 if newest is None else newest.ends.last_id,
        sealed_at=None if newest is None else newest.at,
        checkpoints=len(everything),
        contents=counts.contents,
        unreadable=counts.unreadable,
        findings=tuple(found[:SHOWN]),
        more=examination.more + max(0, len(found) - SHOWN),
    )


# --- rows ----------------------------------------------------------------------------------------------------


class _Counts:
    """What is worth telling beside what is wrong."""

    def __init__(self, keys: Keyring) -> None:
        self.entries = self.contents = 0
        self.unreadable: dict[int, int] = {}
        self._keys = keys
        self._opened: dict[tuple[object, bytes], bool] = {}

    def see(self, row: Stored) -> None:
        self.entries += 1
        if row.sealed is None:
            return
        self.contents += 1
        agent_id, (_, key_id) = row.values["agent_id"], key_of(row.sealed)
        if not isinstance(agent_id, int):
            return
        if (agent_id, key_id) not in self._opened:
            self._opened[agent_id, key_id] = self._keys.persons.opens(agent_id, row.sealed)
        if not self._opened[agent_id, key_id]:
            self.unreadable[agent_id] = self.unreadable.get(agent_id, 0) + 1


def _rows(connection: Connection, *conditions: ColumnElement[bool]) -> Iterator[Stored]:
    """As they are, also where a value is none that the gateway writes."""
    plain = _PlainSqlite() if connection.dialect.name == "sqlite" else _PlainPostgresql()
    columns = [plain.column(journal.c[name]) for name in (*COLUMNS, "digest")]
    query = select(*columns, journal_content.c.before).select_from(journal.outerjoin(journal_content))
    ordered = query.where(*conditions).order_by(journal.c.id)
    for row in connection.execute(ordered, execution_options={"yield_per": _ROWS_AT_ONCE}):
        *values, digest = (plain.value(column, value) for column, value in zip(_READ, row[:-1], strict=True))
        yield Stored(dict(zip(COLUMNS, values, strict=True)), digest, row[-1])


_READ = tuple(journal.c[name] for name in (*COLUMNS, "digest"))


class _PlainPostgresql:
    """The server lets only values of the column's type in."""

    def column(self, column: Column[Any]) -> ColumnElement[Any]:
        return column

    def value(self, _column: Column[Any], value: Any) -> Any:
        return value


class _PlainSqlite:
    """A column holds anything, be it no text in UTF-8 and no time: read as bytes, it is at most another value."""

    def column(self, column: Column[Any]) -> ColumnElement[Any]:
        return column if column.primary_key else cast(column, LargeBinary)

    def value(self, column: Column[Any], value: Any) -> Any:
        if not isinstance(value, bytes):
            return value
        text = value.decode(errors="surrogateescape")
        if isinstance(column.type, AnyText):
            return unescaped(text)
        return _moment(text) if isinstance(column.type, Instant) else _integer(text)


def _integer(text: str) -> int | str:
    """The text itself if it is not a number as SQLite writes one."""
    return int(text) if text.removeprefix("-").isdecimal() and text.isascii() else text


def _moment(text: str) -> datetime | str:
    """The text itself if it is not a time as SQLAlchemy writes one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    written = f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond:06}"
    return moment.replace(tzinfo=UTC) if written == text else text


def _loose_contents(connection: Connection) -> list[Finding]:
    """Pre-images of no entry. A database that is sound has none: it is a foreign key."""
    known = select(journal.c.id)
    loose = select(journal_content.c.journal_id).where(journal_content.c.journal_id.not_in(known)).limit(SHOWN)
    detail = "a pre-image of an entry that is not there"
    return [Finding(Kind.CONTENT_INSERTED, detail, entry_id=number) for number in connection.scalars(loose)]


def _removals(connection: Connection, keys: Keyring) -> Removals:
    """What entries that prove themselves say of pre-images that are gone."""
    before: datetime | None = None
    erased: dict[int, int] = {}
    for row in _rows(connection, journal.c.action.in_((PURGE, ERASE)), journal.c.object == CONTENT):
        if not row.is_genuine(keys.chain_key):
            continue
        if row.values["action"] == ERASE:
            erased[row.values["chain"]] = row.values["id"]
            continue
        until = purged_before(PURGE, CONTENT, row.values["reference"])
        before = max(filter(None, (before, until)), default=None)
    return Removals(before, erased)


# --- checkpoints ---------------------------------------------------------------------------------------------


class _Proven(NamedTuple):
    kept: list[Checkpoint]  # in the database, oldest first
    given: list[Checkpoint]


def _proven(
    connection: Connection, keys: Keyring, given: Sequence[Given], public_key: bytes
) -> tuple[_Proven, list[Finding]]:
    """Those that count, and what is wrong with the others."""
    proven, findings = _Proven([], []), []
    for number, line in sealing.kept(connection):
        source = f"checkpoint {number} in the database"
        try:
            checkpoint = sealing.parse(line)
        except UnusableCheckpoint:
            findings.append(Finding(Kind.CHECKPOINT, f"{source}: it is none"))
            continue
        why_not = _why_not(checkpoint, keys, public_key)
        if why_not is None and checkpoint.number != number:
            why_not = f"it is number {checkpoint.number}"
        if why_not is None:
            proven.kept.append(checkpoint)
        else:
            findings.append(Finding(Kind.CHECKPOINT, f"{source}: {why_not}"))
    for source, checkpoint in given:
        why_not = _why_not(checkpoint, keys, public_key)
        if why_not is None:
            proven.given.append(checkpoint)
        else:
            findings.append(Finding(Kind.CHECKPOINT, f"{source}: {why_not}"))
    return proven, findings


def _why_not(checkpoint: Checkpoint, keys: Keyring, public_key: bytes) -> str | None:
    if not checkpoint.is_signed_by(public_key):
        return "its signature is not by this key, or what it says was altered"
    if checkpoint.instance != keys.instance_id:
        return "it is of another instance"
    return None


def _against_anchor(checkpoint: Checkpoint, anchor: Checkpoint) -> Finding | None:
    """An older checkpoint cannot be compared with entries that were removed, but with what the anchor says of them."""
    ends, start = checkpoint.ends, anchor.ends
    if ends.last_id > start.last_id or anchor.removed_before is None:
        return None
    if ends.last_at is not None and ends.last_at >= anchor.removed_before:
        detail = f"removed under an anchor, though checkpoint {checkpoint.number} sealed younger ones than it tells"
        return Finding(Kind.REMOVED, detail, last_id=ends.last_id, at=ends.last_at)
    for chain, sealed in ends.chains.items():
        kept = start.chains.get(chain)
        if kept is None or kept.sequence < sealed.sequence or (kept.sequence == sealed.sequence and kept != sealed):
            detail = f"what an anchor stands for is not what checkpoint {checkpoint.number} sealed"
            return Finding(Kind.DIFFERS, detail, chain, sealed.sequence, at=ends.last_at)
    return None
