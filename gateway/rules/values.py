"""What can be chosen for an agent, beside which events block (`mappings.busy_rules.BusyRules`) and how RDVs are shown
(`mappings.rdv_event.CopyRules`)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AgentRules:
    """`copy_rdvs`, `block_time`, `mirror_absences`: the three directions. One that is off asks for nothing to be
    there: what the gateway wrote for it is taken back, past the guard as any removal."""

    horizon_days: int = 56
    merge_blocks: bool = True
    put_backs_per_day: int = 2
    many_count: int = 5
    many_share: float = 0.2
    near_twin_minutes: int = 15
    copy_rdvs: bool = True
    block_time: bool = True
    mirror_absences: bool = True
    tell_conflicts: tuple[str, ...] = ("agent",)
