"""RDVs -> copies: statuses and their returns, rules that change, what a new copy is given, and what waits a little."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import EventDraft, EventStatus, Participation, Rdv, RdvStatus, Reminder, UsagerField
from gateway.rules.book import RuleBook, RuleSection, Scope
from gateway.sync.guard import GuardContext, guard, totals_of
from gateway.sync.planning import make_plan
from gateway.sync.planning.context import PlanContext
from gateway.sync.values import (
    AgentState,
    AgreedCopy,
    HoldReason,
    Operation,
    OperationClass,
    Presence,
    SeenEvent,
    SeenRdv,
)
from mappings.owned import notes_digest, owned_digest, owned_of_draft
from mappings.rdv_event import Cancelled, LabelLevel, rdv_draft
from tests.sync.builders import AGENT, IDENTITY, KEY, NOW, PARIS, SOURCE, agent, context, rdv, view, written

PAST = "1 05:00"
COMING = "2 10:00"


def written_copy(source: Rdv, ctx: PlanContext, **changes: object) -> tuple[AgreedCopy, SeenEvent]:
    """The copy of an RDV as the rules of `ctx` ask for it, agreed, and as it is seen."""
    draft = draft_of(source, ctx)
    owned = owned_of_draft(draft)
    seen = written(draft)
    agreed = AgreedCopy(
        source.id,
        AGENT,
        SOURCE,
        seen.href,
        draft.uid,
        ctx.asked(draft),
        owned_digest(KEY, owned),
        notes_digest(KEY, owned),
        draft.end,  # type: ignore[arg-type]
        written_at=NOW - timedelta(days=1),
    )
    return replace(agreed, **changes), seen  # type: ignore[arg-type]


def draft_of(source: Rdv, ctx: PlanContext) -> EventDraft:
    rules = ctx.rulebook.for_rdv(agent().subject, str(SOURCE), source)
    return rdv_draft(source, AGENT, PARIS, rules, IDENTITY)


def planned(
    now: Rdv | Iterable[Rdv],
    ctx: PlanContext,
    copies: Iterable[tuple[AgreedCopy, SeenEvent]] = (),
    *,
    presence: Presence = Presence.PRESENT,
    state: AgentState = AgentState.LIVE,
) -> tuple[Operation, ...]:
    rdvs = [now] if isinstance(now, Rdv) else list(now)
    made = list(copies)
    situation = view(
        rdvs=[SeenRdv(each, presence) for each in rdvs],
        copies=[agreed for agreed, _ in made],
        events=[seen for _, seen in made],
        agent=agent(state=state),
    )
    return make_plan(situation, ctx).operations


def steps(operations: Iterable[Operation]) -> list[tuple[str, str]]:
    return [(each.action.value, each.rule) for each in operations]


# --- statuses ------------------------------------------------------------------------------------------------

TAKES_PLACE = ("unknown", "seen", "noshow", "waiting", "")
CANCELLED = ("excused", "revoked")
CHANGED = [("update", "rdv_changed")]


@pytest.mark.parametrize("cancelled", list(Cancelled))
@pytest.mark.parametrize("start", [PAST, COMING])
@pytest.mark.parametrize("after", [*TAKES_PLACE, *CANCELLED])
@pytest.mark.parametrize("before", [*TAKES_PLACE, *CANCELLED])
def test_a_status_and_its_return(before: str, after: str, start: str, cancelled: Cancelled) -> None:
    """What is cancelled and what is not is all that shows; a past copy stays, whatever is chosen."""
    ctx = context(copies={"cancelled": cancelled})
    was, now = rdv(start=start, status=before), rdv(start=start, status=after)
    gone_before = before in CANCELLED and cancelled is Cancelled.REMOVE and start == COMING
    copies = [] if gone_before else [written_copy(was, ctx)]
    found = steps(planned(now, ctx, copies))
    if after in CANCELLED and cancelled is Cancelled.REMOVE and start == COMING:
        assert found == ([] if gone_before else [("delete", "rdv_cancelled")])
    elif gone_before:
        assert found == ([] if after in CANCELLED else [("create", "rdv_planned")])
    else:
        assert found == ([] if (before in CANCELLED) == (after in CANCELLED) else CHANGED)


def test_a_cancelled_rdv_that_is_planned_again_is_the_same_event() -> None:
    ctx = context(copies={"cancelled": Cancelled.REMOVE})
    agreed, _ = written_copy(rdv(), ctx)
    (again,) = planned(rdv(status="unknown"), ctx)
    assert again.draft is not None
    assert again.draft.uid == agreed.uid


def test_a_cancelled_copy_that_a_person_tidied_away_is_shown_when_its_rdv_is_planned_again() -> None:
    """That undoes nothing of theirs, and so is not counted among the corrections of a day."""
    ctx = context(put_backs_per_day=0)
    agreed, _ = written_copy(rdv(status="excused"), ctx)
    tidied = view(rdvs=[SeenRdv(rdv(status="excused"), Presence.PRESENT)], copies=[agreed])
    assert make_plan(tidied, ctx).operations == ()
    again = make_plan(replace(tidied, rdvs=(SeenRdv(rdv(), Presence.PRESENT),)), ctx)
    assert [(each.action.value, each.rule, each.puts_back) for each in again.operations] == [
        ("create", "rdv_changed", False)
    ]
    assert again.conflicts == ()


@pytest.mark.parametrize("presence", [Presence.GONE, Presence.UNKNOWN])
@pytest.mark.parametrize("status", [*TAKES_PLACE, *CANCELLED])
def test_a_purge_is_no_cancellation(status: str, presence: Presence) -> None:
    source = rdv(start=PAST, status=status)
    assert planned(source, context(), [written_copy(source, context())], presence=presence) == ()


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ((AGENT, 8), (AGENT,), []),
        ((AGENT, 8), (8,), [("delete", "agent_left_rdv")]),
        ((AGENT,), (8, AGENT), []),
        ((8,), (8, AGENT), [("create", "rdv_planned")]),
        ((AGENT,), (), [("delete", "agent_left_rdv")]),
    ],
)
def test_agents_who_come_and_go(
    before: tuple[int, ...], after: tuple[int, ...], expected: list[tuple[str, str]]
) -> None:
    """An RDV lists its new agents only: who left is known by the copy that was agreed."""
    copies = [written_copy(rdv(agents=before), context())] if AGENT in before else []
    assert steps(planned(rdv(agents=after), context(), copies)) == expected


def test_an_rdv_moved_to_another_day_and_another_agent_leaves() -> None:
    copies = [written_copy(rdv(), context())]
    assert steps(planned(rdv(start="4 10:00", agents=(8,)), context(), copies)) == [("delete", "agent_left_rdv")]


def test_copies_of_what_is_ahead_are_written_before_a_backfill() -> None:
    """Nearest dates first, then what is past, the latest first."""
    days = {1: "-120 10:00", 2: "3 10:00", 3: "1 07:00", 4: "-1 10:00", 5: "2 10:00"}
    operations = planned([rdv(number, start) for number, start in days.items()], context())
    assert [each.rdv_id for each in operations] == [3, 5, 2, 4, 1]


# --- rules ---------------------------------------------------------------------------------------------------


def book_context(*sections: RuleSection) -> PlanContext:
    return replace(context(), rulebook=RuleBook(sections))


def copies_for(scope: Scope, selector: int | str, **choices: object) -> RuleSection:
    return RuleSection(scope, selector, "", copies=choices)


def many(count: int, start: str = COMING) -> list[Rdv]:
    return [rdv(number, start) for number in range(1, count + 1)]


def judged(operations: tuple[Operation, ...], ctx: PlanContext, copies: int) -> tuple[int, int]:
    """How many may run, and how many wait as too many removals."""
    situation = view(copies=[written_copy(each, ctx)[0] for each in many(copies)])
    plan = replace(make_plan(situation, ctx), operations=operations)
    totals = totals_of(situation)
    found = guard(plan, GuardContext(AgentState.LIVE, totals, frozenset(), ctx.rules(agent())))
    assert {each.reason for each in found.held} <= {HoldReason.MANY_REMOVALS}
    return len(found.allowed), len(found.held)


def test_a_rule_for_one_motif_changes_the_copies_of_that_motif_only() -> None:
    before = context()
    after = book_context(copies_for(Scope.MOTIF, 5, label=LabelLevel.MOTIF))
    others = replace(rdv(2), motif_id=6)
    copies = [written_copy(each, before) for each in (rdv(1), others)]
    operations = planned([rdv(1), others], after, copies)
    assert [(each.rdv_id, each.rule) for each in operations] == [(1, "rdv_changed")]
    assert operations[0].draft is not None
    assert operations[0].draft.summary == "Suivi RSA"


def test_a_rule_for_another_agent_changes_nothing() -> None:
    after = book_context(copies_for(Scope.AGENT, 99, neutral_title="X"))
    assert planned(rdv(), after, [written_copy(rdv(), context())]) == ()


@pytest.mark.parametrize(
    "choices", [{"category": "RDV"}, {"color": "teal"}, {"reminder_minutes": 15}], ids=lambda each: next(iter(each))
)
def test_what_is_the_agents_from_then_on_is_never_written_again(choices: dict[str, object]) -> None:
    assert planned(rdv(), context(copies=choices), [written_copy(rdv(), context())]) == ()


def test_cancelled_rdvs_of_one_motif_are_removed_when_that_is_chosen() -> None:
    after = book_context(copies_for(Scope.MOTIF, 5, cancelled=Cancelled.REMOVE))
    both = [rdv(1, status="excused"), replace(rdv(2, status="excused"), motif_id=6)]
    copies = [written_copy(each, context()) for each in both]
    assert [(each.rdv_id, each.rule) for each in planned(both, after, copies)] == [(1, "rdv_cancelled")]


def test_a_direction_switched_off_takes_what_is_ahead_back_and_leaves_what_is_past() -> None:
    off = context(copy_rdvs=False)
    was = [rdv(1), rdv(2, PAST), rdv(3, "3 10:00")]
    now = [rdv(1), rdv(2, PAST, status="excused"), rdv(3, "3 10:00"), rdv(4, "4 10:00")]
    operations = planned(now, off, [written_copy(each, context()) for each in was])
    assert [(each.rdv_id, each.action.value, each.rule) for each in operations] == [
        (1, "delete", "rdvs_not_copied"),
        (3, "delete", "rdvs_not_copied"),
    ]
    assert {each.op_class for each in operations} == {OperationClass.UNCOPY}


@pytest.mark.parametrize(("count", "expected"), [(5, (5, 0)), (6, (0, 6))])
def test_many_copies_taken_back_at_once_wait_for_a_person(count: int, expected: tuple[int, int]) -> None:
    off = context(copy_rdvs=False)
    operations = planned(many(count), off, [written_copy(each, context()) for each in many(count)])
    assert judged(operations, off, count) == expected


# --- new copies ----------------------------------------------------------------------------------------------

RICH = {"category": "RDV usager", "color": "teal", "reminder_minutes": 30}


def test_a_new_copy_reminds_and_has_its_category_and_colour() -> None:
    (operation,) = planned(rdv(), context(copies=RICH))
    assert operation.draft is not None
    assert (operation.draft.category, operation.draft.color) == ("RDV usager", "teal")
    assert operation.draft.reminder == Reminder(30, "RDV")


@pytest.mark.parametrize(
    ("start", "state", "reminds"),
    [
        (COMING, AgentState.LIVE, True),
        (COMING, AgentState.FIRST_RUN, False),
        (PAST, AgentState.LIVE, False),
        ("1 08:31", AgentState.LIVE, True),
        ("1 08:30", AgentState.LIVE, False),  # it is 08:00: the reminder would ring now
        ("1 08:10", AgentState.LIVE, False),
    ],
)
def test_no_reminder_of_what_is_past_nor_on_the_first_fill(start: str, state: AgentState, reminds: bool) -> None:
    (operation,) = planned(rdv(start=start), context(copies=RICH), state=state)
    assert operation.draft is not None
    assert (operation.draft.reminder is not None) is reminds
    assert operation.draft.category == "RDV usager"


# --- workshops -----------------------------------------------------------------------------------------------

NAMED = {"label": LabelLevel.MOTIF, "motifs": None, "usager_fields": frozenset({UsagerField.LAST_NAME})}
WORKSHOP = replace(
    rdv(), collectif=True, title="Budget", users_count=1, max_participants_count=10,
    participations=(Participation(1, "unknown", 4, ((UsagerField.LAST_NAME, "Un"),)),),
)  # fmt: skip
JOINED = replace(
    WORKSHOP,
    users_count=2,
    participations=(*WORKSHOP.participations, Participation(2, "unknown", 5, ((UsagerField.LAST_NAME, "Deux"),))),
)
MINUTE = timedelta(minutes=1)


JUST_NOW = timedelta(minutes=1)
WORKSHOP_ROWS: dict[str, tuple[Rdv, timedelta | None, list[tuple[str, str]]]] = {
    "somebody joined": (JOINED, JUST_NOW, []),
    "nearly ten minutes ago": (JOINED, 9 * MINUTE, []),
    "ten minutes ago": (JOINED, 10 * MINUTE, CHANGED),
    "a clock that was set back": (JOINED, -MINUTE, CHANGED),
    "never known to be written": (JOINED, None, CHANGED),
    "another start": (replace(JOINED, starts_at=JOINED.starts_at - 30 * MINUTE), JUST_NOW, CHANGED),
    "another end": (replace(JOINED, ends_at=JOINED.ends_at + 30 * MINUTE), JUST_NOW, CHANGED),
    "cancelled": (replace(JOINED, status="revoked"), JUST_NOW, CHANGED),
    "another title": (replace(JOINED, title="Autre"), JUST_NOW, CHANGED),
    "another place": (replace(JOINED, location_type="phone"), JUST_NOW, CHANGED),
    "another agent": (replace(JOINED, agent_ids=(8,)), JUST_NOW, [("delete", "agent_left_rdv")]),
    "nothing": (WORKSHOP, JUST_NOW, []),
}


@pytest.mark.parametrize("name", WORKSHOP_ROWS)
def test_registrations_are_written_together_and_nothing_else_waits(name: str) -> None:
    now, since, expected = WORKSHOP_ROWS[name]
    ctx = context(copies=NAMED)
    copy = written_copy(WORKSHOP, ctx, written_at=None if since is None else NOW - since)
    assert steps(planned(now, ctx, [copy])) == expected


def test_an_individual_rdv_waits_for_nothing() -> None:
    ctx = context(copies=NAMED | {"show_context": True})
    copy = written_copy(rdv(), ctx, written_at=NOW)
    assert steps(planned(replace(rdv(), context="apporter le livret"), ctx, [copy])) == CHANGED


def test_an_edited_workshop_is_put_right_at_once() -> None:
    ctx = context(copies=NAMED)
    agreed, seen = written_copy(WORKSHOP, ctx, written_at=NOW)
    assert steps(planned(JOINED, ctx, [(agreed, replace(seen, owned_digest="edited"))])) == CHANGED


# --- any history ---------------------------------------------------------------------------------------------

statuses = st.sampled_from([*RdvStatus, "waiting"])
moments = st.builds(
    lambda status, day, ours, users: replace(
        WORKSHOP, status=status, starts_at=WORKSHOP.starts_at + timedelta(days=day),
        ends_at=WORKSHOP.ends_at + timedelta(days=day), agent_ids=(AGENT,) if ours else (8,), users_count=users,
    ),
    statuses, st.integers(0, 2), st.booleans(), st.integers(0, 3),
)  # fmt: skip


@given(st.lists(moments, min_size=1, max_size=8), st.sampled_from(Cancelled), st.lists(st.integers(0, 15), max_size=8))
def test_after_any_history_there_is_one_copy_as_it_should_be_or_none(
    history: list[Rdv], cancelled: Cancelled, pauses: list[int]
) -> None:
    """Each state is followed by one plan, some minutes later; the last one by two, when all pauses are over."""
    held: tuple[AgreedCopy, SeenEvent] | None = None
    ctx = context(copies=NAMED | {"cancelled": cancelled})
    steps_in_time = [*zip(history, [*pauses, *[1] * len(history)], strict=False), (history[-1], 20), (history[-1], 20)]
    operations: tuple[Operation, ...] = ()
    for now, minutes in steps_in_time:
        ctx = replace(ctx, now=ctx.now + minutes * MINUTE)
        operations = planned(now, ctx, [held] if held else [])
        assert len(operations) <= 1
        for operation in operations:
            held = written_copy(now, ctx, written_at=ctx.now) if operation.draft else None
    last = history[-1]
    assert operations == ()
    if AGENT not in last.agent_ids or (last.cancelled and cancelled is Cancelled.REMOVE):
        assert held is None
    elif held is None:
        assert last.cancelled  # never shown, since it was cancelled when it came
    else:
        assert held[0].asked_digest == ctx.asked(draft_of(last, ctx))
        assert (draft_of(last, ctx).status is EventStatus.CANCELLED) is last.cancelled
