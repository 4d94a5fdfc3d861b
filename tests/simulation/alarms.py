"""The alerts of a simulated history: told once per cause, over when over, whatever dies in between."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from gateway.alerts.alerter import Alerter
from gateway.alerts.causes import causes
from gateway.alerts.composing import Group, Message, Sender
from gateway.alerts.judging import Pace
from gateway.alerts.outbox import MAIL, Outbox
from gateway.alerts.recipients import Directory
from gateway.alerts.sending import Letter
from gateway.alerts.situation import SituationReader
from gateway.alerts.values import Cause, Identity, News, Word
from gateway.settings_alerts import AlertsSection
from gateway.store.alerts import QueuedMessage
from gateway.store.store import Store
from tests.simulation.meetings import PRIVATE_WORD
from tests.simulation.rdv_model import PARIS
from tests.simulation.weather import BrokenPromise

if TYPE_CHECKING:
    from tests.simulation.world import World

_PROMISE = "told once, and over when over"
_SENDER = Sender("", "", "https://rdv.example.test", PARIS)
_SECTION = AlertsSection(it=("it@example.test",), referentes=("referente@example.test",), messages_per_hour=100_000)
_PACE = Pace()


@dataclass(slots=True)
class _Post:
    """Takes every letter."""

    taken: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> None:
        self.taken.append(letter)


@dataclass(frozen=True, slots=True)
class _Heard(Outbox):
    """Notes what messages tell."""

    news: list[News] = field(default_factory=list)

    def letters(
        self, message: Message, group: Group, mails: Sequence[str], hooks: Sequence[str]
    ) -> Iterator[QueuedMessage]:
        made = list(Outbox.letters(self, message, group, mails, hooks))
        if made:
            self.news.extend(message.news)
        return iter(made)


@dataclass(slots=True)
class Alarms:
    """What was told, and when each cause was last there: all that a person who reads the messages would know.

    Every evaluation is a new process. One whose database was lost or set back knows no more than that one.
    """

    world: World
    post: _Post = field(default_factory=_Post)
    told: dict[Identity, datetime] = field(default_factory=dict)
    causes: dict[Identity, Cause] = field(default_factory=dict)  # of those told
    seen: dict[Identity, datetime] = field(default_factory=dict)
    lives: int = 0

    def evaluate(self) -> frozenset[Identity]:
        """What a service does each minute; the causes that are there."""
        counts = self.world.counts
        lives = counts["restored"] + counts["lost databases"]
        store = Store(self.world.disk.opened())
        now = self.world.clock.now()
        if lives != self.lives:
            self.lives = lives
            entries = store.alert_entries().items()
            self.told = {identity: entry.last_told_at for identity, entry in entries if entry.last_told_at}
            self.causes = {identity: entry.cause for identity, entry in entries}
            self.seen.clear()
        reader = SituationReader(store, lambda name: name, timedelta(hours=1))
        here = {each.identity: each for each in causes(reader.situation(now))}
        outbox = _Heard(store, {MAIL: self.post}, self.world.clock, self._id)
        directory = Directory(lambda: {person.agent_id: f"{person.agent_id}@x.test" for person in self.world.people})
        before = len(self.post.taken)
        Alerter(store, reader, _SECTION, _SENDER, outbox, directory, self.world.clock).evaluate_and_send()
        for letter in self.post.taken[before:]:
            if PRIVATE_WORD in f"{letter.subject} {letter.body} {json.dumps(letter.payload)}":
                raise BrokenPromise("nothing private leaves", "a message holds a title")
        for news in outbox.news:
            self._judge(news, here, now)
        self.seen |= dict.fromkeys(here, now)
        return frozenset(here)

    def end(self) -> None:
        """Time passes and nothing else happens: what is over is told or forgotten, what is not was told."""
        before = here = frozenset[Identity]()
        for _ in range(4):
            before, here = here, self.evaluate()
            self.world.clock.sleep(max(_PACE.calm, timedelta(hours=1)).total_seconds() + 60)
        left, now = Store(self.world.disk.opened()).alert_entries(), self.world.clock.now()
        if stray := left.keys() - here - before:  # what ended with the last look is forgotten at the next
            raise BrokenPromise(_PROMISE, f"is remembered although it is over: {sorted(stray)}")
        waiting = [
            entry
            for entry in left.values()
            if entry.told_at is None and not entry.cause.quiet and not (entry.cause.until and entry.cause.until <= now)
        ]
        for identity in self.told.keys() - here:
            cause = self.causes[identity]
            if cause.manner.says_over and (cause.until is None or cause.until > now):
                raise BrokenPromise(_PROMISE, f"nobody was told that it is over: {identity}")
        if waiting:
            raise BrokenPromise(_PROMISE, f"nobody was told of {waiting}")

    def _id(self) -> str:
        self.world.counts["messages"] += 1
        return f"{self.world.counts['messages']:032x}"

    def _judge(self, news: News, here: dict[Identity, Cause], now: datetime) -> None:
        identity = news.cause.identity
        last = self.told.get(identity)
        if news.word is Word.OVER:
            self._require(last is not None, "is said to be over to whom it was not told", identity)
            self._require(identity not in here, "is said to be over and is there", identity)
            self.told.pop(identity, None)
            return
        self._require(identity in here, "is told and is not there", identity)
        if news.word is Word.REMINDER:
            self._require(last is not None and now - last >= _PACE.reminders[0], "is reminded of too soon", identity)
        else:
            away = identity in self.seen and now - self.seen[identity] >= _PACE.calm
            self._require(last is None or away, "is told twice", identity)
        self.told[identity], self.causes[identity] = now, news.cause

    @staticmethod
    def _require(holds: object, what: str, identity: Identity) -> None:
        if not holds:
            raise BrokenPromise(_PROMISE, f"{what}: {identity}")
