"""The caldav package as we use it: discovery of the calendar home, and writes.

Credentials are always given and sent at once: without them that package reads configuration files, and it waits for
a refusal which some servers never give (they show an anonymous visitor no calendar).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from caldav.davclient import DAVClient
from caldav.lib import error as caldav_error
from lxml import etree
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from connectors.allowed_hosts import refusal
from connectors.caldav.door import Door
from connectors.caldav.faults import Answer
from connectors.caldav.paths import decoded, encoded
from connectors.caldav.settings import CalDavSettings
from connectors.errors import AnswerLost, ConnectorError, ITMustAct, RetryLater
from connectors.exchanges import exchange
from connectors.http import USER_AGENT, NetworkAdapter, requests_session
from connectors.network_faults import ClientCertificateWanted, network_fault, wants_client_certificate

# Environment variables make this package log every body that it sends, or write it to a file with the password:
# no setting may allow that.
logging.getLogger("caldav").setLevel(logging.WARNING)
caldav_error.debug_dump_communication = False


# What the package falls over with when a server answers a PROPFIND with something else than a multistatus.
_STUMBLES = (AttributeError, TypeError, ValueError, AssertionError)
_LONGEST_NOTICE = 16 * 1024


class CutOff(Exception):
    """The connection ended without an answer. What was sent may have been done."""


class _Elsewhere(requests.RequestException):
    """The package wants to ask another server, with this account's password. `address`: which one."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address


class Package:
    """A client of the caldav package that counts, asks one server only and follows no redirect."""

    def __init__(self, settings: CalDavSettings, door: Door) -> None:
        self._settings = settings
        self._door = door
        url = settings.checked_url()
        self._origin = f"{url.scheme}://{url.netloc.decode()}"
        network = settings.network
        self._client = DAVClient(
            url=str(url) if url.path else f"{url}/",
            username=settings.username,
            password=settings.password,
            auth_type="basic",
            timeout=(network.connect_timeout, network.read_timeout),  # type: ignore[arg-type]  # requests takes pairs
            headers={"User-Agent": USER_AGENT},
            features=settings.profile.features or {},
            enable_rfc6764=False,
            rate_limit_handle=False,
        )
        self._client.session.close()
        adapter = _Adapter(settings, door, self._origin)
        self._client.session = requests_session(network, system=settings.name, adapter=adapter)

    def find_home(self) -> str:
        """Path of the calendar home. Raises `ITMustAct` when the address does not lead to one, `RetryLater`."""
        try:
            home = self._ask_for_home()
        except (requests.RequestException, caldav_error.DAVError, etree.LxmlError, *_STUMBLES) as problem:
            raise self._no_home(problem) from None
        address = urlsplit(home)
        if address.netloc and f"{address.scheme}://{address.netloc}" != self._origin:
            # The password was given for one server.
            raise self._elsewhere(home)
        return decoded(home)

    def write(self, method: str, path: str, headers: Mapping[str, str], body: str = "") -> Answer:
        """One PUT or DELETE; `path` decoded.

        Raises `CutOff` when the connection ended, `AnswerLost` when nothing came in time, `RetryLater` when nothing
        was sent, `ITMustAct` for proxies and certificates, and what `Door` raises.
        """
        address = f"{self._origin}{encoded(path)}"
        with self._door.passage(method, forgives=(CutOff,)):
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
            self._door.judge(answer.status, answer.headers)
        return answer

    def close(self) -> None:
        """Give connections back."""
        self._client.close()

    def _ask_for_home(self) -> str:
        """On a fresh connection once more when the first was cut, as every reading."""
        try:
            with self._door.passage(forgives=(requests.ConnectionError,)):
                return str(self._client.get_principal().calendar_home_set.url)
        except requests.ConnectionError as problem:
            if self._network_fault(problem) is not None:
                raise
        with self._door.passage():
            return str(self._client.get_principal().calendar_home_set.url)

    def _no_home(self, problem: Exception) -> ConnectorError:
        status = problem.status if isinstance(problem, caldav_error.DAVError) else None
        if status is not None:
            self._door.judge(status)
        if isinstance(problem, caldav_error.RateLimitError) or (status or 0) >= 500:
            return RetryLater("The calendar server is busy or in trouble.", system=self._settings.name)
        if isinstance(problem, _Elsewhere):
            return self._elsewhere(problem.address)
        if isinstance(problem, requests.TooManyRedirects) and problem.response is not None:
            return self._redirected(problem.response)
        if isinstance(problem, requests.RequestException):
            return self._network_fault(problem) or RetryLater(
                f"The calendar server did not answer ({type(problem).__name__}).", system=self._settings.name
            )
        return ITMustAct(
            "No calendar home was found at the account's url.",
            system=self._settings.name,
            remedy="Correct the url, or configure home with the path that holds the calendars.",
        )

    def _elsewhere(self, address: str) -> ITMustAct:
        reason = refusal(address, self._settings.allowed_hosts)
        if reason is None:
            remedy = f"Configure {urlsplit(address).hostname} as the account's url: a password is given to one server."
        else:
            remedy = "Have the server name itself. If the other one is right, configure it as the account's url."
        return ITMustAct(
            f"The calendar server points to another server{f' ({reason})' if reason else ''}, which was not asked.",
            system=self._settings.name,
            remedy=remedy,
        )

    def _redirected(self, response: requests.Response) -> ITMustAct:
        target = urljoin(response.url, response.headers.get("Location", ""))
        address = urlsplit(target)
        if f"{address.scheme}://{address.netloc}" != self._origin:
            return self._elsewhere(target)
        return ITMustAct(
            "No calendar home was found at the account's url, which leads to another path.",
            system=self._settings.name,
            remedy=f"Configure {self._origin}{address.path} as the url, if that is no login page.",
        )

    def _network_fault(self, problem: Exception) -> ConnectorError | None:
        settings = self._settings
        return network_fault(problem, url=settings.url, network=settings.network, system=settings.name)

    def _unanswered(self, problem: requests.RequestException) -> Exception:
        name = self._settings.name
        fault = self._network_fault(problem)
        if fault is not None:
            return fault
        reason = getattr(problem.args[0], "reason", None) if problem.args else None
        if isinstance(problem, requests.ConnectTimeout) or isinstance(reason, NewConnectionError | ConnectTimeoutError):
            return RetryLater("The calendar server cannot be reached.", system=name)
        if isinstance(problem, requests.ReadTimeout):
            return AnswerLost("The calendar server did not answer a write in time.", system=name)
        return CutOff()


class _Adapter(NetworkAdapter):
    """Counts what is really sent, and sends nothing to another server than the account's."""

    def __init__(self, settings: CalDavSettings, door: Door, origin: str) -> None:
        self._door = door
        self._origin = origin
        self._system = settings.name
        super().__init__(settings.network, system=settings.name, connections=settings.max_connections)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        address = urlsplit(request.url or "")
        if f"{address.scheme}://{address.netloc}" != self._origin:
            raise _Elsewhere(request.url or "")
        self._door.count()
        with exchange(self._system, request.method or "") as told:
            response = super().send(request, *args, **options)
            told.status = response.status_code
        if "xml" not in response.headers.get("Content-Type", ""):
            # The package logs an unexpected page as it came, and pages may repeat what was sent. Read to its end
            # here, it is empty for the package and the connection is kept.
            page = response.raw.read(_LONGEST_NOTICE, decode_content=True)
            response.raw.drain_conn()
            if wants_client_certificate(response.status_code, page):
                raise ClientCertificateWanted
        return response


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()
