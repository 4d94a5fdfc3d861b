"""Every row of the table of events, and the page that shows them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.mappings.event_rows import TABLES, Row, Table
from tests.mappings.event_table import PAGE, outcome, page


@pytest.mark.parametrize(
    ("table", "row"),
    [pytest.param(table, row, id=f"{table.title}: {row[0]}") for table in TABLES for row in table.rows],
)
def test_event_makes_these_blocks(table: Table, row: Row) -> None:
    assert outcome(table, row) == row[2]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_no_two_rows_of_a_table_have_one_name(table: Table) -> None:
    assert Counter(row[0] for row in table.rows).most_common(1)[0][1] == 1


def test_the_page_shows_the_table() -> None:
    """`python -m tests.mappings.event_table` writes it again."""
    assert PAGE.read_text(encoding="utf-8") == page()
