"""The notice to an agent before their calendar is linked: what is read, what colleagues see, how to stop. Pure.

It says what the configuration really does, so that it changes with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.records import Agent
from gateway.agents import notice_texts as texts
from gateway.settings import Settings
from mappings.identity import ABSENCE_TAG
from mappings.texts import Translate, source_text


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


def notice(agent: Agent, calendars: Sequence[str], settings: Settings, *, translate: Translate = source_text) -> Notice:
    """`calendars`: those that block, by path or name; none: not chosen yet."""
    name = " ".join(f"{agent.first_name} {agent.last_name}".split())
    own = settings.notices
    greeting = translate(texts.GREETING).format(name=name) if name else translate(texts.GREETING_NOBODY)
    introduction = translate(texts.INTRODUCTION).format(departement=own.departement or translate(texts.SOMEBODY))
    parts = [
        [greeting],
        [introduction],
        [translate(texts.READ), *_read(calendars, settings, translate)],
        [translate(texts.SEEN), *_seen(settings, translate)],
        [translate(each) for each in (texts.UNTOUCHED, texts.UNTOUCHED_EVENTS, texts.UNTOUCHED_QUIET)]
        + [translate(texts.UNTOUCHED_TITLES)],
        [translate(texts.FREE), translate(texts.FREE_HOW)],
        [translate(texts.STOP), *_stop(settings, translate)],
    ]
    body = "\n\n".join("\n".join(part) for part in parts) + "\n"
    return Notice(agent.id, agent.email, translate(texts.SUBJECT), body)


def _read(calendars: Sequence[str], settings: Settings, translate: Translate) -> list[str]:
    names = ", ".join(dict.fromkeys(_short(each) for each in calendars)) or translate(texts.YOUR_CALENDAR)
    days = settings.rules.horizon_days
    return [translate(texts.READ_CALENDAR).format(calendars=names, days=days), translate(texts.READ_RDVS)]


def _short(calendar: str) -> str:
    return calendar.rstrip("/").rpartition("/")[2] or calendar


def _seen(settings: Settings, translate: Translate) -> list[str]:
    labels = settings.rules.copies
    lines = [translate(texts.SEEN_BLOCKS).format(tag=ABSENCE_TAG)]
    if labels.label == "motif":
        fields = [translate(texts.FIELDS[name]) for name in sorted(labels.usager_fields)]
        if labels.show_place:
            fields.append(translate(texts.FIELDS["place"]))
        if fields:
            listed = translate(texts.AND).join(part for part in (", ".join(fields[:-1]), fields[-1]) if part)
            lines.append(translate(texts.SEEN_MOTIF_WITH).format(fields=listed))
        else:
            lines.append(translate(texts.SEEN_MOTIF))
    else:
        lines.append(translate(texts.SEEN_NEUTRAL).format(title=labels.neutral_title))
    lines += [translate(texts.CLASSES[labels.classification]), translate(texts.SEEN_ABSENCES)]
    return lines


def _stop(settings: Settings, translate: Translate) -> list[str]:
    own = settings.notices
    lines = [translate(texts.STOP_HOW).format(contact=own.contact or translate(texts.STOP_SOMEBODY))]
    if own.privacy_contact:
        lines.append(translate(texts.PRIVACY).format(contact=own.privacy_contact))
    return lines
