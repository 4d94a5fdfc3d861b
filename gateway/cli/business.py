"""`business`: how far each webhook to a business application is; `business test`: whether one takes what it is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

from gateway.api.delivering import Receiver
from gateway.api.service import receivers_of
from gateway.api.signing import body_of
from gateway.cli.exits import Exit, UserError
from gateway.cli.output import messages, moment, print_json, results, table
from gateway.cli.session import local
from gateway.clock import SystemClock
from gateway.settings import load
from gateway.store.business import Event, Target

_COLUMNS = ("Webhook", "Waiting", "Taken", "Last taken", "Failing since", "Next try", "Given up", "Last given up")
_RECENT = timedelta(days=7)


def run(config: Path, *, as_json: bool) -> Exit:
    """Show all that are configured. Exit code 1 when one fails, or gave up events lately."""
    now = SystemClock().now()
    with local(config) as (settings, store), store.business() as tables:
        known = tables.targets()
        names = [each.name for each in settings.business.webhooks]
        targets = [known.get(name) or Target(name, cursor=tables.last_event_id()) for name in names]
        waiting = {each.name: tables.waiting(each) for each in targets}
    if as_json:
        print_json({"webhooks": [_json(each, waiting) for each in targets]})
    elif targets:
        results().print(table("Business webhooks", _COLUMNS, (_row(each, waiting) for each in targets)))
    else:
        messages().print("No business webhook is configured.")
    return Exit.NEEDS_PERSON if any(_is_ill(each, now) for each in targets) else Exit.FINE


def try_out(config: Path, name: str, *, as_json: bool) -> Exit:
    """Send an event that says nothing."""
    receiver = _receiver(config, name)
    now = SystemClock().now()
    event = Event("gateway.test", now, 0, None, {})
    with receiver.client() as client:
        status = receiver.post(client, f"evt_test_{uuid4().hex}", body_of(event), now)
    taken = 200 <= status < 300
    if as_json:
        print_json({"webhook": name, "status": status or None, "taken": taken})
    else:
        answer = f"answers {status}" if status else "does not answer"
        results().print(f"{name}: {'taken' if taken else 'not taken'}; it {answer}.")
    return Exit.FINE if taken else Exit.REMOTE


def _receiver(config: Path, name: str) -> Receiver:
    for each in receivers_of(load(config)):
        if each.name == name:
            return each
    raise UserError(f"No business webhook is named {name}.", remedy="See [[business.webhooks]] in the configuration.")


def _is_ill(target: Target, now: datetime) -> bool:
    return target.failing_since is not None or (target.last_dead_at is not None and now - target.last_dead_at < _RECENT)


def _row(target: Target, waiting: Mapping[str, int]) -> tuple[object, ...]:
    return (
        *(target.name, waiting[target.name], target.taken, moment(target.last_taken_at)),
        *(moment(target.failing_since), moment(target.next_at), target.dead, moment(target.last_dead_at)),
    )


def _json(target: Target, waiting: Mapping[str, int]) -> dict[str, object]:
    return {
        "name": target.name,
        "waiting": waiting[target.name],
        "taken": target.taken,
        "last_taken_at": target.last_taken_at,
        "failing_since": target.failing_since,
        "next_at": target.next_at,
        "given_up": target.dead,
        "last_given_up_at": target.last_dead_at,
    }
