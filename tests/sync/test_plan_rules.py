"""A département's rules in a plan of blocks and of absences shown: what each choice does, row by row."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, time

import pytest

from connectors.records import BusyStatus, CalendarEvent, EventComponent, EventStatus, Recurrence
from gateway.rules.book import RuleBook, RuleSection, Scope
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.values import (
    Action,
    AgentState,
    AgentView,
    BlockOrigin,
    CalendarRef,
    ChangeKind,
    ConflictKind,
    OperationClass,
    Presence,
    SeenEvent,
    Side,
    Suppression,
)
from mappings.busy_rules import AllDay, BusyRules, Hours, Patterns
from mappings.times import times_of
from tests.sync.builders import (
    AGENT,
    SOURCE,
    TAG,
    absence,
    agent,
    at,
    block,
    context,
    event,
    held,
    mirror_of,
    moved,
    provenance,
    view,
    wall,
)

OTHER = CalendarRef("account", "/autre/")
LABELS = {"labels": {"Formation": "Formation", "Congés": "Congés"}}
OFFICE = {"hours": tuple(Hours(day, time(9), time(17)) for day in range(5))}
PATTERNS = Patterns.of(
    [BusyRules(never_titles=("*privé*",), always_titles=("astreinte*",), never_categories=("Perso",), **LABELS)]
)


def typed(
    uid: str, start: str | date, end: str | date, *, rule: str = "", ref: CalendarRef = SOURCE, **component: object
) -> SeenEvent:
    """An event with a title or a category, as it is kept after the patterns were asked."""
    times = [at(each) if isinstance(each, str) else each for each in (start, end)]
    recurrence = Recurrence(rules=(rule,)) if rule else Recurrence()
    it = EventComponent(times[0], times[1], recurrence=recurrence, **component)  # type: ignore[arg-type]
    kept = times_of(CalendarEvent(uid, (it,)), PATTERNS.matches_of)
    return SeenEvent(ref, f"/agenda/{uid}.ics", "v1", f"raw-{uid}", uid=uid, times=kept)


def wanted(situation: AgentView, at_hand: PlanContext) -> list[str]:
    """Every block that a plan makes, as "day from-to label"."""
    operations = make_plan(situation, at_hand).operations
    assert all(each.action is Action.CREATE for each in operations)
    return [
        f"{each.interval.start:%d %H:%M}-{each.interval.end:%d %H:%M} {each.label}".strip()
        for each in operations
        if each.interval is not None
    ]


# 2 June 2026 is a Tuesday, the 6th a Saturday.
A = event("a", "2 09:00", "2 10:00")
TENTATIVE = typed("a", "2 09:00", "2 10:00", status=EventStatus.TENTATIVE)
ELSEWHERE = typed("a", "2 09:00", "2 10:00", busy_status=BusyStatus.ELSEWHERE)
DAY = typed("a", date(2026, 6, 3), date(2026, 6, 4))
AWAY = typed("a", date(2026, 6, 3), date(2026, 6, 4), busy_status=BusyStatus.OUT_OF_OFFICE)
TRAINING = typed("f", "2 10:00", "2 11:00", categories=("formation",))
OVER_TRAINING = typed("o", "2 10:30", "2 12:00")

ROWS: dict[str, tuple[list[SeenEvent], dict[str, object], list[str]]] = {
    "tentative blocks": ([TENTATIVE], {}, ["02 09:00-02 10:00"]),
    "tentative does not block where the rules say so": ([TENTATIVE], {"tentative": False}, []),
    "working elsewhere does not block": ([ELSEWHERE], {}, []),
    "working elsewhere blocks where the rules say so": ([ELSEWHERE], {"elsewhere": True}, ["02 09:00-02 10:00"]),
    "a whole day ends at 23:59": ([DAY], {}, ["03 00:00-03 23:59"]),
    "a whole day never blocks": ([DAY], {"all_day": AllDay.NEVER}, []),
    "a whole day at the office does not block, out of office does": (
        [DAY, replace(AWAY, href="/agenda/b.ics", uid="b")],
        {"all_day": AllDay.OUT_OF_OFFICE},
        ["03 00:00-03 23:59"],
    ),
    "a whole day is cut to hours": ([DAY], OFFICE, ["03 09:00-03 17:00"]),
    "several whole days are one block for each day's hours, none for a weekend": (
        [typed("a", date(2026, 6, 4), date(2026, 6, 9))],
        OFFICE,
        ["04 09:00-04 17:00", "05 09:00-05 17:00", "08 09:00-08 17:00"],
    ),
    "a whole day is as long as a day": ([DAY], {"minimum_minutes": 24 * 60}, ["03 00:00-03 23:59"]),
    "an event is cut to hours": ([event("a", "2 08:00", "2 09:30")], OFFICE, ["02 09:00-02 09:30"]),
    "an event out of hours does not block": ([event("a", "6 10:00", "6 11:00")], OFFICE, []),
    "hours of two events that touch are one block": (
        [event("a", "2 08:00", "2 12:00"), event("b", "2 12:00", "2 18:00")],
        OFFICE,
        ["02 09:00-02 17:00"],
    ),
    "a short event does not block": ([A], {"minimum_minutes": 61}, []),
    "a long event counts whole, however little of it is in hours": (
        [event("a", "2 07:00", "2 09:15")],
        {**OFFICE, "minimum_minutes": 60},
        ["02 09:00-02 09:15"],
    ),
    "a title that never blocks": (
        [typed("a", "2 09:00", "2 10:00", summary="Déjeuner PRIVE")],
        {"never_titles": ("*privé*",)},
        [],
    ),
    "a title that always blocks, though free": (
        [replace(typed("a", "2 09:00", "2 10:00", summary="Astreinte 4"), uid="a")],
        {"always_titles": ("astreinte*",), "tentative": False},
        ["02 09:00-02 10:00"],
    ),
    "a category that never blocks": (
        [typed("a", "2 09:00", "2 10:00", categories=("PERSO",)), event("b", "3 09:00", "3 10:00")],
        {"never_categories": ("Perso",)},
        ["03 09:00-03 10:00"],
    ),
    "labels by category, masked otherwise; those that touch stay apart": (
        [A, TRAINING],
        LABELS,
        ["02 09:00-02 10:00", "02 10:00-02 11:00 Formation"],
    ),
    "blocks of different labels overlap": (
        [TRAINING, OVER_TRAINING],
        LABELS,
        ["02 10:00-02 11:00 Formation", "02 10:30-02 12:00"],
    ),
    "two labels for one time are one block": (
        [TRAINING, typed("c", "2 10:00", "2 11:00", categories=("Congés",)), event("m", "2 10:00", "2 11:00")],
        LABELS,
        ["02 10:00-02 11:00 Congés"],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_what_a_rule_makes_of_events(name: str) -> None:
    events, rules, expected = ROWS[name]
    assert wanted(view(events=events), context(blocks=rules)) == expected


def test_one_absence_for_each_event_where_they_are_not_merged() -> None:
    events = [A, event("b", "2 09:30", "2 11:00"), event("c", "2 11:00", "2 12:00")]
    assert wanted(view(events=events), context(merge_blocks=False)) == [
        "02 09:00-02 10:00",
        "02 09:30-02 11:00",
        "02 11:00-02 12:00",
    ]


def test_each_calendar_blocks_by_its_own_rules() -> None:
    """The agent's two calendars: one blocks by what its events say, the other only where it is out of office."""
    sections = (
        RuleSection(Scope.EVERYBODY, "", "rules", blocks={"all_day": AllDay.BUSY}),
        RuleSection(Scope.ORGANISATION, 4, "here", blocks={"tentative": False}),
        RuleSection(Scope.CALENDAR, str(OTHER), "there", blocks={"blocks": False}),
    )
    both = agent(sources=(SOURCE, OTHER), organisation_id=4)
    broken = SeenEvent(OTHER, "/autre/broken.ics", "v1", "raw", set_aside="no DTSTART")
    events = [A, replace(TENTATIVE, href="/agenda/t.ics"), typed("o", "3 09:00", "3 10:00", ref=OTHER), broken]
    plan = make_plan(view(events=events, agent=both), replace(context(), rulebook=RuleBook(sections)))
    assert [str(each.interval and each.interval.start) for each in plan.operations] == ["2026-06-02 09:00:00"]
    assert plan.set_aside == ()  # nobody needs to mend what does not block anyhow


