"""One history: a seed, what people do, what goes wrong, how it ends, and the promises."""

from __future__ import annotations

import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.sync.ceiling import Ceiling
from gateway.sync.values import RunReport
from tests.simulation import operators, oracle, people, second_sync
from tests.simulation.alarms import Alarms
from tests.simulation.calendar_model import ModelAccount
from tests.simulation.crossings import operations_watched
from tests.simulation.faults import Cell, Fault
from tests.simulation.rdv_model import PARIS, Rights
from tests.simulation.weather import BrokenPromise
from tests.simulation.world import REUNION, Person, World

LAST_RUNS = 4
"""After this many calm runs, with approvals between them, nothing may be left to do."""
STEPS = 24
_BURSTS = (1, 4, 8, 16, 24)
"""How much people do before the next run: a run costs the same whether it finds one edit or twenty."""
_ALARMS = 3  # at how many steps what there is to tell is told: each evaluation costs as much as a small run
_ALARMED = 4  # one history of so many has alerts: they change nothing of what is synced


@dataclass(slots=True)
class Outcome:
    """How a history ended. `promise` "": all held."""

    seed: int
    promise: str = ""
    what: str = ""
    log: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    hits: Counter[Cell] = field(default_factory=Counter)
    processor: float = 0.0  # seconds


def play(
    seed: int,
    *,
    steps: int = STEPS,
    checks: bool = True,
    rivalry: float | None = None,
    only: tuple[Fault, ...] = (),
    aims: float | None = None,
    alarmed: bool | None = None,
    told: bool | None = None,
    before_run: Callable[[World], None] | None = None,
) -> Outcome:
    """Play a seed.

    `checks`: the calendar server honours preconditions. `rivalry`: chance that somebody edits the very thing that is
    about to be written, None: as the seed has it. `only`: aim with these faults alone. `aims`: how much is
    aimed at all. `alarmed`: whether alerts are evaluated, `told`: whether webhooks tell of changes, None: in some
    histories. `before_run`: see `World`.
    """
    began = time.process_time()
    world = World(seed, checks=checks)
    world.before_run = before_run
    world.rivalry = rivalry
    world.messenger.always = told
    world.weather.only = only
    if only or aims is not None:
        world.weather.aims = 1.0 if aims is None else aims
    outcome = Outcome(seed, log=world.log, counts=world.counts, hits=world.weather.hits)
    try:
        _set_up(world)
        with operations_watched():
            _play(world, steps, alarmed=seed % _ALARMED == 0 if alarmed is None else alarmed)
    except BrokenPromise as broken:
        world.log.append(f"the last run said: {_told(world.last_report)}")
        outcome.promise, outcome.what = broken.promise, broken.what
    except Exception as error:  # noqa: BLE001 - a history that cannot be played is a failure of its own
        outcome.promise, outcome.what = "no bug", f"{error!r}\n{traceback.format_exc()}"
    outcome.processor = time.process_time() - began
    return outcome


def _play(world: World, steps: int, *, alarmed: bool) -> None:
    world.open()
    world.enrol()
    _begin(world)
    alarms = Alarms(world) if alarmed else None
    for number in range(steps):
        if world.taste.random() < 0.03:
            world.log.append(world.change_rules())
        if world.desk.random() < 0.08:
            world.log.append(f"{operators.act(world, world.desk)}")
        _step(world)
        if alarms and number % _ALARMS == 0:
            alarms.evaluate()
    _end(world)
    oracle.check(world)
    _take_back(world)
    oracle.journal_holds(world)
    if alarms:
        alarms.end()


