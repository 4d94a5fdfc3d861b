"""The rules of a simulated département: drawn for a part of the histories, applied by code of our own, and given to
the gateway as the rule book it knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time, timedelta
from random import Random
from typing import TYPE_CHECKING

from gateway.rules.book import RuleBook, RuleSection, Scope
from mappings.busy_rules import AllDay, Hours
from mappings.rdv_event import Cancelled
from tests.simulation.intervals import Interval, within

if TYPE_CHECKING:
    from tests.simulation.meetings import Meeting

TRAINING, PERSONAL = "Formation", "Perso"
CATEGORIES = ("", "", "", TRAINING, PERSONAL)
RETITLED = "again"
"""In the title of every event that somebody gave another one."""


@dataclass(frozen=True, slots=True)
class OfficeRules:
    """What holds for the agents of one organisation. `hours`: of each working day, by the hour of the clock."""

    merged: bool = True
    tentative: bool = True
    all_day: bool = True
    skips_personal: bool = False
    skips_retitled: bool = False
    labelled: bool = False
    hours: tuple[tuple[int, int], ...] = ()
    minimum: int = 0

    @property
    def apart(self) -> bool:
        """Whether blocks may overlap each other."""
        return self.labelled or not self.merged

    def blocks(self, meeting: Meeting, length: timedelta) -> bool:
        """Whether an occurrence of this length of a meeting that is busy by itself blocks at all."""
        skipped = (self.skips_personal and meeting.category == PERSONAL) or (
            self.skips_retitled and RETITLED in meeting.title
        )
        by_itself = (self.tentative or not meeting.tentative) and (self.all_day or not meeting.all_day)
        return by_itself and not skipped and length >= timedelta(minutes=self.minimum)

    def label(self, meeting: Meeting) -> str:
        """What its blocks are called."""
        return TRAINING if self.labelled and meeting.category == TRAINING else ""

    def cut(self, intervals: Iterable[Interval]) -> list[Interval]:
        """What of some time lies in the hours that matter."""
        every = list(intervals)
        if not self.hours or not every:
            return every
        found: list[Interval] = []
        day = min(start for start, _ in every).replace(hour=0, minute=0)
        while day < max(end for _, end in every):
            if day.weekday() < 5:
                for first, last in self.hours:
                    found += within(every, (day + timedelta(hours=first), day + timedelta(hours=last)))
            day += timedelta(days=1)
        return found

    def section(self, organisation_id: int) -> RuleSection:
        """The same, as a département would configure it."""
        blocks: dict[str, object] = {"tentative": self.tentative, "minimum_minutes": self.minimum}
        blocks["all_day"] = AllDay.BUSY if self.all_day else AllDay.NEVER
        if self.skips_personal:
            blocks["never_categories"] = (PERSONAL,)
        if self.skips_retitled:
            blocks["never_titles"] = (f"* {RETITLED} *",)
        if self.labelled:
            blocks["labels"] = {TRAINING: TRAINING}
        blocks["hours"] = tuple(
            Hours(day, time(first), time(last % 24)) for day in range(5) for first, last in self.hours
        )
        agent = {"merge_blocks": self.merged}
        return RuleSection(Scope.ORGANISATION, organisation_id, f"organisation {organisation_id}", agent, blocks)


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for everybody, and by organisation."""

    horizon_days: int
    many_count: int
    cancelled: Cancelled
    offices: tuple[tuple[int, OfficeRules], ...]

    def of(self, organisation_id: int) -> OfficeRules:
        """Those of one organisation."""
        return dict(self.offices)[organisation_id]

    def book(self) -> RuleBook:
        """The same as the gateway reads it."""
        everybody = RuleBook.for_everybody(
            agent={"horizon_days": self.horizon_days, "many_count": self.many_count},
            copies={"cancelled": self.cancelled},
        )
        return RuleBook((*everybody.sections, *(office.section(number) for number, office in self.offices)))


def drawn_office(chance: Random) -> OfficeRules:
    """Half of all offices choose nothing."""
    if chance.random() < 0.5:
        return OfficeRules()
    return OfficeRules(
        merged=chance.random() < 0.6,
        tentative=chance.random() < 0.5,
        all_day=chance.random() < 0.6,
        skips_personal=chance.random() < 0.5,
        skips_retitled=chance.random() < 0.5,
        labelled=chance.random() < 0.5,
        hours=chance.choice([(), (), ((8, 18),), ((9, 12), (12, 17)), ((9, 12), (13, 24))]),
        minimum=chance.choice([0, 0, 30, 60]),
    )
