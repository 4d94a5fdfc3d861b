"""An RDV as an event in an agent's calendar.

Fails closed: what the département did not ask for is neutral. The neutral event says "RDV" and where in general
terms (by phone, at home); it names no motif, no lieu, no usager.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.errors import BadItem
from connectors.records import (
    Classification,
    EventDraft,
    EventStatus,
    Participation,
    Rdv,
    RdvStatus,
    Transparency,
    UsagerField,
)
from mappings import texts
from mappings.identity import Identity
from mappings.wallclock import to_instant


class LabelLevel(StrEnum):
    """How much of an RDV its copy shows."""

    NEUTRAL = "neutral"
    MOTIF = "motif"


class Cancelled(StrEnum):
    """What becomes of the copy of a cancelled RDV."""

    MARK = "mark"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class CopyRules:
    """How RDVs are shown in calendars: the département's choice.

    `label` MOTIF names the motif only if it is among `motifs` (None: all of them; default: none, so that nothing is
    named by mistake). `show_place`, `show_phone`, `show_context` and `usager_fields` count at that level only.
    `reminder_minutes`, `category` and `color` (a CSS3 name, RFC 7986) are set when the copy is made, and are the
    agent's from then on.
    """

    label: LabelLevel = LabelLevel.NEUTRAL
    motifs: frozenset[int] | None = frozenset()
    neutral_title: str = texts.RDV
    show_place: bool = False
    show_phone: bool = False
    show_context: bool = False
    show_link: bool = True
    usager_fields: frozenset[UsagerField] = frozenset()
    classification: Classification = Classification.PRIVATE
    category: str = ""
    color: str = ""
    reminder_minutes: int | None = None
    cancelled: Cancelled = Cancelled.MARK
    translate: texts.Translate = texts.source_text


def rdv_zone(rdv: Rdv, organisation_zone: ZoneInfo) -> ZoneInfo:
    """The zone of the RDV's wall-clock: its own if the API gives one that exists, else its organisation's."""
    if not rdv.time_zone:
        return organisation_zone
    try:
        return ZoneInfo(rdv.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the zone database, "Europe"
        return organisation_zone


def rdv_draft(rdv: Rdv, agent_id: int, zone: ZoneInfo, rules: CopyRules, identity: Identity) -> EventDraft:
    """What the copy of an RDV in this agent's calendar has to be. Times in UTC, from wall-clock and `zone`.

    Cancelled (by status: excused, revoked) is marked in the title, CANCELLED and TRANSPARENT; any other status,
    also one that we do not know, takes place and is busy. Raises `BadItem` when it does not end after its start.
    """
    start, end = to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)
    if not rdv.starts_at < rdv.ends_at:
        raise BadItem("RDV does not end after its start", system="rdv_solidarites")
    prefix = rules.translate(texts.CANCELLED_PREFIX) if rdv.cancelled else ""
    return EventDraft(
        uid=identity.copy_uid(rdv.id, agent_id),
        marker=identity.copy_marker(rdv.id, agent_id),
        start=start,
        end=end,
        summary=prefix + _title(rdv, rules),
        location=_location(rdv, rules),
        description=_description(rdv, rules),
        url=rdv.url if rules.show_link else "",
        transparency=Transparency.TRANSPARENT if rdv.cancelled else Transparency.OPAQUE,
        status=EventStatus.CANCELLED if rdv.cancelled else EventStatus.CONFIRMED,
        classification=rules.classification,
    )


def _names_motif(rdv: Rdv, rules: CopyRules) -> bool:
    if rules.label is not LabelLevel.MOTIF:
        return False
    return rules.motifs is None or rdv.motif_id in rules.motifs


def _title(rdv: Rdv, rules: CopyRules) -> str:
    neutral = _one_line(rules.neutral_title) or rules.translate(texts.RDV)
    if not _names_motif(rdv, rules):
        return neutral
    title = _one_line(rdv.motif_name) or neutral
    if not rdv.collectif:
        names = _usager_names(rdv)
        return f"{title} · {names}" if names else title
    if rdv.title:
        title = f"{title} · {_one_line(rdv.title)}"
    if rdv.users_count is None:
        return title
    most = "" if rdv.max_participants_count is None else f"/{rdv.max_participants_count}"
    return f"{title} ({rdv.users_count}{most})"


def _location(rdv: Rdv, rules: CopyRules) -> str:
    kind = texts.LOCATION_TYPES.get(rdv.location_type, "")
    if _names_motif(rdv, rules) and rules.show_place:
        place = ", ".join(_one_line(part) for part in (rdv.lieu_name, rdv.lieu_address) if part.strip())
        if place:
            return place
    return rules.translate(kind) if kind else ""


def _description(rdv: Rdv, rules: CopyRules) -> str:
    lines = []
    if _names_motif(rdv, rules):
        if rdv.collectif and (names := _usager_names(rdv)):
            lines.append(rules.translate(texts.USAGERS).format(names=names))
        if rdv.context.strip():
            lines.append(rdv.context.strip())
    if rules.show_link and rdv.url:
        lines.append(rules.translate(texts.OPEN_RDV).format(url=rdv.url))
    lines.append(rules.translate(texts.MANAGED_ELSEWHERE))
    return "\n".join(lines)


def _usager_names(rdv: Rdv) -> str:
    """Names of those who are expected, in a stable order; empty unless names were chosen."""
    return ", ".join(
        _one_line(each.usager_name)
        for each in sorted(rdv.participations, key=lambda each: each.id)
        if each.usager_name and _expected(each)
    )


def _expected(participation: Participation) -> bool:
    return participation.status not in (RdvStatus.EXCUSED, RdvStatus.REVOKED)


def _one_line(text: str) -> str:
    return " ".join(text.split())
