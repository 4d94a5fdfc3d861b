"""Kinds of CalDAV servers: how far each can be trusted, and how that is known.

What decides is written down and never tried out on a server, since trying it out would write into a calendar. What a
server announces, or is caught at, is in `connectors.caldav.findings`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Basis(StrEnum):
    """How something is known of a kind of server."""

    TESTED = "tested"  # the tests try it on the real server, in the version that the profile names
    MEASURED = "measured"  # seen once on the real server, in the version that the profile names
    DOCUMENTED = "documented"  # its documentation, its source or its users' reports say so; not tried
    ASSUMED = "assumed"  # nobody said so: the careful choice


@dataclass(frozen=True, slots=True)
class ServerProfile:
    """How far a kind of server can be trusted. The defaults trust it with nothing.

    `features`: the name of its profile in the caldav package; None for that package's defaults.
    `create_condition`: `If-None-Match: *` keeps a PUT from overwriting.
    `delete_condition`: `If-Match` keeps a DELETE from removing what has changed.
    `sends_mail`: it answers the writing of an event with attendees by mail or by copies in other calendars.
    `sync_tokens`: its answers to a sync-token are worth asking for.
    `asks_identity`: a calendar may be asked for its resource-id without being changed by the question.
    `at_a_time`: requests at the same time, at the beginning and at most.
    `basis`, `version`: how that is known, and of which version. `remarks`: what IT should know.
    """

    name: str
    features: str | None = None
    create_condition: bool = False
    delete_condition: bool = False
    sends_mail: bool = True
    sync_tokens: bool = True
    asks_identity: bool = True
    at_a_time: tuple[int, int] = (2, 8)
    basis: Basis = Basis.ASSUMED
    version: str = ""
    remarks: tuple[str, ...] = ()


UNKNOWN_SERVER = ServerProfile("generic", remarks=("every write is preceded by a reading",))

_ALL = (
    UNKNOWN_SERVER,
    ServerProfile(
        "radicale",
        "radicale",
        create_condition=True,
        delete_condition=True,
        sends_mail=False,
        at_a_time=(1, 2),
        basis=Basis.TESTED,
        version="3.9",
        remarks=("slower with each request that it serves at the same time", "closes the connection after each answer"),
    ),
    ServerProfile(
        "xandikos",
        "xandikos",
        create_condition=True,
        delete_condition=True,
        sends_mail=False,
        asks_identity=False,
        basis=Basis.TESTED,
        version="0.4",
        remarks=(
            "makes up a resource-id when asked for one, which changes the calendar: not asked",
            "answers 412 to a dead sync-token",
            "one unreadable item breaks its queries, not its listings",
        ),
    ),
    ServerProfile(
        "sogo",
        "sogo",
        basis=Basis.TESTED,
        version="5.8",
        remarks=(
            "marks count whole seconds: a calendar is read once more after a change",
            "an ETag can come back with another content: the time of the change is part of the version",
            "only listings tell that time: what a sync-token answer names is always read",
            "sync-token answers repeat old removals and accept dead tokens",
            "a calendar made anew at the same address is told by the weekly listing only",
            "no precondition protects a creation or a removal: each is preceded by a reading",
            "mails people when an event with attendees is written or removed",
            "closes connections without saying so",
        ),
    ),
    ServerProfile(
        "davical",
        "davical",
        create_condition=True,
        delete_condition=True,
        basis=Basis.TESTED,
        version="1.1.12",
        remarks=(
            "accepts dead sync-tokens, and forgets them after 7 days: listed whole after such a gap",
            "takes the same UID twice",
            "leaves missing items out of its answers",
        ),
    ),
    ServerProfile(
        "cyrus",
        "cyrus",
        create_condition=True,
        delete_condition=True,
        basis=Basis.TESTED,
        version="3.6",
        remarks=(
            "shows an anonymous visitor no calendar instead of asking who it is",
            "refuses a UID that another calendar of the user holds",
        ),
    ),
    ServerProfile(
        "zimbra",
        "zimbra",
        sync_tokens=False,
        basis=Basis.DOCUMENTED,
        version="8 to 10",
        remarks=(
            "preconditions are compared letter by letter: a creation overwrites, so each is preceded by a reading",
            "changes are found by the ctag and a listing; large calendars by a listing of the days that matter",
            "renaming a calendar moves its address",
            "one UID is one event in all calendars of a user",
        ),
    ),
    ServerProfile(
        "bluemind",
        None,
        basis=Basis.ASSUMED,
        version="5",
        remarks=(
            "its published source answers sync-collection, calendar-multiget and calendar-query; nothing else is known",
        ),
    ),
    ServerProfile(
        "nextcloud",
        "nextcloud",
        create_condition=True,
        delete_condition=True,
        basis=Basis.MEASURED,
        version="sabre/dav 4.7 (Nextcloud's own parts: documented)",
        remarks=(
            "a calendar made anew answers an old sync-token with nothing: told by its smaller token",
            "its table of changes can be purged: listed whole when marks and changes disagree",
            "a withdrawn right looks like an emptied calendar: told apart by the rows in error",
            "takes the same UID twice",
        ),
    ),
)

PROFILES: Mapping[str, ServerProfile] = MappingProxyType({profile.name: profile for profile in _ALL})
"""By the name that a configuration uses."""
