"""From the inbox to what is observed: per thing, the later word counts.

A webhook brings nothing that a reading would not: it only brings it sooner. What it cannot settle, a reading does.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from connectors.deliveries import Delivery, DeliveryEvent, Lieu, PlageOuverture, Told
from connectors.ports import Clock
from connectors.records import RdvSelection
from gateway.store.last_word import Thing
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.store.webhooks import WaitingDelivery
from gateway.sync.lost_webhooks import LOST_AFTER
from gateway.sync.order import as_of
from gateway.sync.values import AgentState
from gateway.webhooks.effects import Effects
from gateway.webhooks.of_absences import AbsenceWords
from gateway.webhooks.of_rdvs import RdvWords

_LOG = structlog.get_logger(__name__)

SETTLE = timedelta(seconds=1)
"""After something was applied to a thing, what follows of its burst waits so long and is applied as one."""
KEPT = timedelta(days=10)
"""RDV-Solidarités tries a delivery again for eight days: after that no copy of it comes."""
_TIDY_EVERY = timedelta(minutes=1)
_READ_AT_ONCE = 500
_APPLIED_AT_ONCE = 50  # things in one transaction: writers take turns, and whoever receives is one of them
_THINGS = {Told.RDV: Thing.RDV, Told.ABSENCE: Thing.ABSENCE}
_Key = tuple[Told, int]


@dataclass(frozen=True, slots=True)
class Applied:
    """What one pass did. `agent_ids`: enrolled agents of whom something is not as it was. `reading_wanted`: something
    was told that only a reading settles. `again_in`: seconds after which more can be applied; None: nothing waits."""

    agent_ids: frozenset[int] = frozenset()
    reading_wanted: bool = False
    deliveries: int = 0
    changes: int = 0
    stale: int = 0
    again_in: float | None = None


@dataclass(slots=True)
class Applier:
    """Applies what was received. One at a time per database: whoever holds the sync lock.

    `selection`: what of usagers may be kept now. `clock_offset`: how far RDV-Solidarités' clock is ahead of ours.
    """

    store: Store
    clock: Clock
    selection: RdvSelection
    digest_key: bytes = field(repr=False)
    clock_offset: Callable[[], timedelta | None] = lambda: None
    _applied_at: dict[_Key, datetime] = field(default_factory=dict)
    _tidied_at: datetime | None = None

    def apply(self) -> Applied:
        """One pass over what waits. Raises what a database raises; nothing is lost then."""
        now = self.clock.now()
        self._tidy(now)
        self._applied_at = {key: at for key, at in self._applied_at.items() if abs(now - at) < SETTLE}
        with self.store.webhooks() as tables:
            waiting = tables.waiting(limit=_READ_AT_ONCE, but={(key[0].value, key[1]) for key in self._applied_at})
            depth, _ = tables.depth()
        effects = Effects(frozenset(each.agent_id for each in self.store.agents(_ACTIVE)))
        groups = _grouped(waiting)
        for some in _chunks(list(groups), _APPLIED_AT_ONCE):
            with self.store.transaction() as tx:
                self._apply(tx, {key: groups[key] for key in some}, effects, now)
            self._applied_at.update(dict.fromkeys(some, now))
        if waiting:
            _LOG.info("webhooks applied", deliveries=len(waiting), changes=effects.changes, stale=effects.stale)
        left = depth - len(waiting)
        return Applied(
            frozenset(effects.touched),
            effects.reading_wanted,
            len(waiting),
            effects.changes,
            effects.stale,
            None if not left else 0.0 if len(waiting) == _READ_AT_ONCE else SETTLE.total_seconds(),
        )

    def _apply(
        self, tx: Transaction, groups: Mapping[_Key, list[WaitingDelivery]], effects: Effects, now: datetime
    ) -> None:
        latest = {key: max(group, key=_lateness) for key, group in groups.items()}
        offset = self.clock_offset() or timedelta()
        told = [each.delivery for each in latest.values()]
        for about, words in (
            (Told.RDV, RdvWords(self.store, tx, effects, self.selection, self.digest_key, now)),
            (Told.ABSENCE, AbsenceWords(self.store, tx, effects, self.digest_key, now)),
        ):
            deliveries = [each for each in told if each.about is about]
            if deliveries:
                words.hear(deliveries, offset)
                tx.webhooks.drop_found_first(_THINGS[about], [each.record_id for each in deliveries])
        for delivery in told:
            self._hear_of_others(tx, delivery, effects, offset)
        tx.webhooks.mark_applied([each.id for group in groups.values() for each in group])

    def _hear_of_others(self, tx: Transaction, delivery: Delivery, effects: Effects, offset: timedelta) -> None:
        gone = delivery.event is DeliveryEvent.DESTROYED
        match delivery.about:
            case Told.PLAGE_OUVERTURE:
                _keep_known(tx, "plage_ouverture", delivery, effects.enrolled, offset)
            case Told.LIEU:
                _keep_known(tx, "lieu", delivery, effects.enrolled, offset)
            case Told.AGENT | Told.AGENT_ROLE if gone or delivery.event is DeliveryEvent.CREATED:
                effects.reading_wanted = True

    def _tidy(self, now: datetime) -> None:
        if self._tidied_at is not None and timedelta() <= now - self._tidied_at < _TIDY_EVERY:
            return
        with self.store.transaction() as tx:
            lost = tx.webhooks.count_lost(now - LOST_AFTER)
            tx.webhooks.forget_deliveries(now - KEPT)
            tx.words.forget_said(now - KEPT)
        for organisation_id, count in lost.items():
            _LOG.warning("webhooks were lost", organisation=organisation_id, count=count)
        self._tidied_at = now


_ACTIVE = (AgentState.FIRST_RUN, AgentState.LIVE)


def _lateness(waiting: WaitingDelivery) -> tuple[datetime, bool, int]:
    """Of one second a removal is the last word, else what was received last."""
    delivery = waiting.delivery
    return delivery.said_at, delivery.event is DeliveryEvent.DESTROYED, waiting.id


def _grouped(waiting: Iterable[WaitingDelivery]) -> dict[_Key, list[WaitingDelivery]]:
    groups: dict[_Key, list[WaitingDelivery]] = {}
    for each in waiting:
        groups.setdefault((each.delivery.about, each.delivery.record_id), []).append(each)
    return groups


def _chunks(keys: list[_Key], size: int) -> Iterable[list[_Key]]:
    return (keys[start : start + size] for start in range(0, len(keys), size))


def _keep_known(tx: Transaction, kind: str, delivery: Delivery, enrolled: Collection[int], offset: timedelta) -> None:
    at = as_of(delivery.said_at - offset)
    known_at = tx.webhooks.recorded_at(kind, [delivery.record_id]).get(delivery.record_id)
    if delivery.unreadable or (known_at is not None and known_at > at):
        return
    content = delivery.content if isinstance(delivery.content, PlageOuverture | Lieu) else None
    if isinstance(content, PlageOuverture) and content.agent_id not in enrolled:
        return
    tx.webhooks.put_known(kind, delivery.record_id, content, at=at)
