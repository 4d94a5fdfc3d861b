"""The difference that other rules make, in small: what is counted, what is not."""

from __future__ import annotations

from dataclasses import replace

from connectors.records import Participation, UsagerField
from gateway.rules.outcome import Span
from gateway.rules.simulating import Replaced, simulate
from gateway.sync.values import AgentView, Presence, SeenEvent, SeenRdv
from mappings.busy_rules import category_id
from mappings.rdv_event import LabelLevel
from tests.rules.test_explaining import with_component
from tests.sync.builders import absence, block, context, copy_of, event, held, rdv, view, wall

COURSE = with_component(event("course", "3 09:00", "3 10:00"), matches=frozenset({category_id("Formation")}))
NAMED = {"label": LabelLevel.MOTIF, "motifs": None, "usager_fields": frozenset({UsagerField.FIRST_NAME})}


def settled(*events: SeenEvent, **more: object) -> AgentView:
    """With a block for each event, as the default rules ask for."""
    blocks = []
    for number, each in enumerate(events, start=1):
        assert each.times is not None
        (component,) = each.times.components
        start, end = (f"{moment.day} {moment:%H:%M}" for moment in (component.start, component.end))  # type: ignore[attr-defined]
        blocks.append(block(number, start, end, each.uid))
    return view(events=events, blocks=blocks, absences=[held(each) for each in blocks], **more)


def test_the_same_rules_make_no_difference() -> None:
    found = simulate(settled(COURSE), context(), context())
    assert found.changes_nothing
    assert (found.operations, found.held, found.writes_anyway) == ((), (), 0)


def test_a_label_is_no_other_block() -> None:
    """It stays where it is, under the name that it would have; one whose name stays is not told."""
    of = settled(COURSE, event("other", "4 09:00", "4 10:00"))
    found = simulate(of, context(), context(blocks={"labels": {"Formation": "En formation"}}))
    assert found.relabelled == (Span(wall("3 09:00"), wall("3 10:00"), "En formation"),)
    assert (found.appear, found.disappear, found.writes) == ((), (), 1)


def test_what_is_over_is_not_told() -> None:
    """At eight in the morning, a block that ended at seven is history, whatever the rules say of it."""
    of = settled(event("early", "1 06:00", "1 07:00"), COURSE)
    found = simulate(of, context(), context(block_time=False))
    assert [span.start for span in found.disappear] == [wall("3 09:00")]
    assert found.hours_after == 0


def test_a_typed_absence_that_is_paired_is_told_as_typed() -> None:
    """Its title is its author's."""
    typed = absence(9, "3 09:00", "3 10:00", title="Cours du soir")
    found = simulate(view(events=[COURSE], absences=[typed]), context(block_time=False), context())
    assert found.appear == (Span(wall("3 09:00"), wall("3 10:00"), typed=True),)


def test_a_field_that_either_book_shows_counts_for_that_book_only() -> None:
    """RDVs were read for both; each is judged by what it lets through."""
    usager = ((UsagerField.FIRST_NAME, "Zorille"),)
    source = replace(rdv(1), participations=(Participation(1, "unknown", 1, usager),))
    agreed, seen = copy_of(source)
    of = view(events=[seen], rdvs=[SeenRdv(source, Presence.PRESENT)], copies=[agreed])
    found = simulate(of, context(), context(copies=NAMED))
    assert (found.copies, found.mirrors) == (Replaced((), (), (1,)), Replaced((), (), ()))
    drafts = [operation.draft for operation in found.operations]
    assert [draft.summary for draft in drafts if draft is not None] == ["Suivi RSA · Zorille"]
    assert simulate(of, context(copies=NAMED), context()).operations == ()


def test_what_the_new_rules_would_have_held_is_told() -> None:
    """More removals than many_count allows."""
    events = [event(f"e{number}", f"{number} 09:00", f"{number} 10:00") for number in range(2, 12)]
    found = simulate(settled(*events), context(), context(block_time=False))
    assert (len(found.disappear), found.writes, len(found.held)) == (10, 10, 10)
    approvals = {each.operation.digest for each in found.held}
    assert simulate(settled(*events), context(), context(block_time=False), approvals=approvals).held == ()
