"""Agents, organisations, motifs and webhook endpoints."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from starlette.responses import Response

from gateway.sandbox import serializers
from gateway.sandbox.errors import broken, forbidden, invalid, no_such_record
from gateway.sandbox.http import PAGE_SIZE, Call, listing, offset, reply
from gateway.sandbox.permissions import ids
from gateway.sandbox.webhooks import SUBSCRIPTIONS

_DEFAULT_SUBSCRIPTIONS = ["rdv", "absence", "plage_ouverture"]


def me(call: Call) -> Response:
    return reply({"agent": serializers.agents(call.state.storage, [call.caller.agent_id])[0]})


def list_agents(call: Call) -> Response:
    """Agents that hold a role. The filter on an organisation that the caller is no member of is ignored."""
    visible = call.state.rights.visible_agents(call.caller)
    wanted = str(call.params.get("organisation_id", ""))
    member = wanted.isdecimal() and int(wanted) in call.caller.roles
    found = call.state.storage.rows(
        "SELECT id FROM agents WHERE id IN (SELECT value FROM json_each(:visible)) AND id IN"
        " (SELECT agent_id FROM agent_roles WHERE :organisation IS NULL OR organisation_id = :organisation)"
        " ORDER BY created_at, id",
        {"visible": ids(visible), "organisation": int(wanted) if member else None},
    )
    start = offset(call.page)
    page = [row[0] for row in found[start : start + PAGE_SIZE]]
    return listing("agents", serializers.agents(call.state.storage, page), call.page, len(found))


def list_organisations(call: Call) -> Response:
    return _table(
        call,
        "organisations",
        "FROM organisations WHERE id IN (SELECT value FROM json_each(:ids))",
        {"ids": ids(list(call.caller.roles))},
        serializers.organisation,
    )


def show_organisation(call: Call) -> Response:
    row = _organisation(call)
    if row["id"] not in call.caller.roles:
        raise forbidden()
    return reply({"organisation": serializers.organisation(row)})


def list_motifs(call: Call) -> Response:
    """For whom is no member of the organisation this crashes (500), as does the filter on a category."""
    text = call.path["organisation_id"]
    if not text.isdecimal() or int(text) not in call.caller.roles or "motif_category_short_name" in call.params:
        raise broken()
    return _table(
        call,
        "motifs",
        "FROM motifs WHERE organisation_id = :organisation AND (:service IS NULL OR service_id = :service)"
        " AND (:active IS NULL OR (deleted_at IS NULL) = :active)"
        " AND (:public IS NULL OR (bookable_by = 'everyone') = :public)",
        {
            "organisation": int(text),
            "service": call.params.get("service_id"),
            "active": _truth(call, "active"),
            "public": _truth(call, "bookable_publicly"),
        },
        serializers.motif,
    )


def list_webhook_endpoints(call: Call) -> Response:
    row = _organisation(call)
    if row["id"] not in call.caller.roles:
        raise forbidden()
    return _table(
        call,
        "webhook_endpoints",
        "FROM webhook_endpoints WHERE organisation_id = :organisation AND (:url IS NULL OR target_url = :url)",
        {"organisation": row["id"], "url": call.params.get("target_url")},
        serializers.webhook_endpoint,
    )


def create_webhook_endpoint(call: Call) -> Response:
    """Everything that exists is then replayed, whatever `trigger` says."""
    organisation_id = _administered(call)
    columns: dict[str, Any] = {
        "organisation_id": organisation_id,
        "target_url": call.params.get("target_url"),
        "secret": call.params.get("secret"),
        "subscriptions": call.params.get("subscriptions") or _DEFAULT_SUBSCRIPTIONS,
    }
    _check_endpoint(call, columns, 0)
    endpoint_id = call.state.webhooks.add_endpoint(**columns)
    return _replayed(call, endpoint_id)


def update_webhook_endpoint(call: Call) -> Response:
    """As create; may move the endpoint to another organisation."""
    organisation_id = _administered(call)
    endpoint_id = call.record_id("id", "WebhookEndpoint")
    row = call.state.storage.row(
        "SELECT * FROM webhook_endpoints WHERE id = ? AND organisation_id = ?", [endpoint_id, organisation_id]
    )
    if row is None:
        raise no_such_record("WebhookEndpoint")
    columns = dict(row) | {"subscriptions": row["subscriptions"].split(",")}
    columns |= {name: call.params[name] for name in ("target_url", "secret", "subscriptions") if name in call.params}
    if str(call.params.get("organisation_id", "")).isdecimal():
        columns["organisation_id"] = int(call.params["organisation_id"])
    _check_endpoint(call, columns, endpoint_id)
    call.state.storage.run(
        "UPDATE webhook_endpoints SET organisation_id = ?, target_url = ?, secret = ?, subscriptions = ? WHERE id = ?",
        [
            columns["organisation_id"],
            columns["target_url"],
            columns["secret"],
            ",".join(columns["subscriptions"]),
            endpoint_id,
        ],
    )
    return _replayed(call, endpoint_id)


def _check_endpoint(call: Call, columns: Mapping[str, Any], endpoint_id: int) -> None:
    faults: dict[str, list[str]] = {name: ["blank"] for name in ("target_url", "secret") if not columns[name]}
    subscriptions = columns["subscriptions"]
    if not isinstance(subscriptions, list) or not set(subscriptions) <= set(SUBSCRIPTIONS):
        faults["subscriptions"] = ["inclusion"]
    taken = call.state.storage.number(
        "SELECT 1 FROM webhook_endpoints WHERE organisation_id = ? AND target_url = ? AND id <> ?",
        [columns["organisation_id"], columns["target_url"], endpoint_id],
    )
    if taken:
        faults["target_url"] = ["taken"]
    if faults:
        raise invalid(faults)


def _replayed(call: Call, endpoint_id: int) -> Response:
    call.state.webhooks.replay(endpoint_id)
    row = call.state.storage.row("SELECT * FROM webhook_endpoints WHERE id = ?", [endpoint_id])
    if row is None:
        raise no_such_record("WebhookEndpoint")
    return reply({"webhook_endpoint": serializers.webhook_endpoint(row)})


def _organisation(call: Call) -> sqlite3.Row:
    organisation_id = call.record_id("organisation_id", "Organisation")
    row = call.state.storage.row("SELECT * FROM organisations WHERE id = ?", [organisation_id])
    if row is None:
        raise no_such_record("Organisation")
    return row


def _administered(call: Call) -> int:
    row = _organisation(call)
    if not call.state.rights.administers(call.caller, row["id"]):
        raise forbidden()
    return int(row["id"])


def _truth(call: Call, name: str) -> int | None:
    given = call.params.get(name)
    return None if given in (None, "") else int(str(given).lower() in ("true", "1"))


def _table(
    call: Call,
    root: str,
    source: str,
    parameters: Mapping[str, object],
    shape: Callable[[sqlite3.Row], dict[str, Any]],
) -> Response:
    """A page of whole rows, by id."""
    total = call.state.storage.number(f"SELECT count(*) {source}", parameters)
    rows = call.state.storage.rows(
        f"SELECT * {source} ORDER BY id LIMIT :size OFFSET :offset",
        {**parameters, "size": PAGE_SIZE, "offset": offset(call.page)},
    )
    return listing(root, [shape(row) for row in rows], call.page, total)
