"""The configuration: one typed TOML file.

Every section is a frozen model that refuses unknown keys. Secrets are never in the file: a key names the
environment variable or the file that holds one, and the value is read when it is needed, as `SecretStr`.
Paths in the file are relative to the file. Zones are IANA names. `load` turns every fault into `SettingsError`.
"""

from __future__ import annotations

import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from connectors.allowed_hosts import host_and_port, patterns_of
from connectors.hosts import HostPattern, is_loopback
from gateway.settings_agents import AliasSection, NoticesSection, OutliersSection, ReachKeys
from gateway.settings_alerts import AlertsSection, MailSection
from gateway.settings_business import BusinessSection
from gateway.settings_database import DatabasePlace
from gateway.settings_feeds import FeedsSection
from gateway.settings_journal import JournalSection
from gateway.settings_logs import LogsSection
from gateway.settings_network import NetworkSection
from gateway.settings_parts import FilePath, Seconds, SecretSource, Section, at_most_one_source, one_source
from gateway.settings_problems import SettingsError, nearest, problems_of
from gateway.settings_rules import RulesSection
from gateway.settings_service import ScheduleSection, WebhooksSection, WebSection
from gateway.sync.ceiling import Ceiling
from gateway.sync.guard.values import GuardLimits

DEFAULT_FILE = "rdv-gateway.toml"

CODE_SHOWN = "urn:ietf:wg:oauth:2.0:oob"
"""The redirect URI by which some servers show the code on a page of their own."""

_SYSTEMS = frozenset({"configuration", "database", "keys", "network", "rdv_solidarites"})
_CEILING = Ceiling()
_GUARD = GuardLimits()


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise ValueError("expected an address such as https://agenda.example.fr/dav/")
    if parts.username or parts.password:
        raise ValueError("an address must not carry a user name or password; give them in their own keys")
    if parts.query or parts.fragment:
        raise ValueError("an address must end with its path, without ? or #")
    if parts.scheme == "http" and not is_loopback(parts.hostname):
        raise ValueError("http:// is accepted for this machine only (localhost); expected https://")
    try:
        host_and_port(value)
    except ValueError as error:
        raise ValueError(f"this address cannot be used: {error}") from None
    return value


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value):
        raise ValueError("expected letters, digits, dots, underscores and hyphens")
    if value in _SYSTEMS:
        raise ValueError(f"{value} names another system; expected any other name")
    return value


def _zone(value: object) -> object:
    if isinstance(value, ZoneInfo):
        return value
    if not isinstance(value, str) or value not in available_timezones():
        hint = nearest(str(value), available_timezones())
        raise ValueError(f"expected an IANA time zone such as Europe/Paris{hint}")
    return ZoneInfo(value)


def _redirect_uri(value: str) -> str:
    parts = urlsplit(value)
    fits = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if value != CODE_SHOWN and not (fits and parts.hostname and not parts.query and not parts.fragment):
        raise ValueError(f"expected an https:// address, one of this machine (http://127.0.0.1:8914/) or {CODE_SHOWN}")
    return value


Url = Annotated[str, AfterValidator(_url)]
RedirectUri = Annotated[str, AfterValidator(_redirect_uri)]
Name = Annotated[str, AfterValidator(_name)]
Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]


class GatewaySection(Section):
    """The gateway's own files and pace."""

    database: DatabasePlace = Path("rdv-gateway.sqlite3")
    database_password_env: str | None = None
    database_password_file: FilePath | None = None
    keys: FilePath = Path("rdv-gateway.keys")
    threads_per_host: int = Field(default=4, ge=1, le=32)

    @model_validator(mode="after")
    def _password(self) -> Self:
        at_most_one_source("database_password", self.database_password_env, self.database_password_file)
        if self.database_password is not None and isinstance(self.database, Path):
            raise ValueError("database_password is for a PostgreSQL database, and database is a file")
        return self

    @property
    def database_password(self) -> SecretSource | None:
        """None: the server asks for none, or the driver finds it by itself (`~/.pgpass`)."""
        if self.database_password_env is None and self.database_password_file is None:
            return None
        key = "gateway.database_password"
        return SecretSource(key=key, env=self.database_password_env, file=self.database_password_file)


