"""What a département sees of the service."""

from __future__ import annotations

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, Shown, hours
from tests.serve.running import Service, eventually


def test_both_directions_by_polling(departement: Departement, agent: Person):
    """An RDV made in RDV-Solidarités appears in the calendar; an event typed there blocks; nobody calls a command."""
    with Service(departement) as service:
        rdv, event = departement.at(2, 9), departement.at(2, 14)
        departement.rdv(rdv, agent)
        agent.types_event("Dentiste", *hours(event))
        eventually(lambda: agent.shown() == [Shown("RDV", *hours(rdv, 0.5))], what="the copy")
        eventually(lambda: agent.blocks() == [hours(event)], what="the block")
        code, took = service.ends()
    assert (code, took < 10) == (0, True), took
    assert "Dentiste" not in service.log.read_text()
