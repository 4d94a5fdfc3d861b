"""What `/metrics`, `/healthz` and `/readyz` answer."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.testclient import TestClient

from connectors.exchanges import Exchange
from gateway.keys import Keyring
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.steps import Failure, Step, StepName
from gateway.sync.values import AgentReport, AgentState, CalendarRef, RunReport
from gateway.watching.health import Health
from gateway.watching.metrics import Metrics
from gateway.watching.routes import watching_routes
from gateway.watching.standing import Around, DelayCounts, Standing
from tests.servers.authority import Authority
from tests.store.samples import NOW, agent, operation
from tests.watching.samples import held, watched

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Service:
    """The routes over a store, with a state that the test turns."""

    def __init__(self, store: Store, **around: object) -> None:
        self.metrics = Metrics(("agenda", "outlook"))
        self.now = NOW
        self.tick: datetime | None = NOW
        self.stops = False
        told = Around(now=lambda: self.now, last_tick=lambda: self.tick, **around)  # type: ignore[arg-type]
        self.metrics.registry.register(Standing(store, told, self.metrics.accounts))
        health = Health(store, lambda: self.now, lambda: self.tick, lambda: self.stops)
        self.client = TestClient(Starlette(routes=watching_routes(self.metrics.registry, health)))

    def text(self) -> str:
        answer = self.client.get("/metrics")
        assert answer.status_code == 200
        return answer.text

    def value(self, name: str, **labels: str) -> float:
        found: Samples = {
            (sample.name, tuple(sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.text())
            for sample in family.samples
        }
        return found[f"rdv_gateway_{name}", tuple(sorted(labels.items()))]


def synced(store: Store, agent_id: int, age: timedelta, *, account: str = "agenda") -> None:
    """An agent whose last complete sync is of that age."""
    calendar = CalendarRef(account, f"/{agent_id}/")
    with store.transaction() as tx:
        tx.put_agent(agent(agent_id, sources=(calendar,), target=calendar))
        tx.save_agent_result(AgentReport(agent_id), run_id="r", at=NOW - age, complete=True)


def test_agents_are_counted_by_the_age_of_their_last_complete_sync_and_by_system(store: Store) -> None:
    synced(store, 101, timedelta(seconds=30))
    synced(store, 102, timedelta(minutes=14), account="agenda/a@dept.example")
    synced(store, 103, timedelta(minutes=3), account="outlook/b@dept.example")
    synced(store, 104, timedelta(minutes=3), account="outlook")
    synced(store, 105, timedelta(days=2), account="outlook")
    with store.transaction() as tx:
        tx.put_agent(agent(106, state=AgentState.PAUSED))
    service = Service(store)
    assert service.value("agents_by_age", system="agenda", age="2m") == 1
    assert service.value("agents_by_age", system="agenda", age="15m") == 1
    assert service.value("agents_by_age", system="agenda", age="5m") == 0
    assert service.value("agents_by_age", system="outlook", age="5m") == 2
    assert service.value("agents_by_age", system="outlook", age="older") == 1
    assert service.value("agents_by_age", system="zimbra", age="older") == 1  # of the store's own agent: never
    assert service.value("agents", state="paused") == 1
    assert "dept.example" not in service.text()


def test_holds_are_told_with_the_age_of_the_first(store: Store) -> None:
    with store.transaction() as tx:
        tx.replace_holds(7, [held(1), held(2)], run_id="r", at=NOW - timedelta(hours=5))
    service = Service(store)
    assert service.value("holds", reason="many_removals", op_class="uncover") == 2
    assert service.value("oldest_hold_seconds", reason="many_removals", op_class="uncover") == 5 * 3600


def test_open_writes_and_a_stop_are_told(store: Store) -> None:
    service = Service(store)
    assert (service.value("open_writes"), service.value("writes_stopped")) == (0, 0)
    with store.transaction() as tx:
        tx.open_intent("r", operation(), highest_absence_id=0, at=NOW - timedelta(minutes=2), before=None)
    assert (service.value("open_writes"), service.value("oldest_open_write_seconds")) == (1, 120)
    assert service.value("database_bytes") > 10_000


def test_steps_requests_operations_and_runs_are_counted(sqlite_store: Store) -> None:
    service = Service(sqlite_store)
    watch = watched(service.metrics, sqlite_store)
    watch.exchanged(Exchange("agenda", "PUT", 201, 0.2, 10))
    watch.exchanged(Exchange("agenda", "PUT", None, 30.0, 0))
    watch.waited("agenda", 0.5)
    watch.stepped(Step(StepName.WRITE, "agenda", 0.3, failure=Failure("agenda", "ITMustAct", "it")))
    watch.applied(operation(), "done")
    watch.ended(RunReport("r", NOW, 3.0, ()))
    assert service.value("requests_total", remote="agenda", status="2xx") == 1
    assert service.value("requests_total", remote="agenda", status="none") == 1
    assert service.value("requests_total", remote="outlook", status="5xx") == 0  # there from the beginning
    assert service.value("errors_total", system="agenda", kind="ITMustAct", addressee="it") == 1
    assert service.value("step_seconds_count", step="write", system="agenda") == 1
    assert service.value("wait_seconds_sum", remote="agenda") == 0.5
    assert service.value("run_seconds_sum") == 3.0
    assert service.value("operations_total", action="create", kind="rdv_copy", outcome="done") == 1


def test_delays_queues_and_the_last_tick_come_from_the_service(sqlite_store: Store) -> None:
    delays = DelayCounts("event_to_block", (1.0, 60.0), (2, 3, 1), 200.0)
    service = Service(sqlite_store, delays=lambda: [delays], queues=lambda: {"due": 4})
    assert service.value("delay_seconds_bucket", promise="event_to_block", le="60.0") == 5
    assert service.value("delay_seconds_count", promise="event_to_block") == 6
    assert service.value("queue_length", queue="due") == 4
    assert service.value("last_tick_timestamp_seconds") == NOW.timestamp()


def test_days_left_of_certificates_are_told_and_a_missing_file_is_no_error(sqlite_store: Store, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    service = Service(
        sqlite_store,
        authorities={"network": authority.ca_file},
        certificates={"agenda": tmp_path / "missing.pem"},
        directory=tmp_path,
    )
    assert service.value("certificate_days_left", certificate="authority network") > 0
    assert "client agenda" not in service.text()
    assert service.value("disk_free_bytes") > 0


def test_a_database_that_cannot_be_read_is_told_and_what_the_process_counts_too(path: Path, keys: Keyring) -> None:
    database = open_database(path, keys)
    service = Service(Store(database))
    assert service.value("database_readable") == 1
    database.close()
    path.write_bytes(b"no database any more" * 1000)
    for beside in ("-wal", "-shm"):
        path.with_name(path.name + beside).unlink(missing_ok=True)
    assert service.value("database_readable") == 0
    assert service.value("requests_total", remote="agenda", status="2xx") == 0
    assert service.client.get("/readyz").status_code == 503
    assert service.client.get("/healthz").status_code == 200


def test_ready_means_a_recent_tick_a_database_that_can_be_written_and_no_stop(store: Store) -> None:
    service = Service(store)
    assert service.client.get("/readyz").json() == {"ready": True, "faults": []}
    service.now = NOW + timedelta(minutes=1)
    assert service.client.get("/readyz").json()["faults"] == ["the service has not looked for work lately"]
    service.tick = None
    assert service.client.get("/readyz").status_code == 503
    service.now = service.tick = NOW
    service.stops = True
    assert service.client.get("/readyz").json()["faults"] == ["the service is stopping"]


def test_asking_whether_the_database_can_be_written_leaves_nothing_written(store: Store) -> None:
    store.require_writable()
    before = store.figures(NOW)
    store.require_writable()
    assert replace(store.figures(NOW), database_bytes=0) == replace(before, database_bytes=0)


@pytest.mark.parametrize("own_accounts", [False, True], ids=["one account", "accounts of their own"])
def test_ten_thousand_agents_cost_little(sqlite_store: Store, *, own_accounts: bool) -> None:
    """Some 50 ms on an idle machine; the bound is for a busy one."""
    with sqlite_store.transaction() as tx:
        for number in range(1_000, 11_000):
            account = f"agenda/agent{number}@dept.example" if own_accounts else "agenda"
            calendar = CalendarRef(account, f"/{number}/")
            tx.put_agent(agent(number, sources=(calendar,), target=calendar))
            tx.save_agent_result(AgentReport(number), run_id="r", at=NOW, complete=True)
    service = Service(sqlite_store)
    assert service.value("agents_by_age", system="agenda", age="2m") == 10_000
    took = min(_seconds(service) for _ in range(5))
    print(f"{took * 1000:.1f} ms")
    assert took < 0.25


def _seconds(service: Service) -> float:
    began = time.process_time()
    service.text()
    return time.process_time() - began
