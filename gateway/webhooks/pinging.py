"""A signed ping through the public address: whether what RDV-Solidarités sends arrives.

A filtering proxy that answers 200 with a page of its own swallows webhooks, and RDV-Solidarités takes them for
delivered. So an answer counts only with a proof that the gateway itself gave it.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass

import httpx2

from connectors.deliveries import Told
from connectors.ports import Clock, WebhookDoor
from gateway.webhooks.receiving import PONG, Outcome


@dataclass(frozen=True, slots=True)
class PingResult:
    """`fault`: "" when the gateway itself answered; else what came instead."""

    fault: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Pinger:
    """`client`: goes out as this machine's network demands. `number`: random."""

    client: httpx2.Client
    door: WebhookDoor
    clock: Clock
    number: Callable[[], int]

    def ping(self, url: str, secret: str) -> PingResult:
        """Post to one endpoint."""
        body = self._body()
        headers = {"Content-Type": "application/json; charset=utf-8"}
        headers[self.door.signature_header] = self.door.sign(secret, body)
        try:
            answer = self.client.post(url, content=body, headers=headers)
        except httpx2.HTTPError as error:
            return PingResult(
                f"no answer ({type(error).__name__})",
                "See that `rdv-gateway serve` runs and that the address leads to its public listener, also from here; "
                "what counts is that RDV-Solidarités reaches it.",
            )
        return self._judge(answer, self.door.sign(secret, PONG + body))

    def _body(self) -> bytes:
        meta = {
            "model": Told.PING.value,
            "event": "created",
            "webhook_reason": None,
            "timestamp": self.clock.now().strftime("%Y-%m-%d %H:%M:%S +0000"),
        }
        return json.dumps({"data": {"id": self.number()}, "meta": meta}).encode()

    @staticmethod
    def _judge(answer: httpx2.Response, proof: str) -> PingResult:
        try:
            said = json.loads(answer.content)
        except (ValueError, RecursionError):
            said = None
        outcome = said.get("rdv_gateway") if isinstance(said, dict) else None
        if outcome is None:
            return PingResult(
                f"{answer.status_code} with a body that is not the gateway's",
                "A proxy or firewall answers in its place: webhooks would be lost without a trace. Let this path pass.",
            )
        if outcome == Outcome.PONG and hmac.compare_digest(str(said.get("proof", "")).encode(), proof.encode()):
            return PingResult()
        if outcome in (Outcome.UNSIGNED, Outcome.UNKNOWN_ENDPOINT):
            return PingResult(
                f"the gateway refuses it: {outcome}",
                "A secret that was changed just now is taken over within ten seconds. If it stays so, another gateway "
                "answers there, or a proxy changes bodies or drops the header with the signature.",
            )
        return PingResult(f"{answer.status_code}, and the answer proves nothing", "See which program answers there.")
