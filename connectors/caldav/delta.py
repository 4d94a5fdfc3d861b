"""What a server says of changes since a sync-token (RFC 6578), and whether it can be believed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from connectors.caldav.asking import BUSY, Asking, page_of
from connectors.caldav.dav_xml import Row, sync_collection
from connectors.caldav.fetching import Listed, listed
from connectors.caldav.findings import Caught
from connectors.caldav.paths import same_collection
from connectors.caldav.versions import etag_in, went_back

_PAGES = 200


@dataclass(slots=True)
class Delta:
    """`changed` and `removed` as the server says. `unreadable`: (href, version, reason)."""

    token: str
    changed: dict[str, Listed] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    unreadable: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        return not (self.changed or self.removed or self.unreadable)

    def repeats(self, known: Mapping[str, str]) -> bool:
        """Whether it tells mostly what is known: the token is dead, and the answer is a list of all there is.

        Our own writes look like that too, and cost no more than one listing then.
        """
        repeated = sum(etag_in(known.get(href, "")) == etag_in(item.version) for href, item in self.changed.items())
        return repeated > 0 and 2 * repeated >= len(known)


def delta_since(asking: Asking, calendar: str, token: str) -> Delta | None:
    """The changes since `token`; None when only a whole listing can tell. Raises when the server is busy."""
    delta = Delta(token)
    for _ in range(_PAGES):
        answer = asking.report(calendar, sync_collection(delta.token), kind="delta")
        if answer.status in BUSY:
            raise asking.failure(answer, "reading changes")
        page = page_of(answer)
        if page is None or not page.sync_token:
            asking.server.caught(Caught.TOKEN_REFUSED)
            return None
        if went_back(delta.token, page.sync_token):
            asking.server.caught(Caught.TOKEN_WENT_BACK)
            return None
        delta.token = page.sync_token
        cut = False
        for row in page.rows:
            if same_collection(row.path, calendar):
                # 507 on the calendar itself: the server cut its answer, and goes on from the new token.
                cut = row.status == 507
                if row.status not in (200, 507):
                    return None
            elif not _take(row, delta, asking.server_time(answer)):
                return None
        if not cut:
            return delta
    return None


def _take(row: Row, delta: Delta, server_time: datetime) -> bool:
    """Add a row; False when it shows that rights were lost, which a listing has to judge."""
    delta.changed.pop(row.path, None)
    delta.removed.discard(row.path)
    if row.path.endswith("/"):
        return True  # a collection inside the calendar is no item
    if row.status in (404, 410):
        delta.removed.add(row.path)
    elif row.status == 200:
        delta.changed[row.path] = listed(row, server_time)
    elif row.status in (401, 403):
        return False
    else:
        delta.unreadable.append((row.path, "", f"the server answers {row.status} for it"))
    return True
