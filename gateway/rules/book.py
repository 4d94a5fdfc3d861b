"""The rule book: sections of choices, and what they come to for one agent, calendar or RDV.

From the general to the particular: everybody, organisation, service, motif, agent, calendar. A choice of a more
particular section replaces that of a more general one; what no section chooses has its default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from enum import IntEnum
from typing import Any, TypeVar

from connectors.records import Rdv, RdvSelection
from gateway.rules.values import AgentRules
from mappings.busy_rules import BusyRules, Patterns
from mappings.rdv_event import CopyRules, LabelLevel

_Rules = TypeVar("_Rules")


class Scope(IntEnum):
    """For whom a section speaks; the higher, the more particular."""

    EVERYBODY = 0
    ORGANISATION = 1
    SERVICE = 2
    MOTIF = 3
    AGENT = 4
    CALENDAR = 5


@dataclass(frozen=True, slots=True)
class RuleSection:
    """Choices of one section: names of fields and their values, only those that are set.

    `selector`: the id of the organisation, service, motif or agent; "account:calendar"; "" for everybody.
    `place`: where it stands in the configuration, for people.
    """

    scope: Scope
    selector: int | str
    place: str
    agent: Mapping[str, Any] = field(default_factory=dict)
    blocks: Mapping[str, Any] = field(default_factory=dict)
    copies: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleSubject:
    """An agent as rules see them: the home organisation and the service that the mapping file names."""

    agent_id: int
    organisation_id: int | None = None
    service_id: int | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """One choice that holds, and the section that made it ("" is the default)."""

    name: str
    value: object
    place: str


@dataclass(frozen=True, slots=True)
class RuleBook:
    """Every section, in any order. Two of the same scope and selector: the later one in `sections` wins."""

    sections: tuple[RuleSection, ...] = ()
    _known: dict[tuple[object, ...], Any] = field(default_factory=dict, init=False, compare=False, repr=False)

    @classmethod
    def for_everybody(
        cls,
        *,
        agent: Mapping[str, Any] | None = None,
        blocks: Mapping[str, Any] | None = None,
        copies: Mapping[str, Any] | None = None,
    ) -> RuleBook:
        """A book of one section, for everybody."""
        return cls((RuleSection(Scope.EVERYBODY, "", "rules", agent or {}, blocks or {}, copies or {}),))

    def for_agent(self, subject: RuleSubject) -> AgentRules:
        """Directions, horizon and thresholds of an agent."""
        return self._once(
            ("agent", subject), lambda: replace(AgentRules(), **_overlaid(self._of_agent(subject), "agent"))
        )

    def for_calendar(self, subject: RuleSubject, calendar: str) -> BusyRules:
        """Which events of one calendar of an agent block. `calendar`: "account:calendar"."""
        return self._once(
            ("blocks", subject, calendar),
            lambda: replace(BusyRules(), **_overlaid(self._of_agent(subject, calendar), "blocks")),
        )

    def for_rdv(self, subject: RuleSubject, calendar: str, rdv: Rdv) -> CopyRules:
        """How the copy of an RDV in an agent's calendar looks: by the RDV's own organisation, service and motif.

        A section of a motif that shows it by name allows that motif: it was chosen by its number.
        """
        key = ("copies", subject, calendar, rdv.organisation_id, rdv.service_id, rdv.motif_id)
        return self._once(key, lambda: self._for_rdv(tuple(self._of_rdv(subject, calendar, rdv)), rdv))

    def _for_rdv(self, sections: tuple[RuleSection, ...], rdv: Rdv) -> CopyRules:
        chosen = _overlaid(sections, "copies")
        named = any(each.scope is Scope.MOTIF and each.copies.get("label") is LabelLevel.MOTIF for each in sections)
        if named and rdv.motif_id is not None and chosen.get("motifs", frozenset()) is not None:
            chosen["motifs"] = chosen.get("motifs", frozenset()) | {rdv.motif_id}
        return replace(CopyRules(), **chosen)

    def possible_copies(self, subject: RuleSubject, calendar: str) -> dict[str, frozenset[Any]]:
        """For each choice of `CopyRules`, by name: every value that it may have in an agent's calendar, whatever RDV
        comes. Beside them `names_motif`: whether the motif is named, {True, False} when it depends on the RDV."""
        possible = {each.name: frozenset({getattr(CopyRules(), each.name)}) for each in fields(CopyRules)}
        allows_itself: frozenset[Any] = frozenset()
        for section in sorted(self.sections, key=lambda each: each.scope):
            of_rdvs = section.scope in (Scope.ORGANISATION, Scope.SERVICE, Scope.MOTIF)
            if not of_rdvs and section.selector not in ("", subject.agent_id, calendar):
                continue
            for name, value in section.copies.items():
                possible[name] = (possible[name] if of_rdvs else frozenset()) | {value}
            if section.scope is Scope.MOTIF and section.copies.get("label") is LabelLevel.MOTIF:
                allows_itself = frozenset({section.selector})
        motifs = possible["motifs"] | {allows_itself}
        named = LabelLevel.MOTIF in possible["label"] and any(each is None or each for each in motifs)
        always = possible["label"] == {LabelLevel.MOTIF} and possible["motifs"] == {None}
        return possible | {"names_motif": frozenset({always, named})}

    def explain_agent(self, subject: RuleSubject) -> tuple[Choice, ...]:
        """Every choice of `for_agent`, with who made it."""
        return _explained(AgentRules(), self._of_agent(subject), "agent")

    def explain_calendar(self, subject: RuleSubject, calendar: str) -> tuple[Choice, ...]:
        """Every choice of `for_calendar`, with who made it."""
        return _explained(BusyRules(), self._of_agent(subject, calendar), "blocks")

    def explain_rdv(self, subject: RuleSubject, calendar: str, rdv: Rdv) -> tuple[Choice, ...]:
        """Every choice of `for_rdv`, with who made it."""
        return _explained(CopyRules(), self._of_rdv(subject, calendar, rdv), "copies")

    @property
    def patterns(self) -> Patterns:
        """Every category and title pattern that some section asks about."""
        return Patterns.of(replace(BusyRules(), **section.blocks) for section in self.sections)

    @property
    def selection(self) -> RdvSelection:
        """Every personal field that some section shows: only these may pass the connector's door."""
        return RdvSelection(
            frozenset(each for section in self.sections for each in section.copies.get("usager_fields", ())),
            any(section.copies.get("show_context", False) for section in self.sections),
        )

    @property
    def longest_horizon_days(self) -> int:
        """The farthest that anybody's calendar is looked at."""
        return max(self._of_any("horizon_days"))

    def _once(self, key: tuple[object, ...], make: Callable[[], _Rules]) -> _Rules:
        """A plan asks the same of every RDV and event."""
        if key not in self._known:
            self._known[key] = make()
        found: _Rules = self._known[key]
        return found

    def _of_any(self, name: str) -> list[int]:
        chosen = [section.agent[name] for section in self.sections if name in section.agent]
        everybody = any(section.scope is Scope.EVERYBODY and name in section.agent for section in self.sections)
        return chosen if everybody else [*chosen, getattr(AgentRules(), name)]

    def _of_agent(self, subject: RuleSubject, calendar: str = "") -> Iterator[RuleSection]:
        yield from self._matching(
            {
                Scope.EVERYBODY: "",
                Scope.ORGANISATION: subject.organisation_id,
                Scope.SERVICE: subject.service_id,
                Scope.AGENT: subject.agent_id,
                Scope.CALENDAR: calendar or None,
            }
        )

    def _of_rdv(self, subject: RuleSubject, calendar: str, rdv: Rdv) -> Iterator[RuleSection]:
        yield from self._matching(
            {
                Scope.EVERYBODY: "",
                Scope.ORGANISATION: rdv.organisation_id,
                Scope.SERVICE: rdv.service_id,
                Scope.MOTIF: rdv.motif_id,
                Scope.AGENT: subject.agent_id,
                Scope.CALENDAR: calendar,
            }
        )

    def _matching(self, selectors: Mapping[Scope, int | str | None]) -> Iterator[RuleSection]:
        for section in sorted(self.sections, key=lambda each: each.scope):
            selector = selectors.get(section.scope)
            if selector is not None and selector == section.selector:
                yield section


def _overlaid(sections: Iterator[RuleSection] | tuple[RuleSection, ...], part: str) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for section in sections:
        chosen.update(getattr(section, part))
    return chosen


def _explained(defaults: Any, sections: Iterator[RuleSection], part: str) -> tuple[Choice, ...]:
    chosen = {each.name: Choice(each.name, getattr(defaults, each.name), "") for each in fields(defaults)}
    for section in sections:
        chosen.update({name: Choice(name, value, section.place) for name, value in getattr(section, part).items()})
    return tuple(chosen.values())
