"""What calendar connectors remember from run to run, kept in the database: encrypted, and small.

A wrong password is tried once: again only when it is another one, or when IT asks for it (`check --retry`). What is
kept of it is a keyed digest, which tells no password and cannot be tried out without the key file.
"""

from __future__ import annotations

from gateway.keys import Keyring
from gateway.store.store import Store

_SERVER = "calendar_server"
_FEED = "subscription"
_REFUSED = "refused_password"


class RememberedServers:
    """Texts about calendar servers (`connectors.caldav.memory.ServerMemory`)."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def load(self, host: str) -> str | None:
        data = self._store.secret(f"{_SERVER}.{host}")
        return None if data is None else data.decode()

    def save(self, host: str, text: str) -> None:
        with self._store.transaction() as transaction:
            transaction.put_secret(f"{_SERVER}.{host}", text.encode())


class RememberedFeed:
    """A text about one subscription (`connectors.ics.FeedMemory`). Its link is a secret, and so no part of the name."""

    def __init__(self, store: Store, keys: Keyring, *, url: str) -> None:
        self._store = store
        self._name = f"{_FEED}.{keys.digest(url.encode())[:32]}"

    def load(self) -> str | None:
        data = self._store.secret(self._name)
        return None if data is None else data.decode()

    def save(self, text: str) -> None:
        with self._store.transaction() as transaction:
            transaction.put_secret(self._name, text.encode())


class RememberedPassword:
    """Whether this password of this login was refused (`connectors.caldav.memory.PasswordMemory`).

    `retry`: it is to be tried all the same, once.
    """

    def __init__(
        self, store: Store, keys: Keyring, *, url: str, username: str, password: str, retry: bool = False
    ) -> None:
        self._store = store
        self._retry = retry
        login = keys.digest(f"{url}\n{username}".encode())
        self._name = f"{_REFUSED}.{login[:32]}"
        self._digest = keys.digest(f"{url}\n{username}\n{password}".encode())

    def was_refused(self) -> bool:
        return not self._retry and self._is_kept()

    def note_refusal(self) -> None:
        with self._store.transaction() as transaction:
            transaction.put_secret(self._name, self._digest.encode())

    def note_acceptance(self) -> None:
        if self._retry and self._is_kept():
            with self._store.transaction() as transaction:
                transaction.drop_secret(self._name)

    def _is_kept(self) -> bool:
        return self._store.secret(self._name) == self._digest.encode()
