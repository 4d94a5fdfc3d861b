"""Rules that are tried before they are saved: a whole configuration, or a file that holds [rules] alone."""

from __future__ import annotations

import tomllib
from pathlib import Path

from pydantic import ValidationError

from gateway.settings import load
from gateway.settings_parts import Section
from gateway.settings_problems import SettingsError, problems_of
from gateway.settings_rules import RulesSection


class _RulesFile(Section):
    rules: RulesSection


def load_rules(path: Path) -> RulesSection:
    """The file's rules. Raises `SettingsError` with every fault found, each with its place."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return load(path).rules  # which says what is wrong with it
    if set(document) != {"rules"}:
        return load(path).rules
    try:
        return _RulesFile.model_validate(document).rules
    except ValidationError as error:
        raise SettingsError(problems_of(error, _RulesFile, document), file=str(path)) from None
