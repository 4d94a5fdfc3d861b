"""What every part of a plan is given beside the agent's view: values only."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from connectors.records import EventDraft
from gateway.rules.book import RuleBook
from gateway.rules.values import AgentRules
from gateway.sync.values import LinkedAgent
from mappings.identity import Identity
from mappings.owned import notes_digest, owned_digest, owned_of_draft
from mappings.wallclock import to_wall


@dataclass(frozen=True, slots=True)
class PlanContext:
    """`now` is an instant (UTC); zones of organisations hold for RDVs that do not carry their own."""

    now: datetime
    rulebook: RuleBook
    identity: Identity
    digest_key: bytes = field(repr=False)
    default_zone: ZoneInfo
    organisation_zones: Mapping[int, ZoneInfo] = field(default_factory=dict)

    def organisation_zone(self, organisation_id: int) -> ZoneInfo:
        """The configured zone of an organisation: the API does not tell it (API facts, 5.5)."""
        return self.organisation_zones.get(organisation_id, self.default_zone)

    def rules(self, agent: LinkedAgent) -> AgentRules:
        """What the département chose for this agent."""
        return self.rulebook.for_agent(agent.subject)

    def wall_now(self, agent: LinkedAgent) -> datetime:
        """Now, as the agent's wall-clock."""
        return to_wall(self.now, agent.zone)

    def today(self, agent: LinkedAgent) -> date:
        """The agent's current day."""
        return self.wall_now(agent).date()

    def asked(self, draft: EventDraft) -> str:
        """Keyed digest of all that a draft asks for, notes included: what a source wants its event to be."""
        owned = owned_of_draft(draft)
        return f"{owned_digest(self.digest_key, owned)}:{notes_digest(self.digest_key, owned)}"


def title_digest(key: bytes, title: str) -> str:
    """Keyed digest of a title alone: tells whether a person typed another one, without keeping either."""
    return hmac.new(key, b"title\0" + " ".join(title.split()).encode(), hashlib.sha256).hexdigest()
