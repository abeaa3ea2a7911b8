"""Requests to the addresses of webhooks, written against ASGI as the start of a run is.

Invariant: the order of checks is path, method, size, signature, body, so that who has no secret learns nothing
of the workflow and starts nothing.
"""

import asyncio
import hashlib
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from structforge.api.bodies import read_body
from structforge.api.hook_answers import (
    for_pages,
    is_preflight,
    other_method,
    preflight,
    respond,
    without_body,
)
from structforge.api.hook_bodies import read_content, read_query, unpacked
from structforge.api.responses import REQUEST_ID, JsonResponse, error_response
from structforge.api.routes.starts import check_key
from structforge.api.services import ApiServices
from structforge.domain.errors import StructForgeError
from structforge.domain.events import iso
from structforge.domain.values import JsonValue
from structforge.sdk.webhooks import ResumeRules, WebhookParameters
from structforge.services.runs import StartRequest
from structforge.services.triggers import Hook, check_signature, passed_headers

PREFIX = "/hooks/"
TEST_PREFIX = "/hooks/test/"
RESUME_PREFIX = "/hooks/resume/"


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
    if not hook.parameters.origins:
        return await _answered(request, services, hook)
    try:
        response = await _answered(request, services, hook)
    except StructForgeError as error:
        # A page elsewhere may read what was wrong, too.
        response = error_response(error, request_id=request.scope.get(REQUEST_ID, ""))
    return for_pages(request, hook.parameters, response)


async def _answered(request: Request, services: ApiServices, hook: Hook) -> Response:
    parameters = hook.parameters
    method: str = request.scope["method"]
    if method in parameters.methods:
        if method == "OPTIONS" and is_preflight(request, parameters):
            return preflight(request, parameters)
        response = await _start(request, services, hook, method)
        return without_body(response) if method == "HEAD" else response
    if method == "OPTIONS" and is_preflight(request, parameters):
        return preflight(request, parameters)
    if method == "HEAD" and "GET" in parameters.methods:
        return without_body(await _start(request, services, hook, method))
    return other_method(method, parameters)


async def _start(request: Request, services: ApiServices, hook: Hook, method: str) -> Response:
    parameters = hook.parameters
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
    order = await _order(request, services, data, parameters, hook.principal.organization_id)
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
    return await respond(services, hook, result, whole)


async def _resume_step(request: Request, services: ApiServices, token: str) -> Response:
    """Answer the step whose address this is."""
    waiting = await services.resumes.find(token)
    rules = waiting.rules
    method: str = request.scope["method"]
    if method not in rules.methods:
        return other_method(method, rules)
    data = await read_body(request, min(rules.max_bytes, services.body_max_bytes))
    if rules.signature:
        headers = request.headers
        timestamp, signature = headers.get("x-structforge-timestamp"), headers.get("x-structforge-signature")
        check_signature(rules, waiting.secret, timestamp, signature, data)
    await services.resumes.answer(
        waiting, await _order(request, services, data, rules, waiting.organization_id)
    )
    response = JsonResponse({"accepted": True}, 202)
    return without_body(response) if method == "HEAD" else response


async def _order(
    request: Request,
    services: ApiServices,
    data: bytes,
    rules: WebhookParameters | ResumeRules,
    organization_id: UUID,
) -> dict[str, JsonValue]:
    """Return the request as a run sees it. Raises: InvalidError, TooLargeError, UnsupportedMediaError."""
    max_bytes = services.body_max_bytes
    # Looked up as bytes: asking Starlette for a header that is not there costs as much as all of the below.
    raw: dict[bytes, bytes] = dict(request.scope["headers"])
    if b"content-encoding" in raw:
        encoding = raw[b"content-encoding"].decode("latin-1")
        data = await asyncio.to_thread(unpacked, data, encoding, min(rules.max_bytes, max_bytes))
    body = await read_content(
        data,
        raw.get(b"content-type", b"").decode("latin-1"),
        _text(raw.get(b"content-disposition", b"")),
        max_bytes,
        partial(services.files.received, organization_id),
    )
    return {
        "method": request.scope["method"],
        "headers": passed_headers(rules, request.headers),
        "query": read_query(request.scope["query_string"]),
        "body": body,
        "received_at": iso(datetime.now(UTC)),
    }


def _text(header: bytes) -> str:
    try:
        return header.decode()
    except UnicodeDecodeError:
        return header.decode("latin-1")


def _fingerprint(method: str, query: bytes, data: bytes) -> str:
    digest = hashlib.sha256(f"{method}\n{len(query)}\n".encode())
    digest.update(query)
    digest.update(data)
    return digest.hexdigest()
