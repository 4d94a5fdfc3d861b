"""Which RDVs concern which usager, by keyed digests of their ids, and where a link goes when two usagers are merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, delete, exists, insert, select, update

from connectors.records import Rdv
from gateway.keys import Keyring
from gateway.store.schema import feed_link, observed_participation, observed_rdv
from gateway.store.statements import among, batches, given
from mappings.feed_levels import Purpose

_COLUMNS = observed_participation.c
_HELD = select(_COLUMNS.participation_id, _COLUMNS.usager_key).where(among(_COLUMNS.rdv_id))
_UNLINK, _LINK = delete(observed_participation).where(given(_COLUMNS.rdv_id)), insert(observed_participation)
_ANY_LINK = select(exists().where(feed_link.c.revoked_at.is_(None)))
_LINKED = select(feed_link.c.purpose, feed_link.c.subject_key).where(
    feed_link.c.revoked_at.is_(None), among(feed_link.c.subject_key)
)
_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Merge:
    """An usager who became another one in RDV-Solidarités, as seen in participations that went over. `moved`: their
    links went along; else it is not clear to whom, and they run empty."""

    links: tuple[int, ...]
    moved: bool


def usager_key(keys: Keyring, usager_id: int) -> int:
    """63 bits of a keyed digest: the database names usagers by nothing else. Two that share one are told apart by the
    ids in the RDVs themselves."""
    return int(keys.digest(f"usager/{usager_id}".encode())[:16], 16) >> 1


def subject_key(keys: Keyring, purpose: Purpose, subject: int) -> int:
    """How tables name whom or what a feed is for."""
    return usager_key(keys, subject) if purpose is Purpose.USAGER else subject


def wanted(connection: Connection, keys: Keyring, rdvs: Iterable[Rdv]) -> set[int]:
    """Ids of those RDVs that some feed may hold, whoever their agents are."""
    if not connection.scalar(_ANY_LINK):
        return set()
    concerned: defaultdict[tuple[str, int], set[int]] = defaultdict(set)
    for rdv in rdvs:
        for each in _subjects(keys, rdv):
            concerned[each].add(rdv.id)
    found: set[int] = set()
    for some in batches({key for _, key in concerned}):
        for purpose, key in connection.execute(_LINKED, {"of_subject_key": some}):
            found |= concerned.get((purpose, key), set())
    return found


def _subjects(keys: Keyring, rdv: Rdv) -> Iterable[tuple[str, int]]:
    yield Purpose.ORGANISATION.value, rdv.organisation_id
    if rdv.lieu_id is not None:
        yield Purpose.LIEU.value, rdv.lieu_id
    yield from ((Purpose.AGENT.value, agent_id) for agent_id in rdv.agent_ids)
    for each in rdv.participations:
        for usager_id in (each.usager_id, each.responsible_id):
            if usager_id is not None:
                yield Purpose.USAGER.value, usager_key(keys, usager_id)


def keep_participations(
    connection: Connection, keys: Keyring, rdvs: Sequence[Rdv], *, read_at: datetime
) -> tuple[Merge, ...]:
    """These are all the participations of these RDVs now; who was merged into whom by that."""
    before = {
        participation_id: key
        for some in batches([rdv.id for rdv in rdvs])
        for participation_id, key in connection.execute(_HELD, {"of_rdv_id": some})
    }
    if rdvs:
        connection.execute(_UNLINK, [{"of_rdv_id": rdv.id} for rdv in rdvs])
    rows = [
        {
            "rdv_id": rdv.id,
            "participation_id": each.id,
            "usager_key": usager_key(keys, each.usager_id),
            "answerer_key": None if each.responsible_id is None else usager_key(keys, each.responsible_id),
        }
        for rdv in rdvs
        for each in {one.id: one for one in rdv.participations}.values()
        if each.usager_id is not None
    ]
    if rows:
        connection.execute(_LINK, rows)
    went: defaultdict[int, set[int]] = defaultdict(set)
    for rdv in rdvs:
        for each in rdv.participations:
            was = before.get(each.id)
            if was is not None and each.usager_id is not None and usager_key(keys, each.usager_id) != was:
                went[was].add(each.usager_id)
    return tuple(_merges(connection, keys, went, read_at))


def _merges(connection: Connection, keys: Keyring, went: dict[int, set[int]], read_at: datetime) -> Iterable[Merge]:
    """A link goes along once nothing that is ahead is left under the former usager, and all went to the same one."""
    of_usager = (feed_link.c.purpose == Purpose.USAGER.value, feed_link.c.revoked_at.is_(None))
    for was, now in went.items():
        ids = tuple(connection.scalars(select(feed_link.c.id).where(*of_usager, feed_link.c.subject_key == was)))
        if not ids:
            continue
        ahead = (
            exists()
            .where(_COLUMNS.usager_key == was)
            .where(_COLUMNS.rdv_id == observed_rdv.c.id, observed_rdv.c.starts_at_server > read_at - _A_DAY)
        )
        if len(now) > 1 or connection.scalar(select(ahead)):
            yield Merge(ids, moved=False)
            continue
        (usager_id,) = now
        for id_ in ids:
            sealed = keys.encrypt(str(usager_id).encode(), subject_context(id_))
            values = {"subject_key": usager_key(keys, usager_id), "subject": sealed}
            connection.execute(update(feed_link).where(feed_link.c.id == id_).values(values))
        yield Merge(ids, moved=True)


def subject_context(link_id: int) -> str:
    """What a link's subject is encrypted for."""
    return f"feed_link/subject/{link_id}"
