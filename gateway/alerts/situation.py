"""Reads from the store what causes are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gateway.alerts.causes import AgentFacts, Situation
from gateway.consent import consent_problem
from gateway.store.store import Store
from gateway.sync.outages import resting
from gateway.sync.values import AgentState, Problem

_ZONES = timedelta(days=1)  # wall-clocks of any zone are nearer than that
_REMEMBERED = timedelta(days=8)  # what was given up since then is still told of


@dataclass(frozen=True, slots=True)
class SituationReader:
    """`host`: the server of an account, by the account's name. `oauth`: whether the access is one that lapses, and
    whether a refresh token is configured; None: it is none."""

    store: Store
    host: Callable[[str], str]
    stale_after: timedelta
    oauth: bool | None = None

    def situation(self, now: datetime, *, unaddressed: int = 0) -> Situation:
        """All of it, as the store knows it now."""
        store = self.store
        status = {each.agent_id: each for each in store.agent_status()}
        agents = tuple(each for each in store.agents() if each.agent_id in status)
        live = [each for each in agents if each.state is AgentState.LIVE]
        quiet = resting(live, store.outages(), now, host=self.host)
        return Situation(
            now=now,
            agents=tuple(AgentFacts(each, status[each.agent_id], each.agent_id in quiet) for each in agents),
            conflicts=tuple(row for row in store.conflicts() if row.tell),
            over=store.conflict_notices(only_over=True),
            suppressions=store.suppressions_after(now.astimezone(UTC).replace(tzinfo=None) - _ZONES),
            holds=store.holds(),
            access=self._access(now),
            stop=store.stop(),
            sentences=store.told(),
            unaddressed=unaddressed,
            undelivered=store.message_counts().given_up + self._given_up(now),
            stale_after=self.stale_after,
        )

    def _given_up(self, now: datetime) -> int:
        """Of what business applications were to be told."""
        with self.store.business() as tables:
            return tables.given_up(now - _REMEMBERED)

    def _access(self, now: datetime) -> Problem | None:
        return None if self.oauth is None else consent_problem(self.store, now, configured=self.oauth)
