"""The API as OpenAPI 3.1: what FastAPI says, the bodies we decode ourselves, and the hot route."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from structforge.api.bodies import MODELS, documented
from structforge.api.schemas.runs import StartBody, StartPublic

_REFERENCE = "#/components/schemas/{model}"

_PROBLEM: dict[str, Any] = {
    "title": "Problem",
    "type": "object",
    "description": "RFC 9457. `code` is stable; `problems` has all that is wrong, the head is its first.",
    "required": ["type", "title", "status", "detail", "code", "problems"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "where": {"type": "string"},
        "hint": {"type": "string"},
        "details": {"type": "object"},
        "problems": {"type": "array", "items": {"type": "object"}},
        "request_id": {"type": "string"},
    },
}
_PROBLEM_ANSWER: dict[str, Any] = {
    "description": "A problem",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        app.openapi_schema = _describe(app)
    return app.openapi_schema


def _describe(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    document["paths"]["/api/v1/workflows/{workflow_id}/runs"] = {"post": _start_operation()}
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    models: dict[str, type[BaseModel]] = {**MODELS, "StartPublic": StartPublic}
    _, made = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template=_REFERENCE
    )
    schemas.update(made["$defs"])
    schemas["Problem"] = _PROBLEM
    document["components"]["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "structforge_access"},
    }
    document["security"] = [{"bearer": []}, {"cookie": []}]
    for item in document["paths"].values():
        for operation in item.values():
            operation["responses"].pop("422", None)
            operation["responses"]["default"] = _PROBLEM_ANSWER
            if {"sign-in", "system"} & set(operation.get("tags", ())) and not operation["summary"].endswith(
                " I"
            ):
                operation["security"] = []
    document["paths"]["/api/v1/me/password"]["post"].pop("security", None)
    return document


def _start_operation() -> dict[str, Any]:
    answer = {"application/json": {"schema": {"$ref": "#/components/schemas/StartPublic"}}}
    return {
        "tags": ["runs"],
        "summary": "Start a run",
        "description": "Accepts a run, and with `mode: sync` waits for its result up to the time limit. "
        "An accepted run is never lost. With an `Idempotency-Key`, repeating the request gives the same run.",
        "operationId": "start_run",
        "parameters": [
            {
                "name": "workflow_id",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "format": "uuid"},
            },
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 255},
            },
        ],
        **documented(StartBody, required=False),
        "responses": {
            "200": {"description": "The run is over; its result.", "content": answer},
            "202": {"description": "The run was accepted and goes on.", "content": answer},
        },
    }
