"""Requests to the addresses of webhooks, written against ASGI as the start of a run is; and their management.

Invariant: the order of checks is path, method, size, signature, body, so that who has no secret learns nothing
of the workflow and starts nothing.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from structforge.api.bodies import read_body
from structforge.api.deps import Services, Signed
from structforge.api.responses import RAW_API_HEADERS, JsonResponse, problem_response
from structforge.api.routes.starts import answer, check_key
from structforge.api.services import ApiServices
from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.events import iso
from structforge.domain.run import RunStatus
from structforge.domain.values import JsonValue, decode_json, encode_json
from structforge.sdk.webhooks import RESPONSE_FIELDS, ResumeRules, WebhookParameters
from structforge.services.runs import StartRequest, StartResult
from structforge.services.triggers import Hook, check_signature, passed_headers

PREFIX = "/hooks/"
TEST_PREFIX = "/hooks/test/"
RESUME_PREFIX = "/hooks/resume/"
MAX_FIELDS = 1_000

# Of the connection, of our own answers, and cookies: one origin serves these addresses and the web app.
_OWN_HEADERS = frozenset(
    {"connection", "content-length", "transfer-encoding", "upgrade", "keep-alive", "te", "trailer", "date",
     "server", "set-cookie", "clear-site-data", "strict-transport-security", "x-request-id"}
) | {name.decode() for name, _ in RAW_API_HEADERS}  # fmt: skip

router = APIRouter(tags=["webhooks"])


async def receive_hook(request: Request, services: ApiServices) -> Response:
    """Start what belongs to the address, and answer as its trigger says."""
    path: str = request.scope["path"]
    if path.startswith(RESUME_PREFIX):
        return await _resume_step(request, services, path[len(RESUME_PREFIX) :])
    if path.startswith(TEST_PREFIX):
        hook = await services.triggers.test_hook(path[len(TEST_PREFIX) :])
    else:
        short = path[len(PREFIX) :]
        hook = services.triggers.peek(short) or await services.triggers.hook(short)
    parameters = hook.parameters
    method: str = request.scope["method"]
    if method not in parameters.methods:
        return _other_method(method, parameters)
    data = await read_body(request, min(parameters.max_bytes, services.body_max_bytes))
    headers = request.headers
    key = headers.get("idempotency-key")
    if key is not None:
        check_key(key)
    if parameters.signature:
        signature = headers.get("x-structforge-signature")
        check_signature(parameters, hook.secret, headers.get("x-structforge-timestamp"), signature, data)
        if key is not None:
            await services.triggers.first_use(hook, signature or "", key)
        else:
            key = f"signature:{signature}"
    order = _told(request, data, parameters, services.body_max_bytes)
    started = StartRequest(
        input=order,
        mode="sync" if parameters.response == "respond" else "async",
        time_limit_s=parameters.time_limit_s,
        draft=hook.draft,
        trigger_kind="webhook",
        trigger_node=hook.node_id,
        idempotency_key=None if key is None else f"{hook.node_id}:{key}",
        body_hash="" if key is None else _fingerprint(method, request.scope["query_string"], data),
    )
    result = await services.runs.start(hook.principal, hook.workflow_id, started)
    whole = await services.runs.whole_output(hook.principal, result)
    return respond(hook, result, whole)


async def _resume_step(request: Request, services: ApiServices, token: str) -> Response:
    """Answer the step whose address this is."""
    waiting = await services.resumes.find(token)
    rules = waiting.rules
    method: str = request.scope["method"]
    if method not in rules.methods:
        return _other_method(method, rules)
    data = await read_body(request, min(rules.max_bytes, services.body_max_bytes))
    if rules.signature:
        headers = request.headers
        timestamp, signature = headers.get("x-structforge-timestamp"), headers.get("x-structforge-signature")
        check_signature(rules, waiting.secret, timestamp, signature, data)
    await services.resumes.answer(waiting, _told(request, data, rules, services.body_max_bytes))
    return JsonResponse({"accepted": True}, 202)


def _told(
    request: Request, data: bytes, rules: WebhookParameters | ResumeRules, max_bytes: int
) -> dict[str, JsonValue]:
    """Return the request as a run sees it. Raises: InvalidError."""
    headers = request.headers
    return {
        "method": request.scope["method"],
        "headers": dict(passed_headers(rules, headers)),
        "query": _query(request.scope["query_string"]),
        "body": _body(data, headers.get("content-type", ""), max_bytes),
        "received_at": iso(datetime.now(UTC)),
    }


def _other_method(method: str, rules: WebhookParameters | ResumeRules) -> Response:
    problem = Problem(
        "route.method",
        sentence("{method} is not possible here.", method=method[:20]),
        hint="See the Allow header.",
    )
    return problem_response(405, [problem], headers={"allow": ", ".join(rules.methods)})


def respond(hook: Hook, result: StartResult, output: JsonValue) -> Response:
    """Make the response of a run: what it responded, its output, or where it is."""
    if hook.parameters.response == "async" or not result.status.terminal:
        return _where(result)
    if result.status is not RunStatus.SUCCEEDED:
        problem = Problem(
            "hook.run_failed",
            sentence("The run {status}.", status=result.status),
            hint="Its owner sees why.",
            details={"run_id": str(result.run_id)},
        )
        return problem_response(502 if result.status is RunStatus.FAILED else 503, [problem])
    if not isinstance(output, dict) or output.keys() != RESPONSE_FIELDS or type(output["status"]) is not int:
        return _raw(200, {}, encode_json(output), "application/json")
    body = output["body"]
    if isinstance(body, str):
        return _raw(output["status"], output["headers"], body.encode(), "text/plain; charset=utf-8")
    return _raw(output["status"], output["headers"], encode_json(body), "application/json")


@router.get("/workflows/{workflow_id}/hooks", summary="List the addresses of webhooks")
async def list_hooks(services: Services, principal: Signed, workflow_id: UUID) -> Response:
    """Return each webhook's addresses; `enabled` when the published version has it."""
    found = await services.triggers.list(principal, workflow_id)
    return JsonResponse({"items": found})


