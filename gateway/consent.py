"""The access to RDV-Solidarités that is kept between processes: its token, whose consent it is, and whether it lasts.

An OAuth access token lasts two hours; the service forgets a consent that is not renewed for about 30 days. So the age
of the last renewal is told long before.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connectors.errors import Addressee
from connectors.ports import Clock
from gateway.journal.decisions import decided
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import Problem

WARNED_AFTER = timedelta(days=7)
PURGED_AFTER = timedelta(days=30)

LOGIN = "Run `rdv-gateway rdvs login` and consent with the technical account."

_TOKEN = "rdv_solidarites.token"  # noqa: S105 - the names under which they are kept
_RENEWED = "rdv_solidarites.token_renewed_at"
_CONSENT = "rdv_solidarites.consent"
_THING = "rdv_solidarites"


@dataclass(frozen=True, slots=True)
class Consent:
    """Who consented, and when. `agent_id` None: the instance does not tell."""

    obtained_at: str  # instant, ISO 8601
    agent_id: int | None = None
    email: str | None = None


class StoredToken:
    """The API token, kept encrypted in the database, for the processes that come later (`TokenStore`).

    `lock`: a file that every process of this deployment can read; None: no other process is expected.
    """

    def __init__(self, store: Store, clock: Clock, lock: Path | None = None) -> None:
        self._store = store
        self._clock = clock
        self._lock = lock

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """The kernel's lock on that file: a killed process frees it."""
        if self._lock is None:
            yield
            return
        descriptor = os.open(self._lock, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def load(self) -> str | None:
        data = self._store.secret(_TOKEN)
        return None if data is None else data.decode()

    def save(self, text: str) -> None:
        with self._store.transaction() as tx:
            _put(tx, text, self._clock.now())

    def begin(self, text: str, consent: Consent, *, by: str) -> None:
        """Keep the first token of a new consent in place of all that was kept."""
        now = self._clock.now()
        with self.exclusive(), self._store.transaction() as tx:
            _put(tx, text, now)
            tx.put_secret(_CONSENT, json.dumps(asdict(consent)).encode())
            whose = f"agent {consent.agent_id or '?'}"
            tx.journal(decided("consent", _THING, whose, at=now, by=by))

    def forget(self, *, by: str) -> bool:
        """Forget the token and the consent; False when there was none."""
        known = self._store.secret(_TOKEN) is not None
        now = self._clock.now()
        with self.exclusive(), self._store.transaction() as tx:
            for name in (_TOKEN, _RENEWED, _CONSENT):
                tx.drop_secret(name)
            if known:
                tx.journal(decided("forget", _THING, "consent", at=now, by=by))
        return known


def consent_of(store: Store) -> Consent | None:
    """The consent that `begin` kept."""
    data = store.secret(_CONSENT)
    return None if data is None else Consent(**json.loads(data))


def renewed_at(store: Store) -> datetime | None:
    """When a token was last obtained; None: never."""
    data = store.secret(_RENEWED)
    return None if data is None else datetime.fromisoformat(data.decode())


def consent_problem(store: Store, now: datetime, *, configured: bool) -> Problem | None:
    """What is wrong with an OAuth access, or will be soon; None: nothing. `configured`: a refresh token is named in
    the configuration, so that none needs to be kept yet."""
    last = renewed_at(store)
    if last is None:
        return None if configured else _problem("nobody has consented yet to this access", LOGIN)
    days = (now - last) // timedelta(days=1)
    if now - last > PURGED_AFTER:
        return _problem(
            f"the access was last renewed {days} days ago: the service has probably forgotten the consent",
            f"Run `rdv-gateway check`; if it is refused: {LOGIN[0].lower()}{LOGIN[1:]}",
        )
    if now - last > WARNED_AFTER:
        return _problem(
            f"the access was last renewed {days} days ago; the service forgets a consent after about "
            f"{PURGED_AFTER.days}",
            "Run `rdv-gateway check`, which renews it, and see why no sync runs.",
        )
    return None


def _problem(reason: str, remedy: str) -> Problem:
    return Problem(None, "rdv_solidarites", reason, Addressee.IT.value, remedy)


def _put(tx: Transaction, text: str, now: datetime) -> None:
    tx.put_secret(_TOKEN, text.encode())
    tx.put_secret(_RENEWED, now.isoformat().encode())
