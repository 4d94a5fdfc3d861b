"""`journal export`: entries as JSON lines or CSV, read and written as they come."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from gateway.cli.exits import Exit, UserError
from gateway.cli.journal import Choice
from gateway.cli.output import messages, print_json
from gateway.cli.session import local
from gateway.journal.export import csv_lines, exported, json_lines


def run(config: Path, choice: Choice, form: str, to: Path | None, *, content: bool, as_json: bool) -> Exit:
    """Write them. The number that was written is told beside them."""
    if as_json and to is None:
        raise UserError("--json says what was written; the entries go elsewhere.", remedy="Give --to, or leave --json.")
    chosen, count = choice.filter(), 0
    with local(config) as (_settings, store), _goal(to) as goal:
        entries = exported(store.stored_journal(chosen), store.keys, content=content)
        for line in csv_lines(entries, content=content) if form == "csv" else json_lines(entries):
            goal.write(line)
            count += 1
    count -= form == "csv"  # the line of names
    if as_json:
        print_json({"entries": count, "file": str(to)})
    else:
        messages().print(f"{count} entries.")
    return Exit.FINE


@contextmanager
def _goal(to: Path | None) -> Iterator[TextIO]:
    if to is None:
        yield sys.stdout
        sys.stdout.flush()
        return
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"{to} cannot be made: {error.strerror}.", remedy="Name a file that does not exist.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
        yield file
