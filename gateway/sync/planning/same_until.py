"""How long a plan stays what it is while nothing but time changes. Pure.

Every comparison of a plan with the present is at a boundary of something in the view, at midnight, or a fixed time
after a write. Boundaries that decide nothing cost one plan more; one that is left out would delay what it decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta

from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.copies import QUIET_TIME
from gateway.sync.values import AgentView
from mappings.absence_event import absence_span
from mappings.blocks import Block
from mappings.rdv_event import rdv_zone
from mappings.wallclock import to_instant


def same_until(view: AgentView, busy: Iterable[Block], context: PlanContext) -> datetime | None:
    """The instant from which a plan of the same view may come to something else; None: from now on.

    `busy`: occurrences that the plan was made of.
    """
    now, zone = context.wall_now(view.agent), view.agent.zone
    on_the_wall = to_instant(min(each for each in _wall(view, busy, context) if each > now), zone)
    until = min([on_the_wall, *(each for each in _instants(view, context) if each > context.now)])
    # Where clocks change in between, an hour comes twice or not at all: until then each run plans.
    same_offset = until.astimezone(zone).utcoffset() == context.now.astimezone(zone).utcoffset()
    return until if same_offset else None


def _wall(view: AgentView, busy: Iterable[Block], context: PlanContext) -> Iterator[datetime]:
    """Boundaries that are compared as the agent's wall-clock."""
    yield datetime.combine(context.today(view.agent) + timedelta(days=1), time.min)
    for occurrence in busy:
        yield from (occurrence.start, occurrence.end)
    for block in view.blocks:
        yield from (block.start, block.end)
    for mirror in view.mirrors:
        yield from (mirror.start, mirror.end)
    for suppression in view.suppressions:
        yield from (suppression.start, suppression.end, suppression.occurrence_start, suppression.occurrence_end)
    for seen in view.absences:
        yield from absence_span(seen.absence)
    yield from (each for each in _event_times(view) if each.tzinfo is None)


def _instants(view: AgentView, context: PlanContext) -> Iterator[datetime]:
    """Boundaries that are compared as instants."""
    for copy in view.copies:
        yield copy.ends_at
        if copy.written_at is not None:
            yield copy.written_at + QUIET_TIME
    for seen in view.rdvs:
        zone = rdv_zone(seen.rdv, context.organisation_zone(seen.rdv.organisation_id))
        # Between zones, conflicts are judged by whole minutes, rounded outward.
        yield to_instant(seen.rdv.starts_at.replace(second=0, microsecond=0), zone)
        for wall in (seen.rdv.starts_at, seen.rdv.ends_at):
            yield to_instant(wall, zone)
            yield to_instant(wall, zone, start=False)
    yield from (each for each in _event_times(view) if each.tzinfo is not None)


def _event_times(view: AgentView) -> Iterator[datetime]:
    """Of events that are not repeated: the occurrences of the others are among what is busy."""
    for event in view.events:
        for component in event.times.components if event.times else ():
            for moment in (component.start, component.end):
                if isinstance(moment, datetime):
                    yield moment
                elif isinstance(moment, date):
                    yield datetime.combine(moment, time.min)
