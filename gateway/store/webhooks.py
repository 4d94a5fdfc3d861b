"""Webhooks as received, subscriptions, and what readings found before any webhook told of it.

What a webhook says waits encrypted until it is applied, and is erased then. Its digest stays for some days, so that a
copy that comes late is known for one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from connectors.deliveries import Delivery, Lieu, PlageOuverture
from gateway.keys import Keyring
from gateway.store.delivery_codec import dump_delivery, dump_lieu, dump_plage, load_delivery, load_lieu, load_plage
from gateway.store.last_word import Thing
from gateway.store.schema import found_first, known_record, webhook_delivery, webhook_endpoint
from gateway.store.statements import among, batches, given
from gateway.store.upsert import upsert

MAIN = "main"
"""The channel of RDVs, absences and all that is about them."""
PLAGES = "plages"
"""The channel of plages d'ouverture."""


@dataclass(frozen=True, slots=True)
class Received:
    """A webhook to keep. `digest`: keyed, of the raw body. `at`: instant."""

    organisation_id: int
    channel: str
    digest: str
    at: datetime
    delivery: Delivery = field(repr=False)


@dataclass(frozen=True, slots=True)
class WaitingDelivery:
    """A webhook that was kept and is not applied yet. The greater `id`, the later received."""

    id: int
    organisation_id: int
    delivery: Delivery = field(repr=False)


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One subscription that was laid. `lost`: changes that readings found and no webhook told of."""

    organisation_id: int
    channel: str
    installed_at: datetime
    last_received_at: datetime | None
    received: int
    lost: int


_AT, _BEFORE = (bindparam(name, type_=webhook_delivery.c.received_at.type) for name in ("at", "before"))

_KNOWN = select(webhook_delivery.c.digest).where(webhook_delivery.c.digest.in_(bindparam("digests", expanding=True)))
_KEEP = insert(webhook_delivery)
_WAITING = (
    select(
        webhook_delivery.c.id,
        webhook_delivery.c.organisation_id,
        webhook_delivery.c.about,
        webhook_delivery.c.number,
        webhook_delivery.c.digest,
        webhook_delivery.c.content,
    )
    .where(~webhook_delivery.c.applied)
    .order_by(webhook_delivery.c.id)
)
_DEPTH = select(func.count(), func.min(webhook_delivery.c.received_at)).where(~webhook_delivery.c.applied)
_APPLIED = update(webhook_delivery).where(among(webhook_delivery.c.id)).values(applied=True, content=None)
_FORGET = delete(webhook_delivery).where(webhook_delivery.c.applied, webhook_delivery.c.received_at < _BEFORE)
_COUNT = (
    update(webhook_endpoint)
    .where(given(webhook_endpoint.c.organisation_id, webhook_endpoint.c.channel))
    .values(received=webhook_endpoint.c.received + bindparam("more"), last_received_at=_AT)
)


def _context(digest: str) -> str:
    return f"webhook_delivery/content/{digest}"


_ENDPOINTS = select(
    webhook_endpoint.c.organisation_id,
    webhook_endpoint.c.channel,
    webhook_endpoint.c.installed_at,
    webhook_endpoint.c.last_received_at,
    webhook_endpoint.c.received,
    webhook_endpoint.c.lost,
).order_by(webhook_endpoint.c.organisation_id, webhook_endpoint.c.channel)
_LOST = (
    update(webhook_endpoint)
    .where(given(webhook_endpoint.c.organisation_id, webhook_endpoint.c.channel))
    .values(lost=webhook_endpoint.c.lost + bindparam("more"))
)


_FOUND = select(found_first.c.kind, found_first.c.number, found_first.c.organisation_id)
_OVERDUE = _FOUND.where(found_first.c.at < bindparam("before", type_=found_first.c.at.type))
_DROP_FOUND = delete(found_first).where(given(found_first.c.kind, found_first.c.number))
_COMING = select(webhook_delivery.c.number).where(
    ~webhook_delivery.c.applied, given(webhook_delivery.c.about), among(webhook_delivery.c.number)
)


_RECORDED = select(known_record.c.number, known_record.c.at).where(
    given(known_record.c.kind), among(known_record.c.number)
)


class WebhookTables:
    """Used within one transaction, or for reading only. Datetimes are instants."""

    def __init__(self, connection: Connection, keys: Keyring) -> None:
        self._connection = connection
        self._keys = keys

    # --- the inbox -----------------------------------------------------------------------------------------------

    def keep(self, received: Sequence[Received]) -> int:
        """Keep those that are not known by their digest; how many are new. All are counted where they came in."""
        fresh: dict[str, Received] = {}
        for each in received:
            fresh.setdefault(each.digest, each)
        known = set(self._connection.scalars(_KNOWN, {"digests": list(fresh)}))
        rows = [
            {
                "digest": each.digest,
                "organisation_id": each.organisation_id,
                "received_at": each.at,
                "about": each.delivery.about.value,
                "number": each.delivery.record_id,
                "applied": False,
                "content": self._keys.encrypt(dump_delivery(each.delivery), _context(each.digest)),
            }
            for each in fresh.values()
            if each.digest not in known
        ]
        if rows:
            self._connection.execute(_KEEP, rows)
        counts = Counter((each.organisation_id, each.channel) for each in received)
        self._connection.execute(
            _COUNT,
            [
                {"of_organisation_id": organisation, "of_channel": channel, "more": count, "at": received[-1].at}
                for (organisation, channel), count in counts.items()
            ],
        )
        return len(rows)

    def waiting(self, *, limit: int, but: Collection[tuple[str, int]] = ()) -> tuple[WaitingDelivery, ...]:
        """The oldest that are not applied, without those about one of the things in `but`: (model, id)."""
        found: list[WaitingDelivery] = []
        with self._connection.execute(_WAITING, execution_options={"yield_per": 100}) as rows:
            for id_, organisation_id, about, number, digest, content in rows:
                if (about, number) not in but:
                    delivery = load_delivery(self._keys.decrypt(content, _context(digest)))
                    found.append(WaitingDelivery(id_, organisation_id, delivery))
                if len(found) == limit:
                    break
        return tuple(found)

    def depth(self) -> tuple[int, datetime | None]:
        """How many are not applied, and when the oldest of them came."""
        count, oldest = self._connection.execute(_DEPTH).one()
        return int(count), oldest

    def mark_applied(self, ids: Sequence[int]) -> None:
        """These are done with: what they said is erased."""
        for some in batches(ids):
            self._connection.execute(_APPLIED, {"of_id": some})

    def forget_deliveries(self, before: datetime) -> int:
        """Digests so old that no copy comes any more; how many."""
        return self._connection.execute(_FORGET, {"before": before}).rowcount

    # --- subscriptions -------------------------------------------------------------------------------------------

    def endpoints(self) -> tuple[EndpointRow, ...]:
        return tuple(EndpointRow(*row) for row in self._connection.execute(_ENDPOINTS))

    def put_endpoint(self, organisation_id: int, channel: str, *, installed_at: datetime) -> None:
        """One that is known already keeps its counts."""
        if any((each.organisation_id, each.channel) == (organisation_id, channel) for each in self.endpoints()):
            return
        row = {"organisation_id": organisation_id, "channel": channel, "installed_at": installed_at}
        upsert(self._connection, webhook_endpoint, [row | {"last_received_at": None, "received": 0, "lost": 0}])

    # --- what readings found first -------------------------------------------------------------------------------

    def put_found_first(self, thing: Thing, organisations: Mapping[int, int], *, about: str, at: datetime) -> None:
        """Things, with the organisation of each, that a reading found changed; but for those whose webhook waits."""
        numbers = list(organisations)
        coming = {
            number
            for some in batches(numbers)
            for number in self._connection.scalars(_COMING, {"of_about": about, "of_number": some})
        }
        upsert(
            self._connection,
            found_first,
            [
                {"kind": thing.value, "number": number, "organisation_id": organisation, "at": at}
                for number, organisation in organisations.items()
                if number not in coming
            ],
        )

    def drop_found_first(self, thing: Thing, numbers: Collection[int]) -> None:
        """Their webhook came after all."""
        if numbers:
            self._connection.execute(_DROP_FOUND, [{"of_kind": thing.value, "of_number": number} for number in numbers])

    def count_lost(self, before: datetime) -> dict[int, int]:
        """What was found before this instant, and not told of since, is counted as lost; how many, by organisation."""
        overdue = [
            (kind, number, organisation)
            for kind, number, organisation in self._connection.execute(_OVERDUE, {"before": before})
        ]
        counts = Counter(organisation for _, _, organisation in overdue)
        if overdue:
            self._connection.execute(
                _DROP_FOUND, [{"of_kind": kind, "of_number": number} for kind, number, _ in overdue]
            )
            self._connection.execute(
                _LOST,
                [{"of_organisation_id": each, "of_channel": MAIN, "more": count} for each, count in counts.items()],
            )
        return dict(counts)

    # --- kept as known -------------------------------------------------------------------------------------------

    def recorded_at(self, kind: str, numbers: Sequence[int]) -> dict[int, datetime]:
        """As of when each of these is known."""
        return {
            number: at
            for some in batches(numbers)
            for number, at in self._connection.execute(_RECORDED, {"of_kind": kind, "of_number": some})
        }

    def put_known(self, kind: str, number: int, content: PlageOuverture | Lieu | None, *, at: datetime) -> None:
        """A plage d'ouverture or a lieu as of an instant; None: gone."""
        agent_id = content.agent_id if isinstance(content, PlageOuverture) else None
        context = f"known_record/content/{kind}/{number}"
        sealed: bytes | None = None
        if isinstance(content, PlageOuverture):
            sealed = self._keys.encrypt_for(content.agent_id, dump_plage(content), context)
        elif content is not None:
            sealed = self._keys.encrypt(dump_lieu(content), context)
        upsert(
            self._connection,
            known_record,
            [{"kind": kind, "number": number, "agent_id": agent_id, "at": at, "content": sealed}],
        )

    def known(self) -> Iterator[PlageOuverture | Lieu]:
        """All that is kept."""
        query = select(known_record.c.kind, known_record.c.number, known_record.c.agent_id, known_record.c.content)
        for kind, number, agent_id, content in self._connection.execute(
            query.where(known_record.c.content.is_not(None))
        ):
            context = f"known_record/content/{kind}/{number}"
            if agent_id is not None:
                yield load_plage(self._keys.decrypt_for(agent_id, content, context))
            else:
                yield load_lieu(self._keys.decrypt(content, context))
