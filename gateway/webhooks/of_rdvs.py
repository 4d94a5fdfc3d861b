"""What webhooks say of RDVs, applied to what is observed of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from connectors.deliveries import Delivery, DeliveryEvent
from connectors.records import Rdv, RdvSelection
from gateway.store.last_word import HeldRdv, Said, Thing
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.store.values import StoredWindow
from gateway.sync.observe_rdv_solidarites import EVERYWHERE, rdv_digest
from gateway.sync.observed_changes import note_changes
from gateway.sync.order import Verdict, as_of, judge
from gateway.sync.values import Presence, Side
from gateway.webhooks.effects import Effects

_PURGED = "RDV-Solidarités purged it when the time for which it keeps RDVs was over"


@dataclass
class RdvWords:
    """Hears of RDVs within one transaction."""

    store: Store
    tx: Transaction
    effects: Effects
    selection: RdvSelection
    digest_key: bytes = field(repr=False)
    now: datetime

    def hear(self, deliveries: Sequence[Delivery], offset: timedelta) -> None:
        """The latest webhook of each RDV. `offset`: how far the server's clock is ahead."""
        numbers = [each.record_id for each in deliveries]
        said = self.tx.words.said_of(Thing.RDV, numbers)
        held, copies = self.tx.words.rdvs_held(numbers)
        words: dict[int, Said] = {}
        for each in deliveries:
            number, there = each.record_id, held.get(each.record_id)
            destroyed = each.event is DeliveryEvent.DESTROYED
            rdv = each.content.only(self.selection) if isinstance(each.content, Rdv) else None
            if rdv is None and not destroyed:
                self.effects.reading_wanted = True  # it is there, and could not be read
                continue
            is_held = there is not None and there.presence is Presence.PRESENT and not there.missing_readings
            verdict = judge(
                each.said_at - offset,
                said=said.get(number),
                read_at=self._read_at(there if is_held or rdv is None else None, rdv),
                there=is_held,
                destroyed=destroyed,
            )
            if verdict is not Verdict.APPLY:
                self.effects.stale += 1
                continue
            copied = number in copies or number in self._awaited
            at = as_of(each.said_at - offset)
            if rdv is None:
                self._removed(number, there, copied=copied, purged=each.purge)
            elif not self._upserted(rdv, there, copied=copied, at=at):
                continue
            words[number] = Said(at, by_us=False, gone=rdv is None)
        self.tx.words.put_said(Thing.RDV, words)

    def _removed(self, number: int, held: HeldRdv | None, *, copied: bool, purged: bool) -> None:
        """Proven gone. A purge is no cancellation: what is in calendars stays."""
        if held is None or held.presence is Presence.GONE:
            return
        if not copied:
            self.tx.forget_rdvs([number])
        elif purged:
            self.tx.save_rdv_missing(number, readings=0, presence=Presence.UNKNOWN, because=_PURGED)
            return
        else:
            self.tx.save_rdv_missing(number, readings=2, presence=Presence.GONE, because="")
        self._note(number, "vanished", None)
        self.effects.changed(held.concerned)

    def _upserted(self, rdv: Rdv, held: HeldRdv | None, *, copied: bool, at: datetime) -> bool:
        """Whether it is kept: what belongs to nobody enrolled and is in no feed is dropped. It names its agents of now:
        those who had a copy before are touched too."""
        enrolled = not self.effects.enrolled.isdisjoint(rdv.agent_ids)
        if held is None and not copied and not enrolled and not self.tx.feeds.wanted([rdv]):
            return False
        digest = rdv_digest(self.digest_key, rdv)
        self.tx.save_rdvs([rdv], digests={rdv.id: digest}, agents_epoch=self._epoch, read_at=at)
        if held is None or held.presence is not Presence.PRESENT or held.digest != digest:
            self._note(rdv.id, "changed" if held else "appeared", rdv.agent_ids[0] if rdv.agent_ids else None)
            self.effects.changed({*rdv.agent_ids, *(held.concerned if held else ())})
        return True

    def _note(self, number: int, rule: str, agent_id: int | None) -> None:
        note_changes(
            self.tx,
            [(f"rdv {number}", rule, agent_id)],
            side=Side.RDV_SOLIDARITES,
            kind=Thing.RDV.value,
            at=self.now,
            run_id="webhook",
        )

    # --- what is known otherwise -----------------------------------------------------------------------------

    def _read_at(self, held: HeldRdv | None, rdv: Rdv | None) -> datetime | None:
        """When the window that holds it, or would, was read last."""
        if held is not None:
            organisation_id, start = held.organisation_id, held.starts_at_server
        elif rdv is not None:
            organisation_id, start = rdv.organisation_id, rdv.starts_at_server
        else:
            return None
        fitting = [each.read_at for each in self._windows(organisation_id) if each.start <= start <= each.end]
        return max(fitting, default=None)

    def _windows(self, organisation_id: int) -> tuple[StoredWindow, ...]:
        if organisation_id not in self._read:
            self._read[organisation_id] = self.store.rdv_windows(organisation_id)
        return self._read[organisation_id]

    @cached_property
    def _read(self) -> dict[int, tuple[StoredWindow, ...]]:
        return {}

    @cached_property
    def _epoch(self) -> int:
        state = self.store.organisation_states().get(EVERYWHERE)
        return state.agents_epoch if state else 0

    @cached_property
    def _awaited(self) -> frozenset[int]:
        """RDVs whose copy is being made: they must be known when that is settled."""
        numbers = (each.operation.rdv_id for each in self.store.open_intents())
        return frozenset(number for number in numbers if number is not None)
