"""The real program, run again and again by `tests.kill.program`."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tests.scenarios.clock import LeapingClock
from tests.scenarios.departement import Departement


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended: its exit code, what it printed, the boundaries that it crossed."""

    killed: bool
    status: int
    said: str
    crossed: list[str]


class Program:
    """The process of `tests.kill.program`."""

    def __init__(self, lines_in: IO[str], lines_out: IO[str], clock: LeapingClock) -> None:
        self._in, self._out, self._clock = lines_in, lines_out, clock

    def runs(self, *command: str, ahead: float = 0.0, **asked: float) -> Ended:
        """A command, a minute after the last one, with its clock so many seconds `ahead` of the scenario's."""
        self._clock.sleep(60)
        ahead += (self._clock.now() - LeapingClock().now()).total_seconds()
        self._in.write(json.dumps({"command": command or ["sync"], "ahead": ahead, **asked}) + "\n")
        self._in.flush()
        return Ended(**json.loads(self._out.readline()))


@contextmanager
def running_program(departement: Departement, clock: LeapingClock) -> Iterator[Program]:
    path = departement.directory / "configuration.json"
    path.write_text(json.dumps(departement.configuration()))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kill.program", str(path)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Program(process.stdin, process.stdout, clock)
        process.stdin.close()
        assert process.wait(20) == 0
