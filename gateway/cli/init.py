"""`init`: a configuration file, a key file and a migrated database, none of them ever overwritten."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import typer

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import print_json, results
from gateway.cli.template import NewAccount, NewSettings, password_env, render
from gateway.composition import database_url
from gateway.keys import create_key_file, load_keys, persons_directory
from gateway.settings import Settings, load
from gateway.store.database import upgrade

RDV_SOLIDARITES_PASSWORD = "RDV_SOLIDARITES_PASSWORD"  # noqa: S105 - the name of a variable


@dataclass(frozen=True, slots=True)
class Answers:
    """What the command line says; what is None is asked on a terminal."""

    url: str | None = None
    login: str | None = None
    account: str | None = None
    account_url: str | None = None
    username: str | None = None


def run(config: Path, answers: Answers, *, as_json: bool) -> Exit:
    """Make what is missing. A file that is there already is refused, so that no answer is lost in silence."""
    if config.exists():
        raise UserError(f"{config} exists already.", remedy="Edit it, or name another place with --config.")
    url = _answer(answers.url, "--url", "Address of the RDV-Solidarités instance", "https://www.rdv-solidarites.fr")
    login = _answer(answers.login, "--login", "E-mail of the technical account there")
    account = _answer(answers.account, "--account", "A name for the calendar account", "agenda")
    account_url = _answer(answers.account_url, "--account-url", "CalDAV address of that account")
    username = _answer(answers.username, "--username", "User name of that account")
    variable = f"{_variable(account)}_PASSWORD"
    text = render(
        NewSettings(
            url=url,
            login=login,
            password=password_env(RDV_SOLIDARITES_PASSWORD),
            accounts=[
                NewAccount(name=account, url=account_url, username=username, password=password_env(variable)),
            ],
        )
    )
    settings = _written(config, text)
    make_files(settings)
    files = {
        "config": str(config),
        "keys": str(settings.gateway.keys),
        "database": str(settings.gateway.database),
    }
    if as_json:
        print_json({**files, "variables": [RDV_SOLIDARITES_PASSWORD, variable]})
        return Exit.FINE
    console = results()
    for what, where in files.items():
        console.print(f"{what}: {where}")
    console.print(f"Keep a copy of {settings.gateway.keys} and of {persons_directory(settings.gateway.keys)}")
    console.print("apart from the database's: without them its content is lost.")
    console.print(f"Next: set {RDV_SOLIDARITES_PASSWORD} and {variable}, then run `rdv-gateway check`.")
    return Exit.FINE


def make_files(settings: Settings) -> None:
    """The key file, unless there is one (a file put back from its copy), and the database."""
    if not settings.gateway.keys.exists():
        create_key_file(settings.gateway.keys)
    upgrade(database_url(settings), load_keys(settings.gateway.keys))


def _written(config: Path, text: str) -> Settings:
    """Write the file and read it back. One that is refused does not stay: the next attempt starts clean."""
    config.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(config, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    try:
        return load(config)
    except Exception:
        config.unlink()
        raise


def _answer(given: str | None, option: str, question: str, default: str | None = None) -> str:
    if given is not None:
        return given
    if sys.stdin.isatty():
        asked: str = typer.prompt(question, default=default, err=True)
        return asked
    if default is not None:
        return default
    raise UserError(f"{option} is missing: {question}.", remedy=f"Give {option}, or run init on a terminal.")


def _variable(name: str) -> str:
    return "".join(char.upper() if char.isalnum() else "_" for char in name)
