"""Dates and times of alerts in words."""

from __future__ import annotations

from datetime import date, datetime

from gateway.alerts import texts
from mappings.texts import Translate


def day(value: date, translate: Translate) -> str:
    """`lundi 2 mars 2026`."""
    number = translate(texts.FIRST) if value.day == 1 else str(value.day)
    weekday, month = translate(texts.DAYS[value.weekday()]), translate(texts.MONTHS[value.month - 1])
    return translate(texts.DATE).format(weekday=weekday, day=number, month=month, year=value.year)


def moment(value: datetime, translate: Translate) -> str:
    """`lundi 2 mars 2026 à 9 h 30`."""
    return translate(texts.AT).format(date=day(value, translate), time=_hour(value, translate))


def span(start: datetime, end: datetime | None, translate: Translate) -> str:
    """`lundi 2 mars 2026 de 9 h à 10 h 30`; over several days, from one moment to the other."""
    if end is None or end <= start:
        return moment(start, translate)
    if start.date() == end.date():
        hours = {"start": _hour(start, translate), "end": _hour(end, translate)}
        return translate(texts.FROM_TO).format(date=day(start, translate), **hours)
    return translate(texts.FROM_TO_DAYS).format(start=moment(start, translate), end=moment(end, translate))


def _hour(value: datetime, translate: Translate) -> str:
    text = texts.HOUR_MINUTE if value.minute else texts.HOUR
    return translate(text).format(hour=value.hour, minute=value.minute)
