"""Sessions: password tokens, OAuth."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from gateway.sandbox.accounts import CLIENT_ID, CLIENT_SECRET
from tests.sandbox.support import PASSWORD, World

TEXT = {"errors": ["Vous devez vous connecter ou vous inscrire pour continuer."]}


def sign_in(client: httpx2.Client, email: str = "admin@demo.example") -> dict[str, str]:
    answer = client.post("/api/v1/auth/sign_in", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 200
    return {name: answer.headers[name] for name in ("access-token", "client", "uid")}


def test_sign_in_answers_with_headers(world: World) -> None:
    answer = world.anonymous().post("/api/v1/auth/sign_in", json={"email": "admin@demo.example", "password": PASSWORD})
    assert answer.headers["token-type"] == "Bearer"
    assert answer.headers["uid"] == "admin@demo.example"
    assert int(answer.headers["expiry"]) == int(world.clock.now.timestamp()) + 14 * 86400
    assert answer.json()["data"]["id"] == 1


@pytest.mark.parametrize("password", ["", "wrong"])
def test_bad_credentials_are_401_with_text(world: World, password: str) -> None:
    answer = world.anonymous().post("/api/v1/auth/sign_in", json={"email": "admin@demo.example", "password": password})
    assert answer.status_code == 401
    assert answer.json()["success"] is False
    assert isinstance(answer.json()["errors"][0], str)


def test_the_same_headers_stay_valid_without_rotation(world: World) -> None:
    client = world.anonymous()
    headers = sign_in(client)
    assert [client.get("/api/v1/agents/me", headers=headers).status_code for _ in range(3)] == [200] * 3


def test_a_new_sign_in_evicts_the_token_before(world: World) -> None:
    client = world.anonymous()
    first = sign_in(client)
    second = sign_in(client)
    evicted = client.get("/api/v1/agents/me", headers=first)
    assert (evicted.status_code, evicted.json()) == (401, TEXT)
    assert client.get("/api/v1/agents/me", headers=second).json()["agent"]["email"] == "admin@demo.example"


def test_sign_ins_of_different_agents_do_not_evict_each_other(world: World) -> None:
    client = world.anonymous()
    first = sign_in(client)
    sign_in(client, "pmi@demo.example")
    assert client.get("/api/v1/agents/me", headers=first).status_code == 200


def test_a_token_expires_after_the_configured_life(world: World) -> None:
    world.state.accounts.set_lifetimes(password_token=60)
    client = world.anonymous()
    headers = sign_in(client)
    world.clock.advance(seconds=59)
    assert client.get("/api/v1/auth/validate_token", headers=headers).json()["success"] is True
    world.clock.advance(seconds=2)
    assert client.get("/api/v1/auth/validate_token", headers=headers).status_code == 401
    assert client.get("/api/v1/absences", headers=headers).json() == TEXT


def test_sign_out_ends_the_session(world: World) -> None:
    client = world.anonymous()
    headers = sign_in(client)
    assert client.delete("/api/v1/auth/sign_out", headers=headers).status_code == 200
    assert client.get("/api/v1/agents/me", headers=headers).status_code == 401


def test_passwords_can_be_refused_as_newer_instances_do(world: World) -> None:
    client = world.anonymous()
    headers = sign_in(client)
    world.state.accounts.allow_passwords(allowed=False)
    assert client.get("/api/v1/agents/me", headers=headers).status_code == 401
    answer = client.post("/api/v1/auth/sign_in", json={"email": "admin@demo.example", "password": PASSWORD})
    assert answer.status_code == 401


def test_without_token_every_endpoint_is_401(world: World) -> None:
    client = world.anonymous()
    for path in ("absences", "agents", "organisations", "organisations/1/rdvs", "organisations/1/motifs"):
        assert client.get(f"/api/v1/{path}").json() == TEXT


def renew(client: httpx2.Client, refresh_token: str, secret: str = CLIENT_SECRET) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return client.post("/oauth/token", data=form | {"client_id": CLIENT_ID, "client_secret": secret})


def test_a_bearer_token_expires_and_is_renewed_with_rotation(world: World) -> None:
    client = world.anonymous()
    tokens = world.state.accounts.grant(1)
    bearer = {"Authorization": f"Bearer {tokens.access_token}"}
    assert client.get("/api/v1/agents/me", headers=bearer).status_code == 200
    world.clock.advance(hours=3)
    assert client.get("/api/v1/agents/me", headers=bearer).json() == TEXT
    renewed = renew(client, tokens.refresh_token).json()
    assert renewed["token_type"] == "Bearer"
    assert renewed["expires_in"] == 7200
    assert renewed["scope"] == "write"
    fresh = {"Authorization": f"Bearer {renewed['access_token']}"}
    assert client.get("/api/v1/agents/me", headers=fresh).status_code == 200
    again = renew(client, tokens.refresh_token)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert renew(client, renewed["refresh_token"]).status_code == 200


def test_renewal_wants_the_client_secret_and_a_known_grant(world: World) -> None:
    client = world.anonymous()
    tokens = world.state.accounts.grant(1)
    assert renew(client, tokens.refresh_token, secret="wrong").json()["error"] == "invalid_client"
    for grant in ("client_credentials", "password"):
        answer = client.post("/oauth/token", data={"grant_type": grant}, auth=(CLIENT_ID, CLIENT_SECRET))
        assert answer.json()["error"] == "unsupported_grant_type"


def test_revoking_everything_refuses_renewal_too(world: World) -> None:
    tokens = world.state.accounts.grant(1)
    world.state.accounts.revoke_all()
    assert renew(world.anonymous(), tokens.refresh_token).status_code == 400


def test_the_consent_page_gives_a_code_that_is_good_once(world: World) -> None:
    client = world.anonymous()
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": "http://localhost:9/retour?a=1",
        "response_type": "code",
        "state": "xyz",
        "login_hint": "pmi@demo.example",
    }
    sent = client.get("/oauth/authorize", params=asked, follow_redirects=False)
    assert sent.status_code == 302
    query = parse_qs(urlsplit(sent.headers["location"]).query)
    assert query["state"] == ["xyz"]
    form = {"grant_type": "authorization_code", "code": query["code"][0], "redirect_uri": asked["redirect_uri"]}
    tokens = client.post("/oauth/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET)).json()
    me = client.get("/api/v1/agents/me", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert me.json()["agent"]["email"] == "pmi@demo.example"
    assert client.post("/oauth/token", data=form, auth=(CLIENT_ID, CLIENT_SECRET)).status_code == 400


def test_a_code_asked_for_with_a_challenge_wants_its_verifier(world: World) -> None:
    """RFC 7636, with the example of its appendix B; a wrong one uses the code up."""
    client = world.anonymous()
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": "https://agenda.example.fr/",
        "response_type": "code",
        "code_challenge": "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
        "login_hint": "pmi@demo.example",
    }
    plain = client.get("/oauth/authorize", params=asked | {"code_challenge_method": "plain"}, follow_redirects=False)
    assert "error=invalid_request" in plain.headers["location"]
    for verifier, status in (("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", 200), ("another", 400), ("", 400)):
        sent = client.get("/oauth/authorize", params=asked | {"code_challenge_method": "S256"}, follow_redirects=False)
        code = parse_qs(urlsplit(sent.headers["location"]).query)["code"][0]
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": asked["redirect_uri"]}
        answers = [
            client.post("/oauth/token", data=form | {"code_verifier": verifier}, auth=(CLIENT_ID, CLIENT_SECRET))
            for _ in range(2)
        ]
        assert [answer.status_code for answer in answers] == [status, 400]


def test_a_refused_consent_leads_back_with_the_state(world: World) -> None:
    world.state.accounts.refuse_consents(refused=True)
    asked = {
        "client_id": CLIENT_ID,
        "redirect_uri": "https://agenda.example.fr/",
        "response_type": "code",
        "state": "xyz",
        "login_hint": "pmi@demo.example",
    }
    sent = world.anonymous().get("/oauth/authorize", params=asked, follow_redirects=False)
    assert parse_qs(urlsplit(sent.headers["location"]).query) == {"error": ["access_denied"], "state": ["xyz"]}


def test_a_grant_that_was_not_used_for_a_month_is_purged(world: World) -> None:
    tokens = world.state.accounts.grant(1)
    used = renew(world.anonymous(), tokens.refresh_token).json()["refresh_token"]
    world.clock.advance(days=29)
    used = renew(world.anonymous(), used).json()["refresh_token"]
    world.clock.advance(days=31)
    assert renew(world.anonymous(), used).json() == {"error": "invalid_grant"}


def test_the_consent_page_leads_to_https_or_this_machine_only(world: World) -> None:
    asked = {"client_id": CLIENT_ID, "redirect_uri": "http://elsewhere.example/", "response_type": "code"}
    answer = world.anonymous().get("/oauth/authorize", params=asked, follow_redirects=False)
    assert answer.status_code == 400
