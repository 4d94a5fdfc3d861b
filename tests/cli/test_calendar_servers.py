"""What `check` shows of calendar servers, and a refused password that is tried once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.cli.exits import Exit
from tests.cli.conftest import Deployment
from tests.servers.counting_proxy import CountingProxy, Instead, Reply


@pytest.fixture
def proxy(deployment: Deployment) -> Iterator[CountingProxy]:
    """Counts what reaches the calendar server of the deployment."""
    with CountingProxy(deployment.calendars_url) as proxy:
        config = deployment.cli.config
        config.write_text(config.read_text().replace(deployment.calendars_url, proxy.url))
        yield proxy


def test_check_shows_what_is_known_of_a_server_and_how(deployment: Deployment) -> None:
    answer = deployment.cli("check", "--json")
    shown = [each["detail"] for each in answer.json["checks"] if each["what"] == "account agenda: server"]
    assert "profile: generic (assumed)" in shown
    assert "a creation never overwrites: no (assumed)" in shown
    assert "sync token: yes (announced)" in shown
    assert "changes are found by: sync-token (seen)" in shown


def test_a_refused_password_is_tried_once_until_it_changes_or_it_is_asked_for(
    deployment: Deployment, proxy: CountingProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli = deployment.cli
    monkeypatch.setenv("AGENDA_PASSWORD", "wrong-password")
    assert cli("check").code == Exit.REMOTE
    assert len(proxy.seen) == 1
    again = cli("check", "--json")
    assert again.code == Exit.REMOTE
    assert len(proxy.seen) == 1
    (failed,) = [each for each in again.json["checks"] if not each["ok"]]
    assert "check --retry" in failed["remedy"]
    assert cli("check", "--retry").code == Exit.REMOTE
    assert len(proxy.seen) == 2
    monkeypatch.setenv("AGENDA_PASSWORD", "calendar-password")
    assert cli("check").code == Exit.FINE


def test_a_password_that_was_refused_by_mistake_is_taken_up_again_after_a_retry(
    deployment: Deployment, proxy: CountingProxy
) -> None:
    cli = deployment.cli
    proxy.when(None, Instead(Reply(401)))
    assert cli("check").code == Exit.REMOTE
    assert cli("check").code == Exit.REMOTE
    assert cli("check", "--retry").code == Exit.FINE
    assert cli("check").code == Exit.FINE
