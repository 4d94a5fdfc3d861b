"""What links answer, from memory as long as nothing changed.

The database notes whose feed may have changed (`feed_change`); it is asked for that at most twice a second, whatever
the load, and what it names is made anew when somebody asks. So an answer is at most a second and a half old.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import threading
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime

from starlette.concurrency import run_in_threadpool

from connectors.ports import Clock
from gateway.feeds.building import Content, FeedBuilder
from gateway.feeds.messages import addresses
from gateway.feeds.values import FeedLink, LinkState, token_hash
from gateway.store.feeds import Change
from gateway.store.store import Store

_ASKED_EVERY, _TRUSTED_FOR = 0.5, 1.5
_MOST_BYTES = 128 * 1024 * 1024
_OVERHEAD = 2_000  # of an entry beside its body


@dataclass(frozen=True, slots=True)
class Body:
    """A feed's file in both encodings, with its validators."""

    plain: bytes = field(repr=False)
    zipped: bytes = field(repr=False)
    etag: str
    modified: datetime

    @property
    def last_modified(self) -> str:
        """As HTTP writes it."""
        return format_datetime(self.modified, usegmt=True)


@dataclass(frozen=True, slots=True)
class Served:
    """What a token opens until `until`. `body` is None when it is closed."""

    link: FeedLink
    state: LinkState
    content: Content
    body: Body | None
    until: datetime
    tick: int
    changes: tuple[Change, ...]


class FeedServer:
    """Used by the listener's event loop; works in threads."""

    def __init__(
        self,
        store: Store,
        builder: FeedBuilder,
        clock: Clock,
        base_url: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._builder = builder
        self._clock = clock
        self._base_url = base_url
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._asking = asyncio.Lock()
        self._asked_at = float("-inf")
        self._tick = 0
        self._kept: OrderedDict[str, Served] = OrderedDict()
        self._by_change: defaultdict[Change, set[str]] = defaultdict(set)
        self._bytes = 0

    @property
    def builder(self) -> FeedBuilder:
        """What feeds are made by."""
        return self._builder

    async def served(self, token: str) -> Served | None:
        """What a token opens now; None: there is no such token. Raises what the database raises."""
        key = token_hash(token)
        age = self._monotonic() - self._asked_at
        if age > _ASKED_EVERY and (age > _TRUSTED_FOR or not self._asking.locked()):
            async with self._asking:
                if self._monotonic() - self._asked_at > _ASKED_EVERY:
                    await run_in_threadpool(self._ask)
        found = self._kept.get(key)
        if found is not None and self._clock.now() < found.until:
            return found
        return await run_in_threadpool(self._load, key, token)

    def _ask(self) -> None:
        began = self._monotonic()
        with self._store.feeds() as tables:
            last = tables.last_tick()
            changed = tables.changes(self._tick) if last > self._tick else {}
        with self._lock:
            if last < self._tick:  # another database, or an earlier copy of this one
                self._kept.clear()
                self._by_change.clear()
                self._bytes = 0
            for each in changed:
                for key in self._by_change.pop(each, ()):
                    self._drop(key)
            self._tick = last
            self._asked_at = began

    def _load(self, key: str, token: str) -> Served | None:
        now = self._clock.now()
        with self._store.feeds() as tables:
            tick = tables.last_tick()
            opened = tables.opened_by(key)
            changes = () if opened is None else tables.changes_of(opened[0])
        if opened is None:
            return None
        link, ends_at = opened
        state = link.state(ends_at, now, self._builder.feeds.grace)
        content = self._content(link, state, ends_at, now)
        source = addresses(self._base_url, token).feed
        body = None if state is LinkState.CLOSED else _body(content, source)
        until = self._until(link, ends_at, now)
        made = Served(link, state, content, body, until, tick, changes)
        with self._lock:
            if self._tick <= tick:  # else something changed while it was made
                self._keep(key, made)
        return made

    def _content(self, link: FeedLink, state: LinkState, ends_at: datetime | None, now: datetime) -> Content:
        if state is LinkState.OPEN:
            return self._builder.build(link, now)
        return self._builder.emptied(link, link.closed_at(ends_at, now) or now)

    def _until(self, link: FeedLink, ends_at: datetime | None, now: datetime) -> datetime:
        """The next moment at which time alone may make another answer of it."""
        grace = self._builder.feeds.grace
        ends = [each for each in (link.revoked_at, link.expires_at, ends_at) if each is not None]
        moments = [*ends, *(each + grace for each in ends), self._builder.next_day(link, now)]
        return min(each for each in moments if each > now)

    # --- kept ------------------------------------------------------------------------------------------------

    def _keep(self, key: str, made: Served) -> None:
        self._drop(key)
        self._kept[key] = made
        self._bytes += _size(made)
        for each in made.changes:
            self._by_change[each].add(key)
        while self._bytes > _MOST_BYTES:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: str) -> None:
        gone = self._kept.pop(key, None)
        if gone is None:
            return
        self._bytes -= _size(gone)
        for each in gone.changes:
            if each in self._by_change:
                self._by_change[each].discard(key)
                if not self._by_change[each]:
                    del self._by_change[each]


def _size(made: Served) -> int:
    return _OVERHEAD + (0 if made.body is None else 4 * len(made.body.plain))  # its entries too


def _body(content: Content, source: str) -> Body:
    plain = content.render(source)
    etag = hashlib.sha256(plain).hexdigest()[:32]
    return Body(plain, gzip.compress(plain, 6, mtime=0), etag, content.changed_at.astimezone(UTC))
