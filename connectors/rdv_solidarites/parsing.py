"""JSON records to neutral records. Pure, and tolerant: what is unknown is ignored, what may be null may be null.

Not tolerated are ids, times, and whatever would make a thing look gone when it is not (an agent of an RDV without
an id). Personal fields of usagers that were not chosen stop here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.rdv_solidarites.timestamps import Timestamp, day, timestamp, wall_clock
from connectors.rdv_solidarites.unreadable import Unreadable
from connectors.records import (
    Absence,
    Agent,
    Motif,
    Organisation,
    Participation,
    Rdv,
    RdvSelection,
    RdvStatus,
    UsagerField,
    WebhookEndpoint,
)

_NO_RECORD: Mapping[str, Any] = {}


def record_id(record: object) -> int | None:
    """The id of a record, None if it has none that can be read."""
    return integer_of(record.get("id")) if isinstance(record, Mapping) else None


def organisation(record: object) -> Organisation:
    fields = fields_of(record)
    return Organisation(
        id=required_id(fields, "organisation"),
        name=text_of(fields, "name"),
        phone_number=text_of(fields, "phone_number") or None,
    )


def agent(record: object) -> Agent:
    fields = fields_of(record)
    return Agent(
        id=required_id(fields, "agent"),
        email=text_of(fields, "email") or None,
        first_name=text_of(fields, "first_name"),
        last_name=text_of(fields, "last_name"),
    )


def motif(record: object) -> Motif:
    fields = fields_of(record)
    return Motif(
        id=required_id(fields, "motif"),
        name=text_of(fields, "name"),
        service_id=integer_of(fields.get("service_id")),
        location_type=text_of(fields, "location_type"),
        collectif=fields.get("collectif") is True,
    )


def webhook_endpoint(record: object) -> WebhookEndpoint:
    """`organisation_id` 0: whoever asked for an organisation's knows better."""
    fields = fields_of(record)
    organisation_id = integer_of(fields.get("organisation_id")) or 0
    subscriptions = fields.get("subscriptions")
    return WebhookEndpoint(
        required_id(fields, "webhook endpoint"),
        organisation_id,
        text_of(fields, "target_url"),
        frozenset(str(each) for each in subscriptions) if isinstance(subscriptions, list) else frozenset(),
    )


def absence(record: object) -> Absence:
    """An absence. `end_day` null is `first_day`, as on creation."""
    fields = fields_of(record)
    first_day = day(fields.get("first_day"), what="first_day")
    last_day = first_day if fields.get("end_day") is None else day(fields.get("end_day"), what="end_day")
    start = wall_clock(first_day, fields.get("start_time"), what="start_time")
    end = wall_clock(last_day, fields.get("end_time"), what="end_time")
    if end < start:
        raise Unreadable("it ends before it starts")
    return Absence(
        id=required_id(fields, "absence"),
        agent_id=required_id(nested(fields, "agent"), "agent"),
        title=text_of(fields, "title"),
        start=start,
        end=end,
        rrule=text_of(fields, "rrule") or None,
    )


def rdv(record: object, *, organisation_id: int, chosen: RdvSelection, base_url: str) -> Rdv:
    """An RDV of the listing of `organisation_id`. `base_url` (no slash at its end) is for the link to its page."""
    fields = fields_of(record)
    rdv_id = required_id(fields, "rdv")
    own_organisation_id = record_id(nested(fields, "organisation")) or organisation_id
    motif_fields = nested(fields, "motif")
    location_type = text_of(motif_fields, "location_type")
    collectif = fields.get("collectif") is True or motif_fields.get("collectif") is True
    time_zone = text_of(fields, "time_zone") or None
    starts_at = timestamp(fields.get("starts_at"), time_zone=time_zone, what="starts_at")
    lieu_name, lieu_address = _place(fields, location_type, chosen)
    return Rdv(
        id=rdv_id,
        uuid=text_of(fields, "uuid"),
        status=text_of(fields, "status") or RdvStatus.UNKNOWN.value,
        starts_at=starts_at.wall_clock,
        ends_at=_end(fields, starts_at, time_zone),
        starts_at_server=starts_at.instant,
        time_zone=time_zone,
        organisation_id=own_organisation_id,
        agent_ids=_agent_ids(fields),
        motif_id=record_id(motif_fields),
        motif_name=text_of(motif_fields, "name"),
        service_id=integer_of(motif_fields.get("service_id")),
        location_type=location_type,
        collectif=collectif,
        users_count=integer_of(fields.get("users_count")),
        max_participants_count=integer_of(fields.get("max_participants_count")),
        title=text_of(fields, "name") if collectif else "",
        lieu_name=lieu_name,
        lieu_address=lieu_address,
        context=text_of(fields, "context") if chosen.context else "",
        participations=_participations(fields, chosen),
        url=_page(fields, f"{base_url}/admin/organisations/{own_organisation_id}/rdvs/{rdv_id}", base_url),
        phone_number=text_of(nested(fields, "lieu"), "phone_number")
        or text_of(nested(fields, "organisation"), "phone_number"),
        visio_url=_web_address(text_of(fields, "visio_url")),
        lieu_id=record_id(nested(fields, "lieu")),
        organisation_phone=text_of(nested(fields, "organisation"), "phone_number"),
    )