def _set_up(world: World) -> None:
    """The département, and what everybody had typed before the gateway came."""
    chance = world.chance
    world.server.organisations = {1: "Org Nord", 2: "Org Sud"}
    one_account = chance.random() < 0.5
    number = chance.choice([1, 1, 2, 2, 3])
    own: dict[str, list[str]] = {}
    for agent_id in range(1, number + 1):
        overseas = chance.random() < 0.25
        account = "account" if one_account else f"account{agent_id}"
        main, team, extra = (f"/{agent_id}/{name}/" for name in ("agenda", "team", "rdv"))
        sources, target = chance.choice([((main,), main), ((main, team), main), ((main, team), extra)])
        if one_account and agent_id > 1 and chance.random() < 0.3:
            sources = (*sources, "/1/agenda/")
        person = Person(agent_id, REUNION if overseas else PARIS, 2 if overseas else 1, account, sources, target)
        world.people.append(person)
        world.server.services[agent_id] = chance.choice([1, 1, 2])
        own.setdefault(account, []).extend(person.calendars)
    world.server.services[99] = 1  # somebody who is not enrolled
    for calendar in dict.fromkeys(each for calendars in own.values() for each in calendars):
        world.calendar.add_calendar(calendar)
    for account, calendars in own.items():
        world.accounts[account] = ModelAccount(account, world.calendar, tuple(dict.fromkeys(calendars)), world.weather)
    for person in world.people:
        for _ in range(chance.randint(1, 8)):
            people.make_event(world, person)
        for _ in range(chance.randint(0, 8)):
            people.make_rdv(world, person)
        for _ in range(chance.randint(0, 4)):
            people.type_absence(world, person)
        people.new_rdv(world, person, people.some_time(world, least_days=1))
    rivalry = chance.choice([0.0, 0.05, 0.1])
    world.weather.rivalry = rivalry if world.rivalry is None else world.rivalry
    world.weather.rival = lambda thing: _note_intrusion(world, people.rival(world, thing))


def _begin(world: World) -> None:
    """The first plan is made, shown and approved."""
    world.messenger.begin()
    world.server.looked_at = world.hear
    _run(world, "first plan")
    if world.chance.random() < 0.9:
        world.log.append(f"approves {world.approve()}")
    _run(world, "first run")
    world.keep_backup()


def _run(world: World, name: str, **arguments: object) -> RunReport | None:
    report = world.run(**arguments)  # type: ignore[arg-type]
    world.log.append(f"[{world.clock.now():%d.%m %H:%M:%S}] {name}: {_told(report)}")
    return report


def _told(report: RunReport | None) -> str:
    if report is None:
        return "KILLED"
    parts = []
    for each in report.agents:
        done = ", ".join(
            f"{o.action} {o.kind} {o.rdv_id or o.absence_id or ''} {o.rule}"
            + (f" {o.interval.start:%d.%m %H:%M}-{o.interval.end:%d.%m %H:%M}" if o.interval else "")
            for o in each.done
        )
        rest = [f"{len(each.held)} held" * bool(each.held), f"{each.unsettled} open" * bool(each.unsettled)]
        rest += [f"conflict {c.kind}" for c in each.conflicts] + [p.reason for p in each.problems]
        parts.append(f"agent {each.agent_id}: {done or '-'} {' '.join(filter(None, rest))}".rstrip())
    parts += [p.reason for p in report.problems]
    return " | ".join(parts)


# --- steps ---------------------------------------------------------------------------------------------------


def _step(world: World) -> None:
    chance = world.chance
    draw = chance.random()
    if draw < 0.62:
        for _ in range(chance.choice(_BURSTS)):
            said = people.act(world)
            if said:
                world.log.append(said)
        _sync(world)
    elif draw < 0.72:
        _pass_time(world)
    elif draw < 0.77:
        _sync(world)
    elif draw < 0.86:
        _change_weather(world)
    elif draw < 0.90:
        _change_rights(world)
    elif draw < 0.965:
        waiting = world.approve()
        if waiting:
            world.log.append(f"approves {waiting}")
    else:
        _misfortune(world)


def _sync(world: World) -> None:
    chance, weather = world.chance, world.weather
    name = "run"
    agents = None
    if world.messenger.serves():
        report = world.told_run()
        world.log.append(f"[{world.clock.now():%d.%m %H:%M:%S}] run by webhooks: {_told(report)}")
        return
    if chance.random() < 0.1:
        weather.kill_after = chance.choice([chance.randint(0, 15), chance.randint(0, 60)])
        name = f"run, killed at boundary {weather.kill_after}"
    elif chance.random() < 0.2:
        weather.intruder_after = chance.randint(0, 20)
        weather.intruder = lambda: _intrude(world)
    elif chance.random() < 0.1:
        agents = (chance.choice(world.people).agent_id,)
        name = f"run for {agents[0]}"
    elif chance.random() < 0.05:
        _run(world, "dry run", dry_run=True)
        return
    _run(world, name, agent_ids=agents)


def _intrude(world: World) -> None:
    _note_intrusion(world, people.act_meanwhile(world))


def _note_intrusion(world: World, said: str | None) -> None:
    if said:
        world.intruded = True
        world.counts["intrusions"] += 1
        world.log.append(f"  meanwhile: {said}")


def _pass_time(world: World) -> None:
    seconds = world.chance.choice([5, 20, 60, 600, 3600, 4 * 3600, 7 * 3600, 86_400, 2 * 86_400])
    world.clock.sleep(seconds)
    world.log.append(f"{timedelta(seconds=seconds)} pass")


