"""`approve`: show what is held, and let it through. The next sync does it if its plan is still the same."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.table import Table

from gateway.cli.approve_wave import Group, group_json, show_group, wave_group
from gateway.cli.conflicts import doubled_agents, doubled_text
from gateway.cli.describe import place, thing, which
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.clock import SystemClock
from gateway.store.store import Store
from gateway.store.values import HoldRow
from gateway.sync.approval import Approval, approve, pending
from gateway.sync.values import HoldReason

HOLD_COLUMNS = ("Agent", "Where", "Action", "What", "When", "Which", "Held since", "Held for")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which holds the command line names. `op_class` and `reason` None: all."""

    agents: tuple[int, ...]
    every: bool
    op_class: str | None
    reason: str | None
    wave: int | None = None

    def takes(self, hold: HoldRow) -> bool:
        """Whether a hold of a chosen agent is meant."""
        return self.op_class in (None, hold.op_class.value) and self.reason in (None, hold.reason.value)


def run(config: Path, choice: Choice, *, yes: bool, as_json: bool) -> Exit:
    """Show, ask unless `yes`, approve."""
    if choice.wave is not None:
        return _run_wave(config, choice, yes=yes, as_json=as_json)
    if choice.every == bool(choice.agents):
        raise UserError("Name the agents to approve, or give --all.", remedy="See `rdv-gateway status` for their ids.")
    with local(config) as (_settings, store):
        require_enrolled(store, choice.agents)
        approval = chosen(store, choice)
        if not as_json:
            show(approval)
            _tell_doubled(store, choice)
        if not approval.holds and not approval.agents:
            if as_json:
                print_json({"approved": [], "first_runs": []})
            else:
                messages().print("Nothing waits there. A first run waits once `rdv-gateway plan` has shown it.")
            return Exit.FINE
        if not yes and not _confirmed(approval, as_json=as_json):
            if as_json:
                print_json({"approved": [], "first_runs": [], "held": _holds_json(approval)})
            messages().print("Nothing was approved; --yes approves without asking.")
            return Exit.NEEDS_PERSON
        approve(store, approval, at=SystemClock().now(), by=getpass.getuser())
    if as_json:
        print_json({"approved": _holds_json(approval), "first_runs": list(approval.agents)})
    else:
        results().print(f"{len(approval.holds)} approved. The next sync does them if its plan is still the same.")
    return Exit.FINE


def _run_wave(config: Path, choice: Choice, *, yes: bool, as_json: bool) -> Exit:
    """The first runs of a wave, as one. Those that stand out are left out, unless named."""
    if choice.every or choice.op_class is not None or choice.reason is not None:
        raise UserError("--wave approves whole first runs.", remedy="Leave --all, --class and --reason out.")
    with local(config) as (settings, store):
        require_enrolled(store, choice.agents)
        group = wave_group(store, choice.wave, choice.agents, settings.outliers.to_rules())
        if not as_json:
            show_group(group)
            _tell_doubled(store, choice, group.approval.agents)
        approved = bool(group.approval.agents) and (yes or (not as_json and _confirmed_wave(group)))
        if approved:
            approve(store, group.approval, at=SystemClock().now(), by=getpass.getuser())
    if as_json:
        print_json({"approved": approved, **group_json(group)})
    elif approved:
        results().print(f"{len(group.approval.agents)} first runs approved. The next sync does them.")
    elif group.approval.agents:
        messages().print("Nothing was approved; --yes approves without asking.")
    done = approved or not group.approval.agents
    return Exit.FINE if done and not group.left_out else Exit.NEEDS_PERSON


def _tell_doubled(store: Store, choice: Choice, agents: Collection[int] = ()) -> None:
    """Whose RDVs no approval lets through, before anything is approved."""
    named = {*agents, *choice.agents}
    doubled = [agent_id for agent_id in doubled_agents(store) if choice.every or agent_id in named]
    if doubled:
        messages().print(doubled_text(doubled))


def chosen(store: Store, choice: Choice) -> Approval:
    """What the choice covers. A first run goes through as a whole only: a part of it leaves the agent waiting."""
    waiting = pending(store, None if choice.every else choice.agents)
    whole = choice.op_class is None and choice.reason in (None, HoldReason.FIRST_RUN.value)
    return Approval(
        holds=tuple(hold for hold in waiting.holds if choice.takes(hold)), agents=waiting.agents if whole else ()
    )


def show(approval: Approval) -> None:
    """What waits, as a table on stdout, and whose first run it is."""
    console = results()
    if approval.holds:
        console.print(holds_table(approval.holds))
    if approval.agents:
        console.print(f"First run of: {', '.join(map(str, approval.agents))}.")


def holds_table(holds: Sequence[HoldRow]) -> Table:
    """Holds for people: ids and times."""
    return table("Held", HOLD_COLUMNS, map(_row, holds))


def hold_json(hold: HoldRow) -> dict[str, object]:
    """A hold for scripts: ids and times."""
    return {
        "agent": hold.agent_id,
        "reason": hold.reason.value,
        "explanation": hold.explanation,
        "class": hold.op_class.value,
        "side": hold.side.value,
        "action": hold.action.value,
        "object": hold.kind.value,
        "when": hold.when,
        "rdv": hold.rdv_id,
        "absence": hold.absence_id,
        "href": hold.href or None,
        "since": hold.since,
        "digest": hold.digest,
    }


def _row(hold: HoldRow) -> tuple[object, ...]:
    return (
        hold.agent_id,
        place(hold.side),
        hold.action.value,
        thing(hold.kind),
        moment(hold.when),
        which(hold.rdv_id, hold.absence_id),
        moment(hold.since),
        hold.explanation or hold.reason.value,
    )


def _holds_json(approval: Approval) -> list[dict[str, object]]:
    return [hold_json(hold) for hold in approval.holds]


def _confirmed_wave(group: Group) -> bool:
    if not sys.stdin.isatty():
        return False
    return typer.confirm(f"Let these {len(group.approval.agents)} first runs through?", err=True)


def _confirmed(approval: Approval, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    return typer.confirm(f"Let these {len(approval.holds)} through?", err=True)
