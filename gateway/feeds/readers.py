"""How many programs read a link in a day, without keeping who they are.

A reader is an address with a program's name, remembered as a digest under a random key that never leaves the process
and lives a day. The database is told numbers.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date

from gateway.store.store import Store

_PREVIEW = re.compile(
    r"whatsapp|facebookexternalhit|facebot|twitterbot|telegrambot|slackbot|discordbot|linkedinbot|skypeuripreview"
    r"|bingpreview|pinterest|vkshare|embedly|preview|crawler|spider|googlebot|bingbot|applebot",
    re.IGNORECASE,
)
_MOST = 50


def is_preview(program: str) -> bool:
    """Whether this name (User-Agent) is that of a program that looks at links which people send each other."""
    return _PREVIEW.search(program) is not None


@dataclass
class Readers:
    """Counts them. Thread-safe. At most 50 a link: more say only that a link is shared."""

    store: Store
    random: Callable[[int], bytes] = os.urandom
    _day: date | None = None
    _key: bytes = field(default=b"", repr=False)
    _seen: dict[int, set[bytes]] = field(default_factory=dict, repr=False)
    _changed: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, link_id: int, source: str, program: str, today: date) -> None:
        """A feed was read."""
        if is_preview(program):
            return
        with self._lock:
            if today != self._day:
                self._day, self._key = today, self.random(32)
                self._seen, self._changed = {}, set()
            seen = self._seen.setdefault(link_id, set())
            digest = hashlib.blake2b(f"{source}\n{program}".encode(), key=self._key, digest_size=16).digest()
            if digest not in seen and len(seen) < _MOST:
                seen.add(digest)
                self._changed.add(link_id)

    def flush(self) -> None:
        """Write down what is new."""
        with self._lock:
            day, counts = self._day, {link_id: len(self._seen[link_id]) for link_id in self._changed}
            self._changed = set()
        if day is not None and counts:
            with self.store.transaction() as tx:
                tx.feeds.note_use(day, counts)
