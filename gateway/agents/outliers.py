"""First plans that stand out from the group that they would be approved with. Pure.

Robust statistics: the median and the median absolute deviation (MAD), which a few odd agents cannot move, in place
of mean and standard deviation, which they can.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from gateway.sync.values import PlanFigures

_MAD_TO_SIGMA = 1.4826  # of a normal distribution: Rousseeuw & Croux 1993
_MEAN_TO_SIGMA = 1.2533  # likewise of the mean absolute deviation: serves where more than half are equal


@dataclass(frozen=True, slots=True)
class OutlierRules:
    """An agent stands out by a figure that is more than `deviations` robust standard deviations from the median, and
    at least so much away from it: `hours_per_week` blocked, `writes` on both sides, `near_twins`. In a group smaller
    than `smallest_group` nothing can be said of what is usual: nobody stands out by comparison."""

    deviations: float = 3.5
    smallest_group: int = 5
    hours_per_week: float = 8.0
    writes: int = 60
    near_twins: int = 3


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over a group."""

    smallest: float
    median: float
    largest: float
    deviation: float  # robust standard deviation


@dataclass(frozen=True, slots=True)
class Outlier:
    """`figure`: hours_per_week, writes or near_twins. `value` against the group's `usual` (its median)."""

    agent_id: int
    figure: str
    value: float
    usual: float


@dataclass(frozen=True, slots=True)
class GroupSummary:
    """What approving a group means. Hours and near twins are spreads over its agents, the rest are sums."""

    agents: int
    pairs: int
    calendar_writes: int
    rdv_solidarites_writes: int
    hours_per_week: Spread
    near_twins: int
    outliers: tuple[Outlier, ...]


def hours(figures: PlanFigures) -> float:
    """Hours blocked per week."""
    return figures.weekly_minutes / 60


def writes(figures: PlanFigures) -> int:
    """On both sides."""
    return figures.calendar_writes + figures.rdv_solidarites_writes


def spread(values: Sequence[float]) -> Spread:
    """Of at least one value."""
    middle = median(values)
    away = [abs(value - middle) for value in values]
    deviation = _MAD_TO_SIGMA * median(away) or _MEAN_TO_SIGMA * fmean(away)
    return Spread(min(values), middle, max(values), deviation)


def summarise(group: Iterable[PlanFigures], rules: OutlierRules) -> GroupSummary | None:
    """None for an empty group."""
    figures = sorted(group, key=lambda each: each.agent_id)
    if not figures:
        return None
    measures = (
        ("hours_per_week", [hours(each) for each in figures], rules.hours_per_week),
        ("writes", [float(writes(each)) for each in figures], float(rules.writes)),
        ("near_twins", [float(each.near_twins) for each in figures], float(rules.near_twins)),
    )
    outliers: list[Outlier] = []
    if len(figures) >= rules.smallest_group:
        for name, values, least in measures:
            usual = spread(values)
            outliers += [
                Outlier(each.agent_id, name, value, usual.median)
                for each, value in zip(figures, values, strict=True)
                if _stands_out(value, usual, least, rules)
            ]
    return GroupSummary(
        agents=len(figures),
        pairs=sum(each.pairs for each in figures),
        calendar_writes=sum(each.calendar_writes for each in figures),
        rdv_solidarites_writes=sum(each.rdv_solidarites_writes for each in figures),
        hours_per_week=spread([hours(each) for each in figures]),
        near_twins=sum(each.near_twins for each in figures),
        outliers=tuple(sorted(outliers, key=lambda one: (one.agent_id, one.figure))),
    )


def _stands_out(value: float, usual: Spread, least: float, rules: OutlierRules) -> bool:
    away = abs(value - usual.median)
    return away > rules.deviations * usual.deviation and away >= least
