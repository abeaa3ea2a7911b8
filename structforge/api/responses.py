"""Answers: JSON by orjson, and problems as RFC 9457 says.

Invariant: every answer says that it is no script and may not be framed or kept by a cache. A problem never
holds a stack trace.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from starlette.responses import Response

from structforge.domain.errors import InvalidError, Problem, StructForgeError
from structforge.domain.values import dump_json

JSON = "application/json"
PROBLEM_JSON = "application/problem+json"
TYPE = "urn:structforge:problem:"
"""Followed by the code; docs/errors.md lists them."""

API_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
}
RAW_API_HEADERS = [(name.encode(), value.encode()) for name, value in API_HEADERS.items()]

RETRY_AFTER_S = 2

REQUEST_ID = "structforge.request_id"
"""Where the scope of a request has its id."""


class JsonResponse(Response):
    """A JSON answer; `content` may hold anything orjson writes (UUIDs, datetimes, dataclasses)."""

    media_type = JSON

    def __init__(
        self, content: Any, status_code: int = 200, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(content, status_code, {**API_HEADERS, **(headers or {})})

    def render(self, content: Any) -> bytes:
        """Encode once."""
        if isinstance(content, bytes):
            return content
        return dump_json(content, option=orjson.OPT_UTC_Z)


def problem_body(status: int, problems: Sequence[Problem], *, request_id: str = "") -> dict[str, Any]:
    """Return the members of a problem document; the first problem is the head, all are in `problems`."""
    first = problems[0]
    body: dict[str, Any] = {
        "type": f"{TYPE}{first.code}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": first.message,
        "code": first.code,
    }
    if first.where:
        body["where"] = first.where
    if first.hint:
        body["hint"] = first.hint
    if first.details:
        body["details"] = first.details
    body["problems"] = [problem.as_json() for problem in problems]
    if request_id:
        body["request_id"] = request_id
    return body


def problem_response(
    status: int,
    problems: Sequence[Problem],
    *,
    request_id: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Answer with one problem or several."""
    body = problem_body(status, problems, request_id=request_id)
    response = JsonResponse(body, status, headers)
    response.headers["content-type"] = PROBLEM_JSON
    return response


def error_response(error: StructForgeError, *, request_id: str = "") -> Response:
    """Answer with what an error says."""
    problems = error.problems if isinstance(error, InvalidError) else (error.problem,)
    headers = {}
    if error.status == 401:
        headers["www-authenticate"] = 'Bearer realm="structforge"'
    elif error.status in (429, 503):
        headers["retry-after"] = str(error.problem.details.get("retry_after_s", RETRY_AFTER_S))
    return problem_response(error.status, problems, request_id=request_id, headers=headers)
