"""A double of what SOGo 5.8 was measured to do."""

from __future__ import annotations

from tests.servers.dav_double import DavDouble, Manners


class SogoLike(DavDouble):
    """Marks are seconds, also of one that is not over; deltas accept any token, and repeat a second; ETags
    come back with another content, no condition protects a creation or a removal, connections end without notice, and
    only a PROPFIND tells when an item was changed."""

    name = "sogo"
    manners = Manners(
        seconds=True, counters=True, conditions=False, hangs_up=True, dates=False, software="SOGo-like double"
    )
