"""`/_sandbox/*`: our own endpoints, to act as people and administrators would, and to look inside. All JSON.

`POST /_sandbox/<operation>` calls an operation of `State` with the body's fields as arguments and answers
`{"result": …}`; days and times are ISO 8601 text (wall-clock). `GET /_sandbox/` lists the operations.
"""

from __future__ import annotations

import inspect
import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, time
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.sandbox.errors import Refused
from gateway.sandbox.faults import KINDS, Faults
from gateway.sandbox.requests_log import RequestLog
from gateway.sandbox.state import State

_OPERATIONS = {
    "rdvs": (
        "create",
        "move",
        "set_agents",
        "swap_agent",
        "edit",
        "cancel",
        "recreate",
        "set_status",
        "delete",
        "purge",
        "add_participant",
        "set_participation",
        "set_row_order",
    ),
    "absences": ("create", "update", "delete", "set_tie_order"),
    "directory": (
        "set_role",
        "remove_role",
        "remove_agent",
        "change_email",
        "make_territorial_admin",
        "set_zone_mode",
        "rename_organisation",
        "rename_motif",
        "archive_motif",
    ),
    "rights": ("withhold", "restore"),
    "accounts": ("grant", "set_lifetimes", "allow_passwords", "refuse_consents", "expire_all", "revoke_all"),
    "webhooks": ("set_policy", "add_endpoint", "remove_endpoint", "replay"),
}
_READ: Mapping[str, Callable[[str], object]] = {
    "starts_at": datetime.fromisoformat,
    "first_day": date.fromisoformat,
    "end_day": date.fromisoformat,
    "start_time": time.fromisoformat,
    "end_time": time.fromisoformat,
}


def routes(state: State, faults: Faults, log: RequestLog) -> list[Route]:
    control = _Control(state, faults, log)
    return [
        Route("/_sandbox/", control.index, methods=["GET"]),
        Route("/_sandbox/state", control.contents, methods=["GET"]),
        Route("/_sandbox/reset", control.reset, methods=["POST"]),
        Route("/_sandbox/requests", control.requests, methods=["GET", "DELETE"]),
        Route("/_sandbox/faults", control.faults, methods=["GET", "POST", "DELETE"]),
        Route("/_sandbox/deliveries", control.deliveries, methods=["GET"]),
        Route("/_sandbox/{part}/{operation}", control.operate, methods=["POST"]),
    ]


class _Control:
    def __init__(self, state: State, faults: Faults, log: RequestLog) -> None:
        self._state = state
        self._faults = faults
        self._log = log

    async def index(self, _request: Request) -> Response:
        operations = {
            f"{part}/{name}": str(inspect.signature(self._operation(part, name)))
            for part, names in _OPERATIONS.items()
            for name in names
        }
        return JSONResponse({"operations": operations, "faults": KINDS})

    async def contents(self, _request: Request) -> Response:
        return JSONResponse(self._state.contents())

    async def reset(self, _request: Request) -> Response:
        """The first day again: data, sessions, faults, counters."""
        self._state.reset()
        self._faults.clear()
        self._log.reset()
        return JSONResponse({"result": None})

    async def requests(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._log.reset()
        entries = [asdict(entry) | {"at": entry.at.isoformat()} for entry in self._log.entries]
        return JSONResponse({"counts": self._log.counts, "requests": entries})

    async def faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            try:
                self._faults.add(**await _arguments(request))
            except (TypeError, ValueError) as error:
                return _wrong(str(error))
        return JSONResponse({"faults": self._faults.in_force()})

    async def deliveries(self, _request: Request) -> Response:
        return JSONResponse({"deliveries": self._state.webhooks.deliveries()})

    async def operate(self, request: Request) -> Response:
        part, name = request.path_params["part"], request.path_params["operation"]
        if name not in _OPERATIONS.get(part, ()):
            return _wrong(f"no operation {part}/{name}", 404)
        operation = self._operation(part, name)
        try:
            arguments = await _arguments(request)
            inspect.signature(operation).bind(**arguments)
        except (TypeError, ValueError) as error:
            return _wrong(str(error))
        try:
            with self._state.storage.transaction():
                result = operation(**arguments)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)
        except (ValueError, TypeError, LookupError, sqlite3.Error) as error:
            return _wrong(str(error))
        return JSONResponse(
            {"result": asdict(result) if is_dataclass(result) and not isinstance(result, type) else result}
        )

    def _operation(self, part: str, name: str) -> Callable[..., Any]:
        operation: Callable[..., Any] = getattr(getattr(self._state, part), name)
        return operation


async def _arguments(request: Request) -> dict[str, Any]:
    """The JSON body, days and times read. Raises `ValueError` or `TypeError`."""
    content = json.loads(await request.body() or b"{}")
    if not isinstance(content, dict):
        raise TypeError("a JSON object is wanted")
    return {
        name: _READ[name](value) if name in _READ and isinstance(value, str) else value
        for name, value in content.items()
    }


def _wrong(message: str, status: int = 422) -> Response:
    return JSONResponse({"error": message}, status)
