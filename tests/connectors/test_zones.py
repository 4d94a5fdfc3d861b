"""Which zone a TZID means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import pytest

from connectors.icalendar_text import parse_event
from connectors.vtimezones import VTIMEZONES
from connectors.zones import Definition, Observance, UnknownZone, zone_of

HOUR = timedelta(hours=1)


def central_europe(first_year: int = 1601, day: str = "-1SU", winter_hour: int = 3, more: str = "") -> Definition:
    rule = f"FREQ=YEARLY;BYDAY={day}{more};BYMONTH="
    return (
        Observance(datetime(first_year, 10, 28, winter_hour), 2 * HOUR, HOUR, (rule + "10",)),
        Observance(datetime(first_year, 3, 25, 2), HOUR, 2 * HOUR, (rule + "3",)),
    )


@pytest.mark.parametrize(
    ("tzid", "zone"),
    [
        ("Europe/Paris", ZoneInfo("Europe/Paris")),
        ('"Europe/Paris"', ZoneInfo("Europe/Paris")),
        ("europe/paris", ZoneInfo("Europe/Paris")),
        ("Romance Standard Time", ZoneInfo("Europe/Paris")),
        ("SA Eastern Standard Time", ZoneInfo("America/Cayenne")),
        ("(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", ZoneInfo("Europe/Paris")),
        ("(GMT+01:00) Bruxelles, Copenhague, Madrid, Paris", ZoneInfo("Europe/Paris")),
        ("(UTC-03:00) Cayenne, Fortaleza", ZoneInfo("America/Cayenne")),
        ("(UTC+00:00) Dublin, Edinburgh, Lisbon, London", ZoneInfo("Europe/Dublin")),
        ("/citadel.org/20210210_1/Europe/Paris", ZoneInfo("Europe/Paris")),
        ("/Europe/Paris", ZoneInfo("Europe/Paris")),
        ("/freeassociation.sourceforge.net/America/Argentina/Buenos_Aires", ZoneInfo("America/Argentina/Buenos_Aires")),
        ("tzone://Microsoft/Utc", UTC),
        ("UTC", UTC),
    ],
)
def test_a_name_that_is_known_somewhere(tzid: str, zone: tzinfo) -> None:
    assert zone_of(tzid, None, 2026) == zone


@pytest.mark.parametrize(
    "tzid",
    [
        "",
        "Zurich",
        "Customized Time Zone",
        "../../etc/passwd",
        "(UTC+01:00) Atlantis",
        "(UTC+05:00) Paris",  # the place does not have that offset
        "(UTC-05:00) Bogota, Lima, Quito, New York",  # places that tell different times
    ],
)
def test_what_nothing_explains_is_unknown_and_never_guessed(tzid: str) -> None:
    with pytest.raises(UnknownZone):
        zone_of(tzid, None, 2026)


@pytest.mark.parametrize(
    ("definition", "zone"),
    [
        (central_europe(), "Europe/Paris"),
        (central_europe(first_year=1996), "Europe/Paris"),
        # Lotus Notes: the right days, the wrong hour in autumn.
        (central_europe(first_year=1950, winter_hour=2, more=";BYMINUTE=0;BYHOUR=2"), "Europe/Paris"),
        ((Observance(datetime(1970, 1, 1), 4 * HOUR, 4 * HOUR),), "Indian/Reunion"),
        ((Observance(datetime(1970, 1, 1), -4 * HOUR, -4 * HOUR),), "America/Guadeloupe"),
        ((Observance(datetime(1970, 1, 1), 2 * HOUR, 2 * HOUR),), "Etc/GMT-2"),
        (
            (
                Observance(datetime(2007, 3, 11, 2), -3 * HOUR, -2 * HOUR, ("FREQ=YEARLY;BYMONTH=3;BYDAY=2SU",)),
                Observance(datetime(2007, 11, 4, 2), -2 * HOUR, -3 * HOUR, ("FREQ=YEARLY;BYMONTH=11;BYDAY=1SU",)),
            ),
            "America/Miquelon",
        ),
        (
            # As lists of dates, in place of rules.
            (
                Observance(
                    datetime(2024, 10, 27, 3),
                    2 * HOUR,
                    HOUR,
                    dates=tuple(datetime(y, 10, d, 3) for y, d in [(2025, 26), (2026, 25), (2027, 31), (2028, 29)]),
                ),
                Observance(
                    datetime(2025, 3, 30, 2),
                    HOUR,
                    2 * HOUR,
                    dates=tuple(datetime(y, 3, d, 2) for y, d in [(2026, 29), (2027, 28), (2028, 26)]),
                ),
            ),
            "Europe/Paris",
        ),
        (
            # Rules that ended are no rules of today.
            (
                Observance(
                    datetime(1990, 3, 25, 2),
                    HOUR,
                    2 * HOUR,
                    ("FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU;UNTIL=19950326T010000Z",),
                ),
                Observance(datetime(1990, 9, 30, 3), 2 * HOUR, HOUR, ("FREQ=YEARLY;BYMONTH=9;BYDAY=-1SU",)),
            ),
            "Etc/GMT-1",
        ),
    ],
)
def test_a_definition_is_the_zone_with_the_same_offsets(definition: Definition, zone: str) -> None:
    assert zone_of("Nobody's name", definition, 2026) == ZoneInfo(zone)


@pytest.mark.parametrize(
    "definition",
    [
        central_europe(day="-2SU"),  # changes a week before any zone does
        (Observance(datetime(2020, 1, 1), 0.3 * HOUR, 0.3 * HOUR),),
        (Observance(datetime(2020, 1, 1), HOUR, HOUR, ("FREQ=SECONDLY",)),),
        (Observance(datetime(2020, 1, 1), HOUR, HOUR, ("FREQ=YEARLY;BYHOUR=1,2;BYMINUTE=1",)),),
        (Observance(datetime(2020, 1, 1), HOUR, HOUR, ("FREQ=YEARLY;BYDAY=nonsense",)),),
    ],
)
def test_a_definition_that_no_zone_equals_is_unknown(definition: Definition) -> None:
    with pytest.raises(UnknownZone):
        zone_of("Nobody's name", definition, 2026)


def test_a_known_name_wins_over_the_files_definition() -> None:
    """Definitions are often cut to a part of the truth."""
    assert zone_of("Europe/Paris", (Observance(datetime(1970, 1, 1), HOUR, HOUR),), 2026) == ZoneInfo("Europe/Paris")


def test_a_definition_wins_over_the_places_of_a_display_name() -> None:
    """The places are only a guess."""
    reunion = (Observance(datetime(1970, 1, 1), 4 * HOUR, 4 * HOUR),)
    assert zone_of("(UTC+04:00) Paris", reunion, 2026) == ZoneInfo("Indian/Reunion")


@pytest.mark.parametrize("name", sorted(VTIMEZONES))
def test_each_of_our_definitions_is_the_zone_that_it_names(name: str) -> None:
    """Read back without its name, a definition gives the offsets of the zone in every month of ten years."""
    for year in (2026, 2027, 2030):
        for month in range(1, 13):
            lines = [
                f"TZID:Nameless-{name.replace('/', '-')}" if line.startswith("TZID") else line
                for line in VTIMEZONES[name]
            ]
            text = "\r\n".join(
                [
                    *("BEGIN:VCALENDAR", *lines, "BEGIN:VEVENT", "UID:1"),
                    f"DTSTART;TZID=Nameless-{name.replace('/', '-')}:{year}{month:02}15T120000",
                    *("END:VEVENT", "END:VCALENDAR", ""),
                ]
            )
            event = parse_event(text.encode(), system="test")
            assert event is not None
            assert event.components[0].start == datetime(year, month, 15, 12, tzinfo=ZoneInfo(name))
