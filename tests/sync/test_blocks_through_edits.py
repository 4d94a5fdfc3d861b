"""Through any sequence of edits and changes of rules: the pool is exactly what the events ask for, and each block names
exactly the occurrences inside it. Expected by code of this file, which shares nothing with the plan's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.records import Absence, Recurrence
from gateway.rules.book import RuleBook
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.values import (
    Action,
    AgentView,
    BlockOrigin,
    CalendarRef,
    ChangeKind,
    Plan,
    PoolBlock,
    Presence,
    SeenAbsence,
    SeenEvent,
)
from mappings.blocks import Provenance
from mappings.busy_rules import category_id
from mappings.identity import absence_title
from mappings.times import ComponentTimes, EventTimes
from tests.simulation.intervals import Interval, union
from tests.simulation.rules import PERSONAL, TRAINING, OfficeRules
from tests.sync.builders import AGENT, PARIS, SOURCE, agent, context, view

OTHER = CalendarRef("account", "/autre/")
OFFICE = 1
MONDAY = datetime(2026, 6, 8)
WEEK = timedelta(weeks=1)
Expected = dict[Interval, tuple[str, frozenset[Provenance]]]


@dataclass(frozen=True)
class Made:
    """A person's event: `times` weekly occurrences from `start` on, wall-clock in Paris; `moved`: which, by what."""

    uid: str
    ref: CalendarRef
    start: datetime
    length: timedelta
    times: int = 1
    category: str = ""
    moved: tuple[tuple[int, timedelta], ...] = ()

    def seen(self) -> SeenEvent:
        """As it is read and kept."""
        matches = frozenset({category_id(self.category)} if self.category else ())
        rules = (f"FREQ=WEEKLY;COUNT={self.times}",) if self.times > 1 else ()
        master = ComponentTimes(
            _zoned(self.start), _zoned(self.start + self.length), Recurrence(rules=rules), matches=matches
        )
        overrides = [
            ComponentTimes(
                _zoned(self._original(number) + shift),
                _zoned(self._original(number) + shift + self.length),
                recurrence_id=_zoned(self._original(number)),
                matches=matches,
            )
            for number, shift in self.moved
            if number < self.times > 1
        ]
        return SeenEvent(self.ref, self.href, "v", "raw", uid=self.uid, times=EventTimes((master, *overrides)))

    @property
    def href(self) -> str:
        return f"{self.ref.calendar}{self.uid}.ics"

    def occurrences(self) -> Iterable[tuple[Interval, Provenance]]:
        """When it takes place, and how that occurrence is named."""
        shifts = dict(self.moved) if self.times > 1 else {}
        for number in range(self.times):
            original = self._original(number)
            start = original + shifts.get(number, timedelta())
            name = f"{original - timedelta(hours=2):%Y%m%dT%H%M%SZ}" if self.times > 1 else ""
            yield (start, start + self.length), Provenance(str(self.ref), self.href, self.uid, name)

    def _original(self, number: int) -> datetime:
        return self.start + number * WEEK


def _zoned(wall: datetime) -> datetime:
    return wall.replace(tzinfo=PARIS)


@dataclass
class Side:
    """The pool of one agent and the absences that it stands for, written as a plan says."""

    blocks: dict[int, PoolBlock] = field(default_factory=dict)
    absences: dict[int, Absence] = field(default_factory=dict)
    writes: int = 0

    def view(self, events: Iterable[Made]) -> AgentView:
        return view(
            agent=agent(sources=(SOURCE, OTHER), organisation_id=OFFICE),
            events=[each.seen() for each in events],
            absences=[SeenAbsence(each, Presence.PRESENT) for each in self.absences.values()],
            blocks=self.blocks.values(),
        )

    def does(self, plan: Plan) -> None:
        """Nobody has a hand in it: all that changes by itself is where a block comes from."""
        for change in plan.changes:
            assert change.kind is ChangeKind.PROVENANCE_MOVED
            assert change.block is not None
            self.blocks[change.block.absence_id] = change.block
        for operation in plan.operations:
            self.writes += 1
            number = operation.absence_id or 1000 + self.writes
            if operation.action is Action.DELETE:
                del self.blocks[number], self.absences[number]
                continue
            assert operation.interval is not None
            span = operation.interval.start, operation.interval.end
            self.absences[number] = Absence(number, AGENT, absence_title(operation.label), *span)
            self.blocks[number] = PoolBlock(
                number, AGENT, *span, operation.provenance, BlockOrigin.CREATED, label=operation.label
            )


def under(office: OfficeRules) -> PlanContext:
    return replace(context(), rulebook=RuleBook((office.section(OFFICE),)))


def expected(events: Iterable[Made], office: OfficeRules) -> Expected:
    """What the pool has to hold: by interval, the label and the occurrences inside."""
    units: list[tuple[Interval, str, Provenance]] = []
    for event in events:
        if office.skips_personal and event.category == PERSONAL:
            continue
        if event.length < timedelta(minutes=office.minimum):
            continue
        label = TRAINING if office.labelled and event.category == TRAINING else ""
        for interval, name in event.occurrences():
            units += [(part, label, name) for part in union(office.cut([interval]))]
    found: Expected = {}
    for label in ("", TRAINING):
        own = [(part, name) for part, of, name in units if of == label]
        whole = union(part for part, _ in own) if office.merged else [part for part, _ in own]
        for start, end in whole:
            inside = frozenset(
                name
                for part, name in own
                if (start <= part[0] and part[1] <= end if office.merged else part == (start, end))
            )
            known = found.get((start, end), ("", frozenset()))
            found[start, end] = (label or known[0], inside | known[1])
    return found


