"""What the double of RDV-Solidarités holds before a scenario: organisations and motifs, no agent but the account."""

from __future__ import annotations

from gateway.sandbox.state import State

ACCOUNT = "passerelle@scenarios.example"
PASSWORD = "mot-de-passe-des-scenarios"

PMI, SOCIAL = 1, 2  # services
NORD, SUD, SAINT_DENIS = 1, 2, 3  # organisations
ACCOUNT_ID = 1

USAGER = "Ysoline Quatrebarbes"
"""Name of the one usager: must never be found anywhere but in RDV-Solidarités."""


def motif(organisation: int, service: int) -> int:
    """The motif of a service in an organisation, held at the lieu that has the organisation's number."""
    return 3 * (organisation - 1) + service


def workshop(organisation: int) -> int:
    """The collective motif of an organisation (of the service social)."""
    return 3 * organisation


def seed(state: State) -> None:
    """Two organisations in Paris, one in La Réunion, and the technical account: an admin of them all."""
    directory = state.directory
    paris, reunion = directory.add_territory("Paris", "75"), directory.add_territory("La Réunion", "974")
    services = [directory.add_service("PMI"), directory.add_service("Service social")]
    account = directory.add_agent("Passerelle", "Technique", email=ACCOUNT, service_ids=services, password=PASSWORD)
    for name, territory, zone in (
        ("Nord", paris, "Europe/Paris"),
        ("Sud", paris, "Europe/Paris"),
        ("Saint-Denis", reunion, "Indian/Reunion"),
    ):
        organisation = directory.add_organisation(name, territory, time_zone=zone)
        directory.set_role(account, organisation, "admin")
        directory.add_lieu(f"MDS {name}", organisation, f"1 rue de {name}")
        directory.add_motif("Consultation", organisation, PMI)
        directory.add_motif("Entretien", organisation, SOCIAL)
        directory.add_motif("Atelier", organisation, SOCIAL, collectif=True)
    first, last = USAGER.split()
    directory.add_user(first, last, address="3 rue des Secrets", notes="situation difficile")
