"""Absences: their rules, and writing them. They belong to an agent, in all organisations at once."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping, Sequence
from datetime import date, time
from typing import Any

from gateway.sandbox import times
from gateway.sandbox.errors import invalid, not_found
from gateway.sandbox.storage import Storage
from gateway.sandbox.webhooks import Outbox

FIRST_YEAR = 2018
YEARS_AHEAD = 5
FIELDS = ("title", "first_day", "start_time", "end_day", "end_time")
TIE_ORDERS = ("swap", "stable")

_UNTIL = re.compile(r"UNTIL=(\d{4})(\d\d)(\d\d)")


def weekly(days: Sequence[str], *, every: int = 1, until: date | None = None) -> str:
    """A weekly rule with the server's quirks: trailing `;`, UNTIL as local time without Z. `days` such as MO, TH."""
    return _rule("WEEKLY", every, ",".join(days), until)


def monthly(nth_weekday: str, *, until: date | None = None) -> str:
    """A monthly rule on the n-th weekday, such as 2TU, with the server's quirks."""
    return _rule("MONTHLY", 1, nth_weekday, until)


def _rule(frequency: str, every: int, days: str, until: date | None) -> str:
    end = f"UNTIL={until:%Y%m%d}T000000;" if until else ""
    return f"FREQ={frequency};INTERVAL={every};BYDAY={days};{end}"


