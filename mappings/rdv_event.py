"""An RDV as an event in an agent's calendar.

Fails closed: what the département did not ask for is neutral. The neutral event says "RDV" and where in general
terms (by phone, at home); it names no motif, no lieu, no usager.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from connectors.errors import BadItem
from connectors.records import Classification, EventDraft, EventStatus, Participation, Rdv, RdvStatus, Transparency
from mappings import texts
from mappings.identity import Identity
from mappings.wallclock import to_instant


class LabelLevel(StrEnum):
    """How much of an RDV its copy shows."""

    NEUTRAL = "neutral"
    MOTIF = "motif"


@dataclass(frozen=True, slots=True)
class RdvLabels:
    """How RDVs are shown in calendars: the département's choice.

    `show_place`, and with it lieu and address, counts at level MOTIF only. Usager names, home street and context
    are shown at level MOTIF when the record holds them, which it does only when they were chosen.
    """

    level: LabelLevel = LabelLevel.NEUTRAL
    neutral_title: str = texts.RDV
    show_place: bool = False
    show_link: bool = True
    classification: Classification = Classification.PRIVATE
    translate: texts.Translate = texts.source_text


def rdv_zone(rdv: Rdv, organisation_zone: ZoneInfo) -> ZoneInfo:
    """The zone of the RDV's wall-clock: its own if the API gives one that exists, else its organisation's."""
    if not rdv.time_zone:
        return organisation_zone
    try:
        return ZoneInfo(rdv.time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of the zone database, "Europe"
        return organisation_zone


def rdv_draft(rdv: Rdv, agent_id: int, zone: ZoneInfo, labels: RdvLabels, identity: Identity) -> EventDraft:
    """What the copy of an RDV in this agent's calendar has to be. Times in UTC, from wall-clock and `zone`.

    Cancelled (by status: excused, revoked) is marked in the title, CANCELLED and TRANSPARENT; any other status,
    also one that we do not know, takes place and is busy. Raises `BadItem` when it does not end after its start.
    """
    start, end = to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)
    if not rdv.starts_at < rdv.ends_at:
        raise BadItem("RDV does not end after its start", system="rdv_solidarites")
    prefix = labels.translate(texts.CANCELLED_PREFIX) if rdv.cancelled else ""
    return EventDraft(
        uid=identity.copy_uid(rdv.id, agent_id),
        marker=identity.copy_marker(rdv.id, agent_id),
        start=start,
        end=end,
        summary=prefix + _title(rdv, labels),
        location=_location(rdv, labels),
        description=_description(rdv, labels),
        url=rdv.url if labels.show_link else "",
        transparency=Transparency.TRANSPARENT if rdv.cancelled else Transparency.OPAQUE,
        status=EventStatus.CANCELLED if rdv.cancelled else EventStatus.CONFIRMED,
        classification=labels.classification,
    )


def _title(rdv: Rdv, labels: RdvLabels) -> str:
    neutral = _one_line(labels.neutral_title) or labels.translate(texts.RDV)
    if labels.level != LabelLevel.MOTIF:
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


def _location(rdv: Rdv, labels: RdvLabels) -> str:
    kind = texts.LOCATION_TYPES.get(rdv.location_type, "")
    if labels.level == LabelLevel.MOTIF and labels.show_place:
        place = ", ".join(_one_line(part) for part in (rdv.lieu_name, rdv.lieu_address) if part.strip())
        if place:
            return place
    return labels.translate(kind) if kind else ""


def _description(rdv: Rdv, labels: RdvLabels) -> str:
    lines = []
    if labels.level == LabelLevel.MOTIF:
        if rdv.collectif and (names := _usager_names(rdv)):
            lines.append(labels.translate(texts.USAGERS).format(names=names))
        if rdv.context.strip():
            lines.append(rdv.context.strip())
    if labels.show_link and rdv.url:
        lines.append(labels.translate(texts.OPEN_RDV).format(url=rdv.url))
    lines.append(labels.translate(texts.MANAGED_ELSEWHERE))
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
