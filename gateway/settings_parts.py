"""What all sections of the configuration are made of: frozen models, relative paths, secrets kept elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationInfo

from gateway.settings_problems import SettingsError


def in_directory(value: Path, info: ValidationInfo) -> Path:
    directory: Path = (info.context or {}).get("directory", Path())
    return directory / value.expanduser()


FilePath = Annotated[Path, AfterValidator(in_directory)]
Seconds = Annotated[float, Field(gt=0, le=600)]


class Section(BaseModel):
    """What all sections share: frozen, no unknown key, and no value of the file in an error text."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, validate_default=True)


class SecretSource(BaseModel):
    """Where a secret is kept. `read` fetches it, so that a command that needs no secret needs none to be there."""

    model_config = ConfigDict(frozen=True)

    key: str  # of the configuration, for messages
    env: str | None = None
    file: Path | None = None

    def read(self) -> SecretStr:
        """The secret, without the line end that an editor leaves. Raises `SettingsError` when there is none."""
        value = os.environ.get(self.env, "") if self.env is not None else self._file_text()
        value = value.rstrip("\r\n")
        if not value:
            where = f"the environment variable {self.env} is not set" if self.env else f"{self.file} is empty"
            raise SettingsError((f"{self.key}: {where}",))
        return SecretStr(value)

    def _file_text(self) -> str:
        if self.file is None:
            raise SettingsError((f"{self.key}: no source is given",))
        try:
            return self.file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SettingsError((f"{self.key}: {self.file} cannot be read ({reason})",)) from None


def one_source(key: str, env: str | None, file: Path | None) -> None:
    """Raise `ValueError` unless exactly one is given."""
    if (env is None) == (file is None):
        raise ValueError(f"expected exactly one of {key}_env and {key}_file")


def at_most_one_source(key: str, env: str | None, file: Path | None) -> None:
    """Raise `ValueError` if both are given."""
    if env is not None and file is not None:
        raise ValueError(f"expected only one of {key}_env and {key}_file")
