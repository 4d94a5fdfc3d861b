"""`undo`: a run, or one write of it, put back on both sides."""

from __future__ import annotations

import getpass
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from uuid import uuid4

import typer

from gateway.cli.describe import place, problem_json, problem_lines, thing
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import syncing
from gateway.composition import undoer
from gateway.store.store import Store
from gateway.store.values import JournalRow
from gateway.sync.undo.planning import UndoItem
from gateway.sync.undo.undoing import Undoer, UndoReport

_DONE_COLUMNS = ("Entry", "Agent", "Where", "Action", "What", "When", "Which")
_REFUSED_COLUMNS = ("Entry", "Agent", "What", "Which", "Why not")
_FEWEST_DIGITS = 8  # of a run's id; fewer name an entry
_MOST_DIGITS = 12  # of an entry's number; a run's id has 32 characters


def run(config: Path, target: str, *, dry_run: bool, yes: bool, as_json: bool) -> Exit:
    """Say what would be put back and what is refused, ask unless `yes`, do it."""
    with syncing(config) as application:
        work = undoer(application, uuid4().hex, by=getpass.getuser())
        rows, what = _rows(application.store, work, target)
        report = work.undo(rows, what=what, dry_run=True)
        asked = not dry_run and any(item.operation for item in report.items)
        if asked and not as_json:
            _show(report)
        if asked and (yes or _confirmed(report, as_json=as_json)):
            report = work.undo(rows, what=what, dry_run=False)
        elif asked:
            messages().print("Nothing was undone; --yes does it without asking.")
    if as_json:
        print_json(_json(report))
    else:
        _show(report)
    return _exit(report, wanted=asked)


def _rows(store: Store, work: Undoer, target: str) -> tuple[Sequence[JournalRow], str]:
    """The entries of what was named. Raises `UserError` when there is none, or several runs begin like that."""
    runs = _runs(store, target)
    if target.isdecimal() and len(target) <= _MOST_DIGITS:
        rows = work.rows(entry_id=int(target))
        if rows and runs:
            raise UserError(f"{target} is an entry, and a run begins with it.", remedy="Give the whole id of the run.")
        if rows:
            return rows, f"entry {target}"
        if not runs:
            raise UserError(f"There is no entry {target}.", remedy="See `rdv-gateway journal`.")
    if len(runs) != 1:
        found = "Several runs begin" if runs else "No run begins"
        raise UserError(f"{found} with {target}.", remedy="See `rdv-gateway status` or `rdv-gateway journal --json`.")
    return work.rows(run_id=runs[0]), f"run {runs[0]}"


def _runs(store: Store, target: str) -> list[str]:
    """Runs by the beginning of their id. One that is all digits could be an entry's number: it has to be long."""
    if target.isdecimal() and len(target) < _FEWEST_DIGITS:
        return []
    return [row.run_id for row in store.runs(100_000) if row.run_id.startswith(target)]


def _exit(report: UndoReport, *, wanted: bool) -> Exit:
    if report.problems:
        return Exit.REMOTE
    left = report.refused or report.waiting or report.lost or (wanted and report.dry_run)
    return Exit.NEEDS_PERSON if left else Exit.FINE


def _confirmed(report: UndoReport, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    count = sum(item.operation is not None for item in report.items)
    return typer.confirm(f"Put these {count} back?", err=True)


def _show(report: UndoReport) -> None:
    console = results()
    shown = [item for item in report.items if item.operation and (report.dry_run or item.entry_id in report.done)]
    if shown:
        console.print(table("Would be put back" if report.dry_run else "Put back", _DONE_COLUMNS, map(_row, shown)))
    if report.refused:
        rows = [
            (item.entry_id, item.agent_id, thing(item.kind), item.reference, item.refused) for item in report.refused
        ]
        console.print(table("Refused", _REFUSED_COLUMNS, rows))
    for line in problem_lines(report.problems):
        messages().print(line)
    counts = Counter({"left to a later undo": len(report.waiting), "whose answer was lost": len(report.lost)})
    rest = "".join(f", {count} {name}" for name, count in counts.items() if count)
    console.print(f"{len(shown)} {'to be put' if report.dry_run else 'put'} back, {len(report.refused)} refused{rest}.")


def _row(item: UndoItem) -> tuple[object, ...]:
    operation = item.operation
    if operation is None:
        return (item.entry_id, item.agent_id, "", "", thing(item.kind), "", item.reference)
    return (
        *(item.entry_id, item.agent_id, place(operation.side), operation.action.value, thing(item.kind)),
        *(moment(operation.when), item.reference),
    )


def _json(report: UndoReport) -> dict[str, object]:
    return {
        "run": None if report.dry_run else report.run_id,
        "dry_run": report.dry_run,
        "items": [
            {
                "entry": item.entry_id,
                "agent": item.agent_id,
                "object": item.kind.value,
                "which": item.reference,
                "side": item.operation.side.value if item.operation else None,
                "action": item.operation.action.value if item.operation else None,
                "refused": item.refused or None,
                "done": item.entry_id in report.done,
            }
            for item in report.items
        ],
        "waiting": report.waiting,
        "unsettled": report.lost,
        "errors": [problem_json(problem) for problem in report.problems],
    }
