"""The rule book: the more particular section wins, and what nobody chose is the default."""

from __future__ import annotations

from dataclasses import replace

import pytest

from connectors.records import Classification, RdvSelection, UsagerField
from gateway.rules.book import RuleBook, RuleSection, RuleSubject, Scope
from gateway.rules.values import AgentRules
from mappings.busy_rules import BusyRules
from mappings.rdv_event import CopyRules, LabelLevel
from tests.mappings.samples import rdv

WHO = RuleSubject(agent_id=7, organisation_id=1, service_id=2)
CALENDAR = "agenda:/a/"
RDV = replace(rdv(), organisation_id=1, service_id=2, motif_id=3)
SELECTORS = {
    Scope.EVERYBODY: "",
    Scope.ORGANISATION: 1,
    Scope.SERVICE: 2,
    Scope.MOTIF: 3,
    Scope.AGENT: 7,
    Scope.CALENDAR: CALENDAR,
}


def section(scope: Scope, selector: int | str | None = None, **parts: dict[str, object]) -> RuleSection:
    return RuleSection(scope, SELECTORS[scope] if selector is None else selector, f"for {scope.name}", **parts)


def test_an_empty_book_is_all_defaults() -> None:
    book = RuleBook()
    assert book.for_agent(WHO) == AgentRules()
    assert book.for_calendar(WHO, CALENDAR) == BusyRules()
    assert book.for_rdv(WHO, CALENDAR, RDV) == CopyRules()


@pytest.mark.parametrize("broad", [scope for scope in Scope if scope is not Scope.CALENDAR])
def test_the_more_particular_section_wins(broad: Scope) -> None:
    """Whatever the order in the file, and only where both speak."""
    narrow = Scope(broad + 1)
    sections = (
        section(narrow, copies={"neutral_title": "narrow"}),
        section(broad, copies={"neutral_title": "broad", "category": "broad"}),
    )
    found = RuleBook(sections).for_rdv(WHO, CALENDAR, RDV)
    assert (found.neutral_title, found.category) == ("narrow", "broad")


@pytest.mark.parametrize("scope", [scope for scope in Scope if scope is not Scope.EVERYBODY])
def test_a_section_for_others_says_nothing(scope: Scope) -> None:
    book = RuleBook((section(scope, "other:/b/" if scope is Scope.CALENDAR else 99, copies={"neutral_title": "x"}),))
    assert book.for_rdv(WHO, CALENDAR, RDV) == CopyRules()


def test_an_agent_without_a_home_has_no_organisation_s_rules() -> None:
    book = RuleBook((section(Scope.ORGANISATION, agent={"horizon_days": 9}),))
    assert book.for_agent(RuleSubject(7)).horizon_days == 56
    assert book.for_agent(WHO).horizon_days == 9


def test_an_rdv_is_judged_by_its_own_organisation_and_service() -> None:
    """Not by those of the agent: an agent of several services sees each RDV as its own service shows it."""
    book = RuleBook((section(Scope.SERVICE, 5, copies={"classification": Classification.PUBLIC}),))
    assert book.for_rdv(WHO, CALENDAR, RDV).classification is Classification.PRIVATE
    assert book.for_rdv(WHO, CALENDAR, replace(RDV, service_id=5)).classification is Classification.PUBLIC


def test_a_section_that_shows_a_motif_by_name_allows_it() -> None:
    book = RuleBook((section(Scope.MOTIF, copies={"label": LabelLevel.MOTIF}),))
    assert book.for_rdv(WHO, CALENDAR, RDV).motifs == {3}
    assert book.for_rdv(WHO, CALENDAR, replace(RDV, motif_id=4)).motifs == frozenset()


def test_all_motifs_stay_all() -> None:
    sections = (section(Scope.EVERYBODY, copies={"motifs": None}), section(Scope.MOTIF, copies={"label": "motif"}))
    assert RuleBook(sections).for_rdv(WHO, CALENDAR, RDV).motifs is None


def test_explained_with_who_chose() -> None:
    book = RuleBook(
        (section(Scope.EVERYBODY, agent={"horizon_days": 28}), section(Scope.SERVICE, agent={"copy_rdvs": False}))
    )
    chosen = {each.name: (each.value, each.place) for each in book.explain_agent(WHO)}
    assert chosen["horizon_days"] == (28, "for EVERYBODY")
    assert chosen["copy_rdvs"] == (False, "for SERVICE")
    assert chosen["block_time"] == (True, "")


def test_what_any_section_shows_may_pass_the_door() -> None:
    book = RuleBook(
        (
            section(Scope.MOTIF, copies={"usager_fields": frozenset({UsagerField.LAST_NAME})}),
            section(Scope.AGENT, copies={"usager_fields": frozenset({UsagerField.EMAIL}), "show_context": True}),
        )
    )
    assert book.selection == RdvSelection(frozenset({UsagerField.LAST_NAME, UsagerField.EMAIL}), context=True)
    assert RuleBook().selection == RdvSelection()


def test_the_longest_horizon_is_what_is_read() -> None:
    assert RuleBook().longest_horizon_days == 56
    assert RuleBook((section(Scope.SERVICE, agent={"horizon_days": 90}),)).longest_horizon_days == 90
    book = RuleBook(
        (section(Scope.EVERYBODY, agent={"horizon_days": 7}), section(Scope.AGENT, agent={"horizon_days": 9}))
    )
    assert book.longest_horizon_days == 9


def test_every_pattern_is_known() -> None:
    book = RuleBook(
        (
            section(Scope.EVERYBODY, blocks={"never_titles": ("*privé*",), "labels": {"Formation": "Formation"}}),
            section(Scope.CALENDAR, blocks={"always_categories": ("Congés",)}),
        )
    )
    assert book.patterns.titles == {"*privé*"}
    assert book.patterns.categories == {"Formation", "Congés"}
