"""The page behind a link, for a browser: the next RDVs within its level, then how to subscribe. No script."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from connectors.icalendar_feed import FeedEntry
from gateway.feeds import texts
from gateway.feeds.messages import addresses
from gateway.feeds.serving import Served
from gateway.feeds.values import Language
from gateway.languages import translation
from mappings.identity import NAMESPACE
from mappings.texts import Translate

_TEMPLATES = Path(__file__).parent / "templates"
_SHOWN = 10

_STYLE = (_TEMPLATES / "style.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
SECURITY_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded, run, framed or posted."""

_ENVIRONMENT = Environment(loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined)


@dataclass(frozen=True, slots=True)
class _Shown:
    summary: str = field(repr=False)
    day: str
    times: str
    location: str = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    file: str = field(repr=False)
    about: str


@dataclass(frozen=True, slots=True)
class Pages:
    """Makes pages. `zone`: of the moment that a page names."""

    base_url: str
    zone: ZoneInfo

    def feed(self, served: Served, token: str, language: Language, now: datetime, phone: str) -> str:
        """Of an open link."""
        translate = translation(language.value)
        local = now.astimezone(self.zone)
        moment = f"{_day(local, language)}, {_time(local, language)}"
        return _render(
            "feed.html",
            language,
            entries=tuple(self._entries(served, token, language, now)),
            moment=moment,
            own=addresses(self.base_url, token),
            name=translate(texts.NAMES[served.link.purpose]),
            phone=phone,
        )

    def closed(self, language: Language, phone: str) -> str:
        """Of a link that was revoked or has expired."""
        return _render("closed.html", language, phone=phone)

    def _entries(self, served: Served, token: str, language: Language, now: datetime) -> Iterator[_Shown]:
        ahead = [entry for entry, _ in served.content.entries if not entry.rule and _ends_after(entry, now)]
        ahead.sort(key=lambda entry: (_instant(entry.start), entry.uid))
        translate = translation(language.value)
        for entry in ahead[:_SHOWN]:
            day = _day(entry.start, language)
            yield _Shown(
                summary=entry.summary,
                day=day,
                times=_times(entry, language, translate),
                location=entry.location,
                lines=tuple(filter(None, entry.description.split("\n"))),
                file=f"{self.base_url}/ical/{token}/{entry.uid.removeprefix(NAMESPACE)}.ics",
                about=translate(texts.ADD_ABOUT).format(day=day),
            )


def single(served: Served, name: str) -> bytes | None:
    """One entry of an open feed as a file of its own; None: there is none of that name."""
    for entry, version in served.content.entries:
        if entry.uid == NAMESPACE + name:
            return type(served.content)(served.content.head, ((entry, version),), served.content.changed_at).render()
    return None


def _render(template: str, language: Language, **values: object) -> str:
    translate = translation(language.value)
    other = Language.ENGLISH if language is Language.FRENCH else Language.FRENCH
    made = _ENVIRONMENT.get_template(template)
    return made.render(
        t=_translated(translate),
        language=language.value,
        other=other.value,
        style=Markup(_STYLE),  # noqa: S704 - a file of ours
        **values,
    )


def _translated(translate: Translate) -> SimpleNamespace:
    """The texts of the page in one language, by name."""

    def said(text: object) -> object:
        return tuple(map(said, text)) if isinstance(text, tuple) else translate(str(text))

    found = {name: value for name, value in vars(texts).items() if name.isupper() and isinstance(value, str | tuple)}
    return SimpleNamespace(**{name: said(value) for name, value in found.items()})


def _times(entry: FeedEntry, language: Language, translate: Translate) -> str:
    if not isinstance(entry.start, datetime) or not isinstance(entry.end, datetime):
        return ""
    return translate(texts.TIMES).format(start=_time(entry.start, language), end=_time(entry.end, language))


def _day(moment: object, language: Language) -> str:
    return str(format_date(moment, "full", locale=language.value))  # type: ignore[arg-type]  # a date or a datetime


def _time(moment: datetime, language: Language) -> str:
    return str(format_time(moment, "short", tzinfo=moment.tzinfo, locale="en_GB" if language == "en" else "fr"))


def _ends_after(entry: FeedEntry, now: datetime) -> bool:
    return _instant(entry.end) > now


def _instant(moment: object) -> datetime:
    if isinstance(moment, datetime):
        return moment.astimezone(UTC)
    return datetime.fromisoformat(f"{moment}T00:00:00+00:00")
