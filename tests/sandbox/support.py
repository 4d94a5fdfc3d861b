"""A small world for the double's tests, a client that is logged in, and a webhook receiver."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx2

from gateway.sandbox.server import Sandbox
from gateway.sandbox.state import State

MONDAY = date(2026, 3, 2)
PASSWORD = "mot-de-passe-de-test"


class Clock:
    """A present that only moves when told: Monday 2 March 2026, 9:00 in Paris."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 2, 8, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


def seed(state: State) -> None:
    """Organisations 1 and 2 (Paris), 3 (La Réunion). Agents: 1 admin of all, 2 pmi@ and 3 social@ (1 and 2) basic,
    4 secretary@, 5 a second pmi agent, 6 at La Réunion, 7 without any role."""
    directory = state.directory
    paris, reunion = directory.add_territory("Paris", "75"), directory.add_territory("La Réunion", "974")
    pmi, social = directory.add_service("PMI"), directory.add_service("Service social")
    secretariat = directory.add_service("Secrétariat", secretariat=True)
    for name, territory, zone in (
        ("Nord", paris, "Europe/Paris"),
        ("Sud", paris, "Europe/Paris"),
        ("Saint-Denis", reunion, "Indian/Reunion"),
    ):
        organisation = directory.add_organisation(name, territory, time_zone=zone)
        directory.add_lieu(f"MDS {name}", organisation, f"1 rue de {name}")
        directory.add_motif("Consultation", organisation, pmi)  # ids 1, 5, 9
        directory.add_motif("Téléphone", organisation, social, location_type="phone")  # 2, 6, 10
        directory.add_motif("Domicile", organisation, pmi, location_type="home")  # 3, 7, 11
        directory.add_motif("Atelier", organisation, social, collectif=True)  # 4, 8, 12
    people: list[tuple[str, int, dict[int, str]]] = [
        ("admin", social, {1: "admin", 2: "admin", 3: "admin"}),
        ("pmi", pmi, {1: "basic"}),
        ("social", social, {1: "basic", 2: "basic"}),
        ("secretary", secretariat, {1: "basic"}),
        ("pmi2", pmi, {1: "basic"}),
        ("reunion", pmi, {3: "basic"}),
        ("alone", pmi, {}),
    ]
    for name, service, roles in people:
        agent = directory.add_agent(
            name, name.upper(), email=f"{name}@demo.example", service_ids=[service], password=PASSWORD
        )
        for organisation, level in roles.items():
            directory.set_role(agent, organisation, level)
    directory.make_territorial_admin(1, paris)
    for number in range(1, 5):
        directory.add_user("Usager", f"N{number}", address=f"{number} rue privée", notes="note privée")


@dataclass
class World:
    """A running double, its clock, and clients of it."""

    sandbox: Sandbox
    clock: Clock
    clients: list[httpx2.Client] = field(default_factory=list)

    @property
    def state(self) -> State:
        return self.sandbox.state

    def anonymous(self) -> httpx2.Client:
        client = httpx2.Client(base_url=self.sandbox.url, timeout=5, trust_env=False)
        self.clients.append(client)
        return client

    def client(self, name: str = "admin") -> httpx2.Client:
        """Someone logged in by OAuth, which evicts nobody."""
        client = self.anonymous()
        agent = self.state.agent_id(f"{name}@demo.example")
        client.headers["Authorization"] = f"Bearer {self.state.accounts.grant(agent).access_token}"
        return client

    def rdv(self, agents: list[int] | None = None, *, hour: int = 9, **details: Any) -> int:
        """An RDV on the Monday, by default of agent 2 at Nord."""
        given = {
            "organisation_id": 1,
            "motif_id": 1,
            "lieu_id": 1,
            "user_ids": [1],
            "agent_ids": agents or [2],
            "starts_at": datetime.combine(MONDAY, time(hour)),
        }
        return self.state.rdvs.create(**(given | details))

    def absence(self, agent: int = 2, *, day: int = 0, **details: Any) -> int:
        given: dict[str, Any] = {
            "title": "Réunion",
            "first_day": MONDAY + timedelta(days=day),
            "start_time": time(9),
            "end_time": time(10),
        }
        return self.state.absences.create(agent, **(given | details))


def pages(client: httpx2.Client, path: str, root: str, **query: Any) -> list[dict[str, Any]]:
    """All records of a list, page after page."""
    found: list[dict[str, Any]] = []
    page: int | None = 1
    while page:
        answer = client.get(path, params=query | {"page": page}).json()
        found += answer[root]
        page = answer["meta"]["next_page"]
    return found


class Receiver:
    """Keeps the webhooks it gets; `answer` gives (status, content type, body) for each, by arrival number."""

    def __init__(self, answer: Callable[[int], tuple[int, str, bytes]] = lambda _: (200, "text/plain", b"")) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((dict(self.headers), body))
                status, kind, content = answer(len(receiver.requests))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/hook"

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.requests]

    @property
    def names(self) -> list[str]:
        return [f"{event['meta']['model']} {event['meta']['event']}" for event in self.events]

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
