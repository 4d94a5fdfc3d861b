"""`[mail]` and `[alerts]` of the configuration: how messages leave, and who gets them."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from connectors.hosts import is_loopback
from gateway.alerts.values import Audience, Kind
from gateway.settings_parts import FilePath, Seconds, SecretSource, Section, one_source

_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def mail_address(value: str) -> str:
    """`value` when it is a plain e-mail address. Raises `ValueError`."""
    if not re.fullmatch(r"[^@\s<>,;:\"()\[\]\\]+@[^@\s<>,;:\"()\[\]\\]+", value) or len(value) > 254:
        raise ValueError("expected an e-mail address such as dsi@departement.example.fr")
    return value


def _https(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise ValueError("expected an https:// address, or one of this machine")
    return value


MailAddress = Annotated[str, AfterValidator(mail_address)]
HookUrl = Annotated[str, AfterValidator(_https)]


class MailSection(Section):
    """The server that takes our mails. Without `host` none is sent."""

    host: str | None = Field(default=None, min_length=1)
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: str | None = Field(default=None, min_length=1)
    password_env: str | None = None
    password_file: FilePath | None = None
    sender: MailAddress | None = None
    timeout: Seconds = 30.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.host is not None and self.sender is None:
            raise ValueError("sender is missing: the address that mails come from")
        if self.username is not None:
            one_source("password", self.password_env, self.password_file)
            if self.security == "none" and not is_loopback(self.host or ""):
                raise ValueError('a password is not sent in clear: expected security = "starttls" or "tls"')
        elif self.password_env is not None or self.password_file is not None:
            raise ValueError("a password goes with username")
        return self

    @property
    def port_used(self) -> int:
        """The one given, or the usual one."""
        return self.port or _PORTS[self.security]

    @property
    def password(self) -> SecretSource:
        """Of `username`."""
        return SecretSource(key="mail.password", env=self.password_env, file=self.password_file)


class AlertWebhookSection(Section):
    """A chat or a ticket system that gets messages as signed JSON. A chat's address is a secret by itself."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    url: HookUrl | None = None
    url_env: str | None = None
    url_file: FilePath | None = None
    secret_env: str | None = None
    secret_file: FilePath | None = None
    audiences: tuple[Literal["it", "referente"], ...] = ("it",)

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if sum(each is not None for each in (self.url, self.url_env, self.url_file)) != 1:
            raise ValueError("expected exactly one of url, url_env and url_file")
        one_source("secret", self.secret_env, self.secret_file)
        if self.name == "mail":
            raise ValueError("mail names another channel; expected any other name")
        return self

    @property
    def secret(self) -> SecretSource:
        """What bodies are signed with."""
        return SecretSource(key=f"alerts.webhooks.{self.name}.secret", env=self.secret_env, file=self.secret_file)

    def address(self) -> str:
        """Where to post. Raises `SettingsError`; `ValueError` when the secret source holds no fit address."""
        if self.url is not None:
            return self.url
        key = f"alerts.webhooks.{self.name}.url"
        return _https(SecretSource(key=key, env=self.url_env, file=self.url_file).read().get_secret_value())


class AlertsSection(Section):
    """Who is told. `off`: kinds that nobody is told of. `opted_out`: ids of agents who want no mail."""

    it: tuple[MailAddress, ...] = ()
    referentes: tuple[MailAddress, ...] = ()
    referentes_of: dict[int, tuple[MailAddress, ...]] = Field(default_factory=dict)
    agents: bool = True
    opted_out: frozenset[int] = frozenset()
    off: frozenset[Kind] = frozenset()
    stale_minutes: float = Field(default=60.0, ge=5, le=7 * 24 * 60)
    messages_per_hour: int = Field(default=200, ge=1, le=100_000)
    digest: Literal["monday", "tuesday", "wednesday", "thursday", "friday", "never"] = "monday"
    webhooks: tuple[AlertWebhookSection, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        doubled = [name for name, times in Counter(each.name for each in self.webhooks).items() if times > 1]
        if doubled:
            raise ValueError(f"two webhooks share the name {', '.join(doubled)}")
        return self

    @property
    def stale_after(self) -> timedelta:
        """The age of a last complete sync that is too much."""
        return timedelta(minutes=self.stale_minutes)

    def addresses(self, audience: Audience, organisation_id: int) -> tuple[str, ...]:
        """Of IT, or of the référentes of an organisation."""
        if audience is Audience.IT:
            return self.it
        return self.referentes_of.get(organisation_id, self.referentes)

    def hooks(self, audience: Audience) -> tuple[str, ...]:
        """Names of the webhooks that get what is for this audience."""
        return tuple(each.name for each in self.webhooks if audience.value in each.audiences)
