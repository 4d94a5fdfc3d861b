"""Every error of a command as one clear line: what, where, what to do; and its exit code.

A defect shows its type and its place in the code but not its text, which may quote what was being handled.
"""

from __future__ import annotations

import logging
import traceback

from connectors.errors import ConnectorError, OurBug, RetryLater
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, print_json
from gateway.settings_problems import SettingsError
from gateway.store.problems import Unreachable

_log = logging.getLogger(__name__)

_SANDBOX_PACKAGES = frozenset({"jinja2", "radicale", "starlette", "uvicorn"})
_OF_THIS_MACHINE = frozenset({"keys", "database"})


def tell(error: Exception, *, as_json: bool) -> Exit:
    """Say it on stderr, and on stdout too for `--json`. Returns the exit code to leave with."""
    code, lines, remedy = _told(error)
    console = messages()
    for line in lines:
        console.print(line)
    if remedy:
        console.print(f"-> {remedy}")
    if as_json:
        print_json({"error": {"messages": lines, "remedy": remedy, "exit_code": int(code)}})
    return code


def _told(error: Exception) -> tuple[Exit, list[str], str]:
    if isinstance(error, UserError):
        return error.code, [str(error)], error.remedy
    if isinstance(error, SettingsError):
        prefix = f"{error.file}: " if error.file else ""
        return Exit.USAGE, [prefix + problem for problem in error.problems], ""
    if isinstance(error, ConnectorError) and not isinstance(error, OurBug):
        code = Exit.REMOTE
        if error.system in _OF_THIS_MACHINE and not isinstance(error, Unreachable):
            code = Exit.BUSY if isinstance(error, RetryLater) else Exit.USAGE
        return code, [f"{error.system}: {error}"], error.remedy
    if isinstance(error, OSError) and error.filename is not None:
        return Exit.USAGE, [f"{error.filename}: {error.strerror}"], ""
    if isinstance(error, ModuleNotFoundError) and error.name in _SANDBOX_PACKAGES:
        return Exit.USAGE, [f"The package {error.name} is not installed."], "pip install 'rdv-gateway[sandbox]'"
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _log.debug("defect", exc_info=error)
    line = f"A defect of the gateway: {type(error).__name__} at {frame.filename}:{frame.lineno}."
    return Exit.DEFECT, [line], "Report it; --log-level debug shows more, which may hold personal data."
