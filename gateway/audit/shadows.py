"""The shadow of each side against what is there now: what differs, and whether the next sync would be told of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import TypeVar

from connectors.errors import BadItem
from connectors.ports import CalendarAccount
from connectors.records import Absence, Rdv, ReadingScope
from gateway.audit.reading import RdvSolidaritesNow, is_in_period
from gateway.audit.values import Cause, Finding
from gateway.store.values import CalendarState
from gateway.sync.observe_rdv_solidarites import rdv_digest
from gateway.sync.planning.expansion import Expansions, Window
from gateway.sync.values import AgentView, CalendarRef, Presence, SeenAbsence, SeenEvent, SeenRdv
from mappings.times import Availability, EventTimes

_Record = TypeVar("_Record", SeenEvent, Rdv, Absence)
_SETTLING = timedelta(minutes=5)
"""Clocks of two machines that share a database may differ by this much."""


@dataclass(frozen=True, slots=True)
class Told:
    """What an ordinary reading of a calendar would tell now. `whole`: it would read all that it does not know to be
    the same, by href and ETag."""

    hrefs: frozenset[str]
    by_mark: bool = False  # the mark said that nothing changed, and nothing was asked


def ordinary_reading(
    account: CalendarAccount, ref: CalendarRef, state: CalendarState, known: Mapping[str, str], scope: ReadingScope
) -> Told:
    """Ask as the next sync will, and keep nothing. `known`: href -> version of the shadow. Raises as the port."""
    marks = {mark.calendar: mark.mark for mark in account.look()}
    mark = marks.get(ref.calendar, "")
    if mark and state.mark == mark and not account.is_due(ref.calendar, state.cursor):
        return Told(frozenset(), by_mark=True)
    told: set[str] = set()
    versions, cursor, more = dict(known), state.cursor, True
    while more:
        changes = account.changes(ref.calendar, cursor, versions, scope)
        more, cursor = changes.more, changes.cursor
        page = {item.href: item.version for item in changes.items}
        page |= {href: version for href, version, _ in changes.unreadable}
        told |= page.keys() | changes.removed
        versions |= page
        if changes.complete:
            told |= versions.keys() - changes.present - page.keys()
    return Told(frozenset(told))


def differing_events(shadow: Mapping[str, SeenEvent], now: Mapping[str, SeenEvent]) -> dict[str, tuple[str, ...]]:
    """By href: the names of the fields that differ; `existence` for what is on one side only."""
    found: dict[str, tuple[str, ...]] = {}
    for href in sorted(shadow.keys() | now.keys()):
        before, after = shadow.get(href), now.get(href)
        if before is None or after is None:
            found[href] = ("existence",)
        elif before != after:
            found[href] = _differing(before, after)
    return found


def _differing(before: _Record, after: _Record) -> tuple[str, ...]:
    return tuple(each.name for each in fields(before) if getattr(before, each.name) != getattr(after, each.name))


@dataclass(frozen=True, slots=True)
class CalendarNow:
    """One calendar: its shadow, what is there, how far it was read, and what a reading would be told."""

    ref: CalendarRef
    shadow: Mapping[str, SeenEvent]
    now: Mapping[str, SeenEvent]
    state: CalendarState | None
    told: Told
    patterns: str  # digest of what the rules ask about
    scope: ReadingScope

    def findings(self, view: AgentView) -> Iterator[Finding]:
        """Each event that differs, with the likely cause."""
        for href, names in differing_events(self.shadow, self.now).items():
            cause = self._cause(href, names, view)
            before, after = self.shadow.get(href), self.now.get(href)
            what = "it is there and was not read" if before is None else "it is gone and was read"
            if before is not None and after is not None:
                what = f"it is not as it was read: {', '.join(names)}"
            if cause is Cause.NOT_TOLD:
                what += "; its calendar's mark is unchanged" if self.told.by_mark else "; its calendar does not name it"
            yield Finding(view.agent.agent_id, cause, "event", f"{self.ref} {href}", what, names)

    def _cause(self, href: str, names: Collection[str], view: AgentView) -> Cause:
        before, after = self.shadow.get(href), self.now.get(href)
        if set(names) <= {"version"}:
            return Cause.RESTLESS_VERSION
        if self.state is None or href in self.told.hrefs:
            return Cause.SINCE_LAST_READING
        if self.state.patterns != self.patterns:
            return Cause.RULES_CHANGED
        if before is not None and after is not None:
            if before.raw_digest == after.raw_digest:
                return Cause.UNDERSTOOD_OTHERWISE
            if before.version == after.version:
                return Cause.VERSION_CAME_BACK
        return Cause.FAR if self._is_far(href, view) else Cause.NOT_TOLD

    def _is_far(self, href: str, view: AgentView) -> bool:
        """Neither ours nor near, now or as it was read: what large calendars are listed for but once a day."""
        if href in self.scope.hrefs:
            return False
        window = Window(self.scope.start, self.scope.end, view.agent.zone)
        found = [event for event in (self.shadow.get(href), self.now.get(href)) if event is not None]
        return all(event.times is not None and not _lies_in(event.times, window) for event in found)


def _lies_in(times: EventTimes, window: Window) -> bool:
    """Free time too."""
    taken = EventTimes(tuple(replace(each, availability=Availability.BUSY) for each in times.components))
    try:
        return bool(Expansions().of(taken, window))
    except BadItem:
        return True


def rdv_findings(
    stored: AgentView, now: AgentView, digests: Mapping[int, str], there: RdvSolidaritesNow, digest_key: bytes
) -> Iterator[Finding]:
    """RDVs that are not as they were read. `digests`: as stored; one that equals that of the RDV as it is now keeps
    every sync from taking it in."""
    agent_id = stored.agent.agent_id
    known = {seen.rdv.id: seen for seen in stored.rdvs}
    for seen in now.rdvs:
        before = known.get(seen.rdv.id)
        if seen == before:
            continue
        names: tuple[str, ...] = ("existence",)
        cause = Cause.SINCE_LAST_READING
        if before is not None and seen.presence is before.presence:
            names = _differing(before.rdv, seen.rdv)
            if digests.get(seen.rdv.id) == rdv_digest(digest_key, seen.rdv):
                cause = Cause.STORE_CONTRADICTS
        yield Finding(agent_id, cause, "rdv", f"rdv {seen.rdv.id}", _what(before is None, names), names, _start(seen))
    listed = {seen.rdv.id for seen in now.rdvs}
    for seen in stored.rdvs:
        if seen.presence is Presence.UNKNOWN and seen.missing_because and is_in_period(seen.rdv, there):
            what = f"it is no longer read: {seen.missing_because}"
            if seen.rdv.id in listed and seen.rdv.id not in there.rdvs:
                yield Finding(agent_id, Cause.RIGHTS, "rdv", f"rdv {seen.rdv.id}", what, when=_start(seen))


def absence_findings(stored: AgentView, now: AgentView) -> Iterator[Finding]:
    """Absences that are not as they were read: each sync reads them all, so the next one sees it too."""
    agent_id = stored.agent.agent_id
    known, found = _by_id(stored.absences), _by_id(now.absences)
    for number in sorted(known.keys() | found.keys()):
        before, after = known.get(number), found.get(number)
        if before == after:
            continue
        either = after or before
        when = None if either is None else either.absence.start
        names: tuple[str, ...] = ("existence",)
        cause = Cause.SINCE_LAST_READING
        if before is not None and after is not None and before.presence is after.presence:
            names = _differing(before.absence, after.absence)
        if after is not None and after.presence is Presence.UNKNOWN:
            cause = Cause.RIGHTS
        what = _what(before is None, names) if after is not None else "it is gone and was read"
        yield Finding(agent_id, cause, "absence", f"absence {number}", what, names, when)


def _by_id(absences: Iterable[SeenAbsence]) -> dict[int, SeenAbsence]:
    return {seen.absence.id: seen for seen in absences}


def _what(is_new: bool, names: Collection[str]) -> str:
    if is_new:
        return "it is there and was not read"
    return "it is gone and was read" if "existence" in names else f"it is not as it was read: {', '.join(names)}"


def _start(seen: SeenRdv) -> datetime:
    return seen.rdv.starts_at


def clock_findings(agent_id: int, readings: Mapping[str, datetime], now: datetime) -> Iterator[Finding]:
    """Readings that the database dates in the future. `readings`: by what was read."""
    for name, at in sorted(readings.items()):
        if at > now + _SETTLING:
            yield Finding(agent_id, Cause.CLOCK, "reading", name, "the database dates its reading in the future")


def as_read_next(
    stored: AgentView, now: AgentView, calendars: Iterable[CalendarNow], findings: Iterable[Finding]
) -> AgentView:
    """What the next sync will believe: what is there now, but for what no reading would tell it of."""
    blind = {finding.reference for finding in findings if finding.cause.is_drift or finding.cause is Cause.FAR}
    events: list[SeenEvent] = []
    for calendar in calendars:
        for href in sorted(calendar.shadow.keys() | calendar.now.keys()):
            is_blind = f"{calendar.ref} {href}" in blind
            event = (calendar.shadow if is_blind else calendar.now).get(href)
            if event is not None:
                events.append(event)
    before = {seen.rdv.id: seen for seen in stored.rdvs}
    rdvs = [before.get(seen.rdv.id, seen) if f"rdv {seen.rdv.id}" in blind else seen for seen in now.rdvs]
    return AgentView(
        agent=stored.agent,
        events=tuple(events),
        rdvs=tuple(rdvs),
        absences=now.absences,
        copies=stored.copies,
        blocks=stored.blocks,
        mirrors=stored.mirrors,
        suppressions=stored.suppressions,
        open_intents=stored.open_intents,
    )
