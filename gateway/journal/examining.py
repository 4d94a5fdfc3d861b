"""One pass over the entries, in the order of their ids. Pure: it sees what was read, and the checkpoints.

An entry whose digest does not fit is a suspect; it moves nothing forward. What it was is known only at the end, from
the places that stayed empty: of a chain, and of the ids.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gateway.journal.chain import Ends, content_digest, entry_digest
from gateway.journal.checkpoints import Checkpoint
from gateway.journal.findings import Finding, Kind

_SUSPECTS = 5_000  # that are looked into; more are counted
_TRIED = 40  # suspects for whom other places are tried, each with each


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of the journal as it is. `values`: by column. `sealed`: the encrypted pre-image that is there."""

    values: Mapping[str, Any]
    digest: object
    sealed: bytes | None = field(repr=False)

    def is_genuine(self, key: bytes, **instead: object) -> bool:
        """Whether the digest fits the values, or would with others in their place."""
        try:
            return entry_digest(key, {**self.values, **instead}) == self.digest
        except TypeError:  # a value of a kind that no entry has
            return False

    @property
    def at(self) -> datetime | None:
        """When, if it can be read."""
        found = self.values["at"]
        return found if isinstance(found, datetime) else None


@dataclass(frozen=True, slots=True)
class Removals:
    """Pre-images that are gone for a reason: of entries older than `purged_before`, and of agents who were erased,
    each up to the entry that says so."""

    purged_before: datetime | None = None
    erased: Mapping[int, int] = field(default_factory=dict)

    def explain(self, row: Stored) -> bool:
        """Whether this entry's pre-image may be gone."""
        if self.purged_before is not None and row.at is not None and row.at < self.purged_before:
            return True
        return bool(row.values["id"] < self.erased.get(row.values["chain"], 0))


@dataclass(frozen=True, slots=True)
class _Head:
    sequence: int
    digest: str
    entry_id: int
    at: datetime | None


@dataclass(slots=True)
class _Gap:
    """Numbers of a chain that no genuine entry has, between two ids. `explained`: those that a suspect has."""

    chain: int
    first: int
    last: int
    after_id: int
    before_id: int
    at: datetime | None
    explained: set[int] = field(default_factory=set)

    def has(self, chain: object, sequence: object) -> bool:
        return (
            chain == self.chain
            and isinstance(sequence, int)
            and self.first <= sequence <= self.last
            and sequence not in self.explained
        )

    @property
    def left(self) -> int:
        return self.last - self.first + 1 - len(self.explained)

    def runs(self) -> Iterator[tuple[int, int]]:
        """What is left, in pieces (first, last)."""
        start = self.first
        for stop in (*sorted(self.explained), self.last + 1):
            if start < stop:
                yield start, stop - 1
            start = stop + 1


