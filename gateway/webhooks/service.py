"""All that takes webhooks in and applies them, put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from starlette.routing import BaseRoute

from connectors.ports import Clock, WebhookDoor
from connectors.records import RdvSelection
from gateway.keys import Keyring
from gateway.store.store import Store
from gateway.webhooks.applying import Applied, Applier
from gateway.webhooks.inbox import CAPACITY, Inbox
from gateway.webhooks.receiving import Receiver
from gateway.webhooks.routes import webhook_routes

REFRESH_SECONDS = 10
"""How often secrets that `webhooks install` changed are taken over. What comes meanwhile is refused, and tried again by
RDV-Solidarités after 1 and 17 seconds."""


@dataclass(frozen=True, slots=True)
class WebhookService:
    """Serve `routes` on the public listener; call `apply` as soon as `on_kept` was called, again when it says, and each
    minute; call `refresh` every `REFRESH_SECONDS`; `close` it after the listener."""

    receiver: Receiver
    applier: Applier

    @property
    def routes(self) -> Sequence[BaseRoute]:
        """For the public listener."""
        return webhook_routes(self.receiver)

    def apply(self) -> Applied:
        """One pass over what was received. Under the sync lock, one at a time."""
        return self.applier.apply()

    def refresh(self) -> None:
        """Take over secrets that another process may have changed."""
        self.receiver.refresh()

    def close(self) -> None:
        """Keep what is being received, and take nothing more."""
        self.receiver.inbox.close()


def open_webhooks(
    store: Store,
    keys: Keyring,
    clock: Clock,
    door: WebhookDoor,
    selection: RdvSelection,
    *,
    body_limit: int,
    capacity: int = CAPACITY,
    clock_offset: Callable[[], timedelta | None] = lambda: None,
    on_kept: Callable[[], None] = lambda: None,
) -> WebhookService:
    """Starts the inbox's thread. `on_kept`: called, from that thread, when something new is there to apply."""
    inbox = Inbox(store, on_kept, capacity=capacity)
    receiver = Receiver(door, inbox, store, keys, clock, body_limit)
    receiver.refresh()
    return WebhookService(receiver, Applier(store, clock, selection, keys.digest_key, clock_offset))
