"""What IT is told of a held state: what it is, and how it ends."""

from __future__ import annotations

from gateway.sync.values import HoldReason

WHAT = {
    HoldReason.FIRST_RUN: "first run of this agent: nothing is written before somebody approved its plan",
    HoldReason.MANY_REMOVALS: "many removals at once: a person should look first",
    HoldReason.UNPROVEN: "not proven gone: rights may have been lost, or an organisation emptied",
    HoldReason.FOUND_ABSENCE: "a person typed this absence before the gateway came; changing it needs an approval",
    HoldReason.NATIVE_SYNC: (
        "RDV-Solidarités itself also writes this agenda: RDVs would be doubled; no approval lets them through"
    ),
    HoldReason.SHRUNKEN_CALENDAR: "a calendar lost nearly all its events at once: no time is freed for that",
    HoldReason.CALENDAR_RESTORED: "the calendar looks restored from a backup: what it lost changes no absence",
    HoldReason.RDVS_RESTORED: "RDV-Solidarités looks restored from a backup: what it lost changes no calendar",
    HoldReason.DATABASE_RESTORED: "the database is of an earlier day: nothing is removed before a person looked",
    HoldReason.MANY_FREED: "many busy blocks were taken away in RDV-Solidarités at once: that is not believed yet",
    HoldReason.MANY_AGENTS: "too many agents would lose something in the same run: nothing is removed for anybody",
}

ENDS = {
    HoldReason.FIRST_RUN: "`approve` the plan; or correct the rules and plan again.",
    HoldReason.MANY_REMOVALS: "`approve` if it is meant; `reject` to keep what is there; over when its source is back.",
    HoldReason.UNPROVEN: "Give the service account its rights back; `approve` if the RDVs are really gone.",
    HoldReason.FOUND_ABSENCE: "`approve` to let the gateway keep it; `reject` to leave it as it was typed.",
    HoldReason.NATIVE_SYNC: "Switch the other sync off; see `rdv-gateway conflicts`.",
    HoldReason.SHRUNKEN_CALENDAR: "Restore the calendar, and it is over; `approve` if it was emptied on purpose.",
    HoldReason.CALENDAR_RESTORED: "`approve` to follow the calendar as it is now; `reject` to keep the absences.",
    HoldReason.RDVS_RESTORED: "`approve` to make lost blocks again and follow the rest; `reject` to keep the events.",
    HoldReason.DATABASE_RESTORED: "`approve` what is listed; over by itself when nothing is left to remove.",
    HoldReason.MANY_FREED: "`approve` if agents freed this time; `reject` to make the blocks again.",
    HoldReason.MANY_AGENTS: "Look for the common cause; `approve --all --reason many_agents` if it is meant.",
}


def what(reason: HoldReason) -> str:
    """The state in one sentence."""
    return WHAT[reason]


def ends(reason: HoldReason) -> str:
    """What IT can do."""
    return ENDS[reason]
