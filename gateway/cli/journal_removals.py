"""`journal purge`, `journal erase`: what ends. Both only say what would be, unless they are told to do it."""

from __future__ import annotations

import getpass
from datetime import datetime
from pathlib import Path

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, progress, results
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.journal.log import JournalFilter
from gateway.journal.purging import Purge
from gateway.store.store import Store
from gateway.sync.values import AgentState

_READ_MEANWHILE = "Somebody read meanwhile: traces stay in the database's log until the next sweep. Run it again."


def purge(config: Path, *, yes: bool, as_json: bool) -> Exit:
    """What is older than the configuration keeps."""
    now = SystemClock().now()
    with local(config) as (settings, store):
        kept = settings.journal
        entries_before = None if kept.entries_age is None else now - kept.entries_age
        work = Purge(store, content_before=now - kept.content_age, entries_before=entries_before)
        contents, entries = work.found()
        if entries and yes:
            _require_whole(store, as_json=as_json)
        swept = True
        if yes:
            with progress("Purging…", as_json=as_json):
                contents, entries, swept = work.run(at=now, by=getpass.getuser())
    if as_json:
        print_json({"done": yes, "contents": contents, "entries": entries, "swept": swept})
        return Exit.FINE
    ended = "removed" if yes else "would be removed"
    console = results()
    console.print(f"{contents} pre-images from before {moment(work.content_before)} {ended}.")
    if entries_before is not None:
        console.print(f"{entries} entries from before {moment(entries_before)} {ended}.")
    if not yes:
        messages().print("Nothing was removed; --yes does it.")
    if not swept:
        messages().print(_READ_MEANWHILE)
    return Exit.FINE


def _require_whole(store: Store, *, as_json: bool) -> None:
    """An anchor would stand for what was tampered with, and hide it."""
    with progress("Verifying…", as_json=as_json):
        whole = store.verify_journal().is_whole
    if not whole:
        raise UserError(
            "The journal is not as it was written; entries are not removed from it.",
            remedy="See `rdv-gateway journal verify`.",
            code=Exit.NEEDS_PERSON,
        )


def erase(config: Path, agent_id: int, *, yes: bool, as_json: bool) -> Exit:
    """All that is personal of one agent."""
    now: datetime = SystemClock().now()
    with local(config) as (_settings, store):
        agent = store.agent(agent_id)
        if agent is None and not store.journal(chosen=JournalFilter(agent_id=agent_id), limit=1):
            raise UserError(f"Nobody here has the id {agent_id}.", remedy="See `rdv-gateway agents` for their ids.")
        contents, swept = 0, True
        if yes:
            with store.transaction() as tx:
                contents = tx.erase_person(agent_id, at=now, by=getpass.getuser())
            swept = store.sweep()
    if as_json:
        print_json({"agent": agent_id, "done": yes, "contents": contents, "swept": swept})
        return Exit.FINE if yes else Exit.NEEDS_PERSON
    if not yes:
        left = agent is None or agent.state is AgentState.LEFT
        messages().print(f"Nothing was erased; --yes does it{'' if left else ', once they have left'}.")
        return Exit.NEEDS_PERSON
    results().print(f"The key of agent {agent_id} is destroyed, {contents} pre-images are removed.")
    results().print("Copies of the database hold what nobody can read any more; copies of the keys must go too.")
    if not swept:
        messages().print(_READ_MEANWHILE)
    return Exit.FINE
