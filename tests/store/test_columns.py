"""Instants and wall-clocks are never taken for each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import StatementError

from gateway.store.store import Store
from gateway.store.values import StoredWindow
from tests.store.samples import AGENT, MORNING, NOW, absence, block, copy


def test_a_naive_instant_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="must be aware"), store.transaction() as tx:
        tx.put_copy(copy(ends_at=MORNING))


def test_an_aware_wall_clock_is_refused(store: Store) -> None:
    with pytest.raises(StatementError, match="must be naive"), store.transaction() as tx:
        tx.put_block(block(start=NOW))
    with pytest.raises(StatementError, match="must be naive"), store.transaction() as tx:
        tx.save_absences([absence(start=NOW)])


def test_an_instant_comes_back_in_utc_whatever_its_zone_was(store: Store) -> None:
    given = datetime(2026, 3, 2, 9, 30, 0, 250, tzinfo=timezone(timedelta(hours=-4)))
    with store.transaction() as tx:
        tx.put_copy(copy(ends_at=given))
    (kept,) = store.agent_view(AGENT).copies
    assert kept == copy(ends_at=given)
    assert kept.ends_at.tzinfo is UTC


def test_windows_are_ordered_by_instant_not_by_their_local_text(store: Store) -> None:
    east = datetime(2026, 3, 2, 12, tzinfo=timezone(timedelta(hours=12)))
    west = datetime(2026, 3, 2, 1, tzinfo=timezone(-timedelta(hours=4)))
    first, second = StoredWindow(east, east, NOW), StoredWindow(west, west, NOW)
    with store.transaction() as tx:
        tx.save_rdv_windows(1, [second, first])
    assert store.rdv_windows(1) == (first, second)


def test_a_wall_clock_keeps_its_microseconds(store: Store) -> None:
    given = replace(block(), start=MORNING.replace(microsecond=1))
    with store.transaction() as tx:
        tx.put_block(given)
    assert store.agent_view(AGENT).blocks == (given,)