class OAuthSection(Section):
    """Sign-in to RDV-Solidarités as an OAuth application, with the consent of one agent."""

    client_id: str = Field(min_length=1)
    client_secret_env: str | None = None
    client_secret_file: FilePath | None = None
    redirect_uri: RedirectUri = "http://127.0.0.1:8914/"
    refresh_token_env: str | None = None
    refresh_token_file: FilePath | None = None

    @model_validator(mode="after")
    def _sources(self) -> Self:
        one_source("client_secret", self.client_secret_env, self.client_secret_file)
        if self.refresh_token_env is not None or self.refresh_token_file is not None:
            one_source("refresh_token", self.refresh_token_env, self.refresh_token_file)
        return self

    @property
    def client_secret(self) -> SecretSource:
        """The application's secret."""
        key = "rdv_solidarites.oauth.client_secret"
        return SecretSource(key=key, env=self.client_secret_env, file=self.client_secret_file)

    @property
    def refresh_token(self) -> SecretSource | None:
        """The token of a consent that was given elsewhere; None: that of `rdvs login`. Those that follow either are
        kept encrypted in the database."""
        if self.refresh_token_env is None and self.refresh_token_file is None:
            return None
        key = "rdv_solidarites.oauth.refresh_token"
        return SecretSource(key=key, env=self.refresh_token_env, file=self.refresh_token_file)


class RdvSolidaritesSection(Section):
    """The instance, the technical account, and what of a usager may pass."""

    url: Url
    login: str | None = Field(default=None, min_length=3)
    password_env: str | None = None
    password_file: FilePath | None = None
    oauth: OAuthSection | None = None
    requests_per_second: float = Field(default=2.0, gt=0, le=1000)
    read_timeout: Seconds | None = None
    time_zone: Zone = ZoneInfo("Europe/Paris")
    organisation_zones: dict[int, Zone] = Field(default_factory=dict)
    far_reading_hours: float = Field(default=6.0, gt=0, le=168)

    @model_validator(mode="after")
    def _one_sign_in(self) -> Self:
        if (self.login is None) == (self.oauth is None):
            raise ValueError("expected either login with its password, or an [rdv_solidarites.oauth] section")
        if self.login is not None:
            one_source("password", self.password_env, self.password_file)
        elif self.password_env is not None or self.password_file is not None:
            raise ValueError("a password goes with login; with [rdv_solidarites.oauth] there is none")
        return self

    @property
    def password(self) -> SecretSource:
        """The technical account's password."""
        return SecretSource(key="rdv_solidarites.password", env=self.password_env, file=self.password_file)


class AccountSection(ReachKeys):
    """One set of credentials on one calendar server, or one server on which each agent has their own."""

    name: Name
    kind: Literal["caldav", "ics"] = "caldav"
    url: Url
    belongs_to: Literal["it", "agent"] = "it"
    profile: str = "generic"
    owner_addresses: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    connections: int = Field(default=8, ge=1, le=32)
    read_timeout: Seconds | None = None
    answer_limit: Seconds = 120.0

    @model_validator(mode="before")
    @classmethod
    def _published_by_agents(cls, values: object) -> object:
        """Who publishes a calendar is who can publish it again."""
        if isinstance(values, dict) and values.get("kind") == "ics":
            return {"belongs_to": "agent", **values}
        return values

    @property
    def link(self) -> SecretSource:
        """The link of a subscription."""
        return SecretSource(key=f"accounts.{self.name}.link", env=self.link_env, file=self.link_file)

    @property
    def password(self) -> SecretSource:
        """The account's password."""
        return SecretSource(key=f"accounts.{self.name}.password", env=self.password_env, file=self.password_file)


