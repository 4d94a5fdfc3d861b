"""Of the configuration: a département's rules, for everybody and for whom they differ.

`[rules]` speaks for everybody; each `[[rules.for]]` names one organisation, service, motif, agent or calendar, and
holds only what differs there. `blocks` and `copies` are tables of their own in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from connectors.records import Classification, UsagerField
from gateway.rules.book import RuleBook, RuleSection, Scope
from gateway.rules.values import AgentRules
from gateway.settings_parts import Section
from mappings.busy_rules import AllDay, BusyRules, Hours
from mappings.rdv_event import Cancelled, CopyRules, LabelLevel

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_RANGE = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)-([01]?\d|2[0-4]):([0-5]\d)")
_AGENT = AgentRules()
_BUSY = BusyRules()
_COPY = CopyRules()


def _hours(value: object) -> object:
    """`{monday = ["08:00-12:00"]}` as `Hours`; a day that is not named does not matter at all."""
    if not isinstance(value, Mapping):
        return value
    found: list[Hours] = []
    for day, ranges in value.items():
        if day not in _WEEKDAYS:
            raise ValueError(f"expected one of {', '.join(_WEEKDAYS)}")
        found.extend(_range(_WEEKDAYS.index(day), each) for each in (ranges if isinstance(ranges, list) else [ranges]))
    return tuple(found)


def _range(weekday: int, text: object) -> Hours:
    match = _RANGE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        raise ValueError('expected hours such as ["08:00-12:00", "13:30-18:00"]')
    begin = time(int(match[1]), int(match[2]))
    end = time(int(match[3]) % 24, int(match[4]))
    if (match[3] == "24" and match[4] != "00") or (end != time.min and end <= begin):
        raise ValueError("hours end after they begin, and 24:00 is the latest")
    return Hours(weekday, begin, end)


def _text(value: str) -> str:
    if not value.strip():
        raise ValueError("expected a text that is not empty")
    return value


def _pattern(value: str) -> str:
    if not value.replace("*", "").strip():
        raise ValueError("this pattern fits every title")
    return value


def _every(value: object) -> object:
    return None if value == "all" else value


Text = Annotated[str, AfterValidator(_text)]
Pattern = Annotated[str, AfterValidator(_pattern), Field(max_length=200)]
HoursTable = Annotated[tuple[Hours, ...], BeforeValidator(_hours)]
Motifs = Annotated[frozenset[int] | None, BeforeValidator(_every)]


class BlocksSection(Section):
    """Which events block: `mappings.busy_rules.BusyRules`."""

    blocks: bool = _BUSY.blocks
    tentative: bool = _BUSY.tentative
    elsewhere: bool = _BUSY.elsewhere
    all_day: AllDay = _BUSY.all_day
    all_day_categories: tuple[Text, ...] = ()
    always_categories: tuple[Text, ...] = ()
    always_titles: tuple[Pattern, ...] = ()
    never_categories: tuple[Text, ...] = ()
    never_titles: tuple[Pattern, ...] = ()
    hours: HoursTable = ()
    minimum_minutes: int = Field(default=_BUSY.minimum_minutes, ge=0, le=24 * 60)
    labels: dict[Text, Annotated[Text, Field(max_length=60)]] = Field(default_factory=dict)


class CopiesSection(Section):
    """How RDVs are shown in calendars: `mappings.rdv_event.CopyRules`."""

    label: LabelLevel = _COPY.label
    motifs: Motifs = frozenset()
    neutral_title: str = Field(default=_COPY.neutral_title, min_length=1, max_length=100)
    show_place: bool = _COPY.show_place
    show_phone: bool = _COPY.show_phone
    show_context: bool = _COPY.show_context
    show_link: bool = _COPY.show_link
    usager_fields: frozenset[UsagerField] = frozenset()
    classification: Classification = _COPY.classification
    category: str = Field(default=_COPY.category, max_length=60)
    color: str = Field(default=_COPY.color, pattern="^[a-z]*$", max_length=30)
    reminder_minutes: int | None = Field(default=_COPY.reminder_minutes, ge=0, le=7 * 24 * 60)
    cancelled: Cancelled = _COPY.cancelled


class AgentKeys(Section):
    """Choices for an agent as a whole: `gateway.rules.values.AgentRules`."""

    horizon_days: int = Field(default=_AGENT.horizon_days, ge=1, le=730)
    merge_blocks: bool = _AGENT.merge_blocks
    put_backs_per_day: int = Field(default=_AGENT.put_backs_per_day, ge=0, le=100)
    many_count: int = Field(default=_AGENT.many_count, ge=0, le=10_000)
    many_share: float = Field(default=_AGENT.many_share, ge=0, le=1)
    near_twin_minutes: int = Field(default=_AGENT.near_twin_minutes, ge=0, le=240)
    copy_rdvs: bool = _AGENT.copy_rdvs
    block_time: bool = _AGENT.block_time
    mirror_absences: bool = _AGENT.mirror_absences
    tell_conflicts: tuple[Text, ...] = _AGENT.tell_conflicts


class ForSection(AgentKeys):
    """What differs for one organisation, service, motif, agent or calendar."""

    organisation: int | None = None
    service: int | None = None
    motif: int | None = None
    agent: int | None = None
    calendar: str | None = None
    blocks: BlocksSection = BlocksSection()
    copies: CopiesSection = CopiesSection()

    @model_validator(mode="after")
    def _one_selector(self) -> Self:
        if len(self._selectors()) != 1:
            raise ValueError("expected exactly one of organisation, service, motif, agent and calendar")
        if self.calendar is not None and not re.fullmatch(r"[^:]+:.+", self.calendar):
            raise ValueError('calendar is written as "account:calendar", as rules explain shows it')
        flat = sorted(self.model_fields_set & AgentKeys.model_fields.keys())
        if flat and (self.motif is not None or self.calendar is not None):
            raise ValueError(f"{flat[0]} holds for agents: it can differ by organisation, service or agent only")
        if self.motif is not None and "blocks" in self.model_fields_set:
            raise ValueError("blocks is about calendar events, which have no motif")
        return self

    def _selectors(self) -> list[tuple[Scope, int | str]]:
        values = (
            (Scope.ORGANISATION, self.organisation),
            (Scope.SERVICE, self.service),
            (Scope.MOTIF, self.motif),
            (Scope.AGENT, self.agent),
            (Scope.CALENDAR, self.calendar),
        )
        return [(scope, value) for scope, value in values if value is not None]

    def to_section(self, place: str) -> RuleSection:
        """The same choices as the rule book takes them."""
        ((scope, selector),) = self._selectors()
        return _section(scope, selector, place, self)


class RulesSection(AgentKeys):
    """For everybody. `backfill_from`: the first day of RDVs to copy; without it, 1 January of the year."""

    backfill_from: date | None = None
    blocks: BlocksSection = BlocksSection()
    copies: CopiesSection = CopiesSection()
    differing: tuple[ForSection, ...] = Field(default=(), alias="for")

    @model_validator(mode="after")
    def _selectors_differ(self) -> Self:
        sections = [section.to_section("") for section in self.differing]
        seen: set[tuple[Scope, int | str]] = set()
        for section in sections:
            if (section.scope, section.selector) in seen:
                raise ValueError(f"two [[rules.for]] sections are for {section.scope.name.lower()} {section.selector}")
            seen.add((section.scope, section.selector))
        return self

    def to_book(self) -> RuleBook:
        """The rule book that these sections make."""
        return RuleBook(tuple(self._sections()))

    def _sections(self) -> Iterator[RuleSection]:
        yield _section(Scope.EVERYBODY, "", "rules", self)
        for number, section in enumerate(self.differing, start=1):
            yield section.to_section(f"rules.for, section {number}")


def _section(scope: Scope, selector: int | str, place: str, source: RulesSection | ForSection) -> RuleSection:
    return RuleSection(
        scope,
        selector,
        place,
        agent=_chosen(source, AgentKeys),
        blocks=_chosen(source.blocks, BlocksSection),
        copies=_chosen(source.copies, CopiesSection),
    )


def _chosen(source: Section, model: type[Section]) -> dict[str, Any]:
    """Only what the file sets: what it leaves out is another section's to choose, or has its default."""
    return {name: getattr(source, name) for name in model.model_fields if name in source.model_fields_set}
