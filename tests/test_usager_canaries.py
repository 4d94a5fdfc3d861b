"""Canaries in every personal field of an RDV, random rule books: a field is found behind the door only if some rule
names it, and in a copy only if it is chosen for that very RDV."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import example, given
from hypothesis import strategies as st

from connectors.icalendar_draft import patch_draft, render_draft
from connectors.rdv_solidarites import parsing
from connectors.records import EventDraft, Rdv, UsagerField
from gateway.rules.book import RuleBook, RuleSection, RuleSubject, Scope
from gateway.store.codec import dump_rdv, load_rdv
from mappings.rdv_event import LabelLevel, rdv_draft
from tests.connectors.rdv_solidarites.support import rdv_record
from tests.mappings.samples import IDENTITY
from tests.sync.builders import NOW

PARIS = ZoneInfo("Europe/Paris")
SUBJECT = RuleSubject(12, organisation_id=8, service_id=9)  # not those of the RDV
CALENDAR = "agenda:/a/"
CHOSEN_BY = {
    "Zorille": UsagerField.FIRST_NAME,
    "Zébu": UsagerField.LAST_NAME,
    "06-zibeline": UsagerField.PHONE_NUMBER,
    "zeuzere@example.org": UsagerField.EMAIL,
    "impasse Zancle": UsagerField.ADDRESS,
    "rue du Zèbre": UsagerField.ADDRESS,  # of a home visit
    "zonure-1990": UsagerField.BIRTH_DATE,
}
"""A canary in each field that can be chosen, and the choice that shows it."""
NEVER = (
    *("Notes-zygène", "Situation-zorse", "Enfants-zanzer", "Logement-ziphius", "Caisse-zopilote", "Allocataire-zoe"),
    *("Dossier-zoanthaire", "Naissance-zoophyte", "Détail-zostère", "Tuteur-zokor"),
)
"""No configuration can ask for these."""
CONTEXT = "Contexte-zyzomys"
LINK = "https://visio.example/zingel"

_USAGER = {
    "id": 601,
    "first_name": "Zorille",
    "last_name": "Zébu",
    "phone_number": "06-zibeline",
    "phone_number_formatted": "06-zibeline",
    "email": "zeuzere@example.org",
    "address": "impasse Zancle",
    "birth_date": "zonure-1990",
    "notes": NEVER[0],
    "family_situation": NEVER[1],
    "number_of_children": NEVER[2],
    "logement": NEVER[3],
    "caisse_affiliation": NEVER[4],
    "affiliation_number": NEVER[5],
    "case_number": NEVER[6],
    "birth_name": NEVER[7],
    "address_details": NEVER[8],
    "responsible": {"id": 7, "first_name": NEVER[9], "last_name": NEVER[9]},
}


def record(location_type: str, *, collectif: bool, status: str) -> dict[str, Any]:
    """RDV 77 of organisation 3, service 5, motif 9."""
    return rdv_record(
        status=status,
        address="rue du Zèbre" if location_type == "home" else "",
        lieu=None,
        context=CONTEXT,
        visio_url=LINK,
        collectif=collectif,
        name="Atelier",
        motif={"id": 9, "name": "Motif-zamia", "location_type": location_type, "service_id": 5, "collectif": collectif},
        users=[_USAGER],
        participations=[{"id": 501, "status": "unknown", "user": _USAGER}],
    )


records = st.builds(
    record,
    st.sampled_from(["public_office", "phone", "home", "visio", "moon"]),
    collectif=st.booleans(),
    status=st.sampled_from(["unknown", "excused", "revoked", "seen", "noshow", "waiting"]),
)
choices = st.fixed_dictionaries(
    {},
    optional={
        "label": st.sampled_from(LabelLevel),
        "motifs": st.sampled_from([None, frozenset({9}), frozenset({1})]),
        "show_place": st.booleans(),
        "show_phone": st.booleans(),
        "show_context": st.booleans(),
        "usager_fields": st.frozensets(st.sampled_from(UsagerField)),
    },
)
ABOUT_IT = {
    Scope.EVERYBODY: "",
    Scope.ORGANISATION: 3,
    Scope.SERVICE: 5,
    Scope.MOTIF: 9,
    Scope.AGENT: 12,
    Scope.CALENDAR: CALENDAR,
}
sections = st.builds(
    lambda scope, about_it, copies: RuleSection(scope, ABOUT_IT[scope] if about_it else 1, "", copies=copies),
    st.sampled_from(Scope),
    st.booleans(),
    choices,
)
books = st.lists(sections, max_size=6, unique_by=lambda each: (each.scope, each.selector)).map(tuple)


def folded(book: Iterable[RuleSection]) -> dict[str, Any]:
    """What the sections about this RDV come to, worked out another way than the book does."""
    chosen: dict[str, Any] = {}
    for scope in Scope:
        for section in book:
            if section.scope is scope and section.selector == ABOUT_IT[scope]:
                chosen |= section.copies
                if scope is Scope.MOTIF and section.copies.get("label") is LabelLevel.MOTIF:
                    chosen["its own"] = True
    return chosen


def is_named(chosen: dict[str, Any]) -> bool:
    motifs = chosen.get("motifs", frozenset())
    return chosen.get("label") is LabelLevel.MOTIF and (motifs is None or 9 in motifs or "its own" in chosen)


def all_text(value: object) -> str:
    """Every field of a record, those hidden from its `repr` too."""
    if is_dataclass(value):
        return " ".join(all_text(getattr(value, each.name)) for each in fields(value))
    if isinstance(value, tuple):
        return " ".join(map(all_text, value))
    return str(value)


def read(given: dict[str, Any], book: RuleBook) -> Rdv:
    return parsing.rdv(given, organisation_id=3, chosen=book.selection, base_url="https://rdv.example")


def file_of(draft: EventDraft) -> str:
    """What goes into the calendar: of a new copy, and of an update of a bare one."""
    new = render_draft(draft, now=NOW)
    updated = patch_draft(new, draft, now=NOW, notes=True, system="test")
    return (new + updated).decode().replace("\r\n ", "").replace("\\", "")


@given(records, books)
def test_only_what_some_rule_names_passes_the_door(given_record: dict[str, Any], book: tuple[RuleSection, ...]) -> None:
    rdv = read(given_record, RuleBook(book))
    text = all_text(load_rdv(dump_rdv(rdv)))
    named = {each for section in book for each in section.copies.get("usager_fields", ())}
    assert [word for word in NEVER if word in text] == []
    assert {field for word, field in CHOSEN_BY.items() if word in text} <= named
    assert (CONTEXT in text) is any(section.copies.get("show_context") for section in book)
    assert not [word for word in (*CHOSEN_BY, *NEVER, CONTEXT, LINK) if word in repr(rdv)]


ALL = {"label": LabelLevel.MOTIF, "motifs": None, "show_context": True, "usager_fields": frozenset(UsagerField)}
FOR_ANOTHER_MOTIF = (
    RuleSection(Scope.EVERYBODY, "", "", copies={"label": LabelLevel.MOTIF, "motifs": None}),
    RuleSection(Scope.MOTIF, 1, "", copies=ALL),
)


@given(records, books)
@example(record("home", collectif=False, status="unknown"), FOR_ANOTHER_MOTIF)
@example(record("home", collectif=False, status="unknown"), (RuleSection(Scope.EVERYBODY, "", "", copies=ALL),))
def test_only_what_is_chosen_for_this_rdv_is_in_its_copy(
    given_record: dict[str, Any], book: tuple[RuleSection, ...]
) -> None:
    rulebook = RuleBook(book)
    rdv = read(given_record, rulebook)
    draft = rdv_draft(rdv, 12, PARIS, rulebook.for_rdv(SUBJECT, CALENDAR, rdv), IDENTITY)
    text = file_of(draft)
    chosen = folded(book)
    named = is_named(chosen)
    may_be_shown = chosen.get("usager_fields", frozenset()) if named else frozenset()
    assert [word for word in NEVER if word in text] == []
    assert [word for word, field in CHOSEN_BY.items() if word in text and field not in may_be_shown] == []
    assert (CONTEXT in text) is (named and chosen.get("show_context", False))
    assert (LINK in text) is (named and chosen.get("show_place", False))
    assert ("Motif-zamia" in text) is named
    assert draft.reminder is None


def test_canaries_do_sing() -> None:
    """With everything chosen each of them is found: the tests above look at the right place."""
    book = RuleBook((RuleSection(Scope.EVERYBODY, "", "", copies=ALL),))
    rdv = read(record("home", collectif=False, status="unknown"), book)
    text = file_of(rdv_draft(rdv, 12, PARIS, book.for_rdv(SUBJECT, CALENDAR, rdv), IDENTITY))
    assert [word for word in (*CHOSEN_BY, CONTEXT) if word not in text] == []
