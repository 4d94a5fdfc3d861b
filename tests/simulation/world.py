"""A small département: both servers, the real store and engine between them, and what may befall all of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from random import Random
from typing import ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

from connectors.errors import ConnectorError
from connectors.icalendar_text import parse_event
from connectors.ports import CalendarAccount, RdvSolidarites
from connectors.records import AbsenceDraft, Rdv
from gateway.store.store import Store
from gateway.sync.approval import approve, pending
from gateway.sync.ceiling import Ceiling, hour_of
from gateway.sync.engine import Engine, EngineSettings, plan_context
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading, rdv_digest
from gateway.sync.order import MARGIN
from gateway.sync.undo.undoing import Undoer, UndoReport
from gateway.sync.values import (
    Action,
    AgentReport,
    AgentState,
    BlockOrigin,
    CalendarRef,
    JournalEntry,
    LinkedAgent,
    ObjectKind,
    Presence,
    RunReport,
    Stop,
)
from mappings.identity import ABSENCE_TAG, NAMESPACE, Identity
from mappings.rdv_event import Cancelled
from tests.simulation.calendar_model import CalendarServer, Item, ModelAccount, Style, keeps_alarm
from tests.simulation.crossings import Crossed, CrossedStore
from tests.simulation.disk import disk
from tests.simulation.faults import Cell, Fault, Phase
from tests.simulation.intervals import Interval, union
from tests.simulation.meetings import PRIVATE_WORD, Occurrence
from tests.simulation.memory import AgentMemory, Snapshot
from tests.simulation.rdv_model import PARIS, SYSTEM, ModelRdvSolidarites, RdvServer, StoredAbsence
from tests.simulation.rules import TRAINING, OfficeRules, Rules, drawn_office
from tests.simulation.weather import BrokenPromise, Killed, ModelClock, Weather
from tests.simulation.webhook_model import Messenger, said_since

_ARRIVES = 0.1
"""Chance, at each request of a run, that what is due by then arrives right there."""
BLOCK_TITLES = {ABSENCE_TAG, f"{TRAINING} · agenda"}
REUNION = ZoneInfo("Indian/Reunion")
_T = TypeVar("_T")
_P = ParamSpec("_P")


@dataclass(frozen=True, slots=True)
class Person:
    """An agent and their calendars."""

    agent_id: int
    zone: ZoneInfo
    organisation_id: int
    account: str
    sources: tuple[str, ...]
    target: str

    @property
    def calendars(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.sources, self.target)))

    def linked(self) -> LinkedAgent:
        refs = [CalendarRef(self.account, each) for each in self.sources]
        return LinkedAgent(
            self.agent_id,
            self.zone,
            tuple(refs),
            CalendarRef(self.account, self.target),
            AgentState.FIRST_RUN,
            organisation_id=self.organisation_id,
        )


@dataclass(frozen=True, slots=True)
class NativeFile:
    """A file of RDV-Solidarités' own sync. `ends`: instant. `ahead`: it shows an RDV that takes place."""

    body: bytes
    ends: datetime
    ahead: bool


@dataclass(slots=True)
class Owed:
    """What the journal must hold: since the database was made, or was set back to."""

    writes: list[tuple[str, str, str]] = field(default_factory=list)  # side, action, reference
    bodies: list[bytes] = field(default_factory=list)  # events of ours that a person had edited
    absences: list[tuple[int, str, datetime, datetime]] = field(default_factory=list)

    def copy(self) -> Owed:
        return Owed(list(self.writes), list(self.bodies), list(self.absences))


