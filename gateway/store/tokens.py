"""Tokens of the read API. Of the secret itself only a keyed digest is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from gateway.api.values import ApiToken, Scope
from gateway.store.codec import dump_json
from gateway.store.schema import api_token

_TOKEN = (
    *(api_token.c.id, api_token.c.name, api_token.c.scopes, api_token.c.agent_ids, api_token.c.organisation_ids),
    *(api_token.c.made_at, api_token.c.made_by, api_token.c.expires_at),
    *(api_token.c.last_used_at, api_token.c.revoked_at),
)


@dataclass(frozen=True, slots=True)
class TokenTable:
    """Used within one transaction, or for reading only. Datetimes are instants."""

    connection: Connection

    def all(self) -> tuple[ApiToken, ...]:
        """Oldest first, those that are revoked or expired too."""
        rows = self.connection.execute(select(*_TOKEN).order_by(api_token.c.made_at, api_token.c.id))
        return tuple(map(_token, rows))

    def find(self, token_id: str) -> tuple[ApiToken, str] | None:
        """A token and the digest of its text."""
        row = self.connection.execute(select(*_TOKEN, api_token.c.digest).where(api_token.c.id == token_id)).first()
        return None if row is None else (_token(row), row.digest)

    def add(self, token: ApiToken, digest: str) -> None:
        self.connection.execute(
            insert(api_token),
            {
                "id": token.id,
                "digest": digest,
                "name": token.name,
                "scopes": dump_json(sorted(token.scopes)),
                "agent_ids": dump_json(sorted(token.agent_ids)),
                "organisation_ids": dump_json(sorted(token.organisation_ids)),
                "made_at": token.made_at,
                "made_by": token.made_by,
                "expires_at": token.expires_at,
            },
        )

    def revoke(self, token_id: str, *, at: datetime) -> bool:
        """False when there is no such token, or it was revoked already."""
        change = update(api_token).where(api_token.c.id == token_id, api_token.c.revoked_at.is_(None))
        return self.connection.execute(change.values(revoked_at=at)).rowcount == 1

    def used(self, token_id: str, *, at: datetime) -> None:
        self.connection.execute(update(api_token).where(api_token.c.id == token_id).values(last_used_at=at))


def _token(row: Any) -> ApiToken:
    return ApiToken(
        id=row.id,
        name=row.name,
        scopes=frozenset(map(Scope, json.loads(row.scopes))),
        agent_ids=frozenset(json.loads(row.agent_ids)),
        organisation_ids=frozenset(json.loads(row.organisation_ids)),
        made_at=row.made_at,
        made_by=row.made_by,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        revoked_at=row.revoked_at,
    )
