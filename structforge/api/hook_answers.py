"""Responses of webhooks: what a run answered, as HTTP; and what pages of other origins may read of it.

Invariant: one origin serves these addresses and the web app, so no answer sets a cookie or runs as a page of ours.
"""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, Response

from structforge.api.responses import RAW_API_HEADERS, problem_response
from structforge.api.routes.starts import answer
from structforge.api.services import ApiServices
from structforge.domain.errors import NotFoundError, Problem, sentence
from structforge.domain.file_names import disposition
from structforge.domain.run import RunStatus
from structforge.domain.values import JsonValue, encode_json
from structforge.sdk.context import ArtifactRef
from structforge.sdk.webhooks import OWN_RESPONSE_HEADERS, RESPONSE_FIELDS, ResumeRules, WebhookParameters
from structforge.services.runs import StartResult
from structforge.services.triggers import Hook

_NO_CONTENT = (204, 205, 304)
_PREFLIGHT_S = b"600"
_SANDBOX = "sandbox; default-src 'none'"


async def respond(services: ApiServices, hook: Hook, result: StartResult, output: JsonValue) -> Response:
    """Make the response of a run: what it responded, its output, or where it is."""
    if hook.parameters.response == "async" or not result.status.terminal:
        # The id of the run and nothing it made: an async caller is not shown results.
        return answer(StartResult(result.run_id, RunStatus.QUEUED, replayed=result.replayed))
    if result.status is not RunStatus.SUCCEEDED:
        return _not_succeeded(result)
    status, headers, body = 200, {}, output
    if isinstance(output, dict) and output.keys() == RESPONSE_FIELDS and type(output["status"]) is int:
        status, body = output["status"], output["body"]
        headers = _sendable(output["headers"])
    ref = ArtifactRef.from_json(body) if isinstance(body, dict) else None
    if ref is not None:
        return await _file(services, hook, ref, status, headers)
    if isinstance(body, str) and body is not output:
        return _raw(status, headers, body.encode(), "text/plain; charset=utf-8")
    return _raw(status, headers, encode_json(body), "application/json")


def other_method(method: str, rules: WebhookParameters | ResumeRules) -> Response:
    """Answer a request whose method starts nothing."""
    allowed = {"allow": ", ".join(answered_methods(rules))}
    if method == "OPTIONS":
        return Response(status_code=204, headers=allowed)
    problem = Problem(
        "route.method",
        sentence("{method} is not possible here.", method=method[:20]),
        hint="See the Allow header.",
    )
    return problem_response(405, [problem], headers=allowed)


def answered_methods(rules: WebhookParameters | ResumeRules) -> list[str]:
    """Return the methods that are answered: HEAD where GET is, for triggers, and OPTIONS always."""
    methods: list[str] = list(rules.methods)
    if "GET" in methods and isinstance(rules, WebhookParameters):
        methods.append("HEAD")
    return list(dict.fromkeys([*methods, "OPTIONS"]))


def is_preflight(request: Request, rules: WebhookParameters) -> bool:
    """Tell whether a browser asks what a page of another origin may do."""
    return bool(rules.origins) and "access-control-request-method" in request.headers


def preflight(request: Request, rules: WebhookParameters) -> Response:
    """Answer such a question; the origin is added with the other headers of pages elsewhere."""
    response = Response(status_code=204)
    response.raw_headers += [
        (b"access-control-allow-methods", ", ".join(answered_methods(rules)).encode()),
        (b"access-control-max-age", _PREFLIGHT_S),
    ]
    asked = request.headers.get("access-control-request-headers", "")
    if asked and asked.isascii() and asked.isprintable():
        response.raw_headers.append((b"access-control-allow-headers", asked.encode()))
    return response


def for_pages(request: Request, rules: WebhookParameters, response: Response) -> Response:
    """Let pages of the trigger's origins read the response. Source: WHATWG Fetch, section 3.3."""
    origin = request.headers.get("origin", "")
    every = "*" in rules.origins
    if not every:
        response.raw_headers.append((b"vary", b"Origin"))
    if every or origin in rules.origins:
        response.raw_headers += [
            (b"access-control-allow-origin", b"*" if every else origin.encode()),
            (b"access-control-expose-headers", b"*"),
        ]
    return response


def without_body(response: Response) -> Response:
    """Return the answer to HEAD: the headers of the answer to GET. A file's response sees to it itself."""
    if not isinstance(response, FileResponse):
        response.body = b""
    return response


def _not_succeeded(result: StartResult) -> Response:
    problem = Problem(
        "hook.run_failed",
        sentence("The run {status}.", status=result.status),
        hint="Its owner sees why.",
        details={"run_id": str(result.run_id)},
    )
    return problem_response(502 if result.status is RunStatus.FAILED else 503, [problem])


def _sendable(given: Any) -> dict[str, str]:
    """Return the headers of a response that are the run's to say."""
    headers: Mapping[Any, Any] = given if isinstance(given, dict) else {}
    return {
        name.lower(): value
        for name, value in headers.items()
        if isinstance(value, str)
        and name.lower() not in OWN_RESPONSE_HEADERS
        and _is_token(name)
        and value.isascii()
        and value.isprintable()
    }


def _raw(status: int, headers: dict[str, str], body: bytes, media_type: str) -> Response:
    response = Response(
        b"" if status in _NO_CONTENT else body, status, {"content-type": media_type, **headers}
    )
    if status in _NO_CONTENT:
        dropped = (b"content-length", b"content-type")
        response.raw_headers = [pair for pair in response.raw_headers if pair[0] not in dropped]
    response.raw_headers += RAW_API_HEADERS
    return response


async def _file(
    services: ApiServices, hook: Hook, ref: ArtifactRef, status: int, headers: dict[str, str]
) -> Response:
    """Send a file's bytes with its type and name; a browser that opens it runs nothing of it."""
    try:
        file = await services.files.made(hook.principal.organization_id, ref)
    except NotFoundError:
        problem = Problem("artifact.missing", "There is no such artifact.", "body")
        return problem_response(502, [problem])
    if status in _NO_CONTENT:
        return _raw(status, headers, b"", file.media_type)
    sent = {"content-disposition": disposition("attachment", file.name), "content-type": file.media_type}
    sent |= headers
    response = FileResponse(file.path, status, sent, media_type=sent["content-type"])
    response.raw_headers += [
        (name, _SANDBOX.encode() if name == b"content-security-policy" else value)
        for name, value in RAW_API_HEADERS
    ]
    return response


def _is_token(name: str) -> bool:
    return name.isascii() and bool(name) and name.replace("-", "").replace("_", "").isalnum()
