"""Where RDV-Solidarités posts its webhooks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from gateway.store.webhooks import MAIN, PLAGES
from gateway.webhooks import receiving
from gateway.webhooks.receiving import STATUS, Outcome, Receiver, Reply

BASE = "/webhooks/rdv-solidarites"
RETRY_AFTER = "5"  # seconds; whatever it says, RDV-Solidarités waits 1, 16, 81 ... seconds


def path_of(organisation_id: int, channel: str) -> str:
    """The path of an endpoint."""
    return f"{BASE}/{organisation_id}" if channel == MAIN else f"{BASE}/{organisation_id}/{channel}"


def webhook_routes(receiver: Receiver) -> Sequence[BaseRoute]:
    """For the public listener."""

    async def receive(request: Request) -> Response:
        channel = PLAGES if request.url.path.endswith(f"/{PLAGES}") else MAIN
        declared = request.headers.get("content-length", "")
        post = receiving.Request(
            place=(request.path_params["organisation_id"], channel),
            signature=request.headers.get(receiver.door.signature_header, ""),
            declared=int(declared) if declared.isdecimal() and len(declared) < 20 else None,
            body=_body(request),
        )
        try:
            return _response(await receiver.receive(post))
        except ClientDisconnect:
            receiver.counts[Outcome.CUT] += 1
            return _response(Reply(Outcome.CUT))

    return [
        Route(f"{BASE}/{{organisation_id:int}}", receive, methods=["POST"]),
        Route(f"{BASE}/{{organisation_id:int}}/{PLAGES}", receive, methods=["POST"]),
    ]


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        yield chunk


def _response(reply: Reply) -> Response:
    content = {"rdv_gateway": reply.outcome.value} | ({"proof": reply.proof} if reply.proof else {})
    headers = {"Retry-After": RETRY_AFTER} if reply.outcome is Outcome.FULL else None
    return JSONResponse(content, STATUS[reply.outcome], headers)
