"""First data: a small département to try things in, and as many agents as a load test wants. Nobody is real."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from gateway.sandbox.absences import monthly, weekly
from gateway.sandbox.state import State

ACCOUNT = "passerelle@demo.example"
PASSWORD = "Passerelle-de-demonstration-1"  # noqa: S105 -- the documented password of sample data

_FIRST_NAMES = ("Alix", "Camille", "Charlie", "Claude", "Dominique", "Lou", "Maxime", "Noa", "Sacha", "Yaël")
_LAST_NAMES = ("Exemplier", "Fictivet", "Imaginaire", "Inventin", "Modélard", "Pseudonet", "Spécimen", "Témoinot")
_SEED = 2024


def sample_names(count: int, seed: int = _SEED) -> list[tuple[str, str]]:
    """First and last names that are clearly invented; the same for the same seed."""
    source = random.Random(seed)
    return [(source.choice(_FIRST_NAMES), f"{source.choice(_LAST_NAMES)}-{number + 1}") for number in range(count)]


@dataclass(frozen=True, slots=True)
class _Organisation:
    """What an RDV in an organisation is made of: ids of motifs by location, and of its lieu."""

    id: int
    motifs: dict[str, int]
    lieu: int


def seed_departement(state: State, today: date, *, zone_mode: str = "new") -> None:
    """Two organisations in Paris and one in La Réunion, agents and usagers, a past week and weeks to come.

    `zone_mode` as in `Directory.add_organisation`. Days are relative to the Monday of `today`'s week.
    """
    directory = state.directory
    paris, reunion = directory.add_territory("Paris", "75"), directory.add_territory("La Réunion", "974")
    services = [
        directory.add_service("PMI"),
        directory.add_service("Service social"),
        directory.add_service("Secrétariat", secretariat=True),
    ]
    organisations = [
        _organisation(state, "MDS Paris Nord", paris, services, zone_mode=zone_mode, zone="Europe/Paris"),
        _organisation(state, "MDS Paris Sud", paris, services, zone_mode=zone_mode, zone="Europe/Paris"),
        _organisation(state, "MDS Saint-Denis", reunion, services, zone_mode=zone_mode, zone="Indian/Reunion"),
    ]
    account = directory.add_agent(
        "Passerelle", "Compte technique", email=ACCOUNT, service_ids=services[1:2], password=PASSWORD
    )
    for organisation in organisations:
        directory.set_role(account, organisation.id, "admin")
    for territory in (paris, reunion):
        directory.make_territorial_admin(account, territory)
    agents = _agents(state, organisations, services)
    monday = today - timedelta(days=today.weekday())
    _rdvs(state, organisations, agents, _users(state), monday)
    _absences(state, agents, monday)


def _organisation(
    state: State, name: str, territory_id: int, services: Sequence[int], *, zone_mode: str, zone: str
) -> _Organisation:
    directory = state.directory
    pmi, social = services[0], services[1]
    organisation_id = directory.add_organisation(name, territory_id, time_zone=zone, zone_mode=zone_mode)
    motifs = {
        "public_office": directory.add_motif("Consultation PMI", organisation_id, pmi, bookable_by="everyone"),
        "phone": directory.add_motif("Entretien téléphonique", organisation_id, social, location_type="phone"),
        "home": directory.add_motif("Visite à domicile", organisation_id, pmi, location_type="home", follow_up=True),
        "visio": directory.add_motif("Entretien en visio", organisation_id, social, location_type="visio"),
        "social": directory.add_motif("Entretien social", organisation_id, social),
        "collectif": directory.add_motif("Atelier budget", organisation_id, social, collectif=True),
    }
    street = {"Europe/Paris": "1 rue de l'Exemple, 75000 Paris"}.get(zone, "1 rue de l'Exemple, 97400 Saint-Denis")
    return _Organisation(organisation_id, motifs, directory.add_lieu(name, organisation_id, street))


def _agents(state: State, organisations: Sequence[_Organisation], services: Sequence[int]) -> dict[str, int]:
    north, south, reunion = (organisation.id for organisation in organisations)
    pmi, social, secretariat = services
    planned: list[tuple[str, str, str | None, int, dict[int, str]]] = [
        ("Martine", "Exemplier", "martine@demo.example", pmi, {north: "basic"}),
        ("Bruno", "Fictivet", "bruno@demo.example", social, {north: "basic", south: "basic"}),
        ("Gina", "Inventin", "gina@demo.example", social, {south: "basic"}),
        ("Sophie", "Modélard", "sophie@demo.example", secretariat, {north: "basic"}),
        ("Paul", "Témoinot", None, pmi, {north: "intervenant"}),
        ("Maya", "Spécimen", "maya@demo.example", social, {reunion: "basic"}),
    ]
    agents = {}
    for first_name, last_name, email, service, roles in planned:
        agent = state.directory.add_agent(first_name, last_name, email=email, service_ids=[service], password=PASSWORD)
        for organisation_id, level in roles.items():
            state.directory.set_role(agent, organisation_id, level)
        agents[first_name.lower()] = agent
    return agents


def _users(state: State) -> list[int]:
    source = random.Random(_SEED)
    return [
        state.directory.add_user(
            first_name,
            last_name.upper(),
            email=f"usager{number}@usagers.example",
            phone_number=f"01999900{number:02d}",
            address=f"{number + 1} impasse de l'Invention, 75000 Paris",
            birth_date=date(source.randint(1950, 2005), source.randint(1, 12), source.randint(1, 28)).isoformat(),
            notes="Note inventée que la passerelle n'a pas à connaître.",
            caisse_affiliation="caf",
            affiliation_number=f"00{number:05d}",
            family_situation=source.choice(["single", "in_a_relationship", "divorced"]),
            number_of_children=source.randint(0, 4),
            logement="locataire",
            case_number=f"DOSSIER-{number:03d}",
        )
        for number, (first_name, last_name) in enumerate(sample_names(12))
    ]


def _rdvs(
    state: State,
    organisations: Sequence[_Organisation],
    agents: dict[str, int],
    users: Sequence[int],
    monday: date,
) -> None:
    north, south, reunion = organisations
    martine, bruno, gina = agents["martine"], agents["bruno"], agents["gina"]

    def at(week: int, day: int, hour: int, minute: int = 0) -> datetime:
        return datetime.combine(monday + timedelta(weeks=week, days=day), time(hour, minute))

    def book(where: _Organisation, kind: str, who: Sequence[int], when: datetime, usagers: Sequence[int]) -> int:
        on_site = kind in ("public_office", "social", "collectif")
        return state.rdvs.create(
            organisation_id=where.id,
            motif_id=where.motifs[kind],
            agent_ids=who,
            starts_at=when,
            duration_in_min=90 if kind == "collectif" else 45,
            user_ids=usagers,
            lieu_id=where.lieu if on_site else None,
            context="Contexte inventé, à ne pas divulguer." if kind == "social" else None,
            name="Tenir son budget" if kind == "collectif" else None,
            max_participants_count=8 if kind == "collectif" else None,
        )

    state.rdvs.set_status(book(north, "public_office", [martine], at(-1, 0, 9), users[:1]), "seen")
    state.rdvs.set_status(book(north, "social", [bruno], at(-1, 1, 10), users[1:2]), "noshow")
    book(north, "public_office", [martine], at(0, 0, 9), users[2:3])
    book(north, "home", [martine], at(0, 2, 14), users[3:4])
    book(north, "public_office", [martine, agents["paul"]], at(0, 3, 10, 30), users[4:6])
    book(north, "social", [bruno], at(0, 1, 9), users[6:7])
    book(south, "phone", [bruno], at(0, 4, 11), users[7:8])
    book(south, "visio", [gina], at(0, 3, 15), users[8:9])
    state.rdvs.cancel(book(south, "social", [gina], at(0, 4, 9, 30), users[9:10]), "excused")
    book(north, "collectif", [bruno, martine], at(1, 1, 14), users[:3])
    book(reunion, "social", [agents["maya"]], at(0, 2, 9), users[10:11])
    book(reunion, "phone", [agents["maya"]], at(1, 0, 16), users[11:12])
    for week in range(1, 5):
        book(north, "public_office", [martine], at(week, 0, 9), users[week : week + 1])
        book(north, "social", [bruno], at(week, 3, 9), users[week + 4 : week + 5])
        book(south, "social", [gina], at(week, 2, 10), users[week + 6 : week + 7])


def _absences(state: State, agents: dict[str, int], monday: date) -> None:
    def put(who: str, title: str, day: int, *, hours: tuple[int, int], days: int = 1, rrule: str | None = None) -> None:
        state.absences.create(
            agents[who],
            title=title,
            first_day=monday + timedelta(days=day),
            start_time=time(hours[0]),
            end_day=monday + timedelta(days=day + days - 1),
            end_time=time(hours[1]),
            rrule=rrule,
        )

    put("martine", "Réunion d'équipe", 1, hours=(14, 16))
    put("martine", "Formation", 16, hours=(9, 17), days=2)
    put("bruno", "Congés", 21, hours=(0, 23), days=5)
    put("bruno", "Commission", 2, hours=(9, 12))
    put("gina", "Réunion de service", 0, hours=(9, 10), rrule=weekly(["MO"], until=monday + timedelta(weeks=26)))
    put("gina", "Supervision", 8, hours=(14, 16), rrule=monthly("2TU"))
    put("maya", "Déplacement", 4, hours=(8, 12))


def seed_many(state: State, *, agents: int, absences_per_agent: int, rdvs_per_agent: int, today: date) -> None:
    """A big organisation for load tests, with the same technical account: everything on working days from `today` on.

    Agents are `agent1@demo.example` and so on. Each day holds several absences at the same hour, as in real life.
    """
    directory = state.directory
    with state.storage.transaction():
        territory = directory.add_territory("Grand Département", "99")
        service = directory.add_service("Service social")
        organisation = directory.add_organisation("MDS de charge", territory, zone_mode="new")
        motif = directory.add_motif("Entretien téléphonique", organisation, service, location_type="phone")
        account = directory.add_agent(
            "Passerelle", "Compte technique", email=ACCOUNT, service_ids=[service], password=PASSWORD
        )
        directory.set_role(account, organisation, "admin")
        directory.make_territorial_admin(account, territory)
        users = [directory.add_user(first, last) for first, last in sample_names(20)]
        for number, (first_name, last_name) in enumerate(sample_names(agents), start=1):
            agent = directory.add_agent(
                first_name, last_name, email=f"agent{number}@demo.example", service_ids=[service]
            )
            directory.set_role(agent, organisation, "basic")
            for turn in range(absences_per_agent):
                state.absences.create(
                    agent,
                    title="Occupé",
                    first_day=_working_day(today, turn // 3),
                    start_time=time(9 + turn % 3 * 2),
                    end_time=time(10 + turn % 3 * 2),
                )
            for turn in range(rdvs_per_agent):
                state.rdvs.create(
                    organisation_id=organisation,
                    motif_id=motif,
                    agent_ids=[agent],
                    starts_at=datetime.combine(_working_day(today, turn // 2), time(15 + turn % 2)),
                    user_ids=[users[(number + turn) % len(users)]],
                )


def _working_day(today: date, number: int) -> date:
    """The `number`-th working day from `today`'s Monday."""
    weeks, day = divmod(number, 5)
    return today - timedelta(days=today.weekday()) + timedelta(weeks=weeks, days=day)
