"""`demo`: both directions on this machine, through the same configuration, composition and engine as for real."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path

from gateway.cli.describe import problems_of, zones_of
from gateway.cli.enroll import Wish, enroll
from gateway.cli.exits import Exit
from gateway.cli.output import progress
from gateway.cli.signals import until_interrupted
from gateway.composition import Application, opened
from gateway.demo.agendas import PARIS, agendas
from gateway.demo.calendars import CALENDAR, fill
from gateway.demo.radicale import Radicale
from gateway.demo.show import Address, JsonShow, Show, TableShow
from gateway.demo.stage import AGENTS, CALENDAR_PASSWORD, Place, prepare, write_settings
from gateway.sandbox.seed import seed_departement
from gateway.sandbox.server import Sandbox
from gateway.store.database import sync_lock
from gateway.sync.approval import Approval, approve, pending
from gateway.sync.values import HoldReason, RunReport

ROUNDS = 3
PAUSE = 3.0  # seconds between two syncs while watching


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
        application = running.application
        show = _show(application, once=once, as_json=as_json)
        show.first_plan(first_plan)
        code = Exit.FINE
        for number in count(1):
            report = application.engine.run()
            show.round(report)
            if once and any(problems_of(report)):
                code = Exit.REMOTE
            if number == 1 and not once:
                show.where(_addresses(running))
            if (once and number == ROUNDS) or interrupted.wait(0 if once else PAUSE):
                break
        show.end()
    return code


def _show(application: Application, *, once: bool, as_json: bool) -> Show:
    if as_json:
        return JsonShow(one_document=once)
    return TableShow(lambda: zones_of(application.store.agents()), every_round=once)


def _start(stack: ExitStack, directory: Path | None, *, port: int, caldav_port: int) -> Running:
    """Both servers and the application, each closed by `stack`."""
    place = stack.enter_context(_place(directory))
    users = dict.fromkeys(AGENTS, CALENDAR_PASSWORD)
    radicale = stack.enter_context(Radicale(place.radicale, users, port=caldav_port))
    seed = partial(seed_departement, today=datetime.now(PARIS).date())
    double = stack.enter_context(Sandbox(state=place.sandbox, port=port, seed=seed))
    settings = write_settings(place, rdv_solidarites=double.url, calendars=radicale.url, logins=AGENTS)
    stack.enter_context(sync_lock(settings.gateway.database))
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
        items = agendas(datetime.now(PARIS).date())
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
