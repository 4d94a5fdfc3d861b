"""One way to build the clients of every connector that speaks HTTP: with httpx2, and with requests where a library
asks for it. Both go through the same `connectors.network.Network`.
"""

from __future__ import annotations

import base64
import errno
import logging
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx2
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from connectors.errors import ITMustAct
from connectors.hosts import is_loopback
from connectors.network import Network, Proxy
from connectors.network_faults import ProxyFailure

USER_AGENT = "rdv-gateway"

# At DEBUG this library writes every header it sends and receives, tokens included: no setting of ours may allow it.
logging.getLogger("httpcore2").setLevel(logging.INFO)


def checked_base_url(base_url: str, *, system: str) -> httpx2.URL:
    """`base_url` when it is fit to carry credentials and personal data.

    Raises `ITMustAct` for what is no address, for one that holds a password, and for plain HTTP to another machine.
    """
    try:
        url = httpx2.URL(base_url)
    except httpx2.InvalidURL:
        url = httpx2.URL("")
    if url.scheme not in ("http", "https") or not url.host:
        raise ITMustAct(
            "The configured address is not an http or https address.",
            system=system,
            remedy="Correct the address in the configuration, e.g. https://www.rdv-solidarites.fr",
        )
    if url.userinfo:
        raise ITMustAct(
            f"The configured address of {url.host} holds a user name or a password.",
            system=system,
            remedy="Take them out of the address: credentials have their own settings.",
        )
    if url.scheme == "http" and not is_loopback(url.host):
        raise ITMustAct(
            f"The configured address of {url.host} is not encrypted (http).",
            system=system,
            remedy="Use its https address: plain http is allowed to this machine only.",
        )
    return url


def http_client(
    network: Network,
    *,
    system: str,
    base_url: httpx2.URL | str = "",
    headers: Mapping[str, str] | None = None,
    auth: httpx2.Auth | None = None,
    connections: int = 20,
    keepalive_expiry: float = 15.0,
    transport: httpx2.BaseTransport | None = None,
) -> httpx2.Client:
    """A client that keeps its connections, follows no redirect, keeps no cookie, reads no environment. Thread-safe.

    `keepalive_expiry`: seconds; below the usual 20 s after which application servers close an idle connection:
    closing first avoids writing into a connection that is just being closed. `transport` stands in for the network
    in tests. The caller closes the client. Raises `ITMustAct` for certificate files that cannot be used.
    """
    limits = httpx2.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=keepalive_expiry
    )
    return httpx2.Client(
        base_url=base_url,
        headers={"User-Agent": USER_AGENT, **(headers or {})},
        auth=auth,
        # A session cookie would be a second identity beside the credentials that are sent on purpose, and outlive them.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx2.Timeout(network.read_timeout, connect=network.connect_timeout),
        follow_redirects=False,
        trust_env=False,
        transport=transport or _Routes(network, network.tls_context(system=system), limits),
    )


class _Routes(httpx2.BaseTransport):
    """Sends each request directly or through the proxy, by its address. Tells a proxy's failure from a server's."""

    def __init__(self, network: Network, tls: ssl.SSLContext, limits: httpx2.Limits) -> None:
        self._network = network
        self._direct = httpx2.HTTPTransport(verify=tls, trust_env=False, limits=limits)
        self._proxied: httpx2.HTTPTransport | None = None
        if network.proxy is not None:
            encrypted = network.proxy.url.startswith("https:")
            proxy = httpx2.Proxy(
                network.proxy.url, headers=_proxy_headers(network.proxy), ssl_context=tls if encrypted else None
            )
            self._proxied = httpx2.HTTPTransport(verify=tls, trust_env=False, limits=limits, proxy=proxy)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._proxied is None or self._network.proxy_for(str(request.url)) is None:
            return self._direct.handle_request(request)
        stages: list[str] = []
        request.extensions = {**request.extensions, "trace": lambda stage, _details: stages.append(stage)}
        try:
            return self._proxied.handle_request(request)
        except httpx2.ProxyError:
            raise
        except httpx2.TransportError as error:
            # A connection is made to the proxy, asked for the server, and encrypted towards the server, in this order.
            if "connection.connect_tcp.started" in stages and "proxy.start_tls.started" not in stages:
                raise ProxyFailure(str(error)) from error
            raise

    def close(self) -> None:
        self._direct.close()
        if self._proxied is not None:
            self._proxied.close()


def requests_session(network: Network, *, system: str, adapter: NetworkAdapter | None = None) -> requests.Session:
    """A session that follows no redirect and reads no environment, for libraries built on requests.

    Timeouts are arguments of each request there: `(network.connect_timeout, network.read_timeout)`. `adapter`: one
    that does more. Raises `ITMustAct` for certificate files that cannot be used.
    """
    session = requests.Session()
    session.trust_env = False
    # A redirected PUT would be sent again as a GET, and its answer taken for success.
    session.max_redirects = 0
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
    adapter = adapter or NetworkAdapter(network, system=system)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Connection(HTTPSConnection):
    """Keeps what urllib3 would lose: why a connection ended."""

    def connect(self) -> None:
        try:
            super().connect()
        except (HTTPException, ConnectionError, TimeoutError):
            # An open connection counts as one to the server: closed, urllib3 says that the proxy is what failed.
            self.close()
            raise

    def send(self, data: Any) -> None:
        try:
            super().send(data)
        except ssl.SSLEOFError as error:
            # The server hung up. After this error, urllib3 still reads its last words.
            raise BrokenPipeError(errno.EPIPE, "The server hung up.") from error


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


_POOLS = {"http": HTTPConnectionPool, "https": _Pool}


class NetworkAdapter(HTTPAdapter):
    """Goes through the network as configured, whatever a library passes as proxies, `verify` or `cert`."""

    def __init__(self, network: Network, *, system: str, connections: int = 10) -> None:
        self._network = network
        self._tls = network.tls_context(system=system)
        super().__init__(pool_connections=10, pool_maxsize=connections)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **options: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=self._tls, **options)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, proxy_ssl_context=self._tls, **options)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def proxy_headers(self, _proxy: str) -> dict[str, str]:
        """Kept out of the proxy's address, which error messages repeat."""
        return _proxy_headers(self._network.proxy)

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing: the context verifies, and a second list of authorities would only widen it."""

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        proxy = self._network.proxy_for(request.url or "")
        options["proxies"] = {"http": proxy.url, "https": proxy.url} if proxy else {}
        options["timeout"] = options.get("timeout") or (self._network.connect_timeout, self._network.read_timeout)
        return super().send(request, *args, **options)


def _proxy_headers(proxy: Proxy | None) -> dict[str, str]:
    if proxy is None or not proxy.username:
        return {}
    credentials = base64.b64encode(f"{proxy.username}:{proxy.password}".encode()).decode("ascii")
    return {"Proxy-Authorization": f"Basic {credentials}"}
