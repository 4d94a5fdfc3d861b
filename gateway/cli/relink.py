"""`agents relink`: an agent's calendar has another address now."""

from __future__ import annotations

import getpass
from pathlib import Path

from gateway.agents.relinking import relink
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import print_json, progress, results
from gateway.cli.session import require_enrolled, syncing
from gateway.composition import Application
from gateway.sync.values import CalendarRef, LinkedAgent


def run(config: Path, agent_id: int, to: str, *, as_json: bool) -> Exit:
    """Refuses while the old calendar still answers: that would be another calendar, not the same one elsewhere."""
    with syncing(config) as application, progress("Reading the calendar…", as_json=as_json):
        require_enrolled(application.store, [agent_id])
        agent = next(each for each in application.store.agents() if each.agent_id == agent_id)
        old, new = _places(application, agent, to)
        application.engine.calendars.read(application.accounts[new.account], new, "")
        relink(application.store, agent, old, new, at=application.clock.now(), by=getpass.getuser())
    if as_json:
        print_json({"agent": agent_id, "from": str(old), "to": str(new)})
    else:
        results().print(f"Agent {agent_id}: {old} is {new} from now on. Next: `rdv-gateway plan`.")
    return Exit.FINE


def _places(application: Application, agent: LinkedAgent, to: str) -> tuple[CalendarRef, CalendarRef]:
    """The one calendar of the agent's that is gone, and its new place."""
    accounts = {ref.account for ref in agent.calendars}
    there = {name: {each.calendar for each in application.accounts[name].discover()} for name in accounts}
    gone = [ref for ref in agent.calendars if ref.calendar not in there[ref.account]]
    if len(gone) != 1:
        found = "all their calendars answer" if not gone else f"{len(gone)} of their calendars are gone"
        raise UserError(f"Agent {agent.agent_id}: {found}.", remedy="Only one that is gone can be at another address.")
    new = CalendarRef(gone[0].account, to)
    if to not in there[new.account]:
        known = ", ".join(sorted(there[new.account]))
        raise UserError(f"There is no calendar {to} in the account {new.account}.", remedy=f"There are: {known}.")
    if any(new in other.calendars for other in application.store.agents()):
        raise UserError(f"{new} is linked already.", remedy="Name the calendar that this agent's was moved to.")
    return gone[0], new
