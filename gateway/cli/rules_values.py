"""Choices of the rules as people and scripts read them: in the words of the configuration."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import time
from enum import StrEnum

from gateway.rules.book import Choice
from mappings.busy_rules import Hours

COLUMNS = ("Choice", "Value", "Set in")

_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DEFAULT = "default"


def shown(choices: Iterable[Choice], *, everything: bool) -> list[Choice]:
    """All of them, or those that some section made."""
    return [choice for choice in choices if everything or choice.place]


def choice_row(choice: Choice) -> tuple[object, ...]:
    """Under `COLUMNS`."""
    return (choice.name, json.dumps(plain(choice), ensure_ascii=False), choice.place or _DEFAULT)


def choice_json(choice: Choice) -> dict[str, object]:
    """`set_in`: the section of the configuration, or "default"."""
    return {"name": choice.name, "value": plain(choice), "set_in": choice.place or _DEFAULT}


def plain(choice: Choice) -> object:
    """The value as the configuration has it."""
    if choice.name == "motifs" and choice.value is None:
        return "all"
    return _plain(choice.value)


def _plain(value: object) -> object:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted((_plain(each) for each in value), key=str)
    if isinstance(value, tuple):
        hours = [each for each in value if isinstance(each, Hours)]
        return _week(hours) if hours else [_plain(each) for each in value]
    return value


def _week(hours: Iterable[Hours]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in hours:
        end = "24:00" if each.end == time.min else f"{each.end:%H:%M}"
        found.setdefault(_WEEKDAYS[each.weekday], []).append(f"{each.start:%H:%M}-{end}")
    return found
