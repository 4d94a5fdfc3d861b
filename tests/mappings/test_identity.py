"""What is ours, what is a copy that the agent made, what is nobody's."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.identity import (
    ABSENCE_TAG,
    NAMESPACE,
    Identity,
    Kinship,
    Recognised,
    absence_title,
    is_tagged,
    label_of,
    recognise,
)
from tests.mappings.samples import IDENTITY

COPY, COPY_MARKER = IDENTITY.copy_uid(7, 12), IDENTITY.copy_marker(7, 12)
MIRROR, MIRROR_MARKER = IDENTITY.mirror_uid(7, 12), IDENTITY.mirror_marker(7, 12)
CANDIDATES = {COPY: (Kinship.COPY, 7, COPY_MARKER), MIRROR: (Kinship.MIRROR, 7, MIRROR_MARKER)}


def test_uid_is_a_safe_file_name() -> None:
    assert re.fullmatch(r"rdvgw-[0-9a-f]{32}", COPY)


def test_uid_stays_the_same_for_good() -> None:
    """A change here orphans every event ever written."""
    assert COPY == "rdvgw-2779b9d7cf72ae429de9eefa0d867c7f"
    assert COPY_MARKER == "cd10c775cb629189cfc0da418ec8c1469f5fe5804d0684abfb3fe193c72a21dc"


@given(st.lists(st.tuples(st.sampled_from("rm"), st.integers(1, 99), st.integers(1, 99)), unique=True, max_size=20))
def test_each_object_and_agent_has_its_own_uid_and_marker(origins: list[tuple[str, int, int]]) -> None:
    made = [
        (IDENTITY.copy_uid(i, agent), IDENTITY.copy_marker(i, agent))
        if kind == "r"
        else (IDENTITY.mirror_uid(i, agent), IDENTITY.mirror_marker(i, agent))
        for kind, i, agent in origins
    ]
    assert len({uid for uid, _ in made}) == len({marker for _, marker in made}) == len(origins)


@pytest.mark.parametrize("other", [replace(IDENTITY, key=b"x" * 32), replace(IDENTITY, instance="other.example")])
def test_another_key_or_instance_makes_other_uids_and_markers(other: Identity) -> None:
    assert other.copy_uid(7, 12) != COPY
    assert other.copy_marker(7, 12) != COPY_MARKER


def test_key_is_not_shown() -> None:
    assert "kkk" not in repr(IDENTITY)


@pytest.mark.parametrize(
    ("uid", "marker", "expected"),
    [
        pytest.param(COPY, COPY_MARKER, Recognised(Kinship.COPY, 7), id="copy of an RDV"),
        pytest.param(MIRROR, MIRROR_MARKER, Recognised(Kinship.MIRROR, 7), id="mirror of an absence"),
        pytest.param(COPY, None, Recognised(Kinship.COPY, 7), id="a server dropped the marker"),
        pytest.param(COPY, "", Recognised(Kinship.COPY, 7), id="a server emptied the marker"),
        pytest.param(COPY, f" {COPY_MARKER} ", Recognised(Kinship.COPY, 7), id="a server padded the marker"),
        pytest.param(COPY, MIRROR_MARKER, Recognised(Kinship.THEIRS), id="marker of another event of ours"),
        pytest.param(COPY, "é", Recognised(Kinship.THEIRS), id="marker that is none"),
        pytest.param("b7c", COPY_MARKER, Recognised(Kinship.THEIRS), id="duplicated by the agent: new UID, our marker"),
        pytest.param("b7c", None, Recognised(Kinship.THEIRS), id="an event of the agent"),
        pytest.param("", None, Recognised(Kinship.THEIRS), id="no UID"),
        pytest.param(NAMESPACE + "0" * 32, None, Recognised(Kinship.ORPHAN), id="our namespace, unknown"),
        pytest.param(NAMESPACE + "0" * 32, COPY_MARKER, Recognised(Kinship.ORPHAN), id="unknown, with a marker"),
    ],
)
def test_recognise(uid: str, marker: str | None, expected: Recognised) -> None:
    assert recognise(uid, marker, CANDIDATES) == expected


@pytest.mark.parametrize("title", [ABSENCE_TAG, f"  {ABSENCE_TAG}\n", "Occupe\u0301 · agenda", "Occupé\u00a0· agenda"])
def test_tag_is_known_in_other_spacing_and_unicode_forms(title: str) -> None:
    assert is_tagged(title)


@pytest.mark.parametrize("label", ["", "Formation", "  En   formation ", "Conge\u0301s", "agenda"])
def test_a_labelled_title_is_the_tag_and_tells_its_label(label: str) -> None:
    title = absence_title(label)
    assert is_tagged(title)
    assert title.endswith(" · agenda")
    assert label_of(title) == unicodedata.normalize("NFC", " ".join(label.split()))


def test_a_title_without_label_is_the_constant_tag() -> None:
    assert absence_title("") == ABSENCE_TAG


@pytest.mark.parametrize("title", ["", "Occupé", " · agenda", ABSENCE_TAG + " 2", "Occupé - agenda", "agenda"])
def test_other_titles_are_not_the_tag(title: str) -> None:
    assert not is_tagged(title)
