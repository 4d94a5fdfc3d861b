"""Territories, services, organisations, agents and their roles, motifs, lieux, usagers."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection

from gateway.sandbox import times
from gateway.sandbox.errors import no_such_record
from gateway.sandbox.storage import Storage
from gateway.sandbox.webhooks import Outbox

ACCESS_LEVELS = ("basic", "admin", "intervenant")
LOCATION_TYPES = ("public_office", "phone", "home", "visio")
ZONE_MODES = ("old", "new")


class Directory:
    """Makes and changes what RDVs and absences refer to. Every method that makes something gives its id."""

    def __init__(self, storage: Storage, outbox: Outbox) -> None:
        self._storage = storage
        self._outbox = outbox

    # --- places in the administration --------------------------------------------------------------------------

    def add_territory(self, name: str, departement_number: str) -> int:
        return self._storage.run(
            "INSERT INTO territories (name, departement_number) VALUES (?, ?)", [name, departement_number]
        )

    def add_service(self, name: str, *, secretariat: bool = False) -> int:
        return self._storage.run("INSERT INTO services (name, secretariat) VALUES (?, ?)", [name, int(secretariat)])

    def add_organisation(
        self, name: str, territory_id: int, *, time_zone: str = "Europe/Paris", zone_mode: str = "old"
    ) -> int:
        """In old mode RDV times have Paris' offset and no `time_zone`; in new mode the organisation's, and say so."""
        _among(zone_mode, ZONE_MODES)
        return self._storage.run(
            "INSERT INTO organisations (territory_id, name, phone_number, email, time_zone, zone_mode)"
            " VALUES (?, ?, '0100000000', NULL, ?, ?)",
            [territory_id, name, time_zone, zone_mode],
        )

    def set_zone_mode(self, organisation_id: int, zone_mode: str) -> None:
        _among(zone_mode, ZONE_MODES)
        self._storage.run("UPDATE organisations SET zone_mode = ? WHERE id = ?", [zone_mode, organisation_id])

    def rename_organisation(self, organisation_id: int, name: str) -> None:
        """RDVs are not sent again: the real server does not touch them either."""
        with self._storage.transaction():
            self._storage.run("UPDATE organisations SET name = ? WHERE id = ?", [name, organisation_id])
            self._outbox.announce("Organisation", "updated", organisation_id, [organisation_id])

    # --- agents ------------------------------------------------------------------------------------------------

    def add_agent(
        self,
        first_name: str,
        last_name: str,
        *,
        email: str | None,
        service_ids: Collection[int] = (),
        password: str | None = None,
    ) -> int:
        """An agent without any role yet. `email` None makes an intervenant's kind of account; it is lower-cased."""
        with self._storage.transaction():
            agent_id = self._storage.run(
                "INSERT INTO agents (first_name, last_name, email, password, created_at) VALUES (?, ?, ?, ?, ?)",
                [
                    first_name,
                    last_name,
                    email.lower() if email else None,
                    _hashed(password) if password else None,
                    times.stored(self._storage.clock()),
                ],
            )
            for service_id in service_ids:
                self._storage.run("INSERT INTO agent_services VALUES (?, ?)", [agent_id, service_id])
        return agent_id

    def change_email(self, agent_id: int, email: str | None) -> None:
        with self._storage.transaction():
            self._storage.run("UPDATE agents SET email = ? WHERE id = ?", [email.lower() if email else None, agent_id])
            self._outbox.announce("Agent", "updated", agent_id, self.organisations_of(agent_id))

    def password_fits(self, agent_id: int, password: str) -> bool:
        found = self._storage.row("SELECT password FROM agents WHERE id = ?", [agent_id])
        if found is None or found["password"] is None:
            return False
        salt, _, _ = str(found["password"]).partition("$")
        return hmac.compare_digest(_hashed(password, salt), found["password"])

    def set_role(self, agent_id: int, organisation_id: int, access_level: str = "basic") -> int:
        """Gives (or changes) the role of an agent in an organisation."""
        _among(access_level, ACCESS_LEVELS)
        with self._storage.transaction():
            event = "updated" if self._role(agent_id, organisation_id) else "created"
            self._storage.run(
                "INSERT INTO agent_roles (agent_id, organisation_id, access_level) VALUES (?, ?, ?)"
                " ON CONFLICT (agent_id, organisation_id) DO UPDATE SET access_level = excluded.access_level",
                [agent_id, organisation_id, access_level],
            )
            role = self._role(agent_id, organisation_id)
            self._outbox.announce("AgentRole", event, role, [organisation_id])
        return role

    def remove_role(self, agent_id: int, organisation_id: int) -> None:
        """Takes an agent out of an organisation. Only AgentRole "destroyed" is sent: no event of the agent itself."""
        with self._storage.transaction():
            role = self._role(agent_id, organisation_id)
            if not role:
                raise no_such_record("AgentRole")
            self._outbox.announce("AgentRole", "destroyed", role, [organisation_id])
            self._storage.run("DELETE FROM agent_roles WHERE id = ?", [role])

    def _role(self, agent_id: int, organisation_id: int) -> int:
        return self._storage.number(
            "SELECT id FROM agent_roles WHERE agent_id = ? AND organisation_id = ?", [agent_id, organisation_id]
        )

    def make_territorial_admin(self, agent_id: int, territory_id: int) -> None:
        self._storage.run("INSERT OR IGNORE INTO territorial_admins VALUES (?, ?)", [agent_id, territory_id])

    def remove_agent(self, agent_id: int) -> None:
        """Soft deletion. Roles go first, so that the absences then vanish without any "destroyed" reaching anybody."""
        with self._storage.transaction():
            for organisation_id in self.organisations_of(agent_id):
                self.remove_role(agent_id, organisation_id)
            self._storage.run("DELETE FROM absences WHERE agent_id = ?", [agent_id])
            self._storage.run("DELETE FROM devise_tokens WHERE agent_id = ?", [agent_id])
            self._storage.run("UPDATE oauth_tokens SET revoked = 1 WHERE agent_id = ?", [agent_id])
            self._storage.run("UPDATE agents SET deleted = 1, email = NULL WHERE id = ?", [agent_id])

    def organisations_of(self, agent_id: int) -> list[int]:
        """The ids of an agent's organisations, oldest role first."""
        found = self._storage.rows("SELECT organisation_id FROM agent_roles WHERE agent_id = ? ORDER BY id", [agent_id])
        return [row[0] for row in found]

    # --- what an RDV is about ----------------------------------------------------------------------------------

    def add_motif(
        self,
        name: str,
        organisation_id: int,
        service_id: int,
        *,
        location_type: str = "public_office",
        collectif: bool = False,
        follow_up: bool = False,
        bookable_by: str = "agents",
    ) -> int:
        _among(location_type, LOCATION_TYPES)
        return self._storage.run(
            "INSERT INTO motifs (organisation_id, service_id, name, location_type, collectif, follow_up, bookable_by)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            [organisation_id, service_id, name, location_type, int(collectif), int(follow_up), bookable_by],
        )

    def rename_motif(self, motif_id: int, name: str) -> None:
        """RDVs are not sent again: the real server does not touch them either."""
        with self._storage.transaction():
            self._storage.run("UPDATE motifs SET name = ? WHERE id = ?", [name, motif_id])
            organisation_id = self._storage.number("SELECT organisation_id FROM motifs WHERE id = ?", [motif_id])
            self._outbox.announce("Motif", "updated", motif_id, [organisation_id])

    def archive_motif(self, motif_id: int) -> None:
        self._storage.run(
            "UPDATE motifs SET deleted_at = ? WHERE id = ?", [times.stored(self._storage.clock()), motif_id]
        )

    def add_lieu(self, name: str, organisation_id: int, address: str, *, single_use: bool = False) -> int:
        return self._storage.run(
            "INSERT INTO lieux (organisation_id, name, address, phone_number, single_use) VALUES (?, ?, ?, NULL, ?)",
            [organisation_id, name, address, int(single_use)],
        )

    def add_user(
        self,
        first_name: str,
        last_name: str,
        *,
        email: str | None = None,
        phone_number: str | None = None,
        address: str | None = None,
        birth_date: str | None = None,
        notes: str | None = None,
        caisse_affiliation: str | None = None,
        affiliation_number: str | None = None,
        family_situation: str | None = None,
        number_of_children: int | None = None,
        logement: str | None = None,
        case_number: str | None = None,
    ) -> int:
        return self._storage.run(
            "INSERT INTO users (first_name, last_name, email, phone_number, address, birth_date, notes,"
            " caisse_affiliation, affiliation_number, family_situation, number_of_children, logement, case_number,"
            " created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                first_name,
                last_name,
                email,
                phone_number,
                address,
                birth_date,
                notes,
                caisse_affiliation,
                affiliation_number,
                family_situation,
                number_of_children,
                logement,
                case_number,
                times.stored(self._storage.clock()),
            ],
        )


def _hashed(password: str, salt: str | None = None) -> str:
    salt = salt or secrets.token_hex(8)
    return f"{salt}${hashlib.scrypt(password.encode(), salt=salt.encode(), n=1024, r=8, p=1).hex()}"


def _among(value: str, allowed: Collection[str]) -> None:
    if value not in allowed:
        raise ValueError(f"{value!r} is none of {', '.join(allowed)}")
