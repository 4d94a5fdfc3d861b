"""Checkpoints: signed statements of where every chain ended at one moment.

They are kept in the database and exported as one line of JSON, to be kept elsewhere: what is cut off, or made anew with
all keys, is found by a checkpoint that was exported before. A checkpoint that is an anchor also stands for the entries
up to its own end, which retention removed: the chains go on from it. Signature: Ed25519 (RFC 8032) over the canonical
JSON of all other members.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)
from sqlalchemy import Connection, delete, func, insert, select

from connectors.errors import ITMustAct
from gateway.journal.chain import Ends, Head
from gateway.keys import Keyring
from gateway.store.codec import dump_json
from gateway.store.schema import journal, journal_checkpoint

_FORMAT = 1
_KEPT = 30  # of those that are no anchor; others are where they were exported to


class UnusableCheckpoint(ITMustAct):
    """What was given as a checkpoint or as a public key is none."""

    default_remedy = "Give the file that `rdv-gateway journal checkpoint --to` or `journal public-key` made."

    def __init__(self, message: str) -> None:
        super().__init__(message, system="journal")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`removed_before`: of an anchor, entries older than this were removed up to its end; None: a mere checkpoint."""

    instance: str
    number: int
    at: datetime
    ends: Ends
    removed_before: datetime | None
    public_key: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """As exported: one line of JSON."""
        return dump_json(_content(self) | {"signature": _text(self.signature)})

    def is_signed_by(self, public_key: bytes) -> bool:
        """Whether this key, and no other, signed it as it is."""
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(self.signature, dump_json(_content(self)).encode())
        except InvalidSignature:
            return False
        return self.public_key == public_key


