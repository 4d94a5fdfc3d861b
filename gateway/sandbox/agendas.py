"""What the pages show, read from the state and put into French."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from gateway.sandbox import serializers, times
from gateway.sandbox.state import State

STATUS_NAMES = {
    "unknown": "prévu, ou à renseigner",
    "seen": "a eu lieu",
    "noshow": "usager absent",
    "excused": "annulé par l'usager",
    "revoked": "annulé par le service",
}
_DAYS = ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche")
_MONTHS = (
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
)
_ATTRIBUTES = {
    "title": "l'intitulé",
    "first_day": "le premier jour",
    "end_day": "le dernier jour",
    "start_time": "l'heure de début",
    "end_time": "l'heure de fin",
    "ends_time": "la fin",
    "recurrence": "la répétition",
    "lieu": "le lieu",
    "motif": "le motif",
    "participations": "l'usager",
    "agents": "l'agent",
    "duration_in_min": "la durée",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of an agenda: an RDV or an absence."""

    day: date
    hours: str
    kind: str
    label: str
    place: str
    status: str
    link: str
    cancelled: bool = False


def day_in_words(day: date) -> str:
    first = "1er" if day.day == 1 else str(day.day)
    return f"{_DAYS[day.weekday()]} {first} {_MONTHS[day.month - 1]} {day.year}"


def worded(message: str) -> str:
    """A message about an attribute, with the attribute's French name."""
    attribute, _, rest = message.partition(" ")
    return f"{_ATTRIBUTES[attribute]} {rest}" if attribute in _ATTRIBUTES else message


def overview(state: State) -> list[dict[str, Any]]:
    """One row per agent: name, e-mail, organisations, services, RDVs to come, absences."""
    now = times.stored(state.storage.clock())
    found = state.storage.rows(
        """
        SELECT id, first_name || ' ' || last_name AS name, email,
            (SELECT group_concat(organisations.name, ', ') FROM agent_roles JOIN organisations
             ON organisations.id = organisation_id WHERE agent_id = agents.id) AS organisations,
            (SELECT group_concat(services.name, ', ') FROM agent_services JOIN services
             ON services.id = service_id WHERE agent_id = agents.id) AS services,
            (SELECT count(*) FROM rdv_agents JOIN rdvs ON rdvs.id = rdv_id WHERE agent_id = agents.id
             AND starts_at >= ? AND status NOT IN ('excused', 'revoked')) AS rdvs,
            (SELECT count(*) FROM absences WHERE agent_id = agents.id) AS absences
        FROM agents WHERE deleted = 0 ORDER BY id
        """,
        [now],
    )
    return [dict(row) for row in found]


def agent(state: State, agent_id: int) -> dict[str, Any] | None:
    return next(iter(serializers.agents(state.storage, [agent_id])), None)


def week(state: State, agent_id: int, monday: date) -> list[Entry]:
    """The RDVs that begin and the absences that fall in seven days, in order. Recurring absences are not spread."""
    return sorted(
        [*_rdvs(state, agent_id, monday), *_absences(state, agent_id, monday)],
        key=lambda entry: (entry.day, entry.hours, entry.link),
    )


def _rdvs(state: State, agent_id: int, monday: date) -> list[Entry]:
    start = datetime.combine(monday, datetime.min.time())
    found = state.storage.rows(
        "SELECT rdvs.id FROM rdvs JOIN rdv_agents ON rdv_id = rdvs.id"
        " WHERE agent_id = ? AND starts_at >= ? AND starts_at < ?",
        [agent_id, times.stored_from_wall_clock(start), times.stored_from_wall_clock(start + timedelta(days=7))],
    )
    return [_rdv_entry(rdv) for rdv in serializers.rdvs(state.storage, [row[0] for row in found])]


def _rdv_entry(rdv: dict[str, Any]) -> Entry:
    people = ", ".join(f"{user['first_name']} {user['last_name']}" for user in rdv["users"])
    label = rdv["motif"]["name"] + (f" : {rdv['name']}" if rdv["name"] else "") + (f" ({people})" if people else "")
    place = {"phone": "Par téléphone", "visio": "En visio", "home": "À domicile"}.get(rdv["motif"]["location_type"], "")
    return Entry(
        day=date.fromisoformat(rdv["starts_at"][:10]),
        hours=f"{rdv['starts_at'][11:16]} – {rdv['ends_at'][11:16]}",
        kind="RDV",
        label=label,
        place=rdv["lieu"]["name"] if rdv["lieu"] else place,
        status=STATUS_NAMES[rdv["status"]],
        link=f"/admin/organisations/{rdv['organisation']['id']}/rdvs/{rdv['id']}",
        cancelled=rdv["status"] in ("excused", "revoked"),
    )


def _absences(state: State, agent_id: int, monday: date) -> list[Entry]:
    found = state.storage.rows(
        "SELECT * FROM absences WHERE agent_id = ? AND rrule IS NULL AND end_day >= ? AND first_day <= ?",
        [agent_id, monday.isoformat(), (monday + timedelta(days=6)).isoformat()],
    )
    entries = []
    for row in found:
        first, last = date.fromisoformat(row["first_day"]), date.fromisoformat(row["end_day"])
        until = row["end_time"][:5] if first == last else f"{day_in_words(last)} {row['end_time'][:5]}"
        entries.append(
            Entry(
                day=max(first, monday),
                hours=f"{row['start_time'][:5]} – {until}",
                kind="Indisponibilité",
                label=row["title"],
                place="",
                status="" if first >= monday else f"depuis le {day_in_words(first)}",
                link=f"/absences/{row['id']}",
            )
        )
    return entries


def recurring(state: State, agent_id: int) -> list[dict[str, Any]]:
    """The recurring absences of an agent, as the API shows them."""
    found = state.storage.rows(
        "SELECT id FROM absences WHERE agent_id = ? AND rrule IS NOT NULL ORDER BY first_day, id", [agent_id]
    )
    return serializers.absences(state.storage, [row[0] for row in found])


def choices(state: State, agent_id: int) -> dict[str, list[dict[str, Any]]]:
    """What the form for a new RDV offers: motifs and lieux of the agent's organisations, usagers."""
    queries = {
        "motifs": "SELECT motifs.id, motifs.name || ' – ' || organisations.name AS name FROM motifs"
        " JOIN organisations ON organisations.id = organisation_id"
        " WHERE organisation_id IN (SELECT organisation_id FROM agent_roles WHERE agent_id = ?)"
        " AND deleted_at IS NULL ORDER BY organisations.id, motifs.id",
        "lieux": "SELECT id, name FROM lieux WHERE organisation_id IN"
        " (SELECT organisation_id FROM agent_roles WHERE agent_id = ?) ORDER BY id",
    }
    found = {name: [dict(row) for row in state.storage.rows(query, [agent_id])] for name, query in queries.items()}
    users = state.storage.rows("SELECT id, first_name || ' ' || last_name AS name FROM users ORDER BY id LIMIT 50")
    return found | {"users": [dict(row) for row in users]}
