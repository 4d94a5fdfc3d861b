"""How the demo says what it does: tables for people, JSON for scripts. Times, ids and rules; no titles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.cli.describe import (
    OPERATION_COLUMNS,
    Zones,
    held_row,
    operation_row,
    operations_of,
    problem_lines,
    problems_of,
    run_json,
    tally,
)
from gateway.cli.output import print_json, results, table
from gateway.sync.values import RunReport


@dataclass(frozen=True, slots=True)
class Address:
    """Somewhere to look, with what to sign in with."""

    what: str
    url: str
    login: str = ""
    password: str = ""


class Show(Protocol):
    """What is told, in order."""

    def first_plan(self, report: RunReport) -> None:
        """The first plan, all of it held until it is approved."""

    def round(self, report: RunReport) -> None:
        """One sync."""

    def where(self, addresses: Sequence[Address]) -> None:
        """Where to look, before going on."""

    def end(self) -> None:
        """Nothing more comes."""


class TableShow:
    """For people, on stdout. `every_round` False: a round that changes nothing is told the first time only."""

    def __init__(self, zones: Callable[[], Zones], *, every_round: bool) -> None:
        self._console = results()
        self._zones = zones
        self._every_round = every_round
        self._rounds = 0
        self._told = ""

    def first_plan(self, report: RunReport) -> None:
        held = tally(report.agents)
        self._console.print(f"First plan: {held}. The demo approves first runs." if held else "Nothing is held.")

    def round(self, report: RunReport) -> None:
        self._rounds += 1
        operations = list(operations_of(report))
        zones = self._zones()
        if operations:
            rows = (operation_row(operation, zones) for operation in operations)
            self._console.print()
            self._console.print(table(f"Round {self._rounds}", OPERATION_COLUMNS, rows))
        standing = _standing(report, zones)
        if operations or self._every_round or standing != self._told:
            self._told = standing
            requests = ", ".join(f"{count} to {system}" for system, count in report.requests)
            self._console.print(f"Round {self._rounds}: {len(operations)} operations; requests: {requests}. {standing}")

    def where(self, addresses: Sequence[Address]) -> None:
        self._console.print("\nWhere to look:")
        for address in addresses:
            sign_in = f" (login {address.login}, password {address.password})" if address.login else ""
            self._console.print(f"  {address.what}: {address.url}{sign_in}")
        self._console.print("Change something on either side: it is synced every few seconds. Ctrl-C ends the demo.")

    def end(self) -> None:
        self._console.print("The demo has ended.")


class JsonShow:
    """For scripts, on stdout: one document at the end, or, while watching, one object a line."""

    def __init__(self, *, one_document: bool) -> None:
        self._one_document = one_document
        self._first_plan: dict[str, object] = {}
        self._rounds: list[dict[str, object]] = []

    def first_plan(self, report: RunReport) -> None:
        self._first_plan = run_json(report)
        self._line({"first_plan": self._first_plan})

    def round(self, report: RunReport) -> None:
        shown = run_json(report)
        self._rounds.append(shown)
        self._line({"round": shown})

    def where(self, addresses: Sequence[Address]) -> None:
        listed = [{"what": a.what, "url": a.url, "login": a.login, "password": a.password} for a in addresses]
        self._line({"addresses": listed})

    def end(self) -> None:
        if self._one_document:
            print_json({"first_plan": self._first_plan, "rounds": self._rounds})

    def _line(self, value: dict[str, object]) -> None:
        if not self._one_document:
            print_json(value, indent=None)


def _standing(report: RunReport, zones: Zones) -> str:
    """All that waits or is wrong, as text: told when it changes."""
    lines = [f"{tally(report.agents) or 'Nothing is held, nothing is in conflict'}."]
    held = [waiting for agent in report.agents for waiting in agent.held]
    lines += [f"  held: {' '.join(map(str, held_row(waiting, zones)))}" for waiting in held]
    lines += [f"  conflict, agent {c.agent_id}: {c.reason}" for agent in report.agents for c in agent.conflicts]
    lines += [f"  set aside, agent {s.agent_id}: {s.reason}" for agent in report.agents for s in agent.set_aside]
    lines += [f"  {line}" for line in problem_lines(problems_of(report))]
    return "\n".join(lines)
