"""For whom a feed is, and what each level of it may show: data that the entries are made by."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Purpose(StrEnum):
    """For whom a feed is."""

    USAGER = "usager"
    AGENT = "agent"
    LIEU = "lieu"
    ORGANISATION = "organisation"


class Level(StrEnum):
    """How much a feed shows, from nothing but times to all that may ever be shown."""

    TIMES = "times"
    NEUTRAL = "neutral"
    PLACE = "place"
    FULL = "full"


class FeedField(StrEnum):
    """What an entry may show beside its times and whether it was cancelled."""

    KIND = "kind"  # in person, by phone, by video
    PHONE = "phone"  # the organisation's
    PLACE = "place"  # the lieu's name and address; that it is at home, never where that is
    MOTIF = "motif"  # with the title of a collective RDV
    VISIO = "visio"  # the link by which anybody comes in
    PAGE = "page"  # the RDV's page for agents in RDV-Solidarités
    TITLE = "title"  # of an absence or a plage d'ouverture


_NEUTRAL = frozenset({FeedField.KIND})
_PLACE = _NEUTRAL | {FeedField.PLACE}

SHOWN: Mapping[Purpose, Mapping[Level, frozenset[FeedField]]] = MappingProxyType(
    {
        Purpose.USAGER: {
            Level.NEUTRAL: _NEUTRAL | {FeedField.PHONE},
            Level.PLACE: _PLACE | {FeedField.PHONE},
            Level.FULL: _PLACE | {FeedField.PHONE, FeedField.MOTIF, FeedField.VISIO},
        },
        Purpose.AGENT: {
            Level.TIMES: frozenset(),
            Level.NEUTRAL: _NEUTRAL,
            Level.PLACE: _PLACE,
            Level.FULL: _PLACE | {FeedField.MOTIF, FeedField.VISIO, FeedField.PAGE, FeedField.TITLE},
        },
        Purpose.LIEU: {Level.TIMES: frozenset()},
        Purpose.ORGANISATION: {Level.TIMES: frozenset()},
    }
)
"""What each feed may show; the levels that a purpose does not name, it does not have."""

DEFAULT_LEVELS: Mapping[Purpose, Level] = MappingProxyType(
    {
        Purpose.USAGER: Level.NEUTRAL,
        Purpose.AGENT: Level.NEUTRAL,
        Purpose.LIEU: Level.TIMES,
        Purpose.ORGANISATION: Level.TIMES,
    }
)
