"""What is wrong with a configuration, said so that it can be mended: where, what was expected, the nearest key.

No text of the file is repeated, since a password may stand in the wrong place; numbers are.
"""

from __future__ import annotations

import typing
from collections.abc import Collection, Iterator, Mapping, Sequence
from difflib import get_close_matches

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_Place = Sequence[int | str]


class SettingsError(Exception):
    """The configuration cannot be used. `problems`: one line each, where and what to do."""

    def __init__(self, problems: Sequence[str], *, file: str = "") -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)
        self.file = file


def nearest(word: str, known: Collection[str]) -> str:
    """A hint `; did you mean …?` to append to a message, or nothing."""
    close = get_close_matches(word, sorted(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key that the file may hold, as `section.key`; keys of a table with free names end in `.*`."""
    for field_name, info in model.model_fields.items():
        name = info.alias or field_name
        inner = _model_in(info.annotation)
        if inner is not None:
            yield from keys_of(inner, f"{prefix}{name}.")
        elif typing.get_origin(info.annotation) is dict:
            yield f"{prefix}{name}.*"
        else:
            yield prefix + name


def problems_of(error: ValidationError, model: type[BaseModel], document: Mapping[str, object]) -> tuple[str, ...]:
    """One line for each fault that pydantic found in `document`."""
    return tuple(_problem(fault, model, document) for fault in error.errors(include_url=False))


def _problem(fault: ErrorDetails, model: type[BaseModel], document: Mapping[str, object]) -> str:
    place = [part for part in fault["loc"] if part != "[key]"]
    where = _where(place, document)
    if fault["type"] == "extra_forbidden":
        return f"{where}: unknown key{_nearest_key(place, model)}"
    if fault["type"] == "missing":
        return f"{where}: this key is missing"
    text = fault["msg"].removeprefix("Value error, ").replace("Input should be", "expected")
    found = fault["input"]
    shown = f", found {found}" if isinstance(found, int | float) else ""
    return f"{where}: {text}{shown}" if where else f"{text}{shown}"


def _where(place: _Place, document: Mapping[str, object]) -> str:
    """`rules.horizon_days`, and `accounts[zimbra].url` or `accounts[#2].url` for an account without a name."""
    text = ""
    inner: object = document
    for part in place:
        inner = _step(inner, part)
        if isinstance(part, int):
            name = inner.get("name") if isinstance(inner, Mapping) else None
            text += f"[{name}]" if isinstance(name, str) and name else f"[#{part + 1}]"
        else:
            text += f".{part}" if text else part
    return text


def _step(inner: object, part: int | str) -> object:
    if isinstance(part, int):
        return inner[part] if isinstance(inner, list) and part < len(inner) else None
    return inner.get(part) if isinstance(inner, Mapping) else None


def _nearest_key(place: _Place, model: type[BaseModel]) -> str:
    word = str(place[-1])
    section = _model_at(place[:-1], model)
    known = list(section.model_fields) if section else []
    for secret in ("password", "link", "client_secret", "refresh_token", "proxy_password", "client_key_password"):
        if word == secret and f"{secret}_env" in known:
            return f"; secrets are not kept in this file: give {secret}_env or {secret}_file"
    elsewhere = [key for key in keys_of(model) if key.rpartition(".")[2] == word]
    return nearest(word, known) or (f"; did you mean {elsewhere[0]}?" if elsewhere else "")


def _model_at(place: _Place, model: type[BaseModel]) -> type[BaseModel] | None:
    found: type[BaseModel] | None = model
    for part in place:
        if isinstance(part, str) and found is not None:
            info = found.model_fields.get(part)
            found = _model_in(info.annotation) if info else None
    return found


def _model_in(annotation: object) -> type[BaseModel] | None:
    """The section that a field holds: itself, optional, or in a sequence."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = (_model_in(argument) for argument in typing.get_args(annotation))
    return next((found for found in inner if found is not None), None)
