"""The chains of the journal: one per agent, and one of the gateway itself.

Each entry carries its number in its chain, the digest of the one before it and a digest of its own: HMAC-SHA256 over
all its columns, under a key that is not in the database. The pre-image takes part by the digest of its ciphertext, so
that the chain stays whole when the pre-image, or the key that opens it, is gone. Ids have no gaps either: a chain that
vanished as a whole is missed by them.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

GATEWAY = 0
"""The chain of entries that concern no agent, or several."""

_FORMAT = "rdv-gateway journal 1"
_CONTENT = b"rdv-gateway journal content 1\n"

COLUMNS = (
    *("chain", "sequence", "previous", "id", "at", "run_id", "agent_id", "side", "action", "object", "reference"),
    *("rule", "fields", "by", "before_digest", "after_digest", "content_digest"),
)
"""What an entry's digest covers, in this order."""


class Head(NamedTuple):
    """The last entry of a chain."""

    sequence: int
    digest: str


NOTHING = Head(0, "")
"""Before the first entry of a chain."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where the journal ended at one moment. `chains`: the head of each chain that had any entry."""

    last_id: int
    last_at: datetime | None
    chains: Mapping[int, Head]


def chain_of(agent_id: int | None) -> int:
    """The chain of what concerns this agent, or nobody."""
    return GATEWAY if agent_id is None else agent_id


def entry_digest(key: bytes, values: Mapping[str, object]) -> str:
    """Of an entry, by column (`COLUMNS`). Canonical: one JSON list, ASCII, times in UTC to the microsecond."""
    listed = [_FORMAT, *(_plain(values[name]) for name in COLUMNS)]
    text = json.dumps(listed, separators=(",", ":")).encode()
    return hmac.digest(key, text, hashlib.sha256).hex()


def content_digest(key: bytes, sealed: bytes) -> str:
    """Of an encrypted pre-image."""
    return hmac.digest(key, _CONTENT + sealed, hashlib.sha256).hex()


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return value
