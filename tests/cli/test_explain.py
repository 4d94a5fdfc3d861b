"""`explain` as typed."""

from datetime import datetime, timedelta

import pytest

from gateway.composition import opened_store
from gateway.demo.agendas import PARIS
from gateway.settings import load
from tests.cli.conftest import MARTINE


@pytest.fixture
def live(deployment):
    return deployment.live()


def view_of(cli):
    with opened_store(load(cli.config)) as store:
        return store.agent_view(MARTINE)


def test_a_blocked_time_is_explained_for_people_and_for_scripts(live):
    block = next(
        each
        for each in view_of(live).blocks
        if each.start > datetime.now(PARIS).replace(tzinfo=None) and each.provenance
    )
    at = block.start.isoformat(timespec="minutes")
    answer = live("explain", str(MARTINE), "--at", at, "--json")
    assert answer.code == 0
    assert answer.json["blocked"]
    (found,) = [each for each in answer.json["blocking"] if each["absence"] == block.absence_id]
    assert {each["href"] for each in found["stands_for"]} == {each.href for each in block.provenance}
    assert found["written"]["rule"]
    shown = live("explain", str(MARTINE), "--at", at)
    assert f"blocked by absence {block.absence_id}" in shown.out
    assert "last complete sync" in shown.err


def test_a_time_of_which_nothing_is_known(live):
    far = (datetime.now(PARIS).replace(tzinfo=None) + timedelta(days=20)).replace(hour=3, minute=33)
    shown = live("explain", str(MARTINE), "--at", far.isoformat(timespec="minutes")).out
    assert "not blocked" in shown


def test_each_thing_has_its_story(live):
    view = view_of(live)
    copy, block = view.copies[0], view.blocks[0]
    href = min(each.href for each in block.provenance)
    for option, value, expected in (
        ("--rdv", str(copy.rdv_id), copy.href),
        ("--absence", str(block.absence_id), href),
        ("--event", href, "it was read in"),
    ):
        shown = live("explain", option, value)
        assert (shown.code, expected in shown.out) == (0, True), shown.out
        document = live("explain", option, value, "--json").json
        assert (document["known"], document["now"][0]["agent"]) == (True, MARTINE)
        assert all(each["what"] for each in document["moments"])


def test_what_nobody_knows_is_said(live):
    assert "Nothing is known of rdv 999999" in live("explain", "--rdv", "999999").out
    assert live("explain", "--absence", "999999", "--json").json["known"] is False


def test_one_question_at_a_time_and_a_time_is_somebodys(live):
    for arguments in (
        [],
        ["--rdv", "1", "--absence", "2"],
        ["--at", "2026-03-02T09:00"],
        [str(MARTINE), "--at", "soon"],
    ):
        assert live("explain", *arguments).code == 2
    assert live("explain", "999", "--at", "2026-03-02T09:00").code == 2


def test_no_title_is_shown(live, deployment):
    view = view_of(live)
    titles = {seen.absence.title for seen in view.absences if seen.absence.title}
    shown = [live("explain", str(MARTINE), "--at", f"{block.start.date()}").out for block in view.blocks[:5]]
    shown += [live("explain", "--rdv", str(copy.rdv_id)).out for copy in view.copies]
    assert titles
    assert not [title for title in titles for text in shown if title in text]
