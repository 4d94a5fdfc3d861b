"""Agents of six zones side by side, through the changes of clocks of Paris and of Saint-Pierre-et-Miquelon: every wall
clock is right on both sides, whether RDV-Solidarités says its times the old way or the new."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from connectors.ports import Clock
from tests.scenarios.clock import ScenarioClock
from tests.scenarios.conftest import New
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours
from tests.scenarios.small_departement import ACCOUNT_ID, NORD, PMI, SAINT_DENIS

_HALF = timedelta(minutes=30)


@dataclass(frozen=True)
class Season:
    """Some days around the changes of clocks, and each zone's offset from UTC in hours on them, written by hand."""

    name: str
    first: datetime  # the present, at the beginning
    days: tuple[date, ...]
    offsets: dict[str, tuple[int, ...]]

    def instant(self, zone: str, day: int, wall: datetime) -> datetime:
        return (wall - timedelta(hours=self.offsets[zone][day])).replace(tzinfo=UTC)


_NEVER_CHANGE = {"Indian/Reunion": 4, "Indian/Mayotte": 3, "America/Martinique": -4, "America/Cayenne": -3}


def _season(name: str, first: datetime, days: tuple[date, ...], **changing: tuple[int, ...]) -> Season:
    fixed = {zone: (offset,) * len(days) for zone, offset in _NEVER_CHANGE.items()}
    named = {"Europe/Paris": changing["paris"], "America/Miquelon": changing["miquelon"]}
    return Season(name, first, days, named | fixed)


SPRING = _season(
    "spring",
    datetime(2026, 3, 2, 8, tzinfo=UTC),
    (date(2026, 3, 6), date(2026, 3, 8), date(2026, 3, 20), date(2026, 3, 29), date(2026, 3, 31)),
    paris=(1, 1, 1, 2, 2),
    miquelon=(-3, -2, -2, -2, -2),  # from 8 March on
)
AUTUMN = _season(
    "autumn",
    datetime(2026, 10, 19, 7, tzinfo=UTC),
    (date(2026, 10, 22), date(2026, 10, 25), date(2026, 10, 28), date(2026, 11, 1), date(2026, 11, 3)),
    paris=(2, 1, 1, 1, 1),  # from 25 October on
    miquelon=(-2, -2, -2, -3, -3),
)


class Overseas:
    """A département with an organisation and an agent in each zone."""

    def __init__(self, departement: Departement, season: Season, mode: str) -> None:
        self.departement = departement
        self.season = season
        organisations = {"Europe/Paris": NORD, "Indian/Reunion": SAINT_DENIS}
        for zone in season.offsets:
            if zone not in organisations:
                organisations[zone] = self._organisation(zone)
            departement.state.directory.set_zone_mode(organisations[zone], mode)
        departement.organisation_zones = {number: zone for zone, number in organisations.items()}
        self.organisations = organisations
        self.agents = {
            zone: departement.agent(organisations=[organisation], zone=ZoneInfo(zone))
            for zone, organisation in organisations.items()
        }
        departement.goes_live()

    def _organisation(self, zone: str) -> int:
        """Numbered, with its lieu and motifs, as `small_departement.motif` counts."""
        directory = self.departement.state.directory
        number = directory.add_organisation(zone, directory.add_territory(zone, "97"), time_zone=zone)
        directory.set_role(ACCOUNT_ID, number, "admin")
        assert directory.add_lieu(f"MDS {zone}", number, "1 rue du Port") == number
        for name in ("Consultation", "Entretien", "Atelier"):
            directory.add_motif(name, number, PMI)
        return number

    def everywhere(self) -> list[tuple[str, Person, int, datetime]]:
        """Zone, its agent, and each day of the season: its number and its midnight on the agent's clock."""
        return [
            (zone, agent, number, datetime.combine(day, time.min))
            for zone, agent in self.agents.items()
            for number, day in enumerate(self.season.days)
        ]

    def instants(self, agent: Person) -> list[datetime]:
        """When the events that the gateway wrote begin."""
        return sorted(event["DTSTART"].dt.astimezone(UTC) for event in agent.ours().values())


class SeasonClock(ScenarioClock):
    """The scenarios' clock, from the beginning of a season on."""

    def __init__(self, season: Season) -> None:
        super().__init__()
        self.advance(seconds=(season.first - self.now()).total_seconds())


