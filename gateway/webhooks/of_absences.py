"""What webhooks say of absences, applied to what is observed of them. Most are echoes of our own writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from connectors.deliveries import Delivery, DeliveryEvent
from connectors.records import Absence
from gateway.store.last_word import Said, Thing
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.store.values import ObservedAbsence
from gateway.sync.observe_rdv_solidarites import absence_is
from gateway.sync.observed_changes import note_changes
from gateway.sync.order import Verdict, as_of, judge
from gateway.sync.values import OpenIntent, Presence, Side
from gateway.webhooks.effects import Effects


@dataclass
class AbsenceWords:
    """Hears of absences within one transaction."""

    store: Store
    tx: Transaction
    effects: Effects
    digest_key: bytes = field(repr=False)
    now: datetime

    def hear(self, deliveries: Sequence[Delivery], offset: timedelta) -> None:
        """The latest webhook of each absence. `offset`: how far the server's clock is ahead."""
        numbers = [each.record_id for each in deliveries]
        said = self.tx.words.said_of(Thing.ABSENCE, numbers)
        held = self.tx.held_absences(numbers)
        read_at = self.tx.words.absences_read_at()
        words: dict[int, Said] = {}
        for each in deliveries:
            number, known = each.record_id, held.get(each.record_id)
            destroyed = each.event is DeliveryEvent.DESTROYED
            absence = each.content if isinstance(each.content, Absence) else None
            if absence is None and not destroyed:
                self.effects.reading_wanted = True  # it is there, and could not be read
                continue
            if self._says_nothing_new(absence, known, said.get(number)):
                continue
            is_held = known is not None and known.presence is Presence.PRESENT
            verdict = judge(
                each.said_at - offset,
                said=said.get(number),
                read_at=None if destroyed and not is_held else read_at,  # a listing that lacks it agrees
                there=is_held,
                destroyed=destroyed,
            )
            if verdict is not Verdict.APPLY:
                self.effects.stale += 1
                self.effects.reading_wanted |= verdict is Verdict.DOUBTFUL
                continue
            if absence is None:
                self._removed(number, known)
            elif not self._upserted(absence, known):
                continue
            words[number] = Said(as_of(each.said_at - offset), by_us=False, gone=absence is None)
        self.tx.words.put_said(Thing.ABSENCE, words)

    def _says_nothing_new(self, absence: Absence | None, known: ObservedAbsence | None, said: Said | None) -> bool:
        """Whether this is what is held already after our own write: an echo of it, or of an earlier one of something
        that we have removed since."""
        if said is None or not said.by_us:
            return False
        if said.gone and known is None:
            return True
        if absence is None or known is None or known.presence is not Presence.PRESENT:
            return False
        return absence_is(known, absence, self.digest_key)

    def _removed(self, number: int, known: ObservedAbsence | None) -> None:
        if known is None or known.presence is Presence.GONE:
            return
        awaited = any(each.operation.absence_id == number for each in self._intents)
        if awaited or self.tx.words.is_mapped(number):
            self.tx.save_absence_presence(number, Presence.GONE, "")
        else:
            self.tx.forget_absences([number])
        self._note(number, "vanished", None)
        self.effects.changed([known.agent_id])

    def _upserted(self, absence: Absence, known: ObservedAbsence | None) -> bool:
        """Whether it is kept: what belongs to nobody enrolled is dropped."""
        if absence.agent_id not in self.effects.enrolled:
            return False
        if known is not None and known.presence is Presence.PRESENT and absence_is(known, absence, self.digest_key):
            return True
        self.tx.save_absences([absence])
        if self._is_being_written(absence):
            return True  # our own: whoever writes it writes it down
        self._note(absence.id, "changed" if known else "appeared", absence.agent_id)
        self.effects.changed([absence.agent_id])
        return True

    def _is_being_written(self, absence: Absence) -> bool:
        return any(
            each.operation.side is Side.RDV_SOLIDARITES
            and each.operation.agent_id == absence.agent_id
            and each.operation.interval is not None
            and (each.operation.interval.start, each.operation.interval.end) == (absence.start, absence.end)
            for each in self._intents
        )

    @cached_property
    def _intents(self) -> tuple[OpenIntent, ...]:
        return self.store.open_intents()

    def _note(self, number: int, rule: str, agent_id: int | None) -> None:
        note_changes(
            self.tx,
            [(f"absence {number}", rule, agent_id)],
            side=Side.RDV_SOLIDARITES,
            kind=Thing.ABSENCE.value,
            at=self.now,
            run_id="webhook",
        )
