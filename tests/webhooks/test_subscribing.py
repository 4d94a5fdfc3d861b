"""Subscriptions in the double: laid once, without a replay, with secrets that are known on both sides."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import httpx2
import pytest

from connectors.rdv_solidarites import DeviseTokens, MemoryTokenStore, RdvSolidaritesClient
from connectors.rdv_solidarites.webhooks import WebhookReader
from connectors.records import RdvSelection
from gateway.clock import SystemClock
from gateway.keys import Keyring
from gateway.sandbox.server import Sandbox
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.webhooks.pinging import Pinger, PingResult
from gateway.webhooks.secrets import load_secrets
from gateway.webhooks.subscribing import SUBSCRIPTIONS, Subscriber
from tests.sandbox.support import PASSWORD, seed
from tests.webhooks.listener import SECRET, Listener

BASE = "https://gateway.example"
_CLIENTS: list[RdvSolidaritesClient] = []


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=seed) as running:
        running.state.directory.make_territorial_admin(1, 2)
        yield running
        while _CLIENTS:
            _CLIENTS.pop().close()


@pytest.fixture
def store(tmp_path: Path, sqlite_template: Path, keys: Keyring) -> Iterator[Store]:
    database = open_database(Path(shutil.copy(sqlite_template, tmp_path)), keys, synchronous="OFF")
    yield Store(database)
    database.close()


def subscriber(sandbox: Sandbox, store: Store, *channels: str, email: str = "admin@demo.example") -> Subscriber:
    clock = SystemClock()
    tokens = DeviseTokens(email, PASSWORD, MemoryTokenStore(), clock)
    client = RdvSolidaritesClient(sandbox.url, tokens, clock=clock, requests_per_second=None)
    _CLIENTS.append(client)
    numbers = count(1)
    return Subscriber(client, store, clock, BASE, channels or ("main",), lambda: f"secret-{next(numbers)}")


def in_double(sandbox: Sandbox) -> dict[tuple[int, str], tuple[str, frozenset[str]]]:
    rows = sandbox.state.storage.rows("SELECT * FROM webhook_endpoints")
    return {
        (row["organisation_id"], row["target_url"]): (row["secret"], frozenset(row["subscriptions"].split(",")))
        for row in rows
    }


def changes_asked(sandbox: Sandbox) -> int:
    return sum(
        number
        for request, number in sandbox.request_counts.items()
        if request.startswith(("POST", "PATCH")) and "webhook" in request
    )


def test_each_organisation_gets_its_subscription_and_its_secret(sandbox: Sandbox, store: Store) -> None:
    laid = subscriber(sandbox, store).install()
    assert [(each.organisation.id, each.did) for each in laid] == [(1, "laid"), (2, "laid"), (3, "laid")]
    secrets = load_secrets(store)
    assert in_double(sandbox) == {
        (number, f"{BASE}/webhooks/rdv-solidarites/{number}"): (
            secrets[number, "main"].current,
            SUBSCRIPTIONS["main"],
        )
        for number in (1, 2, 3)
    }
    assert len({each.current for each in secrets.values()}) == 3


def test_nothing_is_sent_again_but_plages_where_they_are_wanted(sandbox: Sandbox, store: Store) -> None:
    """The trap: everything that is subscribed, unless absences are among it."""
    subscriber(sandbox, store).install()
    assert sandbox.state.webhooks.deliveries() == []
    subscriber(sandbox, store, "main", "plages").install()
    assert {each["model"] for each in sandbox.state.webhooks.deliveries()} <= {"PlageOuverture", "Lieu"}


def test_what_is_right_is_never_touched_again(sandbox: Sandbox, store: Store) -> None:
    subscriber(sandbox, store).install()
    asked, secrets = changes_asked(sandbox), load_secrets(store)
    assert {each.did for each in subscriber(sandbox, store).install()} == {"kept"}
    assert (changes_asked(sandbox), load_secrets(store)) == (asked, secrets)


def test_a_subscription_with_other_kinds_is_made_right(sandbox: Sandbox, store: Store) -> None:
    subscriber(sandbox, store).install()
    sandbox.state.storage.run("UPDATE webhook_endpoints SET subscriptions = 'rdv' WHERE organisation_id = 2")
    assert [each.is_good for each in subscriber(sandbox, store).standings()] == [True, False, True]
    assert [each.did for each in subscriber(sandbox, store).install()] == ["kept", "changed", "kept"]
    assert all(each.is_good for each in subscriber(sandbox, store).standings())


def test_after_a_lost_database_the_secret_is_given_anew(
    sandbox: Sandbox, store: Store, tmp_path: Path, sqlite_template: Path, keys: Keyring
) -> None:
    subscriber(sandbox, store).install()
    database = open_database(Path(shutil.copy(sqlite_template, tmp_path / "another.sqlite3")), keys, synchronous="OFF")
    another = Store(database)
    assert not any(each.is_good for each in subscriber(sandbox, another).standings())
    assert {each.did for each in subscriber(sandbox, another).install()} == {"changed"}
    assert len(in_double(sandbox)) == 3
    assert in_double(sandbox)[1, f"{BASE}/webhooks/rdv-solidarites/1"][0] == load_secrets(another)[1, "main"].current
    database.close()


def test_a_rotated_secret_leaves_the_former_one_accepted(sandbox: Sandbox, store: Store) -> None:
    subscriber(sandbox, store).install()
    before = load_secrets(store)[1, "main"].current
    made = subscriber(sandbox, store)
    rotated = Subscriber(made.client, store, made.clock, BASE, ("main",), lambda: "rotated")
    assert {each.did for each in rotated.install(rotate=True)} == {"changed"}
    assert load_secrets(store)[1, "main"].accepted(SystemClock().now()) == ("rotated", before)
    assert in_double(sandbox)[1, f"{BASE}/webhooks/rdv-solidarites/1"][0] == "rotated"


@pytest.mark.parametrize("kind", ["status", "cut_after"])
def test_one_organisation_that_fails_stops_no_other(sandbox: Sandbox, store: Store, kind: str) -> None:
    sandbox.faults.add(kind, method="POST", path=".*/organisations/2/webhook_endpoints", times=1)
    laid = subscriber(sandbox, store).install()
    assert [each.did for each in laid] == ["laid", "failed", "laid"]
    assert laid[1].reason
    # Refused, it is made anew; made without an answer, the secret of then counts.
    assert [each.did for each in subscriber(sandbox, store).install()][1] == ("laid" if kind == "status" else "kept")
    secret, _ = in_double(sandbox)[2, f"{BASE}/webhooks/rdv-solidarites/2"]
    assert secret == load_secrets(store)[2, "main"].current


def test_an_account_without_the_right_is_told_so(sandbox: Sandbox, store: Store) -> None:
    laid = subscriber(sandbox, store, email="pmi@demo.example").install()
    assert [(each.did, bool(each.remedy)) for each in laid] == [("failed", True)]
    assert load_secrets(store) == {}


def ping(url: str, secret: str = SECRET) -> PingResult:
    door = WebhookReader("https://rdv.example", RdvSelection())
    with closing(httpx2.Client(trust_env=False, timeout=5)) as client:
        return Pinger(client, door, SystemClock(), lambda: 7).ping(url, secret)


def test_a_ping_that_the_gateway_answers_is_good(listener: Listener) -> None:
    assert ping(listener.hook()) == PingResult()


def test_what_answers_in_the_gateways_place_is_found_out(listener: Listener) -> None:
    assert ping(listener.hook(), "another").fault == "the gateway refuses it: unsigned"
    assert ping(listener.hook(77)).fault == "the gateway refuses it: unknown_endpoint"
    assert ping("http://127.0.0.1:9/").fault.startswith("no answer")
    with _answering(b"<html>Bienvenue</html>") as url:
        assert ping(url).fault == "200 with a body that is not the gateway's"
    with _answering(b'{"rdv_gateway": "pong", "proof": "guessed"}') as url:
        assert ping(url).fault == "200, and the answer proves nothing"


class _answering:  # noqa: N801 - used as a function
    def __init__(self, body: bytes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
