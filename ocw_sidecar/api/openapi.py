"""The API's description in OpenAPI 3.1, made of the table of routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web
from pydantic.json_schema import models_json_schema

from ocw_sidecar.api.models import Fault
from ocw_sidecar.api.routes import JSON, Answer, Body, Link, Route

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import BaseModel

PATH: Final = "/openapi.json"

#: Grows with the second number when something is added, with the first when something is taken away.
VERSION: Final = "1.0"

_REFS: Final = "#/components/schemas/{model}"
_DESCRIPTION: Final = (
    "Generated from ocw_sidecar/api/table.py; do not edit. "
    "Callers pass a bearer token, or sign each request with their account's key: docs/reference/api.md. "
    "A Content-Digest (RFC 9530, sha-256) may go with any content and is checked before anything is "
    "acknowledged; signed requests with content need it. Content may come with Content-Encoding gzip; the "
    "digest is then of what is sent, and every limit holds for what it grows to."
)

#: What content has to be like to be taken in at all, by its type.
_CONTENTS: Final = {"application/fhir+json": {"type": "object", "description": "A FHIR resource or Bundle."}}

DESCRIPTION: Final = web.AppKey("description", dict)


def describe(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the description of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "CareGrid sidecar", "version": VERSION, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": _schemas(routes),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature-Input",
                    "description": "HTTP Message Signatures (RFC 9421) with sr25519; goes with Signature.",
                },
            },
        },
    }


def serving(description: Mapping[str, Any]) -> Route:
    """Return the route that serves a description."""

    async def serve(_request: web.Request) -> web.Response:
        return web.json_response(description)

    return Route(
        method="GET",
        path=PATH,
        handler=serve,
        summary="This description",
        guarded=False,
        answers=(Answer(status=200, description="OpenAPI 3.1."),),
    )


def _operation(route: Route) -> dict[str, Any]:
    scope = "" if route.scope is None else f" Needs the scope `{route.scope}`."
    operation: dict[str, Any] = {
        "operationId": _operation_id(route.method, route.path),
        "summary": route.summary,
        "description": f"{route.summary}.{scope}",
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_header_parameters(route)],
        "responses": _responses(route),
        "security": [{"token": []}, {"signature": []}] if route.guarded else [],
    }
    if route.body is not None:
        content = {media: {"schema": _body_schema(route.body, media)} for media in route.body.media}
        operation["requestBody"] = {"required": route.body.required, "content": content}
    return operation


def _body_schema(body: Body, media: str) -> Mapping[str, Any]:
    if body.model is None:
        return _CONTENTS.get(media, {})
    return _line(_schema_of(body.model), media)


def _operation_id(method: str, path: str) -> str:
    return f"{method.lower()}{path.replace('/', '_').replace('{', '').replace('}', '')}"


def _line(schema: Mapping[str, Any], media: str) -> Mapping[str, Any]:
    """Describe NDJSON by its lines: a schema of the whole would be one of a JSON document."""
    if not media.endswith("ndjson") or "$ref" not in schema:
        return schema
    return {"description": f"Each line is as {schema['$ref']}."}


def _path_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for name, length in route.path_lengths.items():
        schema = {"type": "string", "pattern": f"^(0x)?[0-9a-fA-F]{{{2 * length}}}$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterator[dict[str, Any]]:
    shape = route.query.model_json_schema(ref_template=_REFS)
    for name, schema in shape.get("properties", {}).items():
        plain = _without_null(schema)
        yield {"name": name, "in": "query", "required": False, "schema": plain}


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out of a parameter's schema that it may be null: a query cannot say so, it leaves it away."""
    kept = {name: value for name, value in schema.items() if name not in {"anyOf", "title", "default"}}
    for choice in schema.get("anyOf", ()):
        if choice.get("type") != "null":
            kept |= choice
    return kept


def _header_parameters(route: Route) -> Iterator[dict[str, Any]]:
    for header in route.headers:
        yield {
            "name": header.name,
            "in": "header",
            "required": header.required,
            "description": header.description,
            "schema": dict(header.schema),
        }


def _responses(route: Route) -> dict[str, Any]:
    told = {str(answer.status): _response(answer) for answer in route.answers}
    refused = {"description": "Refused; `code` says why.", "content": {JSON: {"schema": _schema_of(Fault)}}}
    return told | {"4XX": refused, "5XX": refused}


def _response(answer: Answer) -> dict[str, Any]:
    if answer.status == HTTPStatus.NO_CONTENT:
        return {"description": answer.description}
    schema: Mapping[str, Any] = {} if answer.model is None else _schema_of(answer.model)
    content = {answer.media: {"schema": _line(schema, answer.media)}}
    links = {} if answer.leads_to is None else {"links": {"progress": _link(answer.leads_to)}}
    return {"description": answer.description, "content": content, **links}


def _link(link: Link) -> dict[str, Any]:
    parameters = {"id": f"$response.body#{link.pointer}"}
    return {"operationId": _operation_id("GET", link.path), "parameters": parameters}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": _REFS.format(model=model.__name__)}


def _schemas(routes: Sequence[Route]) -> dict[str, Any]:
    bodies = {route.body.model for route in routes if route.body is not None and route.body.model is not None}
    answers = {answer.model for route in routes for answer in route.answers if answer.model is not None}
    queries = {route.query for route in routes}
    taken = sorted(bodies | queries, key=lambda model: model.__name__)
    given = sorted(answers | {Fault}, key=lambda model: model.__name__)
    wanted = [*((model, "validation") for model in taken), *((model, "validation") for model in given)]
    _, definitions = models_json_schema(wanted, ref_template=_REFS)  # type: ignore[arg-type]
    schemas: dict[str, Any] = definitions["$defs"]
    return {name: schemas[name] for name in sorted(schemas) if name not in {one.__name__ for one in queries}}