class InlineExecutor(Executor):
    """Does each task at once: no threads, so that a seed always plays the same history."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        future: Future[_T] = Future()
        future.set_result(fn(*args, **kwargs))
        return future


class Counted:
    """How many runs there were: what no loss of the database takes away."""

    def __init__(self) -> None:
        self._highest = 0

    def highest(self) -> int:
        return self._highest

    def note(self, count: int) -> None:
        self._highest = count


class World:
    """Everything of one history. Also the judge of each write that the gateway makes."""

    def __init__(self, seed: int, *, checks: bool = True) -> None:
        self.chance = Random(seed)
        start = datetime(2025, 3, 10, 7, 0) + timedelta(days=self.chance.choice([0, 10, 100, 218]))
        self.clock = ModelClock(start.replace(tzinfo=PARIS).astimezone(ZoneInfo("UTC")))
        self.weather = Weather(Random(seed + 1), self.clock)
        self.counts: Counter[str] = self.weather.counts
        self.log: list[str] = []
        style = Style(
            marks=self.chance.random() < 0.8,
            cursors=self.chance.random() < 0.7,
            restless=self.chance.random() < 0.1,
            rewrites=self.chance.random() < 0.3,
            checks=checks,
        )
        self.calendar = CalendarServer(self.clock, style, judge=self)
        self.server = RdvServer(self.clock, judge=self)
        self.people: list[Person] = []
        self.owed = Owed()
        self.memories: dict[int, AgentMemory] = {}
        self.approved: set[int] = set()  # typed absences that an approval covers
        self.removable: set[tuple[int, int]] = set()  # (rdv, agent) whose copy's removal was approved
        self.admitted: set[int] = set()  # agents whose first plan was approved
        self.stopped_at: int | None = None  # during which operation writes were stopped
        self.sent: Counter[tuple[str, datetime]] = Counter()  # writes by remote and clock hour
        self.event_edited: set[int] = set()  # typed absences whose event a person edited or removed
        self.planned_with: dict[int, frozenset[int]] = {}  # agent -> absences there when its plan was last made
        self.set_back = False
        self.unlooked: set[int] = set()  # agents for whom not all was read since: who moved their blocks, nobody knows
        self.undoing = False  # a person takes something back right now
        self.last_report: RunReport | None = None
        self.owners: dict[int, int] = {}
        self.sides: dict[int, set[str]] = {}  # typed absence -> sides on which it was edited since the last clean run
        self.rivalry: float | None = None
        self.before_run: Callable[[World], None] | None = None  # how an experiment forgets something
        self.disk = disk()
        self.keys = self.disk.keys
        self.identity = Identity(self.keys.identity_key, self.keys.instance_id)
        self.backup: tuple[bytes, Owed, dict[int, Interval], frozenset[int], frozenset[int]] | None = None
        self.disk.replace(self.disk.empty)
        self.desk = Random(seed + 4)  # of what those who run the gateway do
        self.taste = Random(seed + 3)  # of what rules are about: a history is otherwise the same without any
        self.rules = Rules(
            horizon_days=self.chance.choice([14, 28]),
            cancelled=self.chance.choice([Cancelled.MARK, Cancelled.MARK, Cancelled.REMOVE]),
            many_count=self.chance.choice([2, 5, 20]),
            offices=((1, drawn_office(self.taste)), (2, drawn_office(self.taste))),
        )
        few = self.taste.random() < 0.2
        self.ceiling = Ceiling(per_hour=self.taste.randint(3, 12), per_day=1000) if few else Ceiling()
        self.weather.sets_back = self.taste.random() < 0.5
        if self.taste.random() < 0.3:
            self.weather.aims = 0.0  # little befalls it, so that what persons did is certain
        self.weather.etag, self.weather.stop = self.calendar.touch, self.give_stop
        self.natives: dict[tuple[str, str], NativeFile] = {}  # by calendar and href
        self.doubled: frozenset[str] = frozenset()  # with some of them ahead, when the run or undo began
        self.runs = 0
        self.intruded = False  # somebody acted during the run
        self.counter = Counted()
        self.source = ModelRdvSolidarites(self.server, self.weather, Random(seed + 2))
        self.accounts: dict[str, ModelAccount] = {}
        self.messenger = Messenger(Random(seed + 7), self.server, self.keys, self.counts)
        self.reading: RdvSolidaritesReading | None = None  # the last that was made for many runs
        self.running = False

    # --- the gateway -----------------------------------------------------------------------------------------

    def open(self) -> None:
        """A new process: database, store, engine."""
        self.reading = None
        self.store = CrossedStore(self.disk.opened(), self.weather)
        self.settings = EngineSettings(
            rulebook=self.rules.book(),
            default_zone=PARIS,
            organisation_zones={2: REUNION},
            backfill_from=date(2025, 1, 1),
            instance_host="rdv.example.test",
            ceiling=self.ceiling,
        )
        self.engine = Engine(
            store=self.store,
            rdv_solidarites=cast("RdvSolidarites", Crossed(self.source, self.weather)),
            accounts={
                name: cast("CalendarAccount", Crossed(each, self.weather)) for name, each in self.accounts.items()
            },
            keys=self.keys,
            settings=self.settings,
            clock=self.clock,
            new_id=self._new_id,
            pools=lambda _name: InlineExecutor(),
            counter=self.counter,
        )

    def _new_id(self) -> str:
        self.runs += 1
        return f"run-{self.runs}"

    def enrol(self) -> None:
        with self.store.transaction() as tx:
            for person in self.people:
                tx.put_agent(person.linked())
        for person in self.people:
            self.memories.setdefault(person.agent_id, AgentMemory())

    def hear(self) -> None:
        """RDV-Solidarités is looked at: it tells of what changed, and perhaps something arrives."""
        self.messenger.notice()
        if not self.running or self.messenger.chance.random() < _ARRIVES:
            came = self.messenger.deliver(Store(self.disk.opened()), self.rules.book().selection)
            self.intruded = self.intruded or bool(came and self.running)

    def told_run(self) -> RunReport | None:
        """A run that reads nothing of RDV-Solidarités: a reading of some minutes ago serves, and webhooks since."""
        self.server.catch_up()
        if self.reading is None or not self.messenger.trusts(self.reading.asked_at or self.clock.now()):
            began, whole = self.clock.now(), self.server.rights.full
            try:
                self.reading = self.engine.read_rdv_solidarites()
            except ConnectorError:
                return self.run()
            whole = whole and self.reading.complete and not self.reading.unreadable_absences
            # Of what webhooks told of moments before, or meanwhile, a reading does not prove that it is gone.
            whole = whole and not said_since(self.store, began - MARGIN)
            self.messenger.was_read(whole=whole)
        self.clock.sleep(3)
        self.server.catch_up()
        self.counts["told runs"] += 1
        if self._all_is_told(self.reading):
            self.counts["told runs compared"] += 1
            differs = self._told_otherwise()
            if differs:
                raise BrokenPromise("webhooks bring what a reading brings", differs)
        report = self.run(reading=self.reading)
        if self.messenger.doubted:
            self.reading = None  # as the service does: it reads soon
        return report

    def run(
        self,
        agent_ids: tuple[int, ...] | None = None,
        *,
        dry_run: bool = False,
        reading: RdvSolidaritesReading | None = None,
    ) -> RunReport | None:
        """One run; None when it was killed, after which a new process is there."""
        if self.before_run is not None:
            self.before_run(self)
        self.counts["runs"] += 1
        self.server.catch_up()
        self.calendar.catch_up()
        self._note_doubled()
        before = {person.agent_id: self.snapshot(person) for person in self.people}
        mirrors = self._edited_on_one_side()
        stood = {person.agent_id: self._moved_to_events(person) for person in self.people}
        report = None
        self.intruded = False
        told = self._all_is_told(reading)
        try:
            self.running = True
            report = self.engine.run(agent_ids, dry_run=dry_run, reading=reading)
        except Killed:
            self.weather.dead = self.weather.reading_again = False
            self.open()
        finally:
            self.running = False
        self.intruded = self.intruded or not told
        self.lift_stop()
        self.weather.kill_after = self.weather.intruder_after = self.weather.intruder = None
        self.last_report = report
        if not dry_run:
            self._remember(report, before, mirrors, stood)
        if report is not None:
            self._judge_report(report)
        elif self.weather.died_of is Fault.KILL_RESTORED and self.restore():
            self.log.append("  and the database is SET BACK to its copy")
        elif self.weather.died_of is Fault.KILL_LOST:
            self.lose_database()
            self.log.append("  and the database is LOST, everybody is enrolled again")
        return report

    def _told_otherwise(self) -> str:
        """What is held otherwise than it is there: absences, and RDVs of the days that each reading reads."""
        ours = {person.agent_id for person in self.people}
        there = {each.id: each.interval for each in self.server.absences.values() if each.agent_id in ours}
        held = {
            each.id: (each.start, each.end)
            for each in self.store.observed_absences().values()
            if each.presence is Presence.PRESENT
        }
        if there != held:
            return f"absences are {there}, and held are {held}"
        now, selection = self.clock.now(), self.rules.book().selection
        near = now, now + timedelta(days=self.rules.horizon_days)
        known = {
            each.id: each.digest
            for organisation in self.server.organisations
            for each in self.store.observed_rdvs(organisation)
            if each.presence is Presence.PRESENT and not each.missing_readings
        }
        for rdv in self.server.rdvs.values():
            is_read = near[0] <= rdv.starts_at_server <= near[1] and ours.intersection(rdv.agent_ids)
            if is_read and known.get(rdv.id) != rdv_digest(self.keys.digest_key, rdv.only(selection)):
                return f"rdv {rdv.id} is not held as it is"
        gone = known.keys() - self.server.rdvs.keys()
        return f"RDVs that are gone are held as there: {gone}" if gone else ""

    def _all_is_told(self, reading: RdvSolidaritesReading | None) -> bool:
        """Whether the run that begins knows all that persons did in RDV-Solidarités: by reading it now, or by webhooks
        since an earlier reading."""
        if not self.messenger.is_on:
            return True
        if reading is None:
            return not said_since(self.store, self.clock.now())
        return self.server.rights.full and not self.messenger.owes

    def _note_doubled(self) -> None:
        now = self.clock.now()
        ahead = [calendar for (calendar, _), file in self.natives.items() if file.ahead and file.ends > now]
        self.doubled = frozenset(ahead)

    def undo(self, run_id: str) -> UndoReport:
        """A person takes a run back."""
        self._note_doubled()
        undoer = Undoer(
            store=self.store,
            rdv_solidarites=self.source,
            accounts=self.accounts,
            observer=self.engine.calendars,
            context=plan_context(self.settings, self.keys, self.clock.now()),
            clock=self.clock,
            ceiling=self.ceiling,
            run_id=self._new_id(),
            by="référente",
        )
        self.undoing = True
        try:
            return undoer.undo(undoer.rows(run_id=run_id), what=run_id, dry_run=False)
        finally:
            self.undoing = False

    def _edited_on_one_side(self) -> dict[int, tuple[Person, str, Interval | None]]:
        """By mirrored absence: whose it is, the side on which alone it was edited, and what that side says now."""
        found: dict[int, tuple[Person, str, Interval | None]] = {}
        by_id = {person.agent_id: person for person in self.people}
        for id_, sides in self.sides.items():
            person = by_id[self.owners[id_]]
            memory = self.memories[person.agent_id]
            if len(sides) != 1 or memory.dirty or memory.last is None or id_ in memory.last.pool:
                continue
            (side,) = sides
            absence = self.server.absences.get(id_)
            if absence is not None and not self.is_mirrored(absence, person) and self._moved_alike(absence):
                continue  # never shown yet, and as long as an event: it is paired with that, and gets none of its own
            says = self._interval(id_) if side == "rdv_solidarites" else self.event_interval(id_, person)
            found[id_] = (person, side, says)
        return found

    def event_interval(self, absence_id: int, person: Person) -> Interval | None:
        """What the event of a typed absence says, as wall-clock of the agent; None when there is none."""
        href = f"{person.target}{_mirror_uid(self.identity, absence_id, person.agent_id)}.ics"
        item = self.calendar.calendars[person.target].get(href)
        return item and event_interval(item.body, person.zone)

    def _follow(self, person: Person, mirrors: dict[int, tuple[Person, str, Interval | None]]) -> None:
        """After a clean run, an edit on one side alone has reached the other."""
        now = self.wall(person)
        for id_, (owner, side, says) in mirrors.items():
            if owner is not person or (says is not None and says[1] <= now):
                continue
            both = self._interval(id_), self.event_interval(id_, person)
            if any(each is not None and each[1] <= now for each in both):
                continue  # history: what is tidied away on one side stays on the other
            if both != (says, says):
                raise BrokenPromise(
                    "correct", f"absence {id_} was edited in {side} alone to {says}, and both sides now say {both}"
                )
        self.sides = {id_: sides for id_, sides in self.sides.items() if self.owners[id_] != person.agent_id}

    def _remember(
        self,
        report: RunReport | None,
        before: dict[int, Snapshot],
        mirrors: dict[int, tuple[Person, str, Interval | None]],
        stood: dict[int, frozenset[int]],
    ) -> None:
        reports = {each.agent_id: each for each in report.agents} if report else {}
        disturbed = bool(report is None or report.problems or self.server.pending or self.calendar.pending)
        disturbed = disturbed or self.server.rights.nothing
        for person in self.people:
            found = reports.get(person.agent_id)
            if found is None and report is not None:
                continue  # not part of this run: nothing was decided for them
            self._settle_moves(person, stood.get(person.agent_id, frozenset()))
            clean = not disturbed and found is not None and self._is_clean(found)
            if clean:
                self._follow(person, mirrors)
                for absence in self.pool(person):
                    absence.unanswered = False
            looked = report is not None and not (report.problems or self.source.partial)
            if looked and found is not None and not (found.problems or found.unsettled or found.waiting):
                self.unlooked.discard(person.agent_id)
            memory = self.memories[person.agent_id]
            memory.run_ended(
                clean=clean,
                before=before[person.agent_id],
                after=self.snapshot(person),
                apart=self.office(person).apart,
            )
            self.planned_with[person.agent_id] = frozenset(
                each.id for each in self.server.absences.values() if each.agent_id == person.agent_id
            )
            if found is not None:
                self.counts["operations"] += sum(each.action is Action.PAIR for each in found.done)
                if report is not None and report.stop is None:
                    for each in found.waiting:
                        self.weather.hits[Cell(Fault.CEILING, f"{each.action} {each.kind}", Phase.BEFORE)] += 1

    def _is_clean(self, report: AgentReport) -> bool:
        agent = self.store.agent(report.agent_id)
        waits = any(held.operation.kind in (ObjectKind.BUSY_BLOCK, ObjectKind.ABSENCE) for held in report.held)
        return (
            agent is not None
            and agent.state is AgentState.LIVE
            and not (report.problems or report.unsettled or waits)
            and len(report.done) == len(report.planned)
            and not self.intruded
        )

    def _judge_report(self, report: RunReport) -> None:
        for problem in (*report.problems, *(each for agent in report.agents for each in agent.problems)):
            if problem.system == "gateway" or problem.addressee == "maintainers":
                raise BrokenPromise("no bug", problem.reason)
        if PRIVATE_WORD in repr(report):
            raise BrokenPromise("nothing private leaves", "a report holds a title")

    def approve(self, by: str = "référente") -> int:
        """Somebody approves all that waits."""
        waiting = pending(self.store)
        for hold in waiting.holds:
            if hold.absence_id is not None:
                self.approved.add(hold.absence_id)
            if hold.rdv_id is not None:
                self.removable.add((hold.rdv_id, hold.agent_id))
        self.admitted |= set(waiting.agents)
        for agent_id in waiting.agents:
            self.approved |= self.planned_with.get(agent_id, frozenset())
        if waiting.holds or waiting.agents:
            approve(self.store, waiting, at=self.clock.now(), by=by)
            self.counts["approvals"] += 1
        return len(waiting.holds) + len(waiting.agents)

    def change_rules(self) -> str:
        """The département chooses otherwise for one organisation; the gateway is started again."""
        number, _ = self.chance.choice(self.rules.offices)
        offices = {**dict(self.rules.offices), number: drawn_office(self.taste)}
        self.rules = replace(self.rules, offices=tuple(offices.items()))
        self.open()
        self.counts["rules changed"] += 1
        return f"organisation {number} is under {offices[number]}"

    def give_stop(self) -> None:
        """Somebody of IT stops all writes, from another process, until the run is over."""
        with Store(self.disk.opened()).transaction() as tx:
            tx.set_stop(Stop(self.clock.now(), "informatique", "what is this?"))
        self.stopped_at = self.weather.number

    def lift_stop(self) -> None:
        """And lets them go on."""
        if self.store.stop() is not None:
            with Store.transaction(self.store) as tx:
                tx.lift_stop()
        self.stopped_at = None

    # --- misfortune ------------------------------------------------------------------------------------------

    def keep_backup(self) -> None:
        """Tonight's copy of the database."""
        then = {each.id: each.interval for each in self.server.absences.values()}
        self.backup = (self.disk.content(), self.owed.copy(), then, frozenset(self.approved), frozenset(self.admitted))

    def restore(self) -> bool:
        """The database as it was when it was last copied."""
        if self.backup is None:
            return False
        content, owed, then, approved, admitted = self.backup
        self._replace_database(content)
        self.owed, self.approved, self.admitted = owed.copy(), set(approved), set(admitted)
        changed = [each.interval for each in self.server.absences.values() if then.get(each.id) != each.interval]
        changed += [interval for id_, interval in then.items() if self._interval(id_) != interval]
        self._set_back(changed, then)
        self.counts["restored"] += 1
        return True

    def lose_database(self) -> None:
        """An empty one, and everybody is enrolled again."""
        self._replace_database(self.disk.empty)
        self.owed = Owed()
        self.backup = None
        self.approved.clear()
        self.admitted.clear()
        self._set_back([each.interval for each in self.server.absences.values()], {})
        self.enrol()
        self.counts["lost databases"] += 1

    def _replace_database(self, content: bytes) -> None:
        self.disk.replace(content)
        self.open()

    def _set_back(self, regions: list[Interval], then: Mapping[int, Interval]) -> None:
        self.set_back = True
        self.calendar.pending = [(due, self._unowed(commit)) for due, commit in self.calendar.pending]
        self.server.pending = [(due, self._unowed(commit)) for due, commit in self.server.pending]
        self.unlooked = set(self.memories)
        for memory in self.memories.values():
            memory.set_back(regions)
        for absence in self.server.absences.values():
            absence.touched = absence.touched and absence.typed
            if absence.id in then:
                absence.unsure = absence.unsure or then[absence.id] != absence.interval
            elif absence.written is not None:
                absence.written, absence.edits = absence.interval, 0  # whoever gave it its time is forgotten

    def _unowed(self, commit: Callable[[], object]) -> Callable[[], None]:
        """A late write that the database no longer knows of, nor the pre-image that was kept with it."""

        def done() -> None:
            owed = self.owed.copy()
            commit()
            self.owed = owed

        return done

    def _interval(self, absence_id: int) -> Interval | None:
        found = self.server.absences.get(absence_id)
        return found and found.interval

    # --- what people did ------------------------------------------------------------------------------------

    def absence_touched(self, person: Person, absence: StoredAbsence) -> None:
        """A person is about to edit or remove an absence in RDV-Solidarités."""
        self.memories[person.agent_id].edited(absence.interval)
        self.mirror_touched(person, absence, "rdv_solidarites")
        absence.unsure = absence.unsure or person.agent_id in self.unlooked

    def mirror_touched(self, person: Person, absence: StoredAbsence, side: str) -> None:
        """A person is about to edit an absence or its event."""
        if absence.typed:
            self.owners[absence.id] = person.agent_id
            self.sides.setdefault(absence.id, set()).add(side)

    # --- what is the case ------------------------------------------------------------------------------------

    def wall(self, person: Person) -> datetime:
        return self.clock.now().astimezone(person.zone).replace(tzinfo=None)

    def office(self, person: Person) -> OfficeRules:
        """The rules that an agent is under."""
        return self.rules.of(person.organisation_id)

    def busy(self, person: Person) -> frozenset[Occurrence]:
        """When an agent's own events make them busy: whole, whatever the hours that matter."""
        return frozenset(
            occurrence
            for calendar in person.sources
            for item in self.calendar.calendars[calendar].values()
            if item.meeting is not None
            for occurrence in item.meeting.occurrences(person.zone, self.office(person))
        )

    def mirror_href(self, absence: StoredAbsence, person: Person) -> str:
        return f"{person.target}{_mirror_uid(self.identity, absence.id, person.agent_id)}.ics"

    def copy_href(self, rdv_id: int, person: Person) -> str:
        return f"{person.target}{_copy_uid(self.identity, rdv_id, person.agent_id)}.ics"

    def is_mirrored(self, absence: StoredAbsence, person: Person) -> bool:
        return self.mirror_href(absence, person) in self.calendar.calendars[person.target]

    def pool(self, person: Person) -> list[StoredAbsence]:
        """Absences that stand for calendar time: those the gateway made, and those typed that have no event."""
        return [
            absence
            for absence in self.server.absences.values()
            if absence.agent_id == person.agent_id and not (absence.typed and self.is_mirrored(absence, person))
        ]

    def snapshot(self, person: Person) -> Snapshot:
        pool = self.pool(person)
        return Snapshot(
            pool={each.id: each.interval for each in pool},
            plain=frozenset(each.id for each in pool if each.kept and not each.edits),
            busy=unlabelled(self.busy(person)),
        )

    # --- judging writes at once ------------------------------------------------------------------------------

    def event_written(self, calendar: str, href: str, action: str, before: Item | None, body: bytes) -> None:
        """Called by the calendar server for each write of the gateway, before it is done."""
        self.counts["calendar writes"] += 1
        self.counts["operations"] += 1
        uid = href.rpartition("/")[2].removesuffix(".ics")
        if before is not None and not before.ours:
            raise BrokenPromise("nothing lost", f"the gateway did {action} on a calendar-born event")
        if not uid.startswith(NAMESPACE):
            raise BrokenPromise("nothing lost", f"the gateway did {action} at a name that is not its own")
        if calendar not in [person.target for person in self.people]:
            raise BrokenPromise("nothing lost", f"the gateway did {action} in a calendar that only blocks")
        _judge_body(action, before, body, put_back=self.undoing)
        kind, number, person = self._origin(uid)
        if not self.calendar.catching_up:
            self._judge_sending(person.agent_id, person.account)
        if kind == "rdv" and action != "delete" and calendar in self.doubled and not self.calendar.catching_up:
            raise BrokenPromise("no doubles", f"rdv {number} is written beside what RDV-Solidarités' own sync wrote")
        if action == "delete" and not self.calendar.catching_up and not self.undoing:
            self._judge_removal(kind, number, person)
        self.owed.writes.append(("calendar", action, f"{kind} {number}"))
        if before is not None and before.touched:
            self.owed.bodies.append(before.body)

    def _origin(self, uid: str) -> tuple[str, int, Person]:
        for person in self.people:
            for number in range(1, self.server.last_id + 1):
                if _copy_uid(self.identity, number, person.agent_id) == uid:
                    return "rdv", number, person
                if _mirror_uid(self.identity, number, person.agent_id) == uid:
                    return "absence", number, person
        raise BrokenPromise("no doubles", "the gateway made an event of nothing")

    def origin(self, href: str) -> str:
        """What an event of ours stands for."""
        kind, number, person = self._origin(href.rpartition("/")[2].removesuffix(".ics"))
        return f"{kind} {number} of agent {person.agent_id}"

    def belongs(self, href: str, person: Person) -> bool:
        """Whether an event of ours is one of this agent's."""
        return self._origin(href.rpartition("/")[2].removesuffix(".ics"))[2] is person

    def _judge_removal(self, kind: str, number: int, person: Person) -> None:
        if kind == "rdv":
            rdv = self.server.rdvs.get(number)
            if (number, person.agent_id) in self.removable or self.messenger.is_behind(number):
                return
            if rdv is None or person.agent_id not in rdv.agent_ids:
                return
            if not (rdv.cancelled and self.rules.cancelled == "remove"):
                raise BrokenPromise("nothing lost", f"the copy of rdv {number} was removed, and the rdv is there")
        elif number in self.server.absences:
            raise BrokenPromise("nothing lost", f"the event of absence {number} was removed, and the absence is there")

    def absence_written(self, action: str, before: StoredAbsence | None, draft: AbsenceDraft | None, id_: int) -> None:
        """Called by RDV-Solidarités for each write of the gateway, before it is done."""
        self.counts["absence writes"] += 1
        self.counts["operations"] += 1
        self.owed.writes.append(("rdv_solidarites", action, f"absence {id_}"))
        if not self.server.catching_up:
            self._judge_sending(
                draft.agent_id if before is None and draft else before.agent_id if before else 0, SYSTEM
            )
        if draft is not None and PRIVATE_WORD in draft.title:
            raise BrokenPromise("nothing private leaves", "a title reached RDV-Solidarités")
        if before is None:
            if draft is not None and draft.title not in BLOCK_TITLES and not self.undoing:
                raise BrokenPromise("nothing private leaves", "a block has another title than the tag")
            return
        if self.undoing:
            return  # an undo of what nobody edited since
        if draft is not None and draft.title != before.title and not {draft.title, before.title} <= BLOCK_TITLES:
            raise BrokenPromise("nothing lost", f"the title of absence {id_} was changed")
        if self.server.catching_up:
            self._note_late_write(before, draft)
        else:
            self._judge_change(action, before)

    def _judge_sending(self, agent_id: int, remote: str) -> None:
        """Whether anything may be written at all right now."""
        if agent_id not in self.admitted:
            raise BrokenPromise("nobody disturbed", f"agent {agent_id} is written for, and nobody approved that")
        if self.stopped_at is not None and self.weather.number > self.stopped_at:
            raise BrokenPromise("nobody disturbed", "something is written although a person stopped that")
        hour = hour_of(self.clock.now())
        self.sent[remote, hour] += 1
        # One whose intent was counted in the hour before.
        if self.sent[remote, hour] > self.ceiling.per_hour + 1 and not self.set_back:
            raise BrokenPromise("nobody disturbed", f"{remote} got more writes than its ceiling")

    def _note_late_write(self, before: StoredAbsence, draft: AbsenceDraft | None) -> None:
        """Whether it may be done was judged by what held when it was sent. It may overtake what a person did since:
        without preconditions nobody can prevent that."""
        if before.touched:
            self.memories[before.agent_id].edited(before.interval)
            if draft is not None:
                self.memories[before.agent_id].edited((draft.start, draft.end))

    def _judge_change(self, action: str, before: StoredAbsence) -> None:
        id_ = before.id
        if before.typed and id_ not in self.approved | self.event_edited:
            raise BrokenPromise("nothing lost", f"{action} of absence {id_}, which a person typed")
        if not before.unsure and _moved_away(before) and not self._moved_alike(before):
            raise BrokenPromise("nothing lost", f"{action} of block {id_}, which a person had moved")
        if before.touched:
            self.owed.absences.append((before.id, before.title, before.start, before.end))

    def _moved_alike(self, block: StoredAbsence) -> bool:
        """Whether a person who moved a block had moved its events just so: then it still stands for them."""
        (person,) = (each for each in self.people if each.agent_id == block.agent_id)
        busy = [(each.start, each.end) for each in self.busy(person)]
        return block.interval in (*busy, *union(busy), *self.office(person).cut(union(busy)))

    def _moved_to_events(self, person: Person) -> frozenset[int]:
        """Blocks that a person moved to where events are."""
        return frozenset(
            each.id
            for each in self.server.absences.values()
            if each.agent_id == person.agent_id and _moved_away(each) and self._moved_alike(each)
        )

    def _settle_moves(self, person: Person, stood: frozenset[int]) -> None:
        """A run saw a block just where a person had moved it, and its events with it, or found it there again when it
        did not know of it: from then on it is the gateway's at that place, and goes with its events.

        `stood`: blocks that stood so before the run. What the gateway believes counts only for those, and for those
        that stand so after it: a block that stands for no event stays the person's, whatever the gateway makes of it.
        """
        candidates = stood | self._moved_to_events(person)
        if not candidates:
            return
        for block in self.store.agent_view(person.agent_id).blocks:
            absence = self.server.absences.get(block.absence_id)
            if absence is None or absence.id not in candidates or block.origin is BlockOrigin.RELEASED:
                continue
            if (block.start, block.end) == absence.interval:
                absence.written = absence.interval

    # --- what the journal holds ------------------------------------------------------------------------------

    def journal(self) -> list[JournalEntry]:
        return [row.entry for row in self.store.journal(limit=100_000, with_content=True)]


