"""The real service tells of itself: health, metrics, and logs that can be followed by the run."""

from __future__ import annotations

import json
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.scenarios.departement import Departement
from tests.scenarios.person import Person, hours
from tests.serve.running import Service, eventually


def asked(service: Service, path: str, listener: int = 1) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{service.ports[listener]}{path}", timeout=10) as answer:
        return str(answer.read().decode())


def metrics(service: Service) -> dict[tuple[str, frozenset[str]], float]:
    """By name and values of labels."""
    return {
        (sample.name.removeprefix("rdv_gateway_"), frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(asked(service, "/metrics"))
        for sample in family.samples
    }


def test_health_metrics_and_logs_of_a_service_at_work(departement: Departement, agent: Person) -> None:
    service = Service(departement)
    service.configure(logs={"format": "json"})
    with service:
        agent.types_event("Dentiste", *hours(departement.at(2, 14)))
        eventually(lambda: agent.blocks() == [hours(departement.at(2, 14))], what="the block")
        assert asked(service, "/healthz") == "ok\n"
        assert json.loads(asked(service, "/readyz")) == {"ready": True, "faults": []}
        told = eventually(
            lambda: (
                (found := metrics(service)).get(("operations_total", frozenset({"create", "busy_block", "done"})))
                and found
            ),
            what="the block in the metrics",
        )
        (account,) = {name for of, values in told if of == "wait_seconds_sum" for name in values} - {"rdv_solidarites"}
        assert told["agents_by_age", frozenset({account, "2m"})] == len(departement.people)
        assert told["requests_total", frozenset({"rdv_solidarites", "2xx"})] > 0
        _, journal = service.command("journal")
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    finished = {line["run_id"] for line in lines if line["event"] == "run finished"}
    assert {entry["run"] for entry in journal["entries"] if entry["action"] == "create"} <= finished
    assert "Dentiste" not in service.log.read_text()
