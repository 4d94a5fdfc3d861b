"""The alerts of an application, from its configuration, and the jobs that they need."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple
from uuid import uuid4

from apscheduler.triggers.interval import IntervalTrigger

from gateway.alerts.alerter import Alerter
from gateway.alerts.composing import Sender
from gateway.alerts.digest import Digest
from gateway.alerts.mail import MailServer
from gateway.alerts.outbox import MAIL, Outbox
from gateway.alerts.recipients import Directory
from gateway.alerts.sending import Channel
from gateway.alerts.situation import SituationReader
from gateway.alerts.webhook import Webhook
from gateway.composition import Application, network_of
from gateway.settings import Settings
from gateway.settings_problems import SettingsError


class AlertJob(NamedTuple):
    """Something to do now and then. `trigger`: of APScheduler."""

    name: str
    trigger: Any
    call: Callable[[], object]


def alert_jobs(application: Application) -> tuple[AlertJob, ...]:
    """Alerts each minute; the digest when it is due. Raises `SettingsError` when a secret is missing."""
    alerter, digest = alerter_of(application), digest_of(application)
    jobs = [AlertJob("alerts", IntervalTrigger(minutes=1, jitter=5), alerter.evaluate_and_send)]
    if application.settings.alerts.digest != "never":
        jobs.append(AlertJob("weekly digest", IntervalTrigger(minutes=10, jitter=60), digest.queue_when_due))
    return tuple(jobs)


def alerter_of(application: Application) -> Alerter:
    """Raises `SettingsError` when a secret is missing."""
    settings = application.settings
    return Alerter(
        store=application.store,
        reader=_reader(application),
        section=settings.alerts,
        sender=sender_of(settings),
        outbox=_outbox(application),
        directory=Directory(
            lambda: {agent.id: agent.email for agent in application.rdv_solidarites.agents() if agent.email}
        ),
        clock=application.clock,
    )


def digest_of(application: Application) -> Digest:
    """Raises `SettingsError` when a secret is missing."""
    settings = application.settings
    return Digest(
        store=application.store,
        reader=_reader(application),
        section=settings.alerts,
        sender=sender_of(settings),
        outbox=_outbox(application),
        now=application.clock.now,
    )


def channels_of(settings: Settings) -> dict[str, Channel]:
    """By name, `mail` and each webhook's. Raises `SettingsError` when a secret is missing."""
    network = network_of(settings, settings.rdv_solidarites)
    channels: dict[str, Channel] = {}
    mail = settings.mail
    if mail.host is not None and mail.sender is not None:
        password = mail.password.read().get_secret_value() if mail.username else ""
        channels[MAIL] = MailServer(
            host=mail.host,
            port=mail.port_used,
            security=mail.security,
            sender=mail.sender,
            network=network,
            username=mail.username or "",
            password=password,
            timeout=mail.timeout,
        )
    for hook in settings.alerts.webhooks:
        try:
            url = hook.address()
        except ValueError as error:
            raise SettingsError((f"alerts.webhooks.{hook.name}.url: {error}",)) from None
        secret = hook.secret.read().get_secret_value().encode()
        channels[hook.name] = Webhook(hook.name, url, secret, network)
    return channels


def sender_of(settings: Settings) -> Sender:
    """What messages say of who sends them."""
    own, rdvs = settings.notices, settings.rdv_solidarites
    return Sender(own.departement, own.contact, rdvs.url, rdvs.time_zone)


def _outbox(application: Application) -> Outbox:
    channels = channels_of(application.settings)
    return Outbox(application.store, channels, application.clock, new_id=lambda: uuid4().hex)


def _reader(application: Application) -> SituationReader:
    settings = application.settings
    oauth = settings.rdv_solidarites.oauth

    def host(account: str) -> str:
        found = application.accounts.get(account)
        return found.host if found else ""

    access = None if oauth is None else oauth.refresh_token is not None
    return SituationReader(application.store, host, settings.alerts.stale_after, access)
