"""Exit codes of every command, and the error that a command raises on purpose."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """What a script may decide on. Documented in docs/cli.md."""

    FINE = 0
    NEEDS_PERSON = 1  # it worked; something is held or in conflict until a person decides
    USAGE = 2  # the command line, the configuration, the keys or the database's version
    REMOTE = 3  # a remote system failed, wholly or for some agents
    BUSY = 4  # another process is syncing on this database
    DEFECT = 5  # a fault of the gateway itself
    INTERRUPTED = 130


class UserError(Exception):
    """What the person at the command line can mend: one sentence that says what, and one that says what to do."""

    def __init__(self, message: str, *, remedy: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.code = code
