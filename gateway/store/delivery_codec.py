"""What webhooks say to JSON and back, for what is kept encrypted. Every `load` gives back an equal value."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import date, datetime, time
from typing import Any

from connectors.deliveries import DeliveredContent, Delivery, DeliveryEvent, Lieu, PlageOuverture, Told
from connectors.records import Absence, Rdv
from gateway.store.codec import dump_json, dump_rdv, load_rdv


def dump_delivery(delivery: Delivery) -> bytes:
    content: bytes | None = None
    match delivery.content:
        case Rdv() as rdv:
            content = dump_rdv(rdv)
        case Absence() as absence:
            content = _dump_absence(absence)
        case PlageOuverture() as plage:
            content = dump_plage(plage)
        case Lieu() as lieu:
            content = dump_lieu(lieu)
    return dump_json(
        {
            "about": delivery.about.value,
            "event": delivery.event.value,
            "record_id": delivery.record_id,
            "said_at": delivery.said_at.isoformat(),
            "purge": delivery.purge,
            "content": content and content.decode(),
            "unreadable": delivery.unreadable,
        }
    ).encode()


def load_delivery(data: bytes) -> Delivery:
    stored = json.loads(data)
    about = Told(stored["about"])
    text = stored["content"]
    return Delivery(
        about,
        DeliveryEvent(stored["event"]),
        stored["record_id"],
        datetime.fromisoformat(stored["said_at"]),
        purge=stored["purge"],
        content=None if text is None else _LOADS[about](text.encode()),
        unreadable=stored["unreadable"],
    )


def dump_plage(plage: PlageOuverture) -> bytes:
    times = {name: getattr(plage, name).isoformat() for name in ("first_day", "start", "end")}
    return dump_json(asdict(plage) | times).encode()


def load_plage(data: bytes) -> PlageOuverture:
    content: dict[str, Any] = json.loads(data)
    content["first_day"] = date.fromisoformat(content["first_day"])
    content["start"], content["end"] = time.fromisoformat(content["start"]), time.fromisoformat(content["end"])
    content["motif_ids"] = tuple(content["motif_ids"])
    return PlageOuverture(**content)


def dump_lieu(lieu: Lieu) -> bytes:
    return dump_json(asdict(lieu)).encode()


def load_lieu(data: bytes) -> Lieu:
    return Lieu(**json.loads(data))


def _dump_absence(absence: Absence) -> bytes:
    times = {"start": absence.start.isoformat(), "end": absence.end.isoformat()}
    return dump_json(asdict(absence) | times).encode()


def _load_absence(data: bytes) -> Absence:
    content: dict[str, Any] = json.loads(data)
    content["start"] = datetime.fromisoformat(content["start"])
    content["end"] = datetime.fromisoformat(content["end"])
    return Absence(**content)


_LOADS: Mapping[Told, Callable[[bytes], DeliveredContent]] = {
    Told.RDV: load_rdv,
    Told.ABSENCE: _load_absence,
    Told.PLAGE_OUVERTURE: load_plage,
    Told.LIEU: load_lieu,
}
