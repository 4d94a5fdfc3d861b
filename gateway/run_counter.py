"""How many runs there were, kept beside the keys: outside the database and its backups, so that a database of an
earlier day is known for one."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

_LOG = structlog.get_logger(__name__)


class FileRunCounter:
    """Implements `gateway.sync.epoch.RunCounter` with a small file. One process at a time uses it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @classmethod
    def beside(cls, keys: Path) -> FileRunCounter:
        """The one that belongs to a key file."""
        return cls(keys.with_name(f"{keys.name}.runs"))

    def highest(self) -> int:
        """0 when nothing was ever noted, or what is there cannot be read: then nothing can be told of the database."""
        try:
            return int(self._path.read_text("ascii"))
        except FileNotFoundError:
            return 0
        except (OSError, ValueError):
            _LOG.warning("the count of runs cannot be read", path=str(self._path))
            return 0

    def note(self, count: int) -> None:
        """Never seen half written. Where the directory cannot be written, a warning is all: a run goes on."""
        draft = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with draft.open("w", encoding="ascii") as file:
                file.write(f"{count}\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
        except OSError as error:
            _LOG.warning("the count of runs cannot be kept", path=str(self._path), reason=error.strerror)
