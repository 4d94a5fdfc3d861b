"""What of an agent's absences is ours after a lost database: by the end of its title and the form of its interval."""

from __future__ import annotations

from datetime import datetime

import pytest

from connectors.records import Absence
from gateway.agents.traces import absence_traces
from mappings.identity import absence_title

START, END = datetime(2026, 6, 2, 9), datetime(2026, 6, 2, 10)


def traces(title: str, end: datetime = END, rrule: str | None = None) -> tuple[int, int, int]:
    """How many removals, doubts and absences of persons."""
    found = absence_traces([Absence(5, 7, title, START, end, rrule)], None)
    return len(found.removals), len(found.doubts), found.typed


@pytest.mark.parametrize("label", ["", "Formation", "Congés"])
def test_a_block_is_ours_whatever_its_label(label: str) -> None:
    assert traces(absence_title(label)) == (1, 0, 0)


@pytest.mark.parametrize("title", ["Formation", "Congé", "agenda", "Occupé"])
def test_what_a_person_typed_is_theirs(title: str) -> None:
    assert traces(title) == (0, 0, 1)


def test_a_labelled_one_that_recurs_or_has_seconds_is_for_a_person_to_judge() -> None:
    assert traces(absence_title("Formation"), rrule="FREQ=WEEKLY") == (0, 1, 0)
    assert traces(absence_title("Formation"), end=END.replace(second=30)) == (0, 1, 0)
