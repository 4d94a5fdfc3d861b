"""What a webhook says, how it is signed, and the requests that lay a subscription."""

from __future__ import annotations

import hashlib
import hmac
import json
from datetime import UTC, date, datetime, time
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.deliveries import Delivery, DeliveryEvent, Lieu, PlageOuverture, Told
from connectors.errors import AnswerLost, BadItem
from connectors.rdv_solidarites import WebhookReader
from connectors.rdv_solidarites.webhooks import SIGNATURE_HEADER, is_signed, sign
from connectors.records import Absence, Rdv, RdvSelection, RdvWindow, UsagerField, WebhookEndpoint
from tests.connectors.rdv_solidarites.support import BASE_URL, absence_record, agent_record, client_of, rdv_record

NOTHING = WebhookReader(BASE_URL, RdvSelection())
ENDPOINT = {"id": 5, "target_url": "https://gateway.example/w/3", "organisation_id": 3, "subscriptions": ["absence"]}


def body(model: str, data: object, event: str = "updated", **meta: Any) -> bytes:
    said = {"model": model, "event": event, "webhook_reason": None, "timestamp": "2026-03-02 09:00:07 +0100", **meta}
    return json.dumps({"data": data, "meta": said}).encode()


def read(raw: bytes) -> Delivery:
    delivery = NOTHING.read(raw)
    assert delivery is not None
    return delivery


def test_a_signature_is_the_hexadecimal_hmac_of_the_raw_body() -> None:
    raw = "{é}".encode()
    assert sign("clé", raw) == hmac.new("clé".encode(), raw, hashlib.sha256).hexdigest()
    assert SIGNATURE_HEADER == "X-Lapin-Signature"


@pytest.mark.parametrize("secrets", [("new",), ("old", "new"), ("new", "old")])
def test_any_of_the_secrets_may_have_signed(secrets: tuple[str, ...]) -> None:
    assert is_signed(b"body", sign("new", b"body"), secrets)


@pytest.mark.parametrize(
    "signature",
    ["", "0" * 64, "é" * 64, sign("other", b"body"), sign("new", b"body ")[:64], sign("new", b"body").upper() + "0"],
)
def test_what_no_secret_signed_is_not_signed(signature: str) -> None:
    assert not is_signed(b"body", signature, ("new", "old"))
    assert not is_signed(b"body", signature, ())


def test_an_rdv_is_reduced_at_the_door() -> None:
    delivery = read(body("Rdv", rdv_record(77)))
    assert (delivery.about, delivery.event, delivery.record_id) == (Told.RDV, DeliveryEvent.UPDATED, 77)
    assert delivery.said_at == datetime(2026, 3, 2, 8, 0, 7, tzinfo=UTC)
    assert isinstance(delivery.content, Rdv)
    assert all(not each.usager for each in delivery.content.participations)
    chosen = WebhookReader(BASE_URL, RdvSelection(frozenset({UsagerField.LAST_NAME}))).read(body("Rdv", rdv_record(77)))
    assert chosen is not None
    assert isinstance(chosen.content, Rdv)
    assert {name for each in chosen.content.participations for name, _ in each.usager} == {UsagerField.LAST_NAME}


def test_a_webhook_and_a_listing_say_the_same_of_an_rdv() -> None:
    """Otherwise each reading would find everything changed that a webhook brought."""
    record = rdv_record(77)
    client = client_of(lambda _request: httpx2.Response(200, json={"rdvs": [record], "meta": {"next_page": None}}))
    now = datetime(2026, 3, 2, tzinfo=UTC)
    organisation = record["organisation"]["id"]
    [listed] = client.rdvs(organisation, [RdvWindow(now, now)]).rdvs
    assert read(body("Rdv", record)).content == listed


def test_an_absence_is_read_as_in_a_listing() -> None:
    content = read(body("Absence", absence_record(412))).content
    assert isinstance(content, Absence)
    assert content.id == 412


