"""Every error that people meet says which system, who can mend it, and how."""

from __future__ import annotations

import ast
import inspect
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

import gateway.keys
import gateway.store.copying
import gateway.store.problems
from connectors import errors
from connectors.errors import Addressee, ConnectorError, OurBug
from gateway.cli import failures
from gateway.cli.describe import problem_json, problem_lines
from gateway.cli.exits import UserError
from gateway.settings_problems import SettingsError
from gateway.sync.observe_rdv_solidarites import problem_of

ROOT = Path(__file__).parents[2]
TREE = sorted(
    {
        kind
        for module in (errors, gateway.keys, gateway.store.problems, gateway.store.copying)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, ConnectorError) and kind is not ConnectorError
    },
    key=lambda kind: kind.__name__,
)
WITHOUT_A_REMEDY = {"ITMustAct", "AgentMustAct", "UserError"}
"""Where "report it" would be no remedy: whoever raises one says what to do."""


def made(kind: type[ConnectorError]) -> ConnectorError:
    """One of this kind, as its own constructor wants it."""
    if "system" in inspect.signature(kind).parameters:
        return kind("it failed", system="agenda", remedy="Do this.")
    return kind("it failed")


def raised(error: Exception) -> Exception:
    """With the traceback that a command's error has."""
    try:
        raise error
    except Exception as caught:  # noqa: BLE001 - whatever it is
        return caught


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_every_kind_of_error_names_system_addressee_and_remedy(kind, capsys):
    """On the terminal and for scripts, alone and among an agent's problems."""
    error = made(kind)
    raised(error)
    code = failures.tell(error, as_json=True)
    captured = capsys.readouterr()
    told = json.loads(captured.out)["error"]
    expected = ("gateway", Addressee.MAINTAINERS) if kind is OurBug else (error.system, error.addressee)
    assert (told["system"], told["addressee"]) == expected
    assert len(told["remedy"]) > 5
    assert told["exit_code"] == int(code) != 0
    assert f"-> {told['addressee']}: {told['remedy']}" in captured.err

    problem = problem_of(error, 7)
    assert problem_json(problem) == {
        "agent": 7,
        "system": error.system,
        "reason": "it failed",
        "addressee": error.addressee.value,
        "remedy": error.remedy,
    }
    (line,) = problem_lines([problem])
    assert line == f"{error.system}: it failed (agents: 7)\n-> {error.addressee.value}: {error.remedy}"


@pytest.mark.parametrize(
    "error",
    [
        UserError("No such agent.", remedy="See `rdv-gateway agents`."),
        SettingsError(("rules.horizon_days: expected a number",), file="rdv-gateway.toml"),
        PermissionError(13, "Permission denied", "/var/lib/rdv-gateway"),
        ModuleNotFoundError("radicale", name="radicale"),
        ZeroDivisionError("division by zero"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_so_does_every_other_error_of_a_command(error, capsys):
    failures.tell(raised(error), as_json=True)
    told = json.loads(capsys.readouterr().out)["error"]
    assert told["system"]
    assert told["addressee"] in ("it", "maintainers")
    assert told["remedy"]


def raised_in_code() -> Iterator[tuple[str, str, bool]]:
    """Place, kind, and whether a remedy is said, of each error that is made for IT or an agent to act on."""
    for package in ("connectors", "gateway", "mappings"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in WITHOUT_A_REMEDY:
                    said = any(keyword.arg in ("remedy", None) for keyword in node.keywords)
                    yield f"{path.relative_to(ROOT)}:{node.lineno}", node.func.id, said


def test_whoever_raises_an_error_for_people_says_what_to_do():
    """Read from the code: none can be added without."""
    found = list(raised_in_code())
    assert len(found) > 40
    assert [(place, kind) for place, kind, said in found if not said] == []
