"""Tokens of the read API, as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Scope(StrEnum):
    """What a token may read."""

    STATE = "state:read"
    CONFLICTS = "conflicts:read"
    JOURNAL = "journal:read"
    JOURNAL_PEOPLE = "journal:people"
    """With `journal:read`: who did it, and addresses of events, which often name a person."""


@dataclass(frozen=True, slots=True)
class ApiToken:
    """A token without its secret. Instants. `agent_ids`, `organisation_ids`: whom it may read about; both empty:
    everybody. `made_by`: the operator's user name."""

    id: str
    name: str
    scopes: frozenset[Scope]
    agent_ids: frozenset[int]
    organisation_ids: frozenset[int]
    made_at: datetime
    made_by: str
    expires_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None

    @property
    def sees_everybody(self) -> bool:
        """Whether it may read what concerns no agent in particular."""
        return not self.agent_ids and not self.organisation_ids

    def is_valid(self, now: datetime) -> bool:
        """Neither revoked nor expired."""
        return self.revoked_at is None and now < self.expires_at
