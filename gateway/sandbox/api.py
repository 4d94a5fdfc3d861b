"""The routes of `/api/v1` for agents."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.sandbox import api_auth, api_calendar, api_directory
from gateway.sandbox.http import Handler, authenticated, reply
from gateway.sandbox.state import State

_HANDLERS: list[tuple[str, str, Handler]] = [
    ("GET", "/absences", api_calendar.list_absences),
    ("POST", "/absences", api_calendar.create_absence),
    ("GET", "/absences/{id}", api_calendar.show_absence),
    ("PATCH", "/absences/{id}", api_calendar.update_absence),
    ("PUT", "/absences/{id}", api_calendar.update_absence),
    ("DELETE", "/absences/{id}", api_calendar.delete_absence),
    ("GET", "/agents", api_directory.list_agents),
    ("GET", "/agents/me", api_directory.me),
    ("GET", "/organisations", api_directory.list_organisations),
    ("GET", "/organisations/{organisation_id}", api_directory.show_organisation),
    ("GET", "/organisations/{organisation_id}/motifs", api_directory.list_motifs),
    ("GET", "/organisations/{organisation_id}/rdvs", api_calendar.list_rdvs),
    ("GET", "/organisations/{organisation_id}/webhook_endpoints", api_directory.list_webhook_endpoints),
    ("POST", "/organisations/{organisation_id}/webhook_endpoints", api_directory.create_webhook_endpoint),
    ("PATCH", "/organisations/{organisation_id}/webhook_endpoints/{id}", api_directory.update_webhook_endpoint),
    ("PATCH", "/participations/{id}", api_calendar.update_participation),
]


def routes(state: State) -> list[Route]:
    """Sessions, then what agents may ask; anything else of the real API is 404 here."""
    served = [
        Route(f"/api/v1{path}", authenticated(state, handler), methods=[method]) for method, path, handler in _HANDLERS
    ]
    every = ["GET", "POST", "PATCH", "PUT", "DELETE"]
    return [*api_auth.routes(state), *served, Route("/api/{rest:path}", _absent, methods=every)]


async def _absent(_request: Request) -> Response:
    return reply({"success": False, "errors": ["Not Found"]}, 404)
