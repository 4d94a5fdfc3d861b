"""The documents of a bundle. Each is written field by field; sentences pass word by word (`words`)."""

from __future__ import annotations

import json
import os
import platform
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from statistics import quantiles

from connectors.records import ServerTrait
from gateway.store.store import Store
from gateway.store.values import AgentStatus, RunRow
from gateway.support.configuration import system_name
from gateway.support.pseudonyms import Pseudonyms
from gateway.support.words import Vocabulary
from gateway.sync.values import LinkedAgent, Problem

_RUNS = 200
_RUNS_TOLD = 50
_LOG_LINES = 500
_LOG_BYTES = 512 * 1024
_JOURNAL_DAYS = timedelta(days=30)
_LEVELS = frozenset({"debug", "info", "warning", "error", "critical"})
_LOG_NUMBERS = ("agents", "seconds", "status", "attempt", "requests", "count")


@dataclass(frozen=True, slots=True)
class Maker:
    """Makes the documents. `now`: an instant."""

    names: Pseudonyms
    words: Vocabulary
    now: datetime

    # --- this machine ----------------------------------------------------------------------------------------

    def about(self) -> dict[str, object]:
        """Versions: of the gateway, of Python, of what both stand on."""
        return {
            "bundle": 1,
            "salt": self.names.salt.hex(),
            "made_at": self.now.isoformat(),
            "gateway": metadata.version("rdv-gateway"),
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
            "system": platform.system(),
            "release": platform.release(),
            "machine": platform.machine(),
            "libraries": dict(sorted(_libraries())),
            "processors": os.cpu_count(),
            "time_zone_database": _version_of("tzdata"),
        }

    def database(self, store: Store, directory: Path | None) -> dict[str, object]:
        """Kind, size, revision, soundness, rows. `directory`: where a SQLite file lies, None for a server."""
        facts = store.database_facts()
        return {
            "kind": facts.kind,
            "version": self.words.only(facts.version),
            "revision": facts.revision,
            "expected_revision": facts.expected_revision,
            "size": facts.size,
            "free_on_disk": shutil.disk_usage(directory).free if directory is not None else None,
            "faults": facts.faults,
            "rows": dict(facts.rows),
        }

    # --- people, under other names ---------------------------------------------------------------------------

    def agents(self, store: Store) -> list[dict[str, object]]:
        """Each enrolled agent: state, age of the last proven-complete sync, what waits, how much is agreed."""
        linked = {agent.agent_id: agent for agent in store.agents()}
        counts = store.agreed_counts()
        return [
            self._agent(each, linked[each.agent_id], counts.get(each.agent_id, {})) for each in store.agent_status()
        ]

    def _agent(self, status: AgentStatus, linked: LinkedAgent, counts: Mapping[str, int]) -> dict[str, object]:
        last = status.last_complete_at
        return {
            "agent": self.names.of("agent", status.agent_id),
            "state": status.state.value,
            "first_run_approved": linked.first_run_approved,
            "zone": linked.zone.key,
            "accounts": sorted({system_name(ref.account, self.names) for ref in linked.calendars}),
            "sources": len(linked.sources),
            "complete_seconds_ago": None if last is None else round((self.now - last).total_seconds()),
            "held": status.held,
            "conflicts": status.conflicts,
            "set_aside": status.set_aside,
            "open_writes": status.open_intents,
            "agreed": dict(counts),
            "last_problem": None if status.last_problem is None else self.problem(status.last_problem),
        }

    def problem(self, problem: Problem) -> dict[str, object]:
        """An error: its system, its addressee, and what of its text is the gateway's own."""
        return {
            "agent": None if problem.agent_id is None else self.names.of("agent", problem.agent_id),
            "system": system_name(problem.system, self.names),
            "addressee": self.words.identifier(problem.addressee),
            "reason": self.words.only(problem.reason),
        }

    # --- what happened ---------------------------------------------------------------------------------------

    def runs(self, store: Store) -> list[dict[str, object]]:
        """The last runs in numbers."""
        return [self._run(row) for row in store.runs(_RUNS_TOLD)]

    def _run(self, row: RunRow) -> dict[str, object]:
        ended = row.finished_at
        return {
            "started_at": row.started_at.isoformat(),
            "seconds": None if ended is None else round((ended - row.started_at).total_seconds(), 3),
            "dry_run": row.dry_run,
            "agents": row.agents,
            "done": row.done,
            "held": row.held,
            "waiting": row.waiting,
            "set_aside": row.set_aside,
            "conflicts": row.conflicts,
            "unsettled": row.unsettled,
            "requests": self._requests(row.requests),
            "problems": [self.problem(each) for each in row.problems],
        }

    def _requests(self, requests: Iterable[tuple[str, int]]) -> dict[str, int]:
        counts: Counter[str] = Counter()
        for system, count in requests:
            counts[system_name(system, self.names)] += count
        return dict(counts)

    def waiting(self, store: Store) -> dict[str, object]:
        """Holds and conflicts by kind; how old the oldest of each is."""
        holds: defaultdict[tuple[str, ...], list[datetime]] = defaultdict(list)
        for hold in store.holds():
            holds[hold.reason.value, hold.op_class.value, hold.action.value, hold.kind.value].append(hold.since)
        conflicts: defaultdict[tuple[str, ...], list[datetime]] = defaultdict(list)
        for row in store.conflicts():
            conflicts[(row.conflict.kind.value,)].append(row.since)
        opened = [intent.opened_at for intent in store.open_intents()]
        stop = store.stop()
        return {
            "holds": list(self._aged(holds, ("reason", "class", "action", "object"))),
            "conflicts": list(self._aged(conflicts, ("kind",))),
            "open_writes": len(opened),
            "oldest_open_write_seconds": self._oldest(opened),
            "stopped_at": None if stop is None else stop.at.isoformat(),
        }

    def _aged(
        self, counts: Mapping[tuple[str, ...], Sequence[datetime]], labels: tuple[str, ...]
    ) -> Iterator[dict[str, object]]:
        for kinds, since in sorted(counts.items()):
            yield {
                **dict(zip(labels, kinds, strict=True)),
                "count": len(since),
                "oldest_seconds": self._oldest(since),
            }

    def _oldest(self, since: Sequence[datetime]) -> int | None:
        return round((self.now - min(since)).total_seconds()) if since else None

    def journal(self, store: Store) -> dict[str, object]:
        """How many entries there are, and of which kinds those of the last days are."""
        facts = store.journal_facts(self.now - _JOURNAL_DAYS)
        counts: Counter[tuple[str, ...]] = Counter()
        for *kinds, count in facts.counts:
            counts[tuple(self.words.identifier(str(kind)) for kind in kinds)] += int(count)
        return {
            "entries": facts.entries,
            "first_at": None if facts.first_at is None else facts.first_at.isoformat(),
            "last_at": None if facts.last_at is None else facts.last_at.isoformat(),
            "last_30_days": [
                {"side": side, "action": action, "object": kind, "rule": rule, "count": count}
                for (side, action, kind, rule), count in sorted(counts.items())
            ],
        }

    def performance(self, store: Store) -> dict[str, object]:
        """How long runs take and what they ask, without dry ones."""
        done = [row for row in store.runs(_RUNS) if row.finished_at is not None and not row.dry_run]
        seconds = [(row.finished_at - row.started_at).total_seconds() for row in done if row.finished_at is not None]
        requests = [float(sum(count for _, count in row.requests)) for row in done]
        return {
            "runs": len(done),
            "never_finished": sum(row.finished_at is None for row in store.runs(_RUNS)),
            "seconds": _spread(seconds),
            "requests": _spread(requests),
            "requests_per_agent": _spread(
                [asked / row.agents for asked, row in zip(requests, done, strict=True) if row.agents]
            ),
            "writes": _spread([float(row.done) for row in done]),
        }

    # --- servers and logs ------------------------------------------------------------------------------------

    def server(self, account: str, traits: Iterable[ServerTrait]) -> dict[str, object]:
        """The portrait of an account's server."""
        return {
            "account": system_name(account, self.names),
            "traits": [
                {
                    "name": self.words.only(trait.name),
                    "value": self.words.only(trait.value),
                    "basis": self.words.only(trait.basis),
                }
                for trait in traits
            ],
        }

    def log(self, file: Path) -> list[dict[str, object]]:
        """The end of a log: level, logger, what happened in the program's own words, and numbers by name."""
        with file.open("rb") as stream:
            stream.seek(max(0, file.stat().st_size - _LOG_BYTES))
            lines = stream.read().decode("utf-8", errors="replace").splitlines()
        return [self._line(line) for line in lines[-_LOG_LINES:]]

    def _line(self, line: str) -> dict[str, object]:
        try:
            told = json.loads(line)
        except ValueError:
            told = None
        if not isinstance(told, dict):
            return {"text": self.words.only(line)}
        level = told.get("level")
        return {
            "at": _instant_text(told.get("timestamp")),
            "level": level if level in _LEVELS else None,
            "event": self.words.only(str(told.get("event", ""))),
            "kind": self.words.identifier(str(told.get("kind", ""))),
            **{name: told[name] for name in _LOG_NUMBERS if _is_number(told.get(name))},
        }


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _instant_text(value: object) -> str | None:
    """An ISO instant, written anew from its parts."""
    try:
        return datetime.fromisoformat(str(value)).isoformat()
    except ValueError:
        return None


def _libraries() -> Iterator[tuple[str, str]]:
    """Those that the gateway asks for, by name."""
    for requirement in metadata.requires("rdv-gateway") or ():
        name = requirement.partition(";")[0].split("[")[0].rstrip("0123456789.,<>=!~ ")
        version = _version_of(name)
        if version is not None:
            yield name, version


def _version_of(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Median, 95th percentile, most."""
    if not values:
        return None
    if len(values) == 1:
        return {"median": round(values[0], 3), "p95": round(values[0], 3), "most": round(values[0], 3)}
    parts = quantiles(values, n=20, method="inclusive")
    return {"median": round(parts[9], 3), "p95": round(parts[18], 3), "most": round(max(values), 3)}


def attempted(make: Callable[[], object]) -> object:
    """A document, or that it could not be made: of the error its kind alone, since its text may quote anything."""
    try:
        return make()
    except Exception as error:  # noqa: BLE001 - a bundle is made when things are broken
        return {"failed": type(error).__name__}
