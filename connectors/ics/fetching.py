"""Asking for a published calendar: one request, bounded in size, time and redirects."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urljoin, urlsplit

import httpx2

from connectors.allowed_hosts import host_and_port, refusal
from connectors.errors import ConnectorError, ITMustAct, RetryLater
from connectors.exchanges import exchange
from connectors.http import http_client
from connectors.ics.faults import Answer, failure, owner_must_act, too_large, too_slow, wrong_encoding
from connectors.ics.inflating import Damaged, Larger, body_of
from connectors.ics.memory import Validators
from connectors.ics.settings import IcsSettings
from connectors.network_faults import ClientCertificateWanted, network_fault, wants_client_certificate

# At INFO this library writes the address of every request, which is the secret here.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_MOST_REDIRECTS = 4
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SHORT_PAGE = 64 * 1024
_MAX_AGE = re.compile(r"(?:\A|[,\s])max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NEVER_RESTS = re.compile(r"\b(?:no-cache|no-store)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Fetched:
    """`body` None: it is what it was (304). `rest`: how long the server says that this holds; None: it does not."""

    validators: Validators
    rest: timedelta | None
    body: bytes | None = field(default=None, repr=False)


class _TooSlow(Exception):
    pass


class Fetching:
    """Sends the requests of one subscription. Thread-safe. `now` gives the current instant."""

    def __init__(self, settings: IcsSettings, now: Callable[[], datetime]) -> None:
        """Raises `ITMustAct` for a link or certificate files that must not be used. Sends nothing."""
        self._settings = settings
        self._now = now
        self._url = str(settings.checked_url())
        # There is one request in a run: a connection that is kept would only be one more of a thousand.
        self._client = http_client(
            settings.network, system=settings.name, connections=1, headers={"Connection": "close"}
        )
        self._counting = threading.Lock()
        self._requests = 0

    @property
    def requests(self) -> int:
        """How many requests were sent, redirected ones included."""
        return self._requests

    def get(self, validators: Validators) -> Fetched:
        """The file, or that it is the one of these validators (none: whatever it is).

        Raises `AgentMustAct` or `ITMustAct` for the link, `ITMustAct` for proxies, certificates and redirects to
        elsewhere, `RetryLater`.
        """
        deadline = time.monotonic() + self._settings.answer_limit
        headers = {"Accept": "text/calendar, */*;q=0.1", "Accept-Encoding": "gzip"}
        if validators.etag:
            headers["If-None-Match"] = validators.etag
        if validators.modified:
            headers["If-Modified-Since"] = validators.modified
        url = self._url
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._once(url, headers, deadline)
            if answer.status in _REDIRECTS:
                url = self._redirected(url, answer)
                continue
            if answer.status == 304 and validators:
                return Fetched(validators, _rest(answer))
            if answer.status == 200:
                given = Validators(answer.headers.get("etag", ""), answer.headers.get("last-modified", ""))
                return Fetched(given, _rest(answer), answer.body)
            raise failure(answer, self._settings, self._now())
        raise owner_must_act(
            self._settings,
            f"The link of the published calendar leads from one address to another, more than {_MOST_REDIRECTS} times.",
            "Open it in a browser, and use the address that it ends on.",
        )

    def close(self) -> None:
        """Give the connection back."""
        self._client.close()

    def _redirected(self, url: str, answer: Answer) -> str:
        """Where to ask next. Somebody else's server must not make us ask what is in our network."""
        settings = self._settings
        target = urljoin(url, answer.headers.get("location", ""))
        reason = refusal(target, settings.allowed_hosts)
        if reason is None:
            return target
        try:
            place = f"to {host_and_port(target)}"
        except ValueError:
            place = "to another address"
        raise ITMustAct(
            f"The published calendar's server redirects {place}, which may not be asked: {reason}.",
            system=settings.name,
            remedy="If that is where the calendar is now, list the host in [network] allowed_hosts.",
        )

    def _once(self, url: str, headers: dict[str, str], deadline: float) -> Answer:
        with self._counting:
            self._requests += 1
        settings = self._settings
        try:
            with (
                exchange(settings.name, "GET") as told,
                self._client.stream("GET", url, headers=headers) as response,
            ):
                told.status = response.status_code
                answered = {name.lower(): value for name, value in response.headers.items()}
                status = response.status_code
                encoding = answered.get("content-encoding", "")
                if status == 200:
                    pieces = _until(response.iter_raw(), deadline)
                    body = body_of(pieces, encoding, settings.size_limit)
                    told.received = len(body)
                    return Answer(status, answered, body)
                if status == 400 and wants_client_certificate(status, _beginning(response, deadline)):
                    raise ClientCertificateWanted
                return Answer(status, answered)
        except _TooSlow:
            raise too_slow(settings) from None
        except Larger:
            raise too_large(settings) from None
        except Damaged:
            raise wrong_encoding(settings) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, ClientCertificateWanted) as problem:
            raise self._no_answer(problem, url) from None

    def _no_answer(self, problem: Exception, url: str) -> ConnectorError:
        settings = self._settings
        fault = network_fault(problem, url=url, network=settings.network, system=settings.name)
        # The library's own words may hold the address.
        return fault or RetryLater(
            f"The server {urlsplit(url).hostname} did not give the published calendar ({type(problem).__name__}).",
            system=settings.name,
        )


def _until(pieces: Iterator[bytes], deadline: float) -> Iterator[bytes]:
    for piece in pieces:
        if time.monotonic() > deadline:
            raise _TooSlow  # silence is not the only way to keep somebody waiting
        yield piece


def _beginning(response: httpx2.Response, deadline: float) -> bytes:
    found = b""
    for piece in _until(response.iter_raw(), deadline):
        found += piece
        if len(found) > _SHORT_PAGE:
            break
    return found


def _rest(answer: Answer) -> timedelta | None:
    """How long an answer holds (RFC 9111 section 4.2), less the time for which it was kept in between."""
    said = answer.headers.get("cache-control", "")
    match = _MAX_AGE.search(said)
    if _NEVER_RESTS.search(said):
        return timedelta()
    if match is None:
        return None
    age = answer.headers.get("age", "").strip()
    kept = int(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0
    return timedelta(seconds=max(0, int(match[1]) - kept))
