"""Whatever is kept comes back equal, through the database and its encryption."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import example, given

from connectors.records import Absence, EventTime, Rdv
from gateway.store.codec import dump_operation, dump_time, load_operation, load_time
from gateway.store.store import Store
from gateway.sync.values import (
    AgreedCopy,
    AgreedMirror,
    JournalEntry,
    Operation,
    PoolBlock,
    Presence,
    SeenAbsence,
    SeenEvent,
    SeenRdv,
    Suppression,
)
from tests.store import samples
from tests.store.samples import AGENT, MAIN, NOW, PARIS


@given(samples.event_times)
@example(datetime(2026, 10, 25, 2, 30, tzinfo=PARIS, fold=1))
def test_an_event_time_keeps_its_form_its_zone_and_its_pass_of_the_repeated_hour(time: EventTime) -> None:
    loaded = load_time(dump_time(time))
    assert (loaded, type(loaded)) == (time, type(time))
    if isinstance(time, datetime) and isinstance(loaded, datetime):
        assert loaded.tzinfo is time.tzinfo
        if time.tzinfo is not None:
            assert loaded.fold == time.fold


def test_an_event_time_with_a_bare_offset_is_no_event_time() -> None:
    with pytest.raises(TypeError):
        dump_time(datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=1))))


@given(samples.operations)
def test_an_operation_comes_back_with_the_same_digest(operation: Operation) -> None:
    loaded = load_operation(dump_operation(operation))
    assert loaded == operation
    assert loaded.digest == operation.digest


@given(samples.operations)
def test_intents(shared_store: Store, operation: Operation) -> None:
    with shared_store.transaction() as tx:
        opened = tx.open_intent("run", operation, highest_absence_id=12, at=NOW)
    try:
        assert shared_store.open_intents(AGENT) == (opened,)
    finally:
        with shared_store.transaction() as tx:
            tx.close_intent(opened.id, "done")


@given(samples.events)
def test_events(shared_store: Store, event: SeenEvent) -> None:
    with shared_store.transaction() as tx:
        tx.save_calendar_reading(MAIN, events=[event], gone=[], cursor=None, mark="", read_at=NOW)
    assert shared_store.agent_view(AGENT).events == (event,)


@given(samples.rdvs)
def test_rdvs(shared_store: Store, rdv: Rdv) -> None:
    with shared_store.transaction() as tx:
        tx.save_rdvs([rdv], digests={rdv.id: repr(asdict(rdv))}, agents_epoch=1, read_at=NOW)
    assert shared_store.agent_view(AGENT).rdvs == (SeenRdv(rdv, Presence.PRESENT),)


@given(samples.absences)
def test_absences(shared_store: Store, absence: Absence) -> None:
    with shared_store.transaction() as tx:
        tx.save_absences([absence])
    assert shared_store.agent_view(AGENT).absences == (SeenAbsence(absence, Presence.PRESENT),)


@given(samples.copies)
def test_copies(shared_store: Store, copy: AgreedCopy) -> None:
    with shared_store.transaction() as tx:
        tx.put_copy(copy)
    assert shared_store.agent_view(AGENT).copies == (copy,)


@given(samples.blocks)
def test_blocks(shared_store: Store, block: PoolBlock) -> None:
    with shared_store.transaction() as tx:
        tx.put_block(block)
    assert shared_store.agent_view(AGENT).blocks == (block,)


@given(samples.mirrors)
def test_mirrors(shared_store: Store, mirror: AgreedMirror) -> None:
    with shared_store.transaction() as tx:
        tx.put_mirror(mirror)
    assert shared_store.agent_view(AGENT).mirrors == (mirror,)


@given(samples.suppressions)
def test_suppressions_end_by_their_value(shared_store: Store, suppression: Suppression) -> None:
    with shared_store.transaction() as tx:
        tx.add_suppressions([suppression, suppression])
    assert shared_store.agent_view(AGENT).suppressions == (suppression,)
    with shared_store.transaction() as tx:
        tx.end_suppressions([suppression])
    assert shared_store.agent_view(AGENT).suppressions == ()


@given(samples.entries)
def test_journal_entries(shared_store: Store, entry: JournalEntry) -> None:
    with shared_store.transaction() as tx:
        number = tx.journal(entry)
    assert shared_store.journal(limit=1, with_content=True) == ((number, entry),)
