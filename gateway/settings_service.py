"""The sections of `rdv-gateway serve`: where it listens, and when it does what."""

from __future__ import annotations

import re
from datetime import time, timedelta
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from gateway.scheduling.schedule import Pace
from gateway.settings_parts import Section
from gateway.store.webhooks import MAIN, PLAGES

_PACE = Pace()


def _bind(value: str) -> str:
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):([0-9]{1,5})", value)
    if found is None or int(found[2]) > 65535:
        raise ValueError("expected an address and a port, such as 127.0.0.1:8915 or [::1]:8915")
    return value


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.query or parts.fragment or parts.username:
        raise ValueError("expected the public address, such as https://rdv-gateway.departement.example.fr")
    return value.rstrip("/")


def _wall_clock(value: str) -> str:
    try:
        time.fromisoformat(value)
    except ValueError:
        raise ValueError("expected a time of day, such as 03:30") from None
    return value


Bind = Annotated[str, AfterValidator(_bind)]


class WebSection(Section):
    """Two listeners: the public one for what comes from outside, the internal one for the operators' machines.

    `trusted_proxies`: addresses or ranges whose X-Forwarded-For and X-Forwarded-Proto are believed. `body_limit`,
    `header_limit`: bytes.
    """

    public_bind: Bind = "127.0.0.1:8915"
    internal_bind: Bind = "127.0.0.1:8916"
    base_url: Annotated[str, AfterValidator(_base_url)] | None = None
    trusted_proxies: tuple[str, ...] = ()
    body_limit: int = Field(default=1_048_576, ge=1_024, le=104_857_600)
    header_limit: int = Field(default=16_384, ge=1_024, le=1_048_576)

    @model_validator(mode="after")
    def _binds_differ(self) -> Self:
        if self.public_bind == self.internal_bind:
            raise ValueError("public_bind and internal_bind must differ: what is internal is not for everybody")
        return self


class WebhooksSection(Section):
    """What RDV-Solidarités is to tell by itself. `plages`: plages d'ouverture and lieux too. `rdvs_seconds`: how often
    it is read all the same."""

    plages: bool = False
    rdvs_seconds: float = Field(default=600.0, ge=1, le=86_400)

    @property
    def channels(self) -> tuple[str, ...]:
        """The subscriptions of each organisation."""
        return (MAIN, PLAGES) if self.plages else (MAIN,)

    @property
    def rdvs_interval(self) -> timedelta:
        """How often RDV-Solidarités is read while webhooks tell of changes."""
        return timedelta(seconds=self.rdvs_seconds)


class ScheduleSection(Section):
    """How often agents' calendars and RDV-Solidarités are read, and when the night's work is done (wall-clock in
    `rdv_solidarites.time_zone`)."""

    fast_seconds: float = Field(default=_PACE.fast / timedelta(seconds=1), ge=1, le=3600)
    usual_seconds: float = Field(default=_PACE.usual / timedelta(seconds=1), ge=1, le=3600)
    quiet_seconds: float = Field(default=_PACE.quiet / timedelta(seconds=1), ge=1, le=86_400)
    longest_backoff_minutes: float = Field(default=_PACE.longest_backoff / timedelta(minutes=1), ge=0.1, le=240)
    rdvs_seconds: float = Field(default=120.0, ge=1, le=86_400)
    night_at: Annotated[str, AfterValidator(_wall_clock)] = "03:30"
    keep_runs_days: int = Field(default=90, ge=1, le=3650)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if not self.fast_seconds <= self.usual_seconds <= self.quiet_seconds:
            raise ValueError("expected fast_seconds <= usual_seconds <= quiet_seconds")
        return self

    def to_pace(self) -> Pace:
        """The same choices as the schedule takes them."""
        return Pace(
            fast=timedelta(seconds=self.fast_seconds),
            usual=timedelta(seconds=self.usual_seconds),
            quiet=timedelta(seconds=self.quiet_seconds),
            longest_backoff=timedelta(minutes=self.longest_backoff_minutes),
        )

    @property
    def rdvs_interval(self) -> timedelta:
        """How often RDV-Solidarités is read when no webhook tells of changes."""
        return timedelta(seconds=self.rdvs_seconds)

    @property
    def night(self) -> time:
        """From when on, each local day, the night's work is due."""
        return time.fromisoformat(self.night_at)

    @property
    def runs_age(self) -> timedelta:
        """After which rows of runs are forgotten."""
        return timedelta(days=self.keep_runs_days)
