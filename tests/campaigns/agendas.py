"""Believable agendas for many agents: what persons planned for eight weeks, in calendars and in RDV-Solidarités."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from connectors.records import Rdv
from tests.simulation.calendar_model import CalendarServer
from tests.simulation.intervals import Interval, union
from tests.simulation.meetings import PRIVATE_WORD, Meeting
from tests.simulation.rdv_model import PARIS, RdvServer, server_instant

WEEKS = 8
FIRST_MONDAY = datetime(2026, 3, 2)  # wall-clock; the clocks change in the fourth week
SERIES_OCCURRENCES = WEEKS * 6  # a stand-up on each working day, a team meeting each week
TWINS, RDVS = 6, 8  # of each agent, beside one absence that stands for no event
ORGANISATION = 1

_STAND_UP = timedelta(hours=9), timedelta(minutes=15)
_TEAM_MEETING = timedelta(hours=14), timedelta(minutes=90)
# When on a day single meetings begin, and how long they last. The first touches the stand-up, the two after it
# overlap, the fourth touches the team meeting on its day; the last stands alone.
_SINGLE = (
    (timedelta(hours=9, minutes=15), timedelta(minutes=45)),
    (timedelta(hours=10, minutes=30), timedelta(hours=1)),
    (timedelta(hours=11), timedelta(hours=1)),
    (timedelta(hours=15, minutes=30), timedelta(minutes=30)),
    (timedelta(hours=16, minutes=30), timedelta(minutes=45)),
)
_ALONE = len(_SINGLE) - 1
MOST_OCCURRENCES = SERIES_OCCURRENCES + WEEKS * 5 * len(_SINGLE)


@dataclass(frozen=True, slots=True)
class Agenda:
    """What one agent's calendar and absences hold. Wall-clock. `twins`: occurrences that somebody had typed as
    absences too, by hand."""

    agent_id: int
    occurrences: tuple[Interval, ...]
    twins: tuple[Interval, ...]

    @property
    def blocks(self) -> list[Interval]:
        """What stands in RDV-Solidarités when everything is done: touching and overlapping ones are one."""
        return union(self.occurrences)


def calendar_of(agent_id: int) -> str:
    """Path of an agent's calendar in the one home that holds all of them."""
    return f"/agendas/agent{agent_id}/"


def fill(agent_id: int, occurrences: int, chance: Random, calendars: CalendarServer, server: RdvServer) -> Agenda:
    """Make one agent, with so many busy occurrences."""
    server.services[agent_id] = 1
    calendars.add_calendar(calendar_of(agent_id))
    shift = timedelta(minutes=chance.choice((0, 15, 30)))
    days = [FIRST_MONDAY + timedelta(weeks=week, days=day) + shift for week in range(WEEKS) for day in range(5)]
    meetings = _series(agent_id, shift, chance)
    places = [(day, slot) for day in days for slot in range(len(_SINGLE))]
    chosen = sorted(chance.sample(places, occurrences - SERIES_OCCURRENCES))
    for number, (day, slot) in enumerate(chosen):
        start, length = _SINGLE[slot]
        meetings.append(Meeting(f"single-{agent_id}-{number}", PARIS, day + start, length, f"{PRIVATE_WORD} {number}"))
    for meeting in meetings:
        calendars.put_meeting(calendar_of(agent_id), f"{calendar_of(agent_id)}{meeting.uid}.ics", meeting)
    alone = [day + _SINGLE[slot][0] for day, slot in chosen if slot == _ALONE]
    twins = [(start, start + _SINGLE[_ALONE][1]) for start in chance.sample(alone, min(TWINS, len(alone)))]
    for start, end in twins:
        server.type_absence(agent_id, "Réunion", start, end)
    lunch = chance.choice(days) + timedelta(hours=12, minutes=15)
    server.type_absence(agent_id, "Pause", lunch, lunch + timedelta(minutes=30))
    for day in sorted(chance.sample(days, RDVS)):
        _add_rdv(server, agent_id, day + timedelta(hours=13))
    held = tuple((each.start, each.end) for meeting in meetings for each in meeting.occurrences(PARIS))
    return Agenda(agent_id, held, tuple(twins))


def _series(agent_id: int, shift: timedelta, chance: Random) -> list[Meeting]:
    monday = FIRST_MONDAY + shift
    starts = [(day, *_STAND_UP) for day in range(5)] + [(chance.randrange(5), *_TEAM_MEETING)]
    return [
        Meeting(
            uid=f"series-{agent_id}-{number}",
            zone=PARIS,
            start=monday + timedelta(days=day) + start,
            length=length,
            title=f"{PRIVATE_WORD} team",
            every=7,
            times=WEEKS,
        )
        for number, (day, start, length) in enumerate(starts)
    ]


def _add_rdv(server: RdvServer, agent_id: int, start: datetime) -> None:
    id_ = server.new_id()
    server.rdvs[id_] = Rdv(
        id=id_,
        uuid=f"00000000-0000-4000-8000-{id_:012d}",
        status="unknown",
        starts_at=start,
        ends_at=start + timedelta(minutes=45),
        starts_at_server=server_instant(start),
        time_zone=None,
        organisation_id=ORGANISATION,
        agent_ids=(agent_id,),
        motif_id=1,
        motif_name="Suivi",
        service_id=1,
        location_type="public_office",
        collectif=False,
        url=f"https://rdv.example.test/rdvs/{id_}",
    )
