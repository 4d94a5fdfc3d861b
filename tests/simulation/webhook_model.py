"""Webhooks of the simulated RDV-Solidarités: late, doubled, out of order, lost; applied by the real code.

What changed is found by comparing, whenever the server is looked at: several edits in between are told as one, as of
that moment. Payloads are frozen then, or say what is there when they are sent, as old and new servers do.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from connectors.deliveries import DeliveredContent, Delivery, DeliveryEvent, Told
from connectors.records import Absence, RdvSelection
from gateway.keys import Keyring
from gateway.store.last_word import Thing
from gateway.store.store import Store
from gateway.store.webhooks import Received
from gateway.webhooks.applying import Applier
from tests.simulation.rdv_model import RdvServer

_SOON = (2.0, 2.0, 2.0, 3.0)
_LATE = (5.0, 5.0, 10.0, 10.0, 60.0, 600.0, 90_000.0)  # seconds
_TRUST = timedelta(hours=5)  # how long one reading serves while webhooks come


@dataclass(frozen=True, slots=True)
class _Letter:
    """`content` None: what is there when it is sent; nothing is sent then if it is gone."""

    due: datetime
    about: Told
    number: int
    event: DeliveryEvent
    said_at: datetime
    content: DeliveredContent | None


@dataclass(slots=True)
class Messenger:
    """Notices what changes on the server, and delivers. Its own source of chance: a history without webhooks is the
    same whatever is done here."""

    chance: Random
    server: RdvServer
    keys: Keyring
    counts: Counter[str]
    always: bool | None = None  # or never; None: in some histories
    is_on: bool = False
    frozen: bool = False
    losses: float = 0.0
    delays: float = 0.0
    doubted: bool = False  # something was not believed, or not read, since everything was
    _known: dict[tuple[Told, int], DeliveredContent] = field(default_factory=dict)
    _said: dict[tuple[Told, int], datetime] = field(default_factory=dict)
    _heard: dict[tuple[Told, int], datetime] = field(default_factory=dict)  # which of those the gateway knows
    _under_way: list[_Letter] = field(default_factory=list)
    _sent: int = 0

    def begin(self) -> None:
        """From now on what changes is told, or nothing ever is."""
        drawn = self.chance.random() < 0.4
        self.is_on = drawn if self.always is None else self.always
        self.frozen = self.chance.random() < 0.5
        self.losses = self.chance.choice([0.0, 0.0, 0.0, 0.2])
        self.delays = self.chance.choice([0.0, 0.1, 0.3])
        self._known = self._present()

    @property
    def owes(self) -> bool:
        """Whether something that changed was not told, or not yet."""
        return self.doubted or any(self._heard.get(key) != said_at for key, said_at in self._said.items())

    def is_behind(self, rdv_id: int) -> bool:
        """Whether the gateway may still hold an RDV as it was before: its webhook has not come."""
        key = (Told.RDV, rdv_id)
        return self.doubted or self._heard.get(key) != self._said.get(key)

    def serves(self) -> bool:
        """Whether the next run goes by webhooks."""
        return self.is_on and self.chance.random() < 0.5

    def trusts(self, asked_at: datetime) -> bool:
        """Whether a reading of then still serves."""
        return timedelta() <= self.server.clock.now() - asked_at < _TRUST

    def notice(self) -> None:
        """Whatever is not as it was when the server was looked at last."""
        if not self.is_on:
            return
        present, known = self._present(), self._known
        if present == known:
            return
        for key in known.keys() - present.keys():
            self._write(key, DeliveryEvent.DESTROYED, None)
        for key, content in present.items():
            if key not in known:
                self._write(key, DeliveryEvent.CREATED, content)
            elif known[key] != content:
                self._write(key, DeliveryEvent.UPDATED, content)
        self._known = present

    def deliver(self, store: Store, selection: RdvSelection, *, all_of_it: bool = False) -> int:
        """Those that are due, in any order; how many."""
        if not self._under_way:
            return 0
        now = self.server.clock.now()
        due = [each for each in self._under_way if all_of_it or each.due <= now]
        if not due:
            return 0
        self._under_way = [each for each in self._under_way if each not in due]
        self.chance.shuffle(due)
        received = [made for each in due if (made := self._received(each, now)) is not None]
        if received:
            self.counts["webhooks"] += len(received)
            with store.transaction() as tx:
                tx.webhooks.keep(received)
            # Nothing waits for a burst to end: who delivers next is another process.
            done = Applier(store, self.server.clock, selection, self.keys.digest_key).apply()
            self.counts["webhooks applied"] += done.changes
            self.counts["webhooks stale"] += done.stale
            self.doubted = self.doubted or done.reading_wanted
        return len(received)

    def calm(self, store: Store, selection: RdvSelection) -> None:
        """What is under way comes; nothing is lost any more."""
        self.notice()
        self.deliver(store, selection, all_of_it=True)
        self.losses = self.delays = 0.0

    def was_read(self, *, whole: bool) -> None:
        """All that is there right now was read, or much of it. What is under way may be believed against that: a
        reading does not prove gone what a webhook of moments before says was there."""
        self.doubted = not whole
        if whole:
            coming = {(each.about, each.number) for each in self._under_way}
            self._heard |= {key: said_at for key, said_at in self._said.items() if key not in coming}

    # --- one webhook -----------------------------------------------------------------------------------------

    def _write(self, key: tuple[Told, int], event: DeliveryEvent, content: DeliveredContent | None) -> None:
        now = self.server.clock.now()
        said_at = now.replace(microsecond=0)
        if key in self._said:  # nobody changes one thing twice within a second
            said_at = max(said_at, self._said[key] + timedelta(seconds=1))
        self._said[key] = said_at
        if self.chance.random() < self.losses:
            self.counts["webhooks lost"] += 1
            return
        kept = content if self.frozen or event is DeliveryEvent.DESTROYED else None
        for _ in range(2 if self.chance.random() < 0.1 else 1):
            late = self.chance.random() < self.delays
            due = now + timedelta(seconds=self.chance.choice(_LATE if late else _SOON))
            self._under_way.append(_Letter(due, *key, event, said_at, kept))

    def _received(self, letter: _Letter, now: datetime) -> Received | None:
        key = letter.about, letter.number
        content, said_at = letter.content, letter.said_at
        self._heard[key] = max(said_at, self._heard.get(key, said_at))
        if content is None and letter.event is not DeliveryEvent.DESTROYED:
            content, said_at = self._present().get((letter.about, letter.number)), now.replace(microsecond=0)
            if content is None:
                return None
            self._heard[key] = self._said[key]
        self._sent += 1
        delivery = Delivery(letter.about, letter.event, letter.number, said_at, content=content)
        return Received(1, "main", f"webhook-{self._sent}", now, delivery)

    def _present(self) -> dict[tuple[Told, int], DeliveredContent]:
        found: dict[tuple[Told, int], DeliveredContent] = {
            (Told.RDV, number): rdv for number, rdv in self.server.rdvs.items()
        }
        for each in self.server.absences.values():
            found[Told.ABSENCE, each.id] = Absence(each.id, each.agent_id, each.title, each.start, each.end)
        return found


def said_since(store: Store, began: datetime) -> bool:
    """Whether a webhook speaks of a later moment than a reading that is asked for at `began`."""
    with store.words() as words:
        return any(
            not said.by_us for thing in (Thing.RDV, Thing.ABSENCE) for said in words.said_after(thing, began).values()
        )
