"""`reject` and `pins`: what a person refused, and what therefore stays as it is."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from gateway.cli.approve import Choice, chosen, hold_json, holds_table
from gateway.cli.exits import Exit, UserError
from gateway.cli.holds import states_table
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local, require_enrolled
from gateway.clock import SystemClock
from gateway.composition import engine_settings
from gateway.keys import load_keys
from gateway.store.values import HoldRow
from gateway.sync.engine import plan_context
from gateway.sync.planning.pins import pin_text
from gateway.sync.rejecting import reject as reject_holds
from gateway.sync.rejecting import unpin
from gateway.sync.values import Pin, PinnedThing

_PIN_COLUMNS = ("Agent", "What", "Which", "Since", "By", "After")
_THINGS = {PinnedThing.RDV: "copy of an RDV", PinnedThing.BLOCK: "busy block", PinnedThing.MIRROR: "absence, its event"}


def reject(config: Path, choice: Choice, *, yes: bool, as_json: bool) -> Exit:
    """Show, ask unless `yes`, refuse."""
    if choice.every == bool(choice.agents):
        raise UserError("Name the agents, or give --all.", remedy="See `rdv-gateway holds`.")
    with local(config) as (settings, store):
        require_enrolled(store, choice.agents)
        holds = chosen(store, choice).holds
        if not as_json and holds:
            results().print(states_table(holds))
            results().print(holds_table(holds))
        if not holds:
            return _nothing(as_json=as_json)
        if not yes and not _confirmed(holds, as_json=as_json):
            if as_json:
                print_json({"rejected": 0, "held": [hold_json(hold) for hold in holds]})
            messages().print("Nothing was rejected; --yes rejects without asking.")
            return Exit.NEEDS_PERSON
        now = SystemClock().now()
        context = plan_context(engine_settings(settings), load_keys(settings.gateway.keys), now)
        count = reject_holds(store, context, holds, at=now, by=getpass.getuser())
    if as_json:
        print_json({"rejected": count, "held": [hold_json(hold) for hold in holds]})
    else:
        left = f" {len(holds) - count} are not planned any more." if count < len(holds) else ""
        results().print(f"{count} rejected: they stay as they are until their source changes.{left}")
    return Exit.FINE


def pins(config: Path, agent_ids: Sequence[int], *, remove: bool, approve: bool, as_json: bool) -> Exit:
    """List, or remove. Removing needs agents to be named."""
    if approve and not remove:
        raise UserError("--approve goes with --remove.", remedy="Give both, or neither.")
    if remove and not agent_ids:
        raise UserError("Name the agents whose pins are to be removed.", remedy="See `rdv-gateway pins`.")
    with local(config) as (_settings, store):
        require_enrolled(store, agent_ids)
        found = [pin for pin in store.pins() if not agent_ids or pin.agent_id in agent_ids]
        removed = 0
        if remove:
            removed = unpin(store, found, at=SystemClock().now(), by=getpass.getuser(), approve=approve)
    if as_json:
        print_json({"pins": [_pin_json(pin) for pin in found], "removed": removed})
    elif found:
        results().print(table("Removed" if remove else "Pinned", _PIN_COLUMNS, map(_pin_row, found)))
    else:
        messages().print("Nothing is pinned.")
    return Exit.FINE


def _nothing(*, as_json: bool) -> Exit:
    if as_json:
        print_json({"rejected": 0, "held": []})
    else:
        messages().print("Nothing waits there.")
    return Exit.FINE


def _confirmed(holds: Sequence[HoldRow], *, as_json: bool) -> bool:
    if as_json or not sys.stdin.isatty():
        return False
    return typer.confirm(f"Refuse these {len(holds)}?", err=True)


def _pin_json(pin: Pin) -> dict[str, object]:
    return {
        "agent": pin.agent_id,
        "thing": pin.thing.value,
        "number": pin.number,
        "since": pin.at,
        "by": pin.by,
        "after": pin.reason,
    }


def _pin_row(pin: Pin) -> tuple[object, ...]:
    return (pin.agent_id, _THINGS[pin.thing], pin_text(pin), moment(pin.at), pin.by, pin.reason)
