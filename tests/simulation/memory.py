"""What persons did to absences, and what the gateway can fairly know of it.

The gateway compares states, not deeds: it learns of an edit at the next reading. When a reading went well before
and after an edit, what it means is certain; when runs failed, were killed or the database went back in time in
between, some of it is open, and the oracle leaves that time alone (`certain` False).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from tests.simulation.intervals import Interval, minus, overlap
from tests.simulation.meetings import Occurrence


@dataclass(frozen=True, slots=True)
class Freed:
    """Time of an occurrence that a person freed in RDV-Solidarités, until the occurrence changes."""

    occurrence: Occurrence
    part: Interval
    certain: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One agent's side of things at the end of a clean run: the pool's absences and the busy occurrences.

    `plain`: those that the gateway made and nobody moved; others may have another provenance than their place says.
    """

    pool: Mapping[int, Interval]
    plain: frozenset[int]
    busy: frozenset[Occurrence]


@dataclass(slots=True)
class AgentMemory:
    """What is remembered for one agent."""

    last: Snapshot | None = None
    freed: list[Freed] = field(default_factory=list)
    doubtful: list[Interval] = field(default_factory=list)  # edited since, while runs were not clean
    edits: list[Interval] = field(default_factory=list)  # what absences held before each edit, since the last run
    history: list[Interval] = field(default_factory=list)  # the same since the beginning
    dirty: bool = True

    def edited(self, before: Interval) -> None:
        """A person changed or removed an absence that held `before`."""
        self.edits.append(before)
        self.history.append(before)

    def run_ended(self, *, clean: bool, before: Snapshot, after: Snapshot, apart: bool) -> None:
        """`before`: as the run found it; `after`: as it left it. `apart`: blocks may overlap each other."""
        if clean and not self.dirty and self.last is not None:
            self._learn(self.last, before, apart=apart)
        else:
            self.doubtful += self.edits
            if self.last is not None:
                self.doubtful += (
                    [interval for id_, interval in self.last.pool.items() if before.pool.get(id_) != interval]
                    if self.edits
                    else []
                )
            self.freed = [
                each if each.occurrence in before.busy else replace(each, certain=False) for each in self.freed
            ]
            self.freed += [each for each in self._doubts(before.busy, self.doubtful) if each not in self.freed]
        self.edits = []
        if not clean:
            self.dirty = True
            return
        # A doubt about an occurrence that changed since is settled: a suppression ends with it.
        self.freed = [each for each in self.freed if each.occurrence in before.busy]
        self.doubtful, self.dirty, self.last = [], False, after

    def _learn(self, last: Snapshot, now: Snapshot, *, apart: bool) -> None:
        known = {(each.uid, each.original): each for each in last.busy}
        several = {key for key in known if sum((o.uid, o.original) == key for o in last.busy) > 1}
        for id_, old in last.pool.items():
            new = now.pool.get(id_)
            if new == old:
                continue
            for part in minus([old], [new] if new else []):
                # Where blocks may overlap, the one that is gone need not be that of every event there.
                shared_by = sum(bool(overlap(part, (each.start, each.end))) for each in now.busy)
                for occurrence in now.busy:
                    shared = overlap(part, (occurrence.start, occurrence.end))
                    key = (occurrence.uid, occurrence.original)
                    if shared is None or key not in known:
                        continue
                    certain = id_ in last.plain and occurrence in last.busy and key not in several
                    certain = certain and not (apart and shared_by > 1)
                    self.freed.append(Freed(occurrence, shared, certain))
        # An absence edited twice, or made and edited since: its last interval says not all.
        pool = set(last.pool.values())
        self.freed += self._doubts(now.busy, [each for each in self.edits if each not in pool])

    def _doubts(self, busy: Iterable[Occurrence], regions: Iterable[Interval]) -> list[Freed]:
        return [
            Freed(occurrence, shared, certain=False)
            for region in regions
            for occurrence in busy
            if (shared := overlap(region, (occurrence.start, occurrence.end)))
        ]

    def set_back(self, regions: Iterable[Interval]) -> None:
        """The database went back in time or was lost: what was freed by hand may be forgotten, and what the gateway
        itself changed since may look like the work of a person."""
        self.freed = [replace(each, certain=False) for each in self.freed]
        self.doubtful += [*self.history, *regions]
        self.dirty, self.last = True, None

    def parts(self, *, certain: bool | None = None) -> list[Interval]:
        """Freed time of occurrences; certain, uncertain, or all."""
        return [each.part for each in self.freed if certain is None or each.certain is certain]
