"""RDVs, participations and absences: `/api/v1/organisations/:id/rdvs`, `/participations`, `/absences`."""

from __future__ import annotations

from starlette.responses import Response

from gateway.sandbox import serializers, times
from gateway.sandbox.absences import FIELDS
from gateway.sandbox.errors import broken, forbidden, missing_parameter, no_such_record, not_found
from gateway.sandbox.http import PAGE_SIZE, Call, listing, reply
from gateway.sandbox.permissions import ids
from gateway.sandbox.rdvs import STATUSES


def list_rdvs(call: Call) -> Response:
    """An unknown or foreign organisation has no RDV (200, empty); a date that cannot be read is a crash (500)."""
    try:
        after, before = (_bound(call, name) for name in ("starts_after", "starts_before"))
    except ValueError:
        raise broken() from None
    text = call.path["organisation_id"]
    wanted, total = call.state.rdvs.page(
        call.caller, int(text) if text.isdecimal() else 0, after=after, before=before, page=call.page, size=PAGE_SIZE
    )
    return listing("rdvs", serializers.rdvs(call.state.storage, wanted), call.page, total)


def _bound(call: Call, name: str) -> str | None:
    given = call.params.get(name)
    return times.parse_filter(str(given)) if given else None


def update_participation(call: Call) -> Response:
    participation_id = call.record_id("id", "Participation")
    rdv_id = call.state.storage.number("SELECT rdv_id FROM participations WHERE id = ?", [participation_id])
    if not rdv_id or not call.state.rdvs.visible_to(call.caller, rdv_id):
        raise no_such_record("Participation")
    given = call.params.get("participation")
    if not isinstance(given, dict) or not given:
        raise missing_parameter("participation")
    if "status" in given:
        if given["status"] not in STATUSES:
            raise broken()
        call.state.rdvs.set_participation(participation_id, given["status"])
    return reply({"rdv": serializers.rdvs(call.state.storage, [rdv_id])[0]})


def list_absences(call: Call) -> Response:
    """Every absence, past ones too, of every visible agent. No filter is honoured."""
    visible = ids(call.state.rights.visible_agents(call.caller))
    wanted, total = call.state.absences.page(visible, call.page, PAGE_SIZE)
    return listing("absences", serializers.absences(call.state.storage, wanted), call.page, total)


def show_absence(call: Call) -> Response:
    return _answer(call, _permitted(call))


def create_absence(call: Call) -> Response:
    """200, not 201. `agent_id` wins over `agent_email`, which must match exactly; permission is asked last."""
    agent_id = _agent_id(call)
    columns = call.state.absences.checked(agent_id, call.params)
    if columns["agent_id"] not in call.state.rights.visible_agents(call.caller):
        raise forbidden()
    return _answer(call, call.state.absences.insert(columns))


def update_absence(call: Call) -> Response:
    """Any subset of the fields; `agent_id` is ignored."""
    absence_id = _permitted(call)
    changes = {name: call.params[name] for name in FIELDS if name in call.params}
    call.state.absences.change(call.state.absences.get(absence_id), changes)
    return _answer(call, absence_id)


def delete_absence(call: Call) -> Response:
    call.state.absences.delete(_permitted(call))
    return Response(status_code=204)


def _agent_id(call: Call) -> int | None:
    given = call.params.get("agent_id")
    if given not in (None, ""):
        return int(given) if str(given).isdecimal() else None
    email = call.params.get("agent_email")
    if email in (None, ""):
        return None
    found = call.state.storage.number("SELECT id FROM agents WHERE email = ?", [str(email)])
    if not found:
        raise not_found("agent")
    return found


def _permitted(call: Call) -> int:
    """The id of the absence of the path, if there is one (404) and the caller may see its agent (403)."""
    text = call.path["id"]
    row = call.state.absences.get(int(text) if text.isdecimal() else 0)
    if row["agent_id"] not in call.state.rights.visible_agents(call.caller):
        raise forbidden()
    return int(row["id"])


def _answer(call: Call, absence_id: int) -> Response:
    return reply({"absence": serializers.absences(call.state.storage, [absence_id])[0]})
