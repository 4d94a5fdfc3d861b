"""A store with data in it, and the API on a real socket as `serve` has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest

from gateway.api import tokens
from gateway.api.limiting import RateLimit
from gateway.api.resources import Resources
from gateway.api.routes import api_routes
from gateway.api.tokens import Authenticator
from gateway.api.values import ApiToken, Scope
from gateway.keys import create_key_file, load_keys
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.sync.values import (
    AgentReport,
    AgentState,
    CalendarRef,
    Conflict,
    ConflictKind,
    Held,
    HoldReason,
    JournalEntry,
    LinkedAgent,
    Problem,
)
from gateway.web.listeners import Limits, Listeners, listening
from tests.store.samples import operation

PARIS = ZoneInfo("Europe/Paris")
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
CANARY = "marie.dupont"
EVERYTHING = frozenset({Scope.STATE, Scope.CONFLICTS, Scope.JOURNAL})


@dataclass
class Clock:
    instant: datetime = START

    def now(self) -> datetime:
        return self.instant


@dataclass
class Office:
    """A département: agents 7 and 8 of organisation 3, agent 9 of organisation 4, agent 10 of none."""

    store: Store
    clock: Clock = field(default_factory=Clock)
    url: str = ""
    client: httpx2.Client = field(default_factory=lambda: httpx2.Client(trust_env=False))

    def enrol(self, agent_id: int, organisation_id: int | None, state: AgentState = AgentState.LIVE) -> None:
        ref = CalendarRef(f"zimbra/{CANARY}@exemple.fr", f"/dav/{CANARY}/Calendar/")
        with self.store.transaction() as tx:
            tx.put_agent(LinkedAgent(agent_id, PARIS, (ref,), ref, state, organisation_id=organisation_id))

    def ran(self, agent_id: int, problem: Problem | None = None, *, at: datetime | None = None) -> None:
        report = AgentReport(agent_id, problems=(problem,) if problem else ())
        with self.store.transaction() as tx:
            tx.save_agent_result(report, run_id="run", at=at or self.clock.now(), complete=problem is None)

    def conflicts(self, agent_id: int, *found: Conflict) -> None:
        now = self.clock.now()
        with self.store.transaction() as tx:
            wall = now.astimezone(PARIS).replace(tzinfo=None)
            tx.replace_conflicts(agent_id, found, tell=(), run_id="run", at=now, wall=wall)

    def holds(self, agent_id: int, count: int, reason: HoldReason = HoldReason.MANY_REMOVALS) -> None:
        held = [Held(operation(agent_id=agent_id, rdv_id=number), reason, "Dentiste") for number in range(1, count + 1)]
        with self.store.transaction() as tx:
            tx.replace_holds(agent_id, held, run_id="run", at=self.clock.now())

    def journal(self, agent_id: int | None, action: str, reference: str, **values: object) -> None:
        entry = JournalEntry(
            self.clock.now(), "run", agent_id, "calendar", action, "rdv_copy", reference, "rule", **values
        )
        with self.store.transaction() as tx:
            tx.journal(entry)

    def token(self, *scopes: Scope, days: int = 30, **about: frozenset[int]) -> str:
        """The text of a new token."""
        now = self.clock.now()
        made = ApiToken(
            id=tokens.new_id(),
            name="agenda",
            scopes=frozenset(scopes) or EVERYTHING,
            agent_ids=about.get("agents", frozenset()),
            organisation_ids=about.get("organisations", frozenset()),
            made_at=now,
            made_by=CANARY,
            expires_at=now + timedelta(days=days),
        )
        with self.store.transaction() as tx:
            return tokens.create(tx, self.store.keys, made)

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx2.Response:
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.client.get(f"{self.url}{path}", headers=headers)


def over_busy(agent_id: int, rdv_id: int) -> Conflict:
    start = datetime(2026, 3, 9, 9, 30)
    kind = ConflictKind.RDV_OVER_BUSY
    return Conflict(agent_id, kind, "why", rdv_id, href=f"/dav/{CANARY}/x.ics", start=start, end=start.replace(hour=10))


@pytest.fixture
def office(tmp_path) -> Iterator[Office]:
    create_key_file(tmp_path / "keys.toml")
    database = open_database("sqlite://", load_keys(tmp_path / "keys.toml"))
    made = Office(Store(database))
    yield made
    made.client.close()
    database.close()


@pytest.fixture
def served(office: Office) -> Iterator[Office]:
    """With data, and the API on a real socket."""
    fill(office)
    routes = api_routes(
        Resources(office.store, office.clock, timedelta(hours=1)),
        Authenticator(office.store, office.clock),
        RateLimit(100_000, lambda: 0.0),
    )
    with serving(office, routes):
        yield office


class serving:  # noqa: N801 - a context manager
    """The routes on the public listener."""

    def __init__(self, office: Office, routes) -> None:
        self._sockets = [listening("127.0.0.1:0"), listening("127.0.0.1:0")]
        self._listeners = Listeners((self._sockets[0], routes), (self._sockets[1], ()), Limits(4096, 16384))
        office.url = f"http://127.0.0.1:{self._sockets[0].getsockname()[1]}"

    def __enter__(self) -> None:
        self._listeners.start()

    def __exit__(self, *_error: object) -> None:
        self._listeners.stop()
        for each in self._sockets:
            each.close()


def fill(office: Office) -> None:
    office.enrol(7, 3)
    office.enrol(8, 3, AgentState.PAUSED)
    office.enrol(9, 4)
    office.enrol(10, None)
    office.ran(7)
    office.ran(9, Problem(9, f"zimbra/{CANARY}@exemple.fr", f"{CANARY} is refused", "agent", "Reconnect."))
    office.ran(10, at=START - timedelta(hours=2))
    office.holds(7, 3)
    for rdv_id in (1, 2, 3):
        office.conflicts(7, *(over_busy(7, number) for number in range(1, rdv_id + 1)))
    office.conflicts(9, over_busy(9, 4))
    for number in range(1, 8):
        office.journal(7, "create", f"rdv {number}")
    office.journal(9, "update", f"/dav/{CANARY}/y.ics", fields=("title",), before=b"SUMMARY:Dentiste", by=CANARY)
    office.journal(None, "stop", "all", by=CANARY)
