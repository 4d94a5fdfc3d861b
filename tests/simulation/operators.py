"""What those who run the gateway do beside approving: reject what is held, undo runs, declare outages.

Whatever they leave as it is, and the time that it leaves free, is open to the oracle until its source changes; at the
end of a history every pin is removed, and all must come right.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from random import Random

from connectors.errors import ConnectorError
from gateway.sync.engine import plan_context
from gateway.sync.outages import Outage, declared, ended
from gateway.sync.rejecting import reject, unpin
from gateway.sync.values import Action, ObjectKind, Suppression
from tests.simulation.weather import Killed
from tests.simulation.world import World

_BY = "adele"


def act(world: World, chance: Random) -> str:
    """One of them does something; what, for the log."""
    draw = chance.random()
    try:
        if draw < 0.4:
            return _undo(world, chance)
        if draw < 0.7:
            return _reject(world)
        return _outage(world, chance)
    except ConnectorError as error:
        return f"cannot: {error}"


def all_clear(world: World) -> int:
    """No outage, and everything follows its source again; how many things did not yet.

    To be called again after a run: an undo whose answer was lost pins when it is settled.
    """
    with world.store.transaction() as tx:
        tx.set_outages(())
    pins = world.store.pins()
    unpin(world.store, pins, at=world.clock.now(), by=_BY)
    return len(pins)


def _reject(world: World) -> str:
    with _noticed(world):
        holds = world.store.holds()
        for hold in holds:  # what persons did to these is not believed
            found = world.server.absences.get(hold.absence_id or 0)
            if hold.action is Action.ACCEPT and found is not None:
                found.unsure = True
        context = plan_context(world.settings, world.keys, world.clock.now())
        count = reject(world.store, context, holds, at=world.clock.now(), by=_BY)
    world.counts["rejected"] += count
    return f"rejects {count} of {len(holds)}"


def _undo(world: World, chance: Random) -> str:
    runs = [row.run_id for row in world.store.runs(12) if row.done]
    if not runs:
        return "finds nothing to undo"
    run_id = chance.choice(runs)
    try:
        with _noticed(world):
            report = world.undo(run_id)
    except Killed:
        world.weather.dead = world.weather.reading_again = False
        world.open()
        return f"undoes {run_id}: KILLED"
    world.counts["undone"] += len(report.done)
    return f"undoes {run_id}: {len(report.done)} put back, {[item.refused for item in report.refused]}"


def _outage(world: World, chance: Random) -> str:
    now = world.clock.now()
    outages = world.store.outages()
    running = [each for each in outages if each.is_on(now)]
    with world.store.transaction() as tx:
        if running:
            tx.set_outages(ended(outages, running[0].system, now))
            return f"{running[0].system} is back"
        system = chance.choice(["rdv_solidarites", *sorted(world.accounts)])
        tx.set_outages(declared(outages, Outage(system, now, None, _BY), now))
    world.counts["outages"] += 1
    return f"declares an outage of {system}"


@contextmanager
def _noticed(world: World) -> Iterator[None]:
    """What is left free, put back or kept within is no deed of a person's that the gateway must respect for ever."""
    pools = {person.agent_id: world.snapshot(person).pool for person in world.people}
    before = _suppressions(world)
    try:
        yield
    finally:
        for agent_id, kept in _suppressions(world).items():
            for each in kept - before[agent_id]:
                world.memories[agent_id].edited((each.start, each.end))
        for person in world.people:
            memory, pool = world.memories[person.agent_id], world.snapshot(person).pool
            old = pools[person.agent_id]
            for id_ in old.keys() | pool.keys():
                if old.get(id_) != pool.get(id_):
                    for interval in filter(None, (old.get(id_), pool.get(id_))):
                        memory.edited(interval)
            # An undo whose answer was lost frees its time when it is settled, in a later run.
            for intent in world.store.open_intents(person.agent_id):
                operation = intent.operation
                times = operation.interval and (operation.interval.start, operation.interval.end)
                if operation.undoes and operation.kind is ObjectKind.BUSY_BLOCK:
                    for interval in filter(None, (times, pool.get(operation.absence_id or 0))):
                        memory.edited(interval)
            memory.dirty, memory.last = True, None
            memory.freed = [replace(each, certain=False) for each in memory.freed]
        world.sides.clear()


def _suppressions(world: World) -> dict[int, frozenset[Suppression]]:
    return {person.agent_id: frozenset(world.store.agent_view(person.agent_id).suppressions) for person in world.people}
