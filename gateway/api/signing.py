"""Messages to business applications, signed as Standard Webhooks 1.0 says, which many languages have a library for.

Three headers: `webhook-id`, the same whenever the message is sent again; `webhook-timestamp`, seconds since 1970 when
it was sent; `webhook-signature`, `v1,` and the base64 of the HMAC-SHA256 of id, timestamp and raw body, joined by dots.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.store.business import Event


def signed_headers(key: bytes, message_id: str, sent_at: datetime, body: bytes) -> dict[str, str]:
    """All headers of the message."""
    timestamp = str(int(sent_at.timestamp()))
    signed = b".".join((message_id.encode(), timestamp.encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "Content-Type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature}",
    }


def body_of(event: Event) -> bytes:
    """The same whenever it is sent again."""
    data: Mapping[str, Any] = {"agent": event.agent_id, "organisation": event.organisation_id, **event.data}
    content = {"type": event.kind, "timestamp": event.at.isoformat(), "data": data}
    return json.dumps(content, ensure_ascii=False).encode()
