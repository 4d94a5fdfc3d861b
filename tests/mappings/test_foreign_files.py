"""Files of other people, as they are and changed at random: understood, or refused by name; no crash, no hang."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from connectors.errors import BadItem
from tests.mappings.foreign_files import expanded, foreign_files
from tests.mappings.fuzz import LONGEST, run

REFUSALS = Path(__file__).with_name("foreign_refusals.txt")
FILES = foreign_files()


def refusals() -> dict[str, str]:
    """Every file that is refused, with its reason. `RuntimeError` for one that takes long."""
    found = {}
    for name, body in FILES.items():
        begun = time.process_time()
        try:
            expanded(body)
        except BadItem as refusal:
            found[name] = str(refusal)
        if time.process_time() - begun > LONGEST:
            raise RuntimeError(f"{name} takes long")
    return found


def test_there_are_files() -> None:
    assert len(FILES) > 1_000


def test_each_is_understood_or_refused_for_a_known_reason() -> None:
    """`foreign_refusals.txt` has them one a line; whoever changes what is understood sees there what that means."""
    shown = [f"{name}: {reason}" for name, reason in sorted(refusals().items())]
    assert shown == REFUSALS.read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("seed", [1, 2])
def test_changed_at_random_nothing_breaks(seed: int) -> None:
    """`make fuzz` tries more."""
    found = run(seed, most=1_000)
    assert found.faults == []
    assert found.tried == 1_000
    assert len(found.refused) > 20  # else the changes are too tame, or too wild


def test_the_fuzz_finds_what_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def brittle(body: bytes) -> int:
        return int(b"DTSTART" in body) and body.index(b"DTSTART;VALUE=DATE:")

    monkeypatch.setattr("tests.mappings.fuzz.expanded", brittle)
    (_, first), *_ = run(1, most=100, enough=1).faults
    assert "ValueError" in first
