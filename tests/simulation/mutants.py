"""Mistakes put into the sync code from outside, to prove that the simulation would see them. The product has no such
switch: the source of one of its functions is changed, compiled again and put in its place, for as long as a block
lasts. A mutant whose text is not found any more is an error, so that none outlives what it was made for."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib import import_module
from types import FunctionType
from typing import Any
from unittest.mock import patch

from gateway.store.store import Store
from gateway.sync.agent_run import AgentRunner
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading
from gateway.sync.values import AgentReport, LinkedAgent, Presence
from mappings.absence_event import absence_span, absence_times
from tests.simulation.faults import Fault

BOUND = 150
"""Within so many seeds each mutant must be caught."""

_RIVALS = {"rivalry": 0.5}
_LATE = {"only": (Fault.TIMEOUT_LATE,)}
_LOST = {"only": (Fault.TIMEOUT_DONE, Fault.TROUBLE_DONE, Fault.TIMEOUT, Fault.TROUBLE, Fault.TIMEOUT_LATE)}
_EDITED = {"only": (Fault.EDITED,), **_RIVALS}
_KILLED = {"only": (Fault.KILL,)}
_CALM = {"aims": 0.0}
_STOPPED = {"only": (Fault.STOP,)}


@dataclass(frozen=True, slots=True)
class Mutant:
    """`where`: module:function or module:class.method. `was`, `becomes`: text of its body. `play`: what makes the
    history likely to notice."""

    where: str
    was: str
    becomes: str
    play: Mapping[str, Any] = field(default_factory=dict)


_SYNC = "gateway.sync."
_APPLY, _SETTLE, _RECORD = f"{_SYNC}apply:Applier.", f"{_SYNC}settle:Settler.", f"{_SYNC}record:"
_READ = f"{_SYNC}observe_rdv_solidarites:"
_PLANNING = f"{_SYNC}planning."
_JUDGING = "gateway.alerts.judging:"
_ALARMED = {"alarmed": True}
_TOLD = {"told": True}

_TEXTS: dict[str, Mutant] = {
    # --- intents and lost answers
    "intents forgotten": Mutant(
        "gateway.store.work:open_intents", "opened_at, highest, before in rows", "opened_at, highest, before in ()"
    ),
    "creation tried again early": Mutant(
        f"{_SETTLE}_close_if_late", "read_at >= intent.opened_at + patience", "read_at >= intent.opened_at", _LATE
    ),
    "answers given up are waited for from when they were asked for": Mutant(
        f"{_APPLY}_await", "max(intent.opened_at, self.clock.now())", "intent.opened_at", {"only": (Fault.CLOCK,)}
    ),
    "creation settled without a complete listing": Mutant(
        f"{_SETTLE}_settle_creation", "(intent, self.absences_proven_at)", "(intent, self.clock.now())", _LATE
    ),
    "lost creation not adopted": Mutant(
        f"{_SETTLE}_settle_creation", "and _is_called_right(absence, operation)", "and False", _LOST
    ),
    "open intents planned again": Mutant(
        f"{_PLANNING}__init__:_without_open_intents", "if operation.digest not in open_digests", "if True", _LOST
    ),
    "changes of an unsettled absence judged": Mutant(
        f"{_PLANNING}pool_state:unsettled_absences", "intent.operation.side is Side.RDV_SOLIDARITES", "False", _LOST
    ),
    "unanswered writes not journaled": Mutant(
        f"{_RECORD}Recorder.unanswered", "tx.journal(replace(entry, ", "dict(entry=replace(entry, ", _LOST
    ),
    "an unanswered change taken for done": Mutant(
        f"{_SETTLE}_settle_event",
        "not self._is_as_asked(operation, self.observer.see(account, operation.ref, item))",
        "False",
        _LOST,
    ),
    # --- preconditions and pre-images
    "event not compared before a write": Mutant(
        f"{_APPLY}_still_there",
        "found != operation.basis",
        "False",
        {"checks": False, **_RIVALS},
    ),
    "absence not compared before a write": Mutant(f"{_APPLY}_current_absence", "!= operation.basis", '== ""', _RIVALS),
    "pre-image not kept": Mutant(
        f"{_APPLY}_apply", "replace(ready.send(), before=ready.before)", "ready.send()", _EDITED
    ),
    "titles that persons typed overwritten": Mutant(
        f"{_APPLY}_update_absence", "operation.kind is ObjectKind.BUSY_BLOCK and is_tagged(current.title)", "True"
    ),
    # --- what is agreed
    "agreed is what was asked, not what was read again": Mutant(
        f"{_RECORD}Recorder._agreed_fields", "if is_ours else", "if not is_ours else"
    ),
    "an edit between write and reading is agreed": Mutant(
        f"{_RECORD}Recorder._agreed_fields", "if is_ours else", "if True else", _EDITED
    ),
    # --- webhooks
    "webhooks that come late are believed": Mutant(
        f"{_SYNC}order:judge", "as_of(written_at) < said.at or", "False and as_of(written_at) < said.at or", _TOLD
    ),
    "echoes of writes before the last are believed": Mutant(
        f"{_SYNC}order:judge", "return Verdict.DOUBTFUL", "return Verdict.APPLY", _TOLD
    ),
    # --- proofs of absence, cursors
    "cursor moved before what it stands for is kept": Mutant(
        f"{_SYNC}observe_calendars:CalendarObserver._read_changes",
        "events = self._events(account, ref, changes, known)",
        "self._keep(ref, CalendarState(changes.cursor, mark or changes.mark, read_at, self.patterns.digest), [],"
        " gone=(), known=None, run_id=run_id); events = self._events(account, ref, changes, known)",
        _KILLED,
    ),
    "one listing proves an absence gone": Mutant(
        f"{_READ}RdvSolidaritesObserver._prove_absences", "found = self.client.absence(each.id)", "found = None"
    ),
    "lost rights prove an RDV gone": Mutant(f"{_READ}_why_not_believed", "rdv.service_id not in services", "False"),
    # --- zones, names, labels
    "zone of the organisation ignored": Mutant(
        f"{_PLANNING}copies:_Planner.decide",
        "rdv_zone(rdv, self.context.organisation_zone(rdv.organisation_id))",
        "self.context.default_zone",
    ),
    "zone of an absence swapped": Mutant(
        "mappings.absence_event:absence_draft", "_draft_times(absence, zone)", '_draft_times(absence, ZoneInfo("UTC"))'
    ),
    "marker not checked against its UID": Mutant(
        "mappings.identity:recognise",
        "if not uid.startswith(NAMESPACE):",
        "for kinship, number, expected in candidates.values():\n"
        "        if marker == expected:\n"
        "            return Recognised(kinship, number)\n"
        "    if not uid.startswith(NAMESPACE):",
    ),
    "label ignored": Mutant(f"{_APPLY}_create_absence", "absence_title(operation.label)", 'absence_title("")'),
    "label not followed": Mutant(f"{_PLANNING}blocks:_labels", "want.label != have.label", "False"),
    # --- hands of persons
    "freed by hand, forgotten": Mutant(
        f"{_RECORD}apply_change",
        "tx.forget_absences([absence_id])\n            tx.add_suppressions(change.suppressions)",
        "tx.forget_absences([absence_id])",
        _CALM,
    ),
    "shortened by hand, forgotten": Mutant(
        f"{_RECORD}apply_change",
        "tx.put_block(_required(change.block))\n            tx.add_suppressions(change.suppressions)",
        "tx.put_block(_required(change.block))",
        _CALM,
    ),
    "a block that a person moved stays ours": Mutant(
        f"{_PLANNING}pool_state:judge_pool", "released if block.origin is BlockOrigin.RELEASED else ours", "ours"
    ),
    "same time on both sides not paired": Mutant(
        f"{_PLANNING}blocks:_pairs", "block is not None and (tagged or interval not in met)", "False"
    ),
    "own event not found again": Mutant(f"{_PLANNING}mirrors:_first_event", "events.mirrors.get(absence.id)", "None"),
    "pins ignored": Mutant(f"{_PLANNING}pins:Pins.holds", "version is None or version == pin.version", "False"),
    # --- guard and brakes
    "first run not held": Mutant(f"{_SYNC}guard.deciding:_reason", "context.state is AgentState.FIRST_RUN", "False"),
    "found absence changed without approval": Mutant(
        f"{_SYNC}guard.deciding:_reason", "operation.needs_approval", "False"
    ),
    "unproven removals not held": Mutant(f"{_SYNC}guard.deciding:_reason", "bool(operation.unproven)", "False"),
    "copies beside those of another sync": Mutant(
        f"{_SYNC}guard.deciding:_adds_to_doubles", "operation.kind is ObjectKind.RDV_COPY", "False"
    ),
    "RDVs over busy time not looked for": Mutant(
        f"{_PLANNING}__init__:make_plan", "*rdvs_over_busy(view, blocks.busy, blocks.claimed, context),", ""
    ),
    "stop ignored": Mutant(f"{_APPLY}_open", "if known.stopped", "if False", _STOPPED),
    "ceiling ignored": Mutant(f"{_APPLY}_open", "tx.count_write(remote, at=now)", "pass"),
    "alert told again": Mutant(f"{_JUDGING}_word", "entry.told_at is None", "True", _ALARMED),
    "end of an alert not told": Mutant(f"{_JUDGING}_is_news_when_over", "return", "return False and", _ALARMED),
    "end of an alert told to anybody": Mutant(
        f"{_JUDGING}_is_news_when_over", "entry.told_at is not None and", "", _ALARMED
    ),
}

_FOLLOWING = "agreed moved while held"
MUTANTS = (*_TEXTS, _FOLLOWING)


def hints(name: str | None) -> Mapping[str, Any]:
    """What `play` is told when this mutant is looked for. None: no mutant."""
    return _TEXTS[name].play if name in _TEXTS else {}


@contextmanager
def mutated(name: str | None) -> Iterator[None]:
    """Put a mutant in for as long as the block lasts. None: nothing is changed."""
    if name is None:
        yield
    elif name == _FOLLOWING:
        with patch.object(AgentRunner, "work", _after_following(AgentRunner.work)):
            yield
    else:
        mutant = _TEXTS[name]
        function = _function(mutant.where)
        code = function.__code__
        function.__code__ = _changed(function, mutant)
        try:
            yield
        finally:
            function.__code__ = code


def _function(where: str) -> FunctionType:
    module, _, path = where.partition(":")
    found: Any = import_module(module.removesuffix(".__init__"))
    for name in path.split("."):
        found = getattr(found, name)
    assert isinstance(found, FunctionType)
    return found


def _changed(function: FunctionType, mutant: Mutant) -> Any:
    source = textwrap.dedent(inspect.getsource(function))
    was = mutant.was if function.__qualname__ == function.__name__ else mutant.was.replace("\n    ", "\n")
    assert source.count(was) == 1, f"{mutant.where} does not hold {was!r} once"
    made: dict[str, Any] = {}
    exec("from __future__ import annotations\n" + source.replace(was, mutant.becomes), function.__globals__, made)
    return made[function.__name__].__code__


# --- the ancestor follows what is observed -------------------------------------------------------------------


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
