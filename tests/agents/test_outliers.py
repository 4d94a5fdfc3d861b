"""Who stands out of a group of first plans."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.agents.outliers import OutlierRules, spread, summarise
from gateway.sync.figures import figures_of
from gateway.sync.values import (
    Action,
    Conflict,
    ConflictKind,
    Guarded,
    Held,
    HoldReason,
    Interval,
    ObjectKind,
    Operation,
    OperationClass,
    Plan,
    PlanFigures,
    Side,
)

AT = datetime(2026, 3, 2, 8, tzinfo=UTC)
USUAL = PlanFigures(0, AT, pairs=4, calendar_writes=30, rdv_solidarites_writes=40, weekly_minutes=600, near_twins=0)


def group(count: int = 30) -> list[PlanFigures]:
    """Agents who differ a little, as people do."""
    return [
        replace(USUAL, agent_id=number, weekly_minutes=600 + 20 * (number % 7), calendar_writes=30 + number % 5)
        for number in range(1, count + 1)
    ]


@pytest.mark.parametrize(
    ("odd", "figure"),
    [
        ({"weekly_minutes": 4000}, "hours_per_week"),
        ({"weekly_minutes": 0}, "hours_per_week"),
        ({"rdv_solidarites_writes": 900}, "writes"),
        ({"near_twins": 12}, "near_twins"),
    ],
)
def test_the_odd_one_is_singled_out_by_the_figure_that_is_odd(odd, figure):
    """Also who has nothing at all: perhaps the wrong calendar."""
    summary = summarise([*group(), replace(USUAL, agent_id=99, **odd)], OutlierRules())
    assert [(one.agent_id, one.figure) for one in summary.outliers] == [(99, figure)]


def test_many_odd_ones_do_not_hide_each_other():
    """A mean and a standard deviation would be drawn to them."""
    odd = [replace(USUAL, agent_id=number, weekly_minutes=6000) for number in range(100, 110)]
    summary = summarise([*group(), *odd], OutlierRules())
    assert {one.agent_id for one in summary.outliers} == set(range(100, 110))


def test_small_differences_never_stand_out_however_alike_the_others_are():
    """The floor of each figure."""
    alike = [replace(USUAL, agent_id=number) for number in range(1, 30)]
    assert summarise([*alike, replace(USUAL, agent_id=99, weekly_minutes=900)], OutlierRules()).outliers == ()


def test_in_a_small_group_nobody_stands_out():
    assert summarise([*group(3), replace(USUAL, agent_id=99, near_twins=50)], OutlierRules()).outliers == ()


def test_an_empty_group_has_no_summary():
    assert summarise([], OutlierRules()) is None


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_a_spread_is_in_order_and_never_negative(values):
    found = spread(values)
    assert found.smallest <= found.median <= found.largest
    assert found.deviation >= 0


def block(start: int, hours: int, action: Action = Action.CREATE) -> Operation:
    begin = datetime(2026, 3, 3, start)
    return Operation(
        agent_id=1,
        side=Side.RDV_SOLIDARITES,
        action=action,
        kind=ObjectKind.BUSY_BLOCK,
        op_class=OperationClass.COVER,
        rule="event_occupies_time",
        when=begin,
        interval=Interval(begin, begin + timedelta(hours=hours)),
    )


def test_figures_count_writes_pairs_and_time_that_overlaps_once():
    """9-11 and 10-12 are three hours; a pair blocks and writes nothing."""
    held = tuple(Held(each, HoldReason.FIRST_RUN, "") for each in (block(9, 2), block(10, 2)))
    plan = Plan(1, conflicts=(Conflict(1, ConflictKind.NEAR_TWIN, ""), Conflict(1, ConflictKind.ORPHAN, "")))
    guarded = Guarded(allowed=(block(14, 1, Action.PAIR),), held=held)
    found = figures_of(plan, guarded, horizon_days=14, at=AT)
    assert found == PlanFigures(1, AT, 1, 0, 2, weekly_minutes=120, near_twins=1)
