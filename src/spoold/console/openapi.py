"""The OpenAPI description, made from the endpoints' declarations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from spoold import __version__
from spoold.console import shapes
from spoold.console.endpoint import REQUIRED, TEXT, Endpoint, Field, table

_ERROR: Final = table(error=table(code=TEXT, message=TEXT))

_ERRORS: Final = {
    "400": "The arguments are wrong.",
    "401": "No one is logged in, or the password is wrong.",
    "403": "The user may not do this, or the request comes from another page.",
    "404": "There is no such thing.",
    "408": "The body did not come in time.",
    "409": "What is there does not allow it: another type, a value that CONFIG refuses.",
    "413": "The body is too large.",
    "415": "The body is not JSON.",
    "429": "Too many wrong passwords.",
    "503": "Writes are refused at the moment.",
    "504": "A command did not answer in time.",
}


def describe(endpoints: Sequence[Endpoint], root: str) -> dict[str, Any]:
    """The description as OpenAPI 3.1."""
    paths: dict[str, dict[str, Any]] = {}
    for declared in endpoints:
        paths.setdefault(root + declared.path, {})[declared.method.lower()] = _operation(declared)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "spoold",
            "version": __version__,
            "description": "What the console uses. Actions need the header `X-Spoold` (any value) unless they come "
            "with `Authorization: Bearer`. Bytes in a URL are percent-encoded.",
        },
        "paths": paths,
        "components": {
            "schemas": {"Bytes": shapes.BYTES, "Item": shapes.ITEM, "Value": shapes.VALUE, "Error": _ERROR},
            "securitySchemes": {
                "password": {"type": "http", "scheme": "bearer"},
                "user": {"type": "http", "scheme": "basic"},
            },
        },
        "security": [{"password": []}, {"user": []}, {}],
    }


def _operation(declared: Endpoint) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {"description": "Done.", "content": {"application/json": {"schema": declared.returns}}}
    }
    for status, text in _ERRORS.items():
        responses[status] = {
            "description": text,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        }
    operation: dict[str, Any] = {
        "operationId": declared.handler.__name__,
        "tags": [declared.tag],
        "summary": declared.summary,
        "responses": responses,
    }
    if declared.method == "GET":
        operation["parameters"] = [_parameter(field) for field in declared.fields]
    else:
        operation["parameters"] = [
            {"name": "X-Spoold", "in": "header", "required": False, "schema": {"type": "string", "enum": ["1"]}}
        ]
        operation["requestBody"] = {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {
                            field.name: {**field.schema(in_body=True), "description": field.text}
                            for field in declared.fields
                        },
                        "required": [field.name for field in declared.fields if field.default is REQUIRED],
                        "additionalProperties": False,
                    }
                }
            },
        }
    return operation


def _parameter(field: Field) -> dict[str, Any]:
    return {
        "name": field.name,
        "in": "query",
        "description": field.text,
        "required": field.default is REQUIRED,
        "schema": field.schema(in_body=False),
    }
