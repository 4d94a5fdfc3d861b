"""`conflicts`: what a person should know or settle, as the last syncs found it; and how every command shows it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from rich.table import Table

from gateway.cli.describe import conflict_json, remedy_of, which
from gateway.cli.exits import Exit
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.store.store import Store
from gateway.store.values import ConflictRow
from gateway.sync.values import Conflict, ConflictKind, HoldReason

MOST_SHOWN = 50
"""Of more, the nearest are shown, and how many there are."""

_COUNT_COLUMNS = ("Kind", "How many", "Agents", "What to do")
_COLUMNS = ("Agent", "When", "Which", "Kind", "What")


def run(config: Path, agent_ids: Sequence[int], *, as_json: bool) -> Exit:
    """List what was found, of everybody or of some. Exit code 1 when there is anything."""
    with local(config) as (_settings, store):
        require_enrolled(store, agent_ids)
        rows = [row for row in store.conflicts() if not agent_ids or row.conflict.agent_id in agent_ids]
    if as_json:
        print_json({"conflicts": [_row_json(row) for row in rows]})
    elif rows:
        show_conflicts([row.conflict for row in rows], everything=bool(agent_ids))
    else:
        messages().print("No conflict was found by the last syncs.")
    return Exit.NEEDS_PERSON if rows else Exit.FINE


def needs_person(kinds: Iterable[ConflictKind]) -> bool:
    """Whether whoever runs the gateway has something to look at: an RDV over busy time is for those whom the rules
    name."""
    return any(kind is not ConflictKind.RDV_OVER_BUSY for kind in kinds)


def show_conflicts(conflicts: Sequence[Conflict], *, everything: bool = False) -> None:
    """Counts first; then each, or the nearest of many. `everything`: all of them, however many."""
    if not conflicts:
        return
    console = results()
    counts: dict[int, Counter[ConflictKind]] = {}
    for conflict in conflicts:
        counts.setdefault(conflict.agent_id, Counter())[conflict.kind] += 1
    console.print(counts_table(counts))
    shown = sorted(conflicts, key=_by_time)[: None if everything else MOST_SHOWN]
    console.print(table("Nearest", _COLUMNS, map(_row, shown)))
    if len(shown) < len(conflicts):
        messages().print(
            f"{len(conflicts) - len(shown)} more: name agents (`rdv-gateway conflicts AGENT`), or take --json."
        )


def counts_table(counts: Mapping[int, Mapping[ConflictKind, int]]) -> Table:
    """How many of each kind, of how many agents, and what to do. `counts`: by agent."""
    rows = [(kind.value, sum(found), len(found), remedy_of(kind)) for kind, found in _by_kind(counts)]
    return table("In conflict", _COUNT_COLUMNS, rows)


def counts_json(counts: Mapping[int, Mapping[ConflictKind, int]]) -> list[dict[str, object]]:
    """The same for scripts."""
    return [{"kind": kind.value, "count": sum(found), "agents": len(found)} for kind, found in _by_kind(counts)]


def _by_kind(counts: Mapping[int, Mapping[ConflictKind, int]]) -> list[tuple[ConflictKind, list[int]]]:
    kinds = sorted({kind for of_agent in counts.values() for kind in of_agent})
    return [(kind, [of_agent[kind] for of_agent in counts.values() if kind in of_agent]) for kind in kinds]


def doubled_agents(store: Store) -> tuple[int, ...]:
    """Agents whose RDVs are held since RDV-Solidarités itself writes into their calendars, as last planned."""
    return tuple(sorted({hold.agent_id for hold in store.holds() if hold.reason is HoldReason.NATIVE_SYNC}))


def doubled_text(agents: Collection[int]) -> str:
    """One sentence on them; counts first, and not more names than can be read."""
    named = ", ".join(map(str, sorted(agents)[:MOST_SHOWN]))
    return (
        f"RDV-Solidarités itself also writes into the calendars of {len(agents)} agents, whose RDVs stay held whatever"
        f" is approved: {named}{' …' if len(agents) > MOST_SHOWN else ''}. `rdv-gateway plan --agent ID` says more."
    )


def _by_time(conflict: Conflict) -> tuple[object, ...]:
    """By date; what has none, such as a second synchroniser, before all."""
    return (conflict.start or datetime.min, conflict.agent_id, conflict.kind)  # noqa: DTZ901 - wall-clock


def _row(conflict: Conflict) -> tuple[object, ...]:
    number = which(conflict.rdv_id, conflict.absence_id)
    return (conflict.agent_id, moment(conflict.start), number, conflict.kind.value, conflict.reason)


def _row_json(row: ConflictRow) -> dict[str, object]:
    return {**conflict_json(row.conflict), "since": row.since, "tell": list(row.tell), "told_at": row.told_at}
