"""What a verification of the journal can find."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Kind(StrEnum):
    """What is wrong."""

    ALTERED = "altered"
    MOVED = "moved"  # whole, in another place than it was written to: reordered
    INSERTED = "inserted"
    ALTERED_OR_INSERTED = "altered_or_inserted"  # the last ones: nothing after them tells
    REMOVED = "removed"
    RELINKED = "relinked"  # follows another entry than the one before it: made with the instance's own keys
    CONTENT_REPLACED = "content_replaced"
    CONTENT_REMOVED = "content_removed"  # and no purge or erasure says so
    CONTENT_INSERTED = "content_inserted"
    DIFFERS = "differs_from_checkpoint"
    CHECKPOINT = "checkpoint_not_valid"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. `chain`: an agent's id, 0 for the gateway's own, None where nothing tells. With
    `last_sequence` and `last_id`, all from one to the other. `at`: of the entry, or of the one before what is missing.
    """

    kind: Kind
    detail: str
    chain: int | None = None
    sequence: int | None = None
    last_sequence: int | None = None
    entry_id: int | None = None
    last_id: int | None = None
    at: datetime | None = None
