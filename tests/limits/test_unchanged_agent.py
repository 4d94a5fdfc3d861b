"""An agent at whom nothing changed costs next to nothing."""

from __future__ import annotations

from gateway.rules.book import RuleBook
from tests.limits.unchanged_agent import milliseconds


def test_a_plan_of_unchanged_events_expands_no_series() -> None:
    """48 of the 120 occurrences are of series; the others are single events, which cost alike each time."""
    first, again = (milliseconds(RuleBook(), remembered=remembered) for remembered in (False, True))
    assert again < 0.7 * first, f"{again:.1f} ms after {first:.1f} ms"
