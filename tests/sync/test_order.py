"""Which of two words on one thing is the later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.store.last_word import Said
from gateway.sync.order import Verdict, judge

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
APPLY, STALE, DOUBTFUL = Verdict.APPLY, Verdict.STALE, Verdict.DOUBTFUL


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


@pytest.mark.parametrize(("written", "verdict"), [(-2, STALE), (-1, APPLY), (0, APPLY), (60, APPLY)])
def test_of_two_webhooks_the_later_counts_and_of_one_second_the_last_received(written: int, verdict: Verdict) -> None:
    said = Said(NOON, by_us=False, gone=False)  # the end of the second that begins at -1
    assert judge(after(written), said=said, read_at=None, there=True, destroyed=False) is verdict


@pytest.mark.parametrize(
    ("written", "there", "destroyed", "verdict"),
    [
        (-1.1, True, False, STALE),
        (-0.9, True, False, APPLY),  # written within the second in which the listing was asked for
        (-5, True, True, APPLY),  # an id never comes back: the clocks differ
        (-12, True, True, STALE),
        (-5, False, False, APPLY),  # so late a listing proves nothing yet
        (-12, False, False, STALE),
    ],
)
def test_a_webhook_against_a_listing(written: float, there: bool, destroyed: bool, verdict: Verdict) -> None:
    assert judge(after(written), said=None, read_at=NOON, there=there, destroyed=destroyed) is verdict


@pytest.mark.parametrize(
    ("written", "verdict"), [(-60, STALE), (-5, DOUBTFUL), (0, DOUBTFUL), (2, DOUBTFUL), (2.1, APPLY)]
)
def test_a_webhook_that_may_be_the_echo_of_our_own_write_is_doubtful(written: float, verdict: Verdict) -> None:
    said = Said(NOON, by_us=True, gone=False)
    assert judge(after(written), said=said, read_at=None, there=True, destroyed=False) is verdict
