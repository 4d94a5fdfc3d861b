"""The notice to an agent before their calendar is linked: what is read, what colleagues see, how to stop. Pure.

It says what the rules really do for that agent, so that it changes with them. Where they differ from RDV to RDV it says
the most that may be shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from connectors.records import Agent, Classification, UsagerField
from gateway.agents import notice_texts as texts
from gateway.rules.book import RuleSubject
from gateway.rules.values import AgentRules
from gateway.settings import Settings
from mappings.identity import ABSENCE_TAG
from mappings.texts import Translate, source_text

_FLAGS = ("show_place", "show_phone", "show_context")


@dataclass(frozen=True, slots=True)
class Notice:
    """A mail that a person sends. `email` None: the agent has none in RDV-Solidarités."""

    agent_id: int
    email: str | None
    subject: str
    body: str

    def as_text(self, translate: Translate = source_text) -> str:
        """The mail as a text file: recipient, subject, an empty line, the body."""
        recipient = translate(texts.RECIPIENT_UNKNOWN)
        if self.email:
            recipient = translate(texts.RECIPIENT).format(email=self.email)
        return f"{recipient}\n{translate(texts.SUBJECT_LINE).format(subject=self.subject)}\n\n{self.body}"


@dataclass(frozen=True, slots=True)
class NoticeSubject:
    """Whose calendar is to be linked. `sources`, `target`: those that block and the one that receives, as "account:
    calendar"; none, or "": not chosen yet."""

    rules: RuleSubject
    sources: tuple[str, ...] = ()
    target: str = ""


def notice(agent: Agent, subject: NoticeSubject, settings: Settings, *, translate: Translate = source_text) -> Notice:
    """The notice to one agent, by the rules that hold for that agent."""
    name = " ".join(f"{agent.first_name} {agent.last_name}".split())
    own = settings.notices
    greeting = translate(texts.GREETING).format(name=name) if name else translate(texts.GREETING_NOBODY)
    introduction = translate(texts.INTRODUCTION).format(departement=own.departement or translate(texts.SOMEBODY))
    told = _Told.of(subject, settings, translate)
    parts = [
        [greeting],
        [introduction],
        [translate(texts.READ), *told.read()],
        [translate(texts.SEEN), *told.seen_there(), *told.seen_here()],
        [translate(texts.UNTOUCHED), *told.untouched()],
        [translate(texts.FREE), translate(texts.FREE_HOW)] if told.rules.block_time else [],
        [translate(texts.STOP), *_stop(settings, translate)],
    ]
    body = "\n\n".join("\n".join(part) for part in parts if part) + "\n"
    return Notice(agent.id, agent.email, translate(texts.SUBJECT), body)


@dataclass(frozen=True, slots=True)
class _Told:
    """What one agent's own rules come to. `copies`: every value that each choice may have (`possible_copies`)."""

    subject: NoticeSubject
    rules: AgentRules
    copies: Mapping[str, frozenset[Any]]
    labels: tuple[str, ...]
    translate: Translate

    @classmethod
    def of(cls, subject: NoticeSubject, settings: Settings, translate: Translate) -> _Told:
        book = settings.rules.to_book()
        calendars = subject.sources or (subject.target,)
        labels = {label for each in calendars for label in book.for_calendar(subject.rules, each).labels.values()}
        copies = book.possible_copies(subject.rules, subject.target)
        return cls(subject, book.for_agent(subject.rules), copies, tuple(sorted(labels)), translate)

    def read(self) -> list[str]:
        names = ", ".join(dict.fromkeys(_short(each) for each in self.subject.sources))
        text = self.translate(texts.READ_CALENDAR)
        shown = names or self.translate(texts.YOUR_CALENDAR)
        return [text.format(calendars=shown, days=self.rules.horizon_days), self.translate(texts.READ_RDVS)]

    def seen_there(self) -> list[str]:
        if not self.rules.block_time:
            return [self.translate(texts.SEEN_NO_BLOCKS)]
        text = texts.SEEN_BLOCKS_LABELLED if self.labels else texts.SEEN_BLOCKS
        return [self.translate(text).format(tag=ABSENCE_TAG, labels=", ".join(self.labels))]

    def seen_here(self) -> list[str]:
        lines = self._rdvs() if self.rules.copy_rdvs else [self.translate(texts.SEEN_NO_RDVS)]
        return [*lines, self.translate(texts.SEEN_ABSENCES)] if self.rules.mirror_absences else lines

    def _rdvs(self) -> list[str]:
        named = self.copies["names_motif"]
        title = self.translate(texts.OR_TITLE).join(sorted(self.copies["neutral_title"]))
        text = {(True, True): texts.SEEN_MOTIF, (False, True): texts.SEEN_MOTIF_SOME}.get((min(named), max(named)))
        lines = [self.translate(text or texts.SEEN_NEUTRAL).format(title=title)]
        if True in named:
            always = self._fields(every=True) if False not in named else []
            some = [each for each in self._fields(every=False) if each not in always]
            for kind, fields in ((texts.SEEN_FIELDS, always), (texts.SEEN_FIELDS_SOME, some)):
                if fields:
                    lines.append(self.translate(kind).format(fields=self._listed(fields)))
        return [*lines, self._classification()]

    def _fields(self, *, every: bool) -> list[str]:
        """What is shown of every RDV whose motif is named, or of some."""
        holds = all if every else any
        found = [each for each in UsagerField if holds(each in chosen for chosen in self.copies["usager_fields"])]
        found_flags = [each for each in _FLAGS if holds(self.copies[each])]
        return [texts.FIELDS[each] for each in (*found, *found_flags)]

    def _listed(self, fields: Sequence[str]) -> str:
        translated = [self.translate(each) for each in fields]
        return self.translate(texts.AND).join(part for part in (", ".join(translated[:-1]), translated[-1]) if part)

    def _classification(self) -> str:
        """Of several, the one that protects least."""
        possible = self.copies["classification"]
        if Classification.PUBLIC in possible and len(possible) > 1:
            return self.translate(texts.CLASS_DIFFERS)
        return self.translate(texts.CLASSES[next(each for each in Classification if each in possible)])

    def untouched(self) -> list[str]:
        lines = [self.translate(texts.UNTOUCHED_EVENTS)]
        minutes = sorted(self.copies["reminder_minutes"] - {None}) if self.rules.copy_rdvs else []
        text = texts.UNTOUCHED_QUIET_BUT if minutes else texts.UNTOUCHED_QUIET
        lines.append(self.translate(text).format(minutes=self._listed([str(each) for each in minutes] or [""])))
        return [*lines, self.translate(texts.UNTOUCHED_TITLES)] if self.rules.copy_rdvs else lines


def _short(calendar: str) -> str:
    """The name of "account:calendar", or the last part of its path."""
    path = calendar.partition(":")[2]
    return path.rstrip("/").rpartition("/")[2] or path


def _stop(settings: Settings, translate: Translate) -> list[str]:
    own = settings.notices
    lines = [translate(texts.STOP_HOW).format(contact=own.contact or translate(texts.STOP_SOMEBODY))]
    if own.privacy_contact:
        lines.append(translate(texts.PRIVACY).format(contact=own.privacy_contact))
    return lines
