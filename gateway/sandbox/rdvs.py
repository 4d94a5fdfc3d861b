"""RDVs and their participations: what agents and usagers do to them in the web pages, with the webhooks it sends."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from gateway.sandbox import times
from gateway.sandbox.errors import invalid, no_such_record
from gateway.sandbox.permissions import Caller, ids
from gateway.sandbox.storage import Storage
from gateway.sandbox.webhooks import Outbox

STATUSES = ("unknown", "seen", "excused", "revoked", "noshow")
CANCELLED = ("excused", "revoked")
ROW_ORDERS = ("heap", "shuffled")
_HEAP_END = 1 << 32


class Rdvs:
    """Makes, moves, cancels and removes RDVs. Times are naive wall-clocks, as typed by the agent where they work.

    Raises `Refused` (404) for an unknown RDV, (422) for one that does not validate, `ValueError` for a wrong word.
    """

    def __init__(self, storage: Storage, outbox: Outbox) -> None:
        self._storage = storage
        self._outbox = outbox

    def create(
        self,
        *,
        organisation_id: int,
        motif_id: int,
        agent_ids: Sequence[int],
        starts_at: datetime,
        duration_in_min: int = 30,
        user_ids: Sequence[int] = (),
        lieu_id: int | None = None,
        context: str | None = None,
        name: str | None = None,
        max_participants_count: int | None = None,
        created_by_type: str = "Agent",
        created_by_id: int | None = None,
        notify: bool = True,
    ) -> int:
        """A new RDV; a collective one if its motif is. Sends "created", then a burst of "updated"."""
        motif = self._storage.row("SELECT * FROM motifs WHERE id = ?", [motif_id])
        self._check(
            motif,
            organisation_id=organisation_id,
            agent_ids=agent_ids,
            user_ids=user_ids,
            lieu_id=lieu_id,
            duration_in_min=duration_in_min,
        )
        start = times.from_stored(times.stored_from_wall_clock(starts_at))
        with self._storage.transaction():
            rdv_id = self._storage.run(
                "INSERT INTO rdvs (uuid, organisation_id, motif_id, lieu_id, starts_at, ends_at, status, context,"
                " name, max_participants_count, created_by_type, created_by_id, created_at, heap_position)"
                " VALUES (?, ?, ?, ?, ?, ?, 'unknown', ?, ?, ?, ?, ?, ?, 0)",
                [
                    str(uuid.uuid4()),
                    organisation_id,
                    motif_id,
                    lieu_id,
                    times.stored(start),
                    times.stored(start + timedelta(minutes=duration_in_min)),
                    context,
                    name,
                    max_participants_count,
                    created_by_type,
                    created_by_id if created_by_id is not None else agent_ids[0],
                    times.stored(self._storage.clock()),
                ],
            )
            # scattered rather than in order of creation, as a table is that has lived
            self._storage.run("UPDATE rdvs SET heap_position = ? WHERE id = ?", [rdv_id * 7919 % 104_729, rdv_id])
            self._set_agents(rdv_id, agent_ids)
            for user_id in user_ids:
                self._participate(rdv_id, user_id, notify=notify)
            self._outbox.announce("Rdv", "created", rdv_id, [organisation_id])
            for _ in range(self._outbox.policy.burst):
                self._outbox.announce("Rdv", "updated", rdv_id, [organisation_id])
        return rdv_id

    def _check(
        self,
        motif: sqlite3.Row | None,
        *,
        organisation_id: int,
        agent_ids: Sequence[int],
        user_ids: Sequence[int],
        lieu_id: int | None,
        duration_in_min: int,
    ) -> None:
        faults: dict[str, list[str]] = {}
        if motif is None or motif["organisation_id"] != organisation_id:
            faults["motif"] = ["foreign"]
        elif motif["location_type"] == "public_office" and lieu_id is None:
            faults["lieu"] = ["blank"]
        elif not motif["collectif"] and not user_ids:
            faults["participations"] = ["blank"]
        if not agent_ids:
            faults["agents"] = ["blank"]
        if duration_in_min <= 0:
            faults["duration_in_min"] = ["positive"]
        if faults:
            raise invalid(faults)

    # --- changes ---------------------------------------------------------------------------------------------------

    def move(
        self,
        rdv_id: int,
        starts_at: datetime,
        *,
        duration_in_min: int | None = None,
        agent_ids: Sequence[int] | None = None,
    ) -> None:
        """Another time, perhaps another length and other agents: an online reschedule may replace the agent."""
        with self._storage.transaction():
            row = self.get(rdv_id)
            length = times.from_stored(row["ends_at"]) - times.from_stored(row["starts_at"])
            if duration_in_min is not None:
                length = timedelta(minutes=duration_in_min)
            if length <= timedelta(0):
                raise invalid({"duration_in_min": ["positive"]})
            start = times.from_stored(times.stored_from_wall_clock(starts_at))
            self._storage.run(
                "UPDATE rdvs SET starts_at = ?, ends_at = ? WHERE id = ?",
                [times.stored(start), times.stored(start + length), rdv_id],
            )
            if agent_ids is not None:
                self._set_agents(rdv_id, agent_ids)
            self._touched(row)

    def set_agents(self, rdv_id: int, agent_ids: Sequence[int]) -> None:
        """Who holds the RDV. The webhook lists the new agents only: nothing tells who left."""
        with self._storage.transaction():
            row = self.get(rdv_id)
            self._set_agents(rdv_id, agent_ids)
            self._touched(row)

    def swap_agent(self, rdv_id: int, old_agent_id: int, new_agent_id: int) -> None:
        with self._storage.transaction():
            present = self.agents_of(rdv_id)
            if old_agent_id not in present:
                raise no_such_record("AgentsRdv")
            kept = [new_agent_id if agent == old_agent_id else agent for agent in present]
            self.set_agents(rdv_id, list(dict.fromkeys(kept)))

    def edit(self, rdv_id: int, *, context: str | None = None, name: str | None = None) -> None:
        """Saves the form: with a new context or name, or with nothing changed (which sends "updated" as well)."""
        with self._storage.transaction():
            row = self.get(rdv_id)
            self._storage.run(
                "UPDATE rdvs SET context = coalesce(?, context), name = coalesce(?, name) WHERE id = ?",
                [context, name, rdv_id],
            )
            self._touched(row)

    def cancel(self, rdv_id: int, status: str = "excused") -> None:
        """Cancelled at the usager's initiative (excused) or by the service (revoked), with all its participations."""
        if status not in CANCELLED:
            raise ValueError(f"{status!r} is not a cancellation")
        self.set_status(rdv_id, status)

    def recreate(self, rdv_id: int) -> None:
        """A cancelled RDV takes place after all: back to unknown, same id and uuid."""
        self.set_status(rdv_id, "unknown")

    def set_status(self, rdv_id: int, status: str) -> None:
        """Any status, for the RDV and all its participations: seen and noshow for what happened."""
        if status not in STATUSES:
            raise ValueError(f"{status!r} is no status of an RDV")
        with self._storage.transaction():
            row = self.get(rdv_id)
            self._store_status(rdv_id, status)
            self._storage.run("UPDATE participations SET status = ? WHERE rdv_id = ?", [status, rdv_id])
            self._touched(row, times_sent=self._outbox.policy.burst)

    def delete(self, rdv_id: int) -> None:
        """Hard deletion by an admin of the organisation: the row vanishes."""
        self._destroy(rdv_id, None)

    def purge(self, rdv_id: int) -> None:
        """What the retention job does two years after: destroyed, with the reason rgpd. Not a cancellation."""
        self._destroy(rdv_id, "rgpd")

    def _destroy(self, rdv_id: int, reason: str | None) -> None:
        with self._storage.transaction():
            row = self.get(rdv_id)
            self._outbox.announce("Rdv", "destroyed", rdv_id, [row["organisation_id"]], reason)
            self._storage.run("DELETE FROM participations WHERE rdv_id = ?", [rdv_id])
            self._storage.run("DELETE FROM rdv_agents WHERE rdv_id = ?", [rdv_id])
            self._storage.run("DELETE FROM rdvs WHERE id = ?", [rdv_id])

    # --- participations --------------------------------------------------------------------------------------------

    def add_participant(self, rdv_id: int, user_id: int, *, notify: bool = True) -> int:
        """A usager joins; gives the id of the participation."""
        with self._storage.transaction():
            row = self.get(rdv_id)
            participation_id = self._participate(rdv_id, user_id, notify=notify)
            self._touched(row)
        return participation_id

    def set_participation(self, participation_id: int, status: str) -> None:
        """One participant's status, and what it makes of the RDV's. The same status again changes nothing.

        Usagers with notifications on are told of a cancellation (or of its end) of a future RDV: `notifications`.
        """
        if status not in STATUSES:
            raise ValueError(f"{status!r} is no status of a participation")
        with self._storage.transaction():
            participation = self._storage.row("SELECT * FROM participations WHERE id = ?", [participation_id])
            if participation is None:
                raise no_such_record("Participation")
            if participation["status"] == status:
                return
            row = self.get(participation["rdv_id"])
            self._storage.run("UPDATE participations SET status = ? WHERE id = ?", [status, participation_id])
            self._store_status(row["id"], self._resulting_status(row))
            self._tell(row, participation, status)
            self._touched(row, times_sent=max(2, self._outbox.policy.burst))

    def _resulting_status(self, row: sqlite3.Row) -> str:
        statuses = {
            found[0] for found in self._storage.rows("SELECT status FROM participations WHERE rdv_id = ?", [row["id"]])
        }
        if "seen" in statuses:
            return "seen"
        collectif = self._storage.number("SELECT collectif FROM motifs WHERE id = ?", [row["motif_id"]])
        if collectif:
            past = row["starts_at"] < times.stored(self._storage.clock())
            return "revoked" if past and "unknown" not in statuses else str(row["status"])
        return statuses.pop() if len(statuses) == 1 else "unknown"

    def _tell(self, row: sqlite3.Row, participation: sqlite3.Row, status: str) -> None:
        now = times.stored(self._storage.clock())
        if not participation["notified"] or row["starts_at"] <= now:
            return
        kind = None
        if status in CANCELLED:
            kind = "cancelled"
        elif participation["status"] in CANCELLED and status == "unknown":
            kind = "recreated"
        if kind:
            self._storage.run(
                "INSERT INTO notifications (at, kind, rdv_id, user_id) VALUES (?, ?, ?, ?)",
                [now, kind, row["id"], participation["user_id"]],
            )

    def _participate(self, rdv_id: int, user_id: int, *, notify: bool) -> int:
        return self._storage.run(
            "INSERT INTO participations (rdv_id, user_id, status, notified, created_by_type) VALUES"
            " (?, ?, 'unknown', ?, 'Agent')",
            [rdv_id, user_id, int(notify)],
        )

    # --- reading ---------------------------------------------------------------------------------------------------

    def get(self, rdv_id: int) -> sqlite3.Row:
        row = self._storage.row("SELECT * FROM rdvs WHERE id = ?", [rdv_id])
        if row is None:
            raise no_such_record("Rdv")
        return row

    def agents_of(self, rdv_id: int) -> list[int]:
        return [
            row[0]
            for row in self._storage.rows("SELECT agent_id FROM rdv_agents WHERE rdv_id = ? ORDER BY id", [rdv_id])
        ]

    def set_row_order(self, order: str) -> None:
        """How rows come: "heap", as they lie on disk (an updated one goes last), or "shuffled" for each request."""
        if order not in ROW_ORDERS:
            raise ValueError(f"{order!r} is none of {', '.join(ROW_ORDERS)}")
        self._storage.set_setting("rdv_rows", order)

    def page(
        self, caller: Caller, organisation_id: int, *, after: str | None, before: str | None, page: int, size: int
    ) -> tuple[list[int], int]:
        """Ids on a page and the total, of the organisation's RDVs that the caller may see, in no order.

        Bounds are stored texts, inclusive. Without the secretariat's scope an RDV comes once per agent it has.
        """
        if organisation_id not in caller.roles:
            return [], 0
        source = _PLAIN if caller.secretariat else _JOINED
        scope = self._scope(caller, organisation_id, after, before)
        total = self._storage.number(f"SELECT count(*) {source}", scope)
        rows = self._storage.rows(
            f"SELECT rdvs.id {source} {_ROW_ORDER}",
            scope | {"salt": self._next_salt(), "size": size, "offset": (page - 1) * size},
        )
        return [row[0] for row in rows], total

    def _scope(
        self, caller: Caller, organisation_id: int, after: str | None = None, before: str | None = None
    ) -> dict[str, object]:
        return {
            "organisation": organisation_id,
            "after": after or "",
            "before": before or "9999",
            "all": int(caller.sees_all_rdvs_of(organisation_id)),
            "me": caller.agent_id,
            "basic": int(caller.roles[organisation_id] == "basic"),
            "services": ids(caller.services),
            "no_services": ids(caller.withheld_services),
            "no_agents": ids(caller.withheld_agents),
        }

    def visible_to(self, caller: Caller, rdv_id: int) -> bool:
        """Whether the caller may see (and so change the participations of) an RDV."""
        row = self.get(rdv_id)
        if row["organisation_id"] not in caller.roles:
            return False
        query = f"SELECT count(*) {_PLAIN if caller.secretariat else _JOINED} AND rdvs.id = :rdv"
        return bool(self._storage.number(query, self._scope(caller, row["organisation_id"]) | {"rdv": rdv_id}))

    def _next_salt(self) -> int:
        if self._storage.setting("rdv_rows", "heap") == "heap":
            return 0
        salt = int(self._storage.setting("rdv_readings", 0)) + 1
        self._storage.set_setting("rdv_readings", salt)
        return salt

    # --- writing, inside -------------------------------------------------------------------------------------------

    def _store_status(self, rdv_id: int, status: str) -> None:
        # cancelled_at is set for a no-show too, although that is no cancellation
        cancelled_at = times.stored(self._storage.clock()) if status in (*CANCELLED, "noshow") else None
        self._storage.run("UPDATE rdvs SET status = ?, cancelled_at = ? WHERE id = ?", [status, cancelled_at, rdv_id])

    def _set_agents(self, rdv_id: int, agent_ids: Collection[int]) -> None:
        if not agent_ids:
            raise invalid({"agents": ["blank"]})
        self._storage.run("DELETE FROM rdv_agents WHERE rdv_id = ?", [rdv_id])
        for agent_id in agent_ids:
            self._storage.run("INSERT INTO rdv_agents (rdv_id, agent_id) VALUES (?, ?)", [rdv_id, agent_id])

    def _touched(self, row: sqlite3.Row, times_sent: int = 1) -> None:
        last = self._storage.number("SELECT max(heap_position) FROM rdvs")
        self._storage.run("UPDATE rdvs SET heap_position = ? WHERE id = ?", [max(last, _HEAP_END) + 1, row["id"]])
        for _ in range(max(1, times_sent)):
            self._outbox.announce("Rdv", "updated", row["id"], [row["organisation_id"]])


_SEEN = """
    WHERE rdvs.organisation_id = :organisation AND starts_at >= :after AND starts_at <= :before
      AND motifs.service_id NOT IN (SELECT value FROM json_each(:no_services))
      AND EXISTS (SELECT 1 FROM rdv_agents AS left_visible WHERE left_visible.rdv_id = rdvs.id
                  AND left_visible.agent_id NOT IN (SELECT value FROM json_each(:no_agents)))
"""
_PLAIN = "FROM rdvs JOIN motifs ON motifs.id = motif_id" + _SEEN
_JOINED = (
    "FROM rdvs JOIN motifs ON motifs.id = motif_id JOIN rdv_agents AS link ON link.rdv_id = rdvs.id"  # noqa: S608 -- made of constants
    + _SEEN
    + "AND (:all OR link.agent_id = :me OR (:basic AND motifs.service_id IN (SELECT value FROM json_each(:services))))"
)
_ROW_ORDER = """
    ORDER BY CASE WHEN :salt = 0 THEN heap_position ELSE (rdvs.id * 7919 + :salt * 104729) * 31 % 1009 END, rdvs.id
    LIMIT :size OFFSET :offset
"""
