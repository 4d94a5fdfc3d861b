"""Home organisations: whose rules hold for an agent, where they differ by organisation."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from connectors.ports import RdvSolidarites
from gateway.rules.book import RuleBook, Scope
from gateway.sync.values import LinkedAgent


def organisations_by_agent(rdv_solidarites: RdvSolidarites) -> Mapping[int, frozenset[int]]:
    """Ids of the organisations of every agent that is visible. One request per organisation and 100 agents of it.

    Raises what the port raises.
    """
    found: dict[int, set[int]] = {}
    for organisation in rdv_solidarites.organisations():
        for agent in rdv_solidarites.agents(organisation.id):
            found.setdefault(agent.id, set()).add(organisation.id)
    return {agent_id: frozenset(organisations) for agent_id, organisations in found.items()}


def only_home(homes: Mapping[int, Collection[int]], agent_id: int) -> int | None:
    """The agent's organisation when there is exactly one: of several, a person names the home."""
    found = homes.get(agent_id, ())
    return next(iter(found)) if len(found) == 1 else None


def asks_for_homes(book: RuleBook) -> bool:
    """Whether an agent's home organisation can make a difference. What rules say of RDVs goes by the RDV's own."""
    return any(section.scope is Scope.ORGANISATION and (section.agent or section.blocks) for section in book.sections)


def homeless(
    agents: Iterable[LinkedAgent], homes: Mapping[int, Collection[int]], book: RuleBook
) -> Iterator[tuple[LinkedAgent, frozenset[int]]]:
    """Agents for whom no home is named although one of their organisations has rules of its own, with these."""
    ruled = {
        section.selector
        for section in book.sections
        if section.scope is Scope.ORGANISATION and (section.agent or section.blocks)
    }
    for agent in agents:
        own = frozenset(homes.get(agent.agent_id, ()))
        if agent.organisation_id is None and own & ruled:
            yield agent, own
