"""The threads of one run.

Observation of RDV-Solidarités and of every calendar account go on side by side; an agent is worked on as soon as
its own calendars and RDV-Solidarités are read. Each server has its own few threads, so that one that hangs holds
up its own agents alone. Agents whose work is unfinished, because there is a ceiling of writes, go on when everybody
was worked on and it is known what the whole fleet needs.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import ParamSpec

import structlog

from connectors.errors import Addressee, ConnectorError
from connectors.ports import CalendarAccount
from gateway.sync.agent_run import Unfinished
from gateway.sync.observe_rdv_solidarites import RdvSolidaritesReading, problem_of
from gateway.sync.steps import StepName, about, in_context, step
from gateway.sync.values import AgentReport, CalendarRef, LinkedAgent, Problem

_LOG = structlog.get_logger(__name__)
_Arguments = ParamSpec("_Arguments")


@dataclass(frozen=True, slots=True)
class Steps:
    """What a run does, as functions. `read_calendar` gets the mark that the look at the home gave. `grant`: how many
    more writes each unfinished agent gets, by agent and remote. `halted`: whether the run is to end soon: then agents
    who were not worked on yet are left out, without a report."""

    read_rdv_solidarites: Callable[[], RdvSolidaritesReading]
    calendars_to_read: Callable[[CalendarAccount, Mapping[CalendarRef, str]], Collection[CalendarRef]]
    read_calendar: Callable[[CalendarAccount, CalendarRef, str], object]
    work: Callable[[LinkedAgent, RdvSolidaritesReading, bool], AgentReport | Unfinished]
    grant: Callable[[tuple[Unfinished, ...]], Mapping[int, Mapping[str, int]]]
    resume: Callable[[Unfinished, Mapping[str, int]], AgentReport]
    failed: Callable[[LinkedAgent, tuple[Problem, ...]], AgentReport]
    halted: Callable[[], bool] = bool


@dataclass(slots=True)
class _Waiting:
    """How many calendars an agent still waits for, and what went wrong with those that were read."""

    left: int
    read_anew: bool = False
    problems: list[Problem] = field(default_factory=list)


class Fleet:
    """Runs the steps for many agents. `pools` makes the executor of one server, by its name."""

    def __init__(
        self,
        agents: tuple[LinkedAgent, ...],
        accounts: Mapping[str, CalendarAccount],
        steps: Steps,
        *,
        pools: Callable[[str], Executor],
        on_report: Callable[[AgentReport], None] | None,
    ) -> None:
        self._agents = {agent.agent_id: agent for agent in agents}
        self._accounts = accounts
        self._steps = steps
        self._make_pool = pools
        self._on_report = on_report
        self._lock = threading.Lock()
        self._waiting = {agent.agent_id: _Waiting(len(agent.calendars)) for agent in agents}
        self._readers: dict[CalendarRef, list[int]] = defaultdict(list)
        for agent in agents:
            for ref in agent.calendars:
                self._readers[ref].append(agent.agent_id)
        self._reports: dict[int, AgentReport] = {}
        self._unfinished: dict[int, Unfinished] = {}
        self._finished = threading.Semaphore(0)
        self._fatal: BaseException | None = None
        self._pools: dict[str, Executor] = {}
        self._reading: Future[RdvSolidaritesReading] = Future()

    def run(self) -> tuple[tuple[AgentReport, ...], tuple[Problem, ...]]:
        """Until each agent has its report, or was left out. Returns the reports by agent id, and the problems of the
        run as a whole."""
        by_account: dict[str, list[CalendarRef]] = defaultdict(list)
        for ref in self._readers:
            by_account[ref.account].append(ref)
        with ExitStack() as stack:
            shared = stack.enter_context(self._make_pool("rdv_solidarites"))
            for name in by_account:
                host = self._host(name)
                if host not in self._pools:
                    self._pools[host] = stack.enter_context(self._make_pool(host))
            shared.submit(in_context(self._safely), self._read_rdv_solidarites)
            for name, refs in by_account.items():
                self._pools[self._host(name)].submit(in_context(self._safely), self._read_account, name, refs)
            for _ in self._agents:
                self._finished.acquire()
            if self._unfinished and self._fatal is None:
                self._go_on()
        if self._fatal is not None:
            raise self._fatal
        error = self._reading.exception() if self._reading.done() else None
        problems = (_as_problem(error, None),) if error else self._reading.result().problems if self._agents else ()
        return tuple(self._reports[agent_id] for agent_id in sorted(self._reports)), problems

    def _safely(
        self, step: Callable[_Arguments, None], *arguments: _Arguments.args, **named: _Arguments.kwargs
    ) -> None:
        """A thread's outermost frame: what no step expected ends the run instead of leaving it waiting."""
        try:
            step(*arguments, **named)
        except BaseException as error:  # noqa: BLE001 - handed to the thread that waits
            self._fatal = self._fatal or error
            for _ in self._agents:
                self._finished.release()

    def _host(self, account: str) -> str:
        found = self._accounts.get(account)
        return found.host if found else ""

    # --- observe ---------------------------------------------------------------------------------------------

    def _read_rdv_solidarites(self) -> None:
        try:
            self._reading.set_result(self._steps.read_rdv_solidarites())
        except BaseException as error:
            self._reading.set_exception(error)  # every agent is told of it, and nobody waits for ever
            if not isinstance(error, Exception):
                raise

    def _read_account(self, name: str, refs: list[CalendarRef]) -> None:
        if self._steps.halted():
            self._leave_out(refs)
            return
        account = self._accounts.get(name)
        if account is None:
            problem = Problem(
                None, name, f"account {name!r} is not configured", Addressee.IT, "Add it to [[accounts]] again."
            )
            for ref in refs:
                self._calendar_read(ref, problem)
            return
        try:
            with step(StepName.LOOK_AT_HOME, account.name) as counts:
                seen = {mark.calendar: mark.mark for mark in account.look()}
                counts["calendars"] = len(seen)
            marks = {ref: seen.get(ref.calendar, "") for ref in refs}
            to_read = self._steps.calendars_to_read(account, marks)
        except Exception as error:  # noqa: BLE001 - told to the agents of this account
            problem = _as_problem(error, None)
            for ref in refs:
                self._calendar_read(ref, problem)
            return
        pool = self._pools[account.host]
        for ref in refs:
            if ref in to_read:
                pool.submit(in_context(self._safely), self._read_calendar, account, ref, marks[ref])
            else:
                self._calendar_read(ref, None, anew=False)

    def _read_calendar(self, account: CalendarAccount, ref: CalendarRef, mark: str) -> None:
        if self._steps.halted():
            self._leave_out([ref])
            return
        problem = None
        try:
            self._steps.read_calendar(account, ref, mark)
        except Exception as error:  # noqa: BLE001 - told to the agents of this calendar
            problem = _as_problem(error, None)
        self._calendar_read(ref, problem)

    def _calendar_read(self, ref: CalendarRef, problem: Problem | None, *, anew: bool = True) -> None:
        """One calendar less to wait for; whoever waits for none any more is worked on."""
        ready: list[int] = []
        with self._lock:
            for agent_id in self._readers[ref]:
                waiting = self._waiting[agent_id]
                waiting.left -= 1
                waiting.read_anew |= anew
                if problem is not None:
                    waiting.problems.append(problem)
                if waiting.left == 0:
                    ready.append(agent_id)
        for agent_id in ready:
            pool = self._pools[self._host(self._agents[agent_id].target.account)]
            pool.submit(in_context(self._safely), self._work, agent_id)

    def _leave_out(self, refs: list[CalendarRef]) -> None:
        """Calendars that are not read any more: nobody is worked on without them (`halted` stays so)."""
        for ref in refs:
            self._calendar_read(ref, None)

    # --- work ------------------------------------------------------------------------------------------------

    def _work(self, agent_id: int) -> None:
        if self._steps.halted():
            self._finished.release()
            return
        agent = self._agents[agent_id]
        problems = tuple(self._waiting[agent_id].problems)
        if not problems:
            error = self._reading.exception()  # waits until RDV-Solidarités is read
            if error is not None:
                problems = (_as_problem(error, None),)
        worked: AgentReport | Unfinished
        if problems:
            worked = self._steps.failed(agent, problems)
        else:
            try:
                with about(agent_id):
                    anew = self._waiting[agent_id].read_anew
                    worked = self._steps.work(agent, self._reading.result(), anew)
            except Exception as error:  # noqa: BLE001 - one agent's trouble never stops the others
                worked = self._steps.failed(agent, (_as_problem(error, agent_id),))
        if isinstance(worked, Unfinished):
            self._unfinished[agent_id] = worked
            self._finished.release()
        else:
            self._report(worked)

    def _go_on(self) -> None:
        """With what is unfinished, now that all of it is known."""
        unfinished = tuple(self._unfinished[agent_id] for agent_id in sorted(self._unfinished))
        granted = self._steps.grant(unfinished)
        for each in unfinished:
            agent_id = each.agent.agent_id
            pool = self._pools[self._host(each.agent.target.account)]
            pool.submit(in_context(self._safely), self._resume, each, granted.get(agent_id, {}))
        for _ in unfinished:
            self._finished.acquire()

    def _resume(self, unfinished: Unfinished, granted: Mapping[str, int]) -> None:
        try:
            with about(unfinished.agent.agent_id):
                report = self._steps.resume(unfinished, granted)
        except Exception as error:  # noqa: BLE001 - one agent's trouble never stops the others
            agent = unfinished.agent
            report = self._steps.failed(agent, (_as_problem(error, agent.agent_id),))
        self._report(report)

    def _report(self, report: AgentReport) -> None:
        self._reports[report.agent_id] = report
        if self._on_report is not None:
            self._on_report(report)
        self._finished.release()


def _as_problem(error: BaseException, agent_id: int | None) -> Problem:
    if isinstance(error, ConnectorError):
        return problem_of(error, agent_id)
    # The text of an unexpected error may hold anything: only its kind and place are told.
    _LOG.error("unexpected error", kind=type(error).__name__, place=place_of(error), agent=agent_id)
    return Problem(
        agent_id,
        "gateway",
        f"unexpected {type(error).__name__} at {place_of(error)}",
        Addressee.MAINTAINERS,
        "Report it; this agent is tried again at the next run.",
    )


def place_of(error: BaseException) -> str:
    """Module and line where it was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "an unknown place"
    return f"{trace.tb_frame.f_globals.get('__name__', '?')}:{trace.tb_lineno}"
