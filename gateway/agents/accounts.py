"""Which account is an agent's: names of parts of a section that serves many, and the accounts behind them.

A part is named `<section>/<e-mail>` or, where a search found the home or a person typed it, `<section>/<path>`, with
the path's own slash at its beginning: `zimbra//dav/martine/`.
"""

from __future__ import annotations

import csv
import re
import stat
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.allowed_hosts import host_and_port
from connectors.ports import CalendarAccount
from connectors.records import Agent
from gateway.settings import AccountSection, Settings
from gateway.settings_agents import placeholders
from gateway.settings_problems import SettingsError, nearest

_SEPARATOR = "/"
_COLUMNS = frozenset({"email", "username", "password", "url"})
_LINK_COLUMNS = frozenset({"email", "url"})


def part_name(section: str, part: str) -> str:
    """The name of an agent's part. `part`: an e-mail, in any case, or the decoded path of a calendar home."""
    return f"{section}{_SEPARATOR}{part if part.startswith('/') else part.casefold()}"


def split_name(name: str) -> tuple[str, str]:
    """Section and part; the part is "" for an account that is its whole section."""
    section, _, part = name.partition(_SEPARATOR)
    return section, part


@dataclass(frozen=True, slots=True)
class Aliases:
    """Names that differ between RDV-Solidarités and the calendar server. Addresses are compared whatever their case."""

    by_email: Mapping[str, str]
    by_agent: Mapping[int, str]
    logins: Mapping[str, str]  # by calendar e-mail

    @classmethod
    def of(cls, settings: Settings) -> Aliases:
        """Those of the configuration."""
        by_email: dict[str, str] = {}
        by_agent: dict[int, str] = {}
        logins: dict[str, str] = {}
        for alias in settings.aliases:
            there = (alias.calendar_email or alias.email or "").casefold()
            if alias.email is not None:
                by_email[alias.email.casefold()] = there
            if alias.agent is not None:
                by_agent[alias.agent] = there
            if alias.login is not None:
                logins[there] = alias.login
        return cls(by_email, by_agent, logins)

    def calendar_email(self, agent: Agent) -> str | None:
        """The agent's address on the calendar side; None for one without any."""
        if agent.id in self.by_agent:
            return self.by_agent[agent.id]
        email = (agent.email or "").casefold()
        return self.by_email.get(email, email) or None


@dataclass(frozen=True, slots=True)
class Credential:
    """An agent's own account. `url` "": the section's."""

    username: str
    password: str = field(repr=False)
    url: str = ""


def filled(template: str, email: str, login: str) -> str:
    """A template of the configuration for one person; the values are encoded where the path is sent.

    Raises `LookupError` for values that would lead to another place than one segment of a path.
    """
    if not placeholders(template):
        return template
    values = {"email": email, "local": email.partition("@")[0], "login": login}
    if any(not _FIT.fullmatch(value) or set(value) == {"."} for value in values.values()):
        raise LookupError("a name that is not fit for a path")
    return template.format(**values)


_FIT = re.compile(r"[^/\\%?#\x00-\x20\x7f]+")


def read_credentials(path: Path, section: str) -> dict[str, Credential]:
    """By e-mail, lower case. Raises `SettingsError`, which repeats no secret; also when others may read the file."""
    place = f"accounts[{section}].credentials_file"
    found: dict[str, Credential] = {}
    wanted = "the columns email, username, password and, if needed, url"
    for number, cells in _lines(path, place, _COLUMNS - {"url"}, _COLUMNS, wanted):
        email = cells.get("email", "").strip().casefold()
        username, password = cells.get("username", "").strip(), cells.get("password", "")
        if not email and not username and not password:
            continue
        if not (email and username and password) or email in found:
            fault = "an e-mail stands there twice" if email in found else "email, username or password is missing"
            raise SettingsError((f"{place}: line {number}: {fault}",))
        url = cells.get("url", "").strip()
        if url:
            _usable(url, f"{place}: line {number}")
        found[email] = Credential(username, password, url)
    return found


def read_links(path: Path, section: str) -> dict[str, str]:
    """The link of each agent's published calendar, by e-mail, lower case. Raises as `read_credentials`."""
    place = f"accounts[{section}].credentials_file"
    found: dict[str, str] = {}
    for number, cells in _lines(path, place, _LINK_COLUMNS, _LINK_COLUMNS, "the columns email and url"):
        email, url = cells.get("email", "").strip().casefold(), published_link(cells.get("url", ""))
        if not email and not url:
            continue
        if not (email and url) or email in found:
            fault = "an e-mail stands there twice" if email in found else "email or url is missing"
            raise SettingsError((f"{place}: line {number}: {fault}",))
        _usable(url, f"{place}: line {number}")
        found[email] = url
    return found


