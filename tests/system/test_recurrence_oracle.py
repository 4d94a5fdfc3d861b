"""Expansion agrees with ical.js, which shares no code with it: other parser, other recurrence, other time zones."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import HealthCheck, Phase, assume, event, given, settings
from hypothesis import strategies as st

from connectors.icalendar_text import parse_event
from mappings.recurrence import occurrences
from mappings.rules import parse_rule, starts
from mappings.times import times_of
from tests.system.recurrence_cases import Kind, Oracle, Told, file_of, kinds, rules, walls

pytestmark = pytest.mark.system

USUAL = 2000
EXAMPLES = int(os.environ.get("ORACLE_EXAMPLES", str(USUAL)))
"""With another number they are other ones at every run."""
FIRST, LAST = date(2023, 1, 1), date(2026, 11, 30)

LENGTHS = {
    "day": {"P1D": timedelta(days=1), "P3D": timedelta(days=3)},
    "time": {
        "PT15M": timedelta(minutes=15),
        "PT1H": timedelta(hours=1),
        "P1D": timedelta(days=1),
        "P2DT3H": timedelta(days=2, hours=3),
    },
}

Found = set[tuple[int, int]]


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    with Oracle() as oracle:
        yield oracle


def ours(text: str, kind: Kind, start: datetime, end: datetime) -> Found:
    event = parse_event(text.encode(), system="oracle")
    assert event is not None
    found = occurrences(times_of(event), start, end, kind.zone)
    return {(int(each.start.timestamp()), int(each.end.timestamp())) for each in found}


def theirs(told: Iterable[Told], kind: Kind, start: datetime, end: datetime) -> Found:
    """What the oracle said, its times in the hours of a change of clocks read as the RFC has it."""
    found: Found = set()
    for each in told:
        begin, finish = _instant(each.start, each.start_instant, kind), _instant(each.end, each.end_instant, kind)
        if finish <= begin:  # within the hour that is skipped: both ends were read, the length is left
            finish = begin + int((_wall(each.end) - _wall(each.start)).total_seconds())
        if begin < end.timestamp() and finish > start.timestamp():
            found.add((begin, finish))
    return found


def _wall(text: str) -> datetime:
    return datetime.fromisoformat(text.removesuffix("Z"))


def _instant(text: str, said: int, kind: Kind) -> int:
    """RFC 5545 section 3.3.5: a time that occurs twice is the first one, one that never occurs has the offset before
    the gap. ical.js takes the second one, and the offset after the gap."""
    first, second = (_wall(text).replace(tzinfo=kind.zone, fold=fold) for fold in (0, 1))
    return said if first.utcoffset() == second.utcoffset() else int(first.timestamp())


@st.composite
def series(draw: st.DrawFn, kind: Kind) -> tuple[list[str], list[datetime]]:
    """A master that begins with a date of its own rule, as RFC 5545 section 3.8.5.3 wants it; its first dates."""
    around = draw(walls(kind, FIRST, LAST))
    text = draw(rules(kind))
    rule = parse_rule(text)
    if kind.is_day:
        rule = replace(rule, by_hour=(), by_minute=())
    dates = list(starts(rule, around, None, (around, around + timedelta(days=1500))))[:300]
    assume(dates)
    match draw(st.sampled_from(["for ever", "COUNT", "UNTIL"])):
        case "COUNT":
            count = draw(st.integers(1, 200))
            text, dates = f"{text};COUNT={count}", dates[:count]
        case "UNTIL":
            until = dates[0] + timedelta(days=draw(st.integers(0, 900)))
            assume(kind.until(until).startswith(str(until.year)))
            text, dates = f"{text};UNTIL={kind.until(until)}", [each for each in dates if each <= until]
    length = draw(st.sampled_from(sorted(LENGTHS["day" if kind.is_day else "time"])))
    if not kind.is_day:
        # Every occurrence lasts as long on the clock as the first one, which over a change of clocks is another length.
        first, last = dates[0], dates[0] + LENGTHS["time"][length]
        assume(
            len({each.replace(tzinfo=kind.zone, fold=fold).utcoffset() for each in (first, last) for fold in (0, 1)})
            == 1
        )
    return [kind.line("DTSTART", dates[0]), f"DURATION:{length}", f"RRULE:{text}"], dates


@st.composite
def exceptions(draw: st.DrawFn, kind: Kind, dates: list[datetime]) -> tuple[list[str], list[list[str]]]:
    """Lines for a master, and overrides, of which the last may be for this and future ones."""
    chosen = draw(st.lists(st.sampled_from(dates), max_size=6, unique=True))
    excluded, changed = chosen[::2], chosen[1::2]
    later = dates[0].date() + timedelta(days=1)
    added = draw(st.lists(walls(kind, later, later + timedelta(days=700)), max_size=2, unique=True))
    lines = [kind.line("EXDATE", *excluded)] if excluded else []
    added = [each for each in added if each not in excluded]  # EXDATE takes it away; ical.js, one of the two only
    lines += [kind.line("RDATE", *added)] if added else []
    overrides = []
    for each in changed:
        moved = each + timedelta(days=draw(st.integers(-9, 9)), hours=0 if kind.is_day else draw(st.integers(-5, 5)))
        future = ";RANGE=THISANDFUTURE" if each is changed[-1] and draw(st.booleans()) else ""
        length = "P2D" if kind.is_day else draw(st.sampled_from(["PT30M", "PT3H"]))
        start = [kind.line("DTSTART", moved), f"DURATION:{length}"]
        overrides.append([kind.line("RECURRENCE-ID", each, more=future), *start])
    return lines, overrides


@settings(
    max_examples=EXAMPLES,
    derandomize=EXAMPLES == USUAL,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(data=st.data())
def test_random_series_with_exceptions(oracle: Oracle, data: st.DataObject) -> None:
    kind = data.draw(kinds)
    master, dates = data.draw(series(kind))
    more, overrides = data.draw(exceptions(kind, dates))
    seen = data.draw(st.sampled_from(dates)) - timedelta(days=data.draw(st.integers(-20, 60)))
    start = datetime.combine(seen, time.min, UTC)
    end = start + timedelta(days=data.draw(st.integers(1, 300)))
    text = file_of([*master, *more], *overrides)
    told = oracle.ask(text, start, end)
    if isinstance(told, str):
        event(told)
        assume(False)
    else:
        assert ours(text, kind, start, end) == theirs(told, kind, start, end), text
