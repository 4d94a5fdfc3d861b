"""The pages (French): what this is, the agendas, forms to act as an agent. No script, nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qs

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from gateway.sandbox import agendas, times
from gateway.sandbox.accounts import CLIENT_ID, CLIENT_SECRET
from gateway.sandbox.errors import Refused
from gateway.sandbox.state import State

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",
}

Form = dict[str, str]
Action = Callable[[int, Form], str]
"""Does what a form asks about the record of that id; gives the address to go to. Raises `Refused`, `ValueError`."""


def routes(state: State) -> list[Route]:
    pages = _Pages(state)
    acts = _Actions(state)
    forms: list[tuple[str, Action, Callable[[Request, str], Response]]] = [
        ("/agents/{id:int}/rdvs", acts.create_rdv, pages.agent),
        ("/agents/{id:int}/absences", acts.create_absence, pages.agent),
        ("/rdvs/{id:int}/deplacer", acts.move_rdv, pages.rdv),
        ("/rdvs/{id:int}/etat", acts.set_status, pages.rdv),
        ("/rdvs/{id:int}/supprimer", acts.delete_rdv, pages.rdv),
        ("/absences/{id:int}/modifier", acts.update_absence, pages.absence),
        ("/absences/{id:int}/supprimer", acts.delete_absence, pages.absence),
    ]
    return [
        Route("/", _shown(pages.index)),
        Route("/style.css", _style),
        Route("/agents/{id:int}", _shown(pages.agent)),
        Route("/absences/{id:int}", _shown(pages.absence)),
        # where the real service has the RDV's page, so that links to it lead somewhere
        Route("/admin/organisations/{organisation:int}/rdvs/{id:int}", _shown(pages.rdv)),
        *(Route(path, partial(_submit, action, page), methods=["POST"]) for path, action, page in forms),
    ]


def _shown(page: Callable[[Request, str], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def shown(request: Request) -> Response:
        return page(request, "")

    return shown


async def _submit(action: Action, page: Callable[[Request, str], Response], request: Request) -> Response:
    """Acts, then leads to a page; what is refused shows the same page again with the reason."""
    sent = parse_qs((await request.body()).decode(errors="replace"), keep_blank_values=True)
    form = {name: values[-1].strip() for name, values in sent.items()}
    try:
        address = action(request.path_params["id"], form)
    except Refused as refused:
        answer = page(request, "Refusé : " + " ; ".join(agendas.worded(message) for message in refused.messages) + ".")
        answer.status_code = refused.status
        return answer
    except (ValueError, KeyError):
        answer = page(request, "Refusé : une date, une heure ou un choix manque ou n'est pas lisible.")
        answer.status_code = 422
        return answer
    return RedirectResponse(address, 303)


async def _style(_request: Request) -> Response:
    text = (files("gateway.sandbox") / "templates" / "style.css").read_text(encoding="utf-8")
    return Response(text, media_type="text/css")


class _Pages:
    def __init__(self, state: State) -> None:
        self._state = state
        self._templates = Environment(
            loader=PackageLoader("gateway.sandbox"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters["jour"] = agendas.day_in_words

    def index(self, _request: Request, error: str) -> Response:
        return self._render(
            "index.html",
            error=error,
            agents=agendas.overview(self._state),
            url=self._state.storage.setting("url", ""),
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
        )

    def agent(self, request: Request, error: str) -> Response:
        agent = agendas.agent(self._state, request.path_params["id"])
        if agent is None:
            return self._missing()
        today = times.today(self._state.storage.clock())
        try:
            day = date.fromisoformat(request.query_params.get("du", ""))
        except ValueError:
            day = today
        monday = day - timedelta(days=day.weekday())
        return self._render(
            "agent.html",
            error=error,
            agent=agent,
            monday=monday,
            sunday=monday + timedelta(days=6),
            before=monday - timedelta(days=7),
            after=monday + timedelta(days=7),
            today=today,
            entries=agendas.week(self._state, agent["id"], monday),
            recurring=agendas.recurring(self._state, agent["id"]),
            choices=agendas.choices(self._state, agent["id"]),
        )

    def rdv(self, request: Request, error: str) -> Response:
        rdv = self._state.rdv(request.path_params["id"])
        if rdv is None:
            return self._missing()
        return self._render(
            "rdv.html",
            error=error,
            rdv=rdv,
            start=datetime.fromisoformat(rdv["starts_at"][:19]),
            status=agendas.STATUS_NAMES[rdv["status"]],
            statuses=agendas.STATUS_NAMES,
        )

    def absence(self, request: Request, error: str) -> Response:
        absence = self._state.absence(request.path_params["id"])
        if absence is None:
            return self._missing()
        return self._render("absence.html", error=error, absence=absence)

    def _missing(self) -> Response:
        answer = self._render("missing.html", error="")
        answer.status_code = 404
        return answer

    def _render(self, template: str, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**values), headers=_HEADERS)


class _Actions:
    """What the forms do, as the agent whose agenda is shown."""

    def __init__(self, state: State) -> None:
        self._state = state

    def create_rdv(self, agent_id: int, form: Form) -> str:
        motif = self._state.storage.row("SELECT * FROM motifs WHERE id = ?", [int(form["motif"])])
        if motif is None:
            raise ValueError("no such motif")
        starts_at = _moment(form["jour"], form["heure"])
        rdv_id = self._state.rdvs.create(
            organisation_id=motif["organisation_id"],
            motif_id=motif["id"],
            agent_ids=[agent_id],
            starts_at=starts_at,
            duration_in_min=int(form["duree"]),
            user_ids=[int(form["usager"])] if form.get("usager") else [],
            lieu_id=int(form["lieu"]) if form.get("lieu") and motif["location_type"] == "public_office" else None,
        )
        return self._rdv_address(rdv_id)

    def move_rdv(self, rdv_id: int, form: Form) -> str:
        self._state.rdvs.move(rdv_id, _moment(form["jour"], form["heure"]), duration_in_min=int(form["duree"]))
        return self._rdv_address(rdv_id)

    def set_status(self, rdv_id: int, form: Form) -> str:
        self._state.rdvs.set_status(rdv_id, form["etat"])
        return self._rdv_address(rdv_id)

    def delete_rdv(self, rdv_id: int, _form: Form) -> str:
        agent_id = self._state.rdvs.agents_of(rdv_id)[:1]
        self._state.rdvs.delete(rdv_id)
        return f"/agents/{agent_id[0]}" if agent_id else "/"

    def create_absence(self, agent_id: int, form: Form) -> str:
        fields = _absence_fields(form)
        self._state.absences.create(agent_id, **fields)
        return f"/agents/{agent_id}?du={fields['first_day']}"

    def update_absence(self, absence_id: int, form: Form) -> str:
        self._state.absences.update(absence_id, **_absence_fields(form))
        return f"/absences/{absence_id}"

    def delete_absence(self, absence_id: int, _form: Form) -> str:
        row = self._state.absences.get(absence_id)
        self._state.absences.delete(absence_id)
        return f"/agents/{row['agent_id']}?du={row['first_day']}"

    def _rdv_address(self, rdv_id: int) -> str:
        return f"/admin/organisations/{self._state.rdvs.get(rdv_id)['organisation_id']}/rdvs/{rdv_id}"


def _moment(day: str, hour: str) -> datetime:
    return datetime.combine(date.fromisoformat(day), time.fromisoformat(hour))


def _absence_fields(form: Form) -> dict[str, Any]:
    return {
        "title": form["titre"],
        "first_day": date.fromisoformat(form["premier_jour"]),
        "start_time": time.fromisoformat(form["debut"]),
        "end_day": date.fromisoformat(form["dernier_jour"] or form["premier_jour"]),
        "end_time": time.fromisoformat(form["fin"]),
    }
