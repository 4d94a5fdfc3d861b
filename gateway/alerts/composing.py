"""News to messages: one for each group of addressees, however much there is to tell. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from gateway.alerts import texts
from gateway.alerts.typography import typeset
from gateway.alerts.values import Audience, Cause, Kind, News, Severity, Word
from gateway.alerts.wording import moment, span
from mappings.texts import Translate, source_text

_TIMES_SHOWN = 10
_AGENTS_SHOWN = 20
_SEVERITIES = tuple(reversed(Severity))


@dataclass(frozen=True, slots=True, order=True)
class Group:
    """Who gets one message together: IT; one agent; the référentes of an organisation (None: of no organisation in
    particular); one address that the rules name."""

    audience: Audience
    agent_id: int = 0
    organisation_id: int = 0
    address: str = ""

    @classmethod
    def of(cls, cause: Cause) -> Group:
        """Whom a cause is for."""
        if cause.audience is Audience.AGENT:
            return cls(cause.audience, agent_id=cause.agent_id or 0)
        return cls(cause.audience, organisation_id=cause.organisation_id or 0, address=cause.address)


@dataclass(frozen=True, slots=True)
class Sender:
    """What every message says of who sends it. `url`: of RDV-Solidarités. `zone`: of dates that are instants."""

    departement: str
    contact: str
    url: str
    zone: ZoneInfo


@dataclass(frozen=True, slots=True)
class Message:
    subject: str
    body: str
    news: tuple[News, ...] = ()


def grouped(news: Iterable[News]) -> dict[Group, tuple[News, ...]]:
    """By who gets it; the most severe first."""
    groups: defaultdict[Group, list[News]] = defaultdict(list)
    for each in news:
        groups[Group.of(each.cause)].append(each)
    return {group: tuple(sorted(found, key=_order)) for group, found in groups.items()}


def message(news: Sequence[News], sender: Sender, *, translate: Translate = source_text) -> Message:
    """One message with all of `news`, which are for one group."""
    parts = list(_parts(news))
    first = _headline(parts[0][0], translate)
    others = len(parts) - 1
    text = texts.SUBJECT if not others else texts.SUBJECT_ONE_MORE if others == 1 else texts.SUBJECT_MORE
    subject = translate(text).format(headline=first, count=others)
    paragraphs = [_part(part, sender, translate) for part in parts]
    return Message(typeset(subject), letter(paragraphs, sender, translate=translate), tuple(news))


def trial(sender: Sender, *, translate: Translate = source_text) -> Message:
    """A message that says nothing."""
    body = letter([translate(texts.TEST_BODY)], sender, translate=translate)
    return Message(typeset(translate(texts.TEST_SUBJECT)), body)


def letter(paragraphs: Sequence[str], sender: Sender, *, translate: Translate) -> str:
    """Greeting, paragraphs, who it is from."""
    contact = sender.contact or translate(texts.SOMEBODY)
    signature = translate(texts.SIGNATURE_PLAIN)
    if sender.departement:
        signature = translate(texts.SIGNATURE).format(departement=sender.departement)
    closing = f"{signature}\n{translate(texts.AUTOMATIC).format(contact=contact)}"
    return typeset("\n\n".join((translate(texts.GREETING), *paragraphs, closing)) + "\n")


def _order(news: News) -> tuple[object, ...]:
    cause = news.cause
    severity = _SEVERITIES.index(cause.manner.severity)
    return (news.word is Word.OVER, severity, cause.kind, cause.subject, str(cause.start or ""), cause.identity)


def _parts(news: Sequence[News]) -> Iterator[list[News]]:
    """What is told in one paragraph: one cause of IT's; of others all of one kind."""
    parts: dict[tuple[object, ...], list[News]] = {}
    for each in news:
        own = each.cause.identity if each.cause.audience is Audience.IT else each.cause.subject
        parts.setdefault((each.word, each.cause.kind, own), []).append(each)
    yield from parts.values()


def _headline(news: News, translate: Translate) -> str:
    cause = news.cause
    known = texts.IS_OVER if news.word is Word.OVER else texts.HEADLINES
    subject = cause.subject
    if cause.kind is Kind.HOLDS:
        subject = translate(texts.REASONS.get(cause.subject, cause.subject))
    text = translate(known[cause.audience, cause.kind]).format(subject=subject)
    return translate(texts.WORDS[news.word]) + text if texts.WORDS[news.word] else text


def _part(part: Sequence[News], sender: Sender, translate: Translate) -> str:
    first = part[0]
    cause = first.cause
    lines = [_headline(first, translate)]
    if cause.audience is Audience.AGENT:
        lines += _times(part, translate)
    elif cause.audience is Audience.REFERENTE:
        lines += _agents(part, translate)
    elif first.word is not Word.OVER:
        lines += _figures(first, sender, translate)
    if cause.subject in texts.CONFLICTS and cause.kind is Kind.CONFLICT and first.word is not Word.OVER:
        lines.append(translate(texts.CONFLICTS[cause.subject]))
    if first.word is not Word.OVER:
        contact = sender.contact or translate(texts.SOMEBODY)
        lines.append(translate(texts.ADVICE[cause.audience, cause.kind]).format(contact=contact, url=sender.url))
    return "\n".join(lines)


def _times(part: Sequence[News], translate: Translate) -> Iterator[str]:
    spans = dict.fromkeys((each.cause.start, each.cause.end) for each in part if each.cause.start is not None)
    for start, end in list(spans)[:_TIMES_SHOWN]:
        if start is not None:
            yield translate(texts.TIME_LINE).format(when=span(start, end, translate))
    if len(spans) > _TIMES_SHOWN:
        yield translate(texts.MORE_LINES).format(count=len(spans) - _TIMES_SHOWN)


def _agents(part: Sequence[News], translate: Translate) -> Iterator[str]:
    counts = Counter(each.cause.agent_id for each in part)
    for agent_id, count in sorted(counts.items(), key=lambda each: each[0] or 0)[:_AGENTS_SHOWN]:
        yield translate(texts.AGENT_LINE).format(agent=agent_id, count=count)
    if len(counts) > _AGENTS_SHOWN:
        yield translate(texts.MORE_LINES).format(count=len(counts) - _AGENTS_SHOWN)


def _figures(news: News, sender: Sender, translate: Translate) -> Iterator[str]:
    cause = news.cause
    yield translate(texts.SINCE).format(when=moment(news.since.astimezone(sender.zone), translate))
    if cause.kind in _COUNTING:
        yield translate(texts.AGENTS).format(count=cause.count)
    if cause.detail:
        yield translate(texts.DETAIL).format(detail=cause.detail)


_COUNTING = frozenset(
    {
        *(Kind.NEEDS_IT, Kind.SYSTEM_AWAY, Kind.MANY_REFUSED, Kind.SERVICE_SILENT),
        *(Kind.HOLDS, Kind.DEFECT, Kind.NO_ADDRESS),
    }
)
