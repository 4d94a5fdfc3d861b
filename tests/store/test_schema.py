"""Every field of a value has its column: one that is added to a value later cannot be lost in silence."""

from __future__ import annotations

from dataclasses import fields

import pytest
from sqlalchemy import Table

from gateway.store import schema
from gateway.sync.values import AgreedCopy, AgreedMirror, JournalEntry, PoolBlock, SeenEvent, Suppression

_COLUMNS = {"ref": ("account", "calendar"), "start": ("starts_at",), "end": ("ends_at",)}


@pytest.mark.parametrize(
    ("value", "table"),
    [
        (AgreedCopy, schema.agreed_copy),
        (PoolBlock, schema.pool_block),
        (AgreedMirror, schema.agreed_mirror),
        (Suppression, schema.suppression),
    ],
)
def test_columns_of_what_is_agreed_are_the_fields_in_their_order(value: type, table: Table) -> None:
    expected = [column for field in fields(value) for column in _COLUMNS.get(field.name, (field.name,))]
    assert [column.name for column in table.c] == expected


@pytest.mark.parametrize(
    ("value", "table", "instead"),
    [
        (SeenEvent, schema.observed_event, {"ref": "calendar_id"}),
        (JournalEntry, schema.journal, {"before": "before_digest"}),
    ],
)
def test_every_field_of_what_is_seen_and_journaled_has_a_column(
    value: type, table: Table, instead: dict[str, str]
) -> None:
    expected = {instead.get(field.name, field.name) for field in fields(value)}
    of_chain = {"chain", "sequence", "content_digest", "previous", "digest"} if table is schema.journal else set()
    assert {column.name for column in table.c} - {"id"} - of_chain == expected