@router.post("/workflows/{workflow_id}/hooks/{node_id}/listen", summary="Listen at the test address")
async def listen(services: Services, principal: Signed, workflow_id: UUID, node_id: str) -> Response:
    """Let the draft answer at the test address for a while."""
    return JsonResponse({"listens_s": await services.triggers.listen(principal, workflow_id, node_id)})


@router.post(
    "/workflows/{workflow_id}/hooks/{node_id}/secret", status_code=201, summary="Make a webhook's secret"
)
async def new_secret(services: Services, principal: Signed, workflow_id: UUID, node_id: str) -> Response:
    """Make the secret that requests are signed with, anew. It is shown this once."""
    return JsonResponse({"secret": await services.triggers.new_secret(principal, workflow_id, node_id)}, 201)


def _where(result: StartResult) -> Response:
    """Answer 202 with the id of the run and nothing it made: an async caller is not shown results."""
    return answer(StartResult(result.run_id, RunStatus.QUEUED, replayed=result.replayed))


def _raw(status: int, headers: Any, body: bytes, media_type: str) -> Response:
    given: Mapping[Any, Any] = headers if isinstance(headers, dict) else {}
    sent = {"content-type": media_type}
    for name, value in given.items():
        text = str(value)
        if name.lower() not in _OWN_HEADERS and _is_token(name) and text.isascii() and text.isprintable():
            sent[name.lower()] = text
    response = Response(b"" if status in (204, 304) else body, status, sent)
    if status in (204, 304):
        response.raw_headers = [pair for pair in response.raw_headers if pair[0] != b"content-length"]
    response.raw_headers += RAW_API_HEADERS
    return response


def _is_token(name: str) -> bool:
    return name.isascii() and bool(name) and name.replace("-", "").replace("_", "").isalnum()


def _query(query: bytes) -> dict[str, JsonValue]:
    return _fields(query.decode("latin-1"), "query")


def _fields(text: str, where: str) -> dict[str, JsonValue]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise InvalidError(
            Problem("hook.fields", sentence("The {where} cannot be read.", where=where), where)
        ) from error
    fields: dict[str, JsonValue] = {}
    for name, value in pairs:
        before = fields.get(name)
        if isinstance(before, list):
            before.append(value)
        else:
            fields[name] = value if before is None else [before, value]
    _refuse_nul(text.replace("%00", "\0"), where)
    return fields


def _body(data: bytes, content_type: str, max_bytes: int) -> JsonValue:
    """Return JSON decoded, a form as an object, anything else as text. Raises: InvalidError."""
    if not data:
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in ("", "application/json") or media_type.endswith("+json"):
        return decode_json(data, max_bytes=max_bytes)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        problem = Problem("hook.text", "The body is not UTF-8 text.", "body", "Send JSON, a form or text.")
        raise InvalidError(problem) from error
    if media_type == "application/x-www-form-urlencoded":
        return _fields(text, "body")
    _refuse_nul(text, "body")
    return text


def _refuse_nul(text: str, where: str) -> None:
    if "\0" in text:
        raise InvalidError(
            Problem("value.nul", sentence("The {where} holds a NUL character.", where=where), where)
        )


def _fingerprint(method: str, query: bytes, data: bytes) -> str:
    digest = hashlib.sha256(f"{method}\n{len(query)}\n".encode())
    digest.update(query)
    digest.update(data)
    return digest.hexdigest()
