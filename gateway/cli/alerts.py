"""`alerts`: who was told of what; `alerts test`: whether messages arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from connectors.errors import ConnectorError
from gateway.alerts.assembly import channels_of, sender_of
from gateway.alerts.composing import Group, trial
from gateway.alerts.outbox import MAIL, letter_to, payload_of
from gateway.alerts.sending import Letter
from gateway.alerts.values import Audience, Cause, Entry
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.settings import Settings, load
from gateway.settings_alerts import mail_address

_COLUMNS = ("What", "About", "Whom", "Since", "State", "Told", "Last told", "Times")


def run(config: Path, *, as_json: bool) -> Exit:
    """Show what is remembered. Exit code 1 when something was told and is not over."""
    with local(config) as (_settings, store):
        entries = sorted(store.alert_entries().values(), key=lambda each: each.cause.identity)
        counts = store.message_counts()
    if as_json:
        figures = {"waiting": counts.waiting, "sent": counts.sent, "given_up": counts.given_up}
        print_json({"alerts": [_json(each) for each in entries], "messages": figures})
    else:
        if entries:
            results().print(table("Alerts", _COLUMNS, map(_row, entries)))
        else:
            messages().print("There is nothing to tell anybody.")
        messages().print(
            f"Messages: {counts.waiting} wait; in the last days {counts.sent} left and {counts.given_up} were given up."
        )
    told = any(each.told_at is not None and each.gone_at is None and each.cause.manner.reminds for each in entries)
    return Exit.NEEDS_PERSON if told else Exit.FINE


def _row(entry: Entry) -> tuple[object, ...]:
    cause = entry.cause
    since = moment(cause.since or entry.first_seen)
    told = (moment(entry.told_at), moment(entry.last_told_at), entry.times)
    return (cause.kind.value, _about(cause), _whom(cause), since, _state(entry), *told)


def _state(entry: Entry) -> str:
    if entry.gone_at is not None:
        return "going"
    return "quiet" if entry.cause.quiet else "there"


def _about(cause: Cause) -> str:
    agent = f"agent {cause.agent_id}" if cause.agent_id is not None else ""
    return ", ".join(part for part in (cause.subject, agent) if part) or "-"


def _whom(cause: Cause) -> str:
    if cause.address:
        return "an address of tell_conflicts"
    if cause.audience is Audience.REFERENTE:
        return f"référentes of organisation {cause.organisation_id}" if cause.organisation_id else "référentes"
    return "the agent" if cause.audience is Audience.AGENT else "IT"


def _json(entry: Entry) -> dict[str, object]:
    cause = entry.cause
    return {
        "kind": cause.kind.value,
        "severity": cause.manner.severity.value,
        "to": cause.audience.value,
        "subject": cause.subject,
        "agent": cause.agent_id,
        "organisation": cause.organisation_id,
        "count": cause.count,
        "since": cause.since or entry.first_seen,
        "state": _state(entry),
        "told_at": entry.told_at,
        "last_told_at": entry.last_told_at,
        "times": entry.times,
    }


# --- test ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Attempt:
    channel: str
    letter: Letter


def try_out(config: Path, to: str | None, address: str | None, *, as_json: bool) -> Exit:
    """Send a message that says nothing. Exit code 3 when one was not taken."""
    settings = load(config)
    channels = channels_of(settings)
    attempts = list(_attempts(settings, to, address, SystemClock().now()))
    outcomes: list[tuple[_Attempt, ConnectorError | None]] = []
    for each in attempts:
        if each.channel not in channels:
            raise UserError("There is no mail server.", remedy="Configure mail.host and mail.sender.")
        try:
            channels[each.channel].send(each.letter)
            outcomes.append((each, None))
        except ConnectorError as error:
            outcomes.append((each, error))
    if as_json:
        print_json({"messages": [_outcome_json(*each) for each in outcomes]})
    else:
        for each, failure in outcomes:
            whom = f"{each.channel}{f' to {each.letter.to}' if each.letter.to else ''}"
            results().print(f"{whom}: {f'{failure} {failure.remedy}' if failure else 'taken'}")
    return Exit.REMOTE if any(failure for _, failure in outcomes) else Exit.FINE


def _attempts(settings: Settings, to: str | None, address: str | None, now: datetime) -> Iterator[_Attempt]:
    if (to is None) == (address is None):
        raise UserError("Say whom to write to.", remedy="Give one of --to and --address.")
    audience = Audience(to) if to is not None else Audience.IT
    mails = [_checked(address)] if address is not None else _everybody(settings, audience)
    hooks = settings.alerts.hooks(audience) if to is not None else ()
    if not mails and not hooks:
        raise UserError(f"Nobody is configured for {to}.", remedy=f"See the [alerts] section: {_KEYS[audience]}.")
    message = trial(sender_of(settings))
    for mail in mails:
        yield _Attempt(MAIL, letter_to(f"rdvgw-{uuid4().hex}", now, mail, message))
    for name in hooks:
        id_ = f"rdvgw-{uuid4().hex}"
        payload = payload_of(id_, message, Group(audience), now)
        yield _Attempt(name, letter_to(id_, now, "", message, payload))


_KEYS = {Audience.IT: "it", Audience.REFERENTE: "referentes", Audience.AGENT: "agents"}


def _everybody(settings: Settings, audience: Audience) -> list[str]:
    found = list(settings.alerts.addresses(audience, 0))
    if audience is Audience.REFERENTE:
        found += [address for own in settings.alerts.referentes_of.values() for address in own]
    return list(dict.fromkeys(found))


def _checked(address: str) -> str:
    try:
        return mail_address(address)
    except ValueError as error:
        raise UserError(f"--address: {error}.", remedy="Give a plain e-mail address.") from None


def _outcome_json(attempt: _Attempt, error: ConnectorError | None) -> dict[str, object]:
    return {
        "channel": attempt.channel,
        "to": attempt.letter.to or None,
        "taken": error is None,
        "error": None if error is None else str(error),
        "remedy": None if error is None else error.remedy,
    }
