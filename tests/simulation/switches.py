"""Safeguards switched off from outside, to prove that the simulation would see them fail. The product has no such
switch: its functions are wrapped here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from connectors.ports import CalendarAccount
from connectors.records import Absence, CalendarItem
from gateway.store.store import Store
from gateway.sync import planning
from gateway.sync.agent_run import AgentRunner
from gateway.sync.apply import Applier
from gateway.sync.guard import deciding
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.planning import recognition
from gateway.sync.values import AgentReport, LinkedAgent, Operation, Presence
from mappings.absence_event import absence_span, absence_times
from mappings.identity import Kinship, Recognised, recognise
from tests.simulation.world import World

SAFEGUARDS = ("intent", "precondition", "agreed", "marker", "other_sync", "conflicts")


@contextmanager
def without(safeguard: str | None) -> Iterator[dict[str, Any]]:
    """Switch a safeguard off for as long as the block lasts; gives what `play` must be told. None: none is off."""
    match safeguard:
        case "intent":
            yield {"before_run": _forget_intents}
        case "precondition":
            with (
                patch.object(Applier, "_still_there", _whatever_is_there),
                patch.object(Applier, "_current_absence", _whatever_absence_is_there),
            ):
                yield {"checks": False, "rivalry": 0.5}
        case "agreed":
            with patch.object(AgentRunner, "work", _after_following(AgentRunner.work)):
                yield {}
        case "marker":
            with patch.object(recognition, "recognise", _recognise_any_marker):
                yield {}
        case "other_sync":  # copies are written beside those of RDV-Solidarités' own sync
            with patch.object(deciding, "_adds_to_doubles", lambda _operation: False):
                yield {}
        case "conflicts":  # RDVs over busy time are not looked for
            with patch.object(planning, "rdvs_over_busy", lambda *_arguments: ()):
                yield {}
        case _:
            yield {}


# --- intent: writes whose outcome is unknown are forgotten ---------------------------------------------------


def _forget_intents(world: World) -> None:
    with Store.transaction(world.store) as tx:
        for intent in world.store.open_intents():
            tx.close_intent(intent.id, "forgotten")


# --- precondition: what is there is written over, whatever it is ---------------------------------------------


def _whatever_is_there(
    _applier: Applier, account: CalendarAccount, calendar: str, operation: Operation
) -> CalendarItem | None:
    return account.read(calendar, operation.href)


def _whatever_absence_is_there(applier: Applier, operation: Operation) -> tuple[int, Absence | None]:
    assert operation.absence_id is not None
    return operation.absence_id, applier.rdv_solidarites.absence(operation.absence_id)


# --- agreed: the ancestor follows what is observed -----------------------------------------------------------


def _after_following(work: Any) -> Any:
    def wrapped(runner: AgentRunner, agent: LinkedAgent, reading: RdvSolidaritesReading) -> AgentReport:
        _follow(runner.store, agent)
        report: AgentReport = work(runner, agent, reading)
        return report

    return wrapped


def _follow(store: Store, agent: LinkedAgent) -> None:
    view = store.agent_view(agent.agent_id)
    absences = {seen.absence.id: seen for seen in view.absences}
    events = {(event.ref, event.href): event for event in view.events}
    with Store.transaction(store) as tx:
        for block in view.blocks:
            seen = absences.get(block.absence_id)
            if seen is None or seen.presence is Presence.UNKNOWN:
                continue
            if seen.presence is Presence.GONE:
                tx.drop_block(block.absence_id)
                tx.forget_absences([block.absence_id])
            else:
                start, end = absence_span(seen.absence)
                tx.put_block(replace(block, start=start, end=end))
        for mirror in view.mirrors:
            event = events.get((mirror.ref, mirror.href))
            if event is not None and event.times is not None:
                start, end = absence_times(event.times, agent.zone)
                tx.put_mirror(replace(mirror, start=start, end=end))
        for copy in view.copies:
            event = events.get((copy.ref, copy.href))
            if event is not None:
                tx.put_copy(replace(copy, owned_digest=event.owned_digest))


# --- marker: whatever bears one of ours is taken for ours ----------------------------------------------------


def _recognise_any_marker(
    uid: str, marker: str | None, candidates: Mapping[str, tuple[Kinship, int, str]]
) -> Recognised:
    for kinship, number, expected in candidates.values():
        if marker == expected:
            return Recognised(kinship, number)
    return recognise(uid, marker, candidates)
