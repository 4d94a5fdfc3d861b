"""Every error of a command as one clear line: what, where, what to do; and its exit code.

A defect shows its type and its place in the code but not its text, which may quote what was being handled.
"""

from __future__ import annotations

import logging
import traceback
from dataclasses import dataclass

from connectors.errors import Addressee, ConnectorError, OurBug, RetryLater
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, print_json
from gateway.settings_problems import SettingsError
from gateway.store.problems import Unreachable

_log = logging.getLogger(__name__)

_SANDBOX_PACKAGES = frozenset({"jinja2", "radicale"})
_OF_THIS_MACHINE = frozenset({"keys", "database"})


def tell(error: Exception, *, as_json: bool) -> Exit:
    """Say it on stderr, and on stdout too for `--json`. Returns the exit code to leave with."""
    told = _told(error)
    console = messages()
    for line in told.lines:
        console.print(line)
    console.print(f"-> {told.addressee}: {told.remedy}")
    if as_json:
        content = {
            "messages": told.lines,
            "system": told.system,
            "addressee": told.addressee,
            "remedy": told.remedy,
            "exit_code": int(told.code),
        }
        print_json({"error": content})
    return told.code


@dataclass(frozen=True, slots=True)
class _Told:
    """An error in words: what, of which system, who can mend it and how."""

    code: Exit
    lines: list[str]
    system: str
    remedy: str
    addressee: str = Addressee.IT.value


def _told(error: Exception) -> _Told:
    if isinstance(error, UserError):
        return _Told(error.code, [str(error)], "gateway", error.remedy)
    if isinstance(error, SettingsError):
        prefix = f"{error.file}: " if error.file else ""
        lines = [prefix + problem for problem in error.problems]
        return _Told(Exit.USAGE, lines, "configuration", "Correct it; docs/configuration.md names every key.")
    if isinstance(error, ConnectorError) and not isinstance(error, OurBug):
        code = Exit.REMOTE
        if error.system in _OF_THIS_MACHINE and not isinstance(error, Unreachable):
            code = Exit.BUSY if isinstance(error, RetryLater) else Exit.USAGE
        return _Told(code, [f"{error.system}: {error}"], error.system, error.remedy, error.addressee.value)
    if isinstance(error, OSError) and error.filename is not None:
        remedy = "Look at the file, its directory, and the rights of this user on them."
        return _Told(Exit.USAGE, [f"{error.filename}: {error.strerror}"], "gateway", remedy)
    if isinstance(error, ModuleNotFoundError) and error.name in _SANDBOX_PACKAGES:
        line = f"The package {error.name} is not installed."
        return _Told(Exit.USAGE, [line], "gateway", "pip install 'rdv-gateway[sandbox]'")
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.debug("defect", exc_info=error)
    line = f"A defect of the gateway: {type(error).__name__} at {frame.filename}:{frame.lineno}."
    remedy = "Report it; --log-level debug shows more, which may hold personal data."
    return _Told(Exit.DEFECT, [line], "gateway", remedy, Addressee.MAINTAINERS.value)
