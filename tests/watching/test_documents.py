"""The document, the alert rules and the board speak of the metrics that exist, and the document of all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from connectors.exchanges import Exchange
from gateway.scheduling.delays import BOUNDS, Direction
from gateway.store.store import Store
from gateway.sync.steps import Failure, Step, StepName
from gateway.watching.metrics import Metrics
from gateway.watching.routes import exposition
from gateway.watching.standing import Around, DelayCounts, Standing
from tests.servers.authority import Authority
from tests.store.samples import NOW, agent, operation
from tests.watching.samples import held, watched

ROOT = Path(__file__).parents[2]
RULES = ROOT / "config" / "prometheus" / "alerts.yml"
BOARD = ROOT / "config" / "grafana" / "board.json"
NAME = re.compile(r"\brdv_gateway_[a-z_]+\b")


@pytest.fixture
def families(sqlite_store: Store, tmp_path: Path) -> dict[str, Any]:
    """Every metric that there can be, by the name of its family in the text format."""
    metrics = Metrics(("agenda",))
    watch = watched(metrics, sqlite_store)
    watch.exchanged(Exchange("agenda", "PUT", 201, 0.2, 10))
    watch.stepped(Step(StepName.WRITE, "agenda", 0.3, failure=Failure("agenda", "ITMustAct", "it")))
    watch.applied(operation(), "done")
    with sqlite_store.transaction() as tx:
        tx.put_agent(agent(7))
        tx.replace_holds(7, [held(1)], run_id="r", at=NOW)
        tx.put_secret("rdv_solidarites.token_renewed_at", NOW.isoformat().encode())
        tx.webhooks.put_endpoint(1, "main", installed_at=NOW)
    around = Around(
        now=lambda: NOW,
        queues=lambda: {"due": 1},
        delays=lambda: [DelayCounts(each.value, BOUNDS, (0,) * (len(BOUNDS) + 1), 0.0) for each in Direction],
        last_tick=lambda: NOW,
        authorities={"network": Authority(tmp_path).ca_file},
        directory=tmp_path,
        consent=True,
    )
    metrics.registry.register(Standing(sqlite_store, around, metrics.accounts))
    return {family.name: family for family in text_string_to_metric_families(exposition(metrics.registry).decode())}


LATER = {"rdv_gateway_last_webhook_timestamp_seconds", "rdv_gateway_rdvs_read_timestamp_seconds"}
"""Told once there was one."""


def samples(families: dict[str, Any]) -> set[str]:
    """Names as expressions use them."""
    return {sample.name for family in families.values() for sample in family.samples} | LATER


def test_the_document_lists_every_metric_with_its_labels_and_no_other(families: dict[str, Any]) -> None:
    text = (ROOT / "docs" / "watching.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(rdv_gateway_[a-z_]+)` \| (.*?) \|", text, re.MULTILINE)
    documented = {name: frozenset(re.findall(r"`([a-z_]+)`", labels)) for name, labels in rows}
    there = {
        name + ("_total" if family.type == "counter" else ""): frozenset(
            label for sample in family.samples for label in sample.labels if label != "le"
        )
        for name, family in families.items()
    }
    known = {name: labels for name, labels in documented.items() if name not in LATER}
    there["rdv_gateway_conflicts"] = frozenset({"kind"})  # of which the store holds none
    assert known == there
    assert documented.keys() >= LATER


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return list(group["rules"])


def test_each_alert_rule_asks_for_metrics_that_exist_and_says_what_to_do(families: dict[str, Any]) -> None:
    there = samples(families)
    for rule in rules():
        asked = set(NAME.findall(rule["expr"]))
        assert asked <= there, rule["alert"]
        assert asked or rule["expr"].startswith("up"), rule["alert"]
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["description"]
        assert rule["labels"]["severity"] in {"critical", "warning", "info"}
    assert len({rule["alert"] for rule in rules()}) == len(rules()) > 12


def test_each_panel_of_the_board_asks_for_metrics_that_exist(families: dict[str, Any]) -> None:
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    there = samples(families) | {"rdv_gateway_conflicts"}
    asked: set[str] = set()
    for panel in board["panels"]:
        for target in panel["targets"]:
            names = set(NAME.findall(target["expr"]))
            assert names, panel["title"]
            assert names <= there, panel["title"]
            asked |= names
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    families_shown = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in asked}
    assert {"rdv_gateway_agents_by_age", "rdv_gateway_lost_webhooks", "rdv_gateway_delay_seconds"} <= families_shown


def test_values_of_labels_in_rules_and_board_exist(families: dict[str, Any]) -> None:
    values: dict[str, set[str]] = {}
    for family in families.values():
        for sample in family.samples:
            for label, value in sample.labels.items():
                values.setdefault(label, set()).add(value)
    text = "\n".join([*(rule["expr"] for rule in rules()), BOARD.read_text("utf-8")])
    for label, asked in re.findall(r"\b(age|promise|addressee|status)=~?\\?\"([^\"\\]+)\\?\"", text):
        assert set(asked.split("|")) <= values[label], (label, asked)
