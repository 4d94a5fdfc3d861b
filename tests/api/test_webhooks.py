"""Webhooks to business applications: what is told, in which order, signed, again and again, and not for ever."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.network import Network
from gateway.api.delivering import GIVEN_UP_AFTER, Deliverer, Receiver
from gateway.api.telling import KEPT, Teller
from gateway.settings_business import BusinessWebhookSection, signing_key
from gateway.sync.values import AgentState, HoldReason, Problem
from tests.api.conftest import CANARY, START, Office, over_busy

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
KEY = bytes(range(32))


class Application:
    """A business application that answers as it is told to, and keeps what it took."""

    def __init__(self) -> None:
        self.status = 204
        self.asked: list[tuple[dict[str, str], bytes]] = []
        self.taken: list[dict[str, Any]] = []
        application = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                application.asked.append(({name.lower(): value for name, value in self.headers.items()}, body))
                if application.status < 300:
                    application.taken.append(json.loads(body))
                self.send_response(application.status)
                if 300 <= application.status < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            do_GET = do_POST  # noqa: N815 - as the library calls it

            def log_message(self, *_arguments: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret-of-the-address"
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def kinds(self) -> list[str]:
        return [each["type"] for each in self.taken]


@pytest.fixture
def application() -> Iterator[Application]:
    made = Application()
    yield made
    made.server.shutdown()
    made.server.server_close()


def receiver(application: Application, name: str = "intranet", **wishes: Any) -> Receiver:
    return Receiver(name, application.url, KEY, Network(), **wishes)


def told(office: Office, *receivers: Receiver) -> None:
    """One look, and one try for each."""
    Teller(office.store, office.clock, tuple(each.name for each in receivers)).look()
    for each in receivers:
        Deliverer(office.store, each, office.clock).deliver()


def target(office: Office, name: str = "intranet"):
    with office.store.business() as tables:
        return tables.targets()[name]


def test_the_first_look_tells_nothing_and_later_ones_what_changed(office, application):
    hook = receiver(application)
    office.enrol(7, 3, AgentState.FIRST_RUN)
    office.conflicts(7, over_busy(7, 1))
    office.journal(7, "create", "rdv 1")
    told(office, hook)
    told(office, hook)
    assert application.asked == []
    office.enrol(7, 3)
    office.conflicts(7, over_busy(7, 2))
    office.holds(7, 3)
    office.ran(7, Problem(7, f"zimbra/{CANARY}@exemple.fr", f"{CANARY} is refused", "agent", "Reconnect."))
    office.journal(7, "create", "rdv 2")
    office.journal(7, "update", "rdv 2")
    office.journal(7, "unanswered", "rdv 2")
    office.journal(7, "delete", "rdv 1")
    told(office, hook)
    assert application.kinds() == [
        *("conflict.ended", "conflict.opened", "hold.opened", "agent.state_changed", "sync_error.opened"),
        *("rdv.copied", "rdv.updated", "rdv.removed"),
    ]
    by_kind = {each["type"]: each["data"] for each in application.taken}
    assert by_kind["agent.state_changed"] == {"agent": 7, "organisation": 3, "state": "live", "before": "first_run"}
    assert by_kind["sync_error.opened"]["system"] == "zimbra"
    assert by_kind["rdv.removed"] == {"agent": 7, "organisation": 3, "rdv": 1}
    office.ran(7)
    office.holds(7, 0)
    told(office, hook)
    told(office, hook)
    assert application.kinds()[8:] == ["hold.ended", "sync_error.ended"]
    assert CANARY not in str(application.asked)
    assert "Dentiste" not in str(application.asked)


def test_many_held_operations_are_one_event(office, application):
    hook = receiver(application)
    office.enrol(7, 3)
    told(office, hook)
    office.holds(7, 500)
    told(office, hook)
    office.holds(7, 499)
    told(office, hook)
    assert application.kinds() == ["hold.opened"]
    office.holds(7, 499, HoldReason.UNPROVEN)
    told(office, hook)
    assert application.kinds()[1:] == ["hold.ended", "hold.opened"]


def test_a_message_is_signed_as_standard_webhooks_says(office, application):
    hook = receiver(application)
    told(office, hook)
    office.enrol(7, 3)
    told(office, hook)
    ((headers, body),) = application.asked
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(signing_key(SECRET), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert int(headers["webhook-timestamp"]) == int(START.timestamp())
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("status", [500, 429, 404, 302])
def test_what_is_not_taken_is_sent_again_under_the_same_id_in_order(office, application, status):
    """Also when the address redirects: the secret address is not left."""
    hook = receiver(application)
    told(office, hook)
    application.status = status
    for number in (7, 8, 9):
        office.enrol(number, 3)
    told(office, hook)
    assert len(application.asked) == 1
    assert target(office).failing_since == START
    told(office, hook)
    assert len(application.asked) == 1  # its next try is not due
    application.status = 204
    office.clock.instant += timedelta(seconds=10)
    told(office, hook)
    assert [each["data"]["agent"] for each in application.taken] == [7, 8, 9]
    ids = [headers["webhook-id"] for headers, _ in application.asked]
    assert (ids[0], len(set(ids))) == (ids[1], 3)
    assert (target(office).failing_since, target(office).taken) == (None, 3)


def test_waits_double_up_to_an_hour(office, application):
    hook = receiver(application)
    told(office, hook)
    application.status = 500
    office.enrol(7, 3)
    waits = []
    for _ in range(12):
        told(office, hook)
        waits.append((target(office).next_at - office.clock.instant).total_seconds())
        office.clock.instant = target(office).next_at
    assert waits[:4] == [10, 20, 40, 80]
    assert waits[-1] == 3600


def test_a_target_that_is_silent_for_days_loses_what_is_too_old_and_goes_on(office, application, capsys):
    hook = receiver(application)
    told(office, hook)
    application.status = 503
    office.enrol(7, 3)
    told(office, hook)
    office.clock.instant += GIVEN_UP_AFTER + timedelta(minutes=1)
    application.status = 204
    office.enrol(8, 3)
    told(office, hook)
    assert [each["data"]["agent"] for each in application.taken] == [8]
    assert (target(office).dead, target(office).last_dead_at) == (1, office.clock.instant)
    with office.store.business() as tables:
        assert tables.given_up(START) == 1
    shown = capsys.readouterr()
    assert "given up" in shown.out + shown.err
    assert "secret-of-the-address" not in shown.out + shown.err


def test_a_message_that_is_refused_for_good_stops_nothing(office, application):
    hook = receiver(application)
    told(office, hook)
    application.status = 422
    office.enrol(7, 3)
    told(office, hook)
    application.status = 204
    office.enrol(8, 3)
    told(office, hook)
    assert [each["data"]["agent"] for each in application.taken] == [8]
    assert target(office).dead == 1


def test_a_killed_process_sends_again_and_loses_nothing(office, application, monkeypatch):
    """Killed between an answer and its note: the same message under the same id."""
    hook = receiver(application)
    told(office, hook)
    office.enrol(7, 3)
    Teller(office.store, office.clock, ("intranet",)).look()
    with monkeypatch.context() as patched:
        patched.setattr(Deliverer, "_note", lambda *_given: None)
        Deliverer(office.store, hook, office.clock).deliver()
    Deliverer(office.store, hook, office.clock).deliver()
    Deliverer(office.store, hook, office.clock).deliver()
    ids = [headers["webhook-id"] for headers, _ in application.asked]
    assert len(ids) == 2
    assert len(set(ids)) == 1


def test_each_target_gets_what_it_wants_and_one_that_is_away_delays_no_other(office, application):
    away = Application()
    away.status = 500
    hooks = (
        receiver(away, "away"),
        receiver(application, "north", organisations={3}, events=("agent.state_changed",)),
    )
    told(office, *hooks)
    office.enrol(7, 3)
    office.enrol(9, 4)
    office.holds(7, 1)
    told(office, *hooks)
    assert [each["data"]["agent"] for each in application.taken] == [7]
    away.server.shutdown()
    away.server.server_close()


def test_a_new_target_begins_now_and_one_that_is_gone_is_forgotten(office, application):
    told(office, receiver(application, "first"))
    office.enrol(7, 3)
    told(office, receiver(application, "second"))
    told(office, receiver(application, "second"))
    assert application.kinds() == ["agent.state_changed"]
    with office.store.business() as tables:
        assert set(tables.targets()) == {"second"}


def test_a_look_that_finds_nothing_writes_nothing_and_old_events_are_forgotten(office, application, monkeypatch):
    hook = receiver(application)
    office.enrol(7, 3)
    told(office, hook)
    office.enrol(7, 3, AgentState.PAUSED)
    told(office, hook)
    with monkeypatch.context() as patched:
        patched.setattr(type(office.store), "transaction", None)
        assert Teller(office.store, office.clock, ("intranet",)).look() == 0
    office.clock.instant += KEPT + timedelta(hours=1)
    office.enrol(8, 3)
    told(office, hook)
    with office.store.business() as tables:
        assert [each.agent_id for each in tables.events_after(0, 10)] == [8]


@pytest.mark.parametrize(
    "values",
    [
        {"url": "http://intranet.example.fr/x"},
        {"url": "https://user:password@intranet.example.fr/x"},
        {"url": "ftp://intranet.example.fr/x"},
        {"url": "https://intranet.example.fr/x", "url_env": "X"},
        {"url": "https://intranet.example.fr/x", "events": ["rdv.secret"]},
        {},
    ],
)
def test_what_cannot_be_a_target_is_refused_by_the_configuration(values):
    with pytest.raises(ValueError, match=r"."):
        BusinessWebhookSection.model_validate({"name": "x", "secret_env": "S", **values})


@pytest.mark.parametrize("secret", ["", "secret", "whsec_", "whsec_YWJj", "whsec_not base64 at all, and long enough"])
def test_a_weak_or_malformed_secret_is_refused(secret):
    with pytest.raises(ValueError, match="expected whsec_"):
        signing_key(secret)


def test_neither_address_nor_key_is_in_a_repr(application):
    assert "secret-of-the-address" not in repr(receiver(application))
    assert repr(KEY) not in repr(receiver(application))
