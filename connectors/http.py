"""One way to build an HTTP client for every connector that speaks HTTP through httpx2.

Certificates are checked against the operating system's store, where départements keep their private authorities;
`SSL_CERT_FILE` and the proxy variables of the environment are honoured, except towards this machine itself.
"""

from __future__ import annotations

import ipaddress
import logging
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx2

from connectors.errors import ITMustAct

USER_AGENT = "rdv-gateway"

# At DEBUG this library writes every header it sends and receives, tokens included: no setting of ours may allow it.
logging.getLogger("httpcore2").setLevel(logging.INFO)


def is_loopback(host: str) -> bool:
    """Whether `host` (a name or an address literal) can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
    base_url: httpx2.URL,
    *,
    connect_timeout: float,
    read_timeout: float,
    transport: httpx2.BaseTransport | None = None,
) -> httpx2.Client:
    """A client that keeps its connections, follows no redirect and keeps no cookie. Thread-safe.

    `connect_timeout` and `read_timeout` are seconds of silence, not of the whole exchange. The caller closes it.
    """
    return httpx2.Client(
        base_url=base_url,
        headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
        # A session cookie would be a second identity beside the token that is sent on purpose.
        cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx2.Timeout(read_timeout, connect=connect_timeout),
        # Below the usual 20 s after which application servers close an idle connection: closing first avoids
        # writing into a connection that is just being closed.
        limits=httpx2.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=15.0),
        follow_redirects=False,
        trust_env=not is_loopback(base_url.host),
        transport=transport,
    )
