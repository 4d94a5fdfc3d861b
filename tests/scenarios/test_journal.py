"""Every remote write and every observed change has its entry, by reference alone."""

from __future__ import annotations

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours


def told(departement: Departement) -> list[tuple[str, str, str]]:
    """(side, what, rule) of what was observed, oldest first."""
    rows = departement.store.journal(limit=1000)
    return [(row.entry.side, row.entry.object, row.entry.rule) for row in rows if row.entry.action == "observed"][::-1]


def test_what_persons_change_is_journaled_on_either_side(departement: Departement, agent: Person) -> None:
    event = agent.types_event("Dentiste", *hours(departement.at(1, 9)))
    rdv = departement.rdv(departement.at(2, 9), agent)
    absence = departement.absence(agent, "Congé", *hours(departement.at(3, 9)))
    departement.goes_live()
    departement.settled()
    assert {rule for _, _, rule in told(departement)} <= {"appeared"}, "what the gateway wrote is no change"
    known = len(told(departement))

    agent.moves(event, *hours(departement.at(1, 14)))
    departement.move_absence(absence, *hours(departement.at(3, 14)))
    departement.state.rdvs.cancel(rdv, "excused")
    departement.settled()
    assert set(told(departement)[known:]) == {
        ("calendar", "event", "changed"),
        ("rdv_solidarites", "absence", "changed"),
        ("rdv_solidarites", "rdv", "changed"),
    }
    agent.deletes(event)
    departement.settled()
    assert told(departement)[-1] == ("calendar", "event", "vanished")
    everything = repr(departement.store.journal(limit=1000))
    assert "Dentiste" not in everything
    assert "Congé" not in everything
