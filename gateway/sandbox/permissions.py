"""Who may see what, from the roles of the caller.

- an admin of an organisation: all its agents and RDVs; a basic agent: agents of their services in organisations they
  share, RDVs of their services' motifs; the secretariat: everything of its organisations; an intervenant: their own;
- a territorial admin: every agent of the territory (and its webhooks), but no RDV without a role in its organisation.

Rights can be withheld from a caller, to try what happens then: everything, one organisation, service or agent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.sandbox.storage import Storage

WITHHOLDABLE = ("everything", "organisation", "service", "agent")


@dataclass(frozen=True, slots=True)
class Caller:
    """The agent behind a request, with the rights that are left to them."""

    agent_id: int
    roles: dict[int, str]  # organisation id -> access level
    services: frozenset[int]
    secretariat: bool
    territories: frozenset[int]
    withheld_services: frozenset[int]
    withheld_agents: frozenset[int]

    def sees_all_rdvs_of(self, organisation_id: int) -> bool:
        return self.secretariat or self.roles.get(organisation_id) == "admin"


class Rights:
    """Loads callers and withholds rights."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def withhold(self, caller_id: int, kind: str = "everything", target_id: int = 0) -> None:
        """Takes rights away from a caller: `kind` is one of `WITHHOLDABLE`, `target_id` what it is about."""
        if kind not in WITHHOLDABLE:
            raise ValueError(f"{kind!r} is none of {', '.join(WITHHOLDABLE)}")
        self._storage.run("INSERT OR IGNORE INTO withheld_rights VALUES (?, ?, ?)", [caller_id, kind, target_id])

    def restore(self, caller_id: int) -> None:
        """Gives back whatever was withheld from a caller."""
        self._storage.run("DELETE FROM withheld_rights WHERE caller_id = ?", [caller_id])

    def caller(self, agent_id: int) -> Caller:
        withheld: dict[str, set[int]] = {kind: set() for kind in WITHHOLDABLE}
        for row in self._storage.rows("SELECT kind, target_id FROM withheld_rights WHERE caller_id = ?", [agent_id]):
            withheld[row["kind"]].add(row["target_id"])
        roles = self._storage.rows(
            "SELECT organisation_id, access_level FROM agent_roles WHERE agent_id = ? ORDER BY id", [agent_id]
        )
        territories = {
            row[0]
            for row in self._storage.rows("SELECT territory_id FROM territorial_admins WHERE agent_id = ?", [agent_id])
        }
        services = self._storage.rows(
            "SELECT id, secretariat FROM services WHERE id IN (SELECT service_id FROM agent_services WHERE agent_id=?)",
            [agent_id],
        )
        if withheld["organisation"]:
            territories -= {
                row[0]
                for row in self._storage.rows(
                    "SELECT territory_id FROM organisations WHERE id IN (SELECT value FROM json_each(?))",
                    [ids(withheld["organisation"])],
                )
            }
        everything = bool(withheld["everything"])
        return Caller(
            agent_id=agent_id,
            roles={} if everything else {row[0]: row[1] for row in roles if row[0] not in withheld["organisation"]},
            services=frozenset(row["id"] for row in services),
            secretariat=any(row["secretariat"] for row in services),
            territories=frozenset() if everything else frozenset(territories),
            withheld_services=frozenset(withheld["service"]),
            withheld_agents=frozenset(withheld["agent"]),
        )

    def visible_agents(self, caller: Caller) -> set[int]:
        """Ids of the agents whose absences the caller may read and write. Always contains the caller."""
        whole = [org for org, level in caller.roles.items() if level == "admin" or caller.secretariat]
        shared = [org for org, level in caller.roles.items() if level == "basic"]
        found = self._storage.rows(
            """
            SELECT agent_id FROM agent_roles WHERE organisation_id IN (SELECT value FROM json_each(:whole))
            UNION SELECT agent_id FROM agent_roles JOIN organisations ON organisations.id = organisation_id
                WHERE territory_id IN (SELECT value FROM json_each(:territories))
            UNION SELECT agent_id FROM agent_roles JOIN agent_services USING (agent_id)
                WHERE organisation_id IN (SELECT value FROM json_each(:shared))
                  AND service_id IN (SELECT value FROM json_each(:services))
            """,
            {
                "whole": ids(whole),
                "territories": ids(caller.territories),
                "shared": ids(shared),
                "services": ids(caller.services),
            },
        )
        hidden = set(caller.withheld_agents)
        if caller.withheld_services:
            hidden |= {
                row[0]
                for row in self._storage.rows(
                    "SELECT agent_id FROM agent_services WHERE service_id IN (SELECT value FROM json_each(?))",
                    [ids(caller.withheld_services)],
                )
            }
        return ({row[0] for row in found} - hidden) | {caller.agent_id}

    def administers(self, caller: Caller, organisation_id: int) -> bool:
        """Whether the caller is a territorial admin of the organisation's territory."""
        territory = self._storage.number("SELECT territory_id FROM organisations WHERE id = ?", [organisation_id])
        return territory in caller.territories


def ids(values: frozenset[int] | set[int] | list[int]) -> str:
    """Ids as JSON, for `IN (SELECT value FROM json_each(?))`: any number of them in one bound parameter."""
    return json.dumps(sorted(values))
