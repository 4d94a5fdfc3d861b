"""A slice of the simulation, and the proof that it sees a safeguard fail. `make simulate` plays thousands of seeds."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.switches import SAFEGUARDS

_ROOT = Path(__file__).parents[2]


def campaign(*arguments: str) -> subprocess.CompletedProcess[str]:
    """As anybody runs it, in a process of its own: a seed plays the same history here and there."""
    command = [sys.executable, "-m", "tests.simulation", "--jobs", "1", *arguments]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=110, check=False)


@pytest.mark.parametrize("first", [0, 20, 40])
def test_every_promise_holds_in_every_history(first: int) -> None:
    done = campaign("--first", str(first), "--seeds", "20")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "20 seeds" in done.stdout


def test_every_promise_holds_when_somebody_often_edits_what_is_about_to_be_written() -> None:
    done = campaign("--first", "60", "--seeds", "12", "--rivalry", "0.5")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("safeguard", SAFEGUARDS)
def test_promises_break_without_a_safeguard(safeguard: str) -> None:
    done = campaign("--seeds", "60", "--stop", "--without", safeguard)
    assert done.returncode == 1, done.stdout + done.stderr
    assert " 1 broken promises" in done.stdout
    assert "no bug" not in done.stdout, "the switch itself failed"
