"""Who is scheduled together. Pure.

A *group* shares calendar accounts: a home is read once for all of it. A *cell*, within a group, shares calendars: no
two runs work on one cell at the same time. A *lane* is the servers that a group is on: a run is of one lane, so that a
slow server delays its own agents alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from gateway.sync.values import LinkedAgent

Lane = frozenset[str]


@dataclass(frozen=True, slots=True)
class Group:
    """`key`: names it across restarts. `cells`: agent ids."""

    key: str
    lane: Lane
    cells: tuple[frozenset[int], ...]

    @property
    def agent_ids(self) -> frozenset[int]:
        """Everybody in it."""
        return frozenset().union(*self.cells)


@dataclass(frozen=True, slots=True)
class FleetMap:
    """Groups by key; by agent, the group and the cell."""

    groups: Mapping[str, Group]
    group_of: Mapping[int, Group]
    cell_of: Mapping[int, frozenset[int]]


def fleet_map(agents: Iterable[LinkedAgent], host: Callable[[str], str]) -> FleetMap:
    """Of the agents that are synced. `host`: of an account, by its name."""
    known = {agent.agent_id: agent for agent in agents}
    cells = _joined({each.agent_id: each.calendars for each in known.values()})
    cell_of = {agent_id: cell for cell in cells for agent_id in cell}
    groups: dict[str, Group] = {}
    accounts = {each.agent_id: frozenset(ref.account for ref in each.calendars) for each in known.values()}
    for together in _joined(accounts):
        names = frozenset().union(*(accounts[agent_id] for agent_id in together))
        inside = sorted({cell_of[agent_id] for agent_id in together}, key=min)
        group = Group(min(names), frozenset(host(name) for name in names), tuple(inside))
        groups[group.key] = group
    group_of = {agent_id: group for group in groups.values() for agent_id in group.agent_ids}
    return FleetMap(groups, group_of, cell_of)


def _joined(tokens: Mapping[int, Iterable[Hashable]]) -> list[frozenset[int]]:
    """Who has a token in common, directly or through others."""
    of_token: dict[Hashable, list[int]] = defaultdict(list)
    for member, own in tokens.items():
        for token in own:
            of_token[token].append(member)
    found: list[frozenset[int]] = []
    seen: set[int] = set()
    for member in tokens:
        if member in seen:
            continue
        together, waiting = {member}, [member]
        done: set[Hashable] = set()
        while waiting:
            for token in tokens[waiting.pop()]:
                if token not in done:
                    done.add(token)
                    news = [each for each in of_token[token] if each not in together]
                    together.update(news)
                    waiting.extend(news)
        seen |= together
        found.append(frozenset(together))
    return found
