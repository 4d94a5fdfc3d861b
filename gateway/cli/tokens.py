"""`tokens create|list|revoke`: who may read the API."""

from __future__ import annotations

import getpass
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from gateway.api import tokens
from gateway.api.values import ApiToken, Scope
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock

_COLUMNS = ("Token", "For", "May read", "About", "Made", "Expires", "Last used", "State")


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options of `tokens create` ask for."""

    name: str
    scopes: frozenset[Scope]
    agent_ids: frozenset[int]
    organisation_ids: frozenset[int]
    days: int


def create(config: Path, wish: Wish, *, as_json: bool) -> Exit:
    """Make one. Its text goes to stdout, once."""
    if not wish.name.strip() or not wish.name.isprintable() or len(wish.name) > 100:
        raise UserError("--name names the application.", remedy="Give a short text, such as agenda-accueil.")
    if Scope.JOURNAL_PEOPLE in wish.scopes and Scope.JOURNAL not in wish.scopes:
        raise UserError("journal:people goes with journal:read.", remedy="Give both, or neither.")
    now = SystemClock().now()
    token = ApiToken(
        id=tokens.new_id(),
        name=wish.name.strip(),
        scopes=wish.scopes,
        agent_ids=wish.agent_ids,
        organisation_ids=wish.organisation_ids,
        made_at=now,
        made_by=getpass.getuser(),
        expires_at=now + timedelta(days=wish.days),
    )
    with local(config) as (_settings, store), store.transaction() as tx:
        text = tokens.create(tx, store.keys, token)
    if as_json:
        print_json({**_json(token, now), "text": text})
    else:
        results().print(text)
        messages().print(
            f"Token {token.id} for {token.name}, until {moment(token.expires_at)}. It is not shown again: hand it over"
            f" as a secret. `rdv-gateway tokens revoke {token.id}` ends it."
        )
    return Exit.FINE


def list_(config: Path, *, as_json: bool) -> Exit:
    """Show all, those that are over too."""
    now = SystemClock().now()
    with local(config) as (_settings, store), store.tokens() as known:
        found = known.all()
    if as_json:
        print_json({"tokens": [_json(each, now) for each in found]})
    elif found:
        results().print(table("Tokens", _COLUMNS, (_row(each, now) for each in found)))
    else:
        messages().print("There is no token: nobody reads the API.")
    return Exit.FINE


def revoke(config: Path, token_id: str, *, as_json: bool) -> Exit:
    """End one."""
    with local(config) as (_settings, store), store.transaction() as tx:
        found = tx.tokens.find(token_id)
        done = tokens.revoke(tx, token_id, at=SystemClock().now(), by=getpass.getuser())
    if found is None:
        raise UserError("There is no such token.", remedy="See `rdv-gateway tokens list`.")
    if as_json:
        print_json({"token": token_id, "revoked": True, "was_revoked": not done})
    else:
        results().print(f"{token_id} opens nothing any more." if done else f"{token_id} was revoked already.")
    return Exit.FINE


def _state(token: ApiToken, now: datetime) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "valid" if token.is_valid(now) else "expired"


def _about(token: ApiToken) -> str:
    parts = [f"agent {each}" for each in sorted(token.agent_ids)]
    parts += [f"organisation {each}" for each in sorted(token.organisation_ids)]
    return ", ".join(parts) or "everybody"


def _row(token: ApiToken, now: datetime) -> tuple[object, ...]:
    times = (moment(token.made_at), moment(token.expires_at), moment(token.last_used_at))
    return (token.id, token.name, " ".join(sorted(token.scopes)), _about(token), *times, _state(token, now))


def _json(token: ApiToken, now: datetime) -> dict[str, object]:
    return {
        "token": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "agents": sorted(token.agent_ids),
        "organisations": sorted(token.organisation_ids),
        "made_at": token.made_at,
        "made_by": token.made_by,
        "expires_at": token.expires_at,
        "last_used_at": token.last_used_at,
        "revoked_at": token.revoked_at,
        "state": _state(token, now),
    }
