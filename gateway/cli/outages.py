"""`outage declare|end|list`: a system is known to be away, so that nothing of it is read, judged or told."""

from __future__ import annotations

import getpass
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.journal.decisions import decided
from gateway.settings import Settings
from gateway.settings_problems import nearest
from gateway.store.store import Store
from gateway.sync.ceiling import RDV_SOLIDARITES
from gateway.sync.outages import Outage, declared, ended

_COLUMNS = ("System", "Since", "Until", "By", "Reason")


def declare(config: Path, system: str, until: datetime | None, reason: str, *, as_json: bool) -> Exit:
    """From now on. `until`: wall-clock of the instance's zone, or with an offset."""
    now = SystemClock().now()
    with local(config) as (settings, store):
        _require_known(settings, system)
        if until is not None and until.tzinfo is None:
            until = until.replace(tzinfo=settings.rdv_solidarites.time_zone)
        if until is not None and until <= now:
            raise UserError("An outage ends after now.", remedy="Give --until in the future, or leave it out.")
        new = Outage(system, now, until, getpass.getuser(), reason)
        _keep(store, declared(store.outages(), new, now), "declare", system, now)
    if as_json:
        print_json({"outage": _json(new)})
    else:
        end = f"until {moment(until)}" if until else f"until `rdv-gateway outage end {system}`"
        results().print(f"Nothing of {system} is read or judged {end}.")
    return Exit.FINE


def end(config: Path, system: str, *, as_json: bool) -> Exit:
    """Now. Agents come back over a while."""
    now = SystemClock().now()
    with local(config) as (_settings, store):
        before = store.outages()
        running = [each for each in before if each.system == system and each.is_on(now)]
        if not running:
            raise UserError(f"No outage of {system} is declared.", remedy="See `rdv-gateway outage list`.")
        _keep(store, ended(before, system, now), "end", system, now)
    if as_json:
        print_json({"ended": _json(running[0])})
    else:
        results().print(f"The outage of {system} is over. Agents come back one after the other.")
    return Exit.FINE


def show(config: Path, *, as_json: bool) -> Exit:
    """Those in force."""
    now = SystemClock().now()
    with local(config) as (_settings, store):
        found = [each for each in store.outages() if each.is_on(now)]
    if as_json:
        print_json({"outages": [_json(each) for each in found]})
    elif found:
        rows = [(each.system, moment(each.since), moment(each.until), each.by, each.reason or "-") for each in found]
        results().print(table("Outages", _COLUMNS, rows))
    else:
        messages().print("No outage is declared.")
    return Exit.FINE


def outage_lines(outages: Sequence[Outage], now: datetime) -> Iterator[str]:
    """Those in force, for people."""
    for each in outages:
        if each.is_on(now):
            end = f" until {moment(each.until)}" if each.until else ""
            why = f": {each.reason}" if each.reason else ""
            yield f"OUTAGE of {each.system} declared by {each.by} since {moment(each.since)}{end}{why}."


def outages_json(outages: Sequence[Outage], now: datetime) -> list[dict[str, object]]:
    """The same for scripts."""
    return [_json(each) for each in outages if each.is_on(now)]


def _json(outage: Outage) -> dict[str, object]:
    return {
        "system": outage.system,
        "since": outage.since,
        "until": outage.until,
        "by": outage.by,
        "reason": outage.reason or None,
    }


def _require_known(settings: Settings, system: str) -> None:
    names = [account.name for account in settings.accounts]
    hosts = [_server(account.url) for account in settings.accounts]
    known = [RDV_SOLIDARITES, *names, *dict.fromkeys(hosts)]
    if system not in known:
        raise UserError(f"{system} names no system{nearest(system, known)}.", remedy=f"There are: {', '.join(known)}.")


def _server(url: str) -> str:
    """As accounts name their server."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _keep(store: Store, outages: Sequence[Outage], what: str, system: str, now: datetime) -> None:
    with store.transaction() as tx:
        tx.set_outages(outages)
        tx.journal(decided(what, "outage", system, at=now, by=getpass.getuser()))
