"""What RDV Service Public itself put into a calendar, and what only looks so."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.records import CalendarEvent, EventComponent
from mappings.native import NativeSource, is_named_for, native_source
from mappings.texts import MANAGED_ELSEWHERE
from tests.mappings.samples import IDENTITY

NO_TIME = datetime(2026, 3, 2)
UUID = "5a0b6a0e-93f1-4d6c-8a1b-0c2f3d4e5f60"
LINK = "https://www.rdv.example/admin/organisations/3/rdvs/812"
EXCHANGE_UID = "040000008200E00074C5B7101A82E008"
OUTLOOK = "-//Microsoft Corporation//Outlook 16.0 MIMEDIR//EN"


def made_by(
    uid: str, product: str = "", *, url: str = "", notes: str = "", marker: str | None = None
) -> NativeSource | None:
    component = EventComponent(NO_TIME, NO_TIME, url=url, description=notes)
    return native_source(CalendarEvent(uid, (component,), marker=marker, product_id=product), "www.rdv.example")


@pytest.mark.parametrize("product", ["RDV Solidarités", "-//RDV Solidarite\u0301s//FR", "-//rdv service public//FR"])
def test_the_products_own_files_are_known_by_their_prodid(product: str) -> None:
    assert made_by("x", product) is NativeSource.SYNC


@pytest.mark.parametrize(
    ("uid", "source"),
    [
        ("absence_412@RDV Solidarités", NativeSource.ABSENCE),
        (" ABSENCE_412@rdv solidarités", NativeSource.ABSENCE),
        ("plage_ouverture_7@RDV Solidarités", NativeSource.OPENING),
        ("absence_412@elsewhere.example", None),
        ("absence_412@RDV Solidarités.example", None),
    ],
)
def test_what_it_mails_beside_rdvs_is_known_by_the_form_of_its_uid(uid: str, source: NativeSource | None) -> None:
    """Whatever program stored it."""
    assert made_by(uid, "-//Mozilla.org//FR") is source


@pytest.mark.parametrize(
    ("event", "source"),
    [
        ({"uid": UUID}, None),
        ({"uid": UUID, "notes": LINK}, NativeSource.INVITATION),
        ({"uid": UUID.upper(), "url": LINK}, NativeSource.INVITATION),
        ({"uid": UUID, "product": OUTLOOK, "notes": f"Voir {LINK}."}, NativeSource.OUTLOOK),
        ({"uid": UUID, "notes": "https://rdv.example/rdvs/812"}, NativeSource.INVITATION),
        ({"uid": UUID, "notes": "https://www.rdv.example.net/rdvs/812"}, None),
        ({"uid": UUID, "notes": "https://www.rdv.example/aide/rdvs"}, None),
        ({"uid": EXCHANGE_UID, "product": OUTLOOK, "notes": LINK}, NativeSource.LINKED),
        (
            {"uid": EXCHANGE_UID, "product": OUTLOOK, "notes": f"https://safe.example/?url={quote(LINK, safe='')}&x=1"},
            NativeSource.LINKED,
        ),
        ({"uid": "préparation@agenda.example", "product": "-//Mozilla.org//FR", "notes": LINK}, None),
        ({"uid": EXCHANGE_UID, "product": OUTLOOK}, None),
    ],
)
def test_a_link_to_an_rdv_proves_something_with_a_uuid_and_is_a_hint_in_outlook(
    event: dict[str, str], source: NativeSource | None
) -> None:
    """People paste such links into their own events, and a UUID is anybody's UID."""
    assert made_by(**event) is source


def test_our_own_events_and_copies_that_the_agent_made_of_them_are_not_native() -> None:
    """They bear the same link."""
    ours = f"Voir le RDV : {LINK}\n{MANAGED_ELSEWHERE}"
    assert made_by(IDENTITY.copy_uid(7, 12), "RDV Solidarités", url=LINK) is None
    assert made_by(EXCHANGE_UID, OUTLOOK, url=LINK, marker=IDENTITY.copy_marker(7, 12)) is None
    assert made_by(EXCHANGE_UID, OUTLOOK, url=LINK, notes=ours) is None


def test_without_the_instances_name_no_link_counts() -> None:
    component = EventComponent(NO_TIME, NO_TIME, url=LINK)
    assert native_source(CalendarEvent(UUID, (component,)), "") is None


@pytest.mark.parametrize(
    ("uid", "href", "named"),
    [
        (UUID, "/a/x.ics", True),
        (f" {UUID.upper()} ", "/a/x.ics", True),
        ("x", f"/a/{UUID.upper()}.ics", True),
        ("x", f"/a/{UUID}/x.ics", False),
        (f"{UUID}-copy", "/a/x.ics", False),
        ("", "/a/.ics", False),
    ],
)
def test_copies_are_called_by_the_rdvs_uuid(uid: str, href: str, *, named: bool) -> None:
    """As UID, or as file name where a server gave another UID."""
    assert is_named_for(uid, href, {UUID, ""}) is named


@given(st.text(), st.text(), st.text())
def test_whatever_an_event_says_it_is_native_or_not(uid: str, product: str, notes: str) -> None:
    assert made_by(uid, product, notes=notes) in (None, *NativeSource)
