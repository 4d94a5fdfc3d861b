"""Events on their way to one target: in their order, at least once, for three days at most."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx2
import structlog

from connectors.errors import ConnectorError
from connectors.http import http_client
from connectors.network import Network
from connectors.ports import Clock
from gateway.api.signing import body_of, signed_headers
from gateway.store.business import Event, Target
from gateway.store.store import Store

_LOG = structlog.get_logger(__name__)
_FIRST_WAIT, _LONGEST_WAIT = timedelta(seconds=10), timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(days=3)
_AT_ONCE, _NOTED_EVERY = 200, 20
_TURN = timedelta(seconds=3)
"""After that the turn ends, so that the service can: the next one goes on."""
_TIMEOUT = 10.0
_REFUSED = frozenset({400, 413, 422})
"""This message will not be taken however often it is sent."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Where it is sent. `url` may hold a token. `events`, `organisations`: what it is to get; empty: all."""

    name: str
    url: str = field(repr=False)
    key: bytes = field(repr=False)
    network: Network
    events: Collection[str] = ()
    organisations: Collection[int] = ()

    def wants(self, event: Event) -> bool:
        """Whether it is to be told of this."""
        if self.events and event.kind not in self.events:
            return False
        return not self.organisations or event.organisation_id in self.organisations

    def post(self, client: httpx2.Client, message_id: str, body: bytes, now: datetime) -> int:
        """The status of the answer; 0 when there was none. No redirect is followed, and the answer's body is not
        read."""
        headers = signed_headers(self.key, message_id, now, body)
        try:
            with client.stream("POST", self.url, content=body, headers=headers) as answer:
                return answer.status_code
        except (httpx2.HTTPError, ConnectorError):
            return 0

    def client(self) -> httpx2.Client:
        """Raises `ITMustAct` for certificate files that cannot be used."""
        network = replace(self.network, connect_timeout=_TIMEOUT, read_timeout=_TIMEOUT)
        return http_client(network, system="business", connections=1)


@dataclass(frozen=True, slots=True)
class Deliverer:
    """One target's. To be called by one thread at a time."""

    store: Store
    receiver: Receiver
    clock: Clock

    def deliver(self) -> int:
        """Send what is due; how many were taken. Stops at the first that is not, until its next try is due."""
        with self.store.business() as tables:
            target = tables.targets().get(self.receiver.name)
            if target is None or (target.next_at is not None and self.clock.now() < target.next_at):
                return 0
            events = tables.events_after(target.cursor, _AT_ONCE)
        if not events:
            return 0
        before, until = target.taken, self.clock.now() + _TURN
        with self.receiver.client() as client:
            for some in _groups(events, _NOTED_EVERY):
                target, goes_on = self._send(client, target, some, until)
                self._note(target)
                if not goes_on:
                    break
        return target.taken - before

    def _send(
        self, client: httpx2.Client, target: Target, events: Iterable[Event], until: datetime
    ) -> tuple[Target, bool]:
        """How far it came, and whether it may go on."""
        for event in events:
            now = self.clock.now()
            if now > until:
                return target, False
            if not self.receiver.wants(event):
                target = replace(target, cursor=event.id)
            elif now - event.at > GIVEN_UP_AFTER:
                target = self._dead(target, event, "it is too old", now)
            else:
                status = self.receiver.post(client, message_id(event), body_of(event), now)
                if 200 <= status < 300:
                    target = replace(target, cursor=event.id, taken=target.taken + 1, last_taken_at=now)
                    target = replace(target, attempts=0, next_at=None, failing_since=None)
                elif status in _REFUSED:
                    target = self._dead(target, event, f"it was refused ({status})", now)
                else:
                    return self._waits(target, status, now), False
        return target, True

    def _waits(self, target: Target, status: int, now: datetime) -> Target:
        wait = min(_FIRST_WAIT * (1 << min(target.attempts, 12)), _LONGEST_WAIT)
        answer = f"it answers {status}" if status else "it does not answer"
        _LOG.warning("a business webhook waits", webhook=target.name, reason=answer, seconds=wait.total_seconds())
        since = target.failing_since or now
        return replace(target, attempts=target.attempts + 1, next_at=now + wait, failing_since=since)

    def _dead(self, target: Target, event: Event, why: str, now: datetime) -> Target:
        _LOG.warning("an event is given up", webhook=target.name, message=message_id(event), reason=why)
        return replace(target, cursor=event.id, dead=target.dead + 1, last_dead_at=now)

    def _note(self, target: Target) -> None:
        with self.store.transaction() as tx:
            if target.name in tx.business.targets():  # else it is configured no more
                tx.business.put_target(target)


def message_id(event: Event) -> str:
    """The same whenever it is sent again; another one than that of any event of a database that was restored."""
    return f"evt_{event.id}_{int(event.at.timestamp() * 1e6):x}"


def _groups(events: tuple[Event, ...], size: int) -> Iterable[tuple[Event, ...]]:
    return (events[start : start + size] for start in range(0, len(events), size))
