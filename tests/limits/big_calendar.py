"""Observes and plans one huge calendar, in a process of its own, so that what it takes can be measured.

Prints one JSON line: seconds of own CPU, peak memory in MB, and what came of it.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from connectors.caldav import CalDavAccount, CalDavSettings
from gateway.keys import create_key_file, load_keys
from gateway.rules.book import RuleBook
from gateway.store.database import open_database, upgrade
from gateway.store.store import Store
from gateway.sync.observe_calendars import CalendarObserver
from gateway.sync.planning import PlanContext, make_plan
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent
from mappings.busy_rules import Patterns
from mappings.identity import Identity

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


class _Clock:
    def now(self) -> datetime:
        return NOW

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


def _peak_kb() -> int:
    """The largest resident memory of this program: what getrusage tells includes the process that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))


def main(url: str, home: str, calendar: str, folder: str) -> None:
    keys_file = Path(folder) / "keys"
    create_key_file(keys_file)
    keys = load_keys(keys_file)
    account = CalDavAccount(CalDavSettings("agenda", url, "alice", "secret-alice", home=home), now=lambda: NOW)
    place = Path(folder) / "gateway.sqlite3"
    upgrade(place)
    with closing(open_database(place, keys)) as database, closing(account):
        store = Store(database)
        began = time.process_time()
        ref = CalendarRef("agenda", calendar)
        agent = LinkedAgent(1, ZoneInfo("Europe/Paris"), (ref,), ref, AgentState.LIVE)
        with store.transaction() as tx:
            tx.put_agent(agent)
        mark = next(each.mark for each in account.look() if each.calendar == calendar)
        CalendarObserver(store, _Clock(), keys.digest_key, timedelta(days=56), Patterns()).read(account, ref, mark)
        context = PlanContext(
            now=NOW,
            rulebook=RuleBook(),
            identity=Identity(keys.identity_key, keys.instance_id),
            digest_key=keys.digest_key,
            default_zone=ZoneInfo("Europe/Paris"),
            organisation_zones={},
        )
        view = store.agent_view(1)
        plan = make_plan(view, context)
        result = {
            "cpu": time.process_time() - began,
            "peak_mb": _peak_kb() / 1024,
            "events": len(view.events),
            "operations": len(plan.operations),
            "set_aside": [asdict(each) for each in plan.set_aside],
            "requests": account.requests,
        }
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
