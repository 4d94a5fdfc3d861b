"""A purge, a little at a time: nobody who writes waits long, and one that is killed goes on the next time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from gateway.journal import retention
from gateway.store.store import Store


@dataclass(frozen=True, slots=True)
class Purge:
    """`content_before`, `entries_before`: what is older goes; None: entries stay for good."""

    store: Store
    content_before: datetime
    entries_before: datetime | None

    def found(self) -> tuple[int, int]:
        """How many pre-images and how many entries are older."""
        return self.store.journal_retention(content_before=self.content_before, entries_before=self.entries_before)

    def run(self, *, at: datetime, by: str) -> tuple[int, int, bool]:
        """(pre-images removed, entries removed, whether nothing of them is left in the database's files)."""
        contents, entries = self.found()
        if contents:
            with self.store.transaction() as tx:
                tx.journal(retention.content_purged(self.content_before, at=at, by=by))
            contents = self._contents()
        if entries and self.entries_before is not None:
            with self.store.transaction() as tx:
                tx.journal(retention.entries_purged(self.entries_before, at=at, by=by))
            entries = self._entries(self.entries_before, at)
        swept = self.store.sweep() if contents or entries else True
        return contents, entries, swept

    def _contents(self) -> int:
        removed = 0
        while True:
            with self.store.transaction() as tx:
                some = tx.purge_journal_content(self.content_before)
            if not some:
                return removed
            removed += some

    def _entries(self, before: datetime, at: datetime) -> int:
        removed = 0
        while True:
            with self.store.transaction() as tx:
                some = tx.cut_journal(before, at=at)
            if not some:
                return removed
            removed += some
