"""The two listeners, public and internal: two servers in one event loop, in one thread."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from gateway.web.protection import AccessLog, RequestLimits

_STEP = 0.01
_START_LIMIT = 10.0
_MOST_CONNECTIONS = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Of every request. `body`, `headers`: bytes. `trusted_proxies`: who may say from where a request really came."""

    body: int
    headers: int
    trusted_proxies: tuple[str, ...] = ()


def listening(bind: str) -> socket.socket:
    """A socket on `address:port`. Raises `OSError` when it cannot be had."""
    host, _, port = bind.rpartition(":")
    host = host.strip("[]")
    # The protocol is named: only then asyncio turns Nagle's algorithm off.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, int(port)))
        made.listen(512)
    except OSError:
        made.close()
        raise
    return made


class Listeners:
    """Serves routes on sockets that are listening. The sockets stay the caller's: connections that come while nobody
    serves wait in their queues."""

    def __init__(
        self,
        public: tuple[socket.socket, Sequence[BaseRoute]],
        internal: tuple[socket.socket, Sequence[BaseRoute]],
        limits: Limits,
    ) -> None:
        named = (("public", *public), ("internal", *internal))
        self._servers = [(_server(_application(name, routes, limits), limits), own) for name, own, routes in named]
        self._thread = threading.Thread(target=self._run, name="listeners", daemon=True)

    def start(self) -> None:
        """Returns when requests are answered."""
        self._thread.start()
        deadline = time.monotonic() + _START_LIMIT
        while not all(server.started for server, _ in self._servers):
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise RuntimeError("the listeners did not start")
            time.sleep(_STEP)

    def stop(self, seconds: float = 3.0) -> None:
        """Answer what was asked, and end."""
        for server, _ in self._servers:
            server.should_exit = True
        self._thread.join(seconds)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        # Each server closes what it is given.
        await asyncio.gather(*(server.serve(sockets=[own.dup()]) for server, own in self._servers))


def _application(name: str, routes: Sequence[BaseRoute], limits: Limits) -> ASGIApp:
    return AccessLog(
        RequestLimits(Starlette(routes=list(routes)), body=limits.body, headers=limits.headers), name, routes
    )


def _server(application: ASGIApp, limits: Limits) -> uvicorn.Server:
    # Its lines hold whole paths, tokens too, for any handler that somebody may hang on it.
    logging.getLogger("uvicorn.access").disabled = True
    return uvicorn.Server(
        uvicorn.Config(
            application,
            http="h11",
            ws="none",
            loop="asyncio",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            h11_max_incomplete_event_size=limits.headers,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
            proxy_headers=bool(limits.trusted_proxies),
            forwarded_allow_ips=list(limits.trusted_proxies),
        )
    )
