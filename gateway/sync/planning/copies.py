"""RDV -> copy: one event per (RDV, agent). RDV-Solidarités owns its time and its existence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.errors import BadItem
from connectors.records import EventDraft, EventStatus, Rdv
from gateway.sync.planning.context import PlanContext
from gateway.sync.planning.pins import Pins
from gateway.sync.planning.recognition import NO_EVENTS, SortedEvents, is_ahead
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    AgreedCopy,
    Conflict,
    ConflictKind,
    ObjectKind,
    Operation,
    OperationClass,
    PinnedThing,
    Presence,
    SeenEvent,
    SeenRdv,
    SetAside,
    Side,
)
from mappings.rdv_event import Cancelled, CopyRules, rdv_draft, rdv_zone
from mappings.wallclock import to_instant, to_wall

QUIET_TIME = timedelta(minutes=10)
"""How long a copy rests after a write when only its description changed. People join a workshop in bursts, as its
invitation goes out; each write makes the agent's telephone fetch the event again, and counts against the ceiling."""
_GONE = "gone"
"""What an RDV that is not there any more asks of its copy, as the version of a pin."""
_MOVED_AHEAD = "its copy was past when it was last agreed, and lies ahead now"


@dataclass(frozen=True, slots=True)
class CopiesPlan:
    operations: tuple[Operation, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    set_aside: tuple[SetAside, ...] = ()


def plan_copies(view: AgentView, events: SortedEvents, context: PlanContext, pins: Pins | None = None) -> CopiesPlan:
    """Decide for each RDV seen and each copy agreed. At most one operation each; none for one that is pinned."""
    pins = pins or Pins.of(view)
    planner = _Planner(view, events, context)
    agreed_by_rdv = {copy.rdv_id: copy for copy in view.copies}
    seen_rdvs = {seen.rdv.id for seen in view.rdvs}
    pins.end_others(PinnedThing.RDV, seen_rdvs | agreed_by_rdv.keys())
    operations: list[Operation] = []
    conflicts: list[Conflict] = []
    set_aside: list[SetAside] = []
    for seen in view.rdvs:
        agreed = agreed_by_rdv.get(seen.rdv.id)
        try:
            if pins.holds(PinnedThing.RDV, seen.rdv.id, planner.wanted(seen, agreed)):
                continue
            decided = planner.decide(seen, agreed)
        except BadItem as error:
            set_aside.append(SetAside(view.agent.agent_id, f"rdv {seen.rdv.id}", str(error)))
            continue
        if isinstance(decided, Operation):
            operations.append(decided)
        elif decided is not None:
            conflicts.append(decided)
    for agreed in view.copies:
        if agreed.rdv_id not in seen_rdvs and not pins.holds(PinnedThing.RDV, agreed.rdv_id, _GONE):
            operations += planner.forgotten(agreed)
    return CopiesPlan(tuple(operations), tuple(conflicts), tuple(set_aside))


def rdv_version(view: AgentView, context: PlanContext, seen: SeenRdv | None, agreed: AgreedCopy | None) -> str | None:
    """What an RDV asks its copy to be; None when that is not known. `seen` None: nothing is known of the RDV, as of one
    that was forgotten when it was gone. `agreed`: its copy, as it is agreed by now."""
    if seen is None:
        return _GONE if agreed is not None else None
    return _Planner(view, NO_EVENTS, context).wanted(seen, agreed)  # what an RDV asks for depends on no event


@dataclass(frozen=True, slots=True)
class _Planner:
    """Decides for one agent."""

    view: AgentView
    events: SortedEvents
    context: PlanContext

    def wanted(self, seen: SeenRdv, agreed: AgreedCopy | None) -> str | None:
        """What an RDV asks its copy to be, as the version of a pin; None while nothing is known of it."""
        if seen.presence is not Presence.PRESENT:
            return _GONE if seen.presence is Presence.GONE else None
        agent, rdv = self.view.agent, seen.rdv
        zone = rdv_zone(rdv, self.context.organisation_zone(rdv.organisation_id))
        rules = self.context.rulebook.for_rdv(agent.subject, str(agent.target), rdv)
        removed_by = self._why_removed(rdv, agreed, rules)
        if removed_by:
            return removed_by
        return self.context.asked(rdv_draft(rdv, agent.agent_id, zone, rules, self.context.identity))

    def decide(self, seen: SeenRdv, agreed: AgreedCopy | None) -> Operation | Conflict | None:
        agent, rdv = self.view.agent, seen.rdv
        if agreed is not None and seen.presence is not Presence.PRESENT:
            return self._vanished(seen, agreed)
        zone = rdv_zone(rdv, self.context.organisation_zone(rdv.organisation_id))
        rules = self.context.rulebook.for_rdv(agent.subject, str(agent.target), rdv)
        draft = rdv_draft(rdv, agent.agent_id, zone, rules, self.context.identity)
        if agreed is None:
            return self._not_agreed(seen, draft, rules)
        if removed_by := self._why_removed(rdv, agreed, rules):
            return self._removal(agreed, removed_by)
        if not self.context.rules(agent).copy_rdvs:
            return None  # history stays as it is
        return self._kept(agreed, rdv, draft)

    def _not_agreed(self, seen: SeenRdv, draft: EventDraft, rules: CopyRules) -> Operation | None:
        """An RDV of which no copy is known."""
        rdv = seen.rdv
        if rdv.id in self.events.copies:
            # What becomes of it, the next plan decides: also where the RDV is gone, and our database knew of no copy.
            return self._found(rdv.id, draft, self.events.copies[rdv.id])
        if seen.presence is not Presence.PRESENT or rdv.cancelled or self._why_removed(rdv, None, rules):
            return None
        return self._creation("rdv_planned", rdv.id, draft)

    def _is_history(self, agreed: AgreedCopy | None, rdv: Rdv) -> bool:
        """Past copies stay for good, whatever is chosen later; unless the RDV was moved ahead since."""
        return self._was_past(agreed) and self._is_over(rdv)

    def _was_past(self, agreed: AgreedCopy | None) -> bool:
        return agreed is not None and agreed.ends_at <= self.context.now

    def _is_over(self, rdv: Rdv) -> bool:
        zone = rdv_zone(rdv, self.context.organisation_zone(rdv.organisation_id))
        return to_instant(rdv.ends_at, zone, start=False) <= self.context.now

    def _lies_ahead(self, agreed: AgreedCopy) -> bool:
        """Where its event is by now, whoever put it there."""
        event = self.events.by_place.get((agreed.ref, agreed.href))
        return event is not None and is_ahead(event, self.context.now, self.view.agent.zone)

    def _why_removed(self, rdv: Rdv, agreed: AgreedCopy | None, rules: CopyRules) -> str:
        """The rule by which this RDV has no copy here; "" if it has one."""
        if self.view.agent.agent_id not in rdv.agent_ids:
            return "agent_left_rdv"
        if self._is_history(agreed, rdv):
            return ""
        if not self.context.rules(self.view.agent).copy_rdvs:
            return "rdvs_not_copied"
        return "rdv_cancelled" if rdv.cancelled and rules.cancelled is Cancelled.REMOVE else ""

    def _vanished(self, seen: SeenRdv, agreed: AgreedCopy) -> Operation | None:
        """An RDV that is no longer read: a purge is not a cancellation, and what lies in the past stays."""
        if self._was_past(agreed) and not self._lies_ahead(agreed):
            return None
        if seen.presence is Presence.GONE:
            # A person put a past copy ahead; or we did, and our database is an earlier day's: nothing tells which.
            doubt = _MOVED_AHEAD if self._is_history(agreed, seen.rdv) else ""
            return replace(self._removal(agreed, "rdv_deleted"), unproven=doubt)
        if not seen.missing_because:
            return None  # one reading more decides
        return replace(self._removal(agreed, "rdv_no_longer_read"), unproven=seen.missing_because)

    def forgotten(self, agreed: AgreedCopy) -> tuple[Operation, ...]:
        """A copy that an undo put back after its RDV was gone and forgotten. Nothing says so here, so a person is
        asked before it goes."""
        if self._was_past(agreed) and not self._lies_ahead(agreed):
            return ()
        removal = self._removal(agreed, "rdv_no_longer_read")
        return (replace(removal, unproven="nothing is known of its RDV any more"),)

    def _found(self, rdv_id: int, draft: EventDraft, existing: SeenEvent) -> Operation:
        operation = self._operation(Action.PAIR, "own_copy_found_again", rdv_id, draft)
        return replace(operation, ref=existing.ref, href=existing.href, basis=existing.owned_digest)

    def _kept(self, agreed: AgreedCopy, rdv: Rdv, draft: EventDraft) -> Operation | Conflict | None:
        event = self.events.by_place.get((agreed.ref, agreed.href))
        if event is None:
            return self._deleted(agreed, draft)
        if event.set_aside:
            return None  # named among the items set aside; overwriting what we cannot read could lose something
        update = replace(
            self._operation(Action.UPDATE, "rdv_changed", agreed.rdv_id, draft),
            ref=agreed.ref,
            href=agreed.href,
            basis=event.owned_digest,
            rewrites_notes=event.notes_digest == agreed.notes_digest,
        )
        asked = self.context.asked(draft)
        if asked != agreed.asked_digest:
            if _is_as_asked(asked, agreed, event):
                return replace(update, action=Action.PAIR, rule="own_copy_as_it_should_be")
            return None if rdv.collectif and self._can_rest(asked, agreed, event) else update
        if event.owned_digest == agreed.owned_digest or self._is_past(agreed, draft):
            return None
        return self._put_back(replace(update, rule="edited_copy_put_back"), agreed)

    def _deleted(self, agreed: AgreedCopy, draft: EventDraft) -> Operation | Conflict | None:
        """A person deleted the copy. If the RDV changed since, it is shown anew: nothing of theirs is undone."""
        if self._is_past(agreed, draft) or draft.status is EventStatus.CANCELLED:
            return None  # history, or a person tidied a cancelled RDV away
        if self.context.asked(draft) != agreed.asked_digest:
            return replace(self._creation("rdv_changed", agreed.rdv_id, draft), ref=agreed.ref)
        again = self._creation("deleted_copy_put_back", agreed.rdv_id, draft)
        return self._put_back(replace(again, ref=agreed.ref), agreed)

    def _is_past(self, agreed: AgreedCopy, draft: EventDraft) -> bool:
        return self._was_past(agreed) and _instant(draft.end) <= self.context.now

    def _can_rest(self, asked: str, agreed: AgreedCopy, event: SeenEvent) -> bool:
        """Is only the description another one (who and how many take part), and was the copy written just now?

        Times, status, title and place are never delayed, nor is the correction of what a person edited.
        """
        only_notes = asked.partition(":")[0] == agreed.asked_digest.partition(":")[0]
        if not only_notes or event.owned_digest != agreed.owned_digest or agreed.written_at is None:
            return False
        return timedelta(0) <= self.context.now - agreed.written_at < QUIET_TIME

    def _put_back(self, operation: Operation, agreed: AgreedCopy) -> Operation | Conflict:
        """A person's edit of a copy is put back, but not for ever on the same day: then a person is told."""
        agent = self.view.agent
        done_today = agreed.put_back_count if agreed.put_back_on == self.context.today(agent) else 0
        if done_today < self.context.rules(agent).put_backs_per_day:
            return replace(operation, puts_back=True)
        return Conflict(
            agent_id=agent.agent_id,
            kind=ConflictKind.PUT_BACK_TOO_OFTEN,
            reason=f"the copy of this RDV was changed again after {done_today} corrections today;"
            " change the RDV instead",
            rdv_id=agreed.rdv_id,
            href=agreed.href,
        )

    def _removal(self, agreed: AgreedCopy, rule: str) -> Operation:
        event = self.events.by_place.get((agreed.ref, agreed.href))
        return Operation(
            agent_id=self.view.agent.agent_id,
            side=Side.CALENDAR,
            action=Action.DELETE,
            kind=ObjectKind.RDV_COPY,
            op_class=OperationClass.UNCOPY,
            rule=rule,
            when=to_wall(agreed.ends_at, self.view.agent.zone),
            rdv_id=agreed.rdv_id,
            ref=agreed.ref,
            href=agreed.href,
            basis=event.owned_digest if event else "",
        )

    def _creation(self, rule: str, rdv_id: int, draft: EventDraft) -> Operation:
        """A new copy. It reminds of nothing on the first fill, nor when the moment of its reminder is over: programs
        ring at once for what they missed."""
        reminder = draft.reminder
        if reminder is not None and (
            self.view.agent.state is AgentState.FIRST_RUN
            or _instant(draft.start) - timedelta(minutes=reminder.minutes_before) <= self.context.now
        ):
            draft = replace(draft, reminder=None)
        return self._operation(Action.CREATE, rule, rdv_id, draft)

    def _operation(self, action: Action, rule: str, rdv_id: int, draft: EventDraft) -> Operation:
        return Operation(
            agent_id=self.view.agent.agent_id,
            side=Side.CALENDAR,
            action=action,
            kind=ObjectKind.RDV_COPY,
            op_class=OperationClass.COPY,
            rule=rule,
            when=to_wall(_instant(draft.start), self.view.agent.zone),
            rdv_id=rdv_id,
            ref=self.view.agent.target,
            draft=draft,
        )


def _is_as_asked(asked: str, agreed: AgreedCopy, event: SeenEvent) -> bool:
    """Is the event what its RDV asks for, but for notes that a person wrote?"""
    notes_are_ours = event.notes_digest == agreed.notes_digest
    return asked.startswith(f"{event.owned_digest}:") and (
        asked.endswith(f":{event.notes_digest}") or not notes_are_ours
    )


def _instant(value: object) -> datetime:
    """An RDV's draft always carries aware times."""
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise TypeError("an RDV's copy must have aware times")
    return value
