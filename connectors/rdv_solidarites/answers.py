"""What came back from the API, reduced to what decides: one value, so that judging it is a pure function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import httpx2

from connectors.retry_after import retry_after_seconds


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer.

    `document`: the body when it is a JSON object, else None (the API always sends an object; an HTML page comes
    from a proxy, a firewall or a maintenance screen). `retry_after`: seconds. `redirect_host`: of `Location`.
    """

    status: int
    document: Mapping[str, Any] | None = field(default=None, repr=False)
    empty: bool = False
    retry_after: float | None = None
    redirect_host: str | None = None

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300


def answer_of(response: httpx2.Response, *, now: datetime) -> Answer:
    """`response` (read to its end) as an `Answer`; `now` is the instant it came, for a dated Retry-After."""
    return Answer(
        status=response.status_code,
        document=_json_object(response.content),
        empty=not response.content.strip(),
        retry_after=retry_after_seconds(response.headers.get("Retry-After"), now=now),
        redirect_host=_redirect_host(response),
    )


def _json_object(body: bytes) -> Mapping[str, Any] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _redirect_host(response: httpx2.Response) -> str | None:
    location = response.headers.get("Location")
    if not response.is_redirect or not location:
        return None
    try:
        return response.request.url.join(location).host or None
    except httpx2.InvalidURL:
        return None
