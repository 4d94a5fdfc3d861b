"""Messages as signed JSON, for a chat or a ticket system."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

import httpx2

from connectors.errors import ITMustAct
from connectors.http import http_client
from connectors.network import Network
from gateway.alerts.sending import SYSTEM, Letter, Refused, Unavailable

SIGNATURE_HEADER = "X-RDV-Gateway-Signature"
ID_HEADER = "X-RDV-Gateway-Id"


@dataclass(frozen=True, slots=True)
class Webhook:
    """A receiver. `url` may hold a token. The signature is the HMAC-SHA256 of the raw body, hexadecimal."""

    name: str
    url: str = field(repr=False)
    secret: bytes = field(repr=False)
    network: Network

    def send(self, letter: Letter) -> None:
        """Raises as `Channel.send`."""
        body = letter.payload.encode()
        headers = {
            "Content-Type": "application/json",
            SIGNATURE_HEADER: hmac.new(self.secret, body, hashlib.sha256).hexdigest(),
            ID_HEADER: letter.id,
        }
        try:
            with http_client(self.network, system=SYSTEM) as client:
                status = client.post(self.url, content=body, headers=headers).status_code
        except httpx2.HTTPError as error:
            kind = type(error).__name__
            raise Unavailable(f"The webhook {self.name} does not answer ({kind}).", system=SYSTEM) from None
        if status in (400, 413, 422):
            raise Refused(f"The webhook {self.name} refuses a message ({status}).", system=SYSTEM)
        if status == 429 or status >= 500:
            raise Unavailable(f"The webhook {self.name} takes nothing now ({status}).", system=SYSTEM)
        if not 200 <= status < 300:
            raise ITMustAct(
                f"The webhook {self.name} answers {status}.",
                system=SYSTEM,
                remedy="Correct its address or its rights.",
            )
