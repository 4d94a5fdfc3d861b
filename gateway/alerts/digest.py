"""The weekly digest: figures for IT, and for the référentes of each organisation. Once a week, whatever restarts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from zoneinfo import ZoneInfo

from gateway.alerts import texts
from gateway.alerts.causes import AgentFacts, Situation
from gateway.alerts.composing import Group, Message, Sender, letter
from gateway.alerts.outbox import Outbox
from gateway.alerts.situation import SituationReader
from gateway.alerts.typography import typeset
from gateway.alerts.values import Audience
from gateway.alerts.wording import day, moment
from gateway.settings_alerts import AlertsSection
from gateway.store.alerts import QueuedMessage
from gateway.store.store import Store
from gateway.sync.values import AgentState
from mappings.texts import Translate, source_text

_WEEK = timedelta(days=7)
_WINDOW = timedelta(days=1)
_HOUR = 7
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_WRITES = frozenset({"create", "update", "delete"})


@dataclass(frozen=True, slots=True)
class Figures:
    """`counts`: by the names of `texts.DIGEST_LINES`. `oldest`: of the last complete syncs, an instant."""

    counts: Mapping[str, int]
    oldest: datetime | None
    never: int


@dataclass(frozen=True, slots=True)
class Digest:
    """Makes it and queues it."""

    store: Store
    reader: SituationReader
    section: AlertsSection
    sender: Sender
    outbox: Outbox
    now: Callable[[], datetime]
    translate: Translate = source_text

    def queue_when_due(self) -> bool:
        """Queue this week's within the day that follows its hour; False: it is not due, or was made."""
        local = self.now().astimezone(self.sender.zone)
        if self.section.digest == "never":
            return False
        days = local.weekday() - _WEEKDAYS.index(self.section.digest)
        since = timedelta(days=days, hours=local.hour - _HOUR, minutes=local.minute)
        return timedelta(0) <= since < _WINDOW and self.queue()

    def queue(self) -> bool:
        """Queue this week's; False: that was done. The week is that of ISO 8601, where the instance is."""
        now = self.now()
        year, number, _ = now.astimezone(self.sender.zone).isocalendar()
        week = f"{year}-W{number:02d}"
        if self.store.digested_week() == week:
            return False
        situation = self.reader.situation(now)
        agreed = self.store.agreed_counts()
        letters: list[QueuedMessage] = []
        for group, agents in self._groups(situation):
            extra = self._of_everybody(now) if group.audience is Audience.IT else {}
            found = figures(agents, agreed, situation, extra)
            mails = self.section.addresses(group.audience, group.organisation_id)
            hooks = self.section.hooks(group.audience)
            letters += self.outbox.letters(self._message(found, now), group, mails, hooks)
        with self.store.transaction() as tx:
            tx.queue_messages(letters)
            tx.set_digested_week(week)
        return True

    def _groups(self, situation: Situation) -> Iterator[tuple[Group, Collection[AgentFacts]]]:
        yield Group(Audience.IT), situation.agents
        organisations = {each.agent.organisation_id for each in situation.agents}
        named = {number for number in organisations if number in self.section.referentes_of}
        for number in sorted(number for number in named if number is not None):
            own = [each for each in situation.agents if each.agent.organisation_id == number]
            yield Group(Audience.REFERENTE, organisation_id=number), own
        others = [each for each in situation.agents if each.agent.organisation_id not in named]
        if others:
            yield Group(Audience.REFERENTE), others

    def _of_everybody(self, now: datetime) -> dict[str, int]:
        journal = self.store.journal_facts(now - _WEEK)
        written = sum(count for _, action, _, _, count in journal.counts if action in _WRITES)
        told = sum(each.told_at is not None and each.gone_at is None for each in self.store.alert_entries().values())
        return {"written": written, "open": told}

    def _message(self, found: Figures, now: datetime) -> Message:
        translate, zone = self.translate, self.sender.zone
        introduction = translate(texts.DIGEST_OF).format(when=day(now.astimezone(zone).date(), translate))
        lines = "\n".join(_lines(found, zone, translate))
        body = letter([introduction, lines], self.sender, translate=translate)
        return Message(typeset(translate(texts.DIGEST_SUBJECT)), body)


def figures(
    agents: Collection[AgentFacts],
    agreed: Mapping[int, Mapping[str, int]],
    situation: Situation,
    extra: Mapping[str, int],
) -> Figures:
    """Of these agents. `agreed`: as `Store.agreed_counts`. `extra`: what is known of everybody only."""
    live = [each for each in agents if each.agent.state is AgentState.LIVE]
    complete = [each.status.last_complete_at for each in live if each.status.last_complete_at is not None]
    fresh = sum(situation.now - each <= situation.stale_after for each in complete)
    counts = {
        "live": len(live),
        "first_run": _in_state(agents, AgentState.FIRST_RUN),
        "paused": _in_state(agents, AgentState.PAUSED),
        "fresh": fresh,
        "stale": len(complete) - fresh,
        "failing": sum(each.status.last_problem is not None for each in live),
    }
    for name in ("held", "conflicts", "set_aside"):
        counts[name] = sum(map(attrgetter(name), (each.status for each in live)))
    for name in ("copies", "blocks"):
        counts[name] = sum(agreed.get(each.agent.agent_id, {}).get(name, 0) for each in live)
    return Figures(counts | dict(extra), min(complete, default=None), len(live) - len(complete))


def _in_state(agents: Collection[AgentFacts], state: AgentState) -> int:
    return sum(each.agent.state is state for each in agents)


def _lines(found: Figures, zone: ZoneInfo, translate: Translate) -> Iterator[str]:
    for name, text in texts.DIGEST_LINES.items():
        if name in found.counts:
            yield translate(text).format(count=found.counts[name])
    if found.never:
        yield translate(texts.DIGEST_NEVER).format(count=found.never)
    if found.oldest is not None:
        yield translate(texts.DIGEST_OLDEST).format(when=moment(found.oldest.astimezone(zone), translate))
