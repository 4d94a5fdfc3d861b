"""A slice of the simulation, and the proof that it sees mistakes. `make simulate` plays thousands of seeds, and
`make mutants` every mistake that is known."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As anybody runs it, in a process of its own: a seed plays the same history here and there."""
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=110, check=False)


def test_every_promise_holds_in_every_history() -> None:
    done = campaign("--seeds", "16", "--table")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "16 seeds" in done.stdout
    assert "the least hit" in done.stdout


def test_every_promise_holds_when_somebody_often_edits_what_is_about_to_be_written() -> None:
    done = campaign("--first", "60", "--seeds", "4", "--rivalry", "0.5")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_seed_plays_the_same_history_again() -> None:
    once, again = (campaign("--first", "3", "--seeds", "1", "--log").stdout.split("\n1 seeds")[0] for _ in range(2))
    assert "run of nothing" in once or "last run" in once
    assert once == again


def test_mistakes_break_promises() -> None:
    """The few that are seen soonest."""
    few = ("intents forgotten", "creation tried again early", "first run not held", "stop ignored")
    done = campaign("--mutants", *few)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("\ncaught") + done.stdout.startswith("caught") == len(few)
