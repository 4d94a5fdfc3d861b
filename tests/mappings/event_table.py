"""What the rows of the table of events occupy, and the table as a page: `python -m tests.mappings.event_table`."""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.errors import BadItem
from connectors.icalendar_text import parse_event
from connectors.records import CalendarEvent
from mappings.blocks import wall_interval
from mappings.recurrence import occurrences
from mappings.times import times_of
from mappings.wallclock import to_instant
from tests.mappings.event_files import OWNER, ZONES, file_of
from tests.mappings.event_rows import REFUSED_BY, REWRITTEN_BY, TABLES, Row, Table

PAGE = Path(__file__).parents[2] / "docs" / "events.md"
_HEAD = """# What an event occupies

Each row is an event of a calendar and the busy times that the gateway makes of it. All rows are tests: they run on the
reader and the expansion alone, and on real calendar servers. This page is written by
`python -m tests.mappings.event_table`.

- Times are those of the agent's clock. `0302T0900-1000` is 2 March 2026 from 9:00 to 10:00, `0302T2200-0303T0600` goes
  on to the next day, `0302` is a whole day, `0302-0304` three of them.
- "Set aside" is an event that has no clear meaning: it is listed with its reason, occupies nothing, and stops nothing.
- Lines of one event are separated by line breaks, components (a series and its exceptions) by `---`. `TZ=Paris` stands
  for `TZID=Europe/Paris`; the other names are below. `DECLINED:1` is the calendar's owner who declined, `DECLINED:2`
  somebody else.
- In Paris the clocks go forward on 29 March and back on 25 October 2026, in Saint-Pierre-et-Miquelon and New York on
  8 March and 1 November.
"""


def busy(table: Table, event: CalendarEvent | None) -> str:
    """What an event occupies in the table's window, or why it is refused."""
    zone = ZoneInfo(table.zone)
    start, end = (to_instant(datetime.fromisoformat(day), zone) for day in table.window)
    found = occurrences(times_of(event), start, end, zone) if event else ()
    intervals = sorted(wall_interval(each, zone) for each in found)
    return " ".join(_shown(start, end, table) for start, end in intervals)


def outcome(table: Table, row: Row) -> str:
    """What a row occupies, or "refused: …" with the words of its expectation when they are in the reason."""
    _, text, expected = row
    try:
        return busy(table, parse_event(file_of(text), system="table", owner_addresses=(OWNER,)))
    except BadItem as refusal:
        wanted = expected.removeprefix("refused: ")
        return expected if expected.startswith("refused: ") and wanted in str(refusal) else f"refused: {refusal}"


def _shown(start: datetime, end: datetime, table: Table) -> str:
    day = "%m%d" if str(start.year) == str(end.year) == table.window[0][:4] else "%Y%m%d"
    if start.time() == time.min and end.time() == time(23, 59):
        return f"{start:{day}}" if start.date() == end.date() else f"{start:{day}}-{end:{day}}"
    return f"{start:{day}T%H%M}-{end:%H%M}" if start.date() == end.date() else f"{start:{day}T%H%M}-{end:{day}T%H%M}"


def page() -> str:
    """The whole table as Markdown."""
    return "\n".join([_HEAD, *(line for table in TABLES for line in _section(table)), *_zones(), *_servers()])


def _section(table: Table) -> list[str]:
    head = [
        f"## {table.title}",
        "",
        f"Agent in {table.zone}, from {table.window[0]} to {table.window[1]}.",
        "",
        "| Event | iCalendar | Busy |",
        "|---|---|---|",
    ]
    return [*head, *(_line(row) for row in table.rows), ""]


def _line(row: Row) -> str:
    name, text, expected = row
    parts = [[f"`{line}`" for line in component.split()] for component in text.split("---")]
    lines = "<br>---<br>".join("<br>".join(lines) for lines in parts)
    reason = expected.removeprefix("refused: ")
    shown = f"set aside: {reason}" if reason != expected else "<br>".join(f"`{each}`" for each in expected.split())
    return f"| {name} | {lines} | {shown or 'nothing'} |"


def _zones() -> list[str]:
    def defined(observances: tuple[tuple[str, ...], ...]) -> str:
        return "<br>".join(
            f"`{before}` to `{after}` from `{start}` {rule}" for start, before, after, rule in observances
        )

    rows = [f"| `{name}` | `{zone.tzid}` | {defined(zone.observances)} |" for name, zone in ZONES.items()]
    return ["## Zones of the rows", "", "| In a row | TZID | VTIMEZONE of the file |", "|---|---|---|", *rows, ""]


def _servers() -> list[str]:
    rows = [
        *(f"| {server} | {name} | refused |" for server, names in REFUSED_BY.items() for name in sorted(names)),
        *(
            f"| {server} | {name} | stored as something that occupies {_occupied(found)} |"
            for server, changes in REWRITTEN_BY.items()
            for name, found in changes.items()
        ),
    ]
    return ["## Rows that a server does not keep", "", "| Server | Event | |", "|---|---|---|", *rows, ""]


def _occupied(expected: str) -> str:
    reason = expected.removeprefix("refused: ")
    return f"nothing (set aside: {reason})" if reason != expected else f"`{expected}`"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"{sum(len(table.rows) for table in TABLES)} rows in {PAGE}")
