"""`webhooks install`, `webhooks status`, `webhooks test`."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import age, print_json, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.composition import rdv_solidarites_client, webhook_pinger
from gateway.settings import Settings
from gateway.store.store import Store
from gateway.webhooks.pinging import PingResult
from gateway.webhooks.routes import path_of
from gateway.webhooks.secrets import load_secrets
from gateway.webhooks.subscribing import Laid, Standing, Subscriber


def install(config: Path, *, rotate: bool, as_json: bool) -> Exit:
    """Lay what is missing."""
    with _subscriber(config) as (subscriber, _):
        laid = subscriber.install(rotate=rotate)
    if as_json:
        print_json({"subscriptions": [_laid_json(each) for each in laid]})
    else:
        rows = [(each.organisation.id, each.organisation.name, each.channel, each.did, each.reason) for each in laid]
        results().print(table("Subscriptions", ("Id", "Organisation", "Channel", "Done", ""), rows))
        for remedy in sorted({each.remedy for each in laid if each.remedy}):
            results().print(f"What to do: {remedy}")
        results().print("Next: `rdv-gateway webhooks test`, while `rdv-gateway serve` runs.")
    return Exit.REMOTE if any(each.did == "failed" for each in laid) else Exit.FINE


def status(config: Path, *, as_json: bool) -> Exit:
    """How each subscription stands."""
    now = SystemClock().now()
    with _subscriber(config) as (subscriber, store):
        standings = subscriber.standings()
        with store.webhooks() as tables:
            waiting, oldest = tables.depth()
    if as_json:
        print_json(
            {
                "subscriptions": [_standing_json(each) for each in standings],
                "waiting": {"count": waiting, "oldest": oldest},
            }
        )
    else:
        rows = [
            (
                each.organisation.id,
                each.organisation.name,
                each.channel,
                _words(each),
                age(each.row.last_received_at if each.row else None, now),
                each.row.received if each.row else 0,
                each.row.lost if each.row else 0,
            )
            for each in standings
        ]
        columns = ("Id", "Organisation", "Channel", "Subscription", "Last", "Received", "Lost")
        results().print(table("Webhooks", columns, rows))
        results().print(f"Waiting to be applied: {waiting}" + (f", for {age(oldest, now)}" if oldest else ""))
    return Exit.FINE if all(each.is_good for each in standings) else Exit.NEEDS_PERSON


def try_out(config: Path, *, as_json: bool) -> Exit:
    """Whether each endpoint is reached and answers itself."""
    outcomes: list[tuple[int, str, str, PingResult]] = []
    with local(config) as (settings, store):
        base_url = _base_url(settings)
        known = load_secrets(store)
        if not known:
            raise UserError("There is no subscription.", remedy="Run `rdv-gateway webhooks install` first.")
        with webhook_pinger(settings, SystemClock()) as pinger:
            for (organisation_id, channel), kept in sorted(known.items()):
                url = base_url + path_of(organisation_id, channel)
                outcomes.append((organisation_id, channel, url, pinger.ping(url, kept.current)))
    if as_json:
        rows = [
            {"organisation": each, "channel": channel, "url": url, "fault": result.fault, "remedy": result.remedy}
            for each, channel, url, result in outcomes
        ]
        print_json({"endpoints": rows})
    else:
        shown = [(each, channel, url, result.fault or "answers") for each, channel, url, result in outcomes]
        results().print(table("Endpoints", ("Organisation", "Channel", "Address", ""), shown))
        for remedy in sorted({result.remedy for *_, result in outcomes if result.remedy}):
            results().print(f"What to do: {remedy}")
    return Exit.REMOTE if any(result.fault for *_, result in outcomes) else Exit.FINE


@contextmanager
def _subscriber(config: Path) -> Iterator[tuple[Subscriber, Store]]:
    clock = SystemClock()
    with local(config) as (settings, store):
        base_url = _base_url(settings)
        with closing(rdv_solidarites_client(settings, store, clock)) as client:
            channels = settings.webhooks.channels
            yield Subscriber(client, store, clock, base_url, channels, lambda: secrets.token_hex(32)), store


def _base_url(settings: Settings) -> str:
    if settings.web.base_url is None:
        raise UserError(
            "The configuration does not say under which address RDV-Solidarités reaches the gateway.",
            remedy="Set base_url in the section [web], such as https://rdv-gateway.departement.example.fr.",
        )
    return settings.web.base_url


def _words(standing: Standing) -> str:
    if standing.there is None:
        return "not visible to the account"
    if not standing.there:
        return "missing: run `webhooks install`"
    if standing.row is None:
        return "laid by another gateway, or before a lost database: run `webhooks install`"
    return "stands" if standing.as_wanted else "sends something else: run `webhooks install`"


def _laid_json(laid: Laid) -> dict[str, object]:
    return {
        "organisation": laid.organisation.id,
        "channel": laid.channel,
        "did": laid.did,
        "reason": laid.reason,
        "remedy": laid.remedy,
    }


def _standing_json(standing: Standing) -> dict[str, object]:
    row = standing.row
    return {
        "organisation": standing.organisation.id,
        "channel": standing.channel,
        "there": standing.there,
        "as_wanted": standing.as_wanted,
        "installed_at": row.installed_at if row else None,
        "last_received_at": row.last_received_at if row else None,
        "received": row.received if row else 0,
        "lost": row.lost if row else 0,
        "reason": standing.reason,
    }
