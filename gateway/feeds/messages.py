"""Addresses of a link, and ready texts to send with it. The gateway sends none itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from babel.dates import format_date

from gateway.feeds import texts
from gateway.feeds.values import Language
from gateway.languages import translation


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a link leads: its page, the feed itself, and the form that opens a calendar program."""

    page: str = field(repr=False)
    feed: str = field(repr=False)
    webcal: str = field(repr=False)


def addresses(base_url: str, token: str) -> Addresses:
    """`base_url`: the public address, no slash at its end."""
    page = f"{base_url}/ical/{token}"
    return Addresses(page, f"{page}.ics", f"webcal://{page.partition('://')[2]}.ics")


def sms(page: str, language: Language) -> str:
    """What to send by SMS."""
    return translation(language)(texts.SMS).format(page=page)


def letter(page: str, language: Language, *, until: date, phone: str) -> str:
    """What to send by post or mail."""
    translate = translation(language)
    parts = [translate(texts.LETTER).format(page=page, until=day(until, language))]
    if phone:
        parts.append(translate(texts.LETTER_CALL).format(phone=phone))
    return "\n\n".join(parts)


def day(value: date, language: Language) -> str:
    """A date in words, `2 mars 2026`."""
    return str(format_date(value, "long", locale=language.value))
