"""What was said last of a thing of RDV-Solidarités by anything but a listing, and how far listings go.

No record there has a version: the later of a webhook's instant, a listing's, and that of our own write wins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, bindparam, delete, select

from gateway.store.schema import (
    agreed_copy,
    agreed_mirror,
    last_said,
    meta,
    observed_rdv,
    observed_rdv_agent,
    pool_block,
)
from gateway.store.statements import among, batches, given
from gateway.store.upsert import upsert
from gateway.sync.values import Presence

_ABSENCES_READ = "absences_read_at"


class Thing(StrEnum):
    """What listings, webhooks and our own writes all tell of."""

    RDV = "rdv"
    ABSENCE = "absence"


@dataclass(frozen=True, slots=True)
class Said:
    """The last word on a thing. `at`: instant, of our clock. `by_us`: as re-read after our own write; else a webhook's,
    at the end of the second in which it was written, or that of a listing that was not whole."""

    at: datetime
    by_us: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class HeldRdv:
    """What is held of an RDV, without decrypting it. `digest`: as it was saved with. `concerned`: its agents, and those
    who have a copy of it."""

    presence: Presence
    digest: str
    starts_at_server: datetime
    organisation_id: int
    missing_readings: int
    concerned: frozenset[int]


_SAID = select(last_said.c.number, last_said.c.at, last_said.c.by_us, last_said.c.gone)
_SAID_OF = _SAID.where(given(last_said.c.kind), among(last_said.c.number))
_SAID_AFTER = _SAID.where(given(last_said.c.kind), last_said.c.at > bindparam("since", type_=last_said.c.at.type))
_TOLD_GONE = select(last_said.c.number).where(given(last_said.c.kind), last_said.c.gone, ~last_said.c.by_us)
_FORGET = delete(last_said).where(last_said.c.at < bindparam("before", type_=last_said.c.at.type))
_READ_AT = select(meta.c.value).where(meta.c.name == _ABSENCES_READ)
_RDVS = select(
    observed_rdv.c.id,
    observed_rdv.c.presence,
    observed_rdv.c.digest,
    observed_rdv.c.starts_at_server,
    observed_rdv.c.organisation_id,
    observed_rdv.c.missing_readings,
).where(among(observed_rdv.c.id))
_LINKS = select(observed_rdv_agent.c.rdv_id, observed_rdv_agent.c.agent_id).where(among(observed_rdv_agent.c.rdv_id))
_COPIES = select(agreed_copy.c.rdv_id, agreed_copy.c.agent_id).where(among(agreed_copy.c.rdv_id))

_MAPPED = tuple(select(table.c.absence_id).where(given(table.c.absence_id)) for table in (pool_block, agreed_mirror))


class LastWords:
    """Used within one transaction. Datetimes are instants."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def said_of(self, thing: Thing, numbers: Sequence[int]) -> dict[int, Said]:
        """The last word on each of these, as far as there is one."""
        return {
            number: Said(*rest)
            for some in batches(numbers)
            for number, *rest in self._connection.execute(_SAID_OF, {"of_kind": thing.value, "of_number": some})
        }

    def said_after(self, thing: Thing, since: datetime) -> dict[int, Said]:
        """The last words that are younger than an instant."""
        rows = self._connection.execute(_SAID_AFTER, {"of_kind": thing.value, "since": since})
        return {number: Said(*rest) for number, *rest in rows}

    def told_gone(self, thing: Thing) -> frozenset[int]:
        """Those of which a webhook said that they were removed."""
        return frozenset(self._connection.scalars(_TOLD_GONE, {"of_kind": thing.value}))

    def put_said(self, thing: Thing, words: Mapping[int, Said]) -> None:
        upsert(
            self._connection,
            last_said,
            [
                {"kind": thing.value, "number": number, "at": said.at, "by_us": said.by_us, "gone": said.gone}
                for number, said in words.items()
            ],
        )

    def forget_said(self, before: datetime) -> int:
        """Words so old that nothing older can still come; how many."""
        return self._connection.execute(_FORGET, {"before": before}).rowcount

    def absences_read_at(self) -> datetime | None:
        """When the last complete listing of absences was asked for."""
        text = self._connection.scalar(_READ_AT)
        return None if text is None else datetime.fromisoformat(text)

    def put_absences_read_at(self, at: datetime) -> None:
        upsert(self._connection, meta, [{"name": _ABSENCES_READ, "value": at.isoformat()}])

    def is_mapped(self, absence_id: int) -> bool:
        """Whether an absence is in a pool or mirrored."""
        return any(self._connection.scalar(query, {"of_absence_id": absence_id}) is not None for query in _MAPPED)

    def rdvs_held(self, numbers: Sequence[int]) -> tuple[dict[int, HeldRdv], dict[int, frozenset[int]]]:
        """Of these RDVs, what is held; and who has copies of them."""
        links: defaultdict[int, set[int]] = defaultdict(set)
        copies: defaultdict[int, set[int]] = defaultdict(set)
        held: dict[int, HeldRdv] = {}
        for some in batches(numbers):
            for rdv_id, agent_id in self._connection.execute(_LINKS, {"of_rdv_id": some}):
                links[rdv_id].add(agent_id)
            for rdv_id, agent_id in self._connection.execute(_COPIES, {"of_rdv_id": some}):
                copies[rdv_id].add(agent_id)
            for number, presence, digest, start, organisation, missing in self._connection.execute(
                _RDVS, {"of_id": some}
            ):
                concerned = frozenset(links[number] | copies[number])
                held[number] = HeldRdv(Presence(presence), digest, start, organisation, missing, concerned)
        return held, {number: frozenset(agents) for number, agents in copies.items() if agents}
