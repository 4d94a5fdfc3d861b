"""A double of what Zimbra 8 to 10 is documented to do. No Zimbra was ever asked: what it is not known for is plain."""

from __future__ import annotations

from tests.servers.dav_double import DavDouble, Manners


class ZimbraLike(DavDouble):
    """No sync-token that can be relied on; creations overwrite; queries give rows twice and miss old endless series."""

    name = "zimbra"
    manners = Manners(tokens=False, conditions=False, far=400, doubled_rows=True, software="Zimbra-like double")
