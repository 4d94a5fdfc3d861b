"""What posts are answered, over HTTP."""

from __future__ import annotations

import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest.mock import patch

import pytest

from connectors.rdv_solidarites.webhooks import sign
from gateway.keys import Keyring
from gateway.webhooks.receiving import PONG, Outcome
from gateway.webhooks.secrets import EndpointSecrets, load_secrets, save_secrets
from tests.connectors.rdv_solidarites.support import absence_record, rdv_record
from tests.webhooks.listener import OLD, SECRET, Listener, body, post

RDV = body("Rdv", rdv_record(77, agents=[{"id": 12}]))


@pytest.mark.parametrize("secret", [SECRET, OLD])
def test_a_signed_webhook_is_kept_under_the_new_secret_and_the_old(listener: Listener, secret: str) -> None:
    answer = post(listener.hook(), RDV, secret=secret)
    assert (answer.status_code, answer.json()) == (200, {"rdv_gateway": "kept"})
    assert listener.kept() == 1


def test_copies_of_one_body_are_kept_once_and_counted_where_they_came(listener: Listener) -> None:
    content = body("Absence", absence_record(412))
    for organisation in (1, 2, 2):
        assert post(listener.hook(organisation), content).status_code == 200
    assert listener.kept() == 1
    with listener.store.webhooks() as tables:
        assert [(each.organisation_id, each.received) for each in tables.endpoints()] == [(1, 1), (2, 2), (3, 0)]


@pytest.mark.parametrize("model", ["User", "Invention"])
def test_what_is_of_no_interest_is_accepted_and_not_kept(listener: Listener, model: str) -> None:
    answer = post(listener.hook(), body(model, {"id": 1, "first_name": "Jeanne"}))
    assert (answer.status_code, answer.json(), listener.kept()) == (200, {"rdv_gateway": "ignored"}, 0)


def test_what_cannot_be_right_is_refused_before_it_is_parsed_or_any_database_is_asked(listener: Listener) -> None:
    cases = [
        (post(listener.hook(), RDV, secret=None), 401),
        (post(listener.hook(), RDV, secret="another"), 401),
        (post(listener.hook(), RDV, secret=None, **{"X-Lapin-Signature": sign(SECRET, b"another body")}), 401),
        (post(listener.hook(99), RDV), 404),
        (post(f"{listener.hook()}/plages", RDV), 404),
        (post(listener.hook(), b"x" * 100_001), 413),
    ]
    assert [answer.status_code for answer, _ in cases] == [status for _, status in cases]
    with (
        patch.object(listener.service.receiver.door, "read", side_effect=AssertionError("parsed")),
        patch.object(type(listener.database), "read", side_effect=AssertionError("asked")),
        patch.object(type(listener.database), "write", side_effect=AssertionError("asked")),
    ):
        assert post(listener.hook(), RDV, secret="another").status_code == 401
        assert post(listener.hook(), RDV, secret=None).status_code == 401
        assert post(listener.hook(), b"x" * 100_001).status_code == 413
    assert listener.service.receiver.counts[Outcome.KEPT] == 0


def test_a_body_without_a_length_is_cut_off_at_the_limit(listener: Listener) -> None:
    host, port = listener.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        head = "POST /webhooks/rdv-solidarites/1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        connection.sendall(f"{head}X-Lapin-Signature: {'0' * 64}\r\n\r\n".encode())
        chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
        connection.sendall(chunk * 4)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")


def test_a_signed_body_that_is_no_webhook_is_refused_and_not_quoted(
    listener: Listener, capsys: pytest.CaptureFixture[str]
) -> None:
    assert post(listener.hook(), b"<html>Martin</html>").status_code == 400
    assert "Martin" not in capsys.readouterr().out


def test_a_ping_is_answered_with_a_proof_and_kept_nowhere(listener: Listener) -> None:
    content = body("RdvGatewayPing", {"id": 123})
    answer = post(listener.hook(), content, secret=OLD)
    assert answer.json() == {"rdv_gateway": "pong", "proof": sign(SECRET, PONG + content)}
    assert listener.kept() == 0


def test_a_secret_that_another_process_replaced_is_taken_over(listener: Listener) -> None:
    with listener.store.transaction() as tx:
        known = load_secrets(listener.store)
        known[1, "main"] = EndpointSecrets("newest")
        save_secrets(tx, known)
    assert post(listener.hook(), RDV, secret="newest").status_code == 401
    listener.service.refresh()
    assert post(listener.hook(), RDV, secret="newest").status_code == 200
    assert post(listener.hook(), RDV, secret=SECRET).status_code == 401


def test_what_is_kept_is_encrypted(listener: Listener) -> None:
    record = absence_record(412, title="Oncologue")
    post(listener.hook(), body("Absence", record))
    files = b"".join(each.read_bytes() for each in listener.path.parent.iterdir() if each.is_file())
    assert b"Oncologue" not in files
    assert b"webhook_delivery" in files


def test_many_at_once_are_committed_together(listener: Listener) -> None:
    """Each transaction waits for the disk: one for each would not be answered in time."""
    commits: list[int] = []
    keep = type(listener.service.receiver.inbox)._commit

    def counted(inbox: object, some: list[object]) -> None:
        commits.append(len(some))
        time.sleep(0.05)
        keep(inbox, some)  # type: ignore[arg-type]

    with patch.object(type(listener.service.receiver.inbox), "_commit", counted), ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: post(listener.hook(), body("Rdv", rdv_record(n))).status_code, range(64)))
    assert answers == [200] * 64
    assert sum(commits) == 64
    assert len(commits) < 40


def test_when_too_many_wait_for_the_database_the_sender_is_asked_to_come_again(
    tmp_path: Path, sqlite_template: Path, keys: Keyring
) -> None:
    with Listener(tmp_path, sqlite_template, keys, agents=(12,), capacity=3) as listener:
        release = threading.Event()

        def hold() -> None:
            with listener.store.transaction():
                release.wait(20)

        holder = threading.Thread(target=hold)
        holder.start()
        with ThreadPoolExecutor(12) as pool:
            waiting = [pool.submit(post, listener.hook(), body("Rdv", rdv_record(n))) for n in range(12)]
            while listener.service.receiver.counts[Outcome.FULL] == 0:
                time.sleep(0.01)
            release.set()
            answers = [each.result() for each in waiting]
        holder.join()
    statuses = {each.status_code for each in answers}
    assert statuses == {200, 503}
    assert {each.headers["Retry-After"] for each in answers if each.status_code == 503} == {"5"}


def test_a_database_that_cannot_be_written_costs_a_retry_and_not_the_webhook(listener: Listener) -> None:
    with patch.object(type(listener.database), "write", side_effect=OSError("disk")):
        answer = post(listener.hook(), RDV)
    assert (answer.status_code, json.loads(answer.content)) == (503, {"rdv_gateway": "full"})
    assert post(listener.hook(), RDV).status_code == 200


def test_what_is_queued_when_the_service_ends_is_kept(listener: Listener) -> None:
    post(listener.hook(), RDV)
    listener.service.close()
    assert listener.kept() == 1
    assert post(listener.hook(), body("Rdv", rdv_record(5))).status_code == 503
