"""What each address of the API answers, from the store, for one token."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from connectors.ports import Clock
from gateway.api import models
from gateway.api.problems import not_found
from gateway.api.queries import AgentsQuery, ConflictsQuery, JournalQuery
from gateway.api.values import ApiToken, Scope
from gateway.journal.log import JournalFilter
from gateway.keys import Keyring
from gateway.store.store import Store
from gateway.store.values import AgentStatus, ConflictRow, HoldRow, JournalRow
from gateway.sync.values import AgentState, HoldReason, LinkedAgent, OperationClass

_PLAIN_REFERENCE = re.compile(r"((rdv|absence|agent|organisation) [0-9]+(, )?)+|[0-9]+ (operations|occurrences)")


def conflict_id(keys: Keyring, agent_id: int, digest: str) -> str:
    """Names a conflict to business applications, the same for as long as it is there."""
    return keys.digest(f"business conflict\n{agent_id}\n{digest}".encode())[:32]


@dataclass(frozen=True, slots=True)
class Resources:
    """Reads for a token. `stale_after`: the age of a last complete sync that is too much. Everything may raise
    `Problem`, and what the store raises."""

    store: Store
    clock: Clock
    stale_after: timedelta

    def fleet(self, token: ApiToken) -> models.Fleet:
        """`GET /api/v1/status`."""
        seen = self._agents(token)
        status = [each for each in self.store.agent_status() if each.agent_id in seen]
        states = Counter(each.state for each in status)
        ages = Counter(self._freshness(each) for each in status if each.state is AgentState.LIVE)
        stop = self.store.stop()
        return models.Fleet(
            agents=models.AgentCounts(**{state.value: states[state] for state in AgentState}),
            freshness=models.Freshness(fresh=ages["fresh"], stale=ages["stale"], never=ages["never"]),
            with_error=sum(each.last_problem is not None for each in status),
            holds=sum(each.held for each in status),
            conflicts=sum(each.conflicts for each in status),
            writes_stopped_since=stop.at if stop is not None else None,
        )

    def agents(self, token: ApiToken, query: AgentsQuery) -> models.AgentPage:
        """`GET /api/v1/agents`."""
        after = query.cursor or 0
        seen = self._agents(token)
        found = [
            (seen[each.agent_id], each)
            for each in self.store.agent_status()
            if each.agent_id in seen and each.agent_id > after and (query.state is None or each.state is query.state)
        ]
        if query.organisation is not None:
            found = [each for each in found if each[0].organisation_id == query.organisation]
        page = found[: query.limit]
        following = str(page[-1][0].agent_id) if len(found) > len(page) else None
        return models.AgentPage(items=[models.Agent(**_agent(*each)) for each in page], next=following)

    def agent(self, token: ApiToken, agent_id: int) -> models.AgentDetail:
        """`GET /api/v1/agents/{agent}`."""
        agent = self._agents(token).get(agent_id)
        status = next((each for each in self.store.agent_status() if each.agent_id == agent_id), None)
        if agent is None or status is None:
            raise not_found()
        groups: dict[tuple[OperationClass, HoldReason], list[HoldRow]] = {}
        for row in self.store.holds(agent_id):
            groups.setdefault((row.op_class, row.reason), []).append(row)
        held = [
            models.HoldGroup(operation_class=kind, reason=why, count=len(rows), since=min(row.since for row in rows))
            for (kind, why), rows in sorted(groups.items())
        ]
        return models.AgentDetail(**_agent(agent, status), held=held)

    def conflicts(self, token: ApiToken, query: ConflictsQuery) -> models.ConflictPage:
        """`GET /api/v1/conflicts`."""
        seen = self._agents(token)
        after = _place(query.cursor) if query.cursor is not None else (0, "")
        keys = self.store.keys
        found = [
            (row.conflict.agent_id, conflict_id(keys, row.conflict.agent_id, row.conflict.digest), row)
            for row in self.store.conflicts(query.agent)
            if row.conflict.agent_id in seen and (query.kind is None or row.conflict.kind is query.kind)
        ]
        found = sorted((each for each in found if each[:2] > after), key=lambda each: each[:2])
        page = found[: query.limit]
        following = f"{page[-1][0]}.{page[-1][1]}" if len(found) > len(page) else None
        items = [_conflict(number, row, seen[agent_id]) for agent_id, number, row in page]
        return models.ConflictPage(items=items, next=following)

    def journal(self, token: ApiToken, query: JournalQuery) -> models.JournalPage:
        """`GET /api/v1/journal`."""
        chosen = JournalFilter(
            agent_id=query.agent,
            since=query.since,
            until=query.until,
            agent_ids=None if token.sees_everybody else frozenset(self._agents(token)),
        )
        rows = self.store.journal(chosen=chosen, limit=query.limit + 1, before_id=query.cursor)
        page = rows[: query.limit]
        following = str(page[-1].id) if len(rows) > len(page) else None
        people = Scope.JOURNAL_PEOPLE in token.scopes
        return models.JournalPage(items=[_entry(row, people=people) for row in page], next=following)

    def _agents(self, token: ApiToken) -> Mapping[int, LinkedAgent]:
        """Enrolled agents that the token may read about. One without a home organisation is of each that lists them."""
        agents = {agent.agent_id: agent for agent in self.store.agents()}
        if token.sees_everybody:
            return agents
        listed: set[int] = set()
        for number, organisation in self.store.organisation_states().items():
            if number in token.organisation_ids:
                listed |= organisation.agent_ids
        return {
            number: agent
            for number, agent in agents.items()
            if number in token.agent_ids
            or agent.organisation_id in token.organisation_ids
            or (agent.organisation_id is None and number in listed)
        }

    def _freshness(self, status: AgentStatus) -> str:
        if status.last_complete_at is None:
            return "never"
        return "stale" if self.clock.now() - status.last_complete_at > self.stale_after else "fresh"


def _agent(agent: LinkedAgent, status: AgentStatus) -> dict[str, Any]:
    problem = status.last_problem
    error = None
    if problem is not None:
        # What follows in an account's name names a person.
        error = models.SyncError(system=problem.system.partition("/")[0], addressee=problem.addressee)
    return {
        "id": agent.agent_id,
        "organisation": agent.organisation_id,
        "service": agent.service_id,
        "wave": agent.wave,
        "state": agent.state,
        "zone": agent.zone.key,
        "last_complete_at": status.last_complete_at,
        "holds": status.held,
        "conflicts": status.conflicts,
        "set_aside": status.set_aside,
        "unsettled": status.open_intents,
        "error": error,
    }


def _conflict(number: str, row: ConflictRow, agent: LinkedAgent) -> models.Conflict:
    found = row.conflict
    return models.Conflict(
        id=number,
        agent=found.agent_id,
        kind=found.kind,
        rdv=found.rdv_id,
        absence=found.absence_id,
        start=found.start,
        end=found.end,
        zone=agent.zone.key,
        since=row.since,
    )


def _entry(row: JournalRow, *, people: bool) -> models.Entry:
    entry = row.entry
    shown = people or _PLAIN_REFERENCE.fullmatch(entry.reference)
    return models.Entry(
        id=row.id,
        at=entry.at,
        run=entry.run_id or None,
        agent=entry.agent_id,
        side=entry.side,
        action=entry.action,
        object=entry.object,
        reference=entry.reference if shown else None,
        rule=entry.rule,
        fields=list(entry.fields),
        by=(entry.by or None) if people else None,
    )


def _place(cursor: str) -> tuple[int, str]:
    number, _, rest = cursor.partition(".")
    return int(number), rest