class Examination:
    """Feed every row, in the order of ids, then `finish`; `findings` has what is wrong.

    `start`: what an anchor stands for. `checkpoints`: proven ones, none older than `start`.
    """

    def __init__(self, key: bytes, start: Ends, checkpoints: Iterable[Checkpoint], removals: Removals) -> None:
        self.findings: list[Finding] = []
        self.more = 0  # that were only counted
        self.last_id = start.last_id
        self.heads = {
            chain: _Head(head.sequence, head.digest, start.last_id, start.last_at)
            for chain, head in start.chains.items()
        }
        self._key = key
        self._start = start
        self._due = deque(sorted(checkpoints, key=lambda one: (one.ends.last_id, one.number)))
        self._removals = removals
        self._suspects: list[Stored] = []
        self._gaps: list[_Gap] = []
        self._missing: list[range] = []  # ids
        self._differing: set[int] = set()

    def feed(self, row: Stored) -> None:
        """The next row."""
        entry_id = row.values["id"]
        while self._due and self._due[0].ends.last_id < entry_id:
            self._compare(self._due.popleft())
        if not row.is_genuine(self._key):
            if len(self._suspects) < _SUSPECTS:
                self._suspects.append(row)
            else:
                self.more += 1
            return
        if entry_id <= self._start.last_id:
            self._find(Kind.INSERTED, row, "it was removed under an anchor, and is back")
            return
        self._pass_to(entry_id)
        self.last_id = entry_id
        self._follow(row)
        self._check_content(row)

    def finish(self) -> None:
        """No more rows."""
        for checkpoint in self._due:
            # Suspects stand where entries were: the rest of what was sealed is missing.
            self._pass_to(checkpoint.ends.last_id + 1)
            self.last_id = max(self.last_id, checkpoint.ends.last_id)
            self._compare(checkpoint)
        self._judge_suspects()
        self._report_missing()
        self.findings.sort(key=lambda one: (one.entry_id is None, one.entry_id or 0, one.chain or 0))

    # --- while reading ---------------------------------------------------------------------------------------

    def _pass_to(self, entry_id: int) -> None:
        if entry_id > self.last_id + 1:
            self._missing.append(range(self.last_id + 1, entry_id))

    def _follow(self, row: Stored) -> None:
        chain, sequence, entry_id = (row.values[name] for name in ("chain", "sequence", "id"))
        head = self.heads.get(chain) or _Head(0, "", self._start.last_id, self._start.last_at)
        if sequence > head.sequence + 1:
            self._gaps.append(_Gap(chain, head.sequence + 1, sequence - 1, head.entry_id, entry_id, head.at))
        elif sequence <= head.sequence:
            self._find(Kind.RELINKED, row, "its chain has an entry of this number already")
        elif row.values["previous"] != head.digest:
            self._find(Kind.RELINKED, row, "it follows another entry than the one before it")
        self.heads[chain] = _Head(sequence, str(row.digest), entry_id, row.at)

    def _check_content(self, row: Stored) -> None:
        expected = row.values["content_digest"]
        if row.sealed is None:
            if expected and not self._removals.explain(row):
                self._find(Kind.CONTENT_REMOVED, row, "its pre-image is gone; no purge or erasure says so")
        elif not expected:
            self._find(Kind.CONTENT_INSERTED, row, "it was written without a pre-image, and has one")
        elif content_digest(self._key, row.sealed) != expected:
            self._find(Kind.CONTENT_REPLACED, row, "its pre-image is not the one that it was written with")

    def _compare(self, checkpoint: Checkpoint) -> None:
        ends = checkpoint.ends
        for chain, sealed in ends.chains.items():
            head = self.heads.get(chain) or _Head(0, "", self._start.last_id, self._start.last_at)
            if head.sequence < sealed.sequence:
                first, before_id = head.sequence + 1, ends.last_id + 1
                self._gaps.append(_Gap(chain, first, sealed.sequence, head.entry_id, before_id, head.at))
                self.heads[chain] = _Head(sealed.sequence, sealed.digest, ends.last_id, ends.last_at)
            elif (head.sequence, head.digest) != sealed:
                self._differ(checkpoint, chain, head)
        for chain in self.heads.keys() - ends.chains.keys():
            self._differ(checkpoint, chain, self.heads[chain])

    def _differ(self, checkpoint: Checkpoint, chain: int, head: _Head) -> None:
        if chain not in self._differing:
            self._differing.add(chain)
            detail = f"up to here it is not what checkpoint {checkpoint.number} of {checkpoint.at.isoformat()} sealed"
            self.findings.append(
                Finding(Kind.DIFFERS, detail, chain, head.sequence, entry_id=head.entry_id, at=head.at)
            )

    def _find(self, kind: Kind, row: Stored, detail: str) -> None:
        chain, sequence = (_number(row.values[name]) for name in ("chain", "sequence"))
        self.findings.append(Finding(kind, detail, chain, sequence, entry_id=row.values["id"], at=row.at))

    # --- at the end: entries that do not prove themselves ----------------------------------------------------

    def _judge_suspects(self) -> None:
        ids = {row.values["id"] for row in self._suspects}
        taken = set(ids)  # ids that are accounted for, by whatever stands there
        unknown: list[Stored] = []
        for row, origin in self._with_origins(ids):
            if origin is not None:
                entry_id, sequence = origin
                taken.add(entry_id)
                self._explain(row.values["chain"], sequence)
                self._find(Kind.MOVED, row, f"it was written as entry {entry_id}, number {sequence} of its chain")
            elif self._explain(row.values["chain"], row.values["sequence"]):
                self._find(Kind.ALTERED, row, "it is not as it was written")
            else:
                unknown.append(row)
        for row in unknown:
            self._judge_by_place(row)
        self._missing = list(_without(self._missing, taken))

    def _judge_by_place(self, row: Stored) -> None:
        """Of a suspect whose own numbers fit nothing: the ids around it may still say where it belongs."""
        entry_id = row.values["id"]
        around = [gap for gap in self._gaps if gap.left and gap.after_id < entry_id < gap.before_id]
        if around and any(entry_id in missing for missing in self._missing):
            gap = around[0]
            first, _ = next(gap.runs())
            gap.explained.add(first)
            detail = "it is not as it was written, its number or its chain least of all"
            self.findings.append(Finding(Kind.ALTERED, detail, gap.chain, first, entry_id=entry_id, at=row.at))
        elif entry_id == self.last_id + 1:
            self.last_id = entry_id
            self._find(Kind.ALTERED_OR_INSERTED, row, "it is not as the gateway writes; nothing after it tells more")
        else:
            self._find(Kind.INSERTED, row, "the gateway did not write it")

    def _with_origins(self, ids: Collection[int]) -> Iterator[tuple[Stored, tuple[int, int] | None]]:
        """Each suspect, with (id, sequence) if it is whole in another place."""
        if len(self._suspects) > _TRIED:
            yield from ((row, None) for row in self._suspects)
            return
        free = [number for missing in self._missing for number in missing[:_TRIED]][:_TRIED]
        numbers = sorted({*ids, *free})
        sequences = [row.values["sequence"] for row in self._suspects]
        for row in self._suspects:
            own = row.values["id"], row.values["sequence"]
            places = ((number, sequence) for number in numbers for sequence in dict.fromkeys((own[1], *sequences)))
            fitting = (place for place in places if row.is_genuine(self._key, id=place[0], sequence=place[1]))
            yield row, next(fitting, None)

    def _explain(self, chain: object, sequence: object) -> bool:
        for gap in self._gaps:
            if gap.has(chain, sequence):
                gap.explained.add(int(str(sequence)))
                return True
        return False

    # --- at the end: what is not there -----------------------------------------------------------------------

    def _report_missing(self) -> None:
        unplaced = 0
        for gap in self._gaps:
            if not gap.left:
                continue
            inside = list(_between(self._missing, gap.after_id, gap.before_id, gap.left + 1))
            known = len(inside) == gap.left
            if known:
                self._missing = list(_without(self._missing, inside))
            else:
                unplaced += gap.left
            for first, last in gap.runs():
                entry_id, last_id = (inside[0], inside[-1]) if known else (None, None)
                detail = "it is not there any more" if first == last else "they are not there any more"
                self.findings.append(Finding(Kind.REMOVED, detail, gap.chain, first, last, entry_id, last_id, gap.at))
        lost = sum(map(len, self._missing)) - unplaced
        if lost <= 0:
            return
        for missing in self._missing:
            detail = "not there any more; no later entry and no checkpoint tells the chain"
            self.findings.append(Finding(Kind.REMOVED, detail, entry_id=missing[0], last_id=missing[-1]))


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _without(ranges: Iterable[range], numbers: Collection[int]) -> Iterator[range]:
    left = sorted(numbers)
    for one in ranges:
        start = one.start
        for number in left:
            if start <= number < one.stop:
                if start < number:
                    yield range(start, number)
                start = number + 1
        if start < one.stop:
            yield range(start, one.stop)


def _between(ranges: Iterable[range], after: int, before: int, limit: int) -> Iterator[int]:
    """Numbers of the ranges in between, `limit` of them at most."""
    for one in ranges:
        for number in range(max(one.start, after + 1), min(one.stop, before)):
            if not limit:
                return
            limit -= 1
            yield number
