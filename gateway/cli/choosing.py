"""Whom a command means: agents by id, a wave, or everybody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.cli.exits import UserError
from gateway.cli.session import require_enrolled
from gateway.store.store import Store
from gateway.sync.values import LinkedAgent


@dataclass(frozen=True, slots=True)
class Whom:
    """As typed: ids, a wave, both together, or everybody."""

    agents: tuple[int, ...] = ()
    wave: int | None = None
    every: bool = False

    def chosen(self, store: Store) -> tuple[LinkedAgent, ...]:
        """The enrolled agents that are meant, by id. Raises `UserError` when nobody, or somebody unknown, is named."""
        if not self.agents and self.wave is None and not self.every:
            raise UserError("Name the agents, or give --wave or --all.", remedy="See `rdv-gateway agents`.")
        if self.every and (self.agents or self.wave is not None):
            raise UserError("--all means everybody: name nobody beside it.", remedy="Leave one of them out.")
        require_enrolled(store, self.agents)
        found = tuple(agent for agent in store.agents() if self._takes(agent))
        if self.wave is not None and not any(agent.wave == self.wave for agent in found):
            raise UserError(f"Nobody enrolled is in wave {self.wave}.", remedy="See `rdv-gateway agents`.")
        return found

    def _takes(self, agent: LinkedAgent) -> bool:
        return self.every or agent.agent_id in self.agents or (self.wave is not None and agent.wave == self.wave)


def ids(agents: Sequence[LinkedAgent]) -> list[int]:
    """Their ids."""
    return [agent.agent_id for agent in agents]
