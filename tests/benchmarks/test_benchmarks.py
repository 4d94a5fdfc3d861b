"""Statements are counted where seconds would depend on the machine."""

from __future__ import annotations

from tests.benchmarks.__main__ import bench

AGENTS = 6
MOST_OF_A_RUN = 60
"""Statements of a run as a whole, whoever it is about."""


def test_an_unchanged_agent_costs_no_statement() -> None:
    operations, anew, unchanged = bench(AGENTS, 50)
    assert operations.things > AGENTS * 20
    assert anew.statements > AGENTS * 10
    assert unchanged.things == AGENTS
    assert unchanged.statements <= MOST_OF_A_RUN
    assert all(each.floor > 0 for each in (operations, anew, unchanged))


def test_statements_of_an_unchanged_run_do_not_grow_with_agents() -> None:
    few, many = (bench(agents, 50)[-1].statements for agents in (3, 9))
    assert many == few
