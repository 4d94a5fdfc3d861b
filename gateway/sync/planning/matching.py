"""Desired blocks <-> the absences that we hold: same interval, same provenance, nearest on the day, new, surplus."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gateway.sync.values import PoolBlock
from mappings.blocks import Block


@dataclass(frozen=True, slots=True)
class Matches:
    kept: tuple[tuple[Block, PoolBlock], ...]  # same interval: nothing to write
    moved: tuple[tuple[Block, PoolBlock], ...]
    missing: tuple[Block, ...]
    surplus: tuple[PoolBlock, ...]


def match(desired: Iterable[Block], held: Iterable[PoolBlock]) -> Matches:
    """Pair each desired block (no two of one interval) with at most one held, in three passes.

    The passes make merging, splits of a series, one meeting in two calendars and a move to another server come
    out as few changes; the result depends on the two sets alone, not on their order.
    """
    wanted = sorted(desired, key=_time)
    free = sorted(held, key=lambda block: (block.start, block.end, block.absence_id))
    kept = _same_interval(wanted, free)
    moved = _take(wanted, free, _shared_provenance)
    moved += _take(wanted, free, _nearness_on_day)
    return Matches(tuple(kept), tuple(moved), tuple(wanted), tuple(free))


def _same_interval(wanted: list[Block], free: list[PoolBlock]) -> list[tuple[Block, PoolBlock]]:
    """By a table: this is the pass that an unchanged agent takes for every block."""
    by_interval: dict[tuple[object, object], list[PoolBlock]] = {}
    for have in reversed(free):
        by_interval.setdefault((have.start, have.end), []).append(have)
    pairs = [(want, candidates.pop()) for want in wanted if (candidates := by_interval.get((want.start, want.end)))]
    met = {have.absence_id for _, have in pairs}
    met_blocks = {(want.start, want.end) for want, _ in pairs}
    free[:] = [have for have in free if have.absence_id not in met]
    wanted[:] = [want for want in wanted if (want.start, want.end) not in met_blocks]
    return pairs


def _take(
    wanted: list[Block], free: list[PoolBlock], score: Callable[[Block, PoolBlock], float]
) -> list[tuple[Block, PoolBlock]]:
    """Greedy by time: pair each wanted block with its best partner, and take both out of the lists."""
    pairs: list[tuple[Block, PoolBlock]] = []
    for want in list(wanted):
        best = max(free, key=lambda have: score(want, have), default=None)
        if best is not None and score(want, best) > 0:
            pairs.append((want, best))
            wanted.remove(want)
            free.remove(best)
    return pairs


def _shared_provenance(want: Block, have: PoolBlock) -> float:
    return float(len(want.provenance & have.provenance))


def _nearness_on_day(want: Block, have: PoolBlock) -> float:
    if want.start.date() != have.start.date():
        return 0.0
    return 1.0 / (1.0 + abs((want.start - have.start).total_seconds()))


def _time(block: Block) -> tuple[object, ...]:
    return (block.start, block.end, sorted(block.provenance))
