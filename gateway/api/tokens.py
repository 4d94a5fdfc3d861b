"""Bearer tokens (RFC 6750): made once, shown once, known by their digest afterwards."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from connectors.errors import ConnectorError
from connectors.ports import Clock
from gateway.api.values import ApiToken
from gateway.journal.decisions import decided
from gateway.keys import Keyring
from gateway.store.store import Store
from gateway.store.transaction import Transaction

_LOG = structlog.get_logger(__name__)
_TEXT = re.compile(r"rdvgw_([0-9a-f]{10})_[A-Za-z0-9_-]{43}")
_USE_NOTED_EVERY = timedelta(minutes=1)
_THING = "api_token"


def new_id(random: Callable[[int], bytes] = secrets.token_bytes) -> str:
    """The public name of a token."""
    return random(5).hex()


def new_text(token_id: str, secret: Callable[[int], str] = secrets.token_urlsafe) -> str:
    """The token itself: 256 random bits, after what tells whoever finds it what it is."""
    return f"rdvgw_{token_id}_{secret(32)}"


def digest_of(keys: Keyring, text: str) -> str:
    """What is kept of a token."""
    return keys.digest(b"api token\n" + text.encode())


def create(tx: Transaction, keys: Keyring, token: ApiToken) -> str:
    """Keep a new token, with its journal entry; its text, which is known to nobody from then on."""
    text = new_text(token.id)
    tx.tokens.add(token, digest_of(keys, text))
    tx.journal(decided("create", _THING, token.id, at=token.made_at, by=token.made_by))
    return text


def revoke(tx: Transaction, token_id: str, *, at: datetime, by: str) -> bool:
    """It opens nothing from the next request on; False when there was nothing to revoke."""
    done = tx.tokens.revoke(token_id, at=at)
    if done:
        tx.journal(decided("revoke", _THING, token_id, at=at, by=by))
    return done


@dataclass(frozen=True, slots=True)
class Authenticator:
    """Says whose token came. Asks the database each time: what was revoked opens nothing."""

    store: Store
    clock: Clock

    def token_of(self, authorization: str | None) -> ApiToken | None:
        """The valid token of an `Authorization` header; None for any other.

        One that is unknown takes as long as one that is known: a lookup by its public name, then one comparison of
        digests that does not tell where they differ.
        """
        scheme, _, text = (authorization or "").partition(" ")
        found = _TEXT.fullmatch(text.strip())
        if scheme.lower() != "bearer" or found is None:
            return None
        digest = digest_of(self.store.keys, found[0])
        with self.store.tokens() as tokens:
            known = tokens.find(found[1])
        is_its = hmac.compare_digest(digest, known[1] if known else "0" * len(digest))
        now = self.clock.now()
        if known is None or not is_its or not known[0].is_valid(now):
            return None
        self._note_use(known[0], now)
        return known[0]

    def _note_use(self, token: ApiToken, now: datetime) -> None:
        if token.last_used_at is not None and now - token.last_used_at < _USE_NOTED_EVERY:
            return
        try:
            with self.store.transaction() as tx:
                tx.tokens.used(token.id, at=now)
        except ConnectorError as error:  # reading goes on, though nobody can write
            _LOG.warning("the use of a token is not noted", token_id=token.id, reason=str(error))
