"""Links made, given a new token, closed. Each is journaled, by the number of the link alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from connectors.ports import Clock
from gateway.feeds.values import FeedLink, Language, new_token, token_hash
from gateway.settings_feeds import FeedsSection
from gateway.store.store import Store
from gateway.store.transaction import Transaction
from gateway.sync.values import JournalEntry
from mappings.feed_levels import SHOWN, Level, Purpose

_BEFORE_IT_IS_GIVEN = 0


class LinkRefused(ValueError):
    """What is wrong with what was asked for, in words for whoever asked."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A link to make. `subject`: the id of whom or what it is for."""

    purpose: Purpose
    subject: int = field(repr=False)
    level: Level
    language: Language = Language.FRENCH
    organisation_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewLink:
    """A link and its token, which nobody can tell again."""

    link: FeedLink
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Links:
    """Does it. `by`: the person who asked."""

    store: Store
    feeds: FeedsSection
    clock: Clock
    by: str
    make_token: Callable[[], str] = new_token

    def create(self, wishes: Sequence[Wish]) -> tuple[NewLink, ...]:
        """All of them, or none: raises `LinkRefused` for a level that a purpose does not have."""
        now = self.clock.now()
        for wish in wishes:
            if wish.level not in SHOWN[wish.purpose]:
                levels = ", ".join(each.value for each in SHOWN[wish.purpose])
                raise LinkRefused(f"a feed of an {wish.purpose.value} has no level {wish.level.value}, only: {levels}")
        with self.store.transaction() as tx:
            return tuple(self._create(tx, wish, now) for wish in wishes)

    def _create(self, tx: Transaction, wish: Wish, now: datetime) -> NewLink:
        token = self.make_token()
        organisation = wish.subject if wish.purpose is Purpose.ORGANISATION else wish.organisation_id
        link = FeedLink(
            id=_BEFORE_IT_IS_GIVEN,
            purpose=wish.purpose,
            subject=wish.subject,
            level=wish.level,
            language=wish.language,
            past_days=self.feeds.past_days,
            future_days=self.feeds.future_days,
            organisation_id=organisation,
            created_at=now,
            expires_at=now + self.feeds.validity,
        )
        made = tx.feeds.add(link, token_hash(token))
        tx.journal(journal_entry(made, "feed_create", f"level {wish.level.value}", at=now, by=self.by))
        return NewLink(made, token)

    def rotate(self, link_id: int) -> NewLink:
        """A new token; the former ones open the feed until the grace is over. Raises `LinkRefused`."""
        now, token = self.clock.now(), self.make_token()
        with self.store.transaction() as tx:
            link = tx.feeds.link(link_id)
            if link is None or link.closed_at(None, now) is not None:
                raise LinkRefused(f"there is no open link {link_id}")
            tx.feeds.end_tokens(link_id, at=now + self.feeds.grace)
            tx.feeds.add_token(link_id, token_hash(token), at=now)
            tx.feeds.prolong(link_id, max(link.expires_at, now + self.feeds.validity))
            tx.journal(journal_entry(link, "feed_rotate", "the former link ends after the grace", at=now, by=self.by))
        return NewLink(link, token)

    def revoke(self, link_ids: Collection[int]) -> tuple[int, ...]:
        """Close links at once; which of them were open."""
        now = self.clock.now()
        with self.store.transaction() as tx:
            return revoke(tx, link_ids, at=now, by=self.by, why="asked for")

    def of(self, purpose: Purpose, subject: int) -> tuple[FeedLink, ...]:
        """The open links of one subject."""
        now = self.clock.now()
        with self.store.feeds() as tables:
            found = tables.links_of(purpose, subject)
        return tuple(each for each in found if each.closed_at(None, now) is None)


def revoke(tx: Transaction, link_ids: Collection[int], *, at: datetime, by: str, why: str) -> tuple[int, ...]:
    """Close links within a transaction, and journal it; which of them were open."""
    closed = tx.feeds.revoke(link_ids, at=at)
    for link_id in closed:
        link = tx.feeds.link(link_id)
        if link is not None:
            tx.journal(journal_entry(link, "feed_revoke", why, at=at, by=by))
    return closed


def journal_entry(link: FeedLink, action: str, rule: str, *, at: datetime, by: str) -> JournalEntry:
    """What was done with a link."""
    agent_id = link.subject if link.purpose is Purpose.AGENT else None
    return JournalEntry(at, "feeds", agent_id, "gateway", action, "feed", f"feed {link.id}", rule, by=by)
