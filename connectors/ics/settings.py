"""What has to be known of a subscription."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import httpx2

from connectors.allowed_hosts import host_and_port, refusal
from connectors.errors import ITMustAct
from connectors.hosts import HostPattern
from connectors.network import Network


@dataclass(frozen=True, slots=True)
class IcsSettings:
    """One subscription. `url`: the link; whoever has it reads the calendar, so that it is shown nowhere.

    `allowed_hosts`: where the link, and whatever it is redirected to, may lead. `digest_key` keys the versions of
    items, which are kept in clear. `owned_by_it`: who is asked for another link: IT, or the agent. `owner_addresses`:
    the e-mail addresses of the calendar's owner, to tell what the owner declined.
    `network`: the way there, and seconds of silence. `answer_limit`: seconds for one whole answer, redirects included.
    `size_limit`: bytes of the file, decompressed. `event_limit`: events in it. `item_limit`: bytes of one event.
    """

    name: str
    url: str = field(repr=False)
    allowed_hosts: tuple[HostPattern, ...]
    digest_key: bytes = field(repr=False)
    owned_by_it: bool = False
    owner_addresses: Collection[str] = field(default=(), repr=False)
    network: Network = field(default_factory=Network)
    answer_limit: float = 120.0
    size_limit: int = 20 * 1024 * 1024
    event_limit: int = 20_000
    item_limit: int = 2 * 1024 * 1024

    def checked_url(self) -> httpx2.URL:
        """`url`, as it may be asked. Raises `ITMustAct`, which does not repeat it."""
        reason = refusal(self.url, self.allowed_hosts)
        if reason is not None:
            raise ITMustAct(
                f"The link of a subscription may not be used: {reason}.",
                system=self.name,
                remedy="Correct the link, or list its host in [network] allowed_hosts.",
            )
        return httpx2.URL(self.url)

    @property
    def host(self) -> str:
        """`host:port` of the link. Raises `ValueError` for one that must not be used."""
        return str(host_and_port(self.url))
