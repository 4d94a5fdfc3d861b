"""`python -m tests.benchmarks`: SQL statements and own processor time of a run, per operation and per unchanged agent.

Both sides are doubles in memory, so that what is measured is the gateway (and, within it, the doubles). The floor is
measured in the same process, right after: the same statements with the same parameters, on a copy of the database as it
was before, through the bare driver.
"""

from __future__ import annotations

import argparse
import logging
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

from gateway.sync.ceiling import Ceiling
from gateway.sync.values import RunReport
from tests.campaigns.departement import WAVES, Departement

_NO_CEILING = Ceiling(per_hour=1_000_000, per_day=1_000_000)
_MINUTE = 60.0


@dataclass(slots=True)
class Recorded:
    """What the database was told, in order: statement, parameters, and whether these are many."""

    statements: list[tuple[str, Any, bool]] = field(default_factory=list)

    @property
    def count(self) -> int:
        """Statements that ask or change something."""
        return sum(not text.startswith(("BEGIN", "COMMIT", "ROLLBACK")) for text, _, _ in self.statements)


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: seconds of processor, those of its statements alone, and what it was about."""

    name: str
    things: int
    seconds: float
    floor: float
    statements: int

    def line(self) -> str:
        """For people, as a row of Markdown."""
        each, floor = 1_000 * self.seconds / self.things, 1_000 * self.floor / self.things
        ratio = f"{each / floor:.1f}" if floor else "-"
        asked = self.statements / self.things
        return f"| {self.name} | {self.things} | {asked:.2f} | {each:.2f} | {floor:.3f} | {ratio} |"


@contextmanager
def recorded() -> Iterator[Recorded]:
    """Everything that any connection of this process is told meanwhile."""
    found = Recorded()

    def told(_c: Connection, _cursor: object, text: str, parameters: Any, _context: object, many: bool) -> None:
        found.statements.append((text, parameters, many))

    def ended(word: str) -> Callable[[Connection], None]:
        return lambda _connection: found.statements.append((word, (), False))

    listeners = (("before_cursor_execute", told), ("commit", ended("COMMIT")), ("rollback", ended("ROLLBACK")))
    for name, listener in listeners:
        event.listen(Engine, name, listener)
    try:
        yield found
    finally:
        for name, listener in listeners:
            event.remove(Engine, name, listener)


def replayed(before: Path, found: Recorded) -> float:
    """Seconds of processor that the statements take by themselves, every row of an answer fetched."""
    with closing(sqlite3.connect(before, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        started = time.process_time()
        for text, parameters, many in found.statements:
            if text in ("COMMIT", "ROLLBACK") and not connection.in_transaction:
                continue
            if many:
                connection.executemany(text, parameters)
            else:
                connection.execute(text, parameters).fetchall()
        return time.process_time() - started


def measured(name: str, departement: Departement, folder: Path, things: Callable[[RunReport], int]) -> Measured:
    """One run, recorded as it is timed: to note a statement takes a microsecond."""
    before = folder / "before.sqlite3"
    before.unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "gateway.sqlite3")) as source, closing(sqlite3.connect(before)) as target:
        source.backup(target)
    with recorded() as found:
        started = time.process_time()
        report = departement.run()
        seconds = time.process_time() - started
    return Measured(name, things(report), seconds, replayed(before, found), found.count)


def bench(agents: int, occurrences: int) -> list[Measured]:
    """A département that goes live at once, and then meets no change."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        departement = Departement(folder, agents, occurrences, _NO_CEILING)
        with closing(departement.database):
            departement.roster()
            for wave in range(1, WAVES + 1):
                departement.go_live(wave)
            found = [measured("operation", departement, folder, lambda r: sum(len(a.done) for a in r.agents))]
            departement.clock.sleep(_MINUTE)
            # It reads what the gateway wrote last, and plans everybody once more.
            found.append(measured("agent read anew", departement, folder, lambda report: len(report.agents)))
            departement.clock.sleep(_MINUTE)
            found.append(measured("unchanged agent", departement, folder, lambda report: len(report.agents)))
    return found


def main(arguments: list[str]) -> int:
    """0 unless a limit that was given is passed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--occurrences", type=int, default=120, help="busy ones of each agent in eight weeks")
    parser.add_argument("--most-unchanged", type=float, metavar="MS", help="fail when an unchanged agent takes longer")
    options = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = bench(options.agents, options.occurrences)
    print("| per | how many | statements | ms of processor | the statements alone, ms | ratio |")
    print("|---|---|---|---|---|---|")
    print("\n".join(each.line() for each in found))
    unchanged, most = found[-1], options.most_unchanged
    return 1 if most is not None and 1_000 * unchanged.seconds > most * unchanged.things else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
