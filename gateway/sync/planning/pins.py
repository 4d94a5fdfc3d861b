"""What a person pinned stays as it is for as long as its source asks for what it asked for then.

A version says what a source asks for: ids, times and keyed digests, no text of a person. It is the same function
whether something is pinned or a pin is judged.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field

from connectors.records import Absence
from gateway.sync.planning.context import title_digest
from gateway.sync.values import AgentView, Change, ChangeKind, Pin, PinnedThing, PoolBlock, SeenEvent
from mappings.absence_event import absence_span
from mappings.blocks import Block, Provenance

_Key = tuple[PinnedThing, int]


@dataclass(slots=True)
class Pins:
    """An agent's pins while a plan is made. Mutable, owned by the one plan: it notes those that are over."""

    by_thing: dict[_Key, Pin]
    ended: list[Pin] = field(default_factory=list)

    @classmethod
    def of(cls, view: AgentView) -> Pins:
        """Those that hold when the plan begins."""
        return cls({(pin.thing, pin.number): pin for pin in view.pins})

    def holds(self, thing: PinnedThing, number: int, version: str | None) -> bool:
        """Whether this stays as it is. `version`: what its source asks for now; None: not known now."""
        pin = self.by_thing.get((thing, number))
        if pin is None:
            return False
        if version is None or version == pin.version:
            return True
        self._end(pin)
        return False

    def end_others(self, thing: PinnedThing, known: Iterable[int]) -> None:
        """What is not among the known is gone from both sides: nothing is left to keep."""
        numbers = set(known)
        for pin in [each for each in self.by_thing.values() if each.thing is thing and each.number not in numbers]:
            self._end(pin)

    def changes(self) -> tuple[Change, ...]:
        """The end of those that are over."""
        return tuple(Change(ChangeKind.PIN_ENDED, pin.agent_id, "source_changed", pin=pin) for pin in self.ended)

    def _end(self, pin: Pin) -> None:
        del self.by_thing[pin.thing, pin.number]
        self.ended.append(pin)


def pin_text(pin: Pin) -> str:
    """Which thing a pin keeps: ids only."""
    return f"rdv {pin.number}" if pin.thing is PinnedThing.RDV else f"absence {pin.number}"


def block_version(block: PoolBlock, occurrences: Iterable[Block], key: bytes) -> str:
    """What the events behind a block ask for: their busy occurrences."""
    behind = {_name(provenance) for provenance in block.provenance}
    found = sorted(
        (*_name(provenance), occurrence.start.isoformat(), occurrence.end.isoformat())
        for occurrence in occurrences
        for provenance in occurrence.provenance
        if _name(provenance) in behind
    )
    return hmac.new(key, repr(found).encode(), hashlib.sha256).hexdigest()


def pair_version(absence: Absence | None, event: SeenEvent | None, key: bytes) -> str:
    """What both sides of a mirror say; None: it is not there."""
    here = there = "none"
    if absence is not None:
        start, end = absence_span(absence)
        here = f"{start.isoformat()}/{end.isoformat()}/{title_digest(key, f'{absence.title}{absence.rrule}')}"
    if event is not None:
        there = event.owned_digest
    return f"{here}|{there}"


def _name(provenance: Provenance) -> tuple[str, ...]:
    """An occurrence keeps its name when its item is carried to another calendar."""
    place = (provenance.uid,) if provenance.uid else (provenance.calendar, provenance.href)
    return (*place, provenance.recurrence_id)
