"""Webhooks of RDV-Solidarités: their signature, and what they say. Pure; the door at which personal fields stop."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from connectors.deliveries import DeliveredContent, Delivery, DeliveryEvent, Lieu, PlageOuverture, Told
from connectors.errors import BadItem
from connectors.rdv_solidarites import parsing
from connectors.rdv_solidarites.faults import SYSTEM
from connectors.rdv_solidarites.timestamps import day, timestamp, wall_clock
from connectors.rdv_solidarites.unreadable import Unreadable
from connectors.records import Rdv, RdvSelection

SIGNATURE_HEADER = "X-Lapin-Signature"
_SIGNATURE_LENGTH = 64  # hexadecimal digits of SHA-256
_KNOWN = frozenset(Told)
_PURGE = "rgpd"


def sign(secret: str, body: bytes) -> str:
    """Lowercase hexadecimal HMAC-SHA256 of the raw body (`docs/api/webhooks/` of rdv-service-public)."""
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def is_signed(body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether one of these secrets signed the body. Takes as long for a near miss as for a far one."""
    if len(signature) != _SIGNATURE_LENGTH or not signature.isascii():
        return False
    matches = [hmac.compare_digest(sign(secret, body), signature) for secret in secrets]
    return any(matches)


class WebhookReader:
    """Implements `connectors.ports.WebhookDoor`. `selection`: what of usagers may pass. `base_url`: of the instance."""

    signature_header = SIGNATURE_HEADER

    def __init__(self, base_url: str, selection: RdvSelection) -> None:
        self._base_url = base_url.rstrip("/")
        self._selection = selection
        self._readers: Mapping[Told, Callable[[object], DeliveredContent]] = {
            Told.RDV: self._rdv,
            Told.ABSENCE: parsing.absence,
            Told.PLAGE_OUVERTURE: _plage_ouverture,
            Told.LIEU: _lieu,
        }

    def is_signed(self, body: bytes, signature: str, secrets: Iterable[str]) -> bool:
        return is_signed(body, signature, secrets)

    def sign(self, secret: str, body: bytes) -> str:
        return sign(secret, body)

    def read(self, body: bytes) -> Delivery | None:
        data, meta = _parts(body)
        model = meta.get("model")
        if model not in _KNOWN:
            return None
        about, number = Told(model), parsing.record_id(data)
        if number is None:
            raise BadItem("a webhook's record has no id", system=SYSTEM)
        event, said_at = _event(meta), _said_at(meta)
        if event is DeliveryEvent.DESTROYED:
            return Delivery(about, event, number, said_at, purge=meta.get("webhook_reason") == _PURGE)
        content: DeliveredContent | None = None
        unreadable = ""
        if about in self._readers:
            try:
                content = self._readers[about](data)
            except Unreadable as error:
                unreadable = str(error)
        return Delivery(about, event, number, said_at, content=content, unreadable=unreadable)

    def _rdv(self, data: object) -> Rdv:
        rdv = parsing.rdv(data, organisation_id=0, chosen=self._selection, base_url=self._base_url)
        if not rdv.organisation_id:
            raise Unreadable("it has no organisation")
        return rdv


def _parts(body: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise BadItem("a webhook's body is not JSON", system=SYSTEM) from None
    data = document.get("data") if isinstance(document, dict) else None
    meta = document.get("meta") if isinstance(document, dict) else None
    if not isinstance(data, dict) or not isinstance(meta, dict) or not isinstance(meta.get("model"), str):
        raise BadItem("a webhook's body has not the form of one", system=SYSTEM)
    return data, meta


def _event(meta: Mapping[str, Any]) -> DeliveryEvent:
    try:
        return DeliveryEvent(str(meta.get("event")))
    except ValueError:
        raise BadItem("a webhook's event is none that is known", system=SYSTEM) from None


def _said_at(meta: Mapping[str, Any]) -> datetime:
    try:
        return timestamp(meta.get("timestamp"), time_zone=None, what="timestamp").instant
    except Unreadable as error:
        raise BadItem(f"a webhook cannot be read: {error}", system=SYSTEM) from None


def _plage_ouverture(data: object) -> PlageOuverture:
    fields = parsing.fields_of(data)
    first_day = day(fields.get("first_day"), what="first_day")
    motifs = fields.get("motifs")
    return PlageOuverture(
        id=parsing.required_id(fields, "plage d'ouverture"),
        agent_id=parsing.required_id(parsing.nested(fields, "agent"), "agent"),
        organisation_id=parsing.record_id(parsing.nested(fields, "organisation")),
        first_day=first_day,
        start=wall_clock(first_day, fields.get("start_time"), what="start_time").time(),
        end=wall_clock(first_day, fields.get("end_time"), what="end_time").time(),
        rrule=parsing.text_of(fields, "rrule") or None,
        lieu_id=parsing.record_id(parsing.nested(fields, "lieu")),
        motif_ids=tuple(
            number
            for each in (motifs if isinstance(motifs, list) else ())
            if (number := parsing.record_id(each)) is not None
        ),
        title=parsing.text_of(fields, "title"),
    )


def _lieu(data: object) -> Lieu:
    fields = parsing.fields_of(data)
    return Lieu(
        id=parsing.required_id(fields, "lieu"),
        organisation_id=parsing.integer_of(fields.get("organisation_id")),
        single_use=fields.get("single_use") is True,
        name=parsing.text_of(fields, "name"),
        address=parsing.text_of(fields, "address"),
    )
