"""Records as JSON, with the fields, nulls and text forms of the real server."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from gateway.sandbox import times
from gateway.sandbox.ical import absence_calendar, absence_uid
from gateway.sandbox.permissions import ids
from gateway.sandbox.storage import Storage

Json = dict[str, Any]

CREATED_BY = {"Agent": "agent", "User": "user", "Prescripteur": "prescripteur", "FileAttente": "file_attente"}


def absences(storage: Storage, wanted: Sequence[int]) -> list[Json]:
    """The absences with these ids, in this order."""
    rows = _by_id(storage, "SELECT * FROM absences WHERE id IN (SELECT value FROM json_each(?))", wanted)
    people = agents(storage, sorted({row["agent_id"] for row in rows.values()}))
    homes = {agent["id"]: _first_organisation(storage, agent["id"]) for agent in people}
    known = {agent["id"]: agent for agent in people}
    return [
        _absence(storage, rows[key], known[rows[key]["agent_id"]], homes[rows[key]["agent_id"]])
        for key in wanted
        if key in rows
    ]


def _absence(storage: Storage, row: sqlite3.Row, agent: Json, home: sqlite3.Row | None) -> Json:
    start = datetime.fromisoformat(f"{row['first_day']}T{row['start_time']}")
    end = datetime.fromisoformat(f"{row['end_day']}T{row['end_time']}")
    zone = home["time_zone"] if home is not None and home["zone_mode"] == "new" else "Europe/Paris"
    return {
        "id": row["id"],
        "ical_uid": absence_uid(row["id"]),
        "title": row["title"],
        "first_day": row["first_day"],
        "end_day": row["end_day"],
        "start_time": row["start_time"],
        "end_time": row["end_time"],
        "agent": agent,
        "organisation": organisation(home) if home is not None else None,
        "rrule": row["rrule"],
        "ical": absence_calendar(
            absence_id=row["id"],
            title=row["title"],
            start=start,
            end=end,
            zone=zone,
            rrule=row["rrule"],
            stamp=storage.clock().astimezone(UTC),
        ),
    }


def _first_organisation(storage: Storage, agent_id: int) -> sqlite3.Row | None:
    return storage.row(
        "SELECT organisations.* FROM organisations JOIN agent_roles ON organisation_id = organisations.id"
        " WHERE agent_id = ? ORDER BY agent_roles.id LIMIT 1",
        [agent_id],
    )


def agents(storage: Storage, wanted: Sequence[int]) -> list[Json]:
    """The agents with these ids, in this order. `email` is null for intervenants."""
    rows = _by_id(storage, "SELECT * FROM agents WHERE id IN (SELECT value FROM json_each(?))", wanted)
    return [
        {
            "id": key,
            "first_name": rows[key]["first_name"],
            "last_name": rows[key]["last_name"],
            "email": rows[key]["email"],
            "inclusion_connect_open_id_sub": None,
        }
        for key in wanted
        if key in rows
    ]


def organisation(row: sqlite3.Row) -> Json:
    """No time zone in it, even in new mode."""
    return {
        "id": row["id"],
        "name": row["name"],
        "phone_number": row["phone_number"],
        "email": row["email"],
        "verticale": "rdv_solidarites",
    }


def motif(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "location_type": row["location_type"],
        "deleted_at": times.shown_in_paris(row["deleted_at"]) if row["deleted_at"] else None,
        "bookable_publicly": row["bookable_by"] == "everyone",
        "bookable_by": row["bookable_by"],
        "service_id": row["service_id"],
        "organisation_id": row["organisation_id"],
        "collectif": bool(row["collectif"]),
        "follow_up": bool(row["follow_up"]),
        "instruction_for_rdv": row["instruction_for_rdv"],
        "motif_category": None,
    }


def lieu(row: sqlite3.Row) -> Json:
    return {
        "id": row["id"],
        "name": row["name"],
        "address": row["address"],
        "phone_number": row["phone_number"],
        "organisation_id": row["organisation_id"],
        "single_use": bool(row["single_use"]),
    }


def user(row: sqlite3.Row) -> Json:
    """A whole usager: far more than a calendar needs, as the real server sends it."""
    phone = row["phone_number"]
    return {
        "id": row["id"],
        "first_name": row["first_name"],
        "birth_name": None,
        "last_name": row["last_name"],
        "email": row["email"],
        "address": row["address"],
        "address_details": None,
        "phone_number": phone,
        "phone_number_formatted": f"+33{phone[1:]}" if phone else None,
        "birth_date": row["birth_date"],
        "responsible_id": row["responsible_id"],
        "responsible": None,
        "caisse_affiliation": row["caisse_affiliation"],
        "affiliation_number": row["affiliation_number"],
        "family_situation": row["family_situation"],
        "number_of_children": row["number_of_children"],
        "logement": row["logement"],
        "notes": row["notes"],
        "case_number": row["case_number"],
        "notify_by_sms": True,
        "notify_by_email": True,
        "invitation_created_at": None,
        "invitation_accepted_at": None,
        "created_at": times.shown_in_paris(row["created_at"]),
        "user_profiles": None,
    }


def webhook_endpoint(row: sqlite3.Row) -> Json:
    """Never with its secret."""
    return {
        "id": row["id"],
        "target_url": row["target_url"],
        "organisation_id": row["organisation_id"],
        "subscriptions": row["subscriptions"].split(","),
    }


def rdvs(storage: Storage, wanted: Sequence[int]) -> list[Json]:
    """The RDVs with these ids, in this order; an id that comes twice gives its RDV twice."""
    many = [ids(set(wanted))]
    rows = _by_id(storage, "SELECT * FROM rdvs WHERE id IN (SELECT value FROM json_each(?))", wanted)
    links = storage.rows(
        "SELECT rdv_id, agent_id FROM rdv_agents WHERE rdv_id IN (SELECT value FROM json_each(?)) ORDER BY id", many
    )
    people = {agent["id"]: agent for agent in agents(storage, sorted({link["agent_id"] for link in links}))}
    agents_of: defaultdict[int, list[Json]] = defaultdict(list)
    for link in links:
        agents_of[link["rdv_id"]].append(people[link["agent_id"]])
    participations_of = _participations(storage, many)
    made: dict[int, Json] = {}
    for key, row in rows.items():
        made[key] = _rdv(storage, row, agents_of[key], participations_of[key])
    return [made[key] for key in wanted if key in made]


def _participations(storage: Storage, many: list[str]) -> defaultdict[int, list[Json]]:
    found = storage.rows(
        "SELECT * FROM participations WHERE rdv_id IN (SELECT value FROM json_each(?)) ORDER BY id", many
    )
    usagers = _by_id(
        storage,
        "SELECT * FROM users WHERE id IN (SELECT value FROM json_each(?))",
        sorted({row["user_id"] for row in found}),
    )
    by_rdv: defaultdict[int, list[Json]] = defaultdict(list)
    for row in found:
        by_rdv[row["rdv_id"]].append(
            {
                "id": row["id"],
                "status": row["status"],
                "send_lifecycle_notifications": bool(row["notified"]),
                "send_reminder_notification": bool(row["notified"]),
                "created_by_type": row["created_by_type"],
                "created_by_id": row["created_by_id"],
                "created_by_agent_prescripteur": False,
                "created_by": CREATED_BY[row["created_by_type"]],
                "user": user(usagers[row["user_id"]]),
            }
        )
    return by_rdv


def _rdv(storage: Storage, row: sqlite3.Row, its_agents: list[Json], participations: list[Json]) -> Json:
    home = _one(storage, "SELECT * FROM organisations WHERE id = ?", row["organisation_id"])
    reason = _one(storage, "SELECT * FROM motifs WHERE id = ?", row["motif_id"])
    place = storage.row("SELECT * FROM lieux WHERE id = ?", [row["lieu_id"]])
    usagers = [participation["user"] for participation in participations]
    new = home["zone_mode"] == "new"
    zone = home["time_zone"] if new else "Europe/Paris"
    address = ""
    if place is not None:
        address = place["address"]
    elif reason["location_type"] == "home":
        address = next((usager["address"] for usager in usagers if usager["address"]), "")
    start, end = times.from_stored(row["starts_at"]), times.from_stored(row["ends_at"])
    data: Json = {
        "id": row["id"],
        "uuid": row["uuid"],
        "status": row["status"],
        "starts_at": times.shown_in(zone, row["starts_at"]),
        "ends_at": times.shown_in(zone, row["ends_at"]),
        "duration_in_min": int((end - start).total_seconds() // 60),
        "address": address,
        "context": row["context"],
        "cancelled_at": times.shown_in_paris(row["cancelled_at"]) if row["cancelled_at"] else None,
        "max_participants_count": row["max_participants_count"],
        "users_count": sum(one["status"] not in ("excused", "revoked") for one in participations),
        "name": row["name"],
        "collectif": bool(reason["collectif"]),
        "created_by_type": row["created_by_type"],
        "created_by_id": row["created_by_id"],
        "created_by": CREATED_BY[row["created_by_type"]],
        "organisation": organisation(home),
        "motif": motif(reason),
        "users": usagers,
        "participations": participations,
        "agents": its_agents,
        "lieu": lieu(place) if place is not None else None,
    }
    if new:
        link = f"{storage.setting('url', '')}/admin/organisations/{home['id']}/rdvs/{row['id']}"
        data |= {
            "created_at": times.shown_in_paris(row["created_at"]),
            "time_zone": zone,
            "url_for_agents": link,
            "visio_url": f"https://visio.invalid/{row['uuid']}" if reason["location_type"] == "visio" else None,
        }
    return data


def webhook_data(storage: Storage, model: str, record_id: int) -> Json | None:
    """What a webhook says about a record, or None when the record is gone. `model` as in `meta.model`."""
    if model in _LISTED:
        return next(iter(_LISTED[model](storage, [record_id])), None)
    if model == "AgentRole":
        role = storage.row("SELECT * FROM agent_roles WHERE id = ?", [record_id])
        if role is None:
            return None
        return {
            "id": record_id,
            "access_level": role["access_level"],
            "organisation": organisation(
                _one(storage, "SELECT * FROM organisations WHERE id = ?", role["organisation_id"])
            ),
            "agent": agents(storage, [role["agent_id"]])[0],
        }
    query, shape = _SINGLE[model]
    row = storage.row(query, [record_id])
    return None if row is None else shape(row)


_LISTED: dict[str, Callable[[Storage, Sequence[int]], list[Json]]] = {
    "Rdv": rdvs,
    "Absence": absences,
    "Agent": agents,
}
_SINGLE: dict[str, tuple[str, Callable[[sqlite3.Row], Json]]] = {
    "Organisation": ("SELECT * FROM organisations WHERE id = ?", organisation),
    "Motif": ("SELECT * FROM motifs WHERE id = ?", motif),
    "Lieu": ("SELECT * FROM lieux WHERE id = ?", lieu),
    "User": ("SELECT * FROM users WHERE id = ?", user),
}


def _by_id(storage: Storage, query: str, wanted: Sequence[int]) -> dict[int, sqlite3.Row]:
    return {row["id"]: row for row in storage.rows(query, [ids(set(wanted))])}


def _one(storage: Storage, query: str, record_id: int) -> sqlite3.Row:
    row = storage.row(query, [record_id])
    if row is None:
        raise LookupError(f"no record {record_id} for {query!r}")
    return row
