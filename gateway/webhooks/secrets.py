"""The secrets of subscriptions, by organisation and channel. Kept encrypted; at work in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.store.store import Store
from gateway.store.transaction import Transaction

_NAME = "webhooks"
OLD_ACCEPTED = timedelta(days=9)
"""How long after it was replaced a secret is accepted: RDV-Solidarités tries a delivery again for eight days."""

Place = tuple[int, str]
"""Organisation and channel."""


@dataclass(frozen=True, slots=True)
class EndpointSecrets:
    """What an endpoint's webhooks may be signed with. `old`: with the instant until which each is accepted."""

    current: str = field(repr=False)
    old: tuple[tuple[str, datetime], ...] = field(default=(), repr=False)

    def accepted(self, now: datetime) -> tuple[str, ...]:
        """Those that count now, the current one first."""
        return (self.current, *(secret for secret, until in self.old if now < until))

    def replaced(self, secret: str, now: datetime) -> EndpointSecrets:
        """The same with a new current one; what it replaces is accepted for a while."""
        kept = tuple(each for each in self.old if now < each[1])
        return EndpointSecrets(secret, ((self.current, now + OLD_ACCEPTED), *kept))


def load_secrets(store: Store) -> dict[Place, EndpointSecrets]:
    """All that are kept."""
    data = store.secret(_NAME)
    stored = json.loads(data) if data is not None else []
    return {
        (organisation_id, channel): EndpointSecrets(
            current, tuple((secret, datetime.fromisoformat(until)) for secret, until in old)
        )
        for organisation_id, channel, current, old in stored
    }


def save_secrets(tx: Transaction, secrets: Mapping[Place, EndpointSecrets]) -> None:
    """These are all."""
    rows = [
        (*place, each.current, [(secret, until.isoformat()) for secret, until in each.old])
        for place, each in sorted(secrets.items())
    ]
    tx.put_secret(_NAME, json.dumps(rows).encode())
