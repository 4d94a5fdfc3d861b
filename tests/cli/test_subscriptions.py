"""Subscriptions on the command line: enrolled beside the calendar that receives, refused in its place, checked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.cli.exits import Exit
from tests.cli.conftest import MARTINE, Deployment
from tests.connectors.ics.bench import calendar, event
from tests.servers.feed_server import SECRET, FeedServer


@pytest.fixture
def server(deployment: Deployment) -> Iterator[FeedServer]:
    """Publishes Martine's own calendar; the deployment knows her link."""
    agents = deployment.cli("agents", "--json").json["agents"]
    (email,) = [each["email"] for each in agents if each["agent"] == MARTINE]
    with FeedServer() as server:
        server.publish("martine", calendar(event("a")))
        links = deployment.cli.config.parent / "links.csv"
        links.write_text(f"email;url\n{email};{server.link('martine')}\n")
        links.chmod(0o600)
        text = f'\n[[accounts]]\nname = "feeds"\nkind = "ics"\nurl = "{server.url}"\ncredentials_file = "links.csv"\n'
        deployment.cli.config.write_text(deployment.cli.config.read_text() + text)
        yield server


@pytest.mark.parametrize("target", [("--account", "feeds"), ("--account", "agenda", "--target", "feeds:feed")])
@pytest.mark.usefixtures("server")
def test_a_subscription_cannot_receive_and_it_is_said_what_to_do(
    deployment: Deployment, target: tuple[str, ...]
) -> None:
    answer = deployment.cli("enroll", str(MARTINE), *target)
    assert answer.code == Exit.USAGE
    told = " ".join(answer.err.split())
    assert "feeds is a subscription: it is only read, and cannot receive RDVs" in told
    assert "--source feeds:feed" in told


@pytest.mark.usefixtures("server")
def test_it_blocks_beside_the_calendar_that_receives(deployment: Deployment) -> None:
    cli = deployment.cli
    sources = ("--source", deployment.calendar, "--source", "feeds:feed")
    answer = cli("enroll", str(MARTINE), "--account", "agenda", *sources, "--json")
    assert answer.code == Exit.FINE, answer.err
    assert answer.json["target"] == f"agenda:{deployment.calendar}"
    own, feed = answer.json["sources"]
    assert own == f"agenda:{deployment.calendar}"
    assert feed.startswith("feeds/")
    assert feed.endswith(":feed")
    assert cli("plan").code in (Exit.FINE, Exit.NEEDS_PERSON)


@pytest.mark.usefixtures("server")
def test_the_mapping_file_says_so_and_a_wave_is_enrolled_by_it(deployment: Deployment) -> None:
    cli = deployment.cli
    path = cli.config.parent / "agents.csv"
    blocks = f"{deployment.calendar} | feeds:feed"
    path.write_text(f"agent;account;blocks;wave\n{MARTINE};agenda;{blocks};1\n", encoding="utf-8")
    assert cli("agents", "import", str(path), "--yes").code == Exit.FINE
    answer = cli("enroll", "--wave", "1", "--json")
    assert answer.code == Exit.FINE, answer.err
    ((_, feed),) = [each["sources"] for each in answer.json["enrolled"]]
    assert feed.startswith("feeds/")
    exported = cli("agents", "export", "--json").out
    assert feed in exported


def test_a_link_that_does_not_work_refuses_the_agent_and_is_not_shown(
    deployment: Deployment, server: FeedServer
) -> None:
    server.publish("martine", b"", status=404)
    answer = deployment.cli("enroll", str(MARTINE), "--account", "agenda", "--source", "feeds:feed")
    assert answer.code == Exit.REMOTE
    assert "Publish the calendar again" in " ".join(answer.err.split())
    assert SECRET not in answer.err + answer.out


def test_check_reads_it_and_says_what_is_known(deployment: Deployment, server: FeedServer) -> None:
    cli = deployment.cli
    assert cli("enroll", str(MARTINE), "--account", "agenda", "--source", "feeds:feed").code == Exit.FINE
    answer = cli("check", "--json")
    shown = {each["detail"] for each in answer.json["checks"] if each["what"].startswith("account feeds")}
    assert "1 of 1 agents' homes answer" in shown
    assert "access: read only: a subscription receives nothing (tested)" in shown
    assert "changes are found by: ETag (seen)" in shown
    server.publish("martine", b"<html>", status=200)
    failed = [each for each in cli("check", "--json").json["checks"] if not each["ok"]]
    assert [each["addressee"] for each in failed] == ["agent"]
    assert "is no calendar" in failed[0]["detail"]
    assert SECRET not in cli("check").out


@pytest.mark.usefixtures("server")
def test_nobody_is_proposed_to_receive_in_it(deployment: Deployment) -> None:
    answer = deployment.cli("agents", "propose", "--json")
    assert "feeds" not in {str(each.get("account", "")).split("/")[0] for each in answer.json["agents"]}


@pytest.mark.usefixtures("server")
def test_leaving_looks_for_nothing_in_it(deployment: Deployment, server: FeedServer) -> None:
    """Nothing was ever written there, whatever it holds."""
    cli = deployment.cli
    assert cli("enroll", str(MARTINE), "--account", "agenda", "--source", "feeds:feed").code == Exit.FINE
    server.publish("martine", calendar(event("rdvgw-0123456789abcdef0123456789abcdef")))
    server.seen.clear()
    assert cli("leave", "--all", "--remove", "--yes").code in (Exit.FINE, Exit.NEEDS_PERSON)
    assert server.seen == []
