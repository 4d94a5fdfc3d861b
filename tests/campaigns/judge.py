"""Counts and judges every write where it arrives: at the doubles, with no code of the gateway's ceiling."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from connectors.icalendar_text import parse_event
from connectors.records import AbsenceDraft
from gateway.sync.values import Operation, RunReport, Side
from tests.campaigns.agendas import FIRST_MONDAY
from tests.simulation.calendar_model import Item
from tests.simulation.meetings import PRIVATE_WORD
from tests.simulation.rdv_model import PARIS, StoredAbsence
from tests.simulation.weather import BrokenPromise, ModelClock

RDV_SOLIDARITES, AGENDAS = "rdv_solidarites", "agendas"
_HOUR = timedelta(hours=1)


def week_of(wall: datetime) -> int:
    """1 for the first week of the agendas."""
    return (wall - FIRST_MONDAY).days // 7 + 1


def remote_of(operation: Operation) -> str:
    """Where it writes."""
    return RDV_SOLIDARITES if operation.side is Side.RDV_SOLIDARITES else AGENDAS


@dataclass(slots=True)
class Judge:
    """`hours`: writes by remote and clock hour. `of_run`: dates (wall-clock) that this run wrote, in their order, by
    agent and remote. `finished`: when the last write for a week came. Raises `BrokenPromise`."""

    clock: ModelClock
    per_hour: int
    per_day: int
    hours: dict[str, Counter[datetime]] = field(
        default_factory=lambda: {RDV_SOLIDARITES: Counter(), AGENDAS: Counter()}
    )
    of_run: dict[tuple[int, str], list[datetime]] = field(default_factory=lambda: defaultdict(list))
    latest: dict[tuple[int, str], datetime] = field(default_factory=dict)
    finished: dict[int, datetime] = field(default_factory=dict)
    weeks_ahead: int = 0

    def absence_written(self, action: str, before: StoredAbsence | None, draft: AbsenceDraft | None, id_: int) -> None:
        """Called before an absence is written."""
        if action != "create" or draft is None or before is not None:
            raise BrokenPromise("nothing of a person is touched", f"{action} of absence {id_}")
        if PRIVATE_WORD in draft.title:
            raise BrokenPromise("nothing private leaves", f"the title of absence {id_}")
        self._count(draft.agent_id, RDV_SOLIDARITES, draft.start)

    def event_written(self, calendar: str, href: str, action: str, before: Item | None, body: bytes) -> None:
        """Called before an event is written."""
        event = parse_event(body, system="judge") if action == "create" and before is None else None
        if event is None or not isinstance(start := event.components[0].start, datetime):
            raise BrokenPromise("nothing of a person is touched", f"{action} of {href}")
        agent_id = int(calendar.strip("/").rpartition("agent")[2])
        self._count(agent_id, AGENDAS, start.astimezone(PARIS).replace(tzinfo=None))

    def total(self, remote: str) -> int:
        """Writes that arrived."""
        return sum(self.hours[remote].values())

    def left(self, remote: str) -> int:
        """What this clock hour still takes."""
        hour = self.clock.now().astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        counts = self.hours[remote]
        return min(self.per_hour - counts[hour], self.per_day - sum(counts[hour - back * _HOUR] for back in range(24)))

    def run_begins(self) -> None:
        """What it writes is judged by itself."""
        self.of_run.clear()

    def run_ended(self, report: RunReport, shares: Mapping[str, int]) -> None:
        """Beyond the share that each agent has of half the ceiling, no date was written while a nearer one of anybody
        waits. `shares`: how many that is, by remote."""
        for remote, share in shares.items():
            waiting = [
                operation.when
                for agent in report.agents
                for operation in agent.waiting
                if remote_of(operation) == remote
            ]
            if not waiting:
                continue
            if self.left(remote):
                raise BrokenPromise("the ceiling is used", f"{self.left(remote)} left in {remote}, and writes wait")
            nearest = min(waiting)
            for (agent_id, where), dates in self.of_run.items():
                if where != remote:
                    continue
                self.weeks_ahead = max(self.weeks_ahead, week_of(dates[-1]) - week_of(nearest))
                if dates[share:] and dates[-1] > nearest:
                    raise BrokenPromise("nearest first", f"agent {agent_id}: {dates[-1]} before {nearest} in {remote}")

    def _count(self, agent_id: int, remote: str, date: datetime) -> None:
        if self.left(remote) <= 0:
            raise BrokenPromise("the ceiling holds", f"one more write in {remote} at {self.clock.now()}")
        if date < self.latest.get((agent_id, remote), date):
            raise BrokenPromise("nearest first", f"agent {agent_id}: {date} came late in {remote}")
        self.latest[agent_id, remote] = date
        self.hours[remote][self.clock.now().replace(minute=0, second=0, microsecond=0)] += 1
        self.of_run[agent_id, remote].append(date)
        self.finished[week_of(date)] = self.clock.now()
