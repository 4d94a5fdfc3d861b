"""Where words go: results on stdout (tables for people, or JSON and nothing else), the rest on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import date, datetime, timedelta

from rich.console import Console
from rich.progress import Progress
from rich.table import Table


def results() -> Console:
    """The console of results: stdout. Never cut to a narrow width when it is not a terminal."""
    console = Console(highlight=False, markup=False)
    return console if console.is_terminal else Console(highlight=False, markup=False, width=200)


def messages() -> Console:
    """The console of everything else: stderr."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def print_json(value: object, *, indent: int | None = 2) -> None:
    """The JSON document of a command on stdout; `indent` None: on one line."""
    json.dump(value, sys.stdout, ensure_ascii=False, indent=indent, default=_plain)
    sys.stdout.write("\n")
    sys.stdout.flush()


def _plain(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def progress(text: str, *, as_json: bool) -> AbstractContextManager[object]:
    """A turning wheel on a terminal while `text` is under way; nothing elsewhere."""
    console = messages()
    return nullcontext() if as_json or not console.is_terminal else console.status(text)


@contextmanager
def counted(text: str, total: int, *, as_json: bool) -> Iterator[Callable[[object], None]]:
    """A bar on a terminal that each call of the given function, from any thread, moves by one of `total`."""
    console = messages()
    if as_json or not console.is_terminal:
        yield lambda _one: None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda _one: bar.advance(task)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table; every cell is text already fit for people."""
    made = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(str(cell) for cell in row))
    return made


def moment(value: date | datetime | None) -> str:
    """A time for people: a wall-clock as it is, an instant in UTC with a Z."""
    if value is None:
        return "-"
    if not isinstance(value, datetime):
        return value.isoformat()
    text = value.strftime("%Y-%m-%d %H:%M")
    return f"{text}Z" if value.tzinfo is not None else text


def age(value: datetime | None, now: datetime) -> str:
    """How long ago an instant was, roughly: `never`, `12 s`, `5 min`, `3 h`, `2 d`."""
    if value is None:
        return "never"
    return duration(now - value)


def duration(span: timedelta) -> str:
    """A length of time, roughly."""
    seconds = max(0, round(span.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
