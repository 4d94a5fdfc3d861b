"""From a raw request to the inbox: refused cheaply, reduced at the door, kept, answered.

Nothing is parsed before the signature is verified, and no database is asked before something is worth keeping.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from connectors.deliveries import Told
from connectors.errors import BadItem
from connectors.ports import Clock, WebhookDoor
from gateway.keys import Keyring
from gateway.store.store import Store
from gateway.store.webhooks import Received
from gateway.webhooks.inbox import Inbox, InboxFull
from gateway.webhooks.secrets import EndpointSecrets, Place, load_secrets

_LOG = structlog.get_logger(__name__)
_SIGNATURE_LENGTH = 64
PONG = b"rdv-gateway pong:"
"""What the answer to a ping signs, before the ping's own body: only the gateway itself can."""


class Outcome(StrEnum):
    """What became of a request, for whoever counts."""

    KEPT = "kept"
    IGNORED = "ignored"  # about something of no interest
    PONG = "pong"
    UNKNOWN_ENDPOINT = "unknown_endpoint"
    UNSIGNED = "unsigned"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    CUT = "cut"  # the sender left before the end
    FULL = "full"


STATUS: Mapping[Outcome, int] = {
    Outcome.KEPT: 200,
    Outcome.IGNORED: 200,
    Outcome.PONG: 200,
    Outcome.UNKNOWN_ENDPOINT: 404,
    Outcome.UNSIGNED: 401,
    Outcome.TOO_LARGE: 413,
    Outcome.UNREADABLE: 400,
    Outcome.CUT: 400,
    Outcome.FULL: 503,
}


@dataclass(frozen=True, slots=True)
class Request:
    """One POST, as far as it matters. `declared`: its Content-Length, None if it has none. `body` is read once."""

    place: Place
    signature: str
    declared: int | None
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True)
class Reply:
    outcome: Outcome
    proof: str = ""  # of a pong


@dataclass(slots=True)
class Receiver:
    """Takes webhooks in. `body_limit`: bytes. `counts`: requests by outcome since the start."""

    door: WebhookDoor
    inbox: Inbox
    store: Store
    keys: Keyring
    clock: Clock
    body_limit: int
    counts: Counter[Outcome] = field(default_factory=Counter)
    _secrets: Mapping[Place, EndpointSecrets] = field(default_factory=dict, repr=False)

    def refresh(self) -> None:
        """Take over secrets that another process may have changed."""
        self._secrets = load_secrets(self.store)

    async def receive(self, request: Request) -> Reply:
        """What to answer. Never raises for what is received."""
        reply = await self._receive(request)
        self.counts[reply.outcome] += 1
        return reply

    async def _receive(self, request: Request) -> Reply:
        known = self._secrets.get(request.place)
        if known is None:
            return Reply(Outcome.UNKNOWN_ENDPOINT)
        if len(request.signature) != _SIGNATURE_LENGTH:
            return Reply(Outcome.UNSIGNED)
        if request.declared is not None and request.declared > self.body_limit:
            return Reply(Outcome.TOO_LARGE)
        body = bytearray()
        async for chunk in request.body:
            body += chunk
            if len(body) > self.body_limit:
                return Reply(Outcome.TOO_LARGE)
        return await self._signed(request, bytes(body), known.accepted(self.clock.now()))

    async def _signed(self, request: Request, body: bytes, secrets: tuple[str, ...]) -> Reply:
        if not self.door.is_signed(body, request.signature, secrets):
            return Reply(Outcome.UNSIGNED)
        try:
            delivery = self.door.read(body)
        except BadItem as error:
            _LOG.warning("a signed webhook is none", organisation=request.place[0], reason=str(error))
            return Reply(Outcome.UNREADABLE)
        if delivery is None:
            return Reply(Outcome.IGNORED)
        if delivery.about is Told.PING:
            return Reply(Outcome.PONG, self.door.sign(secrets[0], PONG + body))
        if delivery.unreadable:
            _LOG.warning("a webhook's record cannot be read", about=delivery.about.value, reason=delivery.unreadable)
        organisation_id, channel = request.place
        received = Received(organisation_id, channel, self.keys.digest(body), self.clock.now(), delivery)
        try:
            await self.inbox.keep(received)
        except InboxFull:
            return Reply(Outcome.FULL)
        return Reply(Outcome.KEPT)
