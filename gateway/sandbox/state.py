"""The whole state of a double, as Python sees it: the same operations as the control endpoints offer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.sandbox import serializers
from gateway.sandbox.absences import Absences
from gateway.sandbox.accounts import Accounts
from gateway.sandbox.directory import Directory
from gateway.sandbox.permissions import Rights
from gateway.sandbox.rdvs import Rdvs
from gateway.sandbox.storage import Clock, Storage
from gateway.sandbox.webhooks import Outbox


class State:
    """Organisations, agents, RDVs, absences, sessions and webhooks behind one lock.

    `path` None keeps it in memory. `seed` fills a database that was just created, and again after `reset`.
    """

    def __init__(self, path: Path | None, *, clock: Clock, seed: Callable[[State], None] | None = None) -> None:
        self.storage = Storage(path, clock)
        self.webhooks = Outbox(self.storage)
        self.directory = Directory(self.storage, self.webhooks)
        self.absences = Absences(self.storage, self.webhooks)
        self.rdvs = Rdvs(self.storage, self.webhooks)
        self.rights = Rights(self.storage)
        self.accounts = Accounts(self.storage, self.directory)
        self._seed = seed
        if self.storage.fresh and seed is not None:
            with self.storage.transaction():
                seed(self)

    def reset(self) -> None:
        """Everything as on the first day."""
        with self.storage.transaction():
            url = self.storage.setting("url", "")
            self.storage.clear()
            self.storage.set_setting("url", url)
            if self._seed is not None:
                self._seed(self)

    def agent_id(self, email: str) -> int:
        """The agent with this e-mail. Raises `LookupError`."""
        found = self.storage.number("SELECT id FROM agents WHERE email = ?", [email])
        if not found:
            raise LookupError(f"no agent with the e-mail {email}")
        return found

    def contents(self) -> dict[str, Any]:
        """Everything there is, as the API shows it, past any permission; and who was notified of what."""
        return {
            "organisations": [self._record("Organisation", key) for key in self._ids("organisations")],
            "agents": [
                agent | {"organisation_ids": self.directory.organisations_of(agent["id"])}
                for agent in serializers.agents(self.storage, self._ids("agents"))
            ],
            "motifs": [self._record("Motif", key) for key in self._ids("motifs")],
            "lieux": [self._record("Lieu", key) for key in self._ids("lieux")],
            "rdvs": serializers.rdvs(self.storage, self._ids("rdvs")),
            "absences": serializers.absences(self.storage, self._ids("absences")),
            "webhook_endpoints": [
                serializers.webhook_endpoint(row)
                for row in self.storage.rows("SELECT * FROM webhook_endpoints ORDER BY id")
            ],
            "notifications": self.notifications(),
        }

    def notifications(self) -> list[dict[str, Any]]:
        """Mails and SMS that usagers would have got from participation changes: `at`, `kind`, `rdv_id`, `user_id`."""
        return [dict(row) for row in self.storage.rows("SELECT * FROM notifications ORDER BY id")]

    def rdv(self, rdv_id: int) -> dict[str, Any] | None:
        """An RDV as the API shows it, or None."""
        return self._record("Rdv", rdv_id)

    def absence(self, absence_id: int) -> dict[str, Any] | None:
        """An absence as the API shows it, or None."""
        return self._record("Absence", absence_id)

    def absences_of(self, agent_id: int) -> list[dict[str, Any]]:
        """The absences of an agent, in order of time."""
        found = self.storage.rows(
            "SELECT id FROM absences WHERE agent_id = ? ORDER BY first_day, start_time, id", [agent_id]
        )
        return serializers.absences(self.storage, [row[0] for row in found])

    def rdvs_of(self, agent_id: int) -> list[dict[str, Any]]:
        """The RDVs of an agent, in order of time."""
        found = self.storage.rows(
            "SELECT rdvs.id FROM rdvs JOIN rdv_agents ON rdv_id = rdvs.id WHERE agent_id = ?"
            " ORDER BY starts_at, rdvs.id",
            [agent_id],
        )
        return serializers.rdvs(self.storage, [row[0] for row in found])

    def _record(self, model: str, record_id: int) -> dict[str, Any] | None:
        return serializers.webhook_data(self.storage, model, record_id)

    def _ids(self, table: str) -> list[int]:
        return [row[0] for row in self.storage.rows(_ALL_IDS[table])]

    def close(self) -> None:
        self.storage.close()


_ALL_IDS = {
    "organisations": "SELECT id FROM organisations ORDER BY id",
    "agents": "SELECT id FROM agents WHERE deleted = 0 ORDER BY id",
    "motifs": "SELECT id FROM motifs ORDER BY id",
    "lieux": "SELECT id FROM lieux ORDER BY id",
    "rdvs": "SELECT id FROM rdvs ORDER BY id",
    "absences": "SELECT id FROM absences ORDER BY id",
}
