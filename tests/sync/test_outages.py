"""Outages that somebody declared: who waits, and how they come back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.sync.outages import Outage, declared, ended, resting
from gateway.sync.values import CalendarRef, LinkedAgent
from tests.sync.builders import agent

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


def of(system: str, *, until: datetime | None = None, since: datetime = NOW - 4 * HOUR) -> Outage:
    return Outage(system, since, until, "adele")


def on(account: str, number: int = 1) -> LinkedAgent:
    ref = CalendarRef(account, "/agenda/")
    return replace(agent(), agent_id=number, sources=(ref,), target=ref)


def host(account: str) -> str:
    return "zimbra.example:443" if account.startswith("zimbra") else "sogo.example:443"


PEOPLE = (on("zimbra/a@d.example", 1), on("zimbra/b@d.example", 2), on("sogo", 3))


@pytest.mark.parametrize(
    ("outage", "waiting"),
    [
        (of("rdv_solidarites"), {1, 2, 3}),
        (of("zimbra"), {1, 2}),
        (of("zimbra/a@d.example"), {1}),
        (of("sogo.example:443"), {3}),
        (of("other"), set()),
        (of("zimbra", until=NOW + HOUR), {1, 2}),
        (of("zimbra", until=NOW), set()),
        (of("zimbra", since=NOW + HOUR), set()),
    ],
)
def test_only_agents_who_depend_on_it_wait_and_only_meanwhile(outage: Outage, waiting: set[int]) -> None:
    assert resting(PEOPLE, [outage], NOW, host=host) == waiting


def test_many_agents_come_back_one_after_the_other_within_half_an_hour() -> None:
    many = tuple(on("zimbra", number) for number in range(1, 201))
    outage = of("zimbra", until=NOW)
    left = [resting(many, [outage], NOW + timedelta(minutes=minute), host=host) for minute in (0, 10, 20, 29, 30)]
    counts = [len(each) for each in left]
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (200, 0)
    assert 100 < counts[1] < 170
    assert left[1] > left[2]


def test_a_short_outage_is_caught_up_quickly() -> None:
    many = tuple(on("zimbra", number) for number in range(1, 201))
    outage = of("zimbra", since=NOW - timedelta(minutes=20), until=NOW)
    assert resting(many, [outage], NOW + timedelta(minutes=5), host=host) == frozenset()


def test_a_new_declaration_replaces_the_one_before() -> None:
    first, other = of("zimbra"), of("sogo")
    later = of("zimbra", until=NOW + HOUR, since=NOW)
    assert declared([first, other], later, NOW) == (other, later)


def test_an_end_is_for_one_system_and_what_is_long_over_is_forgotten() -> None:
    running, other, old = of("zimbra"), of("sogo"), of("old", until=NOW - HOUR)
    assert ended([running, other, old], "zimbra", NOW) == (replace(running, until=NOW), other)
