"""What the technical account can see in each organisation, and which rights are missing. Reads, and writes nothing.

The API tells nobody's role. It is deduced: from agents who are named by an RDV and are not visible themselves, and
from the services whose RDVs are seen, compared with those that have motifs. Whoever sees an agent may read and write
that agent's absences: there is no other right on them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from connectors.errors import Addressee
from connectors.ports import RdvSolidaritesAccount
from connectors.records import Organisation, RdvWindow
from gateway.store.values import OrganisationState
from gateway.sync.values import LinkedAgent, Problem

COLUMNS = ("Organisation", "Agents", "RDVs", "Services", "Role deduced", "Webhooks", "Missing")
AHEAD = timedelta(days=14)

_SYSTEM = "rdv_solidarites"
_ADMIN = "Give the technical account the role admin in this organisation."


@dataclass(frozen=True, slots=True)
class Coverage:
    """What is seen in one organisation. `services`: that have motifs there; `rdv_services`: whose RDVs of the next
    `AHEAD` are seen. `hidden`: agents of those RDVs whom the account does not see. `new`: no sync has read it yet."""

    organisation: Organisation
    agents: frozenset[int]
    rdvs: int
    services: frozenset[int]
    rdv_services: frozenset[int]
    hidden: frozenset[int]
    webhooks: bool
    new: bool

    @property
    def unseen_services(self) -> frozenset[int]:
        """Whose RDVs may be withheld, or may not exist."""
        return self.services - self.rdv_services

    @property
    def role(self) -> str:
        """What the readings say about the account's role here."""
        if self.hidden:
            return "not admin"
        if len(self.services) < 2:
            return "not told: one service"
        return "not proven" if self.unseen_services else "admin or secretariat"

    @property
    def missing(self) -> str:
        """In words; "" when nothing is known to be."""
        parts = [f"agents {_listed(self.hidden)} are not visible"] if self.hidden else []
        if self.unseen_services and len(self.services) > 1:
            parts.append(f"no RDV of service {_listed(self.unseen_services)} seen in {AHEAD.days} days")
        parts += [] if self.webhooks else ["webhooks cannot be listed"]
        return "; ".join(parts)


@dataclass(frozen=True, slots=True)
class Rights:
    """All organisations that the account sees, and every agent."""

    organisations: tuple[Coverage, ...]
    visible: frozenset[int]

    @property
    def outside(self) -> frozenset[int]:
        """Visible agents (to a territorial admin) of none of these organisations: theirs are not covered."""
        return self.visible.difference(*(each.agents for each in self.organisations))


def read_rights(client: RdvSolidaritesAccount, known: Collection[int], now: datetime) -> Rights:
    """Four requests for each organisation, and those for the RDVs of the next days. `known`: organisations that a
    sync has read. Raises what the client raises."""
    organisations = client.organisations()
    visible = frozenset(agent.id for agent in client.agents())
    return Rights(tuple(_coverage(client, each, visible, known, now) for each in organisations), visible)


def _coverage(
    client: RdvSolidaritesAccount,
    organisation: Organisation,
    visible: frozenset[int],
    known: Collection[int],
    now: datetime,
) -> Coverage:
    rdvs = client.rdvs(organisation.id, [RdvWindow(now, now + AHEAD)]).rdvs
    named = {agent_id for rdv in rdvs for agent_id in rdv.agent_ids}
    return Coverage(
        organisation=organisation,
        agents=frozenset(agent.id for agent in client.agents(organisation.id)),
        rdvs=len(rdvs),
        services=_numbers(motif.service_id for motif in client.motifs(organisation.id)),
        rdv_services=_numbers(rdv.service_id for rdv in rdvs),
        hidden=frozenset(named - visible),
        webhooks=client.webhooks_listable(organisation.id),
        new=organisation.id not in known,
    )


def rights_problems(
    rights: Rights, enrolled: Sequence[LinkedAgent], known: Sequence[OrganisationState]
) -> Iterator[Problem]:
    """What is proven to be missing, with its remedy."""
    if not rights.organisations:
        yield _problem("the technical account sees no organisation", "Give it the role admin in each organisation.")
    covered = {each.organisation.id for each in rights.organisations}
    for state in known:
        if state.id not in covered:
            reason = f"organisation {state.id} ({state.name}) was visible at an earlier sync and is not any more"
            yield _problem(reason, "Give the technical account the role admin there again, if it still exists.")
    for each in rights.organisations:
        if each.hidden:
            where = f"organisation {each.organisation.id} ({each.organisation.name})"
            yield _problem(f"{where}: agents {_listed(each.hidden)} have RDVs there and are not visible", _ADMIN)
    if rights.organisations and rights.outside:
        reason = f"agents {_listed(rights.outside)} work in organisations where the technical account has no role"
        yield _problem(reason, "Give it the role admin there: a new organisation is not covered by itself.")
    for agent in enrolled:
        if agent.agent_id not in rights.visible:
            reason = f"agent {agent.agent_id} is enrolled and not visible to the technical account"
            remedy = "Give the technical account its rights on this agent back, or withdraw the agent if they left."
            yield Problem(agent.agent_id, _SYSTEM, reason, Addressee.IT.value, remedy)


def rights_rows(rights: Rights) -> Iterator[tuple[object, ...]]:
    """One row for each organisation, under `COLUMNS`."""
    for each in rights.organisations:
        yield (
            f"{each.organisation.id} {each.organisation.name}{' (new)' if each.new else ''}",
            *(len(each.agents), each.rdvs, f"{len(each.rdv_services)} of {len(each.services)}", each.role),
            *("listed" if each.webhooks else "refused", each.missing or "-"),
        )


def rights_json(coverage: Coverage) -> dict[str, object]:
    """One organisation for scripts."""
    return {
        "organisation": coverage.organisation.id,
        "name": coverage.organisation.name,
        "new": coverage.new,
        "agents": sorted(coverage.agents),
        "rdvs": coverage.rdvs,
        "services": sorted(coverage.services),
        "services_without_rdv": sorted(coverage.unseen_services),
        "agents_not_visible": sorted(coverage.hidden),
        "role": coverage.role,
        "webhooks_listable": coverage.webhooks,
    }


def _numbers(values: Iterator[int | None]) -> frozenset[int]:
    return frozenset(value for value in values if value is not None)


def _listed(numbers: Collection[int]) -> str:
    return ", ".join(map(str, sorted(numbers)))


def _problem(reason: str, remedy: str) -> Problem:
    return Problem(None, _SYSTEM, reason, Addressee.IT.value, remedy)