def parse(line: str) -> Checkpoint:
    """A line as it was exported. Raises `UnusableCheckpoint`."""
    try:
        content = json.loads(line)
        if content["journal_checkpoint"] != _FORMAT:
            raise ValueError
        ends = Ends(
            int(content["last_id"]),
            _moment(content["last_at"]),
            {int(chain): Head(int(sequence), str(digest)) for chain, sequence, digest in content["chains"]},
        )
        at = _moment(content["at"])
        if at is None:
            raise ValueError
        return Checkpoint(
            instance=str(content["instance"]),
            number=int(content["number"]),
            at=at,
            ends=ends,
            removed_before=_moment(content["removed_before"]),
            public_key=base64.b64decode(content["public_key"], validate=True),
            signature=base64.b64decode(content["signature"], validate=True),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UnusableCheckpoint("this is no checkpoint of a journal") from None


def parse_all(text: str) -> tuple[Checkpoint, ...]:
    """Those of a file: one a line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise UnusableCheckpoint("there is no checkpoint in it")
    return tuple(map(parse, lines))


# --- keys ----------------------------------------------------------------------------------------------------


def public_key(keys: Keyring) -> bytes:
    """What the instance's checkpoints are verified with: 32 bytes."""
    return keys.signing_key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def public_key_pem(keys: Keyring) -> str:
    """The same as PEM."""
    return keys.signing_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def read_public_key(pem: bytes) -> bytes:
    """32 bytes. Raises `UnusableCheckpoint`."""
    try:
        found = load_pem_public_key(pem)
    except ValueError:
        found = None
    if not isinstance(found, Ed25519PublicKey):
        raise UnusableCheckpoint("this is no public key of a journal")
    return found.public_bytes(Encoding.Raw, PublicFormat.Raw)


# --- in the database -----------------------------------------------------------------------------------------


def ends(connection: Connection, *, up_to: int | None = None) -> Ends:
    """Where the journal ends, or ended at the entry `up_to`."""
    removed = anchored(connection)
    rows = select(journal.c.chain, func.max(journal.c.sequence).label("sequence")).group_by(journal.c.chain)
    if up_to is not None:
        rows = rows.where(journal.c.id <= up_to)
    last = rows.subquery()
    heads = select(journal.c.chain, journal.c.sequence, journal.c.digest).join(
        last, (journal.c.chain == last.c.chain) & (journal.c.sequence == last.c.sequence)
    )
    chains = {chain: Head(sequence, digest) for chain, sequence, digest in connection.execute(heads)}
    newest = select(journal.c.id, journal.c.at).order_by(journal.c.id.desc()).limit(1)
    if up_to is not None:
        newest = newest.where(journal.c.id <= up_to)
    found = connection.execute(newest).one_or_none()
    last_id, last_at = (removed.last_id, removed.last_at) if found is None else (found.id, found.at)
    return Ends(last_id, last_at, {**removed.chains, **chains})


def anchored(connection: Connection) -> Ends:
    """Where what was removed ended; nothing was removed: nowhere."""
    found = last_anchor(connection)
    return Ends(0, None, {}) if found is None else found.ends


def last_anchor(connection: Connection) -> Checkpoint | None:
    """The newest anchor."""
    newest = select(journal_checkpoint.c.statement).where(journal_checkpoint.c.is_anchor)
    line = connection.scalar(newest.order_by(journal_checkpoint.c.number.desc()).limit(1))
    return None if line is None else parse(line)


def make(
    connection: Connection,
    keys: Keyring,
    *,
    at: datetime,
    up_to: int | None = None,
    removed_before: datetime | None = None,
) -> Checkpoint:
    """A checkpoint of the journal as it is, kept. With `removed_before`, an anchor in place of entries `up_to`."""
    number = (connection.scalar(select(func.max(journal_checkpoint.c.number))) or 0) + 1
    unsigned = Checkpoint(
        instance=keys.instance_id,
        number=number,
        at=at,
        ends=ends(connection, up_to=up_to),
        removed_before=removed_before,
        public_key=public_key(keys),
        signature=b"",
    )
    signature = keys.signing_key.sign(dump_json(_content(unsigned)).encode())
    made = replace(unsigned, signature=signature)
    row = {
        "number": number,
        "at": at,
        "last_id": made.ends.last_id,
        "is_anchor": removed_before is not None,
        "statement": made.line,
    }
    connection.execute(insert(journal_checkpoint), row)
    _drop_old(connection)
    return made


def kept(connection: Connection) -> tuple[tuple[int, str], ...]:
    """(number, line) of those in the database, oldest first."""
    lines = select(journal_checkpoint.c.number, journal_checkpoint.c.statement)
    return tuple((number, line) for number, line in connection.execute(lines.order_by(journal_checkpoint.c.number)))


def _drop_old(connection: Connection) -> None:
    """Of anchors, only the newest stands for what was removed."""
    for is_anchor, count in ((True, 1), (False, _KEPT)):
        of_kind = journal_checkpoint.c.is_anchor.is_(is_anchor)
        numbers = select(journal_checkpoint.c.number).where(of_kind).order_by(journal_checkpoint.c.number.desc())
        oldest_kept = connection.scalars(numbers.limit(count)).all()
        if len(oldest_kept) == count:
            connection.execute(delete(journal_checkpoint).where(of_kind, journal_checkpoint.c.number < oldest_kept[-1]))


def _content(checkpoint: Checkpoint) -> dict[str, Any]:
    chains: Mapping[int, Head] = checkpoint.ends.chains
    return {
        "journal_checkpoint": _FORMAT,
        "instance": checkpoint.instance,
        "number": checkpoint.number,
        "at": _time(checkpoint.at),
        "last_id": checkpoint.ends.last_id,
        "last_at": _time(checkpoint.ends.last_at),
        "removed_before": _time(checkpoint.removed_before),
        "chains": [[chain, *chains[chain]] for chain in sorted(chains)],
        "public_key": _text(checkpoint.public_key),
    }


def _time(value: datetime | None) -> str | None:
    return None if value is None else value.astimezone(UTC).isoformat(timespec="microseconds")


def _moment(value: str | None) -> datetime | None:
    if value is None:
        return None
    moment = datetime.fromisoformat(value)
    if moment.utcoffset() != timedelta(0):
        raise ValueError
    return moment


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
