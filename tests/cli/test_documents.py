"""docs/cli.md and the command line say the same."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import typer.main

from gateway.cli import feed_commands
from gateway.cli.exits import Exit
from gateway.cli.main import app
from gateway.feeds.values import Language
from mappings.feed_levels import Level, Purpose

DOCUMENT = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
EVERYWHERE = {"--config", "--json", "--help"}


def sections() -> dict[str, set[str]]:
    """Command -> the options in the table of its section."""
    found = {}
    for part in DOCUMENT.split("\n### ")[1:]:
        title, _, body = part.partition("\n")
        words = title.strip("`").removeprefix("rdv-gateway ").split()
        command = " ".join(word for word in words if word.islower())
        found[command] = options(body.split("\n## ")[0])
    return found


def options(text: str) -> set[str]:
    return set(re.findall(r"^\| `(--[a-z-]+)`", text, re.MULTILINE))


def commands() -> dict[str, set[str]]:
    """Command -> its options, as the program has them."""
    found = {}
    for name, command in typer.main.get_command(app).commands.items():
        inner = getattr(command, "commands", None)
        own = [(name, command)] if not inner or command.invoke_without_command else []
        for label, each in [*own, *((f"{name} {one}", two) for one, two in (inner or {}).items())]:
            found[label] = {option for param in each.params for option in param.opts if option.startswith("--")}
            assert each.help, f"{label} has no help"
            assert all(param.help for param in each.params if param.name != "help"), f"{label}: an option has no help"
    return found


def test_every_command_and_option_is_documented_and_no_other():
    """A section for each command, a row for each of its options."""
    assert sections() == {name: opts - EVERYWHERE for name, opts in commands().items()}


def test_options_that_every_command_has_are_documented_once():
    """`--json` with all, `--config` with all but the two that need no configuration."""
    general = options(DOCUMENT.split("\n## Exit codes")[0])
    whole = {option for param in typer.main.get_command(app).params for option in param.opts}
    assert general == (whole | EVERYWHERE) - {"--help"}
    without_config = {name for name, opts in commands().items() if "--config" not in opts}
    assert without_config == {"demo", "sandbox"}
    assert all("--json" in opts for opts in commands().values())


def test_every_exit_code_is_documented():
    """And no other."""
    codes = {int(code) for code in re.findall(r"^\| `(\d+)` \|", DOCUMENT, re.MULTILINE)}
    assert codes == {int(code) for code in Exit}


def test_help_loads_nothing_heavy():
    """It answers at once: databases, HTTP and calendars are loaded by the commands that need them."""
    script = (
        "import sys, contextlib, io\n"
        "from gateway.cli.main import main\n"
        "with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()): main(['--help'])\n"
        "heavy = {'sqlalchemy', 'alembic', 'httpx2', 'caldav', 'icalendar', 'pydantic', 'cryptography', 'structlog',"
        " 'connectors', 'mappings'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_names_of_feeds_on_the_command_line_are_those_of_feeds():
    """They are written there once more, so that help loads nothing."""
    assert set(get_args(feed_commands.PurposeName)) == {each.value for each in Purpose}
    assert set(get_args(feed_commands.LevelName)) == {each.value for each in Level}
    assert set(get_args(feed_commands.LanguageName)) == {each.value for each in Language}
