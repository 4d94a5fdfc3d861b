"""`demo`: both directions on this machine, through the same configuration, composition and engine as for real."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.describe import problems_of, zones_of
from gateway.cli.enroll import Wish, enroll
from gateway.cli.exits import Exit
from gateway.cli.output import progress
from gateway.cli.sandbox import sandbox_on, today
from gateway.cli.signals import until_interrupted
from gateway.composition import Application, opened
from gateway.demo.agendas import agendas
from gateway.demo.calendars import CALENDAR, fill
from gateway.demo.radicale import Radicale
from gateway.demo.show import Address, JsonShow, Show, TableShow
from gateway.demo.stage import AGENTS, CALENDAR_PASSWORD, Place, former_ports, prepare, write_settings
from gateway.store.database import sync_lock
from gateway.sync.approval import Approval, approve, pending
from gateway.sync.values import HoldReason, RunReport

ROUNDS = 3
PAUSE = 2.0  # seconds between two syncs while watching


@dataclass(frozen=True, slots=True)
class Running:
    """A demo whose servers run and whose application is open."""

    place: Place
    application: Application
    sandbox_url: str


def run(*, once: bool, directory: Path | None, port: int, caldav_port: int, as_json: bool) -> Exit:
    """Set the stage, sync, and, unless `once`, go on until Ctrl-C."""
    with until_interrupted() as interrupted, ExitStack() as stack:
        with progress("Starting both sides…", as_json=as_json):
            running = _start(stack, directory, port=port, caldav_port=caldav_port)
            first_plan = _set_up(running)
        show = _show(running.application, once=once, as_json=as_json)
        show.first_plan(first_plan)
        if once:
            return _rounds(running, show, interrupted)
        return _watch(running, show, interrupted)


def _rounds(running: Running, show: Show, interrupted: threading.Event) -> Exit:
    """A few rounds, one after the other."""
    code = Exit.FINE
    for _ in range(ROUNDS):
        if interrupted.is_set():
            return Exit.INTERRUPTED
        report = running.application.engine.run()
        show.round(report)
        if any(problems_of(report)):
            code = Exit.REMOTE
    show.end()
    return code


def _watch(running: Running, show: Show, interrupted: threading.Event) -> Exit:
    """A round every few seconds, until somebody ends it."""
    show.round(running.application.engine.run())
    show.where(_addresses(running))
    while not interrupted.wait(PAUSE):
        show.round(running.application.engine.run())
    show.end()
    return Exit.FINE


def _show(application: Application, *, once: bool, as_json: bool) -> Show:
    if as_json:
        return JsonShow(one_document=once)
    return TableShow(lambda: zones_of(application.store.agents()), every_round=once)


def _start(stack: ExitStack, directory: Path | None, *, port: int, caldav_port: int) -> Running:
    """Both servers and the application, each closed by `stack`."""
    place = stack.enter_context(_place(directory))
    stack.enter_context(sync_lock(place.database))
    former = former_ports(place)
    users = dict.fromkeys(AGENTS, CALENDAR_PASSWORD)
    radicale = stack.enter_context(Radicale(place.radicale, users, port=caldav_port or former.calendars))
    double = stack.enter_context(sandbox_on(port or former.rdv_solidarites, place.sandbox))
    settings = write_settings(place, rdv_solidarites=double.url, calendars=radicale.url, logins=AGENTS)
    application = stack.enter_context(opened(settings))
    return Running(place, application, double.url)


@contextmanager
def _place(directory: Path | None) -> Iterator[Place]:
    if directory is not None:
        yield prepare(directory)
        return
    with tempfile.TemporaryDirectory(prefix="rdv-gateway-demo-") as temporary:
        yield prepare(Path(temporary))


def _set_up(running: Running) -> RunReport:
    """Sample data, enrolment, first plan, its approval: what people would do over some days."""
    application, place = running.application, running.place
    if not place.is_filled:
        items = agendas(today())
        for account in application.settings.accounts:
            fill(account.url, account.username, CALENDAR_PASSWORD, items[account.name])
        for login in AGENTS:
            enroll(application, Wish(agent=f"{login}@demo.example", account=login))
        place.mark_filled()
    report = application.engine.run(dry_run=True)
    waiting = pending(application.store)
    first = tuple(hold for hold in waiting.holds if hold.reason is HoldReason.FIRST_RUN)
    approve(application.store, Approval(first, waiting.agents), at=application.clock.now(), by="demo")
    return report


def _addresses(running: Running) -> list[Address]:
    """The pages of the sandbox, each agent's calendar, and the deployment's own files."""
    sandbox = [Address("RDV-Solidarités, agendas of the sandbox", f"{running.sandbox_url}/")]
    calendars = [
        Address(
            f"Calendar of {account.name} (CalDAV)", f"{account.url}{CALENDAR}/", account.username, CALENDAR_PASSWORD
        )
        for account in running.application.settings.accounts
    ]
    return [*sandbox, *calendars, Address("Configuration", str(running.place.settings))]
