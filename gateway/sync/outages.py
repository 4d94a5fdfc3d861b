"""Outages that somebody declared: a system of which nothing is read, judged or told meanwhile. Pure.

At its end agents come back one after the other, so that no server meets all of them at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.sync.ceiling import RDV_SOLIDARITES
from gateway.sync.values import LinkedAgent

_LONGEST_RETURN = timedelta(minutes=30)
_FEW_AGENTS = 20


@dataclass(frozen=True, slots=True)
class Outage:
    """`system`: `rdv_solidarites`, a section of accounts, or a server as `host:port`. `until`: when it ends by itself;
    None: when somebody says so. Instants. `reason`: in the words of who declared it, for colleagues."""

    system: str
    since: datetime
    until: datetime | None
    by: str
    reason: str = ""

    def is_on(self, now: datetime) -> bool:
        """Whether it is in force."""
        return self.since <= now and (self.until is None or now < self.until)

    def is_over(self, now: datetime) -> bool:
        """Whether nobody waits for it any more."""
        return self.until is not None and now >= self.until + self.returning

    @property
    def returning(self) -> timedelta:
        """Over how long agents come back: a quarter of the time that they were away, half an hour at most."""
        if self.until is None:
            return timedelta(0)
        return min((self.until - self.since) / 4, _LONGEST_RETURN)


def declared(outages: Iterable[Outage], new: Outage, now: datetime) -> tuple[Outage, ...]:
    """With a new one; it replaces an earlier one of the same system."""
    return (*(each for each in outages if each.system != new.system and not each.is_over(now)), new)


def ended(outages: Iterable[Outage], system: str, now: datetime) -> tuple[Outage, ...]:
    """With that one ended now. One that never began is gone."""
    kept: list[Outage] = []
    for each in outages:
        if each.system != system or not each.is_on(now):
            if each.system != system or each.since <= now:
                kept.append(each)
        else:
            kept.append(replace(each, until=now))
    return tuple(each for each in kept if not each.is_over(now))


def resting(
    agents: Collection[LinkedAgent], outages: Collection[Outage], now: datetime, *, host: Callable[[str], str]
) -> frozenset[int]:
    """Agents of whom nothing is read or judged now. `host`: of an account, by its name."""
    found: set[int] = set()
    for outage in outages:
        spread = outage.returning if len(agents) >= _FEW_AGENTS else timedelta(0)
        for agent in agents:
            if outage.since <= now and _concerns(outage, agent, host):
                back = None if outage.until is None else outage.until + spread * _share(agent.agent_id)
                if back is None or now < back:
                    found.add(agent.agent_id)
    return frozenset(found)


def _concerns(outage: Outage, agent: LinkedAgent, host: Callable[[str], str]) -> bool:
    if outage.system == RDV_SOLIDARITES:
        return True
    accounts = {ref.account for ref in agent.calendars}
    return any(outage.system in (name, name.partition("/")[0], host(name)) for name in accounts)


def _share(agent_id: int) -> float:
    """Where an agent stands in the order of return: from 0 to 1, the same each time, whatever the numbers are like."""
    return int.from_bytes(hashlib.sha256(str(agent_id).encode()).digest()[:4]) / 2**32
