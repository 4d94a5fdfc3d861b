"""Webhooks: what is announced to whom, kept in the database until sent (`sender.py` sends them).

A delivery is written in the transaction of the change it tells of, one per endpoint concerned: RDVs go to the endpoints
of their organisation, absences and agents to those of every organisation of the agent (so N copies).
"""

from __future__ import annotations

import json
import random
import sqlite3
import threading
import time
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from typing import Any

from gateway.sandbox import serializers, times
from gateway.sandbox.storage import Storage

SUBSCRIPTIONS = {
    "rdv": "Rdv",
    "absence": "Absence",
    "plage_ouverture": "PlageOuverture",
    "user": "User",
    "user_profile": "UserProfile",
    "organisation": "Organisation",
    "motif": "Motif",
    "lieu": "Lieu",
    "agent": "Agent",
    "agent_role": "AgentRole",
    "referent_assignation": "ReferentAssignation",
}
MAX_ATTEMPTS = 20
_KEPT_DELIVERIES = 20_000


@dataclass(frozen=True, slots=True)
class Policy:
    """How webhooks leave. The defaults are what a healthy server of today does."""

    payload: str = "fresh"  # "fresh": built when sent, a retry says the present; "stale": frozen at the change
    burst: int = 2  # "updated" that follow each "created", and that a participation change sends
    delay: float = 0.0  # seconds before each delivery
    disorder: float = 0.0  # up to so many seconds more, at random: deliveries overtake each other
    time_scale: float = 1.0  # multiplies the waits between attempts (n**4 seconds)
    timeout: float = 10.0  # seconds an endpoint has to answer
    lose: int = 0  # the next so many deliveries are never sent