def held(side: Side) -> Expected:
    found = {(each.start, each.end): (each.label, each.provenance) for each in side.blocks.values()}
    assert len(found) == len(side.blocks), "two blocks of one interval"
    return found


# --- what may be drawn ---------------------------------------------------------------------------------------

_hours = st.sampled_from([(), ((9, 12), (12, 17)), ((9, 12), (13, 24))])
offices = st.builds(
    OfficeRules,
    merged=st.booleans(),
    skips_personal=st.booleans(),
    labelled=st.booleans(),
    hours=_hours,
    minimum=st.sampled_from([0, 0, 30]),
)
_starts = st.builds(
    lambda day, quarter: MONDAY + timedelta(days=day, hours=8, minutes=15 * quarter),
    st.integers(0, 8),
    st.integers(0, 20),
)
made = st.builds(
    Made,
    st.sampled_from("abcdef"),
    st.sampled_from([SOURCE, OTHER]),
    _starts,
    st.sampled_from([15, 30, 60, 90, 240, 360, 1500]).map(lambda minutes: timedelta(minutes=minutes)),
    st.sampled_from([1, 1, 3]),
    st.sampled_from(["", "", TRAINING, PERSONAL]),
)
_shifts = st.sampled_from([-1440, -60, -15, 15, 60, 1440]).map(lambda minutes: timedelta(minutes=minutes))
_kinds = st.sampled_from(["make", "make", "shift", "split", "except", "double", "carry", "delete", "retag", "rules"])
steps = st.lists(st.tuples(_kinds, made, _shifts, st.integers(0, 5), offices), min_size=1, max_size=8)


def edited(events: dict[tuple[CalendarRef, str], Made], kind: str, new: Made, shift: timedelta, which: int) -> None:
    """One thing that somebody does."""
    if kind == "make" or not events:
        events[new.ref, new.uid] = new
        return
    place = sorted(events)[which % len(events)]
    old = events[place]
    there = OTHER if old.ref == SOURCE else SOURCE
    if kind == "shift":
        events[place] = replace(old, start=old.start + shift)
    elif kind == "split" and old.times > 1:
        events[place] = replace(old, times=1 + which % (old.times - 1), moved=())
        rest = replace(old, uid=f"{old.uid}-rest", start=old.start + events[place].times * WEEK, moved=())
        rest = replace(rest, start=rest.start + shift, times=old.times - events[place].times)
        events[rest.ref, rest.uid] = rest
    elif kind == "except":
        events[place] = replace(old, moved=((which % 3, shift),))
    elif kind == "double":
        events[there, old.uid] = replace(old, ref=there)
    elif kind == "carry":
        del events[place]
        events[there, old.uid] = replace(old, ref=there)
    elif kind == "delete":
        del events[place]
    elif kind == "retag":
        events[place] = replace(old, category=new.category)


@settings(deadline=None, max_examples=300)
@given(offices, steps)
def test_the_pool_is_what_the_events_ask_for_and_names_their_occurrences(
    office: OfficeRules, script: list[tuple[str, Made, timedelta, int, OfficeRules]]
) -> None:
    events: dict[tuple[CalendarRef, str], Made] = {}
    side = Side()
    for kind, new, shift, which, other in script:
        edited(events, kind, new, shift, which)
        office = other if kind == "rules" else office
        side.does(make_plan(side.view(events.values()), under(office)))
        again = make_plan(side.view(events.values()), under(office))
        assert (again.operations, again.changes, again.conflicts, again.set_aside) == ((), (), (), ())
        assert held(side) == expected(events.values(), office)
        titles = {(each.start, each.end): each.title for each in side.absences.values()}
        assert titles == {span: absence_title(label) for span, (label, _) in held(side).items()}


@settings(deadline=None)
@given(st.lists(made, max_size=8, unique_by=lambda each: (each.ref, each.uid)), offices)
def test_merged_blocks_cover_exactly_the_instants_of_one_block_per_event(
    events: list[Made], office: OfficeRules
) -> None:
    covered = []
    for merged in (True, False):
        side = Side()
        side.does(make_plan(side.view(events), under(replace(office, merged=merged))))
        covered.append(union(held(side)))
    assert covered[0] == covered[1]


def test_the_drawn_rules_and_events_do_something() -> None:
    """The properties above would hold for nothing at all too."""
    event = Made("a", SOURCE, MONDAY + timedelta(hours=9), timedelta(hours=1), times=3, category=TRAINING)
    side = Side()
    side.does(make_plan(side.view([event]), under(OfficeRules(labelled=True))))
    assert [label for label, _ in held(side).values()] == [TRAINING] * 3
    (first,) = min(held(side).items())[1][1]
    assert first == Provenance(str(SOURCE), "/agenda/a.ics", "a", "20260608T070000Z")
    assert datetime(2026, 6, 8, 7, tzinfo=UTC).astimezone(PARIS).hour == 9