@pytest.fixture(params=[SPRING, AUTUMN], ids=lambda season: season.name)
def season(request: pytest.FixtureRequest) -> Season:
    found: Season = request.param
    return found


@pytest.fixture(params=["old", "new"])
def overseas(new_departement: New, season: Season, request: pytest.FixtureRequest) -> Overseas:
    clock: Clock = SeasonClock(season)
    return Overseas(new_departement(clock), season, request.param)


on_radicale = pytest.mark.parametrize("new_departement", ["radicale-sqlite"], indirect=True)


@on_radicale
def test_an_rdv_is_shown_at_its_hour_and_lies_at_its_instant(overseas: Overseas) -> None:
    for zone, agent, _, midnight in overseas.everywhere():
        overseas.departement.rdv(midnight.replace(hour=9), agent, organisation=overseas.organisations[zone])
    overseas.departement.settled()
    for zone, agent in overseas.agents.items():
        nines = [datetime.combine(day, time(9)) for day in overseas.season.days]
        assert agent.shown() == [Shown("RDV", nine, nine + _HALF) for nine in nines]
        assert overseas.instants(agent) == [overseas.season.instant(zone, *each) for each in enumerate(nines)]


@on_radicale
def test_an_event_occupies_its_hours_on_the_agents_clock(overseas: Overseas) -> None:
    """Once typed in the agent's zone, once as an instant: 23:00 UTC, which for some is another day."""
    expected: dict[str, list[tuple[datetime, datetime]]] = {zone: [] for zone in overseas.agents}
    for zone, agent, number, midnight in overseas.everywhere():
        agent.types_event("Équipe", *hours(midnight.replace(hour=11)))
        agent.files(_in_utc(f"utc-{zone}-{number}", midnight.replace(hour=23)))
        shown = midnight.replace(hour=23) + timedelta(hours=overseas.season.offsets[zone][number])
        expected[zone] += [hours(midnight.replace(hour=11)), (shown, shown + _HALF)]
    overseas.departement.settled()
    for zone, agent in overseas.agents.items():
        assert sorted(agent.blocks()) == sorted(expected[zone])


@on_radicale
def test_an_absence_and_its_event_are_at_the_same_hour_both_ways(overseas: Overseas) -> None:
    for _, agent, _, midnight in overseas.everywhere():
        overseas.departement.absence(agent, "Formation", *hours(midnight.replace(hour=14)))
    overseas.departement.settled()
    for zone, agent in overseas.agents.items():
        starts = [datetime.combine(day, time(14)) for day in overseas.season.days]
        assert agent.shown() == [Shown("Formation", *hours(start)) for start in starts]
        assert overseas.instants(agent) == [overseas.season.instant(zone, *each) for each in enumerate(starts)]
        for href, event in agent.ours().items():
            start = event["DTSTART"].dt.astimezone(agent.zone).replace(tzinfo=None)
            agent.moves(href, *hours(start + timedelta(hours=3), 2))
    overseas.departement.settled()
    for agent in overseas.agents.values():
        moved = [datetime.combine(day, time(17)) for day in overseas.season.days]
        assert sorted(agent.absences(), key=lambda each: each[1]) == [
            ("Formation", *hours(start, 2)) for start in moved
        ]


@on_radicale
def test_a_night_over_a_change_of_clocks_is_occupied_to_its_end(overseas: Overseas) -> None:
    """From 22:00 on the eve to 6:00: the night has seven, eight or nine hours, its ends are those of the clock."""
    nights = {}
    for zone, agent, number, midnight in overseas.everywhere():
        night = (midnight - timedelta(hours=2), midnight.replace(hour=6))
        agent.types_event("Astreinte", *night)
        nights[zone, number] = night
    overseas.departement.settled()
    for zone, agent in overseas.agents.items():
        assert sorted(agent.blocks()) == [nights[zone, number] for number in range(len(overseas.season.days))]


def _in_utc(uid: str, start: datetime) -> str:
    lines = (
        *("BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Agenda inventé//FR", "BEGIN:VEVENT", f"UID:{uid}"),
        *("DTSTAMP:20260105T080000Z", f"DTSTART:{start:%Y%m%dT%H%M%SZ}", f"DTEND:{start + _HALF:%Y%m%dT%H%M%SZ}"),
        *("SUMMARY:Visio", "END:VEVENT", "END:VCALENDAR", ""),
    )
    return "\r\n".join(lines)
