"""An agent's life on both sides, with one change of every kind at a time, and what must be found in the end."""

from __future__ import annotations

from collections import deque
from datetime import datetime

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours
from tests.scenarios.small_departement import NORD, PMI


class Life:
    """What an agent has on both sides, the oldest first, and what must therefore be found in the end."""

    def __init__(self, departement: Departement, agent: Person) -> None:
        self._departement, self._agent = departement, agent
        directory = departement.state.directory
        self._colleague = directory.add_agent("colleague", "AGENT", email="c@dept.example", service_ids=[PMI])
        directory.set_role(self._colleague, NORD)
        self._free = deque(departement.at(day, hour) for hour in range(8, 19, 2) for day in range(3, 40))
        self.events: dict[str, datetime] = {}
        self.rdvs: dict[int, datetime] = {}
        self.absences: dict[int, datetime] = {}
        for _ in range(2):
            self._types_event()
            self._makes_rdv()
        for _ in range(4):
            self._types_absence()

    def goes_on(self) -> None:
        """One change of every kind: what there is stays as many as it was."""
        departement, agent = self._departement, self._agent
        moved, deleted = list(self.events)
        self.events[moved] = self._slot(self.events[moved])
        agent.moves(moved, *hours(self.events[moved]))
        agent.deletes(deleted)
        self._free.append(self.events.pop(deleted))
        self._types_event()
        put_off, left = list(self.rdvs)
        self.rdvs[put_off] = self._slot(self.rdvs[put_off])
        departement.state.rdvs.move(put_off, self.rdvs[put_off])
        departement.state.rdvs.set_agents(left, [self._colleague])
        self._free.append(self.rdvs.pop(left))
        self._makes_rdv()
        here, gone_here, there, gone_there = list(self.absences)
        self._moves_absence(here)
        departement.state.absences.delete(gone_here)
        agent.moves(self._shown_at(self.absences[there]), *hours(to := self._slot(self.absences[there])))
        agent.deletes(self._shown_at(self.absences[gone_there]))
        self.absences[there] = to
        for gone in (gone_here, gone_there):
            self._free.append(self.absences.pop(gone))
            self._types_absence()

    def assert_one_of_everything(self, where: str) -> None:
        expected = [Shown("RDV", *hours(start, 0.5)) for start in self.rdvs.values()]
        expected += [Shown("Réunion", *hours(start)) for start in self.absences.values()]
        assert sorted(self._agent.shown(), key=repr) == sorted(expected, key=repr), where
        assert sorted(self._agent.blocks()) == sorted(hours(start) for start in self.events.values()), where
        assert len(self._agent.absences()) == len(self.events) + len(self.absences), where
        store = self._departement.store
        own = store.agent_view(self._agent.id)
        counts = (len(own.copies), len(own.blocks), len(own.mirrors))
        assert counts == (len(self.rdvs), len(self.events), len(self.absences)), where
        assert store.open_intents() == (), where
        assert store.verify_journal().is_whole, where

    def _slot(self, left: datetime) -> datetime:
        self._free.append(left)
        return self._free.popleft()

    def _types_event(self) -> None:
        start = self._free.popleft()
        self.events[self._agent.types_event("Rendez-vous", *hours(start))] = start

    def _makes_rdv(self) -> None:
        start = self._free.popleft()
        self.rdvs[self._departement.rdv(start, self._agent)] = start

    def _types_absence(self) -> None:
        start = self._free.popleft()
        self.absences[self._departement.absence(self._agent, "Réunion", *hours(start))] = start

    def _moves_absence(self, number: int) -> None:
        self.absences[number] = self._slot(self.absences[number])
        self._departement.move_absence(number, *hours(self.absences[number]))

    def _shown_at(self, start: datetime) -> str:
        (found,) = [
            href
            for href, event in self._agent.ours().items()
            if event["DTSTART"].dt.astimezone(self._agent.zone).replace(tzinfo=None) == start
        ]
        return found
