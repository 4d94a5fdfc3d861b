"""What a département sees of the service."""

from __future__ import annotations

import random
import signal
import time

import httpx2

from gateway.store.database import downgrade
from tests.scenarios.departement import Departement
from tests.scenarios.hanging_server import SilentServer
from tests.scenarios.person import Person, Shown, hours
from tests.serve.conftest import goes_live
from tests.serve.running import Service, eventually


def test_both_directions_by_polling(departement: Departement, agent: Person):
    """An RDV made in RDV-Solidarités appears in the calendar; an event typed there blocks; nobody calls a command."""
    with Service(departement) as service:
        rdv, event = departement.at(2, 9), departement.at(2, 14)
        departement.rdv(rdv, agent)
        agent.types_event("Dentiste", *hours(event))
        eventually(lambda: agent.shown() == [Shown("RDV", *hours(rdv, 0.5))], what="the copy")
        eventually(lambda: agent.blocks() == [hours(event)], what="the block")
        code, status = service.command("status")
        assert (code, status["service"]["agents"], status["service"]["backed_off"]) == (0, 1, 0)
        code, took = service.ends()
        assert (code, took < 10) == (0, True), took
        code, status = service.command("status")
        assert status["service"] is None
    assert "Dentiste" not in service.log.read_text()


def test_runs_that_find_nothing_leave_no_row(departement: Departement, agent: Person):
    """A service polls day and night: after many looks there are the rows of what was done, and a last complete sync
    of a moment ago."""
    before = len(departement.store.runs(100))
    with Service(departement):
        departement.forget_requests()
        eventually(lambda: sum(departement.calendar_requests().values()) >= 4, what="four looks")
    assert len(departement.store.runs(100)) == before
    (status,) = departement.store.agent_status()
    assert status.last_complete_at is not None
    assert (departement.clock.now() - status.last_complete_at).total_seconds() < 10


def test_an_end_at_any_moment_leaves_one_of_everything(departement: Departement, agent: Person):
    """SIGTERM while both directions are being written: exit 0 within ten seconds each time, and in the end each RDV
    has its copy and each event its block, once."""
    chance = random.Random(7)
    rdvs = [departement.at(day, 9) for day in range(2, 5)]
    events = [departement.at(day, 14) for day in range(2, 5)]
    service = Service(departement)
    for rdv, event in zip(rdvs, events, strict=True):
        departement.rdv(rdv, agent)
        agent.types_event("Visite", *hours(event))
        service.start()
        time.sleep(chance.uniform(0.0, 0.5))
        code, took = service.ends()
        assert (code, took < 10) == (0, True), (code, took, service.log.read_text())
    with service:
        eventually(lambda: agent.blocks() == [hours(event) for event in events], what="the blocks")
        eventually(lambda: len(agent.shown()) == len(rdvs), what="the copies")
    assert sorted(shown.start for shown in agent.shown()) == rdvs
    assert len(agent.absences()) == len(events)
    assert departement.store.open_intents() == ()


def test_a_changed_configuration_is_taken_over_and_a_wrong_one_told(departement: Departement, agent: Person):
    """Another bind answers without a restart; a file that cannot be used leaves everything as it was."""
    with Service(departement) as service:
        first = service.ports[1]
        assert httpx2.get(f"http://127.0.0.1:{first}/nothing").status_code == 404
        service.configure(schedule={"usual_seconds": -1})
        service.gets(signal.SIGHUP)
        eventually(lambda: "usual_seconds" in service.log.read_text(), what="the refusal of the key")
        taken = departement.sandbox.url.removeprefix("http://")
        service.configure(web={"internal_bind": taken})
        service.gets(signal.SIGHUP)
        eventually(lambda: "Address already in use" in service.log.read_text(), what="the refusal of the bind")
        (reason,) = service.command("status")[1]["service"]["configuration"]["refused"]
        assert "Address already in use" in reason
        assert httpx2.get(f"http://127.0.0.1:{first}/nothing").status_code == 404
        service.ports = service.ports[0], first + 1 if first + 1 != service.ports[0] else first + 2
        service.configure()
        service.gets(signal.SIGHUP)
        eventually(lambda: answers(service.ports[1]), what="the new bind")
        assert not answers(first)
        departement.rdv(departement.at(3, 9), agent)
        eventually(lambda: len(agent.shown()) == 1, what="a copy under the new configuration")


def answers(port: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{port}/nothing").status_code == 404
    except httpx2.TransportError:
        return False


def test_an_unmigrated_database_is_refused(departement: Departement, agent: Person):
    """Exit code 2, and what to run."""
    service = Service(departement)
    downgrade(departement.directory / departement.database.place, "0008")
    code, said = service.command("serve")
    assert (code, said["error"]["remedy"]) == (2, "Run `rdv-gateway db upgrade`.")


def test_a_command_syncs_while_the_service_runs(departement: Departement, agent: Person):
    """The service lets it, and goes on afterwards; two services do not run on one database."""
    with Service(departement) as service:
        code, report = service.command("sync")
        assert code == 0, report
        departement.rdv(departement.at(2, 9), agent)
        eventually(lambda: len(agent.shown()) == 1, what="the service goes on")
        code, said = service.command("serve")
        assert code == 4, said


def test_a_server_that_hangs_delays_nobody_else(departement: Departement):
    """While an agent's server accepts connections and says nothing, another's RDV arrives as soon as ever; and the
    end takes less than ten seconds even so."""
    hanging, other = departement.agent(), departement.agent()
    goes_live(departement)
    with SilentServer(60) as silent:
        departement.addresses[hanging.login] = silent.url
        departement.read_timeout = 30
        with Service(departement) as service:
            time.sleep(1)
            began = time.monotonic()
            departement.rdv(departement.at(2, 9), other)
            eventually(lambda: len(other.shown()) == 1, seconds=10, what="the other's copy")
            assert time.monotonic() - began < 10
            code, took = service.ends()
    assert (code, took < 10) == (0, True), took
