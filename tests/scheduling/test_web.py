"""The listeners: what is refused, and what is logged."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import httpx2
import pytest
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from gateway.web.listeners import Limits, Listeners, listening
from tests.serve.running import eventually

SECRET = "jeton-tres-secret"


async def _length(request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(len(await request.body())))


async def _fails(_request: Request) -> PlainTextResponse:
    raise ValueError(SECRET)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    routes = [
        Route("/hook/{token}", _length, methods=["POST"]),
        Mount("/inner", routes=[Route("/{token}", _length)]),
        Route("/fails", _fails),
    ]
    public, internal = listening("127.0.0.1:0"), listening("127.0.0.1:0")
    listeners = Listeners((public, routes), (internal, []), Limits(1_000, 4_096))
    listeners.start()
    yield f"http://127.0.0.1:{public.getsockname()[1]}"
    listeners.stop()
    public.close()
    internal.close()


@pytest.mark.parametrize(("size", "status"), [(1_000, 200), (1_001, 413)])
def test_a_body_is_limited_announced_or_not(url, size, status):
    """With a Content-Length, and in chunks."""
    assert httpx2.post(f"{url}/hook/x", content=b"x" * size).status_code == status
    assert httpx2.post(f"{url}/hook/x", content=iter([b"x" * size])).status_code == status


def test_large_headers_are_refused(url):
    """Before any route is asked."""
    assert httpx2.get(f"{url}/inner/x", headers={"X-Large": "x" * 20_000}).status_code in {400, 431}


def test_the_log_has_templates_only(url, monkeypatch):
    """No token, no query, no error text: neither in the log nor in an answer."""
    lines = structlog.testing.LogCapture()
    log = structlog.wrap_logger(None, processors=[lines], wrapper_class=structlog.BoundLogger)
    monkeypatch.setattr("gateway.web.protection._LOG", log)
    httpx2.post(f"{url}/hook/{SECRET}?k={SECRET}")
    httpx2.get(f"{url}/inner/{SECRET}")
    httpx2.get(f"{url}/{SECRET}")
    answer = httpx2.get(f"{url}/fails")
    eventually(lambda: sum(line["event"] == "request" for line in lines.entries) == 4)
    assert SECRET not in repr(lines.entries)
    assert (answer.status_code, SECRET in answer.text) == (500, False)
    told = [(line["route"], line["status"]) for line in lines.entries if line["event"] == "request"]
    assert told == [("/hook/{token}", 200), ("/inner/{token}", 200), ("(none)", 404), ("/fails", 500)]


def test_an_address_that_is_taken_is_an_error_at_once():
    """Nothing is served on a half of the addresses."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        listening(f"127.0.0.1:{taken.getsockname()[1]}")