class LimitsSection(Section):
    """The most writes that each remote system gets (`gateway.sync.ceiling.Ceiling`), and what is too much at once
    (`gateway.sync.guard.values.GuardLimits`)."""

    writes_per_hour: int = Field(default=_CEILING.per_hour, ge=1, le=1_000_000)
    writes_per_day: int = Field(default=_CEILING.per_day, ge=1, le=10_000_000)

    many_agents_share: float = Field(default=_GUARD.agents_share, ge=0, le=1)
    many_agents_least: int = Field(default=_GUARD.agents_least, ge=2, le=100_000)
    clock_tolerance_minutes: float = Field(default=_GUARD.clock_tolerance / timedelta(minutes=1), ge=1, le=24 * 60)

    def to_guard(self) -> GuardLimits:
        """The same choices as the guard takes them."""
        tolerance = timedelta(minutes=self.clock_tolerance_minutes)
        return GuardLimits(self.many_agents_share, self.many_agents_least, tolerance)

    def to_ceiling(self) -> Ceiling:
        """The same choices as the engine takes them."""
        return Ceiling(self.writes_per_hour, self.writes_per_day)


class Settings(Section):
    """The whole file."""

    gateway: GatewaySection = GatewaySection()
    network: NetworkSection = NetworkSection()
    rdv_solidarites: RdvSolidaritesSection
    accounts: tuple[AccountSection, ...]
    rules: RulesSection = RulesSection()
    limits: LimitsSection = LimitsSection()
    aliases: tuple[AliasSection, ...] = ()
    notices: NoticesSection = NoticesSection()
    outliers: OutliersSection = OutliersSection()
    journal: JournalSection = JournalSection()
    logs: LogsSection = LogsSection()
    mail: MailSection = MailSection()
    alerts: AlertsSection = AlertsSection()
    business: BusinessSection = BusinessSection()
    web: WebSection = WebSection()
    schedule: ScheduleSection = ScheduleSection()
    webhooks: WebhooksSection = WebhooksSection()
    feeds: FeedsSection = FeedsSection()

    @model_validator(mode="after")
    def _accounts_differ(self) -> Self:
        if not self.accounts:
            raise ValueError("accounts: at least one [[accounts]] section is expected")
        names = [account.name for account in self.accounts]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise ValueError(f"accounts: two accounts share the name {', '.join(doubled)}")
        return self

    @property
    def allowed_hosts(self) -> tuple[HostPattern, ...]:
        """Hosts that may be asked on somebody's word: those that this file names itself, and those listed."""
        urls = [self.rdv_solidarites.url, *(account.url for account in self.accounts)]
        return (*patterns_of(urls), *self.network.allowed_hosts)

    @property
    def far_interval(self) -> timedelta:
        """How often far windows of RDVs are read."""
        return timedelta(hours=self.rdv_solidarites.far_reading_hours)

    def account(self, name: str) -> AccountSection:
        """The account of that name. Raises `SettingsError` naming those that exist."""
        for account in self.accounts:
            if account.name == name:
                return account
        known = [account.name for account in self.accounts]
        raise SettingsError((f"no account is named {name}{nearest(name, known)}; there are: {', '.join(known)}",))


def load(path: Path) -> Settings:
    """Read and check the file. Raises `SettingsError` with every fault found, each with its place."""
    file = str(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        make = "make one with: rdv-gateway init (or name yours with --config)"
        raise SettingsError((f"there is no such file; {make}",), file=file) from None
    except OSError as error:
        raise SettingsError((f"it cannot be read: {error.strerror}",), file=file) from None
    except UnicodeDecodeError:
        raise SettingsError(("it is not UTF-8",), file=file) from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError((f"it is not TOML: {error}",), file=file) from None
    try:
        # A section left out is one with defaults, which are relative to the file's directory too.
        return Settings.model_validate({"gateway": {}, **document}, context={"directory": path.absolute().parent})
    except ValidationError as error:
        raise SettingsError(problems_of(error, Settings, document), file=file) from None
