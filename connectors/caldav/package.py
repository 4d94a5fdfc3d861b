"""The caldav package as we use it: discovery of the calendar home, and writes.

Credentials are always given and sent at once: without them that package reads configuration files, and it waits for
a refusal which some servers never give (they show an anonymous visitor no calendar).
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from caldav.davclient import DAVClient
from caldav.lib import error as caldav_error
from lxml import etree
from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connectors.caldav.door import Door
from connectors.caldav.faults import Answer
from connectors.caldav.paths import decoded, encoded
from connectors.caldav.polling import is_tls_failure, untrusted
from connectors.caldav.settings import CalDavSettings
from connectors.errors import AnswerLost, ConnectorError, ITMustAct, RetryLater
from connectors.http import USER_AGENT, is_loopback

# Environment variables make this package log every body that it sends, or write it to a file with the password:
# no setting may allow that.
logging.getLogger("caldav").setLevel(logging.WARNING)
caldav_error.debug_dump_communication = False


# What the package falls over with when a server answers a PROPFIND with something else than a multistatus.
_STUMBLES = (AttributeError, TypeError, ValueError, AssertionError)


class CutOff(Exception):
    """The connection ended without an answer. What was sent may have been done."""


class Package:
    """A client of the caldav package that counts, trusts the operating system's store and follows no redirect."""

    def __init__(self, settings: CalDavSettings, door: Door, tls: ssl.SSLContext) -> None:
        self._settings = settings
        self._door = door
        url = settings.checked_url()
        self._origin = f"{url.scheme}://{url.netloc.decode()}"
        self._client = DAVClient(
            url=str(url) if url.path else f"{url}/",
            username=settings.username,
            password=settings.password,
            auth_type="basic",
            timeout=(settings.connect_timeout, settings.read_timeout),  # type: ignore[arg-type]  # requests takes pairs
            headers={"User-Agent": USER_AGENT},
            features=settings.profile.features or {},
            enable_rfc6764=False,
            rate_limit_handle=False,
        )
        session: requests.Session = self._client.session
        # A redirected PUT would be sent again as a GET, and its answer taken for success.
        session.max_redirects = 0
        session.trust_env = not is_loopback(url.host)
        adapter = _Adapter(door, tls, settings.max_connections)
        session.mount("https://", adapter)
        session.mount("http://", adapter)

    def find_home(self) -> str:
        """Path of the calendar home. Raises `ITMustAct` when the address does not lead to one, `RetryLater`."""
        try:
            with self._door.passage():
                home = str(self._client.get_principal().calendar_home_set.url)
        except (requests.RequestException, caldav_error.DAVError, etree.LxmlError, *_STUMBLES) as problem:
            raise self._no_home(problem) from None
        address = urlsplit(home)
        if address.netloc and f"{address.scheme}://{address.netloc}" != self._origin:
            # The password was given for one server.
            raise ITMustAct(
                "The calendar server says that the calendars are on another server.",
                system=self._settings.name,
                remedy=f"If {address.hostname} is right, configure its address as the account's url.",
            )
        return decoded(home)

    def write(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """One PUT or DELETE; `path` decoded.

        Raises `CutOff` when the connection ended, `AnswerLost` when nothing came in time, `RetryLater` when nothing
        was sent, `ITMustAct` for TLS, and what `Door` raises.
        """
        address = f"{self._origin}{encoded(path)}"
        with self._door.passage():
            try:
                response = self._client.request(address, method, body, dict(headers))
                answer = Answer(response.status, _lower(response.headers), _bytes(response.raw))
            except caldav_error.RateLimitError as refusal:
                answer = Answer(refusal.status or 429, {"retry-after": str(refusal.retry_after or "")})
            except caldav_error.AuthorizationError as refusal:
                answer = Answer(refusal.status or 403, body=_bytes(refusal.body))
            except (caldav_error.DAVError, etree.LxmlError):
                raise AnswerLost("The answer to a write cannot be read.", system=self._settings.name) from None
            except requests.TooManyRedirects as redirect:
                answer = Answer(302 if redirect.response is None else redirect.response.status_code)
            except requests.RequestException as problem:
                raise self._unanswered(problem) from None
            self._door.judge(answer.status)
        return answer

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _no_home(self, problem: Exception) -> ConnectorError:
        status = problem.status if isinstance(problem, caldav_error.DAVError) else None
        if status is not None:
            self._door.judge(status)
        if isinstance(problem, caldav_error.RateLimitError) or (status or 0) >= 500:
            return RetryLater("The calendar server is busy or in trouble.", system=self._settings.name)
        if isinstance(problem, requests.RequestException) and not isinstance(problem, requests.TooManyRedirects):
            if is_tls_failure(problem):
                return untrusted(self._settings.name)
            return RetryLater(
                f"The calendar server did not answer ({type(problem).__name__}).", system=self._settings.name
            )
        return ITMustAct(
            "No calendar home was found at the account's url.",
            system=self._settings.name,
            remedy="Correct the url, or configure home with the path that holds the calendars.",
        )

    def _unanswered(self, problem: requests.RequestException) -> Exception:
        name = self._settings.name
        if is_tls_failure(problem):
            return untrusted(name)
        reason = getattr(problem.args[0], "reason", None) if problem.args else None
        if isinstance(problem, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
            return RetryLater("The calendar server cannot be reached.", system=name)
        if isinstance(problem, requests.ReadTimeout):
            return AnswerLost("The calendar server did not answer a write in time.", system=name)
        return CutOff()


class _Adapter(HTTPAdapter):
    """Counts what is really sent, and checks certificates as the rest of the program does."""

    def __init__(self, door: Door, tls: ssl.SSLContext, connections: int) -> None:
        self._door = door
        self._tls = tls
        super().__init__(pool_connections=1, pool_maxsize=connections)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **options)

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, ssl_context=self._tls, **options)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context verifies, and a second list of authorities would only widen it."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        self._door.count()
        response = super().send(request, *args, **options)
        if "xml" not in response.headers.get("Content-Type", ""):
            # The package logs an unexpected page as it came, and pages may repeat what was sent. Read to its end
            # here, it is empty for the package and the connection is kept.
            response.raw.drain_conn()
        return response


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()
