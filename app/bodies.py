"""JSON bodies and query strings as models, without FastAPI.

It would read a body whole, however long it is; and what it does for each of seventeen parameters takes longer, at
every request, than to answer the question that they ask.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from app.problems import UploadTooLarge
from app.uploads import Body

Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: Request, model: type[Model], most_bytes: int) -> Model:
    """The request's body as `model`; for the API's reference, `described(model)` goes into `openapi_extra`.

    It must say that it is JSON: a page of another site can have a browser send text, but JSON only if we allowed it.

    Raises:
        UploadTooLarge: the body is larger than `most_bytes`.
        RequestValidationError: it is not such JSON.
    """
    content = bytearray()
    async for chunk in Body(request.receive).chunks():
        content += chunk
        if len(content) > most_bytes:
            raise UploadTooLarge(most_bytes)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        found = {"type": "json_invalid", "loc": ("header", "content-type"), "msg": "send it as application/json"}
        raise RequestValidationError([found])
    try:
        return model.model_validate_json(bytes(content))
    except ValidationError as error:
        raise RequestValidationError([{**found, "loc": ("body", *found["loc"])} for found in error.errors()]) from None


def read_query(request: Request, model: type[Model]) -> Model:
    """The address's query string as `model`; for the API's reference, `listed(model)` goes into `openapi_extra`.

    Raises:
        RequestValidationError: it does not fit.
    """
    given = dict(parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True))
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise RequestValidationError([{**found, "loc": ("query", *found["loc"])} for found in error.errors()]) from None


def listed(model: type[BaseModel]) -> dict[str, Any]:
    """What the API's reference says of a query string that `read_query` reads."""
    schema = model.model_json_schema()
    needed: list[str] = schema.get("required", [])
    return {
        "parameters": [
            {"name": name, "in": "query", "required": name in needed, "schema": part}
            | {key: part[key] for key in ("description",) if key in part}
            for name, part in schema["properties"].items()
        ]
    }


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What the API's reference says of a body that `read_json` reads."""
    schema = model.model_json_schema()
    defined = schema.pop("$defs", {})
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": _inlined(schema, defined)}}}}


def _inlined(schema: Any, defined: dict[str, Any]) -> Any:
    """`schema` with its references written out: they would point outside of the reference that it becomes a part of."""
    if isinstance(schema, list):
        return [_inlined(part, defined) for part in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    parts = cast("dict[str, Any]", schema)
    if "$ref" in parts:
        return _inlined(defined[parts["$ref"].removeprefix("#/$defs/")], defined)
    return {name: _inlined(part, defined) for name, part in parts.items()}
