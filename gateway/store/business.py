"""What business applications are told: events in their order, what was told last, and how far each target is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, insert, select, tuple_

from gateway.store.codec import dump_json
from gateway.store.schema import agent_run, business_event, business_known, business_target, conflict, hold, journal
from gateway.store.schema import linked_agent as agent
from gateway.store.upsert import upsert

_COPIES = {"create": "rdv.copied", "pair": "rdv.copied", "update": "rdv.updated", "delete": "rdv.removed"}


class Known(NamedTuple):
    """Something that is there: `kind` `state`, `hold`, `conflict` or `sync_error`; `key` tells those of one agent
    apart; `value`: ids, states and instants, as JSON."""

    agent_id: int
    kind: str
    key: str


@dataclass(frozen=True, slots=True)
class Event:
    """Something to tell. `data`: ids, states and instants only. `id`: given by the database, in order; 0: none yet."""

    kind: str
    at: datetime
    agent_id: int
    organisation_id: int | None
    data: Mapping[str, Any]
    id: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """How far a receiver is. `cursor`: the last event that it took, or was not to get. `taken`, `dead`: how many it
    took, and how many were given up. `failing_since`: None while it takes what it is sent. Instants."""

    name: str
    cursor: int
    attempts: int = 0
    next_at: datetime | None = None
    failing_since: datetime | None = None
    last_taken_at: datetime | None = None
    taken: int = 0
    dead: int = 0
    last_dead_at: datetime | None = field(default=None)


@dataclass(frozen=True, slots=True)
class BusinessTables:
    """Used within one transaction, or for reading only. Datetimes are instants."""

    connection: Connection

    # --- what there is -------------------------------------------------------------------------------------------

    def homes(self) -> dict[int, int | None]:
        """By agent id, the home organisation."""
        return {row.agent_id: row.organisation_id for row in self._rows(agent.c.agent_id, agent.c.organisation_id)}

    def present(self) -> dict[Known, dict[str, Any]]:
        """All that is there now and is told of, but for the digests of conflicts as they are."""
        found = {Known(row.agent_id, "state", ""): {"state": row.state} for row in self._rows(*agent.c)}
        groups = (hold.c.agent_id, hold.c.op_class, hold.c.reason)
        counts = select(*groups, func.count().label("n"), func.min(hold.c.since).label("since")).group_by(*groups)
        for row in self.connection.execute(counts):
            data = {"class": row.op_class, "reason": row.reason, "since": row.since.isoformat()}
            found[Known(row.agent_id, "hold", f"{row.op_class}/{row.reason}")] = data
        there = select(conflict.c.agent_id, conflict.c.digest, conflict.c.kind, conflict.c.rdv_id)
        there = there.add_columns(conflict.c.absence_id, conflict.c.since).where(conflict.c.over_at.is_(None))
        for row in self.connection.execute(there):
            data = {"kind": row.kind, "rdv": row.rdv_id, "absence": row.absence_id, "since": row.since.isoformat()}
            found[Known(row.agent_id, "conflict", row.digest)] = data
        failed = select(agent_run.c.agent_id, agent_run.c.problem).where(agent_run.c.problem.is_not(None))
        for row in self.connection.execute(failed):
            first = json.loads(row.problem)[0]
            system = str(first["system"]).partition("/")[0]  # what follows names a person
            data = {"system": system, "addressee": first["addressee"]}
            found[Known(row.agent_id, "sync_error", f"{system}/{first['addressee']}")] = data
        return found

    def known(self) -> dict[Known, dict[str, Any]]:
        """What was there when it was looked at last."""
        rows = self._rows(*business_known.c)
        return {Known(row.agent_id, row.kind, row.key): json.loads(row.value) for row in rows}

    def set_known(self, present: Mapping[Known, Mapping[str, Any]], gone: Iterable[Known]) -> None:
        values = [{**key._asdict(), "value": dump_json(dict(data))} for key, data in present.items()]
        upsert(self.connection, business_known, values)
        columns = tuple_(business_known.c.agent_id, business_known.c.kind, business_known.c.key)
        for each in gone:
            self.connection.execute(delete(business_known).where(columns == tuple_(*each)))

    def copies_since(self, journal_id: int, limit: int) -> tuple[int, tuple[Event, ...]]:
        """What was done to copies of RDVs after an entry, and the entry that was looked at last."""
        columns = (journal.c.id, journal.c.at, journal.c.agent_id, journal.c.action, journal.c.reference)
        query = select(*columns, journal.c.object).where(journal.c.id > journal_id).order_by(journal.c.id).limit(limit)
        homes, events, last = self.homes(), [], journal_id
        for row in self.connection.execute(query):
            last = row.id
            kind, number = _COPIES.get(row.action), row.reference.removeprefix("rdv ")
            if row.object != "rdv_copy" or kind is None or row.agent_id is None or not number.isdecimal():
                continue
            data = {"rdv": int(number)}
            events.append(Event(kind, row.at, row.agent_id, homes.get(row.agent_id), data))
        return last, tuple(events)

    def last_journal_id(self) -> int:
        return self.connection.scalar(select(func.max(journal.c.id))) or 0

    # --- events --------------------------------------------------------------------------------------------------

    def add_events(self, events: Iterable[Event]) -> None:
        rows = [
            {
                "kind": each.kind,
                "at": each.at,
                "agent_id": each.agent_id,
                "organisation_id": each.organisation_id,
                "data": dump_json(dict(each.data)),
            }
            for each in events
        ]
        if rows:
            self.connection.execute(insert(business_event), rows)

    def events_after(self, event_id: int, limit: int) -> tuple[Event, ...]:
        """In their order."""
        columns = business_event.c
        query = select(business_event).where(columns.id > event_id).order_by(columns.id).limit(limit)
        return tuple(
            Event(row.kind, row.at, row.agent_id, row.organisation_id, json.loads(row.data), row.id)
            for row in self.connection.execute(query)
        )

    def last_event_id(self) -> int:
        """Of those that are waiting or remembered, and of all that any target has passed."""
        newest = self.connection.scalar(select(func.max(business_event.c.id))) or 0
        return max(newest, self.connection.scalar(select(func.max(business_target.c.cursor))) or 0)

    def forget_events(self, before: datetime) -> int:
        return self.connection.execute(delete(business_event).where(business_event.c.at < before)).rowcount

    # --- targets -------------------------------------------------------------------------------------------------

    def targets(self) -> dict[str, Target]:
        return {row.name: Target(*row) for row in self._rows(*business_target.c)}

    def put_target(self, target: Target) -> None:
        values = {name: getattr(target, name) for name in business_target.c.keys()}  # noqa: SIM118 - columns
        upsert(self.connection, business_target, [values])

    def drop_targets(self, kept: Iterable[str]) -> None:
        """Forget all but these."""
        self.connection.execute(delete(business_target).where(business_target.c.name.not_in(list(kept))))

    def waiting(self, target: Target) -> int:
        """How many events are ahead of a target, those that it is not to get included."""
        query = select(func.count()).where(business_event.c.id > target.cursor)
        return int(self.connection.scalar(query) or 0)

    def given_up(self, since: datetime) -> int:
        """How many events targets lost that lost one after an instant."""
        columns = business_target.c
        return int(self.connection.scalar(select(func.sum(columns.dead)).where(columns.last_dead_at > since)) or 0)

    def _rows(self, *columns: Any) -> Iterable[Any]:
        return self.connection.execute(select(*columns))
