"""observe, calendar side: what changed in a calendar since its last reading, in one transaction per reading."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.errors import BadItem
from connectors.ports import CalendarAccount, Clock
from connectors.records import CalendarChanges, CalendarItem, ReadingScope
from gateway.store.store import Store
from gateway.store.values import KnownItem
from gateway.sync.observed_changes import note_changes
from gateway.sync.planning.context import title_digest
from gateway.sync.values import CalendarRef, SeenEvent, Side
from mappings.identity import NAMESPACE
from mappings.native import native_source
from mappings.owned import notes_digest, owned_digest, owned_of_event, times_digest
from mappings.times import times_of

_LOOK_BACK = timedelta(days=60)
_MARGIN = timedelta(days=14)
"""Of a calendar that is too large to be listed each time, these days before and after what matters are read."""


@dataclass(frozen=True, slots=True)
class CalendarObserver:
    """Reads calendars into the store. `digest_key` keys every digest of what a server gave.

    `horizon`: how far ahead calendar events matter.
    """

    store: Store
    clock: Clock
    digest_key: bytes
    horizon: timedelta
    instance_host: str = ""  # of RDV-Solidarités, to know links to its RDVs

    def read(self, account: CalendarAccount, ref: CalendarRef, mark: str, *, run_id: str = "") -> bool:
        """Bring the shadow of one calendar up to date; False when its `mark` says that nothing changed.

        Raises what the port raises: then nothing of this reading was kept.
        """
        state = self.store.calendar_state(ref)
        cursor = state.cursor if state else None
        if state is not None and mark and state.mark == mark and not account.is_due(ref.calendar, cursor):
            return False
        more = True
        while more:
            # Page by page, each a transaction: a calendar may hold more bodies than memory should.
            known = self.store.known_items(ref)
            read_at = self.clock.now()
            versions = {href: item.version for href, item in known.items()}
            changes = account.changes(ref.calendar, cursor, versions, self._scope(ref, read_at))
            more = changes.more
            # The mark seen before reading: what changed meanwhile is read again rather than missed.
            kept_mark = "" if more else mark or changes.mark
            noted_for = run_id if state is not None else None
            self._keep(account, ref, changes, known, mark=kept_mark, read_at=read_at, run_id=noted_for)
            cursor = changes.cursor
        return True

    def _keep(
        self,
        account: CalendarAccount,
        ref: CalendarRef,
        changes: CalendarChanges,
        known: Mapping[str, KnownItem],
        *,
        mark: str,
        read_at: datetime,
        run_id: str | None,
    ) -> None:
        """One reading, or one page of it. `run_id` None: the calendar's first, which is no news."""
        events = [event for item in changes.items if (event := self._event(account, ref, item, known.get(item.href)))]
        events += [
            SeenEvent(ref, href, version, raw_digest="", set_aside=reason)
            for href, version, reason in changes.unreadable
        ]
        gone = changes.removed & known.keys()
        if changes.complete:
            gone |= known.keys() - changes.present - {event.href for event in events}
        with self.store.transaction() as tx:
            tx.save_calendar_reading(ref, events=events, gone=gone, cursor=changes.cursor, mark=mark, read_at=read_at)
            if run_id is not None:
                changed = [(e.href, "changed" if e.href in known else "appeared", None) for e in events]
                vanished = [(href, "vanished", None) for href in sorted(gone)]
                note_changes(tx, (*changed, *vanished), side=Side.CALENDAR, kind="event", at=read_at, run_id=run_id)

    def _scope(self, ref: CalendarRef, now: datetime) -> ReadingScope:
        start = now - _LOOK_BACK
        return ReadingScope(start, now + self.horizon + _MARGIN, self.store.own_hrefs(ref, start))

    def _event(
        self, account: CalendarAccount, ref: CalendarRef, item: CalendarItem, known: KnownItem | None
    ) -> SeenEvent | None:
        """None when it is byte for byte what is known, version included: restless servers cost nothing."""
        digest = self.raw_digest(item)
        if known is not None and known.raw_digest == digest and known.version == item.version:
            return None
        return self.see(account, ref, item)

    def raw_digest(self, item: CalendarItem) -> str:
        """Keyed digest of the body as the server gave it, before any parsing."""
        return hmac.new(self.digest_key, item.body, hashlib.sha256).hexdigest()

    def see(self, account: CalendarAccount, ref: CalendarRef, item: CalendarItem) -> SeenEvent:
        """One item reduced to what may be kept of it. An unreadable one is set aside with its reason."""
        base = SeenEvent(ref, item.href, item.version, self.raw_digest(item))
        try:
            event = account.parse(item)
            times = times_of(event) if event is not None else None
        except BadItem as error:
            return replace(base, set_aside=str(error))
        if event is None:
            return base
        digests: Mapping[str, str] = {}
        if event.marker is not None or event.uid.startswith(NAMESPACE):
            owned = owned_of_event(event)
            digests = {
                "owned_digest": owned_digest(self.digest_key, owned),
                "times_digest": times_digest(self.digest_key, owned),
                "title_digest": title_digest(self.digest_key, owned.summary),
                "notes_digest": notes_digest(self.digest_key, owned),
            }
        return SeenEvent(
            ref,
            item.href,
            item.version,
            base.raw_digest,
            uid=event.uid,
            marker=event.marker,
            native=native_source(event, self.instance_host),
            times=times,
            **digests,
        )
