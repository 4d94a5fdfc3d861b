"""A token as one value, and the one place that holds it for all threads and for the processes that come later.

Sharing is not an optimisation: a sign-in ends the token before it (one device per account), and a refresh token is
spent by its use.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Protocol, TypeGuard

import httpx2

from connectors.errors import ITMustAct
from connectors.ports import Clock

_MARGIN = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Token:
    """What makes a request authenticated. `expires_at`: UTC instant, None if the server did not say."""

    headers: Mapping[str, str] = field(repr=False)
    expires_at: datetime | None = None
    refresh_token: str = field(default="", repr=False)

    def usable(self, now: datetime) -> bool:
        return self.expires_at is None or now + _MARGIN < self.expires_at


class TokenStore(Protocol):
    """Where the caller keeps the token between processes: one store per account. The text is a secret, opaque to
    the store, which encrypts it. `save` returns when the text is safe."""

    def exclusive(self) -> AbstractContextManager[None]:
        """Held while a token is obtained and saved: no other process does so meanwhile."""

    def load(self) -> str | None:
        """The text saved last, by whichever process, or None."""

    def save(self, text: str) -> None:
        """Replace the text."""


class MemoryTokenStore:
    """A store that lasts as long as the process."""

    def __init__(self) -> None:
        self._text: str | None = None

    def exclusive(self) -> AbstractContextManager[None]:
        return nullcontext()  # no other process knows it, and `SharedToken` keeps threads apart

    def load(self) -> str | None:
        return self._text

    def save(self, text: str) -> None:
        self._text = text


class TokenEndpoint(Protocol):
    """The server as seen by what obtains tokens: unauthenticated requests."""

    @property
    def host(self) -> str:
        """`host` or `host:port` that a token is valid for."""

    def post(
        self, path: str, *, json: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> httpx2.Response:
        """The answer, whatever its status. Raises `RetryLater` or `ITMustAct` when there is none."""


Obtain = Callable[[TokenEndpoint, Token | None], Token]
"""Gets a new token; given the one known last. Raises `ITMustAct` when the credentials are refused."""


class SharedToken:
    """The current token. Every look and every renewal goes through one lock: never two renewals in parallel.

    `account` says in any stable words whose token it is; a stored token of another account or host is not used.
    """

    def __init__(self, account: str, obtain: Obtain, store: TokenStore, clock: Clock) -> None:
        self._account = account
        self._obtain = obtain
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Token | None = None

    def current(self, endpoint: TokenEndpoint) -> Token:
        """The token to send, obtained first if there is none that lasts."""
        with self._lock:
            if self._token is None or not self._token.usable(self._clock.now()):
                self._token = self._renew(endpoint, refused=None)
            return self._token

    def renewed(self, refused: Token, endpoint: TokenEndpoint) -> Token:
        """Another token than `refused`: one that another thread or process has got since, or a new one."""
        with self._lock:
            if self._token is None or self._token == refused:
                self._token = self._renew(endpoint, refused=refused)
            return self._token

    def begun(self, endpoint: TokenEndpoint) -> Token:
        """A token obtained anew, whatever was stored: it replaces that."""
        with self._lock, self._store.exclusive():
            self._token = self._obtain(endpoint, None)
            self._save(self._token, endpoint)
            return self._token

    def _renew(self, endpoint: TokenEndpoint, *, refused: Token | None) -> Token:
        stored = self._load(endpoint)
        if self._may_use(stored, refused):
            return stored
        with self._store.exclusive():
            return self._renew_alone(endpoint, refused=refused)

    def _renew_alone(self, endpoint: TokenEndpoint, *, refused: Token | None) -> Token:
        stored = self._load(endpoint)  # another process may have renewed it while we waited
        if self._may_use(stored, refused):
            return stored
        try:
            token = self._obtain(endpoint, stored or self._token)
        except ITMustAct:
            # Another process may have spent the refresh token between our look and our attempt.
            later = self._load(endpoint)
            if later != stored and self._may_use(later, refused):
                return later
            raise
        self._save(token, endpoint)
        return token

    def _may_use(self, token: Token | None, refused: Token | None) -> TypeGuard[Token]:
        return token is not None and token != refused and token.usable(self._clock.now())

    def _load(self, endpoint: TokenEndpoint) -> Token | None:
        try:
            saved = json.loads(self._store.load() or "null")
            if saved["owner"] != self._owner(endpoint):
                return None
            expiry = saved["expires_at"]
            return Token(
                headers={str(name): str(value) for name, value in saved["headers"].items()},
                expires_at=None if expiry is None else datetime.fromtimestamp(expiry, UTC),
                refresh_token=str(saved["refresh_token"]),
            )
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError):
            return None  # nothing saved, or by another version: as good as no token

    def _save(self, token: Token, endpoint: TokenEndpoint) -> None:
        self._store.save(
            json.dumps(
                {
                    "owner": self._owner(endpoint),
                    "headers": dict(token.headers),
                    "expires_at": None if token.expires_at is None else token.expires_at.timestamp(),
                    "refresh_token": token.refresh_token,
                }
            )
        )

    def _owner(self, endpoint: TokenEndpoint) -> str:
        return hashlib.sha256(json.dumps([endpoint.host, self._account]).encode()).hexdigest()
