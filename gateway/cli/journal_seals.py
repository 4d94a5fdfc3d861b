"""`journal checkpoint`, `journal verify`, `journal public-key`: proof of the journal."""

from __future__ import annotations

import base64
import os
import sys
from collections.abc import Iterable
from pathlib import Path

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, progress, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.journal import checkpoints
from gateway.journal.chain import GATEWAY
from gateway.journal.findings import Finding
from gateway.journal.verify import Given, Verdict

_COLUMNS = ("What", "Chain", "Number", "Entry", "At", "Which means")
_WHAT_TO_DO = "Keep the database as it is, and compare it with a copy of before; docs/journal.md says what each means."


def checkpoint(config: Path, to: Path | None, *, as_json: bool) -> Exit:
    """Make one, keep it, hand it out."""
    with local(config) as (_settings, store), store.transaction() as tx:
        made = tx.seal_journal(at=SystemClock().now())
    if to is not None:
        _add_line(to, made.line)
    if as_json:
        print_json({"number": made.number, "at": made.at, "last_entry": made.ends.last_id, "line": made.line})
    elif to is None:
        sys.stdout.write(f"{made.line}\n")
        sys.stdout.flush()
    else:
        results().print(f"Checkpoint {made.number}, up to entry {made.ends.last_id}, added to {to}.")
    return Exit.FINE


def verify(config: Path, files: Iterable[Path], key_file: Path | None, *, as_json: bool) -> Exit:
    """Look at everything, and say what is wrong."""
    given = [Given(str(file), one) for file in files for one in checkpoints.parse_all(_read(file).decode())]
    public_key = None if key_file is None else checkpoints.read_public_key(_read(key_file))
    with local(config) as (_settings, store), progress("Verifying…", as_json=as_json):
        verdict = store.verify_journal(given, public_key=public_key)
    if as_json:
        print_json(verdict_json(verdict))
    else:
        _show(verdict)
    return Exit.FINE if verdict.is_whole else Exit.NEEDS_PERSON


def public_key(config: Path, *, as_json: bool) -> Exit:
    """As PEM."""
    with local(config) as (_settings, store):
        pem, raw = checkpoints.public_key_pem(store.keys), checkpoints.public_key(store.keys)
    if as_json:
        print_json({"pem": pem, "public_key": base64.b64encode(raw).decode()})
    else:
        sys.stdout.write(pem)
        sys.stdout.flush()
    return Exit.FINE


def verdict_json(verdict: Verdict) -> dict[str, object]:
    """What was seen and found, for scripts."""
    return {
        "whole": verdict.is_whole,
        "entries": verdict.entries,
        "chains": verdict.chains,
        "first_entry": verdict.first_id,
        "last_entry": verdict.last_id,
        "removed_before": verdict.removed_before,
        "checkpoints": verdict.checkpoints,
        "sealed_to": verdict.sealed_id,
        "sealed_at": verdict.sealed_at,
        "unsealed": verdict.unsealed,
        "contents": verdict.contents,
        "unreadable": {str(chain): count for chain, count in sorted(verdict.unreadable.items())},
        "findings": [_finding_json(one) for one in verdict.findings],
        "more": verdict.more,
    }


def _finding_json(one: Finding) -> dict[str, object]:
    return {
        "kind": one.kind.value,
        "chain": None if one.chain is None else _chain(one.chain),
        "number": one.sequence,
        "last_number": one.last_sequence,
        "entry": one.entry_id,
        "last_entry": one.last_id,
        "at": one.at,
        "detail": one.detail,
    }


def _show(verdict: Verdict) -> None:
    console = results()
    if not verdict.is_whole:
        console.print(table("Not as it was written", _COLUMNS, map(_row, verdict.findings)))
        if verdict.more:
            console.print(f"and {verdict.more} more")
    since = f", those before {moment(verdict.removed_before)} removed by retention" if verdict.removed_before else ""
    console.print(f"{verdict.entries} entries in {verdict.chains} chains{since}.")
    if verdict.sealed_id:
        console.print(f"Sealed up to entry {verdict.sealed_id} ({moment(verdict.sealed_at)}).")
    if verdict.unsealed:
        console.print(f"{verdict.unsealed} newer entries are unsealed: cut off, they would not be missed.")
    for agent_id, count in sorted(verdict.unreadable.items()):
        console.print(f"{count} pre-images of agent {agent_id} cannot be read: their key is not there.")
    console.print("All is as it was written." if verdict.is_whole else "")
    if not verdict.is_whole:
        messages().print(f"-> it: {_WHAT_TO_DO}")


def _row(one: Finding) -> tuple[object, ...]:
    chain = "-" if one.chain is None else _chain(one.chain)
    number, entry = _range(one.sequence, one.last_sequence), _range(one.entry_id, one.last_id)
    return (one.kind.value.replace("_", " "), chain, number, entry, moment(one.at), one.detail)


def _range(first: int | None, last: int | None) -> str:
    if first is None:
        return "-" if last is None else f"up to {last}"
    return str(first) if last in (None, first) else f"{first} to {last}"


def _chain(chain: int) -> str:
    return "gateway" if chain == GATEWAY else f"agent {chain}"


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.", remedy="Name a file that was exported.") from None


def _add_line(to: Path, line: str) -> None:
    try:
        descriptor = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{line}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise UserError(
            f"{to} cannot be written: {error.strerror}.",
            remedy="The checkpoint is kept in the database; make another one into a place that can be written.",
        ) from None
