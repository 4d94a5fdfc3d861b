"""Links to feeds, the versions of what they hold, and what changed of whom."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, or_, select, update

from connectors.deliveries import PlageOuverture
from connectors.icalendar_feed import Version
from connectors.records import Absence, Rdv
from gateway.feeds.values import FeedLink, FeedUse, Language
from gateway.keys import Keyring
from gateway.store import feed_index
from gateway.store.codec import load_rdv
from gateway.store.delivery_codec import load_plage
from gateway.store.observed import seen_absences
from gateway.store.schema import (
    feed_change,
    feed_entry,
    feed_link,
    feed_token,
    feed_use,
    known_record,
    observed_participation,
    observed_rdv,
    observed_rdv_agent,
    pool_block,
)
from gateway.store.upsert import upsert
from gateway.sync.values import BlockOrigin, Presence
from mappings.feed_levels import Level, Purpose

_LINK = feed_link.c
Change = tuple[str, int]
"""What changed: a purpose and its subject's key, or `link` and its id."""
LINK_CHANGED = "link"


class FeedTables:
    """Everything of feeds, within the transaction or the reading of `connection`."""

    def __init__(self, connection: Connection, keys: Keyring) -> None:
        self._connection = connection
        self._keys = keys

    # --- links -----------------------------------------------------------------------------------------------

    def add(self, link: FeedLink, token_hash: str) -> FeedLink:
        """A new link; its number is given here."""
        row = {
            "purpose": link.purpose.value,
            "subject_key": feed_index.subject_key(self._keys, link.purpose, link.subject),
            "subject": b"",
            "level": link.level.value,
            "language": link.language.value,
            "past_days": link.past_days,
            "future_days": link.future_days,
            "organisation_id": link.organisation_id,
            "created_at": link.created_at,
            "expires_at": link.expires_at,
            "revoked_at": link.revoked_at,
            "content_digest": "",
            "changed_at": None,
        }
        id_ = int(self._connection.execute(insert(feed_link).returning(_LINK.id), row).scalar_one())
        sealed = self._keys.encrypt(str(link.subject).encode(), feed_index.subject_context(id_))
        self._connection.execute(update(feed_link).where(_LINK.id == id_).values(subject=sealed))
        self.add_token(id_, token_hash, at=link.created_at)
        return replace(link, id=id_)

    def add_token(self, link_id: int, token_hash: str, *, at: datetime) -> None:
        """One more token of a link."""
        row = {"hash": token_hash, "link_id": link_id, "created_at": at, "ends_at": None}
        self._connection.execute(insert(feed_token), row)

    def end_tokens(self, link_id: int, *, at: datetime) -> None:
        """The tokens of a link that open it open it until an instant."""
        tokens = feed_token.c
        still = or_(tokens.ends_at.is_(None), tokens.ends_at > at)
        self._connection.execute(update(feed_token).where(tokens.link_id == link_id, still).values(ends_at=at))

    def link(self, link_id: int) -> FeedLink | None:
        """None: there is none."""
        return next(self._links(_LINK.id == link_id), None)

    def links_of(self, purpose: Purpose, subject: int) -> tuple[FeedLink, ...]:
        """Of one subject, revoked or not."""
        key = feed_index.subject_key(self._keys, purpose, subject)
        found = self._links(_LINK.purpose == purpose.value, _LINK.subject_key == key)
        return tuple(each for each in found if each.subject == subject)

    def links(self, purpose: Purpose | None = None) -> tuple[FeedLink, ...]:
        """All of them, or of a purpose."""
        return tuple(self._links(*(() if purpose is None else (_LINK.purpose == purpose.value,))))

    def opened_by(self, token_hash: str) -> tuple[FeedLink, datetime | None] | None:
        """The link of a token, and until when that token opens it; None: there is no such token."""
        query = select(feed_token.c.link_id, feed_token.c.ends_at).where(feed_token.c.hash == token_hash)
        found = self._connection.execute(query).one_or_none()
        if found is None:
            return None
        link = self.link(found.link_id)
        return None if link is None else (link, found.ends_at)

    def revoke(self, link_ids: Collection[int], *, at: datetime) -> tuple[int, ...]:
        """Close links at once; which of them were open."""
        there = (_LINK.id.in_(link_ids), _LINK.revoked_at.is_(None))
        closed = tuple(self._connection.scalars(select(_LINK.id).where(*there).order_by(_LINK.id)))
        self._connection.execute(update(feed_link).where(*there).values(revoked_at=at))
        return closed

    def prolong(self, link_id: int, expires_at: datetime) -> None:
        """A link is valid until then."""
        self._connection.execute(update(feed_link).where(_LINK.id == link_id).values(expires_at=expires_at))

    def _links(self, *where: ColumnElement[bool]) -> Iterator[FeedLink]:
        for row in self._connection.execute(select(feed_link).where(*where).order_by(_LINK.id)):
            yield self._link(row)

    def _link(self, row: Row[Any]) -> FeedLink:
        return FeedLink(
            id=row.id,
            purpose=Purpose(row.purpose),
            subject=int(self._keys.decrypt(row.subject, feed_index.subject_context(row.id))),
            level=Level(row.level),
            language=Language(row.language),
            past_days=row.past_days,
            future_days=row.future_days,
            organisation_id=row.organisation_id,
            created_at=row.created_at,
            expires_at=row.expires_at,
            revoked_at=row.revoked_at,
            content_digest=row.content_digest,
            changed_at=row.changed_at,
        )

    # --- what is behind them ---------------------------------------------------------------------------------

    def rdvs(self, link: FeedLink, start: datetime, end: datetime) -> Iterator[Rdv]:
        """RDVs that may be in a feed, of those that begin between two instants and are not proven gone."""
        rdv, key = observed_rdv.c, feed_index.subject_key(self._keys, link.purpose, link.subject)
        match link.purpose:
            case Purpose.USAGER:
                part = observed_participation.c
                theirs = or_(part.usager_key == key, part.answerer_key == key)
                concerned: ColumnElement[bool] = rdv.id.in_(select(part.rdv_id).where(theirs))
            case Purpose.AGENT:
                agents = observed_rdv_agent.c
                concerned = rdv.id.in_(select(agents.rdv_id).where(agents.agent_id == key))
            case Purpose.LIEU:
                concerned = rdv.lieu_id == key
            case Purpose.ORGANISATION:
                concerned = rdv.organisation_id == key
        query = select(rdv.id, rdv.content).where(
            concerned, rdv.presence != Presence.GONE.value, rdv.starts_at_server.between(start, end)
        )
        for id_, content in self._connection.execute(query.order_by(rdv.id)):
            yield load_rdv(self._keys.decrypt(content, f"observed_rdv/content/{id_}"))

    def absences(self, agent_id: int) -> Iterator[Absence]:
        """An agent's, but for those that the gateway made of their own calendar, where they are anyway."""
        made = select(pool_block.c.absence_id).where(
            pool_block.c.agent_id == agent_id, pool_block.c.origin != BlockOrigin.FOUND.value
        )
        ours = set(self._connection.scalars(made))
        for seen in seen_absences(self._connection, self._keys, agent_id):
            if seen.absence.id not in ours and seen.presence is not Presence.GONE:
                yield seen.absence

    def plages(self, agent_id: int) -> Iterator[PlageOuverture]:
        """An agent's plages d'ouverture, as far as webhooks told of them."""
        known = known_record.c
        query = select(known.number, known.content).where(
            known.kind == "plage_ouverture", known.agent_id == agent_id, known.content.is_not(None)
        )
        for number, content in self._connection.execute(query.order_by(known.number)):
            yield load_plage(
                self._keys.decrypt_for(agent_id, content, f"known_record/content/plage_ouverture/{number}")
            )

    def digest(self, data: bytes) -> str:
        """Keyed."""
        return self._keys.digest(data)

    # --- versions --------------------------------------------------------------------------------------------

    def versions(self, link_id: int) -> dict[str, tuple[str, Version]]:
        """By UID: the digest of an entry, and its version."""
        query = select(feed_entry).where(feed_entry.c.link_id == link_id)
        return {row.uid: (row.digest, Version(row.sequence, row.changed_at)) for row in self._connection.execute(query)}

    def save_versions(self, link_id: int, changed: Mapping[str, tuple[str, Version]]) -> None:
        """Entries that are new or changed."""
        rows = [
            {
                "link_id": link_id,
                "uid": uid,
                "digest": digest,
                "sequence": version.sequence,
                "changed_at": version.changed_at,
            }
            for uid, (digest, version) in changed.items()
        ]
        upsert(self._connection, feed_entry, rows)

    def save_content(self, link_id: int, digest: str, *, at: datetime) -> None:
        """The feed is another one since an instant."""
        values = {"content_digest": digest, "changed_at": at}
        self._connection.execute(update(feed_link).where(_LINK.id == link_id).values(values))

    def forget(self, before: datetime) -> int:
        """Remove links that were closed before an instant, with all that is theirs; how many."""
        old = or_(_LINK.revoked_at < before, _LINK.expires_at < before)
        ids = tuple(self._connection.scalars(select(_LINK.id).where(old)))
        self._connection.execute(delete(feed_link).where(_LINK.id.in_(ids)))
        return len(ids)

    # --- changes and use -------------------------------------------------------------------------------------

    def last_tick(self) -> int:
        """The number of the last change."""
        return int(self._connection.scalar(select(func.max(feed_change.c.tick))) or 0)

    def changes(self, after: int) -> dict[Change, int]:
        """What changed after a change, each with the number of its last one."""
        query = select(feed_change).where(feed_change.c.tick > after)
        return {(row.kind, row.id): row.tick for row in self._connection.execute(query)}

    def changes_of(self, link: FeedLink) -> tuple[Change, ...]:
        """What a link's answer depends on."""
        return (LINK_CHANGED, link.id), (
            link.purpose.value,
            feed_index.subject_key(self._keys, link.purpose, link.subject),
        )

    def note_use(self, day: date, readers: Mapping[int, int]) -> None:
        """By link, how many programs read it on a day, as far as this process saw."""
        use = feed_use.c
        for link_id, count in readers.items():
            there = (use.link_id == link_id, use.day == day)
            known = self._connection.scalar(select(use.readers).where(*there))
            if known is None and self._connection.scalar(select(_LINK.id).where(_LINK.id == link_id)) is not None:
                self._connection.execute(insert(feed_use), {"link_id": link_id, "day": day, "readers": count})
            elif known is not None and known < count:
                self._connection.execute(update(feed_use).where(*there).values(readers=count))

    def uses(self, since: date) -> dict[int, FeedUse]:
        """By link: the last day of its use, and the most readers on one day since."""
        use = feed_use.c
        query = select(use.link_id, func.max(use.day).label("last"), func.max(use.readers).label("most"))
        rows = self._connection.execute(query.where(use.day >= since).group_by(use.link_id))
        return {row.link_id: FeedUse(row.last.isoformat(), row.most) for row in rows}

    def wanted(self, rdvs: Iterable[Rdv]) -> set[int]:
        """Ids of those RDVs that some feed may hold."""
        return feed_index.wanted(self._connection, self._keys, rdvs)