class Absences:
    """Creates, changes and deletes absences, with their webhooks. Whoever writes, a person or the API: same rules.

    Raises `Refused` (422) for what does not validate, and (404) for an unknown absence.
    """

    def __init__(self, storage: Storage, outbox: Outbox) -> None:
        self._storage = storage
        self._outbox = outbox

    def create(
        self,
        agent_id: int,
        *,
        title: str,
        first_day: date,
        start_time: time,
        end_time: time,
        end_day: date | None = None,
        rrule: str | None = None,
    ) -> int:
        """As a person would in the web pages. Days and times are wall-clock of the agent; `rrule` as in `weekly`."""
        typed = {"title": title, "first_day": first_day, "start_time": start_time, "end_time": end_time}
        return self.insert(self.checked(agent_id, typed | {"end_day": end_day}, rrule=rrule))

    def update(self, absence_id: int, **changes: Any) -> None:
        """As a person would: `changes` are some of title, first_day, start_time, end_day, end_time."""
        unknown = set(changes) - set(FIELDS)
        if unknown:
            raise ValueError(f"an absence has no {', '.join(sorted(unknown))}")
        self.change(self.get(absence_id), changes)

    def delete(self, absence_id: int) -> None:
        with self._storage.transaction():
            row = self.get(absence_id)
            self._announce("destroyed", absence_id, row["agent_id"])
            self._storage.run("DELETE FROM absences WHERE id = ?", [absence_id])

    def get(self, absence_id: int) -> sqlite3.Row:
        row = self._storage.row("SELECT * FROM absences WHERE id = ?", [absence_id])
        if row is None:
            raise not_found("absence")
        return row

    # --- in two steps, for the API, which asks for permission between them ---------------------------------------

    def checked(self, agent_id: int | None, typed: Mapping[str, object], *, rrule: str | None = None) -> dict[str, Any]:
        """The columns of a valid absence. Raises `Refused` (422) otherwise."""
        columns: dict[str, Any] = {
            "title": str(typed.get("title") or "").strip() or None,
            "first_day": times.parse_day(typed.get("first_day")),
            "start_time": times.parse_time(typed.get("start_time")),
            "end_day": times.parse_day(typed.get("end_day")),
            "end_time": times.parse_time(typed.get("end_time")),
            "agent_id": agent_id,
            "rrule": rrule,
        }
        columns["end_day"] = columns["end_day"] or columns["first_day"]
        faults = self._faults(columns)
        if faults:
            raise invalid(faults)
        return columns

    def insert(self, columns: Mapping[str, Any]) -> int:
        with self._storage.transaction():
            absence_id = self._storage.run(
                "INSERT INTO absences (agent_id, title, first_day, start_time, end_day, end_time, rrule)"
                " VALUES (:agent_id, :title, :first_day, :start_time, :end_day, :end_time, :rrule)",
                columns,
            )
            self._announce("created", absence_id, columns["agent_id"])
        return absence_id

    def change(self, row: sqlite3.Row, changes: Mapping[str, object]) -> None:
        """Writes `changes` over a stored absence. Moving the first day alone past the stored end is invalid (422)."""
        typed = {name: changes.get(name, row[name]) for name in FIELDS}
        with self._storage.transaction():
            columns = self.checked(row["agent_id"], typed, rrule=row["rrule"])
            if row["rrule"] and columns["first_day"] != row["first_day"]:
                raise invalid({"recurrence": ["starts_first_day"]})
            self._storage.run(
                "UPDATE absences SET title = :title, first_day = :first_day, start_time = :start_time,"
                " end_day = :end_day, end_time = :end_time WHERE id = :id",
                {name: columns[name] for name in FIELDS} | {"id": row["id"]},
            )
            self._announce("updated", row["id"], row["agent_id"])

    def _faults(self, columns: Mapping[str, Any]) -> dict[str, list[str]]:
        faults: dict[str, list[str]] = {}
        known = self._storage.number("SELECT 1 FROM agents WHERE id = ? AND deleted = 0", [columns["agent_id"]])
        if not known:
            faults["agent"] = ["blank"]
        for name in FIELDS:
            if columns[name] is None:
                faults[name] = ["blank"]
        for name in ("first_day", "end_day"):
            if columns[name] and not self._realistic(columns[name]):
                faults.setdefault(name, []).append("realistic")
        bounds = [columns[name] for name in ("first_day", "start_time", "end_day", "end_time")]
        if None not in bounds and bounds[:2] >= bounds[2:]:
            faults["ends_time"] = ["after_start"]  # not end_time: the real server's slip
        if columns["rrule"]:
            until = _UNTIL.search(columns["rrule"])
            if columns["first_day"] != columns["end_day"]:
                faults["recurrence"] = ["one_day"]
            elif until and "-".join(until.groups()) <= str(columns["first_day"]):
                faults["recurrence"] = ["ends_after_start"]
        return faults

    def _realistic(self, day: str) -> bool:
        today = times.today(self._storage.clock())
        limit = date(today.year + YEARS_AHEAD, today.month, min(today.day, 28)).isoformat()
        return f"{FIRST_YEAR}-01-01" <= day <= limit

    def _announce(self, event: str, absence_id: int, agent_id: int) -> None:
        organisations = self._storage.rows(
            "SELECT organisation_id FROM agent_roles WHERE agent_id = ? ORDER BY id", [agent_id]
        )
        self._outbox.announce("Absence", event, absence_id, [row[0] for row in organisations])

    # --- listing -------------------------------------------------------------------------------------------------

    def set_tie_order(self, order: str) -> None:
        """How absences of the same first_day and start_time are ordered between themselves.

        "swap": each page has them the other way round than the page before, and each complete reading (a request for
        page 1) turns that over, so that two readings together show everything; "stable": by id.
        """
        if order not in TIE_ORDERS:
            raise ValueError(f"{order!r} is none of {', '.join(TIE_ORDERS)}")
        self._storage.set_setting("absence_ties", order)

    def page(self, agent_ids: str, page: int, size: int) -> tuple[list[int], int]:
        """Ids on a page and the total, for agents given as a JSON list: latest first_day and start_time first."""
        total = self._storage.number(
            "SELECT count(*) FROM absences WHERE agent_id IN (SELECT value FROM json_each(?))", [agent_ids]
        )
        query = _LISTED_BACKWARDS if self._swapped(page) else _LISTED
        rows = self._storage.rows(query, [agent_ids, size, (page - 1) * size])
        return [row[0] for row in rows], total

    def _swapped(self, page: int) -> bool:
        if self._storage.setting("absence_ties", "swap") == "stable":
            return False
        reading = int(self._storage.setting("absence_readings", 0))
        if page == 1:
            reading += 1
            self._storage.set_setting("absence_readings", reading)
        return (page + reading) % 2 == 1


_LISTED = (
    "SELECT id FROM absences WHERE agent_id IN (SELECT value FROM json_each(?))"
    " ORDER BY first_day DESC, start_time DESC, id LIMIT ? OFFSET ?"
)
_LISTED_BACKWARDS = (
    "SELECT id FROM absences WHERE agent_id IN (SELECT value FROM json_each(?))"
    " ORDER BY first_day DESC, start_time DESC, id DESC LIMIT ? OFFSET ?"
)
