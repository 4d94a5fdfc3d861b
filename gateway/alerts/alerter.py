"""Evaluates what there is to tell, and tells it.

One evaluation: causes from the store, what of them is news, one message for each group of addressees. What is told is
noted in the transaction that queues the message, and only that: news that found no room in this hour, or nobody to
take them, are news again at the next evaluation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.ports import Clock
from gateway.alerts.causes import AgentFacts, Situation, about_decided, causes
from gateway.alerts.composing import Group, Sender, grouped, message
from gateway.alerts.judging import judge, noted
from gateway.alerts.outbox import Outbox
from gateway.alerts.recipients import Directory, Recipients
from gateway.alerts.situation import SituationReader
from gateway.alerts.values import Audience, Cause, Entry, Identity, Kind, News
from gateway.settings_alerts import AlertsSection
from gateway.store.alerts import QueuedMessage
from gateway.store.store import Store
from gateway.store.values import ConflictNotice
from gateway.sync.values import AgentState
from mappings.texts import Translate, source_text

_GAPS = {
    Audience.IT: timedelta(minutes=10),
    Audience.AGENT: timedelta(hours=1),
    Audience.REFERENTE: timedelta(hours=1),
}
"""Between two messages to one group: what comes meanwhile goes into the next."""
_HOUR = timedelta(hours=1)


@dataclass(slots=True)
class Alerter:
    """Used by one thread at a time."""

    store: Store
    reader: SituationReader
    section: AlertsSection
    sender: Sender
    outbox: Outbox
    directory: Directory
    clock: Clock
    translate: Translate = source_text
    _unaddressed: frozenset[int] = field(default=frozenset())

    def evaluate_and_send(self) -> int:
        """What is to be done each minute; how many messages left. Raises what the store raises."""
        self.evaluate()
        return self.outbox.send()

    def evaluate(self) -> None:
        """Find out what is news and queue its messages."""
        now = self.clock.now()
        situation = self.reader.situation(now, unaddressed=len(self._unaddressed))
        before = self.store.alert_entries()
        found = (cause for cause in causes(situation) if cause.kind not in self.section.off)
        live = {each.agent.agent_id for each in situation.agents if each.agent.state is AgentState.LIVE}
        judgement = judge(found, before, now, is_dropped=lambda cause: self._is_dropped(cause, live))
        told, letters = self._compose(judgement.news, situation.agents, now)
        after = noted(judgement.memory, told, now)
        changed = [entry for identity, entry in after.items() if before.get(identity) != entry]
        with self.store.transaction() as tx:
            tx.save_alerts(changed, before.keys() - after.keys())
            tx.queue_messages(letters)
            tx.mark_told(_settled(situation, after), at=now)

    def _is_dropped(self, cause: Cause, live: set[int]) -> bool:
        return cause.kind in self.section.off or (cause.agent_id is not None and cause.agent_id not in live)

    def _compose(
        self, news: Sequence[News], agents: Iterable[AgentFacts], now: datetime
    ) -> tuple[list[News], list[QueuedMessage]]:
        recipients = Recipients(self.section, self.directory, {each.agent.agent_id: each.agent for each in agents}, now)
        last, room = self.store.last_messages(), self.section.messages_per_hour - self.store.messages_made(now - _HOUR)
        told: list[News] = []
        letters: list[QueuedMessage] = []
        unaddressed: set[int] = set()
        groups = grouped(news)
        for group in sorted(groups, key=_order):
            digest = self.outbox.digest(group)
            if digest in last and now - last[digest] < _GAPS[group.audience]:
                continue
            try:
                mails = recipients.mails(group)
            except LookupError:
                continue
            if group.audience is Audience.AGENT and not mails and recipients.wants(group.agent_id):
                unaddressed.add(group.agent_id)
            what = message(groups[group], self.sender, translate=self.translate)
            made = list(self.outbox.letters(what, group, mails, self._hooks(group)))
            fits = len(made) <= room or room == self.section.messages_per_hour
            if made and fits:
                room -= len(made)
                told += groups[group]
                letters += made
        self._unaddressed = frozenset(unaddressed)
        return told, letters

    def _hooks(self, group: Group) -> tuple[str, ...]:
        return () if group.address else self.section.hooks(group.audience)


def _order(group: Group) -> tuple[int, Group]:
    """IT first: what it mends, nobody else has to hear of."""
    return (Audience.IT, Audience.REFERENTE, Audience.AGENT).index(group.audience), group


def _settled(situation: Situation, memory: dict[Identity, Entry]) -> list[ConflictNotice]:
    """Notices that the store need not give again: all whom they concern were told, or it is told from memory."""
    waiting = {
        entry.cause.about for entry in memory.values() if entry.cause.kind is Kind.DECIDED and entry.told_at is None
    }
    told = {entry.cause.about for entry in memory.values() if entry.cause.kind is not Kind.DECIDED and entry.told_at}
    settled = [
        each
        for each in situation.over
        if not each.conflict.kind.is_momentary or about_decided(each.conflict, each.since) not in waiting
    ]
    return settled + [
        ConflictNotice(row.conflict, row.since, row.tell, over=False)
        for row in situation.conflicts
        if row.told_at is None and row.conflict.digest in told
    ]
