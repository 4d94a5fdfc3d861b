"""observe, calendar side: what changed in a calendar since its last reading, in one transaction per reading."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, replace

from connectors.errors import BadItem
from connectors.ports import CalendarAccount, Clock
from connectors.records import CalendarItem
from gateway.store.store import Store
from gateway.store.values import KnownItem
from gateway.sync.observed_changes import note_changes
from gateway.sync.planning.context import title_digest
from gateway.sync.values import CalendarRef, SeenEvent, Side
from mappings.identity import NAMESPACE, is_native_copy
from mappings.owned import notes_digest, owned_digest, owned_of_event, times_digest
from mappings.times import times_of


@dataclass(frozen=True, slots=True)
class CalendarObserver:
    """Reads calendars into the store. `digest_key` keys every digest of what a server gave."""

    store: Store
    clock: Clock
    digest_key: bytes

    def read(self, account: CalendarAccount, ref: CalendarRef, mark: str, *, run_id: str = "") -> bool:
        """Bring the shadow of one calendar up to date; False when its `mark` says that nothing changed.

        Raises what the port raises: then nothing of this reading was kept.
        """
        state = self.store.calendar_state(ref)
        if state is not None and mark and state.mark == mark:
            return False
        known = self.store.known_items(ref)
        read_at = self.clock.now()
        changes = account.changes(
            ref.calendar, state.cursor if state else None, {href: item.version for href, item in known.items()}
        )
        events = [event for item in changes.items if (event := self._event(account, ref, item, known.get(item.href)))]
        events += [
            SeenEvent(ref, href, version, raw_digest="", set_aside=reason)
            for href, version, reason in changes.unreadable
        ]
        gone = changes.removed & known.keys()
        if changes.complete:
            gone |= known.keys() - changes.present - {event.href for event in events}
        with self.store.transaction() as tx:
            tx.save_calendar_reading(
                ref,
                events=events,
                gone=gone,
                cursor=changes.cursor,
                # The mark seen before reading: what changed meanwhile is read again rather than missed.
                mark=mark or changes.mark,
                read_at=read_at,
            )
            if state is not None:
                changed = [(e.href, "changed" if e.href in known else "appeared", None) for e in events]
                vanished = [(href, "vanished", None) for href in sorted(gone)]
                note_changes(tx, (*changed, *vanished), side=Side.CALENDAR, kind="event", at=read_at, run_id=run_id)
        return True

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
            native=is_native_copy(event, ()),
            times=times,
            **digests,
        )
