"""What is wrong with a whole side, told by what was seen of one agent and what is remembered. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from gateway.rules.values import AgentRules
from gateway.sync.values import (
    AgentHistory,
    AgentView,
    AgreedCopy,
    CalendarRef,
    Change,
    ChangeKind,
    HoldReason,
    Plan,
    Sign,
)
from mappings.identity import NAMESPACE

_FEW_LEFT = 0.2
_OLD_VERSIONS = 2
_NEWEST_GONE = 3
_NEWEST_OF_SEVERAL = 2
_NEWEST_OF_ONE = 6
HANDS = frozenset({ChangeKind.BLOCK_FREED, ChangeKind.BLOCK_SHORTENED, ChangeKind.BLOCK_RELEASED})
"""Changes by which a person takes a block away from the gateway, in whole or in part."""


def signs_of(
    view: AgentView, plan: Plan, rules: AgentRules, *, earlier: Mapping[int, Collection[str]]
) -> tuple[Sign, ...]:
    """Signs seen now, and those of earlier runs that still hold, each reason once.

    `earlier`: by RDV, keyed digests of what the gateway left of its copy at earlier times.
    """
    now = (
        _shrunken(view, rules),
        _calendar_restored(view, earlier),
        _many_freed(view, plan.changes, rules),
    )
    found = {sign.reason: sign for sign in (*view.history.signs, *(sign for sign in now if sign is not None))}
    return tuple(found.values())


def remembered(
    view: AgentView, signs: Collection[Sign], held: Collection[HoldReason], *, doubted: Collection[str] | None = None
) -> AgentHistory:
    """What to remember after a run in which operations waited for the reasons `held`.

    A sign that nothing waits for is over. A calendar is believed again as soon as nothing waits for its emptiness.
    `doubted`: digests of the moves that waited; None: not all was read, and more may come to light.
    """
    lasting = tuple(_looked_through(sign, doubted) for sign in signs if sign.reason in held and sign.reason in _LASTING)
    usual = view.history.usual if HoldReason.SHRUNKEN_CALENDAR in held else events_by_calendar(view)
    return AgentHistory(usual, lasting)


def _looked_through(sign: Sign, doubted: Collection[str] | None) -> Sign:
    """What an earlier day does not know is all there at the first whole look; what moves later, persons move."""
    if sign.reason is not HoldReason.DATABASE_RESTORED or sign.doubted is not None or doubted is None:
        return sign
    return replace(sign, doubted=frozenset(doubted))


_LASTING = frozenset({HoldReason.CALENDAR_RESTORED, HoldReason.RDVS_RESTORED, HoldReason.DATABASE_RESTORED})
"""Seen once: the next reading looks ordinary again. Others are seen anew in each run, from what is remembered."""


def edited_copies(view: AgentView) -> tuple[AgreedCopy, ...]:
    """Copies that are there and are not what was agreed."""
    events = {(event.ref, event.href): event for event in view.events}
    return tuple(
        copy
        for copy in view.copies
        if (event := events.get((copy.ref, copy.href))) is not None and event.owned_digest != copy.owned_digest
    )


def events_by_calendar(view: AgentView) -> dict[CalendarRef, int]:
    """How many events that are not the gateway's each calendar that blocks holds."""
    counts = Counter(event.ref for event in view.events if not event.uid.startswith(NAMESPACE))
    return {ref: counts[ref] for ref in view.agent.sources}


def _shrunken(view: AgentView, rules: AgentRules) -> Sign | None:
    """A calendar of many events that holds none or few of them now."""
    for ref, now in events_by_calendar(view).items():
        before = view.history.usual.get(ref, 0)
        if before - now > rules.many_count and now <= _FEW_LEFT * before:
            text = f"the calendar {ref} held {before} events and now holds {now}"
            return Sign(HoldReason.SHRUNKEN_CALENDAR, text)
    return None


def _calendar_restored(view: AgentView, earlier: Mapping[int, Collection[str]]) -> Sign | None:
    """Copies of RDVs that are back as they once were; or the last that were written are gone, or back, and no other."""
    events = {(event.ref, event.href): event for event in view.events}
    gone: list[datetime] = []
    back: list[datetime] = []
    as_left: list[datetime] = []
    old = 0
    for copy in view.copies:
        event = events.get((copy.ref, copy.href))
        is_back = (
            event is not None
            and event.owned_digest != copy.owned_digest
            and event.owned_digest in earlier.get(copy.rdv_id, ())
        )
        old += is_back
        if copy.written_at is not None:
            (gone if event is None else back if is_back else as_left).append(copy.written_at)
    if old >= _OLD_VERSIONS:
        return Sign(HoldReason.CALENDAR_RESTORED, f"{old} copies of RDVs are back as they were at an earlier time")
    enough = len(gone) + len(back) >= (_NEWEST_GONE if not back else _OLD_VERSIONS)
    if not enough or not as_left or min((*gone, *back)) <= max(as_left):
        return None
    text = f"the last {len(gone) + len(back)} copies of RDVs that were written are gone or as they were before"
    return Sign(HoldReason.CALENDAR_RESTORED, f"{text}, and no other")


def _many_freed(view: AgentView, changes: Collection[Change], rules: AgentRules) -> Sign | None:
    count = sum(change.kind in HANDS for change in changes)
    if count > rules.many_count and count > rules.many_share * len(view.blocks):
        return Sign(
            HoldReason.MANY_FREED, f"{count} of {len(view.blocks)} busy blocks were deleted, shortened or moved at once"
        )
    return None


@dataclass(frozen=True, slots=True)
class Numbered:
    """Things of one kind that RDV-Solidarités numbers in order. `gone`: those of them that it holds no more, with whose
    they were; `there`: numbers of the others, of whomever."""

    gone: Mapping[int, int]
    there: Collection[int]

    @property
    def is_cut(self) -> bool:
        """Whether exactly those with the highest numbers are gone: what a copy of an earlier day looks like."""
        return bool(self.gone and self.there) and min(self.gone) > max(self.there)


def rdvs_restored(absences: Numbered, rdvs: Numbered = Numbered({}, ())) -> Sign | None:
    """RDV-Solidarités as a whole looks like a copy of an earlier day.

    Absences: the newest are gone, of several agents. One agent may well remove what they made last, so that it takes
    more of them; or that the newest RDVs are gone too, which nobody removes by the way.
    """
    lost = len(absences.gone)
    if not absences.is_cut:
        return None
    if rdvs.is_cut:
        text = f"the newest absences ({lost}) and the newest RDVs ({len(rdvs.gone)}) are gone, and no other"
        return Sign(HoldReason.RDVS_RESTORED, f"{text}: as after restoring a backup")
    if lost < (_NEWEST_OF_SEVERAL if len(set(absences.gone.values())) > 1 else _NEWEST_OF_ONE):
        return None
    text = f"the {lost} absences with the highest numbers are gone, and no other: as after restoring a backup"
    return Sign(HoldReason.RDVS_RESTORED, text)