def _end(fields: Mapping[str, Any], starts_at: Timestamp, time_zone: str | None) -> datetime:
    minutes = integer_of(fields.get("duration_in_min"))
    if fields.get("ends_at") is None and minutes is not None and 0 <= minutes <= 24 * 60:
        return starts_at.wall_clock + timedelta(minutes=minutes)
    ends_at = timestamp(fields.get("ends_at"), time_zone=time_zone, what="ends_at")
    if ends_at.instant < starts_at.instant:
        raise Unreadable("it ends before it starts")
    return ends_at.wall_clock


def _agent_ids(fields: Mapping[str, Any]) -> tuple[int, ...]:
    """Strict: an agent who cannot be read must not look like one who was taken off the RDV."""
    agents = fields.get("agents")
    if not isinstance(agents, Sequence) or isinstance(agents, str):
        raise Unreadable("agents is not a list")
    return tuple(dict.fromkeys(required_id(fields_of(entry), "agent") for entry in agents))


def _place(fields: Mapping[str, Any], location_type: str, chosen: RdvSelection) -> tuple[str, str]:
    """Name and address. At home the address is a usager's; for a type that nobody knows, only a lieu is public."""
    if location_type == "home":
        return "", text_of(fields, "address") if UsagerField.ADDRESS in chosen.usager_fields else ""
    lieu = nested(fields, "lieu")
    address = text_of(lieu, "address")
    if location_type == "public_office":
        address = address or text_of(fields, "address")
    return text_of(lieu, "name"), address


def _participations(fields: Mapping[str, Any], chosen: RdvSelection) -> tuple[Participation, ...]:
    """Those that have an id: one without cannot be followed, and decides nothing."""
    entries = fields.get("participations")
    if not isinstance(entries, list):
        return ()
    found = []
    for entry in entries:
        participation_id = record_id(entry)
        if participation_id is None:
            continue
        usager = nested(entry, "user")
        found.append(
            Participation(
                id=participation_id,
                status=text_of(entry, "status") or RdvStatus.UNKNOWN.value,
                usager_id=record_id(usager),
                usager=tuple((name, text) for name, text in _usager_fields(usager) if name in chosen.usager_fields),
                responsible_id=integer_of(usager.get("responsible_id")) or record_id(nested(usager, "responsible")),
                notified=entry.get("send_lifecycle_notifications") is True,
            )
        )
    return tuple(found)


def _usager_fields(usager: Mapping[str, Any]) -> Iterator[tuple[UsagerField, str]]:
    """Every field that can be chosen and is not empty: no other one is ever looked at."""
    for name in UsagerField:
        text = text_of(usager, name.value)
        if name is UsagerField.PHONE_NUMBER:
            text = text or text_of(usager, "phone_number_formatted")
        if text:
            yield name, text


def _web_address(given: str) -> str:
    return given if given.startswith("https://") and not any(character.isspace() for character in given) else ""


def _page(fields: Mapping[str, Any], built: str, base_url: str) -> str:
    given = text_of(fields, "url_for_agents")
    return given if given.startswith(("https://", f"{base_url}/")) else built


def fields_of(value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Unreadable("it is not a record")
    return value


def nested(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = fields.get(name)
    return value if isinstance(value, Mapping) else _NO_RECORD


def required_id(fields: Mapping[str, Any], what: str) -> int:
    number = record_id(fields)
    if number is None:
        raise Unreadable(f"the {what} has no id")
    return number


def text_of(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def integer_of(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 19 else None