def _change_weather(world: World) -> None:
    chance, weather = world.chance, world.weather
    weather.trouble = chance.choice([0.0, 0.0, 0.03, 0.2])
    weather.losses = chance.choice([0.0, 0.0, 0.2, 0.5])
    world.source.partial = chance.choice([0.0, 0.0, 0.2, 0.5])
    if chance.random() < 0.3:
        world.calendar.era += 1
    world.log.append(f"weather: trouble {weather.trouble}, losses {weather.losses}, partial {world.source.partial}")


def _change_rights(world: World) -> None:
    chance, server = world.chance, world.server
    if not server.rights.full:
        server.rights = Rights()
        world.log.append("rights are given back")
        return
    world.counts["rights lost"] += 1
    server.rights = chance.choice(
        [
            Rights(nothing=True),
            Rights(services=frozenset({chance.choice([1, 2])}), agents_listed=chance.random() < 0.5),
            Rights(agents=frozenset({chance.choice(world.people).agent_id})),
        ]
    )
    world.log.append(f"rights are lost: {server.rights}")


def _misfortune(world: World) -> None:
    chance = world.chance
    draw = chance.random()
    if draw < 0.5:
        world.keep_backup()
        world.log.append("the database is copied")
    elif draw < 0.85:
        if world.restore():
            world.log.append("the database is SET BACK to its copy")
    elif draw < 0.95:
        world.lose_database()
        world.log.append("the database is LOST, everybody is enrolled again")


# --- the end -------------------------------------------------------------------------------------------------


def _end(world: World) -> None:
    """Calm, patience, approvals; then nothing is left to do."""
    world.weather.calm()
    world.source.partial = 0.0
    world.server.rights = Rights()
    world.ceiling = Ceiling()
    world.open()
    world.messenger.calm(world.store, world.rules.book().selection)
    # The next morning: put-backs count by the day, and no midnight may move the horizon between the last runs.
    tomorrow = world.clock.now() + timedelta(days=1)
    world.clock.instant = tomorrow.replace(hour=6, minute=0, second=0, microsecond=0)
    second_sync.switched_off(world)
    operators.all_clear(world)
    world.log.append("-- the end: calm weather, all rights, no ceiling, no other sync, the next morning")
    quiet = 0
    for number in range(LAST_RUNS + 2):
        report = _run(world, f"last run {number + 1}")
        left = _left(world, report)
        if left and number >= LAST_RUNS:
            break
        waiting = world.approve()
        if waiting:
            world.log.append(f"approves {waiting}")
        if unpinned := operators.all_clear(world):
            world.log.append(f"lets {unpinned} follow their sources again")
            waiting += unpinned
        quiet = 0 if left or waiting else quiet + 1
        if quiet == 2:
            return
        world.clock.sleep(60)
    raise BrokenPromise("convergence", left)


def _take_back(world: World) -> None:
    """One run more with something to do; a person undoes it, and the next runs leave it undone.

    Not after a set-back: what stands for what is guessed anew then.
    """
    if world.set_back:
        return
    person = world.chance.choice(world.people)
    for act in (people.make_rdv, people.make_event, people.type_absence):
        world.log.append(act(world, person) or "")
    report = _run(world, "a run to be undone")
    if report is None or not any(each.done for each in report.agents):
        return
    undone = world.undo(report.run_id)
    world.counts["writes undone"] += len(undone.done)
    world.log.append(f"undoes {len(undone.done)}, not {[each.refused for each in undone.refused]}")
    for number in range(2):
        world.clock.sleep(60)
        report = _run(world, f"run after undoing {number + 1}")
        again = [
            f"{o.action} {o.kind}"
            for each in (report.agents if report else ())
            for o in each.planned
            if o.action != "pair"
        ]
        if report is None or again:
            raise BrokenPromise("undone stays undone", ", ".join(again))


def _left(world: World, report: RunReport | None) -> str:
    """What a run found to do or to wait for; "" when nothing."""
    if report is None:
        return "the run did not end"
    for each in report.agents:
        left = [f"{o.action} {o.kind} ({o.rule})" for o in each.planned]
        left += [f"held: {h.operation.action} {h.operation.kind} ({h.reason})" for h in each.held]
        left += ["an open intent"] * each.unsettled + [p.reason for p in each.problems]
        if left:
            return f"agent {each.agent_id} still has: {'; '.join(left)}"
    return "an intent is open" if world.store.open_intents() else ""
