"""An RDV as an event in an agent's calendar.

Fails closed: what the département did not ask for is neutral. The neutral event says "RDV" and where in general
terms (by phone, at home); it names no motif, no lieu, no usager.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
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
    Reminder,
    Transparency,
    UsagerField,
)
from mappings import texts
from mappings.identity import Identity
from mappings.wallclock import to_instant

_NAMES = (UsagerField.FIRST_NAME, UsagerField.LAST_NAME)
_DETAILS = {
    UsagerField.PHONE_NUMBER: texts.PHONE_NUMBER,
    UsagerField.EMAIL: texts.EMAIL,
    UsagerField.ADDRESS: texts.ADDRESS,
    UsagerField.BIRTH_DATE: texts.BIRTH_DATE,
}


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
    `show_place` shows a lieu, and the link of a visio; the street of a home visit is a usager's, shown with ADDRESS.
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
    also one that we do not know, takes place and is busy. How many take part in a collective RDV is in the
    description alone, so that its title stays still. Raises `BadItem` when it does not end after its start.
    """
    start, end = to_instant(rdv.starts_at, zone), to_instant(rdv.ends_at, zone, start=False)
    if not rdv.starts_at < rdv.ends_at:
        raise BadItem("RDV does not end after its start", system="rdv_solidarites")
    named = _names_motif(rdv, rules)
    prefix = rules.translate(texts.CANCELLED_PREFIX) if rdv.cancelled else ""
    lines = [*(_particulars(rdv, rules) if named else ()), *_closing_lines(rdv, rules)]
    return EventDraft(
        uid=identity.copy_uid(rdv.id, agent_id),
        marker=identity.copy_marker(rdv.id, agent_id),
        start=start,
        end=end,
        summary=prefix + (_title(rdv, rules) if named else _neutral_title(rules)),
        location=(_place(rdv, rules) if named else "") or _kind_of_place(rdv, rules),
        description="\n".join(lines),
        url=rdv.url if rules.show_link else "",
        transparency=Transparency.TRANSPARENT if rdv.cancelled else Transparency.OPAQUE,
        status=EventStatus.CANCELLED if rdv.cancelled else EventStatus.CONFIRMED,
        classification=rules.classification,
        category=_one_line(rules.category),
        color=rules.color,
        reminder=_reminder(rules),
    )


def _names_motif(rdv: Rdv, rules: CopyRules) -> bool:
    if rules.label is not LabelLevel.MOTIF:
        return False
    return rules.motifs is None or rdv.motif_id in rules.motifs


def _neutral_title(rules: CopyRules) -> str:
    return _one_line(rules.neutral_title) or rules.translate(texts.RDV)


def _kind_of_place(rdv: Rdv, rules: CopyRules) -> str:
    kind = texts.LOCATION_TYPES.get(rdv.location_type, "")
    return rules.translate(kind) if kind else ""


def _reminder(rules: CopyRules) -> Reminder | None:
    if rules.reminder_minutes is None:
        return None
    return Reminder(rules.reminder_minutes, rules.translate(texts.REMINDER))


def _closing_lines(rdv: Rdv, rules: CopyRules) -> Iterator[str]:
    if rules.show_link and rdv.url:
        yield rules.translate(texts.OPEN_RDV).format(url=rdv.url)
    yield rules.translate(texts.MANAGED_ELSEWHERE)


# --- where the motif is named --------------------------------------------------------------------------------


def _title(rdv: Rdv, rules: CopyRules) -> str:
    title = _one_line(rdv.motif_name) or _neutral_title(rules)
    told = _one_line(rdv.title) if rdv.collectif else ", ".join(_usager_names(rdv, rules))
    return f"{title} · {told}" if told else title


def _place(rdv: Rdv, rules: CopyRules) -> str:
    if rdv.location_type == "home":
        return _one_line(rdv.lieu_address) if UsagerField.ADDRESS in rules.usager_fields else ""
    if not rules.show_place:
        return ""
    return ", ".join(_one_line(part) for part in (rdv.lieu_name, rdv.lieu_address) if part.strip())


def _particulars(rdv: Rdv, rules: CopyRules) -> Iterator[str]:
    """What the description says beyond a neutral one."""
    if rdv.collectif and rdv.users_count is not None:
        text = texts.PARTICIPANTS if rdv.max_participants_count is None else texts.PARTICIPANTS_OF
        yield rules.translate(text).format(count=rdv.users_count, most=rdv.max_participants_count)
    yield from _usager_lines(rdv, rules)
    if rules.show_context and rdv.context.strip():
        yield rdv.context.strip()
    if rules.show_place and rdv.visio_url:
        yield rules.translate(texts.JOIN_VISIO).format(url=rdv.visio_url)
    if rules.show_phone and rdv.phone_number.strip():
        yield rules.translate(texts.RECEPTION).format(phone_number=_one_line(rdv.phone_number))


def _usager_lines(rdv: Rdv, rules: CopyRules) -> Iterator[str]:
    """A line for each usager of whom more than the name is shown; names alone are in the title, or in one line."""
    lines = [(_name(each, rules), tuple(_details(each, _one_line(rdv.lieu_address), rules))) for each in _expected(rdv)]
    if any(details for _, details in lines):
        yield from (" · ".join(filter(None, (name, *details))) for name, details in lines if name or details)
    elif rdv.collectif and (names := _usager_names(rdv, rules)):
        yield rules.translate(texts.USAGERS).format(names=", ".join(names))


def _details(participation: Participation, place: str, rules: CopyRules) -> Iterator[str]:
    for name, text in _DETAILS.items():
        value = _one_line(participation.said(name)) if name in rules.usager_fields else ""
        if name is UsagerField.BIRTH_DATE:
            value = _day(value, rules)
        if name is UsagerField.ADDRESS and value == place:
            continue  # where the event is
        if value:
            yield rules.translate(text).format(value=value)


def _day(value: str, rules: CopyRules) -> str:
    try:
        return date.fromisoformat(value).strftime(rules.translate(texts.DAY))
    except ValueError:
        return value


def _usager_names(rdv: Rdv, rules: CopyRules) -> list[str]:
    return [name for each in _expected(rdv) if (name := _name(each, rules))]


def _name(participation: Participation, rules: CopyRules) -> str:
    return _one_line(" ".join(participation.said(part) for part in _NAMES if part in rules.usager_fields))


def _expected(rdv: Rdv) -> list[Participation]:
    """Those who are to come, in a stable order; of a cancelled RDV, all whom it was for."""
    cancelled = () if rdv.cancelled else (RdvStatus.EXCUSED, RdvStatus.REVOKED)
    return sorted((each for each in rdv.participations if each.status not in cancelled), key=lambda each: each.id)


def _one_line(text: str) -> str:
    return " ".join(text.split())
