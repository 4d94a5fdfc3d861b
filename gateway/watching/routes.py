"""What the internal listener answers about the service itself."""

from __future__ import annotations

from collections.abc import Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.watching.health import Health


def watching_routes(registry: CollectorRegistry, health: Health) -> Sequence[BaseRoute]:
    """`/healthz`: the process answers. `/readyz`: 503 with the reasons while it is not fit for work. `/metrics`."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        faults = await run_in_threadpool(health.faults)
        return JSONResponse({"ready": not faults, "faults": list(faults)}, 503 if faults else 200)

    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(generate_latest, registry), media_type=CONTENT_TYPE_LATEST)

    return (Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics))
