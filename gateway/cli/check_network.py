"""What `check` says of the way to the servers: proxy by host, authorities, client certificates. Asks nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connectors.allowed_hosts import host_and_port
from connectors.certificates import CertificateFacts, authorities_in, certificates_in
from connectors.hosts import is_loopback
from connectors.network import AUTHORITY_VARIABLES, PROXY_VARIABLES, Network, Proxy
from gateway.settings import Settings

_AHEAD = timedelta(days=30)
_SHOWN = 3  # a bundle may hold a hundred authorities


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is so. `remedy`: what IT has to do about it; "" when it is well."""

    what: str
    detail: str
    remedy: str = ""


def network_facts(settings: Settings, now: datetime, environment: Mapping[str, str]) -> Iterator[Fact]:
    """All facts. `now`: an instant. `environment`: whose variables somebody may believe to be used."""
    yield from _ways(settings)
    network = settings.network
    if network.ca_file is not None:
        yield _dates("network: authorities", network.ca_file, authorities_in, now)
    if network.client_certificate_file is not None:
        yield _dates("network: client certificate", network.client_certificate_file, _leaf, now)
    for account in settings.accounts:
        if account.client_certificate_file is not None:
            yield _dates(f"account {account.name}: client certificate", account.client_certificate_file, _leaf, now)
    named = {name.upper(): name for name in environment if environment[name]}
    ignored = [named[name] for name in (*PROXY_VARIABLES, *AUTHORITY_VARIABLES) if name in named]
    if ignored:
        detail = f"set and not used: {', '.join(ignored)}; the [network] section says what is"
        yield Fact("network: environment", detail)


def _ways(settings: Settings) -> Iterator[Fact]:
    section = settings.network
    network = Network(proxy=Proxy(section.proxy, exceptions=section.no_proxy) if section.proxy else None)
    urls = [settings.rdv_solidarites.url, *(account.url for account in settings.accounts)]
    for place, url in sorted({str(host_and_port(url)): url for url in urls}.items()):
        proxy = network.proxy_for(url)
        if proxy is not None:
            detail = f"through the proxy {proxy.place}"
        elif is_loopback(host_and_port(url).host):
            detail = "directly: this machine"
        else:
            detail = "directly: listed in no_proxy" if section.proxy else "directly"
        yield Fact(f"network: {place}", detail)


def _leaf(path: Path) -> Sequence[CertificateFacts]:
    return certificates_in(path)[:1]


def _dates(what: str, path: Path, read: Callable[[Path], Sequence[CertificateFacts]], now: datetime) -> Fact:
    try:
        found = read(path)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it holds no PEM certificate"
        return Fact(what, f"{path} cannot be used ({reason})", "Put a PEM file there that the gateway may read.")
    shown = "; ".join(f"{each.subject}, until {each.not_after:%Y-%m-%d}" for each in found[:_SHOWN])
    more = f"; {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    detail = f"{path}: {shown}{more}"
    ending = [each for each in found if each.not_after <= now + _AHEAD]
    if not ending:
        return Fact(what, detail)
    first = ending[0]
    verb = "expired" if first.not_after <= now else "expires"
    return Fact(
        what,
        f"{detail} ({first.subject} {verb} on {first.not_after:%Y-%m-%d})",
        "Have a new one issued and put it into the file, beside the old one if it is an authority.",
    )
