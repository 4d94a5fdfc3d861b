"""`holds`, `reject`, `pins`, and what `status` says of them."""

from __future__ import annotations

import pytest

from tests.cli.conftest import MARTINE


@pytest.fixture
def waiting(deployment):
    """Martine's first plan waits."""
    cli = deployment.enrolled()
    cli("plan")
    return cli


def test_what_waits_is_listed_by_state_with_how_it_ends(waiting):
    listed = waiting("holds", "--json")
    assert listed.code == 1
    (state,) = listed.json["states"]
    assert (state["state"], state["agents"]) == ("first_run", 1)
    assert state["count"] == len(listed.json["held"]) > 0
    assert "approve" in state["ends"]
    shown = waiting("holds", str(MARTINE))
    assert "nothing is written before somebody approved its plan" in " ".join(shown.out.split())


def test_what_is_rejected_waits_no_longer_and_is_pinned_until_that_is_removed(waiting):
    looked = waiting("reject", str(MARTINE), "--json")
    assert (looked.code, looked.json["rejected"]) == (1, 0)
    count = len(looked.json["held"])
    rejected = waiting("reject", str(MARTINE), "--yes", "--json")
    assert (rejected.code, rejected.json["rejected"]) == (0, count)
    assert waiting("holds", "--json").json["states"] == []
    planned = waiting("plan", "--json").json
    assert [each["action"] for each in planned["held"]] == []
    pinned = waiting("pins", "--json").json["pins"]
    assert {each["after"] for each in pinned} == {"reject"}
    assert waiting("status", "--json").json["pinned"] == len(pinned) > 0
    assert waiting("pins", str(MARTINE), "--remove", "--json").json["removed"] == len(pinned)
    assert waiting("pins", "--json").json["pins"] == []
    again = waiting("plan", "--json").json["held"]
    assert len(again) == len(pinned)


@pytest.mark.parametrize(
    "arguments", [("reject",), ("reject", "--all", str(MARTINE)), ("pins", "--remove"), ("pins", "--approve")]
)
def test_nothing_is_refused_or_freed_by_forgetting_to_name_agents(waiting, arguments):
    assert waiting(*arguments).code == 2


def test_nothing_waits_after_a_first_run_is_done(deployment):
    cli = deployment.live()
    assert cli("holds", "--json").json["states"] == []
    assert cli("reject", "--all", "--yes", "--json").json == {"rejected": 0, "held": []}
