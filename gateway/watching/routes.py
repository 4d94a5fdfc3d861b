"""What the internal listener answers about the service itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.watching.health import Health


class _Told(Collector):
    """What a registry tells, without when each counter was made: that is a series more for each, of no use here."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():  # made anew each time
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric


def exposition(registry: CollectorRegistry) -> bytes:
    """In Prometheus' text format."""
    return generate_latest(_Told(registry))


def watching_routes(registry: CollectorRegistry, health: Health) -> Sequence[BaseRoute]:
    """`/healthz`: the process answers. `/readyz`: 503 with the reasons while it is not fit for work. `/metrics`."""

    async def healthz(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        faults = await run_in_threadpool(health.faults)
        return JSONResponse({"ready": not faults, "faults": list(faults)}, 503 if faults else 200)

    async def metrics(_request: Request) -> Response:
        return Response(await run_in_threadpool(exposition, registry), media_type=CONTENT_TYPE_LATEST)

    return (Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics))