def _judge_body(action: str, before: Item | None, body: bytes, *, put_back: bool) -> None:
    """Whether it invites nobody, rings for nobody, and keeps what a person added. What is put back is as it was."""
    if any(word in body for word in (b"ORGANIZER", b"ATTENDEE", b"METHOD")):
        raise BrokenPromise("nobody disturbed", "an event of ours invites somebody")
    if put_back:
        return
    if before is not None and action == "update" and not keeps_alarm(before.body, body):
        raise BrokenPromise("nothing lost", "a person's reminder went away")
    if before is None and b"VALARM" in body:
        raise BrokenPromise("nobody disturbed", "a new event of ours rings")


def event_interval(body: bytes, zone: ZoneInfo) -> Interval:
    """The time of an event of ours, as an absence in `zone` would say it."""
    event = parse_event(body, system="model")
    if event is None:
        raise BrokenPromise("correct", "an event of ours holds no event")
    start, end = event.components[0].start, event.components[0].end
    if isinstance(start, datetime) and isinstance(end, datetime):
        first, last = (each.astimezone(zone).replace(tzinfo=None) for each in (start, end))
        return first, last
    midnight = datetime.min.time()
    return datetime.combine(start, midnight), datetime.combine(end, midnight) - timedelta(minutes=1)


def unlabelled(occurrences: Iterable[Occurrence]) -> frozenset[Occurrence]:
    """What was freed by hand stays so under another label: rules give labels, and no event changed."""
    return frozenset(each._replace(label="") for each in occurrences)


