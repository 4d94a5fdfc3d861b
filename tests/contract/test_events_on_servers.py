"""Every row of the table of events through real calendar servers: what they give back occupies the same times."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from connectors.caldav import CalDavAccount
from connectors.errors import BadItem
from connectors.records import CalendarItem
from tests.connectors.caldav.bench import CalDavBench
from tests.mappings.event_files import OWNER, file_of
from tests.mappings.event_rows import REFUSED_BY, REWRITTEN_BY, TABLES, Row, Table
from tests.mappings.event_table import busy

ROWS: dict[str, tuple[Table, Row]] = {
    f"row-{number}": (table, row)
    for number, (table, row) in enumerate((table, row) for table in TABLES for row in table.rows)
}


@pytest.fixture(params=["radicale", "xandikos"])
def bench(request: pytest.FixtureRequest) -> Iterator[CalDavBench]:
    with CalDavBench(request.getfixturevalue(request.param)) as bench:
        yield bench


def taken_and_refused(bench: CalDavBench) -> tuple[dict[str, str], set[str]]:
    """Another client puts every row into the calendar: href -> key of `ROWS`, and names of rows that were refused."""
    taken, refused = {}, set()
    for key, (_, row) in ROWS.items():
        try:
            taken[bench.other_client_puts(key, file_of(row[1], key).decode())] = key
        except httpx2.HTTPStatusError as error:
            if error.response.is_server_error:
                raise
            refused.add(row[0])
    return taken, refused


def everything(account: CalDavAccount, calendar: str) -> dict[str, CalendarItem]:
    found: dict[str, CalendarItem] = {}
    cursor: str | None = None
    while True:
        changes = account.changes(calendar, cursor, {href: item.version for href, item in found.items()})
        found |= {item.href: item for item in changes.items}
        cursor = changes.cursor
        if not changes.more:
            return found


def outcome(account: CalDavAccount, item: CalendarItem, table: Table, expected: str) -> str:
    try:
        return busy(table, account.parse(item))
    except BadItem as refusal:
        return expected if expected.removeprefix("refused: ") in str(refusal) else str(refusal)


def test_what_a_server_gives_back_occupies_the_same_times(bench: CalDavBench) -> None:
    taken, refused = taken_and_refused(bench)
    assert refused == REFUSED_BY[bench.server.name]
    account = bench.other_account(owner_addresses={bench.calendar: [OWNER]})
    items = everything(account, bench.calendar)
    assert account.requests <= bench.first_reading_limit(len(taken))
    assert set(items) == set(taken)
    wrong = {}
    for href, item in items.items():
        table, (name, _, sent) = ROWS[taken[href]]
        expected = REWRITTEN_BY[bench.server.name].get(name, sent)
        if (found := outcome(account, item, table, expected)) != expected:
            wrong[f"{table.title}: {name}"] = (found, expected)
    assert wrong == {}
