"""A double of what SOGo 5.8 was measured to do."""

from __future__ import annotations

from tests.servers.dav_double import DavDouble, Manners


class SogoLike(DavDouble):
    """Marks are seconds, deltas repeat their second and accept any token, ETags come back with another content, no
    condition protects a creation or a removal, connections end without notice."""

    name = "sogo"
    manners = Manners(seconds=True, counters=True, conditions=False, hangs_up=True, software="SOGo-like double")