# --- hands of persons, under rules ---------------------------------------------------------------------------


def test_a_freed_event_stays_free_when_the_hours_change() -> None:
    """A suppression is of the event as it is in the calendar, not of what the rules make of it."""
    long = event("a", "2 08:00", "2 18:00")
    ours = block(1, "2 09:00", "2 17:00", "a")
    gone = make_plan(
        view(events=[long], blocks=[ours], absences=[held(ours, presence=Presence.GONE)]), context(blocks=OFFICE)
    )
    (freed,) = [s for change in gone.changes for s in change.suppressions]
    assert freed == Suppression(
        AGENT, provenance("a"), wall("2 08:00"), wall("2 18:00"), wall("2 09:00"), wall("2 17:00")
    )
    for hours in (OFFICE, {"hours": tuple(Hours(day, time(10), time(16)) for day in range(5))}):
        plan = make_plan(view(events=[long], suppressions=[freed]), context(blocks=hours))
        assert (plan.operations, plan.changes) == ((), ())
    assert wanted(view(events=[long], suppressions=[freed]), context()) == ["02 08:00-02 09:00", "02 17:00-02 18:00"]


def test_who_deletes_one_of_two_overlapping_blocks_is_not_given_its_rest_back() -> None:
    events = [event("a", "2 09:00", "2 11:00"), event("b", "2 10:00", "2 12:00")]
    one, other = block(1, "2 09:00", "2 11:00", "a"), block(2, "2 10:00", "2 12:00", "b")
    plan = make_plan(
        view(events=events, blocks=[one, other], absences=[held(one, presence=Presence.GONE), held(other)]),
        context(merge_blocks=False),
    )
    assert plan.operations == ()
    suppressions = [s for change in plan.changes for s in change.suppressions]
    assert [(s.start, s.end) for s in suppressions] == [(wall("2 09:00"), wall("2 10:00"))]
    later = view(events=events[:1], suppressions=suppressions)
    assert wanted(later, context(merge_blocks=False)) == ["02 10:00-02 11:00"]  # nobody ever freed that