def test_a_removal_carries_no_content_and_a_purge_is_told_apart() -> None:
    assert read(body("Rdv", rdv_record(77), "destroyed")) == Delivery(
        Told.RDV, DeliveryEvent.DESTROYED, 77, datetime(2026, 3, 2, 8, 0, 7, tzinfo=UTC)
    )
    assert read(body("Rdv", rdv_record(77), "destroyed", webhook_reason="rgpd")).purge


def test_plages_and_lieux_are_read() -> None:
    plage = {
        "id": 9,
        "title": "Permanence",
        "first_day": "2026-03-02",
        "start_time": "09:00:00",
        "end_time": "12:00:00",
        "rrule": None,
        "agent": agent_record(12),
        "organisation": {"id": 3},
        "lieu": {"id": 4},
        "motifs": [{"id": 1}, {"name": "no id"}],
    }
    assert read(body("PlageOuverture", plage)).content == PlageOuverture(
        9, 12, 3, date(2026, 3, 2), time(9), time(12), None, 4, (1,), "Permanence"
    )
    lieu = {"id": 4, "name": "MDS", "address": "1 rue", "organisation_id": 3, "single_use": False}
    assert read(body("Lieu", lieu)).content == Lieu(4, 3, False, "MDS", "1 rue")


@pytest.mark.parametrize("model", ["User", "Motif", "SomethingNew"])
def test_what_is_of_no_interest_is_none(model: str) -> None:
    assert NOTHING.read(body(model, {"id": 1, "first_name": "Jeanne"})) is None


def test_a_record_that_cannot_be_read_says_why() -> None:
    delivery = read(body("Rdv", rdv_record(77, starts_at="soon")))
    assert (delivery.content, delivery.unreadable) == (None, "starts_at is not a timestamp")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"<html></html>",
        b"[]",
        b"{}",
        b'{"data": {}, "meta": 1}',
        body("Rdv", {"name": "no id"}),
        body("Rdv", {"id": 1}, "burnt"),
        body("Rdv", {"id": 1}, timestamp="yesterday"),
        b"[" * 100_000,
    ],
)
def test_what_is_no_webhook_is_refused_without_quoting_it(raw: bytes) -> None:
    with pytest.raises(BadItem) as caught:
        NOTHING.read(raw)
    assert "yesterday" not in str(caught.value)


@given(st.binary(max_size=60) | st.dictionaries(st.text(), st.text()).map(lambda each: json.dumps(each).encode()))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        NOTHING.read(raw)
    except BadItem:
        return


def test_a_subscription_is_laid_and_changed_with_its_secret() -> None:
    sent: list[tuple[str, str, object]] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append((request.method, request.url.path, json.loads(request.content)))
        return httpx2.Response(200, json={"webhook_endpoint": ENDPOINT})

    client = client_of(answer)
    made = client.create_webhook_endpoint(3, "https://gateway.example/w/3", "s3cret", ["rdv", "absence"])
    client.update_webhook_endpoint(made, secret="other", subscriptions=["absence"])
    assert made == WebhookEndpoint(5, 3, "https://gateway.example/w/3", frozenset({"absence"}))
    assert sent == [
        (
            "POST",
            "/api/v1/organisations/3/webhook_endpoints",
            {"target_url": "https://gateway.example/w/3", "secret": "s3cret", "subscriptions": ["absence", "rdv"]},
        ),
        (
            "PATCH",
            "/api/v1/organisations/3/webhook_endpoints/5",
            {"secret": "other", "subscriptions": ["absence"]},
        ),
    ]


def test_an_answer_without_the_endpoint_leaves_open_what_was_laid() -> None:
    client = client_of(lambda _request: httpx2.Response(200, json={}))
    with pytest.raises(AnswerLost):
        client.create_webhook_endpoint(3, "https://gateway.example/w/3", "s3cret", ["absence"])
