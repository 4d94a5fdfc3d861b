"""A second synchroniser: RDV-Solidarités itself also writes into the agent's calendars."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.recognition import NativeEvent, SortedEvents, is_ahead
from gateway.sync.values import AgentView, Conflict, ConflictKind
from mappings.native import NativeSource

_LOOKS_LIKE = {
    NativeSource.SYNC: "its calendar sync (CalDAV), or its feed as a subscription (webcal)",
    NativeSource.OUTLOOK: "its Outlook sync",
    NativeSource.INVITATION: "invitations that it mailed and somebody accepted",
    NativeSource.RDV_UID: "its calendar sync, its feed as a subscription (webcal), or invitations that it mailed",
    NativeSource.ABSENCE: "absences that it mailed",
}

_OF_RDVS = frozenset({NativeSource.SYNC, NativeSource.OUTLOOK, NativeSource.INVITATION, NativeSource.RDV_UID})


@dataclass(frozen=True, slots=True)
class NativeCopies:
    """`doubled`: copies of ours would be there twice."""

    conflicts: tuple[Conflict, ...] = ()
    doubled: bool = False


def find_native_copies(view: AgentView, events: SortedEvents, context: PlanContext) -> NativeCopies:
    """What of them is ahead and doubles what the gateway writes. Told as one, whatever their number.

    What an earlier sync left in the past, or an RDV that was cancelled, disturbs nobody. A colleague's copies in a
    calendar that the agent also reads double nothing of the agent's. Plages d'ouverture are never written by us.
    """
    rules = context.rules(view.agent)
    now, zone = context.now, view.agent.zone
    ahead = [
        each for each in events.native if _is_here(each, view) and is_ahead(each.event, now, zone, cancelled=False)
    ]
    rdvs = [each for each in ahead if each.source in _OF_RDVS] if rules.copy_rdvs else []
    absences = [each for each in ahead if each.source is NativeSource.ABSENCE] if rules.mirror_absences else []
    if not rdvs and not absences:
        return NativeCopies()
    held = "copies of RDVs are not made or changed until none of them is left ahead" if rdvs else "absences are doubled"
    conflict = Conflict(
        view.agent.agent_id,
        ConflictKind.NATIVE_SYNC,
        f"RDV-Solidarités itself also writes into this agent's calendars; it looks like {_sources((*rdvs, *absences))}:"
        f" {held}",
        href=(rdvs or absences)[0].event.href,
    )
    return NativeCopies((conflict,), doubled=bool(rdvs))


def _sources(found: Iterable[NativeEvent]) -> str:
    return "; ".join(sorted({_LOOKS_LIKE[each.source] for each in found}))


def _is_here(native: NativeEvent, view: AgentView) -> bool:
    return native.is_own or native.event.ref == view.agent.target