def test_an_absence_typed_for_an_event_stands_for_it_although_its_hours_are_cut() -> None:
    long = event("a", "2 08:00", "2 18:00")
    twin = absence(9, "2 08:00", "2 18:00")
    (pair,) = make_plan(view(events=[long], absences=[twin]), context(blocks=OFFICE)).operations
    assert (pair.action, pair.absence_id, pair.label) == (Action.PAIR, 9, "")
    paired = block(9, "2 08:00", "2 18:00", "a", origin=BlockOrigin.FOUND)
    assert make_plan(view(events=[long], absences=[twin], blocks=[paired]), context(blocks=OFFICE)).operations == ()


@pytest.mark.parametrize(("minutes", "told"), [(0, 0), (15, 1), (20, 1), (9, 0)])
def test_how_near_a_twin_is_told(minutes: int, told: int) -> None:
    situation = view(events=[A], absences=[absence(9, "2 09:10", "2 10:00")], agent=agent(state=AgentState.FIRST_RUN))
    found = make_plan(situation, context(near_twin_minutes=minutes)).conflicts
    assert len([each for each in found if each.kind is ConflictKind.NEAR_TWIN]) == told


# --- labels --------------------------------------------------------------------------------------------------


def test_another_label_is_one_change_of_the_title() -> None:
    ours = block(1, "2 10:00", "2 11:00", "f")
    (change,) = make_plan(
        view(events=[TRAINING], blocks=[ours], absences=[held(ours)]), context(blocks=LABELS)
    ).operations
    assert (change.action, change.absence_id, change.label, change.rule) == (
        Action.UPDATE,
        1,
        "Formation",
        "label_changed",
    )
    assert change.op_class is OperationClass.COVER
    assert change.interval is not None
    assert (change.interval.start, change.interval.end) == (ours.start, ours.end)
    called = replace(ours, label="Formation")
    named = replace(held(called), absence=replace(held(called).absence, title="Formation · agenda"))
    same = view(events=[TRAINING], blocks=[called], absences=[named])
    assert make_plan(same, context(blocks=LABELS)).operations == ()
    (back,) = make_plan(same, context()).operations
    assert (back.rule, back.label) == ("label_changed", "")


@pytest.mark.parametrize("origin", [BlockOrigin.FOUND, BlockOrigin.RELEASED])
def test_what_a_person_made_theirs_is_not_called_otherwise(origin: BlockOrigin) -> None:
    theirs = block(1, "2 10:00", "2 11:00", "f", origin=origin)
    situation = view(events=[TRAINING], blocks=[theirs], absences=[held(theirs)])
    assert make_plan(situation, context(blocks=LABELS)).operations == ()


