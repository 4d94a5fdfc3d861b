"""`python -m tests.simulation`: a campaign of simulated histories."""

from __future__ import annotations

import argparse
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

import structlog

from tests.simulation.history import Outcome, play
from tests.simulation.switches import SAFEGUARDS, without
from tests.simulation.world import remove_template, template

_SHOWN = 5


def main(arguments: list[str]) -> int:
    """Play the seeds; 0 when every promise held in all of them."""
    options = _options(arguments)
    started = time.monotonic()
    seeds = range(options.first, options.first + options.seeds)
    template()  # made once: the processes that play inherit it
    try:
        outcomes = list(_outcomes(seeds, options))
    finally:
        remove_template()
    return _tell(outcomes, options, time.monotonic() - started)


def _outcomes(seeds: range, options: argparse.Namespace) -> Iterator[Outcome]:
    """In the order of the seeds; up to the first broken promise if so asked."""
    size = 1 if options.stop else 20
    portions = [seeds[start : start + size] for start in range(0, len(seeds), size)]
    work = partial(_play_all, options=options)
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("fork")) as pool:
        for found in map(work, portions) if options.jobs == 1 else pool.map(work, portions):
            yield from found
            if options.stop and found[-1].promise:
                pool.shutdown(cancel_futures=True)
                return


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="with --seeds 1: play one seed again")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--without", choices=SAFEGUARDS, help="switch a safeguard off: promises must break")
    parser.add_argument("--rivalry", type=float, help="chance that somebody edits what is about to be written")
    parser.add_argument("--stop", action="store_true", help="end with the first broken promise")
    parser.add_argument("--log", action="store_true", help="print every history, not only those that failed")
    return parser.parse_args(arguments)


def _play_all(seeds: range, *, options: argparse.Namespace) -> list[Outcome]:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with without(options.without) as changes:
        arguments = {"steps": options.steps, "rivalry": options.rivalry, **changes}
        return [play(seed, **arguments) for seed in seeds]


def _tell(outcomes: list[Outcome], options: argparse.Namespace, seconds: float) -> int:
    broken = [each for each in outcomes if each.promise]
    for each in outcomes if options.log else broken[:_SHOWN]:
        print(f"--- seed {each.seed}")
        print("\n".join(f"  {line}" for line in each.log))
        print(f"  => {each.promise or 'all promises held'}: {each.what}")
    for each in broken[_SHOWN:]:
        print(f"seed {each.seed}: {each.promise}: {each.what.splitlines()[0][:150]}")
    counts: Counter[str] = sum((each.counts for each in outcomes), Counter())
    promises = Counter(each.promise for each in broken)
    told = ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
    by_promise = f" ({', '.join(f'{name}: {count}' for name, count in promises.most_common())})" if promises else ""
    print(f"{len(outcomes)} seeds, {seconds:.0f} s, {len(broken)} broken promises{by_promise}; {told}")
    return 1 if broken else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of a history
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]])
    sys.exit(main(sys.argv[1:]))
