"""`feeds bulk`: a link for each line of a CSV file, for a mail merge."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from gateway.cli.exits import Exit, UserError
from gateway.cli.feeds import Choice, base_url, links_of, made_json
from gateway.cli.output import messages, print_json
from gateway.cli.session import local
from gateway.feeds.links import LinkRefused, Links, NewLink, Wish
from gateway.feeds.values import Language
from mappings.feed_levels import DEFAULT_LEVELS, Level

_WRITTEN = ("id", "link", "page", "feed", "webcal", "valid_until", "sms", "letter")
_T = TypeVar("_T", Level, Language)
_AT_ONCE = 500  # in one transaction: a sync waits meanwhile


@dataclass(frozen=True, slots=True)
class _Line:
    number: int
    wish: Wish


def run(config: Path, choice: Choice, file: Path, output: Path, *, again: bool, as_json: bool) -> Exit:
    """Exit code 1 when a line was set aside. Nothing is made when the file cannot be written."""
    lines, faults = _read(file, choice)
    with local(config) as (settings, store):
        base_url(settings)
        links = links_of(settings, store)
        chosen = [each for each in lines if again or not _has_one(links, each.wish)]
        with _new_file(output) as target:
            writer = csv.DictWriter(target, _WRITTEN, delimiter=";")
            writer.writeheader()
            for some in (chosen[at : at + _AT_ONCE] for at in range(0, len(chosen), _AT_ONCE)):
                for made in _made(links, some):
                    writer.writerow({"id": made.link.subject, **made_json(settings, made)})
    skipped = len(lines) - len(chosen)
    if as_json:
        aside = [{"line": number, "reason": reason} for number, reason in faults]
        print_json({"file": str(output), "made": len(chosen), "had_one": skipped, "set_aside": aside})
    else:
        messages().print(f"{len(chosen)} links made, {skipped} had one already.")
        for number, reason in faults:
            messages().print(f"Line {number} was set aside: {reason}.")
    return Exit.NEEDS_PERSON if faults else Exit.FINE


def _has_one(links: Links, wish: Wish) -> bool:
    return bool(links.of(wish.purpose, wish.subject))


def _made(links: Links, lines: list[_Line]) -> Iterator[NewLink]:
    try:
        yield from links.create([each.wish for each in lines])
    except LinkRefused as error:
        raise UserError(f"{error}.", remedy="Choose one of those levels.") from None


def _new_file(path: Path) -> io.TextIOWrapper:
    """Readable by its owner alone: whoever has a link sees what it shows."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise UserError(f"{path} cannot be made: {error.strerror}.", remedy="Name a new file.") from None
    return os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="")


def _read(file: Path, choice: Choice) -> tuple[list[_Line], list[tuple[int, str]]]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise UserError(f"{file} cannot be read: {reason}.", remedy="Save it as CSV in UTF-8.") from None
    header = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text), delimiter=";" if ";" in header else ",")
    if "id" not in (reader.fieldnames or ()):
        raise UserError(f"{file} has no column id.", remedy="Its first line names the columns.")
    lines: list[_Line] = []
    faults: list[tuple[int, str]] = []
    for row in reader:
        try:
            lines.append(_Line(reader.line_num, _wish(row, choice)))
        except ValueError as error:
            faults.append((reader.line_num, str(error)))
    return lines, faults


def _wish(row: dict[str, str | None], choice: Choice) -> Wish:
    """Raises `ValueError` in words; the file's own are not repeated."""
    return Wish(
        choice.purpose,
        _number(row, "id"),
        _word(Level, row, "level", choice.level or DEFAULT_LEVELS[choice.purpose]),
        _word(Language, row, "language", choice.language),
        _number(row, "organisation") if (row.get("organisation") or "").strip() else choice.organisation,
    )


def _number(row: dict[str, str | None], column: str) -> int:
    text = (row.get(column) or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise ValueError(f"its {column} is no number")
    return int(text)


def _word(kind: type[_T], row: dict[str, str | None], column: str, default: _T) -> _T:
    text = (row.get(column) or "").strip()
    if text and text not in {each.value for each in kind}:
        raise ValueError(f"its {column} is none of {', '.join(each.value for each in kind)}")
    return kind(text) if text else default
