"""Recognition of what RDV Service Public itself puts into calendars: by its CalDAV sync, its Outlook sync, its feed as
a subscription, its mails. Such an event is never busy time: the RDV, or the absence, already is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container
from enum import StrEnum
from urllib.parse import unquote

from connectors.records import CalendarEvent
from mappings import texts
from mappings.identity import NAMESPACE

_PRODUCTS = ("rdvsolidarites", "rdvservicepublic")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class NativeSource(StrEnum):
    """What an event that RDV Service Public itself put there looks like. Told as likely: its kinds overlap."""

    SYNC = "sync"  # its CalDAV sync, or its feed as a subscription (webcal)
    OUTLOOK = "outlook"  # its Outlook sync
    INVITATION = "invitation"  # mailed, accepted, and stored by another program
    RDV_UID = "rdv_uid"  # any of these: only its UID, or its file name, is known to be an RDV's uuid
    LINKED = "linked"  # not proven: counts only at the very time of an RDV of the agent
    ABSENCE = "absence"  # an absence, by mail
    OPENING = "opening"  # a plage d'ouverture, by mail


def native_source(event: CalendarEvent, host: str) -> NativeSource | None:
    """Whether RDV Service Public put this event there, as far as the event alone tells. `host`: of the instance.

    Proven by a UID of its own form, by its PRODID, or by a UUID as UID together with a link to an RDV's page. The
    link alone proves nothing, since people paste it into events of their own; Exchange gives its Outlook sync's events
    UIDs of its own, so that there the link is a hint. A copy that the agent made of an event of ours is none of this.
    """
    uid = event.uid.strip()
    if uid.startswith(NAMESPACE) or event.marker is not None:
        return None
    name, _, domain = uid.rpartition("@")
    product = _folded(event.product_id)
    if name and _folded(domain) in _PRODUCTS:
        forms = {"absence": NativeSource.ABSENCE, "plage": NativeSource.OPENING}
        return forms.get(name.partition("_")[0].casefold(), NativeSource.SYNC)
    if any(each in product for each in _PRODUCTS):
        return NativeSource.SYNC
    if not host or not _links_to_rdv(event, host):
        return None
    by_microsoft = "microsoft" in product
    if _UUID.fullmatch(uid):
        return NativeSource.OUTLOOK if by_microsoft else NativeSource.INVITATION
    return NativeSource.LINKED if by_microsoft else None


def is_named_for(uid: str, href: str, rdv_uuids: Container[str]) -> bool:
    """Whether an event is called as RDV Service Public calls its copies: by an RDV's uuid, as UID or as file name.

    `rdv_uuids`: in lower case; servers and clients change the case of UIDs.
    """
    stem = href.rstrip("/").rpartition("/")[2].removesuffix(".ics")
    return any(name and name in rdv_uuids for name in (uid.strip().lower(), stem.lower()))


def _links_to_rdv(event: CalendarEvent, host: str) -> bool:
    """In a URL or a description, also where a mail server wraps addresses. Not the link of an event of ours."""
    name = re.escape(host.removeprefix("www."))
    page = re.compile(rf"https?://(?:www\.)?{name}(?::\d+)?/(?:[\w/-]*/)?rdvs/\d", re.IGNORECASE)
    return any(
        texts.MANAGED_ELSEWHERE not in component.description
        and any(page.search(unquote(text)) for text in (component.url, component.description))
        for component in event.components
    )


def _folded(text: str) -> str:
    """Without accents, case, spaces and signs."""
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if each.isascii() and each.isalnum())
