"""Request bodies: bounded while they arrive, then decoded strictly, then checked against a model.

Invariant: no body is parsed before it is known to be within its limit, and no JSON gets in but through
`decode_json`. FastAPI's own body parameters are not used: Python's parser takes NaN and lone surrogates.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import parse_qs

from fastapi import Depends
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect, Request

from structforge.domain.errors import (
    InvalidError,
    Problem,
    StructForgeError,
    TooLargeError,
    sentence,
)
from structforge.domain.expressions.problems import suggestion
from structforge.domain.faults import fault_sentence, names_at, place_of
from structforge.domain.values import JsonValue, decode_json, path_of

FORM_MAX_BYTES = 64 * 1024

Model = TypeVar("Model", bound=BaseModel)

MODELS: dict[str, type[BaseModel]] = {}
"""Body models by name, for the OpenAPI document."""


class UnsupportedMediaError(StructForgeError):
    """The body is of a type this route does not take."""

    status = 415


async def read_body(request: Request, max_bytes: int) -> bytes:
    """Return the whole body. Raises: TooLargeError once more than `max_bytes` are announced or arrive."""
    return b"".join([chunk async for chunk in body_chunks(request, max_bytes)])


async def body_chunks(request: Request, max_bytes: int) -> AsyncIterator[bytes]:
    """Yield the body as it arrives. Raises: TooLargeError; InvalidError when the client stops midway."""
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and (len(announced) > 15 or int(announced) > max_bytes):
        raise _too_large(max_bytes)
    size_bytes = 0
    try:
        async for chunk in request.stream():
            size_bytes += len(chunk)
            if size_bytes > max_bytes:
                raise _too_large(max_bytes)
            if chunk:
                yield chunk
    except ClientDisconnect as error:
        raise InvalidError(Problem("body.cut_off", "The request ended before its body did.")) from error


async def read_json(request: Request, *, optional: bool = False, at_least_bytes: int = 0) -> JsonValue:
    """Return the decoded body; an empty one is None where that is allowed. Raises: InvalidError `value.*`.

    `at_least_bytes` are taken even where the installation's limit of bodies is lower.
    """
    max_bytes: int = max(request.app.state.body_max_bytes, at_least_bytes)
    media_type = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise UnsupportedMediaError(
            Problem(
                "body.media_type",
                sentence(
                    "This route takes application/json, not {media_type}.", media_type=repr(media_type[:80])
                ),
                "Content-Type",
                "Send JSON with the header Content-Type: application/json.",
            )
        )
    data = await read_body(request, max_bytes)
    if optional and not data.strip():
        return None
    return decode_json(data, max_bytes=max_bytes)


async def read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form as a browser sends it; of a repeated field the last one."""
    data = await read_body(request, FORM_MAX_BYTES)
    try:
        fields = parse_qs(data.decode("ascii"), keep_blank_values=True, max_num_fields=50, errors="strict")
    except ValueError as error:
        raise InvalidError(
            Problem("form.invalid", "The form cannot be read.", hint="Send it again.")
        ) from error
    return {name: values[-1] for name, values in fields.items()}


def json_body(model: type[Model], *, optional: bool = False) -> Any:
    """Make the dependency that reads, decodes and checks a body: `body: Annotated[M, json_body(M)]`."""

    async def read(request: Request) -> Model:
        value = await read_json(request, optional=optional)
        return checked(model, {} if value is None and optional else value)

    dependency: Callable[[Request], Awaitable[Model]] = read
    return Depends(dependency)


def checked(model: type[Model], value: JsonValue) -> Model:
    """Return `value` as the model. Raises: InvalidError with every problem and its place."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise InvalidError(*_field_problems(model, error, value)) from None


def _field_problems(model: type[BaseModel], error: ValidationError, value: JsonValue) -> list[Problem]:
    """Return what is wrong with a body that should be a `model`, as problems."""
    problems = []
    for fault in error.errors(include_url=False, include_input=False)[:100]:
        where = ""
        for part in place_of(fault, value):
            where = path_of(where, part).removeprefix(".")
        code = {"missing": "body.missing", "extra_forbidden": "body.unknown_field"}.get(
            fault["type"], "body.invalid"
        )
        problems.append(
            Problem(
                code,
                sentence("{where}: {msg}.", where=where or "The body", msg=fault_sentence(fault)),
                where,
                _known(model, fault) or "See /api/docs.",
            )
        )
    return problems


def _known(model: type[BaseModel], fault: ErrorDetails) -> str:
    """Return what there is instead of a field that is not known."""
    if fault["type"] != "extra_forbidden":
        return ""
    return suggestion(str(fault["loc"][-1]), names_at(model, fault["loc"]), "fields")


def documented(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Return a route's `openapi_extra` that documents its body."""
    MODELS[model.__name__] = model
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(
        Problem(
            "body.too_large",
            sentence("The body is larger than {max_bytes} bytes.", max_bytes=max_bytes),
            hint="Send less, upload large data as a file, or raise the limit in the settings.",
            details={"max_bytes": max_bytes},
        )
    )
