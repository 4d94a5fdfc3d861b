"""The read API: what each token reads, and how everything else is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from connectors.errors import RetryLater
from gateway.api.limiting import RateLimit
from gateway.api.resources import Resources
from gateway.api.routes import api_routes, openapi
from gateway.api.tokens import Authenticator
from gateway.api.values import Scope
from gateway.store.values import OrganisationState
from tests.api.conftest import CANARY, fill, serving

OPENAPI = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_described_api_is_the_one_of_the_code():
    """`make openapi` writes it."""
    assert json.loads(OPENAPI.read_text(encoding="utf-8")) == openapi()


def test_the_description_is_served_to_everybody(served):
    assert served.get("/api/v1/openapi.json").json() == openapi()


def test_the_fleet_in_numbers(served):
    fleet = served.get("/api/v1/status", served.token()).json()
    assert fleet == {
        "agents": {"first_run": 0, "live": 3, "paused": 1, "left": 0},
        "freshness": {"fresh": 1, "stale": 1, "never": 1},
        "with_error": 1,
        "holds": 3,
        "conflicts": 4,
        "writes_stopped_since": None,
    }


def test_one_agent_with_what_waits(served):
    agent = served.get("/api/v1/agents/7", served.token()).json()
    assert (agent["state"], agent["organisation"], agent["holds"], agent["conflicts"]) == ("live", 3, 3, 3)
    since = "2026-03-02T08:00:00Z"
    assert agent["held"] == [{"class": "copy", "reason": "many_removals", "count": 3, "since": since}]
    other = served.get("/api/v1/agents/9", served.token()).json()
    assert other["error"] == {"system": "zimbra", "addressee": "agent"}


def pages(office, path, token):
    found, cursor = [], ""
    while cursor is not None:
        page = office.get(f"{path}&cursor={cursor}" if cursor else path, token).json()
        assert len(page["items"]) <= 2
        found += page["items"]
        cursor = page["next"]
    return found


@pytest.mark.parametrize(("path", "count"), [("agents", 4), ("conflicts", 4), ("journal", 13)])
def test_pages_give_each_item_once(served, path, count):
    """The tokens made here are entries of the journal too, made before it is read."""
    token = served.token()
    served.token()
    whole = served.get(f"/api/v1/{path}", token).json()
    found = pages(served, f"/api/v1/{path}?limit=2", token)
    assert found == whole["items"]
    assert whole["next"] is None
    assert len({each["id"] for each in found}) == len(found) == count - 2 * (path == "journal")


def test_filters_narrow(served):
    token = served.token()
    assert [each["id"] for each in served.get("/api/v1/agents?state=paused", token).json()["items"]] == [8]
    assert [each["id"] for each in served.get("/api/v1/agents?organisation=4", token).json()["items"]] == [9]
    assert {each["agent"] for each in served.get("/api/v1/conflicts?agent=9", token).json()["items"]} == {9}
    later = "2026-03-02T09:00:01%2B01:00"
    assert served.get(f"/api/v1/journal?since={later}", token).json()["items"] == []
    assert len(served.get(f"/api/v1/journal?agent=7&until={later}", token).json()["items"]) == 7


@pytest.mark.parametrize(
    ("about", "seen"),
    [({"organisations": frozenset({3})}, {7, 8}), ({"agents": frozenset({9}), "organisations": frozenset({5})}, {9})],
)
def test_a_restricted_token_reads_about_its_agents_alone(served, about, seen):
    token = served.token(**about)
    assert {each["id"] for each in served.get("/api/v1/agents", token).json()["items"]} == seen
    assert {each["agent"] for each in served.get("/api/v1/conflicts", token).json()["items"]} <= seen
    assert {each["agent"] for each in served.get("/api/v1/journal", token).json()["items"]} <= seen
    assert sum(served.get("/api/v1/status", token).json()["agents"].values()) == len(seen)
    for number in {7, 8, 9, 10, 999} - seen:
        assert served.get(f"/api/v1/agents/{number}", token).status_code == 404
        assert served.get(f"/api/v1/conflicts?agent={number}", token).json()["items"] == []
        assert served.get(f"/api/v1/journal?agent={number}", token).json()["items"] == []


def test_an_agent_without_home_is_of_the_organisations_that_list_them(served):
    with served.store.transaction() as tx:
        tx.save_organisations([OrganisationState(6, "Nord", frozenset({10, 9}), 1)])
    token = served.token(organisations=frozenset({6}))
    assert {each["id"] for each in served.get("/api/v1/agents", token).json()["items"]} == {10}


def test_nothing_personal_is_in_any_answer(served):
    token = served.token()
    for path in ("status", "agents", "agents/9", "conflicts", "journal", "openapi.json"):
        text = served.get(f"/api/v1/{path}", token).text
        assert CANARY not in text
        assert "Dentiste" not in text


def test_names_in_the_journal_need_their_scope_and_content_is_never_there(served):
    shown = served.get("/api/v1/journal?agent=9", served.token(Scope.JOURNAL, Scope.JOURNAL_PEOPLE))
    (entry,) = shown.json()["items"]
    assert (entry["by"], entry["reference"]) == (CANARY, f"/dav/{CANARY}/y.ics")
    assert "Dentiste" not in shown.text
    (plain,) = served.get("/api/v1/journal?agent=9", served.token(Scope.JOURNAL)).json()["items"]
    assert (plain["by"], plain["reference"]) == (None, None)


# --- refusals ------------------------------------------------------------------------------------------------


def problem(answer: httpx2.Response, status: int) -> dict[str, object]:
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/problem+json")
    content = answer.json()
    assert content["status"] == status
    return content


def test_without_a_valid_token_there_is_one_answer(served):
    """Unknown, altered, expired, revoked, badly formed or none: nobody learns which."""
    known, ended, old = served.token(), served.token(), served.token(days=1)
    with served.store.transaction() as tx:
        assert tx.tokens.revoke(ended.split("_")[1], at=served.clock.now())
    served.clock.instant += timedelta(days=2)
    altered = known[:-1] + ("A" if known[-1] != "A" else "B")
    unknown = f"rdvgw_0123456789_{known.split('_', 2)[2]}"
    answers = [served.get("/api/v1/agents", each) for each in (None, "x", "y", altered, unknown, ended, old)]
    assert len({json.dumps(problem(each, 401)) for each in answers}) == 1
    assert all(each.headers["WWW-Authenticate"].startswith("Bearer ") for each in answers)
    assert served.get("/api/v1/agents", known).status_code == 200


def test_a_token_is_revoked_at_once(served):
    token = served.token()
    assert served.get("/api/v1/status", token).status_code == 200
    with served.store.transaction() as tx:
        tx.tokens.revoke(token.split("_")[1], at=served.clock.now())
    assert served.get("/api/v1/status", token).status_code == 401


def test_neither_the_token_nor_its_plain_digest_is_kept(served):
    token = served.token()
    with served.store.tokens() as known:
        found, digest = known.find(token.split("_")[1])
    secret = token.split("_", 2)[2]
    assert len(secret) == 43
    assert secret not in repr((found, digest))
    assert found.last_used_at is None
    served.get("/api/v1/status", token)
    with served.store.tokens() as known:
        assert known.find(found.id)[0].last_used_at == served.clock.now()


@pytest.mark.parametrize(
    ("path", "scope"), [("status", "state:read"), ("conflicts", "conflicts:read"), ("journal", "journal:read")]
)
def test_each_scope_opens_its_own(served, path, scope):
    others = [each for each in Scope if each.value != scope]
    refused = served.get(f"/api/v1/{path}", served.token(*others))
    assert scope in problem(refused, 403)["detail"]
    assert served.get(f"/api/v1/{path}", served.token(Scope(scope))).status_code == 200


FAULTS = [
    ("status?x=1", "x"),
    ("agents?State=live", "State"),
    ("agents?state=dead", "state"),
    ("agents?limit=0", "limit"),
    ("agents?limit=501", "limit"),
    ("agents?limit=1_0", "limit"),
    ("agents?limit=5&limit=6", "limit"),
    ("agents?organisation=%2B3", "organisation"),
    ("agents?organisation=9223372036854775808", "organisation"),
    ("agents?cursor=x", "cursor"),
    ("agents?cursor=7.00", "cursor"),
    ("conflicts?cursor=7", "cursor"),
    ("journal?since=2026-03-02T09:00:00", "since"),
    ("journal?since=0001-01-01T00:00:00%2B01:00", "since"),
    ("journal?since=1772442000", "since"),
    ("journal?until=2026-02-30T09:00:00Z", "until"),
    ("journal?%3Cscript%3E=1", "…"),
]


def test_a_parameter_at_fault_is_named(served):
    token = served.token()
    for path, parameter in FAULTS:
        errors = problem(served.get(f"/api/v1/{path}", token), 400)["errors"]
        assert (path, [each["parameter"] for each in errors]) == (path, [parameter])
        assert all(each["reason"] for each in errors)


def test_what_is_not_there_and_what_is_not_read(served):
    token = served.token()
    for path in (
        "",
        "/x",
        "/v1",
        "/v1/",
        "/v1/agents/",
        "/v1/agents/0",
        "/v1/agents/007",
        "/v1/agents/x/y",
        "/v2/agents",
    ):
        problem(served.get(f"/api{path}", token), 404)
    bearer = {"Authorization": f"Bearer {token}"}
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        answer = served.client.request(method, f"{served.url}/api/v1/agents", headers=bearer)
        problem(answer, 405)
        assert answer.headers["Allow"] == "GET, HEAD"
    head = served.client.head(f"{served.url}/api/v1/agents", headers=bearer)
    assert (head.status_code, head.content) == (200, b"")


def test_what_the_caller_has_is_not_sent_again(served):
    token = served.token()
    first = served.get("/api/v1/agents", token)
    etag = first.headers["ETag"]
    again = served.get("/api/v1/agents", token, **{"If-None-Match": f'"x", W/{etag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    served.ran(8)
    assert served.get("/api/v1/agents", token, **{"If-None-Match": etag}).status_code == 200


def test_a_token_that_asks_too_much_waits_and_the_others_do_not(office):
    fill(office)
    seconds = 0.0
    limit = RateLimit(3, lambda: seconds)
    routes = api_routes(
        Resources(office.store, office.clock, timedelta(hours=1)), Authenticator(office.store, office.clock), limit
    )
    with serving(office, routes):
        greedy, other = office.token(), office.token()
        for _ in range(3):
            assert office.get("/api/v1/status", greedy).status_code == 200
        refused = office.get("/api/v1/status", greedy)
        problem(refused, 429)
        assert refused.headers["Retry-After"] == "20"
        assert office.get("/api/v1/status", other).status_code == 200
        seconds = 20.0
        assert office.get("/api/v1/status", greedy).status_code == 200
        assert office.get("/api/v1/status", greedy).status_code == 429


def test_trouble_with_the_database_and_defects_tell_nothing_of_their_texts(served, monkeypatch, caplog):
    token = served.token()
    served.get("/api/v1/status", token)
    for error, status in ((RetryLater("kept by Dentiste", system="database"), 503), (ValueError("Dentiste"), 500)):

        def fails(*_given, error=error):
            raise error

        monkeypatch.setattr(type(served.store), "agent_status", fails)
        answer = served.get("/api/v1/status", token)
        problem(answer, status)
        assert "Dentiste" not in answer.text
