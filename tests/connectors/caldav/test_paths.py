"""Identity of what a server holds."""

from __future__ import annotations

from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.caldav.paths import decoded, encoded, same_collection


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("/a/%C3%A9%20b@x.ics", "/a/%c3%a9%20b%40x.ics"),
        ("https://cal.example.org/a/b.ics", "/a/b.ics"),
        ("/a/b.ics?x=1", "/a/b.ics"),
        (" /a/b.ics\n", "/a/b.ics"),
        ("/a/%e9.ics", "/a/%E9.ics"),  # bytes that are no UTF-8
    ],
)
def test_spellings_of_one_path_are_one_identity(one: str, other: str) -> None:
    assert decoded(one) == decoded(other)


@pytest.mark.parametrize(("one", "other"), [("/a/b%2Fc.ics", "/a/b/c.ics"), ("/a/%252F.ics", "/a/%2F.ics")])
def test_a_slash_inside_a_name_is_not_one_between_names(one: str, other: str) -> None:
    assert decoded(one) != decoded(other)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="?#"), min_size=1))
def test_an_identity_survives_the_wire(href: str) -> None:
    """Whatever a server lists, we ask for the very same thing."""
    path = decoded(f"/{href}")
    assert encoded(path).isascii()
    assert decoded(encoded(path)) == path


@given(st.binary(min_size=1))
def test_any_name_that_a_server_may_hold_is_sent_as_it_is(name: bytes) -> None:
    assert unquote_to_bytes(encoded(decoded(f"/cal/{quote(name, safe='')}"))) == b"/cal/" + name


def test_a_collection_is_one_with_or_without_its_last_slash() -> None:
    assert same_collection("/a/b", "/a/b/")
    assert not same_collection("/a/b", "/a/bc")
