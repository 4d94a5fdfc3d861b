"""What of the causes is news now. Pure: causes, what is remembered, the time.

A cause is told once it lasted; then reminded of, more and more rarely; then, to whom it was told, that it is over, once
it stayed away for a while: one that flaps is told once. What is news stays news until `noted`, so that a message that
could not be made now is made later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gateway.alerts.values import Cause, Entry, Identity, News, Word

Memory = Mapping[Identity, Entry]


@dataclass(frozen=True, slots=True)
class Pace:
    """`calm`: how long a cause stays away before it is over. `reminders`: after how long each; the last one repeats."""

    calm: timedelta = timedelta(minutes=30)
    reminders: tuple[timedelta, ...] = (timedelta(days=1), timedelta(days=3), timedelta(days=7))

    def reminder(self, times: int) -> timedelta:
        """After how long to remind of what was told so many times."""
        return self.reminders[min(times, len(self.reminders)) - 1]


_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Judgement:
    """`memory`: all that is to be remembered when nothing of `news` can be told now."""

    memory: dict[Identity, Entry]
    news: tuple[News, ...]


def judge(
    causes: Iterable[Cause],
    memory: Memory,
    now: datetime,
    *,
    pace: Pace = _PACE,
    is_dropped: Callable[[Cause], bool] = lambda _cause: False,
) -> Judgement:
    """`is_dropped`: of a cause that is there no more, whether nobody wants to know that (its agent is synced no more,
    its kind is not told any more)."""
    here = {cause.identity: cause for cause in causes}
    kept: dict[Identity, Entry] = {}
    news: list[News] = []
    for identity, cause in here.items():
        entry = _seen(memory.get(identity), cause, now)
        kept[identity] = entry
        word = _word(entry, cause, now, pace)
        if word is not None:
            news.append(News(word, cause, cause.since or entry.first_seen))
    for identity, entry in memory.items():
        if identity in here or is_dropped(entry.cause):
            continue
        gone = entry if entry.gone_at is not None else replace(entry, gone_at=now)
        if now - _required(gone.gone_at) < pace.calm:
            kept[identity] = gone
        elif _is_news_when_over(entry, now):
            kept[identity] = gone
            news.append(News(Word.OVER, entry.cause, entry.cause.since or entry.first_seen))
    return Judgement(kept, tuple(news))


def noted(memory: Memory, told: Iterable[News], now: datetime) -> dict[Identity, Entry]:
    """What is to be remembered once these were told."""
    after = dict(memory)
    for each in told:
        identity = each.cause.identity
        if each.word is Word.OVER:
            after.pop(identity, None)
        else:
            entry = after[identity]
            first = entry.told_at or now
            after[identity] = replace(entry, cause=each.cause, told_at=first, last_told_at=now, times=entry.times + 1)
    return after


def _seen(entry: Entry | None, cause: Cause, now: datetime) -> Entry:
    if entry is None:
        return Entry(cause, first_seen=now)
    return entry if entry.gone_at is None else replace(entry, cause=cause, gone_at=None)


def _word(entry: Entry, cause: Cause, now: datetime, pace: Pace) -> Word | None:
    if cause.quiet or (cause.until is not None and cause.until <= now):
        return None
    if entry.told_at is None:
        return Word.TOLD if now - entry.first_seen >= cause.patience else None
    due = _required(entry.last_told_at) + pace.reminder(entry.times)
    return Word.REMINDER if cause.manner.reminds and now >= due else None


def _is_news_when_over(entry: Entry, now: datetime) -> bool:
    cause = entry.cause
    return entry.told_at is not None and cause.manner.says_over and (cause.until is None or now < cause.until)


def _required(value: datetime | None) -> datetime:
    if value is None:
        raise ValueError("an entry that is gone, or told, says since when")
    return value
