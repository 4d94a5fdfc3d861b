"""Figures of an incident bundle, on each kind of database."""

from __future__ import annotations

import os
from datetime import timedelta

from gateway.store.schema import REVISION
from gateway.support.contents import Maker
from gateway.support.pseudonyms import Pseudonyms
from gateway.support.words import vocabulary
from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours


def test_figures_of_the_database_and_of_what_is_agreed(departement: Departement, agent: Person) -> None:
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.rdv(departement.at(2, 9), agent)
    departement.settled()
    store = departement.store
    facts = store.database_facts()
    assert facts.kind in ("sqlite", "postgresql")
    assert (facts.revision, facts.expected_revision) == (REVISION, REVISION)
    assert facts.faults == (0 if facts.kind == "sqlite" else None)
    assert facts.size > 0
    assert (facts.rows["pool_block"], facts.rows["agreed_copy"]) == (1, 1)
    assert store.agreed_counts() == {agent.id: {"copies": 1, "blocks": 1}}
    journal = store.journal_facts(departement.clock.now() - timedelta(days=1))
    assert journal.entries == sum(count for *_, count in journal.counts) == facts.rows["journal"]


def test_names_of_whoever_acted_are_no_rule(departement: Departement, agent: Person) -> None:
    """An approval's journal entry says by whom."""
    agent.types_event("Équipe", *hours(departement.at(1, 9)))
    departement.settled()
    maker = Maker(Pseudonyms(os.urandom(32), os.urandom(16)), vocabulary(), departement.clock.now())
    told = maker.journal(departement.store)
    assert "scenario" not in repr(told)
    assert "event_occupies_time" in repr(told)
