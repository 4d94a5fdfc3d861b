"""Faults on demand: what goes wrong for the next requests, and how."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

KINDS = {
    "status": "answers `status` (429 with `retry_after`) without doing anything; `body` json, html or empty",
    "html": "a filtering proxy answers 200 with a page of its own, without doing anything",
    "slow": "does it, answers `seconds` later",
    "hang": "does nothing for `seconds`, then cuts",
    "cut_before": "cuts without doing anything",
    "cut_after": "does it, then cuts without an answer",
    "commit_late": "does it `seconds` later, without an answer",
    "truncate": "does it, sends half of the answer, then cuts",
    "page_empty": "page `page` of a list comes empty",
    "page_repeat": "page `page` of a list repeats the page before (page 1: the next one)",
}


@dataclass(slots=True)
class Fault:
    """One fault: for requests whose method and whole path fit these regular expressions.

    The first `skip` of them pass unharmed, then `times` of them meet it (None: all, until cleared).
    """

    kind: str
    method: str = ".*"
    path: str = ".*"
    times: int | None = 1
    skip: int = 0
    seconds: float = 0.0
    status: int = 500
    retry_after: int | None = None
    body: str = "json"
    page: int = 1
    met: int = field(default=0, init=False)  # requests that met it so far

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is none of {', '.join(KINDS)}")
        if self.body not in ("json", "html", "empty"):
            raise ValueError("body is json, html or empty")
        try:
            re.compile(self.method)
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error

    def concerns(self, method: str, path: str, page: int) -> bool:
        if self.kind in ("page_empty", "page_repeat") and page != self.page:
            return False
        return bool(re.fullmatch(self.method, method) and re.fullmatch(self.path, path))


class Faults:
    """The faults in force, the oldest first. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, kind: str, **details: Any) -> Fault:
        """Puts a fault in force; `kind` is one of `KINDS`, `details` are fields of `Fault`."""
        fault = Fault(kind, **details)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def take(self, method: str, path: str, page: int = 1) -> Fault | None:
        """The fault that this request meets, if any; counts it."""
        with self._lock:
            for fault in self._faults:
                if not fault.concerns(method, path, page):
                    continue
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.met += 1
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None

    def in_force(self) -> Sequence[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._faults]
