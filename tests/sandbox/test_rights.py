"""Who sees what, and rights that are withdrawn."""

from __future__ import annotations

import pytest

from tests.sandbox.support import World

ALL = {1, 2, 3, 4, 5, 6}


def seen(world: World, name: str) -> set[int]:
    """Agents whose absences that person sees, each of the seven having one; the list of agents must agree.

    (Whoever has no role left is in no list of agents, but sees their own absences.)
    """
    client = world.client(name)
    absences = {one["agent"]["id"] for one in client.get("/api/v1/absences").json()["absences"]}
    agents = {one["id"] for one in client.get("/api/v1/agents").json()["agents"]}
    assert agents == absences - {7}
    return absences


@pytest.fixture(autouse=True)
def _one_absence_each(world: World) -> None:
    for agent in range(1, 8):
        world.absence(agent)


@pytest.mark.parametrize(
    ("name", "agents"),
    [
        ("admin", ALL),
        ("pmi", {2, 5}),
        ("social", {1, 3}),
        ("secretary", {1, 2, 3, 4, 5}),
        ("reunion", {6}),
        ("alone", {7}),
    ],
)
def test_agents_are_visible_by_role_and_service(world: World, name: str, agents: set[int]) -> None:
    assert seen(world, name) == agents


def test_a_territorial_admin_sees_the_territory_but_no_rdv_without_role(world: World) -> None:
    world.rdv()
    world.state.directory.make_territorial_admin(7, 1)
    assert seen(world, "alone") == {1, 2, 3, 4, 5, 7}
    assert world.client("alone").get("/api/v1/organisations/1/rdvs").json()["rdvs"] == []


def test_basic_agents_see_rdvs_of_their_services_and_their_own(world: World) -> None:
    ours = world.rdv([2])
    colleague = world.rdv([5])
    invited = world.rdv([3, 2], motif_id=2, lieu_id=None)
    world.rdv([3], motif_id=2, lieu_id=None)
    found = {one["id"] for one in world.client("pmi").get("/api/v1/organisations/1/rdvs").json()["rdvs"]}
    assert found == {ours, colleague, invited}


def test_an_intervenant_sees_own_rdvs_only(world: World) -> None:
    world.state.directory.set_role(2, 1, "intervenant")
    own = world.rdv([2])
    world.rdv([5])
    found = [one["id"] for one in world.client("pmi").get("/api/v1/organisations/1/rdvs").json()["rdvs"]]
    assert found == [own]


def test_withdrawing_everything_empties_lists_without_an_error(world: World) -> None:
    world.rdv()
    world.state.rights.withhold(1)
    client = world.client()
    assert seen(world, "admin") - {1} == set()
    assert client.get("/api/v1/organisations").json()["organisations"] == []
    assert client.get("/api/v1/organisations/1/rdvs").json()["rdvs"] == []
    assert client.get("/api/v1/absences/2").status_code == 403
    assert client.delete("/api/v1/absences/2").status_code == 403
    world.state.rights.restore(1)
    assert seen(world, "admin") == ALL
    assert len(client.get("/api/v1/organisations/1/rdvs").json()["rdvs"]) == 1


def test_withdrawing_one_service_hides_its_agents_and_rdvs_only(world: World) -> None:
    world.rdv([2])
    kept = world.rdv([3], motif_id=2, lieu_id=None)
    world.state.rights.withhold(1, "service", 1)
    assert seen(world, "admin") == {1, 3, 4}
    found = [one["id"] for one in world.client().get("/api/v1/organisations/1/rdvs").json()["rdvs"]]
    assert found == [kept]


def test_withdrawing_one_agent_hides_that_agent_only(world: World) -> None:
    world.rdv([2])
    shared = world.rdv([2, 5])
    world.state.rights.withhold(1, "agent", 2)
    assert seen(world, "admin") == ALL - {2}
    found = {one["id"] for one in world.client().get("/api/v1/organisations/1/rdvs").json()["rdvs"]}
    assert found == {shared}


def test_withdrawing_one_organisation_leaves_the_others(world: World) -> None:
    world.state.rights.withhold(1, "organisation", 1)
    assert seen(world, "admin") == {1, 3, 6}
    names = [one["name"] for one in world.client().get("/api/v1/organisations").json()["organisations"]]
    assert names == ["Sud", "Saint-Denis"]


def test_a_word_that_is_no_right_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="none of"):
        world.state.rights.withhold(1, "weather")