def published_link(text: str) -> str:
    """A link as it is asked for: programs that subscribe write webcal:// for https://."""
    text = text.strip()
    return re.sub(r"\Awebcals?://", "https://", text, flags=re.IGNORECASE)


def _usable(url: str, place: str) -> None:
    try:
        host_and_port(url)
    except ValueError as error:
        raise SettingsError((f"{place}: its url cannot be used: {error}",)) from None


def _lines(
    path: Path, place: str, needed: frozenset[str], known: frozenset[str], wanted: str
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Line numbers and cells, by column in lower case, of a file that nobody else may read."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise SettingsError((f"{place}: {path} cannot be read ({reason})",)) from None
    if mode & 0o077:
        raise SettingsError((f"{place}: {path} is open to others (mode {mode:04o}); run chmod 600 {path}",))
    header = text.partition("\n")[0]
    reader = csv.DictReader(text.splitlines(), delimiter=";" if header.count(";") >= header.count(",") else ",")
    columns = {name.strip().casefold() for name in reader.fieldnames or ()}
    if not needed <= columns <= known:
        raise SettingsError((f"{place}: expected {wanted}",))
    for row in reader:
        cells = {str(name).strip().casefold(): value for name, value in row.items() if isinstance(value, str)}
        yield reader.line_num, cells


class AccountBook(Mapping[str, CalendarAccount]):
    """Every account by name, those of agents made when they are first asked for. Thread-safe.

    `whole`: sections that are one account. `makers`: for each section that serves many, what makes a part; it raises
    `LookupError` for a part that there cannot be. Iterating gives those accounts that count requests of their own:
    parts that share the connections of a section are counted with it.
    """

    def __init__(
        self,
        whole: Mapping[str, CalendarAccount],
        makers: Mapping[str, Callable[[str], CalendarAccount]],
        *,
        sharing: Iterable[str] = (),
    ) -> None:
        self._whole = dict(whole)
        self._makers = dict(makers)
        self._sharing = frozenset(sharing)
        self._parts: dict[str, CalendarAccount] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> CalendarAccount:
        """Raises `KeyError` for an account that is not configured."""
        section, part = split_name(name)
        if not part:
            return self._whole[section]
        with self._lock:
            found = self._parts.get(name)
            if found is None:
                try:
                    found = self._parts[name] = self._makers[section](part)
                except LookupError:
                    raise KeyError(name) from None
            return found

    def __iter__(self) -> Iterator[str]:
        with self._lock:
            own = [name for name in self._parts if split_name(name)[0] not in self._sharing]
        return iter([*self._whole, *own])

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def sections(self) -> tuple[str, ...]:
        """Names of all sections."""
        return tuple(dict.fromkeys((*self._whole, *self._makers)))

    def close(self) -> None:
        """Give all connections back."""
        with self._lock:
            own = [account for name, account in self._parts.items() if split_name(name)[0] not in self._sharing]
            self._parts.clear()
        for account in (*own, *self._whole.values()):
            account.close()


def account_check(settings: Settings) -> Callable[[str], str | None]:
    """A function that says why an account of some name cannot be used, None when it can. It reaches nothing.

    Raises `SettingsError` for a credentials file that cannot be read.
    """
    sections = {section.name: section for section in settings.accounts}
    credentials = {
        section.name: _people(section.credentials_file, section)
        for section in settings.accounts
        if section.credentials_file is not None
    }

    def fault(name: str) -> str | None:
        section_name, part = split_name(name)
        section = sections.get(section_name)
        if section is None:
            return f"there is no account {section_name}{nearest(section_name, sections)}"
        if section_name in credentials:
            there = part in credentials[section_name]
            return None if there else f"the credentials file of {section_name} has no line for {part or 'nobody'}"
        return _part_fault(section, part)

    return fault


def _people(file: Path, section: AccountSection) -> Collection[str]:
    return read_links(file, section.name).keys() if section.read_only else read_credentials(file, section.name).keys()


def _part_fault(section: AccountSection, part: str) -> str | None:
    if part.startswith("/"):
        return f"the account {section.name} is a subscription and has no homes" if section.read_only else None
    if part:
        return None if section.is_template else f"the account {section.name} reaches no home by e-mail"
    if section.serves_many:
        return f"the account {section.name} serves many: name the agent's part, such as {section.name}/<e-mail>"
    return None
