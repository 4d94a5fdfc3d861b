"""`alerts` and `alerts test` as typed, and the jobs of a service on a real configuration."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.alerts.assembly import alert_jobs
from gateway.composition import opened
from gateway.settings import load
from tests.servers.smtp import MailServer

TO = "dsi@departement.example.fr"


def configure(config: Path, text: str) -> None:
    config.write_text(config.read_text(encoding="utf-8") + text, encoding="utf-8")


def mail_section(server: MailServer) -> str:
    return f"""
[mail]
host = "localhost"
port = {server.port}
security = "none"
sender = "passerelle@departement.example.fr"

[alerts]
it = ["{TO}"]
"""


def test_the_way_of_messages_is_tried(deployment):
    with MailServer() as server:
        configure(deployment.cli.config, mail_section(server))
        tried = deployment.cli("alerts", "test", "--to", "it", "--json")
        assert (tried.code, tried.json["messages"][0]["taken"]) == (0, True)
        assert len(server.texts(TO)) == 1
        server.refused = {TO: "550 no such user"}
        refused = deployment.cli("alerts", "test", "--address", TO)
        assert refused.code == 3
        assert "refuses an address" in refused.out


@pytest.mark.parametrize("options", [(), ("--to", "it", "--address", TO), ("--address", "nobody")])
def test_whom_to_try_is_said_once_and_rightly(deployment, options):
    assert deployment.cli("alerts", "test", *options).code == 2


def test_nobody_to_write_to_and_no_server_are_said(deployment):
    assert "Nobody is configured" in deployment.cli("alerts", "test", "--to", "it").err
    assert "mail.host" in deployment.cli("alerts", "test", "--address", TO).err


def test_jobs_of_a_service_tell_and_the_command_lists_what_was_told(deployment):
    cli = deployment.live()
    assert cli("stop", "--reason", "canary").code == 0
    empty = cli("alerts", "--json")
    assert (empty.code, empty.json["alerts"]) == (0, [])
    with MailServer() as server:
        configure(cli.config, mail_section(server))
        with opened(load(cli.config)) as application:
            jobs = {job.name: job for job in alert_jobs(application)}
            assert set(jobs) == {"alerts", "weekly digest"}
            jobs["alerts"].call()
            jobs["weekly digest"].call()
    (listed,) = [each for each in cli("alerts", "--json").json["alerts"] if each["kind"] == "writes_stopped"]
    assert (listed["to"], listed["state"], listed["told_at"]) == ("it", "there", None)
    assert "canary" not in cli("alerts").out
