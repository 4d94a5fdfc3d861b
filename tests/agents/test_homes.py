"""Whose rules hold for an agent: the home organisation and the service of the mapping file."""

from __future__ import annotations

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from connectors.records import Agent
from gateway.agents.homes import asks_for_homes, homeless, only_home
from gateway.agents.roster import Import, Known, compare, roster
from gateway.agents.roster_file import RosterLine, RosterState, read_roster
from gateway.rules.book import RuleBook, RuleSection, Scope
from gateway.sync.values import AgentState, CalendarRef, LinkedAgent, MatchedAgent

REF = CalendarRef("zimbra", "/a/")
LINKED = LinkedAgent(
    1, ZoneInfo("Europe/Paris"), (REF,), REF, AgentState.LIVE, organisation_id=5, service_id=6, first_run_approved=True
)
MATCHED = MatchedAgent(2, "zimbra", organisation_id=5, service_id=6)
PEOPLE = tuple(Agent(number, f"a{number}@x", "A", "B") for number in (1, 2, 3))
KNOWN = Known(PEOPLE, {1: LINKED}, {2: MATCHED}, lambda _account: None, frozenset({5, 8}))


def imported(csv: str) -> Import:
    read = read_roster(csv.encode())
    assert not read.faults
    return compare(read.lines, KNOWN)


def test_what_is_exported_changes_nothing() -> None:
    lines = roster(KNOWN)
    assert [(line.organisation, line.service) for line in lines] == [(5, 6), (5, 6), (None, None)]
    assert compare(lines, KNOWN) == Import((), (), unchanged=3)


def test_other_rules_for_who_is_enrolled_are_told_as_such() -> None:
    """And are not the same as other calendars, which cannot be changed any more."""
    (edit,) = imported(
        "agent;account;receives;zone;organisation;service;state\n1;zimbra;/a/;Europe/Paris;8;;live\n"
    ).edits
    assert (edit.what, edit.fields) == (("rules",), ("organisation", "service"))
    assert (edit.organisation_id, edit.service_id, edit.changes_rules) == (8, None, True)


def test_other_rules_for_who_is_matched_are_a_match() -> None:
    (edit,) = imported("agent;account;organisation;service\n2;zimbra;8;6\n").edits
    assert (edit.what, edit.fields) == (("rematch",), ("organisation",))
    assert edit.matched == replace(MATCHED, organisation_id=8)


def test_a_file_without_these_columns_takes_nobody_s_rules_away() -> None:
    """One with an empty cell does."""
    assert imported("agent;account\n2;zimbra\n").edits == ()
    line = "1;zimbra;/a/;Europe/Paris;live"
    assert imported(f"agent;account;receives;zone;state\n{line}\n").edits == ()
    (edit,) = imported("agent;account;organisation\n2;zimbra;\n").edits
    assert edit.matched == replace(MATCHED, organisation_id=None)


def test_an_organisation_that_is_not_shown_is_a_fault_only_where_it_is_new() -> None:
    (fault,) = imported("agent;account;organisation\n3;zimbra;99\n").faults
    assert "no organisation 99" in fault.what
    hidden = replace(KNOWN, organisations=frozenset())
    assert compare(roster(KNOWN), hidden).faults == ()


def test_rules_without_an_account_are_a_fault() -> None:
    line = RosterLine(3, organisation=5, line=2, state=RosterState.UNKNOWN)
    (fault,) = compare([line], KNOWN).faults
    assert "no account" in fault.what


@pytest.mark.parametrize(
    ("section", "asks"),
    [
        (RuleSection(Scope.ORGANISATION, 5, "", agent={"horizon_days": 7}), True),
        (RuleSection(Scope.ORGANISATION, 5, "", blocks={"tentative": False}), True),
        (RuleSection(Scope.ORGANISATION, 5, "", copies={"neutral_title": "x"}), False),  # by the RDV's own
        (RuleSection(Scope.SERVICE, 5, "", agent={"horizon_days": 7}), False),
    ],
)
def test_a_home_matters_where_rules_about_agents_differ_by_organisation(section: RuleSection, asks: bool) -> None:
    book = RuleBook((section,))
    assert asks_for_homes(book) is asks
    homes = {1: frozenset({5, 8}), 2: frozenset({8})}
    one, two = replace(LINKED, organisation_id=None), replace(LINKED, agent_id=2, organisation_id=None)
    told = [agent.agent_id for agent, _ in homeless([one, two, LINKED], homes, book)]
    assert told == ([1] if asks else [])


def test_of_several_organisations_none_is_chosen() -> None:
    assert only_home({1: {5}, 2: {5, 8}}, 1) == 5
    assert only_home({1: {5}, 2: {5, 8}}, 2) is None
    assert only_home({}, 3) is None
