"""`approve`: show what is held, and let it through. The next sync does it if its plan is still the same."""

from __future__ import annotations

import getpass
import sys
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import typer

from gateway.cli.describe import place, thing, which
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.clock import SystemClock
from gateway.store.store import Store
from gateway.store.values import HoldRow
from gateway.sync.values import AgentState, JournalEntry

HOLD_COLUMNS = ("Agent", "Where", "Action", "What", "When", "Which", "Held since", "Held for")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which holds the command line names. `op_class` and `reason` None: all."""

    agents: tuple[int, ...]
    every: bool
    op_class: str | None
    reason: str | None

    def takes(self, hold: HoldRow) -> bool:
        """Whether this hold is meant."""
        return (
            (self.every or hold.agent_id in self.agents)
            and self.op_class in (None, hold.op_class.value)
            and self.reason in (None, hold.reason.value)
        )

    @property
    def whole(self) -> bool:
        """Whether everything of an agent is meant, not some classes or reasons only."""
        return self.op_class is None and self.reason is None


def run(config: Path, choice: Choice, *, yes: bool, as_json: bool) -> Exit:
    """Show, ask unless `yes`, approve."""
    if choice.every == bool(choice.agents):
        raise UserError("Name the agents to approve, or give --all.", remedy="See `rdv-gateway status` for their ids.")
    with local(config) as (_settings, store):
        require_enrolled(store, choice.agents)
        holds = [hold for hold in store.holds() if choice.takes(hold)]
        waiting = first_runs(store, choice, holds)
        if not as_json:
            show(holds)
        if not holds and not waiting:
            if as_json:
                print_json({"approved": [], "first_runs": []})
            else:
                messages().print("Nothing is held there. A first run is held once `rdv-gateway plan` has shown it.")
            return Exit.FINE
        if not yes and not _confirmed(len(holds), as_json=as_json):
            if as_json:
                print_json({"approved": [], "first_runs": [], "held": [hold_json(hold) for hold in holds]})
            messages().print("Nothing was approved; --yes approves without asking.")
            return Exit.NEEDS_PERSON
        approve(store, holds, waiting, now=SystemClock().now(), by=getpass.getuser())
    if as_json:
        print_json({"approved": [hold_json(hold) for hold in holds], "first_runs": waiting})
    else:
        results().print(f"{len(holds)} approved. The next sync does them if its plan is still the same.")
    return Exit.FINE


def first_runs(store: Store, choice: Choice, holds: list[HoldRow]) -> list[int]:
    """Agents whose first run the choice lets through as a whole: a part of it leaves the rest waiting."""
    if not choice.whole and choice.reason != "first_run":
        return []
    if choice.op_class is not None:
        return []
    shown = {hold.agent_id for hold in holds}
    return [agent.agent_id for agent in store.agents([AgentState.FIRST_RUN]) if agent.agent_id in shown]


def approve(store: Store, holds: list[HoldRow], first: list[int], *, now: datetime, by: str) -> None:
    """Record the approvals, each agent's in one transaction with its journal entry."""
    digests: dict[int, list[str]] = defaultdict(list)
    for hold in holds:
        digests[hold.agent_id].append(hold.digest)
    for agent_id, approved in digests.items():
        with store.transaction() as transaction:
            transaction.approve(agent_id, approved, at=now, by=by)
            if agent_id in first:
                transaction.set_first_run_approved(agent_id)
            transaction.journal(
                JournalEntry(
                    at=now,
                    run_id="",
                    agent_id=agent_id,
                    side="gateway",
                    action="approve",
                    object="hold",
                    reference=f"{len(approved)} operations",
                    rule=f"approved by {by}",
                )
            )


def show(holds: list[HoldRow]) -> None:
    """The holds as a table on stdout."""
    if holds:
        results().print(table("Held", HOLD_COLUMNS, map(_row, holds)))


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


def _confirmed(count: int, *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    return typer.confirm(f"Let these {count} through?", err=True)
