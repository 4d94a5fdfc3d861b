"""`python -m tests.simulation`: a campaign of simulated histories."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from multiprocessing import get_context

import structlog

from tests.simulation.disk import disk
from tests.simulation.faults import Cell
from tests.simulation.history import STEPS, Outcome, play
from tests.simulation.mutants import BOUND, MUTANTS, hints, mutated
from tests.simulation.table import least, table

_SHOWN = 5
_PORTION = 20


def main(arguments: list[str]) -> int:
    """Play the seeds; 0 when every promise held in all of them."""
    options = _options(arguments)
    disk()  # made once: the processes that play inherit it
    if options.mutants is not None:
        return _hunt(options.mutants or MUTANTS, options)
    done = _Campaign()
    for outcome in _outcomes(options, done):
        done.add(outcome)
        if done.broken and options.stop:
            break
    return _tell(done, options)


@dataclass(slots=True)
class _Campaign:
    """What is known of the histories played so far."""

    started: float = field(default_factory=time.monotonic)
    seeds: int = 0
    processor: float = 0.0  # seconds
    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[Cell] = field(default_factory=Counter)
    broken: list[Outcome] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.seeds += 1
        self.processor += outcome.processor
        self.counts += outcome.counts
        self.hits += outcome.hits
        if outcome.promise:
            self.broken.append(outcome)


def _outcomes(options: argparse.Namespace, done: _Campaign) -> Iterator[Outcome]:
    """In the order of the seeds."""
    size = 1 if options.stop else _PORTION
    work = partial(_play_all, options=options)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        for rounds in count():
            first = options.first + rounds * options.seeds
            seeds = range(first, first + options.seeds)
            portions = [seeds[start : start + size] for start in range(0, len(seeds), size)]
            try:
                for found in _map(pool, work, portions, options.jobs):
                    yield from found
            finally:
                pool.shutdown(wait=False, cancel_futures=True) if options.stop and done.broken else None
            if least(done.hits)[1] >= options.until_covered:
                return


def _map(pool: Executor, work: partial[list[Outcome]], portions: list[range], jobs: int) -> Iterator[list[Outcome]]:
    return map(work, portions) if jobs == 1 else pool.map(work, portions)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="with --seeds 1: play one seed again")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=STEPS, help="of each history: a shorter one is its beginning")
    parser.add_argument("--until-covered", type=int, default=0, metavar="N", help="play on until each square has N")
    parser.add_argument("--without", choices=MUTANTS, help="change the code: promises must break")
    parser.add_argument(
        "--mutants", nargs="*", choices=MUTANTS, metavar="MUTANT", help="change the code in each way: all are caught"
    )
    parser.add_argument("--rivalry", type=float, help="chance that somebody edits what is about to be written")
    parser.add_argument("--stop", action="store_true", help="end with the first broken promise")
    parser.add_argument("--log", action="store_true", help="print every history, not only those that failed")
    parser.add_argument("--table", action="store_true", help="print what befell which operations")
    return parser.parse_args(arguments)


def _hunt(names: Sequence[str], options: argparse.Namespace) -> int:
    """Play each mutant until a promise breaks; 0 when all did. One that only crashes proves nothing."""
    escaped = 0
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        for name, (outcome, seeds) in zip(names, pool.map(partial(_catch, options=options), names), strict=True):
            caught = outcome is not None and outcome.promise != "no bug"
            escaped += not caught
            said = f"{outcome.promise}: {outcome.what.splitlines()[0][:120]}" if outcome else "all promises held"
            print(f"{'caught' if caught else 'ESCAPED'} after {seeds:3} seeds  {name:<52} {said}", flush=True)
    print(f"{len(names)} mutants, {escaped} escaped")
    return 1 if escaped else 0


def _catch(name: str, *, options: argparse.Namespace) -> tuple[Outcome | None, int]:
    """The history that shows it, if any within the bound, and how many were played."""
    changed = argparse.Namespace(**{**vars(options), "without": name})
    for number in range(BOUND):
        outcome = _play(options.first + number, changed, options.steps, name)
        if outcome.promise and not _play(options.first + number, changed, options.steps, None).promise:
            return outcome, number + 1
    return None, BOUND


def _play_all(seeds: range, *, options: argparse.Namespace) -> list[Outcome]:
    return [_play(seed, options, options.steps, options.without) for seed in seeds]


def _play(seed: int, options: argparse.Namespace, steps: int, mutant: str | None) -> Outcome:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with mutated(mutant):
        outcome = play(seed, **{"steps": steps, "rivalry": options.rivalry, **hints(options.without)})
    if options.log:
        print("\n".join([f"--- seed {seed}", *(f"  {line}" for line in outcome.log)]))
    if not outcome.promise:
        outcome.log.clear()
    return outcome


def _shrunk(broken: Outcome, options: argparse.Namespace) -> tuple[Outcome, int]:
    """The shortest beginning of a history that breaks a promise, and its steps."""
    for steps in range(options.steps):
        found = _play(broken.seed, options, steps, options.without)
        if found.promise:
            return found, steps
    return broken, options.steps


def _tell(done: _Campaign, options: argparse.Namespace) -> int:
    for each in done.broken[: 0 if options.without else _SHOWN]:
        found, steps = _shrunk(each, options)
        print(f"--- seed {each.seed}, after {steps} steps (--first {each.seed} --seeds 1 --steps {steps})")
        print("\n".join(f"  {line}" for line in found.log))
        print(f"  => {found.promise}: {found.what}")
    for each in done.broken:
        print(f"seed {each.seed}: {each.promise}: {each.what.splitlines()[0][:150]}")
    if options.table or options.until_covered:
        print(table(done.hits))
    counts = done.counts
    promises = Counter(each.promise for each in done.broken)
    by_promise = f" ({', '.join(f'{name}: {number}' for name, number in promises.most_common())})" if promises else ""
    told = ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
    each = 1000 * done.processor / max(1, counts["operations"])
    print(f"{told}\n{done.seeds} seeds, {counts['operations']} operations, {time.monotonic() - done.started:.0f} s,")
    print(f"{each:.1f} ms of processor per operation, {len(done.broken)} broken promises{by_promise}")
    return 1 if done.broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a history
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
