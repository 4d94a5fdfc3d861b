"""What the demo's agents have in their own calendars: invented, believable, relative to the week that comes.

Pure: the same day gives the same agendas. Written as a calendar program writes them, organizers and alarms included.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from icalendar import Alarm, Calendar, Event, vCalAddress

PARIS = ZoneInfo("Europe/Paris")
REUNION = ZoneInfo("Indian/Reunion")


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of a calendar: its file name on the server and its content."""

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class _Week:
    """Days and hours from a Monday on, as wall-clocks of a zone."""

    monday: date
    zone: ZoneInfo

    def day(self, days: int) -> date:
        return self.monday + timedelta(days=days)

    def at(self, days: int, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(self.day(days), time(hour, minute), tzinfo=self.zone)


def agendas(today: date) -> Mapping[str, tuple[Entry, ...]]:
    """The items of each agent's calendar, by the part of their e-mail before the @."""
    monday = today - timedelta(days=today.weekday()) + timedelta(weeks=1)
    paris, reunion = _Week(monday, PARIS), _Week(monday, REUNION)
    return {"martine": _martine(paris), "bruno": _bruno(paris), "gina": _gina(paris), "maya": _maya(reunion)}


def _martine(week: _Week) -> tuple[Entry, ...]:
    meeting = _event("martine-equipe", "Réunion d'équipe PMI", week.at(-14, 13, 30), week.at(-14, 15))
    meeting.add("rrule", {"freq": "weekly", "byday": "MO"})
    meeting.add("exdate", week.at(21, 13, 30))
    moved = _event("martine-equipe", "Réunion d'équipe PMI (décalée)", week.at(8, 10), week.at(8, 11, 30))
    moved.add("recurrence-id", week.at(7, 13, 30))
    dentist = _event("martine-dentiste", "Dentiste, Dr Inventé", week.at(3, 16, 30), week.at(3, 17, 15))
    dentist.add("class", "PRIVATE")
    dentist.add_component(_alarm())
    birthday = _event("martine-anniversaire", "Anniversaire de Sophie", week.day(4), week.day(5))
    birthday.add("transp", "TRANSPARENT")
    return (
        _entry("martine-equipe", meeting, moved),
        # Typed by hand in RDV-Solidarités as well: the sandbox's first data hold it.
        _entry("martine-formation", _event("martine-formation", "Formation", week.at(9, 9), week.at(10, 17))),
        _entry("martine-dentiste", dentist),
        _entry("martine-anniversaire", birthday),
        _entry("martine-dossiers", _event("martine-dossiers", "Point dossiers", week.at(2, 9), week.at(2, 10, 30))),
        _entry("martine-crip", _event("martine-crip", "Appel CRIP", week.at(2, 10), week.at(2, 11))),
    )


def _bruno(week: _Week) -> tuple[Entry, ...]:
    partners = _event("bruno-partenaires", "Réunion partenaires", week.at(1, 14), week.at(1, 16))
    partners.add("organizer", vCalAddress("mailto:bruno@demo.example"))
    for guest in ("mission-locale@partenaires.example", "ccas@partenaires.example"):
        partners.add("attendee", vCalAddress(f"mailto:{guest}"))
    meeting = _event("bruno-equipe", "Réunion de service", week.at(-7, 11), week.at(-7, 12))
    meeting.add("rrule", {"freq": "weekly", "byday": "TH", "count": 10})
    return (
        _entry("bruno-partenaires", partners),
        _entry("bruno-equipe", meeting),
        _entry("bruno-conges", _event("bruno-conges", "Congés en Bretagne", week.day(28), week.day(33))),
        _entry("bruno-medecin", _event("bruno-medecin", "Rendez-vous médical", week.at(4, 8, 30), week.at(4, 9, 15))),
    )


def _gina(week: _Week) -> tuple[Entry, ...]:
    sport = _event("gina-yoga", "Yoga", week.at(1, 12, 15), week.at(1, 13, 15))
    sport.add("rrule", {"freq": "weekly", "byday": "TU", "count": 6})
    sport.add("class", "PRIVATE")
    return (
        _entry("gina-yoga", sport),
        _entry("gina-reunion", _event("gina-reunion", "Commission logement", week.at(3, 14), week.at(3, 17))),
    )


def _maya(week: _Week) -> tuple[Entry, ...]:
    return (
        _entry("maya-equipe", _event("maya-equipe", "Réunion d'équipe", week.at(1, 8), week.at(1, 10))),
        _entry("maya-conge", _event("maya-conge", "Congé", week.day(11), week.day(12))),
    )


def _event(uid: str, title: str, start: date | datetime, end: date | datetime) -> Event:
    event = Event()
    event.add("uid", uid)
    event.add("dtstamp", datetime(2026, 1, 5, 8, tzinfo=UTC))
    event.add("summary", title)
    event.add("dtstart", start)
    event.add("dtend", end)
    return event


def _alarm() -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", "Rappel")
    alarm.add("trigger", timedelta(hours=-1))
    return alarm


def _entry(name: str, *events: Event) -> Entry:
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//Programme d'agenda inventé//FR")
    for event in events:
        calendar.add_component(event)
    calendar.add_missing_timezones()
    return Entry(f"{name}.ics", calendar.to_ical())
