"""Of the configuration: how one section reaches many agents' calendars, who is who, what agents are told, and when a
first plan stands out."""

from __future__ import annotations

import re
import string
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from gateway.agents.outliers import OutlierRules
from gateway.settings_network import ClientCertificateKeys
from gateway.settings_parts import FilePath, Section, one_source

PLACEHOLDERS = frozenset({"email", "local", "login"})
_RULES = OutlierRules()


def placeholders(text: str) -> frozenset[str]:
    """The names between braces in `text`. Raises `ValueError` for one that there is not, and for a lone brace."""
    try:
        names = frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)
    except ValueError:
        raise ValueError("a brace is not closed") from None
    if not names <= PLACEHOLDERS:
        raise ValueError("between braces, expected {email}, {local} or {login}")
    return names


class ReachKeys(ClientCertificateKeys):
    """How an account reaches the calendars of many agents; none of it, and the account has its own calendars only."""

    username: str = ""
    password_env: str | None = None
    password_file: FilePath | None = None
    link_env: str | None = None
    link_file: FilePath | None = None
    home: str | None = Field(default=None, min_length=1)
    credentials_file: FilePath | None = None
    principal_search: bool = False
    calendar: str = ""

    @model_validator(mode="after")
    def _reach(self) -> Self:
        url = str(getattr(self, "url", ""))
        if "{" in (urlsplit(url).netloc or ""):
            raise ValueError("url: the host cannot be a template; only the path")
        if self.read_only:
            return self._subscription(url)
        if self.link_env is not None or self.link_file is not None:
            raise ValueError('link_env and link_file are for kind = "ics"')
        in_url, in_home = placeholders(url), placeholders(self.home or "")
        if in_url and in_home:
            raise ValueError("expected a template in url or in home, not in both")
        if self.credentials_file is not None:
            if self.username or self.password_env is not None or self.password_file is not None:
                raise ValueError("with credentials_file there is no username and no password: each agent has their own")
            if self.principal_search:
                raise ValueError("principal_search is for a service account, not for credentials_file")
            return self
        if not self.username:
            raise ValueError("username is missing, or credentials_file")
        if self.principal_search and (in_url or in_home):
            raise ValueError("expected principal_search or a template, not both")
        one_source("password", self.password_env, self.password_file)
        return self

    def _subscription(self, url: str) -> Self:
        others = (self.username, self.password_env, self.password_file, self.home, self.principal_search)
        if any(others):
            raise ValueError(
                "a subscription has no username, no password, no home and no principal_search: only a link"
            )
        ways = (self.link_env, self.link_file, self.credentials_file, placeholders(url) or None)
        if sum(way is not None for way in ways) != 1:
            raise ValueError("expected exactly one of link_env, link_file, credentials_file and a template in url")
        return self

    @property
    def read_only(self) -> bool:
        """Whether it is a subscription: nothing can be written to it."""
        return str(getattr(self, "kind", "")) == "ics"

    @property
    def is_template(self) -> bool:
        """Whether each agent's calendar home follows from who they are."""
        return bool(placeholders(str(getattr(self, "url", ""))) or placeholders(self.home or ""))

    @property
    def serves_many(self) -> bool:
        """Whether an agent's account is a part of this one, named `<section>/<e-mail or path>`."""
        return self.is_template or self.credentials_file is not None or self.principal_search


class AliasSection(Section):
    """An agent whose calendar account has another name than their e-mail in RDV-Solidarités."""

    agent: int | None = Field(default=None, ge=1)
    email: str | None = Field(default=None, min_length=3)
    calendar_email: str | None = Field(default=None, min_length=3)
    login: str | None = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if (self.agent is None) == (self.email is None):
            raise ValueError("expected exactly one of agent (an id) and email, of RDV-Solidarités")
        if self.calendar_email is None and self.login is None:
            raise ValueError("expected calendar_email, login, or both, of the calendar server")
        if self.agent is not None and self.calendar_email is None:
            raise ValueError("with agent, expected calendar_email")
        for address in (self.email, self.calendar_email):
            if address is not None and not re.fullmatch(r"[^@\s/]+@[^@\s/]+", address):
                raise ValueError("expected an e-mail address")
        return self


class NoticesSection(Section):
    """What the notice to an agent says beside what the configuration tells by itself."""

    departement: str = ""
    contact: str = ""
    privacy_contact: str = ""


class OutliersSection(Section):
    """When a first plan stands out from those it would be approved with: `gateway.agents.outliers.OutlierRules`."""

    deviations: float = Field(default=_RULES.deviations, gt=0, le=100)
    smallest_group: int = Field(default=_RULES.smallest_group, ge=3, le=10_000)
    hours_per_week: float = Field(default=_RULES.hours_per_week, ge=0, le=168)
    writes: int = Field(default=_RULES.writes, ge=0, le=100_000)
    near_twins: int = Field(default=_RULES.near_twins, ge=0, le=100_000)

    def to_rules(self) -> OutlierRules:
        """The same choices as the judgement takes them."""
        return OutlierRules(**self.model_dump())
