"""Logging: one line of JSON or of text per event, on stderr, without personal data.

Everything goes through the standard library's root logger, so that libraries' records are treated alike. Keys
that could hold a person's text or a secret are dropped whoever wrote them. Loggers of HTTP libraries, whose
records hold whole addresses, are kept to warnings; those of calendar libraries, whose warnings quote what they
read, are silent: connectors turn what matters into errors. Addresses lose their query and user part everywhere.
"""

from __future__ import annotations

import logging
import re
import sys

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

FORBIDDEN_KEYS = frozenset(
    {
        "authorization",
        "access_token",
        "address",
        "attendees",
        "birth_date",
        "body",
        "client_secret",
        "context",
        "description",
        "draft",
        "email",
        "first_name",
        "headers",
        "last_name",
        "lieu_address",
        "location",
        "notes",
        "password",
        "phone_number",
        "raw",
        "refresh_token",
        "summary",
        "title",
        "token",
        "url",
        "usager",
        "visio_url",
    }
)

_QUIET = ("alembic", "apscheduler", "httpcore2", "httpx2", "requests", "urllib3", "uvicorn")
_SILENT = ("caldav", "icalendar", "recurring_ical_events")
LIBRARIES = (*_QUIET, *_SILENT)
"""Loggers whose level `configure` sets."""

_ADDRESS = re.compile(r"(?P<scheme>https?://)(?:[^\s/@]*@)?(?P<kept>[^\s?#'\"]*)(?:[?#][^\s'\"]*)?")


def drop_forbidden_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Remove keys that could hold a person's text or a secret, and say that something was removed."""
    forbidden = sorted(key for key in event if key.lower() in FORBIDDEN_KEYS)
    for key in forbidden:
        del event[key]
    if forbidden:
        event["dropped"] = forbidden
    return event


def shorten_addresses(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Cut the query and the user part of every address in every text: tokens travel there."""
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = _ADDRESS.sub(r"\g<scheme>\g<kept>", value)
    return event


def configure(level: str = "warning", *, json: bool = False) -> None:
    """Set up logging of the whole process. `level`: debug, info, warning or error. `json`: one object a line."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    renderer: Processor = (
        structlog.processors.JSONRenderer(sort_keys=True)
        if json
        else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.PositionalArgumentsFormatter()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            drop_forbidden_keys,
            shorten_addresses,
            renderer,
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _SILENT:
        logging.getLogger(name).setLevel(logging.CRITICAL)
