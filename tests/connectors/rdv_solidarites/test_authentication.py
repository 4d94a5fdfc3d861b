"""Tokens: obtained once, shared by threads and processes, renewed once, never with refused credentials twice."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from urllib.parse import parse_qs

import httpx2
import pytest

from connectors.errors import ITMustAct, RetryLater
from connectors.rdv_solidarites import (
    Authentication,
    DeviseTokens,
    MemoryTokenStore,
    OAuthBearer,
    RdvSolidaritesClient,
    TokenStore,
)
from tests.connectors.rdv_solidarites.support import START, FakeClock, client_of, described, html, page

PASSWORD = "correct horse battery"


class DeviseServer:
    """One valid token per agent: each sign-in ends the one before."""

    def __init__(self, clock: FakeClock, lifetime: float | None = 1_000_000) -> None:
        self._clock = clock
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._numbers = count(1)
        self.valid = ""
        self.sign_ins = 0
        self.calls = 0

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        with self._lock:
            if request.url.path == "/api/v1/auth/sign_in":
                return self._sign_in(json.loads(request.content))
            self.calls += 1
            if (request.headers.get("access-token"), request.headers.get("client")) != (self.valid, "device"):
                return httpx2.Response(401, json={"errors": ["Vous devez vous connecter"]})
            return page("organisations", [])

    def _sign_in(self, body: dict[str, str]) -> httpx2.Response:
        self.sign_ins += 1
        if body != {"email": "it@example.org", "password": PASSWORD}:
            return httpx2.Response(401, json={"success": False, "errors": ["Identifiants invalides"]})
        self.valid = f"secret-{next(self._numbers)}"
        headers = {"access-token": self.valid, "client": "device", "uid": "it@example.org", "token-type": "Bearer"}
        if self._lifetime is not None:
            headers["expiry"] = str(int(self._clock.now().timestamp() + self._lifetime))
        return httpx2.Response(200, json={"data": {"id": 1}}, headers=headers)


class OAuthServer:
    """Doorkeeper: access tokens of two hours, refresh tokens that rotate and are good for one use."""

    def __init__(self, *, rotates: bool = True) -> None:
        self._rotates = rotates
        self._numbers = count(1)
        self.access = ""
        self.refresh = "consented"
        self.refreshes: list[str] = []
        self.on_call: Callable[[], None] = lambda: None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/oauth/token":
            return self._refresh(request)
        self.on_call()
        if request.headers.get("Authorization") != f"Bearer {self.access}":
            return httpx2.Response(401, json={"errors": ["x"]})
        return page("organisations", [])

    def _refresh(self, request: httpx2.Request) -> httpx2.Response:
        assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"
        form = {name: values[0] for name, values in parse_qs(request.content.decode()).items()}
        self.refreshes.append(form["refresh_token"])
        client = (form["grant_type"], form["client_id"], form["client_secret"])
        if client != ("refresh_token", "gateway", "shh") or form["refresh_token"] != self.refresh:
            return httpx2.Response(400, json={"error": "invalid_grant", "error_description": "x"})
        number = next(self._numbers)
        self.access = f"access-{number}"
        answer = {"access_token": self.access, "token_type": "Bearer", "expires_in": 7200}
        if self._rotates:
            self.refresh = f"refresh-{number}"
            answer["refresh_token"] = self.refresh
        return httpx2.Response(200, json=answer)


def devise(clock: FakeClock, store: TokenStore, password: str = PASSWORD) -> DeviseTokens:
    return DeviseTokens("it@example.org", password, store, clock)


def oauth(clock: FakeClock, store: TokenStore, refresh_token: str = "consented") -> OAuthBearer:
    return OAuthBearer("gateway", "shh", refresh_token, store, clock)


# --- password tokens -----------------------------------------------------------------------------------------


def test_one_sign_in_serves_many_requests() -> None:
    clock = FakeClock()
    server = DeviseServer(clock)
    client = client_of(server, authentication=devise(clock, MemoryTokenStore()), clock=clock)
    for _ in range(3):
        client.organisations()
    assert (server.sign_ins, server.calls, client.requests) == (1, 3, 4)


def test_a_later_process_uses_the_stored_token() -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    server = DeviseServer(clock)
    for _ in range(2):
        client_of(server, authentication=devise(clock, store), clock=clock).organisations()
    assert server.sign_ins == 1


@pytest.mark.parametrize("saved", ["", "{", "[]", "{}", '{"owner": 3}', "null"])
def test_a_stored_text_that_makes_no_sense_is_no_token(saved: str) -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    store.save(saved)
    server = DeviseServer(clock)
    client_of(server, authentication=devise(clock, store), clock=clock).organisations()
    assert server.sign_ins == 1


def test_a_token_is_not_sent_to_another_host_nor_for_another_account() -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    server = DeviseServer(clock)
    client_of(server, authentication=devise(clock, store), clock=clock).organisations()
    client_of(server, authentication=devise(clock, store), clock=clock, base_url="https://demo.example").organisations()
    assert server.sign_ins == 2
    other = DeviseTokens("other@example.org", PASSWORD, store, clock)
    with pytest.raises(ITMustAct):
        client_of(server, authentication=other, clock=clock, base_url="https://demo.example").organisations()
    assert server.sign_ins == 3


def test_an_expired_token_is_not_even_tried() -> None:
    clock = FakeClock()
    server = DeviseServer(clock, lifetime=3600)
    client = client_of(server, authentication=devise(clock, MemoryTokenStore()), clock=clock)
    client.organisations()
    clock.sleep(3600)
    client.organisations()
    assert (server.sign_ins, server.calls) == (2, 2)


def test_a_token_without_expiry_lasts_until_a_401() -> None:
    clock = FakeClock()
    server = DeviseServer(clock, lifetime=None)
    client = client_of(server, authentication=devise(clock, MemoryTokenStore()), clock=clock)
    client.organisations()
    clock.sleep(86400 * 365)
    client.organisations()
    assert server.sign_ins == 1


def test_a_401_is_answered_by_one_sign_in() -> None:
    clock = FakeClock()
    server = DeviseServer(clock)
    client = client_of(server, authentication=devise(clock, MemoryTokenStore()), clock=clock)
    client.organisations()
    server.valid = "somebody else signed in"
    client.organisations()
    assert (server.sign_ins, server.calls) == (2, 3)


def test_a_token_that_another_process_got_since_is_used_instead_of_signing_in() -> None:
    """Two processes that each signed in on a 401 would evict each other for ever."""
    clock, store = FakeClock(), MemoryTokenStore()
    server = DeviseServer(clock)
    first = client_of(server, authentication=devise(clock, store), clock=clock)
    second = client_of(server, authentication=devise(clock, store), clock=clock)
    first.organisations()
    server.valid = "evicted"
    second.organisations()
    assert server.sign_ins == 2
    first.organisations()
    assert server.sign_ins == 2


class Forgetful(MemoryTokenStore):
    """A store that lost what it was given."""

    def load(self) -> str | None:
        return None


@pytest.mark.parametrize("store", [MemoryTokenStore, Forgetful])
def test_threads_that_all_get_a_401_sign_in_once(store: type[MemoryTokenStore]) -> None:
    clock = FakeClock()
    server = DeviseServer(clock)
    together = threading.Barrier(8)

    def handler(request: httpx2.Request) -> httpx2.Response:
        answer = server(request)
        if answer.status_code == 401:
            together.wait(timeout=10)  # every thread has sent the old token before one can get the new one
        return answer

    client = client_of(handler, authentication=devise(clock, store()), clock=clock)
    client.organisations()
    server.valid = "evicted"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: client.organisations(), range(8)))
    assert (server.sign_ins, server.calls) == (2, 17)


def test_a_refused_password_is_tried_once() -> None:
    clock = FakeClock()
    server = DeviseServer(clock)
    client = client_of(server, authentication=devise(clock, MemoryTokenStore(), "wrong-secret"), clock=clock)
    for _ in range(3):
        with pytest.raises(ITMustAct) as caught:
            client.organisations()
        assert "password" in caught.value.remedy or "Correct them" in caught.value.remedy
        assert "wrong-secret" not in described(caught.value)
    assert (server.sign_ins, server.calls) == (1, 0)


def test_a_new_token_refused_at_once_is_for_it_and_ends_there() -> None:
    clock = FakeClock()
    server = DeviseServer(clock)

    def refusing(request: httpx2.Request) -> httpx2.Response:
        answer = server(request)
        return answer if request.method == "POST" else httpx2.Response(401, json={"errors": ["x"]})

    client = client_of(refusing, authentication=devise(clock, MemoryTokenStore()), clock=clock)
    with pytest.raises(ITMustAct, match="although it is new"):
        client.organisations()
    assert (server.sign_ins, client.requests) == (2, 4)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (httpx2.Response(401, html="<html>proxy</html>"), ITMustAct),
        (httpx2.Response(404, json={"errors": ["x"]}), ITMustAct),
        (httpx2.Response(200, json={"data": {}}), ITMustAct),
        (httpx2.Response(429, headers={"Retry-After": "60"}), RetryLater),
        (httpx2.Response(503), RetryLater),
        (html(200), RetryLater),
        (httpx2.ReadTimeout("x"), RetryLater),
    ],
)
def test_what_is_no_verdict_on_the_password_does_not_shut_it_out(
    answer: httpx2.Response | Exception, expected: type[Exception]
) -> None:
    clock = FakeClock()
    server = DeviseServer(clock)
    trouble = True

    def handler(request: httpx2.Request) -> httpx2.Response:
        if not trouble:
            return server(request)
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = client_of(handler, authentication=devise(clock, MemoryTokenStore()), clock=clock)
    with pytest.raises(expected):
        client.organisations()
    trouble = False
    assert client.organisations() == ()


# --- OAuth ---------------------------------------------------------------------------------------------------


def test_a_bearer_token_is_refreshed_when_it_expires_and_once_on_a_401() -> None:
    clock = FakeClock()
    server = OAuthServer()
    client = client_of(server, authentication=oauth(clock, MemoryTokenStore()), clock=clock)
    client.organisations()
    client.organisations()
    assert server.refreshes == ["consented"]
    clock.sleep(7200)
    client.organisations()
    assert server.refreshes == ["consented", "refresh-1"]
    server.access = "revoked"
    client.organisations()
    assert server.refreshes == ["consented", "refresh-1", "refresh-2"]


def test_a_server_that_does_not_rotate_keeps_its_refresh_token() -> None:
    clock = FakeClock()
    server = OAuthServer(rotates=False)
    client = client_of(server, authentication=oauth(clock, MemoryTokenStore()), clock=clock)
    client.organisations()
    clock.sleep(7200)
    client.organisations()
    assert server.refreshes == ["consented", "consented"]


def test_a_rotated_refresh_token_is_saved_before_the_new_access_token_is_used() -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    server = OAuthServer()
    saved: list[bool] = []
    server.on_call = lambda: saved.append("refresh-1" in (store.load() or ""))
    client_of(server, authentication=oauth(clock, store), clock=clock).organisations()
    assert saved == [True]


def test_a_later_process_goes_on_with_the_rotated_refresh_token() -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    server = OAuthServer()
    client_of(server, authentication=oauth(clock, store), clock=clock).organisations()
    clock.sleep(7200)
    client_of(server, authentication=oauth(clock, store), clock=clock).organisations()
    assert server.refreshes == ["consented", "refresh-1"]


def test_a_token_that_cannot_be_saved_is_not_used() -> None:
    class FullDisk(MemoryTokenStore):
        def save(self, text: str) -> None:
            raise OSError("no space left")

    clock = FakeClock()
    server = OAuthServer()
    client = client_of(server, authentication=oauth(clock, FullDisk()), clock=clock)
    with pytest.raises(OSError, match="no space"):
        client.organisations()
    assert client.requests == 1


def test_a_refused_refresh_asks_for_consent_once_and_a_new_consent_mends_it() -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    server = OAuthServer()
    client_of(server, authentication=oauth(clock, store), clock=clock).organisations()
    clock.sleep(7200)
    server.refresh = "purged"
    client = client_of(server, authentication=oauth(clock, store), clock=clock)
    for _ in range(2):
        with pytest.raises(ITMustAct) as caught:
            client.organisations()
        assert "Consent again" in caught.value.remedy
        assert not any(secret in described(caught.value) for secret in ("refresh-1", "shh"))
    assert server.refreshes == ["consented", "refresh-1"]
    server.refresh = "consented again"
    client_of(server, authentication=oauth(clock, store, "consented again"), clock=clock).organisations()


def test_losing_the_race_for_a_refresh_token_to_another_process_is_no_error() -> None:
    clock, store = FakeClock(), MemoryTokenStore()
    server = OAuthServer()
    client_of(server, authentication=oauth(clock, store), clock=clock).organisations()
    clock.sleep(7200)
    other = client_of(server, authentication=oauth(clock, store), clock=clock)

    def overtaken(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/oauth/token":
            other.organisations()
        return server(request)

    assert client_of(overtaken, authentication=oauth(clock, store), clock=clock).organisations() == ()


@pytest.mark.parametrize("expires_in", [None, "soon", 1e400, "7200"])
def test_an_odd_lifetime_is_no_error(expires_in: object) -> None:
    text = json.dumps({"access_token": "a", "expires_in": expires_in}).replace("Infinity", "1e400")

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, text=text) if request.method == "POST" else page("organisations", [])

    clock = FakeClock()
    assert client_of(handler, authentication=oauth(clock, MemoryTokenStore()), clock=clock).organisations() == ()


@pytest.mark.parametrize("answer", [html(), httpx2.Response(200, json={"access_token": None})])
def test_a_refresh_without_a_token_is_tried_later(answer: httpx2.Response) -> None:
    clock = FakeClock()
    with pytest.raises(RetryLater):
        client_of(lambda _: answer, authentication=oauth(clock, MemoryTokenStore()), clock=clock).organisations()


# --- both ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["devise", "oauth"])
def test_no_repr_tells_a_secret(kind: str) -> None:
    clock = FakeClock()
    server: DeviseServer | OAuthServer
    authentication: Authentication
    if kind == "devise":
        server, authentication = DeviseServer(clock), devise(clock, MemoryTokenStore())
    else:
        server, authentication = OAuthServer(), oauth(clock, MemoryTokenStore())
    client: RdvSolidaritesClient = client_of(server, authentication=authentication, clock=clock)
    client.organisations()
    token = authentication.token(client._wire)
    shown = repr(client) + repr(authentication) + repr(token)
    assert not any(secret in shown for secret in (PASSWORD, "secret-1", "access-1", "refresh-1", "shh"))
    assert token.expires_at is not None
    assert token.expires_at > START + timedelta(hours=1)
