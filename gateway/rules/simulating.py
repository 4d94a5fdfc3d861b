"""Changed rules replayed over what was last observed: what would appear and disappear, before anything is saved. Pure.

The plans are those that a sync makes; only what they come to is compared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from gateway.rules.outcome import Outcome, Span, outcome
from gateway.sync.figures import weekly_hours
from gateway.sync.guard import GuardContext, guard, totals_of
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.values import AgentView, Held, Operation


@dataclass(frozen=True, slots=True)
class Replaced:
    """What becomes of objects with a number: RDVs whose copies, absences whose events …"""

    appear: tuple[int, ...]
    disappear: tuple[int, ...]
    change: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Simulation:
    """One agent under other rules. `relabelled`: blocks that stay, as they would be called.

    `operations`: all that a sync under the new rules would do; `held`: those of them that would wait for a person.
    `writes_anyway`: how many writes the present rules ask for too.
    """

    agent_id: int
    appear: tuple[Span, ...]
    disappear: tuple[Span, ...]
    relabelled: tuple[Span, ...]
    copies: Replaced
    mirrors: Replaced
    hours_before: float  # blocked per week
    hours_after: float
    operations: tuple[Operation, ...]
    held: tuple[Held, ...]
    writes_anyway: int

    @property
    def writes(self) -> int:
        """How many writes a sync under the new rules would ask for."""
        return _writes(self.operations)

    @property
    def changes_nothing(self) -> bool:
        """Whether both rule books come to the same for this agent."""
        sets = (self.copies, self.mirrors)
        numbers = [each for one in sets for each in (one.appear, one.disappear, one.change)]
        return not any((self.appear, self.disappear, self.relabelled, *numbers))


def simulate(
    view: AgentView, before: PlanContext, after: PlanContext, *, approvals: Collection[str] = ()
) -> Simulation:
    """`view`: what was observed, with all of RDVs that either rule book shows. `approvals`: as for the guard."""
    plan_before, plan_after = make_plan(view, before), make_plan(view, after)
    state_before, state_after = outcome(view, plan_before, before), outcome(view, plan_after, after)
    rules = after.rules(view.agent)
    guarded = guard(plan_after, GuardContext(view.agent.state, totals_of(view), frozenset(approvals), rules))
    wall_now = before.wall_now(view.agent)
    future = (_future(state_before, wall_now), _future(state_after, wall_now))
    return Simulation(
        view.agent.agent_id,
        **_blocks(*future),
        copies=_replaced(state_before.copies, state_after.copies),
        mirrors=_replaced(state_before.mirrors, state_after.mirrors),
        hours_before=_hours(future[0], view, before),
        hours_after=_hours(future[1], view, after),
        operations=(*guarded.allowed, *(each.operation for each in guarded.held)),
        held=guarded.held,
        writes_anyway=_writes(plan_before.operations),
    )


def _writes(operations: Iterable[Operation]) -> int:
    return sum(operation.writes for operation in operations)


def _future(state: Outcome, now: datetime) -> tuple[Span, ...]:
    return tuple(span for span in state.blocks if span.end > now)


def _blocks(before: Iterable[Span], after: Iterable[Span]) -> dict[str, tuple[Span, ...]]:
    """By interval: a block that only has another name stays."""
    old, new = _by_interval(before), _by_interval(after)
    counts_before, counts_after = (
        Counter({interval: len(spans) for interval, spans in each.items()}) for each in (old, new)
    )
    return {
        "appear": _spans(counts_after - counts_before, new),
        "disappear": _spans(counts_before - counts_after, old),
        "relabelled": tuple(
            spans[0]
            for interval, spans in sorted(new.items())
            if interval in old and {one.label for one in spans} != {one.label for one in old[interval]}
        ),
    }


def _by_interval(spans: Iterable[Span]) -> dict[tuple[datetime, datetime], list[Span]]:
    found: dict[tuple[datetime, datetime], list[Span]] = {}
    for span in spans:
        found.setdefault((span.start, span.end), []).append(span)
    return found


def _spans(
    counts: Counter[tuple[datetime, datetime]], spans: Mapping[tuple[datetime, datetime], list[Span]]
) -> tuple[Span, ...]:
    return tuple(span for interval, count in sorted(counts.items()) for span in spans[interval][:count])


def _replaced(before: Mapping[int, str], after: Mapping[int, str]) -> Replaced:
    return Replaced(
        appear=tuple(sorted(after.keys() - before.keys())),
        disappear=tuple(sorted(before.keys() - after.keys())),
        change=tuple(sorted(each for each in before.keys() & after.keys() if before[each] != after[each])),
    )


def _hours(spans: Iterable[Span], view: AgentView, context: PlanContext) -> float:
    start = datetime.combine(context.today(view.agent), time.min)
    end = start + timedelta(days=context.rules(view.agent).horizon_days + 1)
    return weekly_hours(((span.start, span.end) for span in spans), start, end)