class Outbox:
    """Writes deliveries. `ready` is set whenever there may be something to send."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._random = random.Random(0)
        self.ready = threading.Event()

    # --- settings ----------------------------------------------------------------------------------------------

    @property
    def policy(self) -> Policy:
        return Policy(**self._storage.setting("webhooks", {}))

    def set_policy(self, **changes: Any) -> Policy:
        """Changes some fields of `Policy`; those not named stay. Raises `TypeError` for an unknown name."""
        policy = replace(self.policy, **changes)
        if policy.payload not in ("fresh", "stale"):
            raise ValueError("payload is fresh or stale")
        self._storage.set_setting("webhooks", asdict(policy))
        return policy

    # --- endpoints ---------------------------------------------------------------------------------------------

    def add_endpoint(
        self, organisation_id: int, target_url: str, secret: str, subscriptions: Collection[str] = ("rdv", "absence")
    ) -> int:
        """As the web pages of the real server do it; nothing is replayed (the API does: see `api_webhooks`)."""
        return self._storage.run(
            "INSERT INTO webhook_endpoints (organisation_id, target_url, secret, subscriptions) VALUES (?, ?, ?, ?)",
            [organisation_id, target_url, secret, ",".join(subscriptions)],
        )

    def remove_endpoint(self, endpoint_id: int) -> None:
        with self._storage.transaction():
            self._storage.run("DELETE FROM webhook_endpoints WHERE id = ?", [endpoint_id])
            self._storage.run("DELETE FROM deliveries WHERE endpoint_id = ? AND outcome = 'pending'", [endpoint_id])

    # --- announcing --------------------------------------------------------------------------------------------

    def announce(
        self, model: str, event: str, record_id: int, organisation_ids: Collection[int], reason: str | None = None
    ) -> None:
        """Queues one delivery per endpoint that subscribes to `model` in these organisations.

        Call it inside the transaction of the change; for "destroyed", before the row goes.
        """
        endpoints = [
            endpoint
            for endpoint in self._storage.rows(
                "SELECT * FROM webhook_endpoints WHERE organisation_id IN (SELECT value FROM json_each(?)) ORDER BY id",
                [json.dumps(list(organisation_ids))],
            )
            if model in {SUBSCRIPTIONS.get(name) for name in endpoint["subscriptions"].split(",")}
        ]
        if not endpoints:
            return
        frozen = event == "destroyed" or self.policy.payload == "stale"
        body = self._body(model, event, record_id, reason) if frozen else None
        for endpoint in endpoints:
            self._queue(endpoint["id"], model, event, record_id, reason=reason, body=body)

    def replay(self, endpoint_id: int) -> None:
        """A "created" for every record of each subscribed model of the endpoint's organisation.

        The real job breaks when "absence" is subscribed (in one transaction), so nothing at all is replayed then.
        """
        endpoint = self._storage.row("SELECT * FROM webhook_endpoints WHERE id = ?", [endpoint_id])
        if endpoint is None:
            raise LookupError(f"no endpoint {endpoint_id}")
        subscribed = endpoint["subscriptions"].split(",")
        if "absence" in subscribed:
            return
        with self._storage.transaction():
            for name in subscribed:
                for row in self._storage.rows(_REPLAYED.get(name, _NOTHING), [endpoint["organisation_id"]]):
                    self._queue(endpoint_id, SUBSCRIPTIONS[name], "created", row[0], reason=None, body=None)

    def _queue(
        self, endpoint_id: int, model: str, event: str, record_id: int, *, reason: str | None, body: str | None
    ) -> None:
        policy = self.policy
        outcome = "pending"
        if policy.lose > 0:
            outcome = "lost"
            self.set_policy(lose=policy.lose - 1)
        self._storage.run(
            "INSERT INTO deliveries (endpoint_id, model, record_id, event, reason, body, due_at, outcome)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                endpoint_id,
                model,
                record_id,
                event,
                reason,
                body,
                time.time() + policy.delay + self._random.uniform(0, policy.disorder),
                outcome,
            ],
        )
        self.ready.set()

    def _body(self, model: str, event: str, record_id: int, reason: str | None) -> str | None:
        data = serializers.webhook_data(self._storage, model, record_id)
        if data is None:
            return None
        meta = {
            "model": model,
            "event": event,
            "webhook_reason": reason,
            "timestamp": times.shown(self._storage.clock().astimezone(times.PARIS)),
        }
        return json.dumps({"data": data, "meta": meta}, ensure_ascii=False, separators=(",", ":"))

    # --- for the sender ----------------------------------------------------------------------------------------

    def next_due(self) -> sqlite3.Row | None:
        """The pending delivery that is due first, with its endpoint's `target_url` and `secret`."""
        return self._storage.row(
            "SELECT deliveries.*, target_url, secret FROM deliveries"
            " JOIN webhook_endpoints ON webhook_endpoints.id = endpoint_id"
            " WHERE outcome = 'pending' ORDER BY due_at, deliveries.id LIMIT 1"
        )

    def body_of(self, delivery: sqlite3.Row) -> str | None:
        """What to send: as frozen, or as the record is now; None when it is gone by now (then nothing is sent)."""
        if delivery["body"] is not None:
            return str(delivery["body"])
        return self._body(delivery["model"], delivery["event"], delivery["record_id"], delivery["reason"])

    def settle(self, delivery_id: int, outcome: str, answer: str) -> None:
        """Ends a delivery: "done", "discarded" or "gone"."""
        with self._storage.transaction():
            self._storage.run(
                "UPDATE deliveries SET outcome = ?, attempts = attempts + 1, last_answer = ? WHERE id = ?",
                [outcome, answer, delivery_id],
            )
            self._storage.run(
                "DELETE FROM deliveries WHERE id < ? AND outcome <> 'pending'", [delivery_id - _KEPT_DELIVERIES]
            )

    def postpone(self, delivery: sqlite3.Row, answer: str) -> None:
        """After a failed attempt: n**4 seconds later again, twenty attempts in all."""
        attempts = delivery["attempts"] + 1
        if attempts >= MAX_ATTEMPTS:
            self.settle(delivery["id"], "discarded", answer)
            return
        self._storage.run(
            "UPDATE deliveries SET attempts = ?, due_at = ?, last_answer = ? WHERE id = ?",
            [attempts, time.time() + attempts**4 * self.policy.time_scale, answer, delivery["id"]],
        )

    # --- for people and tests ----------------------------------------------------------------------------------

    def deliveries(self) -> list[dict[str, Any]]:
        """Every delivery that is still known, oldest first, without its body."""
        return [
            dict(row)
            for row in self._storage.rows(
                "SELECT id, endpoint_id, model, record_id, event, reason, outcome, attempts, due_at, last_answer"
                " FROM deliveries ORDER BY id"
            )
        ]

    def wait_until_sent(self, timeout: float = 5.0) -> bool:
        """Waits until nothing is pending; False when something still is after `timeout` seconds."""
        end = time.monotonic() + timeout
        while self._storage.number("SELECT count(*) FROM deliveries WHERE outcome = 'pending'"):
            if time.monotonic() > end:
                return False
            time.sleep(0.01)
        return True


_NOTHING = "SELECT id FROM organisations WHERE id = ? AND 0"
_REPLAYED = {
    "rdv": "SELECT id FROM rdvs WHERE organisation_id = ? ORDER BY id",
    "organisation": "SELECT id FROM organisations WHERE id = ?",
    "motif": "SELECT id FROM motifs WHERE organisation_id = ? ORDER BY id",
    "lieu": "SELECT id FROM lieux WHERE organisation_id = ? ORDER BY id",
    "agent": "SELECT agent_id FROM agent_roles WHERE organisation_id = ? ORDER BY id",
    "agent_role": "SELECT id FROM agent_roles WHERE organisation_id = ? ORDER BY id",
}