def rdv_span(rdv: Rdv) -> tuple[datetime, datetime]:
    """When an RDV takes place: instants."""
    zone = ZoneInfo(rdv.time_zone) if rdv.time_zone else REUNION if rdv.organisation_id == 2 else PARIS
    start, end = (each.replace(tzinfo=zone).astimezone(UTC) for each in (rdv.starts_at, rdv.ends_at))
    return start, end


def _moved_away(absence: StoredAbsence) -> bool:
    """Whether a person moved or lengthened a block of ours: then it is theirs."""
    if absence.written is None:
        return False
    start, end = absence.written
    return not (start <= absence.start and absence.end <= end)


@cache
def _copy_uid(identity: Identity, number: int, agent_id: int) -> str:
    return identity.copy_uid(number, agent_id)


@cache
def _mirror_uid(identity: Identity, number: int, agent_id: int) -> str:
    return identity.mirror_uid(number, agent_id)


def absence_image(entry: JournalEntry) -> tuple[int, str, datetime, datetime] | None:
    """The absence that an entry keeps, if it keeps one."""
    if entry.before is None or entry.side != "rdv_solidarites":
        return None
    image = json.loads(entry.before)
    return image["id"], image["title"], datetime.fromisoformat(image["start"]), datetime.fromisoformat(image["end"])
