"""What RDV-Solidarités was seen to hold: organisations, RDVs, absences."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select, union, update

from connectors.records import Absence, Rdv, RdvSelection
from gateway.keys import Keyring
from gateway.store.codec import dump_json, dump_rdv, dump_selection, load_rdv, load_selection
from gateway.store.feed_index import Merge, keep_participations
from gateway.store.schema import (
    agreed_copy,
    meta,
    observed_absence,
    observed_rdv,
    observed_rdv_agent,
    organisation_state,
    rdv_window,
)
from gateway.store.statements import among, batches, given
from gateway.store.upsert import upsert
from gateway.store.values import ObservedAbsence, ObservedRdv, OrganisationState, StoredWindow
from gateway.sync.values import Presence, SeenAbsence, SeenRdv

_SELECTION = "rdv_selection"
_PRESENT = Presence.PRESENT.value

_ORGANISATIONS = select(
    organisation_state.c.id,
    organisation_state.c.name,
    organisation_state.c.agent_ids,
    organisation_state.c.agents_epoch,
)
_WINDOWS = (
    select(rdv_window.c.starts_at, rdv_window.c.ends_at, rdv_window.c.read_at)
    .where(given(rdv_window.c.organisation_id))
    .order_by(rdv_window.c.starts_at, rdv_window.c.ends_at)
)
_DROP_WINDOWS, _ADD_WINDOWS = delete(rdv_window).where(given(rdv_window.c.organisation_id)), insert(rdv_window)
_KEPT_SELECTION = select(meta.c.value).where(meta.c.name == _SELECTION)

_LINKS = (
    select(observed_rdv_agent.c.rdv_id, observed_rdv_agent.c.agent_id)
    .join(observed_rdv)
    .where(given(observed_rdv.c.organisation_id))
)
_RDVS = (
    select(
        observed_rdv.c.id,
        observed_rdv.c.starts_at_server,
        observed_rdv.c.service_id,
        observed_rdv.c.presence,
        observed_rdv.c.missing_because,
        observed_rdv.c.missing_readings,
        observed_rdv.c.agents_epoch,
        observed_rdv.c.digest,
    )
    .where(given(observed_rdv.c.organisation_id))
    .order_by(observed_rdv.c.id)
)
_STORED_RDVS = select(
    observed_rdv.c.id,
    observed_rdv.c.digest,
    observed_rdv.c.presence,
    observed_rdv.c.missing_because,
    observed_rdv.c.missing_readings,
    observed_rdv.c.agents_epoch,
).where(among(observed_rdv.c.id))
_SEEN = select(observed_rdv.c.id, observed_rdv.c.content, observed_rdv.c.presence, observed_rdv.c.missing_because)
_SEEN_RDV = _SEEN.where(given(observed_rdv.c.id))
_SEEN_RDVS = _SEEN.where(
    observed_rdv.c.id.in_(
        union(
            select(observed_rdv_agent.c.rdv_id).where(given(observed_rdv_agent.c.agent_id)),
            select(agreed_copy.c.rdv_id).where(given(agreed_copy.c.agent_id)),
        )
    )
).order_by(observed_rdv.c.id)
_CHANGE_RDV, _DROP_RDV = (made.where(given(observed_rdv.c.id)) for made in (update(observed_rdv), delete(observed_rdv)))
_UNLINK, _LINK = delete(observed_rdv_agent).where(given(observed_rdv_agent.c.rdv_id)), insert(observed_rdv_agent)

_ABSENCE = (
    observed_absence.c.id,
    observed_absence.c.agent_id,
    observed_absence.c.starts_at,
    observed_absence.c.ends_at,
    observed_absence.c.rrule,
    observed_absence.c.title_digest,
    observed_absence.c.presence,
    observed_absence.c.missing_because,
)
_ABSENCES = select(*_ABSENCE)
_STORED_ABSENCES = _ABSENCES.where(among(observed_absence.c.id))
_SEEN_ABSENCES = (
    select(*_ABSENCE, observed_absence.c.title)
    .where(given(observed_absence.c.agent_id))
    .order_by(observed_absence.c.id)
)
_THIS_ABSENCE = given(observed_absence.c.id)
_CHANGE_ABSENCE = update(observed_absence).where(_THIS_ABSENCE)
_DROP_ABSENCE = delete(observed_absence).where(_THIS_ABSENCE)

# --- organisations and windows -------------------------------------------------------------------------------


def organisation_states(connection: Connection) -> dict[int, OrganisationState]:
    return {
        id_: OrganisationState(id_, name, frozenset(json.loads(agent_ids)), epoch)
        for id_, name, agent_ids, epoch in connection.execute(_ORGANISATIONS)
    }


def save_organisations(connection: Connection, states: Iterable[OrganisationState]) -> None:
    rows = [
        {
            "id": state.id,
            "name": state.name,
            "agent_ids": dump_json(sorted(state.agent_ids)),
            "agents_epoch": state.agents_epoch,
        }
        for state in states
    ]
    upsert(connection, organisation_state, rows)


def rdv_windows(connection: Connection, organisation_id: int) -> tuple[StoredWindow, ...]:
    return tuple(StoredWindow(*row) for row in connection.execute(_WINDOWS, {"of_organisation_id": organisation_id}))


def save_rdv_windows(connection: Connection, organisation_id: int, windows: Iterable[StoredWindow]) -> None:
    connection.execute(_DROP_WINDOWS, {"of_organisation_id": organisation_id})
    latest: dict[tuple[datetime, datetime], datetime] = {}
    for one in windows:
        latest[one.start, one.end] = max(one.read_at, latest.get((one.start, one.end), one.read_at))
    rows = [
        {"organisation_id": organisation_id, "starts_at": start, "ends_at": end, "read_at": read_at}
        for (start, end), read_at in latest.items()
    ]
    if rows:
        connection.execute(_ADD_WINDOWS, rows)


# --- what of RDVs is chosen ----------------------------------------------------------------------------------


def keep_selection(connection: Connection, keys: Keyring, selection: RdvSelection) -> None:
    """From here on RDVs are read with this selection. If it is another one than before, every window counts as unread,
    and what is not chosen any more is taken out of what is stored, whether it will be read again or not."""
    text = dump_selection(selection)
    before = connection.scalar(_KEPT_SELECTION)
    if before == text:
        return
    upsert(connection, meta, [{"name": _SELECTION, "value": text}])
    connection.execute(delete(rdv_window))
    known = None if before is None else load_selection(before)
    if known is None or known.usager_fields - selection.usager_fields or (known.context and not selection.context):
        _reduce_rdvs(connection, keys, selection)


def _reduce_rdvs(connection: Connection, keys: Keyring, selection: RdvSelection) -> None:
    ids = connection.scalars(select(observed_rdv.c.id)).all()
    for some in batches(ids):
        rows: list[dict[str, object]] = []
        query = select(observed_rdv.c.id, observed_rdv.c.content).where(observed_rdv.c.id.in_(some))
        for id_, content in connection.execute(query):
            stored = keys.decrypt(content, _rdv_context(id_))
            reduced = dump_rdv(load_rdv(stored).only(selection))
            if reduced != stored:
                rows.append({"of_id": id_, "content": keys.encrypt(reduced, _rdv_context(id_)), "digest": ""})
        if rows:
            connection.execute(_CHANGE_RDV, rows)


# --- RDVs ----------------------------------------------------------------------------------------------------


def observed_rdvs(connection: Connection, organisation_id: int) -> tuple[ObservedRdv, ...]:
    there = {"of_organisation_id": organisation_id}
    agent_ids: defaultdict[int, list[int]] = defaultdict(list)
    for rdv_id, agent_id in connection.execute(_LINKS, there):
        agent_ids[rdv_id].append(agent_id)
    return tuple(
        ObservedRdv(id_, starts, service_id, frozenset(agent_ids[id_]), Presence(presence), because, *rest)
        for id_, starts, service_id, presence, because, *rest in connection.execute(_RDVS, there)
    )


def seen_rdvs(connection: Connection, keys: Keyring, agent_id: int) -> Iterator[SeenRdv]:
    """RDVs observed with this agent, and those that the agent has an agreed copy of."""
    return _each_seen(connection, keys, _SEEN_RDVS, {"of_agent_id": agent_id})


def seen_rdv(connection: Connection, keys: Keyring, rdv_id: int) -> SeenRdv | None:
    return next(_each_seen(connection, keys, _SEEN_RDV, {"of_id": rdv_id}), None)


def _each_seen(
    connection: Connection, keys: Keyring, query: Select[Any], of: Mapping[str, object]
) -> Iterator[SeenRdv]:
    for id_, content, presence, because in connection.execute(query, of):
        yield SeenRdv(load_rdv(keys.decrypt(content, _rdv_context(id_))), Presence(presence), because)


def save_rdvs(
    connection: Connection,
    keys: Keyring,
    rdvs: Sequence[Rdv],
    *,
    digests: Mapping[int, str],
    agents_epoch: int,
    read_at: datetime,
) -> tuple[Merge, ...]:
    """Those that are stored already with the same digest are not encrypted and written again. Which usagers who have a
    feed were merged into others."""
    stored = _stored_rdvs(connection, [rdv.id for rdv in rdvs])
    changed = [rdv for rdv in rdvs if rdv.id not in stored or stored[rdv.id][0] != digests[rdv.id]]
    same = {rdv.id for rdv in rdvs}.difference(rdv.id for rdv in changed)
    upsert(
        connection,
        observed_rdv,
        [_rdv_row(keys, rdv, digests[rdv.id], agents_epoch=agents_epoch, read_at=read_at) for rdv in changed],
    )
    if changed:
        connection.execute(_UNLINK, [{"of_rdv_id": rdv.id} for rdv in changed])
        links = [{"rdv_id": rdv.id, "agent_id": agent_id} for rdv in changed for agent_id in set(rdv.agent_ids)]
        if links:
            connection.execute(_LINK, links)
    seen_again = [rdv_id for rdv_id in same if stored[rdv_id][1:] != (_PRESENT, "", 0, agents_epoch)]
    if seen_again:
        connection.execute(
            _CHANGE_RDV,
            [
                {
                    "of_id": rdv_id,
                    "presence": _PRESENT,
                    "missing_because": "",
                    "missing_readings": 0,
                    "agents_epoch": agents_epoch,
                }
                for rdv_id in seen_again
            ],
        )
    return keep_participations(connection, keys, changed, read_at=read_at)


def save_rdv_missing(connection: Connection, rdv_id: int, *, readings: int, presence: Presence, because: str) -> None:
    row = {"of_id": rdv_id, "missing_readings": readings, "presence": presence.value, "missing_because": because}
    connection.execute(_CHANGE_RDV, row)


def forget_rdvs(connection: Connection, ids: Collection[int]) -> None:
    if ids:
        connection.execute(_DROP_RDV, [{"of_id": id_} for id_ in ids])


def _stored_rdvs(connection: Connection, ids: Sequence[int]) -> dict[int, tuple[str, str, str, int, int]]:
    """By id: digest, presence, why missing, readings without it, epoch of the agent list."""
    return {
        id_: (digest, presence, because, readings, epoch)
        for some in batches(ids)
        for id_, digest, presence, because, readings, epoch in connection.execute(_STORED_RDVS, {"of_id": some})
    }


def _rdv_row(keys: Keyring, rdv: Rdv, digest: str, *, agents_epoch: int, read_at: datetime) -> dict[str, object]:
    return {
        "id": rdv.id,
        "organisation_id": rdv.organisation_id,
        "starts_at_server": rdv.starts_at_server,
        "service_id": rdv.service_id,
        "presence": _PRESENT,
        "missing_because": "",
        "missing_readings": 0,
        "agents_epoch": agents_epoch,
        "digest": digest,
        "read_at": read_at,
        "content": keys.encrypt(dump_rdv(rdv), _rdv_context(rdv.id)),
        "lieu_id": rdv.lieu_id,
    }


def _rdv_context(rdv_id: int) -> str:
    return f"observed_rdv/content/{rdv_id}"


# --- absences ------------------------------------------------------------------------------------------------


def observed_absences(connection: Connection) -> dict[int, ObservedAbsence]:
    return {row[0]: ObservedAbsence(*row[:6], Presence(row[6]), row[7]) for row in connection.execute(_ABSENCES)}


def observed_absences_of(connection: Connection, ids: Sequence[int]) -> dict[int, ObservedAbsence]:
    """Those of these ids that are held."""
    return {
        row[0]: ObservedAbsence(*row[:6], Presence(row[6]), row[7])
        for some in batches(ids)
        for row in connection.execute(_STORED_ABSENCES, {"of_id": some})
    }


def seen_absences(connection: Connection, keys: Keyring, agent_id: int) -> Iterator[SeenAbsence]:
    rows = connection.execute(_SEEN_ABSENCES, {"of_agent_id": agent_id})
    for id_, owner, starts, ends, rrule, _, presence, because, title in rows:
        text = keys.decrypt_for(owner, title, _title_context(id_)).decode(errors="surrogatepass")
        yield SeenAbsence(Absence(id_, owner, text, starts, ends, rrule), Presence(presence), because)


def save_absences(connection: Connection, keys: Keyring, absences: Sequence[Absence]) -> None:
    """Those that are stored already as they are, and present, are not written again."""
    stored: dict[int, tuple[object, ...]] = {
        row[0]: tuple(row[1:])
        for some in batches([absence.id for absence in absences])
        for row in connection.execute(_STORED_ABSENCES, {"of_id": some})
    }
    rows: list[dict[str, object]] = []
    for absence in absences:
        title_digest = absence_title_digest(keys.digest_key, absence.title)
        now = (absence.agent_id, absence.start, absence.end, absence.rrule, title_digest, _PRESENT, "")
        if stored.get(absence.id) != now:
            names = ("agent_id", "starts_at", "ends_at", "rrule", "title_digest", "presence", "missing_because")
            row = dict(zip(names, now, strict=True))
            sealed = keys.encrypt_for(absence.agent_id, _title_bytes(absence.title), _title_context(absence.id))
            rows.append(row | {"id": absence.id, "title": sealed})
    upsert(connection, observed_absence, rows)


def save_absence_presence(connection: Connection, absence_id: int, presence: Presence, because: str) -> None:
    row = {"of_id": absence_id, "presence": presence.value, "missing_because": because}
    connection.execute(_CHANGE_ABSENCE, row)


def forget_absences(connection: Connection, ids: Collection[int]) -> None:
    if ids:
        connection.execute(_DROP_ABSENCE, [{"of_id": id_} for id_ in ids])


def absence_title_digest(key: bytes, title: str) -> str:
    """Keyed digest of an absence's title, letter by letter, as it is held."""
    return hmac.digest(key, _title_bytes(title), hashlib.sha256).hex()


def _title_bytes(title: str) -> bytes:
    return title.encode(errors="surrogatepass")


def _title_context(absence_id: int) -> str:
    return f"observed_absence/title/{absence_id}"
