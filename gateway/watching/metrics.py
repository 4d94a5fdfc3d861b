"""Counters and histograms of this process, in a registry of its own. No label names or numbers an agent, a usager, a
path or an address: a remote is the name of its section in the configuration."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram

from connectors.errors import (
    AgentMustAct,
    AnswerLost,
    BadItem,
    ConnectorError,
    ITMustAct,
    OurBug,
    RetryLater,
    RightsMissing,
    Stale,
)
from connectors.exchanges import Exchange
from gateway.sync.ceiling import RDV_SOLIDARITES
from gateway.sync.steps import OURSELVES, Step
from gateway.sync.values import RunReport

PREFIX = "rdv_gateway_"
DATABASE = "database"

_KINDS: tuple[type[ConnectorError], ...] = (
    *(RetryLater, AnswerLost, Stale, AgentMustAct, ITMustAct, RightsMissing, BadItem, OurBug),
)
_STATUSES = ("2xx", "3xx", "4xx", "5xx", "none")
_REQUEST = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STEP = (0.005, 0.025, 0.1, 0.5, 1, 2.5, 5, 15, 60, 300)


class Metrics:
    """Thread-safe. `accounts`: names of the configured sections, whose counters begin at 0: an increase from nothing
    would not be seen."""

    def __init__(self, accounts: Iterable[str] = ()) -> None:
        self.registry = CollectorRegistry()
        self.accounts = tuple(accounts)
        self.operations = self._counter(
            "operations", "Operations tried, by what and what became of them.", ("action", "kind", "outcome")
        )
        self.requests = self._counter(
            "requests", "Requests sent, by class of the answer's status; none: no answer.", ("remote", "status")
        )
        self.errors = self._counter(
            "errors", "Steps that failed, by what to do about it and who can.", ("system", "kind", "addressee")
        )
        self.request_seconds = self._histogram("request_seconds", "Until an answer's end.", ("remote",), _REQUEST)
        self.wait_seconds = self._histogram(
            "wait_seconds", "How long requests waited for their turn at a remote.", ("remote",), _REQUEST
        )
        self.step_seconds = self._histogram("step_seconds", "Steps of runs.", ("step", "system"), _STEP)
        self.run_seconds = self._histogram("run_seconds", "Runs.", (), _STEP)
        self._begin()

    def exchanged(self, exchange: Exchange) -> None:
        """A request was sent."""
        status = "none" if exchange.status is None else f"{exchange.status // 100}xx"
        self.requests.labels(exchange.system, status).inc()
        self.request_seconds.labels(exchange.system).observe(exchange.seconds)

    def stepped(self, step: Step) -> None:
        """A step ended."""
        self.step_seconds.labels(step.name.value, step.system).observe(step.seconds)
        if step.failure is not None:
            self.errors.labels(step.failure.system, step.failure.kind, step.failure.addressee).inc()

    def ended(self, report: RunReport) -> None:
        """A run ended."""
        self.run_seconds.observe(report.seconds)

    def _begin(self) -> None:
        for remote in (*self.accounts, RDV_SOLIDARITES):
            self.request_seconds.labels(remote)
            self.wait_seconds.labels(remote)
            for status in _STATUSES:
                self.requests.labels(remote, status)
        for system in (*self.accounts, RDV_SOLIDARITES, OURSELVES, DATABASE):
            for kind in _KINDS:
                self.errors.labels(system, kind.__name__, kind.addressee.value)

    def _counter(self, name: str, text: str, labels: tuple[str, ...]) -> Counter:
        return Counter(PREFIX + name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, labels: tuple[str, ...], buckets: tuple[float, ...]) -> Histogram:
        return Histogram(PREFIX + name, text, labels, registry=self.registry, buckets=buckets)
