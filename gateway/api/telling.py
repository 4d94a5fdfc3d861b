"""What business applications are told of: what is there now beside what was there when it was looked at last, and the
journal's entries on copies of RDVs since then. Ids, states and instants only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.ports import Clock
from gateway.api.resources import conflict_id
from gateway.keys import Keyring
from gateway.store.business import Event, Known, Target
from gateway.store.store import Store

_READ_TO = "business/journal"
_ENTRIES = 2_000
KEPT = timedelta(days=4)
"""Events that are older are forgotten: longer than any target is waited for."""


@dataclass(frozen=True, slots=True)
class Teller:
    """`targets`: names of those that are configured. To be called by one thread at a time."""

    store: Store
    clock: Clock
    targets: tuple[str, ...]

    def look(self) -> int:
        """Note what changed, as events; how many. The first look tells nothing: all that is there was there before.

        What came and went between two looks is not told. Reading takes no turn to write; what was read twice after a
        crash is noted once, since it is noted together with what it makes known.
        """
        now = self.clock.now()
        read_to = self.store.note(_READ_TO)
        with self.store.business() as tables:
            present, known, homes = tables.present(), tables.known(), tables.homes()
            last, copies = tables.copies_since(int(read_to or tables.last_journal_id()), _ENTRIES)
            is_new = set(tables.targets()) != set(self.targets)
        events: list[Event] = []
        if read_to is not None:
            events = [*self._changes(present, known, homes, now), *copies]
        changed = {key: value for key, value in present.items() if known.get(key) != value}
        gone = [key for key in known if key not in present]
        if changed or gone or events or is_new or str(last) != read_to:
            with self.store.transaction() as tx:
                newest = tx.business.last_event_id()
                tx.business.drop_targets(self.targets)
                for name in set(self.targets) - set(tx.business.targets()):
                    tx.business.put_target(Target(name, cursor=newest))
                tx.business.set_known(changed, gone)
                tx.business.add_events(events)
                tx.business.forget_events(now - KEPT)
                tx.put_note(_READ_TO, str(last))
        return len(events)

    def _changes(
        self,
        present: Mapping[Known, Mapping[str, Any]],
        known: Mapping[Known, Mapping[str, Any]],
        homes: Mapping[int, int | None],
        now: datetime,
    ) -> Iterator[Event]:
        """What ended before what began, so that a receiver that keeps one state per agent ends with the right one."""
        for key, before in sorted(known.items()):
            if key not in present and key.kind != "state":
                data = shown(self.store.keys, key, before)
                yield Event(f"{key.kind}.ended", now, key.agent_id, homes.get(key.agent_id), data)
        for key, value in sorted(present.items()):
            if key.kind == "state":
                before_state = known.get(key, {}).get("state")
                if before_state != value["state"]:
                    data = {**value, "before": before_state}
                    yield Event("agent.state_changed", now, key.agent_id, homes.get(key.agent_id), data)
            elif key not in known:
                data = shown(self.store.keys, key, value)
                yield Event(f"{key.kind}.opened", now, key.agent_id, homes.get(key.agent_id), data)


def shown(keys: Keyring, key: Known, value: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of it. A conflict has the same `conflict` id as in the API."""
    if key.kind == "conflict":
        return {"conflict": conflict_id(keys, key.agent_id, key.key), **value}
    return dict(value)
