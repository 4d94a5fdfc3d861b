"""What the last readings left out, read again in memory: nothing of it is kept.

Titles are asked about when a calendar is read and are not stored, and fields of usagers that no rule shows are not even
read: rules that ask for more can only be judged by reading anew.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta

from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.records import Rdv, RdvSelection, RdvWindow, ReadingScope
from gateway.rules.book import RuleBook
from gateway.store.store import Store
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.values import AgentView, CalendarRef, LinkedAgent, SeenEvent
from mappings.busy_rules import Patterns, category_id, title_id

_LOOK_BACK = timedelta(days=60)
_MARGIN = timedelta(days=14)


def both(one: Patterns, other: Patterns) -> Patterns:
    """Everything that either asks about."""
    return Patterns(one.categories | other.categories, one.titles | other.titles)


def either(one: RdvSelection, other: RdvSelection) -> RdvSelection:
    """Everything that either shows."""
    return RdvSelection(one.usager_fields | other.usager_fields, one.context or other.context)


def unread_calendars(
    agent: LinkedAgent, store: Store, books: Collection[RuleBook], configured: Patterns
) -> Iterator[CalendarRef]:
    """Calendars of an agent whose events were not asked about something that these rules want to know of them.

    `configured`: what the saved rules ask about; a calendar that was read with other patterns answers nothing.
    """
    known = _ids(configured.categories, configured.titles)
    for ref in agent.sources:
        state = store.calendar_state(ref)
        if state is None:
            continue
        rules = [book.for_calendar(agent.subject, str(ref)) for book in books]
        wanted = {each for one in rules if one.blocks for each in _ids(one.categories, one.titles)}
        if wanted - (known if state.patterns == configured.digest else frozenset()):
            yield ref


def _ids(categories: Iterable[str], titles: Iterable[str]) -> frozenset[str]:
    return frozenset({*map(category_id, categories), *map(title_id, titles)})


def read_events(
    account: CalendarAccount, ref: CalendarRef, observer: CalendarObserver, stored: Iterable[SeenEvent]
) -> tuple[SeenEvent, ...]:
    """Every event of one calendar as it is now. `stored`: as it was last seen; what the server does not tell of (far
    from now, where it cannot list everything) stays so. Raises what the port raises."""
    found = {event.href: event for event in stored}
    versions = dict.fromkeys(found, "")  # whatever is there is wanted
    now = observer.clock.now()
    start = now - _LOOK_BACK
    scope = ReadingScope(start, now + observer.horizon + _MARGIN, observer.store.own_hrefs(ref, start))
    cursor: str | None = None
    more = True
    while more:
        changes = account.changes(ref.calendar, cursor, versions, scope)
        more, cursor = changes.more, changes.cursor
        page = {item.href: observer.see(account, ref, item) for item in changes.items}
        page |= {
            href: SeenEvent(ref, href, version, raw_digest="", set_aside=reason)
            for href, version, reason in changes.unreadable
        }
        found |= page
        versions |= {event.href: event.version for event in page.values()}
        gone = changes.removed | (found.keys() - changes.present - page.keys() if changes.complete else frozenset())
        for href in gone:
            found.pop(href, None)
            versions.pop(href, None)
    return tuple(found.values())


def with_events(view: AgentView, read: Mapping[CalendarRef, tuple[SeenEvent, ...]]) -> AgentView:
    """The view with these calendars as they were read just now."""
    others = tuple(event for event in view.events if event.ref not in read)
    return replace(view, events=(*others, *(event for ref in read for event in read[ref])))


def read_rdvs(client: RdvSolidarites, store: Store) -> dict[int, Rdv]:
    """RDVs of every window that syncs read, by id, with what this client lets through. Raises what the port raises."""
    found: dict[int, Rdv] = {}
    for organisation in client.organisations():
        windows = [RdvWindow(window.start, window.end) for window in store.rdv_windows(organisation.id)]
        if windows:
            found |= {rdv.id: rdv for rdv in client.rdvs(organisation.id, windows).rdvs}
    return found


def with_rdvs(view: AgentView, read: Mapping[int, Rdv]) -> AgentView:
    """The view with these RDVs as they were read just now."""
    return replace(view, rdvs=tuple(replace(seen, rdv=read.get(seen.rdv.id, seen.rdv)) for seen in view.rdvs))
