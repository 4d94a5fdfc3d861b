"""The text of a new configuration file, as `init` and the demo write it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NewAccount:
    """A calendar account of the new file. `password`: the line that says where the password is."""

    name: str
    url: str
    username: str
    password: str
    profile: str = ""


@dataclass(frozen=True, slots=True)
class NewSettings:
    """What a new file must say; every other key keeps its default."""

    url: str
    login: str
    password: str
    accounts: Sequence[NewAccount]
    more: str = ""  # further lines of [rdv_solidarites]


def password_env(variable: str) -> str:
    """The line for a password kept in an environment variable."""
    return f"password_env = {quoted(variable)}"


def password_file(path: str) -> str:
    """The line for a password kept in a file."""
    return f"password_file = {quoted(path)}"


def render(new: NewSettings) -> str:
    """The file's text."""
    accounts = "\n".join(_account(account) for account in new.accounts)
    more = f"{new.more.strip()}\n" if new.more else ""
    return (
        "# Configuration of rdv-gateway. docs/configuration.md explains every key.\n\n"
        "[gateway]\n"
        'database = "rdv-gateway.sqlite3"\n'
        'keys = "rdv-gateway.keys"\n\n'
        "[rdv_solidarites]\n"
        f"url = {quoted(new.url)}\n"
        f"login = {quoted(new.login)}\n"
        f"{new.password}\n{more}\n{accounts}"
    )


def _account(account: NewAccount) -> str:
    profile = f"profile = {quoted(account.profile)}\n" if account.profile else ""
    return (
        "[[accounts]]\n"
        f"name = {quoted(account.name)}\n"
        f"url = {quoted(account.url)}\n"
        f"username = {quoted(account.username)}\n"
        f"{account.password}\n{profile}"
    )


def quoted(text: str) -> str:
    """A TOML basic string (TOML 1.0): quotes, backslashes and control characters escaped."""
    escaped = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else f"\\{char}" if char in '"\\' else char
        for char in text
    )
    return f'"{escaped}"'
