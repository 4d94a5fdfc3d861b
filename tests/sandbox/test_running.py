"""Starting, stopping, restarting; the seeds; speed with many records."""

from __future__ import annotations

import threading
import time
from datetime import UTC, date, datetime
from pathlib import Path

import httpx2
import pytest

from gateway.sandbox import schema
from gateway.sandbox.seed import ACCOUNT, PASSWORD, sample_names, seed_departement, seed_many
from gateway.sandbox.server import Sandbox
from tests.sandbox.support import Clock, World, pages, seed

TODAY = date(2026, 3, 4)


def test_it_starts_in_less_than_a_second_and_leaves_nothing_running(tmp_path: Path) -> None:
    before = threading.active_count()
    begin = time.monotonic()
    sandbox = Sandbox(state=tmp_path / "s.sqlite3", seed=lambda state: seed_departement(state, TODAY))
    sandbox.start()
    assert time.monotonic() - begin < 1
    assert httpx2.get(sandbox.url, trust_env=False).status_code == 200
    sandbox.stop()
    assert threading.active_count() == before
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(sandbox.url, trust_env=False)


def test_it_can_be_made_and_stopped_without_having_started() -> None:
    Sandbox().stop()


def test_its_state_survives_a_restart(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.sqlite3"
    with Sandbox(state=file, seed=seed, clock=Clock()) as sandbox:
        world = World(sandbox, Clock())
        world.rdv()
        world.absence()
        tokens = sandbox.state.accounts.grant(1)
        before = sandbox.state.contents()
        port = int(sandbox.url.rpartition(":")[2])
    with Sandbox(state=file, seed=seed, clock=Clock(), port=port) as sandbox:
        assert sandbox.state.contents() == before
        bearer = {"Authorization": f"Bearer {tokens.access_token}"}
        assert httpx2.get(f"{sandbox.url}/api/v1/agents/me", headers=bearer, trust_env=False).status_code == 200


def test_a_port_that_is_taken_is_said_at_once() -> None:
    with Sandbox() as sandbox, pytest.raises(OSError, match="in use"):
        Sandbox(port=int(sandbox.url.rpartition(":")[2]))


def test_a_file_of_another_version_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "sandbox.sqlite3"
    Sandbox(state=file).stop()
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    with pytest.raises(ValueError, match="another version"):
        Sandbox(state=file)


def test_the_seeded_departement_is_believable() -> None:
    def clock() -> datetime:
        return datetime(2026, 3, 4, 8, tzinfo=UTC)

    with Sandbox(seed=lambda state: seed_departement(state, TODAY), clock=clock) as sandbox:
        client = httpx2.Client(base_url=sandbox.url, trust_env=False)
        signed = client.post("/api/v1/auth/sign_in", json={"email": ACCOUNT, "password": PASSWORD})
        client.headers |= {name: signed.headers[name] for name in ("access-token", "client", "uid")}
        organisations = client.get("/api/v1/organisations").json()["organisations"]
        assert [one["name"] for one in organisations] == ["MDS Paris Nord", "MDS Paris Sud", "MDS Saint-Denis"]
        agents = client.get("/api/v1/agents").json()["agents"]
        assert len(agents) == 7
        assert [one["first_name"] for one in agents if one["email"] is None] == ["Paul"]
        rdvs = {
            rdv["id"]: rdv
            for organisation in organisations
            for rdv in client.get(f"/api/v1/organisations/{organisation['id']}/rdvs").json()["rdvs"]
        }.values()
        assert {rdv["status"] for rdv in rdvs} == {"unknown", "seen", "noshow", "excused"}
        locations = {rdv["motif"]["location_type"] for rdv in rdvs}
        assert locations == {"public_office", "phone", "home", "visio"}
        assert any(rdv["collectif"] for rdv in rdvs)
        assert any(len(rdv["agents"]) > 1 and len(rdv["users"]) > 1 for rdv in rdvs)
        assert {rdv["time_zone"] for rdv in rdvs} == {"Europe/Paris", "Indian/Reunion"}
        absences = client.get("/api/v1/absences").json()["absences"]
        assert sum(absence["rrule"] is not None for absence in absences) == 2
        hook = {"target_url": "http://127.0.0.1:9/", "secret": "s", "subscriptions": ["lieu"]}
        for organisation in organisations:
            path = f"/api/v1/organisations/{organisation['id']}/webhook_endpoints"
            assert client.post(path, json=hook).status_code == 200
        client.close()


def test_sample_names_are_the_same_each_time() -> None:
    assert sample_names(30) == sample_names(30)
    assert len(set(sample_names(30))) == 30


def test_ten_thousand_absences_are_made_and_listed_fast() -> None:
    def many(state) -> None:
        seed_many(state, agents=200, absences_per_agent=50, rdvs_per_agent=5, today=TODAY)

    begin = time.monotonic()
    with Sandbox(seed=many, clock=Clock()) as sandbox:
        made = time.monotonic() - begin
        client = httpx2.Client(base_url=sandbox.url, trust_env=False)
        token = sandbox.state.accounts.grant(sandbox.state.agent_id(ACCOUNT)).access_token
        client.headers["Authorization"] = f"Bearer {token}"
        begin = time.monotonic()
        absences = pages(client, "/api/v1/absences", "absences")
        absences += pages(client, "/api/v1/absences", "absences")
        listed = time.monotonic() - begin
        assert len({absence["id"] for absence in absences}) == 10_000
        assert len(client.get("/api/v1/organisations/1/rdvs").json()["rdvs"]) == 100
        client.close()
    assert made < 8, made
    assert listed / 200 < 0.1, listed  # seconds per page