def test_a_title_that_a_person_typed_stays() -> None:
    ours = block(1, "2 10:00", "2 11:00", "f")
    seen = replace(held(ours), absence=replace(held(ours).absence, title="Ne pas déranger"))
    assert make_plan(view(events=[TRAINING], blocks=[ours], absences=[seen]), context(blocks=LABELS)).operations == ()


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Formation · agenda", [("own_block_found_again", "Formation")]),
        (TAG, [("own_block_found_again", ""), ("label_changed", "Formation")]),
    ],
)
def test_a_block_of_ours_that_is_found_again_is_known_by_the_label_it_bears(
    title: str, expected: list[tuple[str, str]]
) -> None:
    situation = view(events=[TRAINING], absences=[absence(9, "2 10:00", "2 11:00", title=title)])
    plan = make_plan(situation, context(blocks=LABELS))
    assert [(each.rule, each.label) for each in plan.operations] == expected


def test_an_approval_is_of_the_label_too_and_a_removal_has_none() -> None:
    masked, named = (make_plan(view(events=[TRAINING]), context(blocks=rules)).operations[0] for rules in ({}, LABELS))
    assert masked.digest != named.digest
    assert replace(masked, action=Action.DELETE).digest == replace(named, action=Action.DELETE).digest


# --- directions ----------------------------------------------------------------------------------------------


def test_blocks_are_taken_back_where_events_do_not_block_and_typed_absences_stay() -> None:
    ours, found = block(1, "2 09:00", "2 10:00", "a"), block(2, "3 09:00", "3 10:00", "b", origin=BlockOrigin.FOUND)
    past = block(3, "1 06:00", "1 07:00", "c")
    situation = view(
        events=[A, event("b", "3 09:00", "3 10:00"), event("n", "4 09:00", "4 10:00")],
        blocks=[ours, found, past],
        absences=[held(ours), held(found), held(past)],
    )
    plan = make_plan(situation, context(block_time=False))
    assert [(each.action, each.absence_id, each.op_class) for each in plan.operations] == [
        (Action.DELETE, 1, OperationClass.UNCOVER)
    ]


def test_who_deletes_blocks_that_are_to_go_frees_nothing_for_later() -> None:
    ours = block(1, "2 09:00", "2 10:00", "a")
    situation = view(events=[A], blocks=[ours], absences=[held(ours, presence=Presence.GONE)])
    (change,) = make_plan(situation, context(block_time=False)).changes
    assert (change.kind, change.suppressions) == (ChangeKind.BLOCK_FREED, ())


def test_what_was_freed_stays_freed_while_events_do_not_block() -> None:
    freed = Suppression(AGENT, provenance("a"), wall("2 09:00"), wall("2 10:00"), wall("2 09:00"), wall("2 10:00"))
    assert make_plan(view(events=[A], suppressions=[freed]), context(block_time=False)).changes == ()


def test_absences_are_not_shown_and_their_events_to_come_go() -> None:
    coming, over, new = (
        absence(1, "2 09:00", "2 10:00"),
        absence(2, "1 06:00", "1 07:00"),
        absence(3, "4 09:00", "4 10:00"),
    )
    (mirror, seen), (old, old_seen) = mirror_of(coming), mirror_of(over)
    situation = view(events=[seen, old_seen], absences=[coming, over, new], mirrors=[mirror, old])
    plan = make_plan(situation, context(mirror_absences=False))
    assert [(each.action, each.side, each.absence_id, each.rule) for each in plan.operations] == [
        (Action.DELETE, Side.CALENDAR, 1, "absences_not_shown")
    ]


@pytest.mark.parametrize("event_is", ["moved", "gone"])
def test_an_absence_stays_whatever_became_of_its_event_while_it_is_not_shown(event_is: str) -> None:
    typed_one = absence(1, "2 09:00", "2 10:00")
    mirror, seen = mirror_of(typed_one)
    events = [moved(seen, "2 14:00", "2 15:00")] if event_is == "moved" else []
    situation = view(events=events, absences=[typed_one], mirrors=[mirror])
    plan = make_plan(situation, context(mirror_absences=False))
    assert [(each.action, each.side) for each in plan.operations] == [(Action.DELETE, Side.CALENDAR)]
