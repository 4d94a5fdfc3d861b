"""RDV-Solidarités in memory, as one technical account sees it: no versions, rights that come and go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol, TypeVar
from zoneinfo import ZoneInfo

from connectors.errors import AnswerLost, RetryLater, RightsMissing, Stale
from connectors.records import (
    Absence,
    AbsenceDraft,
    AbsenceListing,
    Agent,
    Motif,
    Organisation,
    Rdv,
    RdvListing,
    RdvWindow,
)
from mappings.identity import ABSENCE_TAG
from tests.simulation.rules import TRAINING
from tests.simulation.weather import READ_TIMEOUT, Fate, ModelClock, Weather

_T = TypeVar("_T")
PARIS = ZoneInfo("Europe/Paris")
SYSTEM = "rdv_solidarites"
OUR_TITLES = {ABSENCE_TAG, f"{TRAINING} · agenda"}


@dataclass(slots=True)
class StoredAbsence:
    """`written`: the interval that the gateway last gave it; None for one that a person typed."""

    id: int
    agent_id: int
    title: str
    start: datetime
    end: datetime
    written: tuple[datetime, datetime] | None = None
    touched: bool = False  # by a person, since the gateway's last write
    edits: int = 0  # how often
    unanswered: bool = False  # the answer to our last write was lost
    unsure: bool = False  # a person edited it before it was known whether that came, or the database was set back

    @property
    def kept(self) -> bool:
        """Whether it is for certain still a block of ours: as we wrote it, or shortened once by hand."""
        if self.written is None or self.unsure:
            return False
        if not self.edits:
            return self.written == self.interval
        return self.edits == 1 and self.written[0] <= self.start and self.end <= self.written[1]

    @property
    def interval(self) -> tuple[datetime, datetime]:
        return self.start, self.end

    @property
    def typed(self) -> bool:
        return self.written is None


@dataclass(slots=True)
class Rights:
    """What the technical account may not see at the moment."""

    nothing: bool = False
    services: frozenset[int] = frozenset()
    agents: frozenset[int] = frozenset()
    agents_listed: bool = True  # whether agents of a lost service are still listed

    @property
    def full(self) -> bool:
        return not (self.nothing or self.services or self.agents)


class Judge(Protocol):
    """Looks at each write of the gateway before it is done. Raises `BrokenPromise`."""

    def absence_written(
        self, action: str, before: StoredAbsence | None, draft: AbsenceDraft | None, id_: int
    ) -> None: ...


@dataclass(slots=True)
class RdvServer:
    """The records themselves."""

    clock: ModelClock
    judge: Judge | None = None
    organisations: dict[int, str] = field(default_factory=dict)
    services: dict[int, int] = field(default_factory=dict)  # agent -> service
    rdvs: dict[int, Rdv] = field(default_factory=dict)
    deleted_rdvs: dict[int, Rdv] = field(default_factory=dict)
    absences: dict[int, StoredAbsence] = field(default_factory=dict)
    rights: Rights = field(default_factory=Rights)
    last_id: int = 100
    pending: list[tuple[datetime, Callable[[], object]]] = field(default_factory=list)
    looked_at: Callable[[], None] = lambda: None  # called when what is there may have changed
    catching_up: bool = False  # a late write is being done: it was judged by what held when it was sent

    def new_id(self) -> int:
        self.last_id += 1
        return self.last_id

    def catch_up(self) -> None:
        """Do the late writes whose time has come."""
        due = [each for each in self.pending if each[0] <= self.clock.now()]
        self.pending = [each for each in self.pending if each[0] > self.clock.now()]
        self.catching_up = True
        for _, commit in sorted(due, key=lambda each: each[0]):
            try:
                commit()
            except Stale:
                continue
        self.catching_up = False
        self.looked_at()

    # --- people ----------------------------------------------------------------------------------------------

    def type_absence(self, agent_id: int, title: str, start: datetime, end: datetime) -> StoredAbsence:
        self.catch_up()
        absence = StoredAbsence(self.new_id(), agent_id, title, start, end)
        self.absences[absence.id] = absence
        return absence

    def edit_absence(self, id_: int, start: datetime, end: datetime) -> None:
        self.catch_up()
        absence = self.absences[id_]
        absence.start, absence.end, absence.touched = start, end, True
        absence.edits += 1
        absence.unsure = absence.unsure or absence.unanswered

    def drop_absence(self, id_: int) -> None:
        self.catch_up()
        del self.absences[id_]

    # --- what the account sees -------------------------------------------------------------------------------

    def sees_agent(self, agent_id: int) -> bool:
        rights = self.rights
        lost = self.services[agent_id] in rights.services and not rights.agents_listed
        return not (rights.nothing or agent_id in rights.agents or lost)

    def sees_rdv(self, rdv: Rdv) -> bool:
        if self.rights.nothing or rdv.service_id in self.rights.services:
            return False
        return any(agent in self.services and self.sees_agent(agent) for agent in rdv.agent_ids)

    # --- the gateway -----------------------------------------------------------------------------------------

    def create(self, draft: AbsenceDraft) -> StoredAbsence:
        id_ = self.new_id()
        if self.judge is not None:
            self.judge.absence_written("create", None, draft, id_)
        typed = draft.title not in OUR_TITLES  # one that a person had typed is put back
        interval = None if typed else (draft.start, draft.end)
        absence = StoredAbsence(id_, draft.agent_id, draft.title, draft.start, draft.end, interval)
        self.absences[id_] = absence
        return absence

    def update(self, id_: int, draft: AbsenceDraft) -> StoredAbsence:
        absence = self.absences.get(id_)
        if absence is None:
            raise Stale("gone", system=SYSTEM)
        if self.judge is not None:
            self.judge.absence_written("update", replace(absence), draft, id_)
        absence.title, absence.start, absence.end = draft.title, draft.start, draft.end
        absence.touched, absence.edits, absence.unsure = False, 0, False
        absence.unanswered = self.catching_up
        if absence.written is not None:
            absence.written = absence.interval
        return absence

    def delete(self, id_: int) -> None:
        absence = self.absences.get(id_)
        if absence is None:
            return
        if self.judge is not None:
            self.judge.absence_written("delete", absence, None, id_)
        del self.absences[id_]


class ModelRdvSolidarites:
    """Implements `connectors.ports.RdvSolidarites` on the records in memory."""

    read_timeout = READ_TIMEOUT

    def __init__(self, server: RdvServer, weather: Weather, chance: Random) -> None:
        self.requests = 0
        self.partial = 0.0  # chance that a listing is not whole
        self._server = server
        self._weather = weather
        self._chance = chance

    def organisations(self) -> tuple[Organisation, ...]:
        self._request()
        if self._server.rights.nothing:
            return ()
        return tuple(Organisation(id_, name) for id_, name in self._server.organisations.items())

    def agents(self, organisation_id: int | None = None) -> tuple[Agent, ...]:
        self._request()
        visible = [id_ for id_ in self._server.services if self._server.sees_agent(id_)]
        return tuple(Agent(id_, f"agent{id_}@example.test", "Agent", str(id_)) for id_ in visible)

    def motifs(self, organisation_id: int) -> tuple[Motif, ...]:
        self._request()
        return ()

    def rdvs(self, organisation_id: int, windows: Sequence[RdvWindow]) -> RdvListing:
        self._request()
        asked_at = self._server.clock.now()
        found: dict[int, Rdv] = {}
        whole: list[RdvWindow] = []
        for window in windows:
            for piece in self._pieces(window):
                inside = [
                    rdv
                    for rdv in self._server.rdvs.values()
                    if rdv.organisation_id == organisation_id
                    and piece.start <= rdv.starts_at_server <= piece.end
                    and self._server.sees_rdv(rdv)
                ]
                if self._chance.random() < self.partial:
                    inside = [rdv for rdv in inside if self._chance.random() < 0.5]
                    self._weather.counts["partial"] += 1
                else:
                    whole.append(piece)
                found.update({rdv.id: rdv for rdv in inside})
        return RdvListing(organisation_id, tuple(found.values()), tuple(whole), asked_at)

    def _pieces(self, window: RdvWindow) -> list[RdvWindow]:
        """A window as it was read: whole, or in two that meet."""
        if self._chance.random() < 0.7 or window.end - window.start < timedelta(days=1):
            return [window]
        middle = window.start + (window.end - window.start) // 2
        middle = middle.replace(microsecond=0)
        return [RdvWindow(window.start, middle), RdvWindow(middle + timedelta(seconds=1), window.end)]

    def absences(self) -> AbsenceListing:
        self._request()
        asked_at = self._server.clock.now()
        seen = [_record(each) for each in self._server.absences.values() if self._server.sees_agent(each.agent_id)]
        if self._chance.random() < self.partial:
            self._weather.counts["partial"] += 1
            some = tuple(each for each in seen if self._chance.random() < 0.6)
            return AbsenceListing(some, complete=False, requested_at=asked_at)
        unreadable = [each for each in seen if self._chance.random() < self.partial / 10]
        return AbsenceListing(
            tuple(each for each in seen if each not in unreadable),
            complete=True,
            requested_at=asked_at,
            unreadable=tuple((each.id, "a time that is none") for each in unreadable),
        )

    def absence(self, absence_id: int) -> Absence | None:
        self._request()
        self._weather.meet_rival(absence_id)
        found = self._server.absences.get(absence_id)
        if found is None:
            return None
        self._require_rights(found.agent_id)
        return _record(found)

    def create_absence(self, draft: AbsenceDraft) -> Absence:
        self._require_rights(draft.agent_id)
        return _record(self._write(lambda: self._server.create(draft)))

    def update_absence(self, absence_id: int, draft: AbsenceDraft) -> Absence:
        self._require_rights(draft.agent_id)
        try:
            return _record(self._write(lambda: self._server.update(absence_id, draft)))
        except AnswerLost:
            if absence_id in self._server.absences:
                self._server.absences[absence_id].unanswered = True
            raise

    def delete_absence(self, absence_id: int) -> None:
        found = self._server.absences.get(absence_id)
        if found is not None:
            self._require_rights(found.agent_id)
        self._write(lambda: self._server.delete(absence_id))

    def close(self) -> None:
        return

    # --- the wire --------------------------------------------------------------------------------------------

    def _request(self, *, people: bool = True) -> None:
        self.requests += 1
        self._weather.request(SYSTEM, people=people)
        self._server.catch_up()

    def _require_rights(self, agent_id: int) -> None:
        if not self._server.sees_agent(agent_id):
            raise RightsMissing("403", system=SYSTEM)

    def _write(self, commit: Callable[[], _T]) -> _T:
        # Nobody acts between the reading and the writing of an absence: the API offers no precondition, and that
        # gap, a few milliseconds wide, is a known limit.
        self._request(people=False)
        fate = self._weather.sent()
        if fate is Fate.REFUSED:
            raise RetryLater("429", system=SYSTEM)
        if fate is Fate.FORBIDDEN:
            raise RightsMissing("403", system=SYSTEM)
        if fate is Fate.LATE:
            self._server.pending.append((self._server.clock.now() + self._weather.late_by(), commit))
        elif fate not in (Fate.LOST, Fate.FAILED):
            result = commit()
            if fate is Fate.ANSWERED:
                self._weather.answered()
                return result
            self._weather.boundary()
        if fate not in (Fate.FAILED, Fate.FAILED_DONE):
            self._server.clock.sleep(READ_TIMEOUT)
        raise AnswerLost("no answer", system=SYSTEM)


def _record(absence: StoredAbsence) -> Absence:
    return Absence(absence.id, absence.agent_id, absence.title, absence.start, absence.end)


def server_instant(wall: datetime) -> datetime:
    """The instant that RDV-Solidarités compares windows with: it takes every wall-clock for Paris."""
    return wall.replace(tzinfo=PARIS).astimezone(UTC)
