"""What a reading finds changed before any webhook told of it: counted as lost when none comes within some minutes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from connectors.deliveries import Told
from gateway.store.last_word import Thing
from gateway.store.transaction import Transaction
from gateway.store.webhooks import MAIN

LOST_AFTER = timedelta(minutes=5)
"""RDV-Solidarités tries again after 1, 17 and 98 seconds: what these did not bring is as good as lost."""
_BEGINS = timedelta(minutes=15)
"""After a subscription was laid: what is found before that may have changed without it."""
_ABOUT = {Thing.RDV: Told.RDV, Thing.ABSENCE: Told.ABSENCE}


def note_found_first(tx: Transaction, thing: Thing, found: Mapping[int, int | None], *, at: datetime) -> None:
    """Things that a reading asked for at `at` found changed, each with its organisation (None: not known, then it
    counts for the first). Organisations without a subscription lose nothing."""
    if not found:
        return
    working = [
        each.organisation_id
        for each in tx.webhooks.endpoints()
        if each.channel == MAIN and each.installed_at + _BEGINS <= at
    ]
    expected = {
        number: organisation if organisation is not None else working[0]
        for number, organisation in found.items()
        if working and (organisation is None or organisation in working)
    }
    tx.webhooks.put_found_first(thing, expected, about=_ABOUT[thing].value, at=at)
