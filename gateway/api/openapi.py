"""The description of the API (OpenAPI 3.1), made from the models that it answers with."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from gateway.api.problems import MEDIA_TYPE, ProblemDetails
from gateway.api.queries import Query
from gateway.api.values import Scope

_REF = "#/components/schemas/{model}"
_ERRORS = {
    "400": "A parameter is unknown, doubled or cannot be used; each is named.",
    "401": "No valid token.",
    "403": "The token lacks the scope.",
    "404": "Not there, or not for this token.",
    "429": "The token asks too much; `Retry-After` says when to go on.",
    "503": "The database cannot be read now; `Retry-After` says when to try again.",
}


@dataclass(frozen=True, slots=True)
class Operation:
    """A `GET`. `path`: below the base, with `{agent}` for an agent's id."""

    path: str
    id: str
    summary: str
    scope: Scope
    query: type[Query]
    answer: type[BaseModel]


def document(base: str, operations: Sequence[Operation]) -> dict[str, Any]:
    """The whole document; the same for the same code."""
    answers: list[type[BaseModel]] = [*dict.fromkeys(each.answer for each in operations), ProblemDetails]
    _, shared = models_json_schema([(model, "serialization") for model in answers], ref_template=_REF)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "rdv-gateway",
            "version": "1",
            "description": "Sync state, conflicts and the journal, for business applications. For reading only. Ids are"
            " those of RDV-Solidarités. See docs/api.md.",
            "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
        },
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": {each.path: {"get": _operation(each)} for each in operations},
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "`rdv-gateway tokens create` makes one.",
                }
            },
            "headers": {"ETag": {"description": "For `If-None-Match`.", "schema": {"type": "string"}}},
            "responses": {status: _error(text) for status, text in _ERRORS.items()},
            "schemas": shared["$defs"],
        },
    }


def _operation(operation: Operation) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=operation.answer.__name__)}
    errors = [status for status in _ERRORS if status != "404" or "{" in operation.path]
    return {
        "operationId": operation.id,
        "summary": operation.summary,
        "description": f"Needs the scope `{operation.scope.value}`.",
        "parameters": [*_path_parameters(operation.path), *_parameters(operation.query)],
        "responses": {
            "200": {
                "description": (operation.answer.__doc__ or "").strip(),
                "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
                "content": {"application/json": {"schema": schema}},
            },
            "304": {"description": "As the caller has it already."},
            **{status: {"$ref": f"#/components/responses/{status}"} for status in errors},
        },
    }


def _path_parameters(path: str) -> list[dict[str, Any]]:
    schema = {"type": "integer", "minimum": 1, "maximum": 10**18 - 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in re.findall(r"{(\w+)}", path)]


def _parameters(query: type[Query]) -> list[dict[str, Any]]:
    schema = query.model_json_schema(ref_template=_REF)
    definitions = schema.get("$defs", {})
    found = []
    for name, own in schema.get("properties", {}).items():
        plain = _without_null(own)
        reference = plain.pop("$ref", None)
        if reference is not None:  # the names of a state are written out where they are asked for
            plain = {**definitions[reference.rpartition("/")[2]], **plain}
        description = plain.pop("description", None)
        plain.pop("title", None)
        parameter = {"name": name, "in": "query", "required": False, "schema": plain}
        found.append(parameter | ({"description": description} if description else {}))
    return found


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A parameter that may be left out is never null."""
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default", "title")}
    options = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    default = {} if schema.get("default") is None else {"default": schema["default"]}
    return {**(options[0] if options else {}), **rest, **default}


def _error(text: str) -> dict[str, Any]:
    schema = {"$ref": _REF.format(model=ProblemDetails.__name__)}
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema}}}


def _write() -> None:
    from gateway.api.routes import openapi  # noqa: PLC0415 - routes are made with this module

    json.dump(openapi(), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    _write()
