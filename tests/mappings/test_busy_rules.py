"""Which events block: each rule alone, their order, and what is kept of titles and categories."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import BusyStatus, CalendarEvent, EventComponent, EventStatus, Transparency
from mappings.busy_rules import AllDay, BusyRules, Hours, Patterns, Reason, decide, matters, verdict
from mappings.times import Availability, ComponentTimes, EventTimes, dump_times, times_of

START = datetime(2026, 3, 2, 9)
TIMED = EventComponent(START, START + timedelta(hours=1), summary="Réunion d'équipe")
DAY = EventComponent(date(2026, 3, 2), date(2026, 3, 3), summary="Télétravail")
FREE = {"transparency": Transparency.TRANSPARENT}
OUT = {"busy_status": BusyStatus.OUT_OF_OFFICE}
ELSEWHERE = {"busy_status": BusyStatus.ELSEWHERE}
LEAVE = {"categories": ("Congés",)}
OFFICE = BusyRules(all_day=AllDay.OUT_OF_OFFICE, all_day_categories=("congés",))


def single(component: EventComponent) -> CalendarEvent:
    return CalendarEvent("uid", (component,))


ROWS = [
    ("busy", TIMED, {}, BusyRules(), True, Reason.BUSY),
    ("calendar off", TIMED, {}, BusyRules(blocks=False, always_titles=("*",)), False, Reason.CALENDAR),
    ("free", TIMED, FREE, BusyRules(), False, Reason.FREE),
    ("tentative", TIMED, {"status": EventStatus.TENTATIVE}, BusyRules(), True, Reason.BUSY),
    ("tentative off", TIMED, {"status": EventStatus.TENTATIVE}, BusyRules(tentative=False), False, Reason.TENTATIVE),
    ("elsewhere", TIMED, ELSEWHERE, BusyRules(), False, Reason.ELSEWHERE),
    ("elsewhere on", TIMED, ELSEWHERE, BusyRules(elsewhere=True), True, Reason.BUSY),
    ("out of office", TIMED, OUT, BusyRules(), True, Reason.BUSY),
    ("all-day", DAY, {}, BusyRules(), True, Reason.BUSY),
    ("all-day never", DAY, {}, BusyRules(all_day=AllDay.NEVER), False, Reason.ALL_DAY),
    ("all-day out", DAY, OUT, OFFICE, True, Reason.BUSY),
    ("all-day of a category", DAY, LEAVE, OFFICE, True, Reason.BUSY),
    ("all-day, in the office", DAY, {}, OFFICE, False, Reason.ALL_DAY),
    ("timed, in the office", TIMED, {}, OFFICE, True, Reason.BUSY),
    ("all-day, free, of a category", DAY, FREE | LEAVE, OFFICE, False, Reason.FREE),
    ("always by category", DAY, FREE | LEAVE, BusyRules(always_categories=("Congés",)), True, Reason.ALWAYS_CATEGORY),
    ("always by title", DAY, FREE, BusyRules(always_titles=("TELE*",)), True, Reason.ALWAYS_TITLE),
    ("never by title", DAY, {}, BusyRules(never_titles=("*travail",)), False, Reason.NEVER_TITLE),
    ("never by category", TIMED, LEAVE, BusyRules(never_categories=("CONGES",)), False, Reason.NEVER_CATEGORY),
    (
        "always before never",
        TIMED,
        LEAVE,
        BusyRules(always_titles=("réunion*",), never_categories=("Congés",)),
        True,
        Reason.ALWAYS_TITLE,
    ),
    ("cancelled", TIMED, {"status": EventStatus.CANCELLED}, BusyRules(always_titles=("R*",)), False, Reason.CANCELLED),
    ("declined", TIMED, {"declined": True}, BusyRules(always_titles=("R*",)), False, Reason.CANCELLED),
]


@pytest.mark.parametrize(
    ("component", "changes", "rules", "busy", "reason"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS]
)
def test_verdict(
    component: EventComponent, changes: dict[str, object], rules: BusyRules, busy: bool, reason: Reason
) -> None:
    event = single(replace(component, **changes))  # type: ignore[arg-type]
    times = times_of(event, Patterns.of([rules]).matches_of)
    found = verdict(times.components[0], rules)
    assert (found.busy, found.reason) == (busy, reason)
    assert decide(times, rules).components[0].busy is busy


@pytest.mark.parametrize(
    ("pattern", "title", "fits"),
    [
        ("Congés", "congés", True),
        ("Congés", "Congés d'été", False),
        ("Congés*", "CONGES D'ÉTÉ", True),
        ("*congés", "Mes  congés", True),
        ("*a*a*", "a", False),
        ("a*a", "a", False),
        ("a*a", "aa", True),
        ("*point*équipe*", "Le point hebdomadaire de l'équipe A", True),
        ("*équipe*point*", "Le point hebdomadaire de l'équipe A", False),
        ("ab*bc", "abc", False),
    ],
)
def test_title_patterns(pattern: str, title: str, fits: bool) -> None:
    patterns = Patterns(titles=frozenset({pattern}))
    assert bool(patterns.matches_of(replace(TIMED, summary=title))) is fits


@given(st.text(min_size=4), st.text(min_size=4))
def test_nothing_of_a_title_or_category_is_kept(title: str, category: str) -> None:
    """Only which patterns fitted, under names made of the patterns."""
    canary = "Zq7" + title
    component = replace(TIMED, summary=canary, categories=("Zq7" + category,))
    patterns = Patterns(frozenset({"Zq7" + category}), frozenset({"zq7*"}))
    text = dump_times(times_of(single(component), patterns.matches_of))
    assert len(patterns.matches_of(component)) == 2
    assert "zq7" not in text.casefold()


def test_labels_by_category() -> None:
    """The first that fits, in the order of the rules; masked for all others, and for what is free."""
    rules = BusyRules(labels={"Formation": "En formation", "Congés": "Congés"})
    event = single(replace(TIMED, categories=("congés", "formation")))
    times = times_of(event, Patterns.of([rules]).matches_of)
    assert decide(times, rules).components[0].label == "En formation"
    free = EventTimes((replace(times.components[0], availability=Availability.FREE),))
    assert decide(free, rules).components[0].label == ""


def wall(text: str) -> datetime:
    day, clock = text.split()
    return datetime(2026, 3, int(day), *map(int, clock.split(":")))


MONDAY = (Hours(0, time(8), time(12)), Hours(0, time(14), time(0)))


@pytest.mark.parametrize(
    ("start", "end", "parts"),
    [
        ("2 9:00", "2 10:00", ["2 9:00-2 10:00"]),
        ("2 7:00", "2 15:00", ["2 8:00-2 12:00", "2 14:00-2 15:00"]),
        ("2 12:00", "2 14:00", []),
        ("2 23:00", "3 9:00", ["2 23:00-3 0:00"]),
        ("3 9:00", "4 9:00", []),
        ("1 9:00", "10 9:00", ["2 8:00-2 12:00", "2 14:00-3 0:00", "9 8:00-9 12:00", "9 14:00-10 0:00"]),
    ],
)
def test_hours_that_matter(start: str, end: str, parts: list[str]) -> None:
    expected = tuple((wall(a), wall(b)) for a, b in (part.split("-") for part in parts))
    assert matters(wall(start), wall(end), BusyRules(hours=MONDAY)) == expected


@pytest.mark.parametrize(
    "hours",
    [
        (Hours(0, time(8), time(12)), Hours(0, time(12), time(18))),
        (Hours(0, time(10), time(18)), Hours(0, time(8), time(13))),
    ],
)
def test_hours_that_touch_or_overlap_cut_nothing(hours: tuple[Hours, ...]) -> None:
    assert matters(wall("2 9:00"), wall("2 17:00"), BusyRules(hours=hours)) == ((wall("2 9:00"), wall("2 17:00")),)


def test_a_whole_day_is_cut_to_its_hours_and_a_late_end_keeps_its_last_minute_free() -> None:
    rules = BusyRules(hours=MONDAY)
    expected = ((wall("2 8:00"), wall("2 12:00")), (wall("2 14:00"), wall("2 23:59")))
    assert matters(wall("2 0:00"), wall("2 23:59"), rules, length=timedelta(days=1)) == expected


def test_length_is_that_of_the_event_and_not_of_the_clock() -> None:
    """A whole day lasts 24 hours though it is written to 23:59; ten minutes within a repeated hour are ten minutes."""
    whole_day = BusyRules(minimum_minutes=24 * 60)
    assert matters(wall("2 0:00"), wall("2 23:59"), whole_day, length=timedelta(days=1)) != ()
    half_an_hour = BusyRules(minimum_minutes=30)
    assert matters(wall("2 2:00"), wall("2 3:00"), half_an_hour, length=timedelta(minutes=10)) == ()


def test_short_events_do_not_block() -> None:
    rules = BusyRules(minimum_minutes=30)
    assert matters(wall("2 9:00"), wall("2 9:29"), rules) == ()
    assert matters(wall("2 9:00"), wall("2 9:30"), rules) == ((wall("2 9:00"), wall("2 9:30")),)


def test_patterns_have_one_digest() -> None:
    """Order, case and accents do not count; an additional pattern does."""
    one = Patterns(frozenset({"Congés", "Formation"}))
    assert one.digest == Patterns(frozenset({"formation", "CONGES"})).digest != Patterns(frozenset({"Congés"})).digest
    assert Patterns().digest == ""


def test_a_decision_leaves_times_as_they_are() -> None:
    times = EventTimes((ComponentTimes(START, START + timedelta(hours=1), availability=Availability.TENTATIVE),))
    decided = decide(times, BusyRules(tentative=False)).components[0]
    assert (decided.start, decided.end, decided.busy) == (START, START + timedelta(hours=1), False)
