"""Set algebra of busy blocks, checked minute by minute against sets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.blocks import Block, Provenance, merge, subtract, wall_interval, within_api_bounds
from mappings.recurrence import Occurrence
from tests.mappings.ical_rows import PARIS

DAY = datetime(2026, 3, 2)
MINUTE = timedelta(minutes=1)


def at(minute: int) -> datetime:
    return DAY + minute * MINUTE


def block(start: int, end: int, *sources: str, label: str = "") -> Block:
    return Block(at(start), at(end), frozenset(Provenance("c", f"/{s}.ics", s, "") for s in sources), label)


intervals = st.tuples(st.integers(0, 60), st.integers(1, 20)).map(lambda pair: (pair[0], sum(pair)))
blocks = st.builds(lambda pair, source: block(*pair, source), intervals, st.sampled_from("abcdef"))
labelled = st.builds(replace, blocks, label=st.sampled_from(["", "Formation", "Congés"]))


def minutes(some: Iterable[Block]) -> set[datetime]:
    return {each.start + n * MINUTE for each in some for n in range((each.end - each.start) // MINUTE)}


@given(st.lists(blocks))
def test_merge_covers_exactly_the_union(some: list[Block]) -> None:
    merged = merge(some)
    assert minutes(merged) == minutes(some)
    assert frozenset().union(*(each.provenance for each in merged)) == frozenset().union(
        *(each.provenance for each in some)
    )


@given(st.lists(blocks))
def test_merged_blocks_are_sorted_and_apart(some: list[Block]) -> None:
    merged = merge(some)
    assert all(one.end < other.start for one, other in pairwise(merged))


@given(st.lists(labelled))
def test_each_label_is_merged_for_itself(some: list[Block]) -> None:
    """Together they cover what the blocks cover; of one label they are apart, of different ones they may overlap."""
    merged = merge(some)
    assert minutes(merged) == minutes(some)
    for label in ("", "Formation", "Congés"):
        assert [each for each in merged if each.label == label] == list(merge([b for b in some if b.label == label]))
    assert merge(reversed(some)) == merged == merge(merged)


@given(st.lists(blocks).flatmap(lambda some: st.tuples(st.just(some), st.permutations(some))))
def test_merge_depends_on_no_order_and_is_idempotent(pair: tuple[list[Block], list[Block]]) -> None:
    assert merge(pair[0]) == merge(pair[1]) == merge(merge(pair[0]))


@given(st.lists(blocks))
def test_each_block_gives_its_provenance_to_the_one_that_covers_it(some: list[Block]) -> None:
    merged = merge(some)
    for each in some:
        (cover,) = [one for one in merged if one.start <= each.start and each.end <= one.end]
        assert each.provenance <= cover.provenance


def test_touching_blocks_become_one() -> None:
    assert merge([block(30, 60, "b"), block(0, 30, "a")]) == (block(0, 60, "a", "b"),)


def test_touching_blocks_of_different_labels_stay_two() -> None:
    pair = (block(0, 30, "a"), block(30, 60, "b", label="Formation"))
    assert merge(pair) == pair


def test_a_minute_apart_they_stay_two() -> None:
    assert len(merge([block(0, 30, "a"), block(31, 60, "b")])) == 2


@given(blocks, st.lists(intervals))
def test_subtract_leaves_exactly_the_rest(whole: Block, holes: list[tuple[int, int]]) -> None:
    left = subtract(whole, [(at(start), at(end)) for start, end in holes])
    taken = {at(n) for start, end in holes for n in range(start, end)}
    assert minutes(left) == minutes([whole]) - taken
    assert all(each.start < each.end and each.provenance == whole.provenance for each in left)


def test_subtract_ignores_empty_and_reversed_intervals() -> None:
    assert subtract(block(0, 60, "a"), [(at(10), at(10)), (at(30), at(20))]) == (block(0, 60, "a"),)


def test_all_day_block_ends_in_the_last_minute_of_its_last_day() -> None:
    occurrence = Occurrence(
        "20260302",
        datetime(2026, 3, 1, 23, tzinfo=UTC),
        datetime(2026, 3, 4, 23, tzinfo=UTC),
        all_day=True,
        first_day=date(2026, 3, 2),
        last_day=date(2026, 3, 4),
    )
    assert wall_interval(occurrence, PARIS) == (datetime(2026, 3, 2), datetime(2026, 3, 4, 23, 59))


@pytest.mark.parametrize(
    ("start", "end", "today", "expected"),
    [
        ("2026-03-02T09:00", "2026-03-02T10:00", "2026-03-02", ("2026-03-02T09:00", "2026-03-02T10:00")),
        ("2017-12-30T09:00", "2018-01-02T10:00", "2026-03-02", ("2018-01-01T00:00", "2018-01-02T10:00")),
        ("2017-12-30T09:00", "2018-01-01T00:00", "2026-03-02", None),
        ("2031-03-01T09:00", "2031-03-05T10:00", "2026-03-02", ("2031-03-01T09:00", "2031-03-02T23:59")),
        ("2031-03-03T00:00", "2031-03-05T10:00", "2026-03-02", None),
        ("2033-02-28T09:00", "2033-03-05T10:00", "2028-02-29", ("2033-02-28T09:00", "2033-02-28T23:59")),
    ],
)
def test_bounds_of_the_api(start: str, end: str, today: str, expected: tuple[str, str] | None) -> None:
    whole = Block(datetime.fromisoformat(start), datetime.fromisoformat(end), frozenset())
    kept = within_api_bounds(whole, date.fromisoformat(today))
    assert (kept and (f"{kept.start:%Y-%m-%dT%H:%M}", f"{kept.end:%Y-%m-%dT%H:%M}")) == expected
