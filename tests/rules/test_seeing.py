"""What others see: only what the rules let out, whatever they are."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from connectors.records import Classification, Participation, Rdv, UsagerField
from gateway.rules.outcome import Span, outcome
from gateway.rules.seeing import as_colleague, as_usager
from gateway.sync.planning import make_plan
from gateway.sync.values import AgentState, AgentView, BlockOrigin, Presence, SeenRdv
from mappings.busy_rules import category_id
from mappings.rdv_event import LabelLevel
from tests.rules.test_explaining import with_component
from tests.sync.builders import absence, agent, block, context, copy_of, event, held, mirror_of, rdv, view, wall

DAY = wall("3 00:00").date()
TYPED = "Visite chez l'oncologue"


def full_rdv() -> Rdv:
    usager = ((UsagerField.FIRST_NAME, "Zorille"), (UsagerField.PHONE_NUMBER, "06-zibeline"))
    return replace(
        rdv(1, "3 10:00"),
        motif_name="Motif-zamia",
        lieu_name="MDS-zingel",
        context="Contexte-zyzomys",
        participations=(Participation(1, "unknown", 1, usager),),
    )


def busy_view(**changes: object) -> AgentView:
    """An RDV without a copy yet, an event, and an absence that a person typed, all on one day."""
    typed = absence(5, "3 14:00", "3 15:00", title=TYPED)
    return view(
        events=[event("meeting", "3 08:00", "3 09:00")],
        rdvs=[SeenRdv(full_rdv(), Presence.PRESENT)],
        absences=[typed],
        **changes,
    )


@given(
    classification=st.sampled_from(Classification),
    label=st.sampled_from(LabelLevel),
    motifs=st.sampled_from([None, frozenset(), frozenset({5}), frozenset({6})]),
    fields=st.frozensets(st.sampled_from([UsagerField.FIRST_NAME, UsagerField.PHONE_NUMBER])),
    place=st.booleans(),
    shows_context=st.booleans(),
)
def test_a_colleague_reads_only_what_is_public_and_chosen(
    *,
    classification: Classification,
    label: LabelLevel,
    motifs: frozenset[int] | None,
    fields: frozenset[UsagerField],
    place: bool,
    shows_context: bool,
) -> None:
    """Each canary, under any rules; titles that a person typed never."""
    chosen = {
        "classification": classification,
        "label": label,
        "motifs": motifs,
        "usager_fields": fields,
        "show_place": place,
        "show_context": shows_context,
    }
    seen = as_colleague(busy_view(), context(copies=chosen), DAY)
    text = repr(seen)
    public = classification is Classification.PUBLIC
    named = public and label is LabelLevel.MOTIF and (motifs is None or 5 in motifs)
    assert ("Motif-zamia" in text) == named
    assert ("Zorille" in text) == (named and UsagerField.FIRST_NAME in fields)
    assert ("06-zibeline" in text) == (named and UsagerField.PHONE_NUMBER in fields)
    assert ("MDS-zingel" in text) == (named and place)
    assert ("Contexte-zyzomys" in text) == (named and shows_context)
    assert TYPED not in text
    assert [(each.start, each.private) for each in seen.calendar if each.rdv_id] == [(wall("3 10:00"), not public)]
    assert [each.title for each in seen.rdv_solidarites] == ["Occupé · agenda"]


def test_a_usager_sees_intervals_alone() -> None:
    """Touching blocks are one; what began the day before is cut at midnight."""
    events = [
        event("a", "2 22:00", "3 02:00"),
        event("b", "3 09:00", "3 10:00"),
        event("c", "3 10:00", "3 11:00"),
        event("d", "4 09:00", "4 10:00"),
    ]
    found = as_usager(view(events=events), context(merge_blocks=False), DAY)
    assert found == ((wall("3 00:00"), wall("3 02:00")), (wall("3 09:00"), wall("3 11:00")))


def test_labels_are_shown_with_the_tag_and_typed_titles_are_not() -> None:
    """Of what a person typed on both sides only the time is told."""
    course = with_component(event("course", "3 09:00", "3 10:00"), matches=frozenset({category_id("Formation")}))
    paired = block(7, "3 12:00", "3 13:00", "lunch", origin=BlockOrigin.FOUND)
    of = view(
        events=[course, event("lunch", "3 12:00", "3 13:00")],
        blocks=[paired],
        absences=[replace(held(paired), absence=replace(held(paired).absence, title=TYPED))],
    )
    seen = as_colleague(of, context(blocks={"labels": {"Formation": "En formation"}}), DAY)
    assert [each.title for each in seen.rdv_solidarites] == ["En formation · agenda", None]
    assert as_colleague(of, context(), wall("4 00:00").date()).rdv_solidarites == ()


def test_a_cancelled_copy_is_nothing_to_whoever_may_not_read_it() -> None:
    """It takes no time; whoever may read it sees that it is cancelled."""
    agreed, seen = copy_of(rdv(1, "3 10:00"))
    cancelled = SeenRdv(rdv(1, "3 10:00", status="excused"), Presence.PRESENT)
    of = view(events=[seen], rdvs=[cancelled], copies=[agreed])
    assert as_colleague(of, context(), DAY).calendar == ()
    (shown,) = as_colleague(of, context(copies={"classification": Classification.PUBLIC}), DAY).calendar
    assert (shown.title, shown.busy) == ("[Annulé] RDV", False)


def test_of_who_is_paused_what_stayed_is_seen() -> None:
    """No sync brings what the rules would ask for."""
    of = busy_view(agent=agent(state=AgentState.PAUSED))
    assert as_colleague(of, context(), DAY) == as_colleague(view(agent=of.agent), context(), DAY)
    assert as_usager(of, context(), DAY) == ()


def test_an_event_of_an_absence_is_only_busy_on_each_of_its_days() -> None:
    """A series, whose title a person typed."""
    weekly = absence(5, "3 14:00", "3 15:00", title=TYPED, rrule="FREQ=WEEKLY;INTERVAL=1")
    agreed, seen = mirror_of(weekly)
    of = view(events=[seen], absences=[weekly], mirrors=[agreed])
    for number in (3, 10):
        (shown,) = as_colleague(of, context(), wall(f"{number} 00:00").date()).calendar
        assert (shown.start, shown.private, shown.title) == (wall(f"{number} 14:00"), True, "")


def test_the_outcome_of_a_plan_is_what_it_asks_for() -> None:
    """A block that is there and one to come, none that was freed, no copy that another synchroniser doubles."""
    kept = block(1, "3 09:00", "3 10:00", "meeting")
    freed = block(2, "4 09:00", "4 10:00", "other")
    events = [
        event("meeting", "3 09:00", "3 10:00"),
        event("other", "4 09:00", "4 10:00"),
        event("new", "5 9:00", "5 10:00"),
    ]
    gone = replace(held(freed), presence=Presence.GONE)
    of = view(
        events=events,
        blocks=[kept, freed],
        absences=[held(kept), gone],
        rdvs=[SeenRdv(rdv(3, "8 10:00"), Presence.PRESENT)],
    )
    plan = make_plan(of, context())
    found = outcome(of, plan, context())
    assert found.blocks == (Span(wall("3 09:00"), wall("3 10:00")), Span(wall("5 09:00"), wall("5 10:00")))
    assert set(found.copies) == {3}
    assert outcome(of, replace(plan, doubled=True), context()).copies == {}
