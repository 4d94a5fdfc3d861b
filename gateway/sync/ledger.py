"""One agent's state in hand during a run: what the store holds, kept in step with each outcome recorded."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.records import Absence
from gateway.sync.values import AgentView, AgreedCopy, AgreedMirror, CalendarRef, LinkedAgent, PoolBlock, SeenEvent
from mappings.blocks import Block


@dataclass(slots=True)
class Ledger:
    """Mutable, owned by the one thread that works on this agent."""

    agent: LinkedAgent
    events: dict[tuple[CalendarRef, str], SeenEvent]
    absences: dict[int, Absence]
    copies: dict[int, AgreedCopy]
    blocks: dict[int, PoolBlock]
    mirrors: dict[int, AgreedMirror]
    view: AgentView  # as it was when this work began
    occurrences: list[Block] | None = None  # its busy ones, once something asked for them

    @classmethod
    def of(cls, view: AgentView) -> Ledger:
        """The state that a plan was made from."""
        return cls(
            agent=view.agent,
            events={(event.ref, event.href): event for event in view.events},
            absences={each.absence.id: each.absence for each in view.absences},
            copies={copy.rdv_id: copy for copy in view.copies},
            blocks={block.absence_id: block for block in view.blocks},
            mirrors={mirror.absence_id: mirror for mirror in view.mirrors},
            view=view,
        )
