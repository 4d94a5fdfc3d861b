"""observe, calendar side: what changed in a calendar since its last reading, in one transaction per reading."""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.errors import BadItem, ITMustAct
from connectors.ports import CalendarAccount, Clock
from connectors.records import CalendarChanges, CalendarItem, ReadingScope
from gateway.store.store import Store
from gateway.store.values import CalendarState, KnownItem
from gateway.sync.observed_changes import note_changes
from gateway.sync.planning.context import title_digest
from gateway.sync.steps import StepName, step
from gateway.sync.values import CalendarRef, SeenEvent, Side
from mappings.busy_rules import Patterns
from mappings.identity import NAMESPACE
from mappings.native import native_source
from mappings.owned import notes_digest, owned_digest, owned_of_event, times_digest
from mappings.times import times_of

_LOOK_BACK = timedelta(days=60)
_PROBES = 3
_MARGIN = timedelta(days=14)
"""Of a calendar that is too large to be listed each time, these days before and after what matters are read."""


@dataclass(frozen=True, slots=True)
class CalendarObserver:
    """Reads calendars into the store. `digest_key` keys every digest of what a server gave.

    `horizon`: how far ahead calendar events matter. `patterns`: categories and titles that the rules ask about; a
    calendar that was read with others is read again as a whole.
    """

    store: Store
    clock: Clock
    digest_key: bytes
    horizon: timedelta
    patterns: Patterns
    instance_host: str = ""  # of RDV-Solidarités, to know links to its RDVs

    def to_read(self, account: CalendarAccount, marks: Mapping[CalendarRef, str]) -> frozenset[CalendarRef]:
        """Those of these calendars of which their mark does not say that nothing changed."""
        states = self.store.calendar_states(marks)
        return frozenset(ref for ref, mark in marks.items() if not self._is_known(account, ref, states.get(ref), mark))

    def _is_known(self, account: CalendarAccount, ref: CalendarRef, state: CalendarState | None, mark: str) -> bool:
        return (
            state is not None
            and bool(mark)
            and state.mark == mark
            and state.patterns == self.patterns.digest
            and not account.is_due(ref.calendar, state.cursor)
        )

    def read(self, account: CalendarAccount, ref: CalendarRef, mark: str, *, run_id: str = "") -> bool:
        """Bring the shadow of one calendar up to date; False when its `mark` (`to_read`) says that nothing changed.

        Raises what the port raises: then nothing of this reading was kept.
        """
        state = self.store.calendar_state(ref)
        if state is not None and state.patterns != self.patterns.digest:
            with step(StepName.READ_CALENDAR, account.name) as counts:
                counts["events"] = self._read_again(account, ref, mark, run_id)
            return True
        if self._is_known(account, ref, state, mark):
            return False
        with step(StepName.READ_CALENDAR, account.name) as counts:
            self._read_changes(account, ref, mark, state, counts, run_id=run_id)
        return True

    def _read_changes(
        self,
        account: CalendarAccount,
        ref: CalendarRef,
        mark: str,
        state: CalendarState | None,
        counts: Counter[str],
        *,
        run_id: str,
    ) -> None:
        """What the calendar says since that state. Page by page, each a transaction: a calendar may hold more bodies
        than memory should."""
        cursor = state.cursor if state else None
        more = True
        while more:
            known = self.store.known_items(ref)
            read_at = self.clock.now()
            versions = {href: item.version for href, item in known.items()}
            try:
                changes = account.changes(ref.calendar, cursor, versions, self._scope(ref, read_at))
            except ITMustAct as error:
                raise self._moved(account, ref, known) or error from error
            more = changes.more
            events = self._events(account, ref, changes, known)
            gone = changes.removed & known.keys()
            if changes.complete:
                gone |= known.keys() - changes.present - {event.href for event in events}
            # The mark seen before reading: what changed meanwhile is read again rather than missed.
            kept = CalendarState(changes.cursor, "" if more else mark or changes.mark, read_at, self.patterns.digest)
            # A calendar's first reading is no news.
            before = known if state is not None else None
            self._keep(ref, kept, events, gone=gone, known=before, run_id=run_id)
            cursor = changes.cursor
            counts.update(pages=1, events=len(events), gone=len(gone), known=len(known))

    def _moved(self, account: CalendarAccount, ref: CalendarRef, known: Collection[str]) -> ITMustAct | None:
        """The error for a calendar that has another address now; None when it is not found at one."""
        found = moved_to(account, ref, self.store.own_hrefs(ref, self.clock.now() - _LOOK_BACK) or known)
        if found is None:
            return None
        return ITMustAct(
            f"calendar moved: what {ref.calendar} held is at {found} now",
            system=account.name,
            remedy=f"`rdv-gateway agents relink AGENT --to {found}` keeps what is paired. Nothing was removed.",
        )

    def _read_again(self, account: CalendarAccount, ref: CalendarRef, mark: str, run_id: str) -> int:
        """Ask every event of a calendar about other patterns than before: its titles were not kept, so all of it is
        read. In one transaction: until each event was asked about the new ones, all stay answers to the old ones.

        Says how many there are.
        """
        known = self.store.known_items(ref)
        versions = dict.fromkeys(known, "")  # whatever is there is wanted
        seen: dict[str, SeenEvent] = {}
        read_at = self.clock.now()
        cursor: str | None = None
        more = True
        while more:
            changes = account.changes(ref.calendar, cursor, versions, self._scope(ref, read_at))
            more, cursor = changes.more, changes.cursor
            page = self._events(account, ref, changes, {})
            seen |= {event.href: event for event in page}
            versions |= {event.href: event.version for event in page}
            gone = changes.removed
            if changes.complete:
                gone |= versions.keys() - changes.present - {event.href for event in page}
            for href in gone:
                seen.pop(href, None)
                versions.pop(href, None)
        state = CalendarState(cursor, mark or changes.mark, read_at, self.patterns.digest)
        forgotten = known.keys() - versions.keys()
        self._keep(ref, state, list(seen.values()), gone=forgotten, known=known, run_id=run_id)
        return len(seen)

    def _events(
        self, account: CalendarAccount, ref: CalendarRef, changes: CalendarChanges, known: Mapping[str, KnownItem]
    ) -> list[SeenEvent]:
        """What an answer holds that is not `known` to be just so."""
        events = [event for item in changes.items if (event := self._event(account, ref, item, known.get(item.href)))]
        return events + [
            SeenEvent(ref, href, version, raw_digest="", set_aside=reason)
            for href, version, reason in changes.unreadable
        ]

    def _keep(
        self,
        ref: CalendarRef,
        state: CalendarState,
        events: Sequence[SeenEvent],
        *,
        gone: Collection[str],
        known: Mapping[str, KnownItem] | None,
        run_id: str,
    ) -> None:
        """One reading, or one page of it. `known`: as it was before, to tell what is news; None: none of it is."""
        with self.store.transaction() as tx:
            tx.save_calendar_reading(
                ref,
                events=events,
                gone=gone,
                cursor=state.cursor,
                mark=state.mark,
                read_at=state.read_at,
                patterns=state.patterns,
            )
            if known is not None:
                told = [(e.href, what, None) for e in events if (what := _news(e, known.get(e.href)))]
                vanished = [(href, "vanished", None) for href in sorted(gone)]
                note_changes(tx, (*told, *vanished), side=Side.CALENDAR, kind="event", at=state.read_at, run_id=run_id)

    def _scope(self, ref: CalendarRef, now: datetime) -> ReadingScope:
        return reading_scope(self.store, ref, now, self.horizon)

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
            times = times_of(event, self.patterns.matches_of) if event is not None else None
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


def moved_to(account: CalendarAccount, ref: CalendarRef, hrefs: Collection[str]) -> str | None:
    """The only calendar of the account where files of these names are now: servers keep them when a calendar is moved.
    A few of them are asked for. None: it answers at its place, or is found at none."""
    calendars = [mark.calendar for mark in account.look()]
    if ref.calendar in calendars:
        return None
    names = [href.rpartition("/")[2] for href in sorted(hrefs)[:_PROBES]]
    found = [
        each
        for each in calendars
        if any(account.read(each, f"{each.rstrip('/')}/{name}") is not None for name in names)
    ]
    return found[0] if len(found) == 1 else None


def reading_scope(store: Store, ref: CalendarRef, now: datetime, horizon: timedelta) -> ReadingScope:
    """What of a calendar matters to a reading at `now`."""
    start = now - _LOOK_BACK
    return ReadingScope(start, now + horizon + _MARGIN, store.own_hrefs(ref, start))


def _news(event: SeenEvent, known: KnownItem | None) -> str:
    """What became of an event, for the journal; "" for one that says what it said before."""
    if known is None:
        return "appeared"
    return "changed" if (event.raw_digest, event.version) != (known.raw_digest, known.version) else ""
