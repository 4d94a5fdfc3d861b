"""A slice of the storm; `make storm` sends 10,000."""

from __future__ import annotations

from pathlib import Path

from tests.webhooks.storm import play


def test_a_storm_ends_in_the_last_word_on_everything_and_every_delivery_is_answered(tmp_path: Path) -> None:
    figures = play(800, tmp_path)
    assert figures.wrong == 0
    assert set(figures.statuses) == {"200", "401"}
    assert sum(figures.statuses.values()) == figures.deliveries
    assert figures.memory < 64
