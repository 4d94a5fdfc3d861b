"""Prometheus' own tool reads the alert rules and what `/metrics` answers, and plays rules on series."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.store.store import Store
from gateway.watching.metrics import Metrics
from gateway.watching.routes import exposition
from gateway.watching.standing import Around, Standing
from tests.store.conftest import keys, path, sqlite_store
from tests.store.samples import NOW

__all__ = ["keys", "path", "sqlite_store"]  # fixtures

pytestmark = pytest.mark.system

RULES = Path(__file__).parents[2] / "config" / "prometheus" / "alerts.yml"


def promtool(*words: str, given: bytes | None = None) -> str:
    program = shutil.which("promtool")
    assert program, "promtool is missing: run this through `make test-system`, which installs it"
    done = subprocess.run([program, *words], input=given, capture_output=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def test_the_alert_rules_are_rules() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", str(RULES))


def test_what_is_told_to_prometheus_is_as_it_wishes(sqlite_store: Store, tmp_path: Path) -> None:
    metrics = Metrics(("agenda",))
    around = Around(now=lambda: NOW, directory=tmp_path, last_tick=lambda: NOW)
    metrics.registry.register(Standing(sqlite_store, around, metrics.accounts))
    promtool("check", "metrics", given=exposition(metrics.registry))


def test_rules_fire_when_they_shall_and_only_then(tmp_path: Path) -> None:
    """Played for two hours: one system is stale, another is not; an error for IT comes; a certificate ends."""
    series = [
        _series('rdv_gateway_agents_by_age{system="agenda", age="older"}', "10x120"),
        _series('rdv_gateway_agents_by_age{system="agenda", age="2m"}', "90x120"),
        _series('rdv_gateway_agents_by_age{system="outlook", age="older"}', "1x120"),
        _series('rdv_gateway_agents_by_age{system="outlook", age="2m"}', "99x120"),
        _series('rdv_gateway_errors_total{system="agenda", kind="ITMustAct", addressee="it"}', "0x20 5x100"),
        _series('rdv_gateway_errors_total{system="outlook", kind="ITMustAct", addressee="it"}', "0x120"),
        _series('rdv_gateway_certificate_days_left{certificate="client agenda"}', "12x120"),
        _series('rdv_gateway_certificate_days_left{certificate="authority network"}', "300x120"),
        _series("rdv_gateway_last_tick_timestamp_seconds", "0+60x120"),
        _series("rdv_gateway_lost_webhooks_total", "0x30 20x90"),
    ]
    expected = [
        _fires("RdvGatewayStaleAgents", "30m", severity="warning", system="agenda"),
        _fires("RdvGatewayErrorsForIT", "40m", severity="warning", system="agenda", kind="ITMustAct"),
        _silent("RdvGatewayErrorsForIT", "15m"),
        _fires("RdvGatewayCertificateEnds", "70m", severity="warning", certificate="client agenda"),
        _silent("RdvGatewayNotTicking", "60m"),
        _fires("RdvGatewayLostWebhooks", "45m", severity="warning"),
        _silent("RdvGatewayLostWebhooks", "20m"),
    ]
    _play(tmp_path, "1m", series, expected)


def test_silence_of_webhooks_is_told_in_working_hours_only(tmp_path: Path) -> None:
    """Series begin on Thursday 1 January 1970 at midnight: the last webhook came then."""
    series = [
        _series("rdv_gateway_webhook_endpoints", "1x600"),
        _series("rdv_gateway_webhooks_total", "7x600"),
        _series("rdv_gateway_last_webhook_timestamp_seconds", "0x600"),
    ]
    expected = [
        _silent("RdvGatewayWebhookSilence", "11h"),
        _fires("RdvGatewayWebhookSilence", "13h", severity="warning"),
        _silent("RdvGatewayWebhookSilence", "20h"),
    ]
    _play(tmp_path, "5m", series, expected)


def _play(directory: Path, interval: str, series: list[dict[str, str]], expected: list[dict[str, Any]]) -> None:
    """The rules as they are, but for their words for people, which would have to be repeated here."""
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for rule in rules["groups"][0]["rules"]:
        del rule["annotations"]
    document = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": interval,
        "tests": [{"interval": interval, "input_series": series, "alert_rule_test": expected}],
    }
    for name, content in (("rules.yml", rules), ("play.yml", document)):
        (directory / name).write_text(json.dumps(content), encoding="utf-8")  # YAML holds JSON
    promtool("test", "rules", str(directory / "play.yml"))


def _series(name: str, values: str) -> dict[str, str]:
    return {"series": name, "values": values}


def _silent(alert: str, at: str) -> dict[str, Any]:
    return {"eval_time": at, "alertname": alert, "exp_alerts": []}


def _fires(alert: str, at: str, **labels: str) -> dict[str, Any]:
    return {"eval_time": at, "alertname": alert, "exp_alerts": [{"exp_labels": labels}]}
