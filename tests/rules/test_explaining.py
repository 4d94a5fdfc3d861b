"""What rules make of an event: which key decides, what blocks of it, and how that stands."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest

from gateway.rules.book import RuleBook, RuleSection, Scope
from gateway.rules.explaining import (
    EventExplanation,
    Standing,
    events_at,
    events_named,
    explain,
    explain_event,
    time_typed,
)
from gateway.sync.planning import PlanContext
from gateway.sync.values import AgentState, AgentView, CalendarRef, Presence, SeenEvent, SeenRdv, Suppression
from mappings.busy_rules import Reason, title_id
from mappings.native import NativeSource
from mappings.times import Availability
from tests.sync.builders import (
    AGENT,
    SOURCE,
    absence,
    agent,
    block,
    context,
    copy_of,
    event,
    held,
    mirror_of,
    provenance,
    rdv,
    view,
    wall,
)

MEETING = event("meeting", "3 09:00", "3 10:00")


def with_component(seen: SeenEvent, **changes: object) -> SeenEvent:
    assert seen.times is not None
    (component,) = seen.times.components
    return replace(seen, times=replace(seen.times, components=(replace(component, **changes),)))  # type: ignore[arg-type]


def explained(seen: SeenEvent, ctx: PlanContext | None = None, of: AgentView | None = None) -> EventExplanation:
    return explain_event(of or view(events=[seen]), seen, ctx or context())


@pytest.mark.parametrize(
    ("seen", "blocks", "busy", "reason", "key"),
    [
        (MEETING, {}, True, Reason.BUSY, ""),
        (event("x", "3 09:00", "3 10:00", free=True), {}, False, Reason.FREE, ""),
        (MEETING, {"blocks": False}, False, Reason.CALENDAR, "blocks"),
        (event("x", date(2026, 6, 3), date(2026, 6, 4)), {"all_day": "never"}, False, Reason.ALL_DAY, "all_day"),
        (
            with_component(MEETING, availability=Availability.TENTATIVE),
            {"tentative": False},
            False,
            Reason.TENTATIVE,
            "tentative",
        ),
        (
            with_component(MEETING, matches=frozenset({title_id("Point*")})),
            {"never_titles": ("Point*",)},
            False,
            Reason.NEVER_TITLE,
            "never_titles",
        ),
    ],
)
def test_the_key_that_decides_is_named_with_its_place(
    seen: SeenEvent, blocks: dict[str, object], busy: bool, reason: Reason, key: str
) -> None:
    (component,) = explained(seen, context(blocks=blocks)).components
    assert (component.busy, component.reason, component.rule) == (busy, reason, key)
    assert component.place == ("rules" if key else "")


def test_patterns_are_told_as_the_rules_write_them() -> None:
    """What the event is called is not known here at all."""
    seen = with_component(MEETING, matches=frozenset({title_id("Point*"), title_id("other")}))
    (component,) = explained(seen, context(blocks={"never_titles": ("Point*",)})).components
    assert component.matches == ("title Point*",)


@pytest.mark.parametrize(
    ("state", "rules", "blocks", "standing", "left"),
    [
        (AgentState.LIVE, {}, {}, Standing.PLANNED, 1),
        (AgentState.FIRST_RUN, {}, {}, Standing.HELD, 1),
        (AgentState.LIVE, {"block_time": False}, {}, Standing.OFF, 1),
        (AgentState.LIVE, {}, {"minimum_minutes": 90}, Standing.TOO_SHORT, 0),
    ],
)
def test_how_an_occurrence_stands(
    state: AgentState, rules: dict[str, object], blocks: dict[str, object], standing: Standing, left: int
) -> None:
    of = view(events=[MEETING], agent=agent(state=state))
    (occurrence,) = explained(MEETING, context(blocks=blocks, **rules), of).occurrences
    assert (occurrence.standing, len(occurrence.left)) == (standing, left)


def test_what_is_written_is_told_with_its_absence() -> None:
    pool = block(31, "3 09:00", "3 10:00", "meeting")
    (occurrence,) = explained(MEETING, of=view(events=[MEETING], blocks=[pool], absences=[held(pool)])).occurrences
    assert (occurrence.standing, occurrence.absences) == (Standing.COVERED, (31,))


def test_another_event_s_absence_and_hold_are_not_told() -> None:
    """Nor what is over."""
    pool = block(31, "4 09:00", "4 10:00", "other")
    other = event("other", "4 14:00", "4 15:00")  # it moved: an update, which is held for what it frees
    early = event("meeting", "1 06:00", "1 06:30", rule="FREQ=WEEKLY;COUNT=2")
    of = view(events=[early, other], blocks=[pool], absences=[held(pool)])
    (occurrence,) = explained(early, context(many_count=0, many_share=0.0), of).occurrences
    assert (occurrence.start, occurrence.standing, occurrence.absences) == (wall("8 06:00"), Standing.PLANNED, ())
    (moved,) = explained(other, context(many_count=0, many_share=0.0), of).occurrences
    assert (moved.standing, moved.absences) == (Standing.HELD, (31,))


def test_what_a_person_freed_is_told() -> None:
    span = wall("3 09:00"), wall("3 10:00")
    freed = Suppression(AGENT, provenance("meeting"), *span, *span)
    (occurrence,) = explained(MEETING, of=view(events=[MEETING], suppressions=(freed,))).occurrences
    assert (occurrence.standing, occurrence.left) == (Standing.FREED, ())


def test_beyond_the_horizon_there_is_no_occurrence() -> None:
    found = explained(event("late", "20 09:00", "20 10:00"), context(horizon_days=7))
    assert found.components[0].busy
    assert (found.occurrences, found.horizon_end) == ((), wall("9 00:00"))


def test_only_the_event_that_is_asked_about_is_expanded() -> None:
    other = event("other", "4 09:00", "4 10:00")
    (occurrence,) = explained(MEETING, of=view(events=[MEETING, other])).occurrences
    assert occurrence.start == wall("3 09:00")


class TestNever:
    """Events that no rule is asked about."""

    def test_a_copy_of_ours(self) -> None:
        agreed, seen = copy_of(rdv(12))
        found = explained(seen, of=view(events=[seen], rdvs=[SeenRdv(rdv(12), Presence.PRESENT)], copies=[agreed]))
        assert "own copy of RDV 12" in found.never_because
        assert found.occurrences == ()

    def test_an_event_of_an_absence(self) -> None:
        typed = absence(5, "3 14:00", "3 15:00")
        agreed, seen = mirror_of(typed)
        found = explained(seen, of=view(events=[seen], absences=[typed], mirrors=[agreed]))
        assert "absence 5" in found.never_because

    def test_what_another_synchroniser_put_there(self) -> None:
        assert "RDV-Solidarités itself" in explained(replace(MEETING, native=NativeSource.RDV_UID)).never_because

    def test_an_orphan(self) -> None:
        assert "namespace" in explained(replace(MEETING, uid="rdvgw-unknown")).never_because

    def test_a_calendar_that_only_receives(self) -> None:
        seen = replace(MEETING, ref=CalendarRef("account", "/private/"))
        assert "not one of those that block" in explained(seen).never_because


def test_what_cannot_be_read_is_told_with_its_reason() -> None:
    assert explained(replace(MEETING, times=None, set_aside="no zone")).set_aside == "no zone"
    endless = event("endless", "3 09:00", "3 10:00", rule="FREQ=SECONDLY")
    assert explained(endless).set_aside


class TestWhich:
    """Which event is meant."""

    def test_by_time_free_ones_too(self) -> None:
        free = event("free", "3 09:30", "3 11:00", free=True)
        series = event("series", "1 09:00", "1 09:45", rule="FREQ=DAILY")
        of = view(events=[MEETING, free, series, event("other", "4 09:00", "4 10:00")])
        span = time_typed("2026-06-03T09:40")
        assert span is not None
        assert {each.uid for each in events_at(of, *span)} == {"meeting", "free", "series"}
        assert [each.uid for each in events_at(of, wall("3 10:30"), wall("3 10:31"))] == ["free"]

    def test_by_href_and_by_uid(self) -> None:
        of = view(events=[MEETING, event("other", "4 09:00", "4 10:00")])
        assert events_named(of, "meeting") == events_named(of, MEETING.href) == (MEETING,)

    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("2026-06-03", (datetime(2026, 6, 3), datetime(2026, 6, 4))),
            ("2026-06-03T09:00", (datetime(2026, 6, 3, 9), datetime(2026, 6, 3, 9, 1))),
            ("2026-06-03T09:00:30", (datetime(2026, 6, 3, 9), datetime(2026, 6, 3, 9, 1))),
            ("2026-06-03T09:00Z", None),
            ("/agenda/meeting.ics", None),
            ("2026-02-30", None),
        ],
    )
    def test_a_time_as_typed(self, text: str, span: object) -> None:
        assert time_typed(text) == span


def test_rdvs_that_are_shown_alike_are_told_together() -> None:
    """By organisation, service and motif, with how many were seen; those that are gone are not told."""
    kinds = [(1, 5), (2, 5), (3, 6), (4, 6), (5, 7)]
    rdvs = [SeenRdv(replace(rdv(number), motif_id=motif), Presence.PRESENT) for number, motif in kinds]
    gone = SeenRdv(replace(rdv(9), motif_id=8), Presence.GONE)
    book = RuleBook((RuleSection(Scope.MOTIF, 6, "for motif 6", copies={"neutral_title": "Six"}),))
    found = explain(view(rdvs=[*rdvs, gone]), book)
    told = [
        ([(kind.motif_id, kind.rdvs) for kind in kinds], {c.place for c in choices}) for kinds, choices in found.copies
    ]
    assert told == [([(5, 2), (7, 1)], {""}), ([(6, 2)], {"", "for motif 6"})]
    assert [ref for ref, _ in found.calendars] == [SOURCE]
