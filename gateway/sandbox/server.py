"""Runs the double on a real socket, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from gateway.sandbox import api, control, pages
from gateway.sandbox.faults import Faults
from gateway.sandbox.gate import CuttableProtocol, Gate
from gateway.sandbox.requests_log import RequestLog
from gateway.sandbox.sender import Sender
from gateway.sandbox.state import State
from gateway.sandbox.storage import Clock

_STEP = 0.005


def _now() -> datetime:
    return datetime.now(UTC)


def _listening(host: str, port: int) -> socket.socket:
    # The protocol is named: only then asyncio turns Nagle's algorithm off (40 ms per answer otherwise).
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


class Sandbox:
    """A double of RDV-Solidarités. A context manager; or `start`, then `stop` (which is final: make another one).

    `state` is the file of its database (None: in memory), `seed` fills it when it is new, `port` 0 takes a free one,
    `clock` gives the present as an aware datetime (it rules dates and tokens; webhooks wait by the machine's clock).
    `state`, `faults` and `requests` may be used from any thread, before `start` too.
    Raises `OSError` when the address cannot be had.
    """

    def __init__(
        self,
        *,
        state: Path | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        seed: Callable[[State], None] | None = None,
        clock: Clock = _now,
    ) -> None:
        self._socket = _listening(host, port)
        try:
            self.state = State(state, clock=clock, seed=seed)
        except BaseException:
            self._socket.close()
            raise
        shown_host = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown_host}:{self._socket.getsockname()[1]}"
        self.state.storage.set_setting("url", self.url)
        self.faults = Faults()
        self.requests = RequestLog()
        application = Starlette(
            routes=[
                *api.routes(self.state),
                *control.routes(self.state, self.faults, self.requests),
                *pages.routes(self.state),
            ]
        )
        self._gate = Gate(application, self.faults, self.requests, clock)
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._gate,
                http=CuttableProtocol,
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
            )
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), name="sandbox-http")
        self._sender = Sender(self.state.webhooks)

    @property
    def request_counts(self) -> dict[str, int]:
        """How many API requests of each kind came: `GET /api/v1/absences/{id}` and so on."""
        return self.requests.counts

    def start(self) -> None:
        """Serves. Returns when requests are answered."""
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the sandbox did not start")
            time.sleep(_STEP)
        self._sender.start()

    def stop(self) -> None:
        """Ends every connection and thread and closes the database. Commits that were to come late are lost."""
        self._gate.stopping = True
        if self._thread.ident is not None:
            self._server.should_exit = True
            self._sender.stop()
            self._thread.join()
        self._socket.close()
        self.state.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
