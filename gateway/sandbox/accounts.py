"""Who is calling: password tokens (devise_token_auth) and OAuth tokens (Doorkeeper)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import sqlite3
from dataclasses import dataclass, field
from datetime import timedelta

from gateway.sandbox import times
from gateway.sandbox.directory import Directory
from gateway.sandbox.storage import Storage

CLIENT_ID = "passerelle-bac-a-sable"
CLIENT_SECRET = "secret-de-demonstration"  # noqa: S105 -- the documented secret of sample data
_CODE_LIFE = timedelta(minutes=10)
_GRANT_LIFE = timedelta(days=30)  # after the expiry of its last access token


@dataclass(frozen=True, slots=True)
class OAuthTokens:
    """An access token, valid `expires_in` seconds, and the refresh token that is good for one renewal."""

    agent_id: int
    expires_in: int
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class DeviseToken:
    """The three headers of a session: `uid` is the agent's e-mail, `expiry` unix seconds."""

    uid: str
    client: str
    expiry: int
    access_token: str = field(repr=False)


class Accounts:
    """Opens, checks and ends sessions. `None` is the answer to whatever does not open one."""

    def __init__(self, storage: Storage, directory: Directory) -> None:
        self._storage = storage
        self._directory = directory

    # --- settings ----------------------------------------------------------------------------------------------

    def set_lifetimes(self, *, password_token: float | None = None, access_token: float | None = None) -> None:
        """Seconds that new tokens live. At first two weeks and two hours."""
        if password_token is not None:
            self._storage.set_setting("password_token_life", password_token)
        if access_token is not None:
            self._storage.set_setting("access_token_life", access_token)

    def allow_passwords(self, *, allowed: bool) -> None:
        """Newer instances refuse password tokens altogether."""
        self._storage.set_setting("passwords_allowed", allowed)

    def refuse_consents(self, *, refused: bool) -> None:
        """Whoever is asked for consent refuses, from now on."""
        self._storage.set_setting("consents_refused", refused)

    @property
    def consents_refused(self) -> bool:
        return bool(self._storage.setting("consents_refused", default=False))

    def expire_all(self) -> None:
        """Every token is expired from now on; refresh tokens still renew."""
        with self._storage.transaction():
            for statement in ("UPDATE devise_tokens SET expires_at = ''", "UPDATE oauth_tokens SET expires_at = ''"):
                self._storage.run(statement)

    def revoke_all(self) -> None:
        """Every session is ended, refresh tokens included: a person has to consent anew."""
        with self._storage.transaction():
            self._storage.run("DELETE FROM devise_tokens")
            self._storage.run("UPDATE oauth_tokens SET revoked = 1")

    # --- password tokens ---------------------------------------------------------------------------------------

    def sign_in(self, email: str, password: str) -> tuple[int, DeviseToken] | None:
        """A new token for the agent, whose previous one dies of it: one device at a time."""
        agent = self._storage.row("SELECT id, email FROM agents WHERE email = ?", [email.strip().lower()])
        if agent is None or not self._passwords_allowed() or not self._directory.password_fits(agent["id"], password):
            return None
        life = timedelta(seconds=self._storage.setting("password_token_life", timedelta(weeks=2).total_seconds()))
        expires = self._storage.clock() + life
        token = DeviseToken(
            uid=agent["email"],
            client=secrets.token_urlsafe(16),
            expiry=int(expires.timestamp()),
            access_token=secrets.token_urlsafe(16),
        )
        self._storage.run(
            "INSERT OR REPLACE INTO devise_tokens VALUES (?, ?, ?, ?)",
            [agent["id"], token.access_token, token.client, times.stored(expires)],
        )
        return agent["id"], token

    def agent_of_password_token(self, uid: str, client: str, token: str) -> int | None:
        if not self._passwords_allowed():
            return None
        found = self._storage.row(
            "SELECT agents.id FROM agents JOIN devise_tokens ON agent_id = agents.id"
            " WHERE email = ? AND client = ? AND token = ? AND expires_at > ?",
            [uid, client, token, times.stored(self._storage.clock())],
        )
        return None if found is None else int(found[0])

    def sign_out(self, agent_id: int) -> None:
        self._storage.run("DELETE FROM devise_tokens WHERE agent_id = ?", [agent_id])

    def _passwords_allowed(self) -> bool:
        return bool(self._storage.setting("passwords_allowed", default=True))

    # --- OAuth -------------------------------------------------------------------------------------------------

    def grant(self, agent_id: int) -> OAuthTokens:
        """Tokens as after a consent of this agent in the browser."""
        life = int(self._storage.setting("access_token_life", timedelta(hours=2).total_seconds()))
        tokens = OAuthTokens(
            agent_id=agent_id,
            expires_in=life,
            access_token=secrets.token_urlsafe(32),
            refresh_token=secrets.token_urlsafe(32),
        )
        self._storage.run(
            "INSERT INTO oauth_tokens (agent_id, access_token, refresh_token, expires_at) VALUES (?, ?, ?, ?)",
            [
                agent_id,
                tokens.access_token,
                tokens.refresh_token,
                times.stored(self._storage.clock() + timedelta(seconds=life)),
            ],
        )
        return tokens

    def code_for(self, agent_id: int, redirect_uri: str, challenge: str = "") -> str:
        """An authorization code, good once for ten minutes; with a PKCE challenge (S256), for its verifier only."""
        code = secrets.token_urlsafe(24)
        self._storage.run(
            "INSERT INTO oauth_codes VALUES (?, ?, ?, ?, ?)",
            [code, agent_id, redirect_uri, times.stored(self._storage.clock() + _CODE_LIFE), challenge],
        )
        return code

    def redeem(self, code: str, redirect_uri: str, verifier: str = "") -> OAuthTokens | None:
        with self._storage.transaction():
            found = self._storage.row(
                "SELECT agent_id, challenge FROM oauth_codes WHERE code = ? AND redirect_uri = ? AND expires_at > ?",
                [code, redirect_uri, times.stored(self._storage.clock())],
            )
            self._storage.run("DELETE FROM oauth_codes WHERE code = ?", [code])
            if found is None or (found["challenge"] and found["challenge"] != _challenge_of(verifier)):
                return None
            return self.grant(found["agent_id"])

    def renew(self, refresh_token: str) -> OAuthTokens | None:
        """New tokens for old: the refresh token (and the access token it came with) is used up. One that was not
        used for about a month is purged."""
        with self._storage.transaction():
            found: sqlite3.Row | None = self._storage.row(
                "SELECT id, agent_id FROM oauth_tokens WHERE refresh_token = ? AND revoked = 0"
                " AND (expires_at = '' OR expires_at > ?)",
                [refresh_token, times.stored(self._storage.clock() - _GRANT_LIFE)],
            )
            if found is None:
                return None
            self._storage.run("UPDATE oauth_tokens SET revoked = 1 WHERE id = ?", [found["id"]])
            return self.grant(found["agent_id"])

    def agent_of_access_token(self, token: str) -> int | None:
        found = self._storage.row(
            "SELECT agent_id FROM oauth_tokens WHERE access_token = ? AND revoked = 0 AND expires_at > ?",
            [token, times.stored(self._storage.clock())],
        )
        return None if found is None else int(found[0])


def _challenge_of(verifier: str) -> str:
    """RFC 7636 section 4.2, S256."""
    digest = hashlib.sha256(verifier.encode("ascii", "replace")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
