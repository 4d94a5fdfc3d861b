"""`[business]` of the configuration: what business applications may ask, and where they are told."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable
from typing import Annotated, Literal, Self, TypeVar

from pydantic import AfterValidator, Field, model_validator

from connectors.allowed_hosts import host_and_port
from gateway.settings_parts import FilePath, SecretSource, Section, one_source
from gateway.settings_problems import SettingsError

EventKind = Literal[
    "agent.state_changed",
    "hold.opened",
    "hold.ended",
    "conflict.opened",
    "conflict.ended",
    "sync_error.opened",
    "sync_error.ended",
    "rdv.copied",
    "rdv.updated",
    "rdv.removed",
]


def _target(value: str) -> str:
    try:
        host_and_port(value)
    except ValueError as error:
        raise ValueError(f"this address cannot be used: {error}") from None
    return value


TargetUrl = Annotated[str, AfterValidator(_target)]


def signing_key(secret: str) -> bytes:
    """The key in a secret of the form that the libraries of Standard Webhooks take. Raises `ValueError`."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("expected whsec_ and the base64 of 24 to 64 random bytes")
    return key


_Value = TypeVar("_Value")


def _read(key: str, read: Callable[[], _Value]) -> _Value:
    try:
        return read()
    except ValueError as error:
        raise SettingsError((f"{key}: {error}",)) from None


class BusinessWebhookSection(Section):
    """An application that is told of changes. `organisations`: only about agents whose home is one of these."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)
    url: TargetUrl | None = None
    url_env: str | None = None
    url_file: FilePath | None = None
    secret_env: str | None = None
    secret_file: FilePath | None = None
    events: tuple[EventKind, ...] = ()
    organisations: frozenset[int] = frozenset()

    @model_validator(mode="after")
    def _sources(self) -> Self:
        if sum(each is not None for each in (self.url, self.url_env, self.url_file)) != 1:
            raise ValueError("expected exactly one of url, url_env and url_file")
        one_source("secret", self.secret_env, self.secret_file)
        return self

    def address(self) -> str:
        """Where to post. Raises `SettingsError`."""
        if self.url is not None:
            return self.url
        key = f"business.webhooks.{self.name}.url"
        url = SecretSource(key=key, env=self.url_env, file=self.url_file).read().get_secret_value()
        return _read(key, lambda: _target(url))

    def key(self) -> bytes:
        """What is signed with. Raises `SettingsError`."""
        name = f"business.webhooks.{self.name}.secret"
        secret = SecretSource(key=name, env=self.secret_env, file=self.secret_file).read().get_secret_value()
        return _read(name, lambda: signing_key(secret))


class BusinessSection(Section):
    """`requests_per_minute`: what each token of the read API may ask."""

    requests_per_minute: int = Field(default=300, ge=1, le=100_000)
    webhooks: tuple[BusinessWebhookSection, ...] = ()

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        doubled = [name for name, times in Counter(each.name for each in self.webhooks).items() if times > 1]
        if doubled:
            raise ValueError(f"two webhooks share the name {', '.join(doubled)}")
        return self
