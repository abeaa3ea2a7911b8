"""The gateway: one ASGI application around FastAPI, which web processes put beside the web app.

Invariant: whatever comes in, a JSON answer goes out, with a request id and a line in the access log. It has
no lifespan: who builds it opens and closes the services. One ASGI layer does all of that, because each of
Starlette's middleware classes costs a task or a copy for every request; the start of a run does not even pass
FastAPI's router.
"""

import itertools
import logging
import re
import secrets
import time
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from structforge.api import hook_door, openapi
from structforge.api.access_log import AccessLog
from structforge.api.responses import REQUEST_ID, error_response, problem_response
from structforge.api.routes import (
    answers,
    artifact_views,
    auth,
    connections,
    control,
    drafts,
    files,
    hooks,
    members,
    nodes,
    run_socket,
    runs,
    starts,
    system,
    workflows,
)
from structforge.api.services import ApiServices
from structforge.domain.errors import Problem, StructForgeError, sentence
from structforge.domain.faults import fault_sentence
from structforge.domain.values import path_of

logger = logging.getLogger(__name__)

_GIVEN_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_DESCRIPTION = "Draw workflows or write them, run them durably. Errors are problem documents (RFC 9457)."


class Gateway:
    """The ASGI application of the API."""

    def __init__(self, api: FastAPI, services: ApiServices) -> None:
        self.api = api
        self._services = services
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._access_log = AccessLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.api(scope, receive, send)
            return
        began = time.perf_counter()
        request_id = self._request_id(scope)
        scope[REQUEST_ID] = request_id
        status = 500
        started = finished = False

        async def sender(message: Message) -> None:
            nonlocal status, started, finished
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            elif message["type"] == "http.response.body" and not message.get("more_body"):
                finished = True
            await send(message)

        try:
            workflow_id = starts.workflow_of(scope["path"]) if scope["method"] == "POST" else None
            is_hook = workflow_id is None and scope["path"].startswith(hook_door.PREFIX)
            if workflow_id is None and not is_hook:
                # No text of the database holds a NUL; psycopg would refuse one as a fault of ours.
                app = _nul_refused(request_id) if b"%00" in scope["query_string"] else self.api
                await app(scope, receive, sender)
            else:
                scope["app"] = self.api
                request = Request(scope, receive)
                try:
                    if workflow_id is not None:
                        response = await starts.start_run(request, self._services, workflow_id)
                    else:
                        response = await hook_door.receive_hook(request, self._services)
                except StructForgeError as error:
                    response = error_response(error, request_id=request_id)
                await response(scope, receive, sender)
        except Exception:
            logger.exception("unhandled error", extra={"request_id": request_id, "path": scope["path"]})
            if not started:
                await _broken(request_id)(scope, receive, sender)
            elif not finished:
                raise  # The server cuts the connection, so that nobody takes half an answer for a whole one.
        finally:
            self._access_log.add(scope, status, request_id, time.perf_counter() - began)

    def _request_id(self, scope: Scope) -> str:
        for name, value in scope["headers"]:
            if name == b"x-request-id" and _GIVEN_ID.fullmatch(value):
                given: str = value.decode()
                return given
        return f"{self._prefix}-{next(self._numbers)}"


def create_app(services: ApiServices) -> Gateway:
    """Build the API around its services. Does no I/O."""
    api = FastAPI(
        title="StructForge",
        version=version("structforge"),
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        # Its own OpenTelemetry layer costs time on every request and would send data by the environment's leave.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    api.state.services = services
    api.state.body_max_bytes = services.body_max_bytes
    versioned = APIRouter(prefix="/api/v1")
    for module in (
        auth,
        members,
        workflows,
        connections,
        nodes,
        runs,
        run_socket,
        control,
        answers,
        hooks,
        files,
        artifact_views,
        drafts,
    ):
        versioned.include_router(module.router)
    api.include_router(versioned)
    api.include_router(system.health)
    api.include_router(system.documents)
    api.add_exception_handler(StructForgeError, _known_error)
    api.add_exception_handler(RequestValidationError, _invalid_request)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(Exception, _unknown_error)
    api.openapi = lambda: openapi.describe(api)  # type: ignore[method-assign]
    return Gateway(api, services)


async def _known_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, StructForgeError):
        raise error
    return error_response(error, request_id=request.scope.get(REQUEST_ID, ""))


async def _invalid_request(request: Request, error: Exception) -> Response:
    """Answer for parameters of path, query and headers; bodies are checked in `bodies.py`."""
    if not isinstance(error, RequestValidationError):
        raise error
    request_id = request.scope.get(REQUEST_ID, "")
    problems = []
    for fault in error.errors():
        kind, *rest = fault["loc"]
        if kind == "path":
            # An id that cannot be one names nothing, like an id that nobody has.
            problem = Problem("object.not_found", "There is no such object.", str(rest[0]) if rest else "")
            return problem_response(404, [problem], request_id=request_id)
        where = ""
        for part in rest:
            where = path_of(where, part).removeprefix(".")
        problems.append(
            Problem(
                "query.invalid",
                sentence("{where}: {msg}.", where=where, msg=fault_sentence(fault)),
                where,
                "See /api/docs.",
            )
        )
    return problem_response(422, problems, request_id=request_id)


async def _http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    request_id = request.scope.get(REQUEST_ID, "")
    if error.status_code == 404:
        problem = Problem(
            "route.not_found", "There is nothing at this address.", request.url.path[:200], "See /api/docs."
        )
    elif error.status_code == 405:
        problem = Problem(
            "route.method",
            sentence("{method} is not possible here.", method=request.method),
            hint="See /api/docs.",
        )
    else:
        problem = Problem("request.refused", str(error.detail)[:500])
    return problem_response(error.status_code, [problem], request_id=request_id, headers=error.headers)


def _nul_refused(request_id: str) -> Response:
    problem = Problem(
        "query.invalid", "The query holds a NUL character.", "query", "Leave `%00` out of the address."
    )
    return problem_response(422, [problem], request_id=request_id)


async def _unknown_error(request: Request, error: Exception) -> Response:
    return _broken(request.scope.get(REQUEST_ID, ""))


def _broken(request_id: str) -> Response:
    problem = Problem(
        "internal",
        "Something went wrong here; it is not your request.",
        hint=sentence("The log has more under request {request_id}.", request_id=request_id),
    )
    return problem_response(500, [problem], request_id=request_id)
