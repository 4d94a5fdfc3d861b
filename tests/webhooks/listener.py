"""The gateway's webhook routes on a real socket, with a database in a file."""

from __future__ import annotations

import json
import shutil
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx2
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import BaseRoute, Route

from connectors.rdv_solidarites.webhooks import WebhookReader, sign
from connectors.records import RdvSelection
from gateway.clock import SystemClock
from gateway.keys import Keyring
from gateway.store.database import open_database
from gateway.store.store import Store
from gateway.webhooks.applying import Applied
from gateway.webhooks.inbox import CAPACITY
from gateway.webhooks.secrets import EndpointSecrets, save_secrets
from gateway.webhooks.service import open_webhooks
from tests.store.samples import agent

SECRET = "secret-of-the-tests"
OLD = "former-secret"
ORGANISATIONS = (1, 2, 3)


class Listener:
    """Serves; `apply_always` applies in a thread of its own, as soon as something is kept."""

    def __init__(
        self,
        directory: Path,
        template: Path,
        keys: Keyring,
        *,
        agents: Sequence[int],
        base_url: str = "https://rdv.example",
        capacity: int = CAPACITY,
        body_limit: int = 100_000,
        synchronous: Any = "OFF",
    ) -> None:
        self.path = Path(shutil.copy(template, directory / "gateway.sqlite3"))
        self.database = open_database(self.path, keys, synchronous=synchronous)
        self.store = Store(self.database)
        with self.store.transaction() as tx:
            for number in agents:
                tx.put_agent(agent(number))
            for organisation in ORGANISATIONS:
                tx.webhooks.put_endpoint(organisation, "main", installed_at=datetime.fromisoformat("2026-01-01T00Z"))
            until = datetime.fromisoformat("2099-01-01T00Z")
            secrets = EndpointSecrets(SECRET, ((OLD, until),))
            save_secrets(tx, {(organisation, "main"): secrets for organisation in ORGANISATIONS})
        self.arrived = threading.Event()
        self.service = open_webhooks(
            self.store,
            keys,
            SystemClock(),
            WebhookReader(base_url, RdvSelection()),
            RdvSelection(),
            body_limit=body_limit,
            capacity=capacity,
            on_kept=self.arrived.set,
        )
        self.applied: list[Applied] = []
        self._stopping = False
        self._applier = threading.Thread(target=self._apply_always)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.listen(512)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        routes: list[BaseRoute] = [*self.service.routes, Route("/bare", _bare, methods=["POST"])]
        self._server = uvicorn.Server(
            uvicorn.Config(Starlette(routes=routes), ws="none", lifespan="off", log_config=None, access_log=False)
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],))

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.005)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._stopping = True
        self.arrived.set()
        if self._applier.ident is not None:
            self._applier.join()
        self.service.close()
        self._socket.close()
        self.database.close()

    def hook(self, organisation: int = 1) -> str:
        return f"{self.url}/webhooks/rdv-solidarites/{organisation}"

    def apply_always(self) -> None:
        self._applier.start()

    def _apply_always(self) -> None:
        pause: float | None = None
        while not self._stopping:
            self.arrived.wait(pause)
            self.arrived.clear()
            done = self.service.apply()
            self.applied.append(done)
            pause = done.again_in

    def settle(self, seconds: float = 20) -> None:
        """Until nothing waits."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.store.webhooks() as tables:
                if tables.depth()[0] == 0:
                    return
            time.sleep(0.02)
        raise AssertionError("webhooks still wait")

    def kept(self) -> int:
        with self.store.webhooks() as tables:
            return tables.depth()[0]


async def _bare(_request: object) -> PlainTextResponse:
    return PlainTextResponse("ok")


def body(model: str, data: object, event: str = "updated", *, at: str = "2026-03-02 09:00:00 +0100") -> bytes:
    meta = {"model": model, "event": event, "webhook_reason": None, "timestamp": at}
    return json.dumps({"data": data, "meta": meta}).encode()


def post(url: str, content: bytes, *, secret: str | None = SECRET, **headers: str) -> httpx2.Response:
    if secret is not None:
        headers["X-Lapin-Signature"] = sign(secret, content)
    with httpx2.Client(trust_env=False) as client:
        return client.post(url, content=content, headers=headers)


def quietly(step: Any) -> None:
    with suppress(httpx2.HTTPError):
        step()
