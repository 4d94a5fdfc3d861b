"""Where a group's message goes: addresses of the configuration, and agents' own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from connectors.errors import ConnectorError
from gateway.alerts.composing import Group
from gateway.alerts.values import Audience
from gateway.settings_alerts import AlertsSection, mail_address
from gateway.sync.values import LinkedAgent

_LOG = structlog.get_logger(__name__)
_KEPT, _TRIED_AGAIN = timedelta(days=1), timedelta(minutes=15)


@dataclass(slots=True)
class Directory:
    """Agents' e-mail addresses, as RDV-Solidarités shows them. Read when one is needed, kept in memory for a day and
    nowhere else."""

    read: Callable[[], Mapping[int, str]] = field(repr=False)
    _known: Mapping[int, str] = field(default_factory=dict, repr=False)
    _next: datetime | None = None

    def address(self, agent_id: int, now: datetime) -> str | None:
        """None: the agent has none. Raises `LookupError` when it cannot be known now."""
        if self._next is None or now >= self._next:
            try:
                self._known, self._next = self.read(), now + _KEPT
            except ConnectorError as error:
                _LOG.warning("agents' addresses cannot be read", system=error.system, reason=str(error))
                self._next = now + _TRIED_AGAIN
        if agent_id in self._known:
            return self._known[agent_id]
        if not self._known:
            raise LookupError(agent_id)
        return None


@dataclass(frozen=True, slots=True)
class Recipients:
    """Of one evaluation."""

    section: AlertsSection
    directory: Directory
    agents: Mapping[int, LinkedAgent]
    now: datetime

    def mails(self, group: Group) -> tuple[str, ...]:
        """Addresses; none: nobody is to be told, or nobody can. Raises `LookupError` when it cannot be known now."""
        if group.address:
            return _fit([group.address])
        if group.audience is not Audience.AGENT:
            return self.section.addresses(group.audience, group.organisation_id)
        if not self.wants(group.agent_id):
            return ()
        agent = self.agents.get(group.agent_id)
        own = _fit([] if agent is None else [agent.target.account.partition("/")[2]])
        return own or _fit([self.directory.address(group.agent_id, self.now) or ""])

    def wants(self, agent_id: int) -> bool:
        """Whether this agent is told anything."""
        return self.section.agents and agent_id not in self.section.opted_out


def _fit(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that are e-mail addresses."""
    found = []
    for each in addresses:
        try:
            found.append(mail_address(each))
        except ValueError:
            continue
    return tuple(found)
