"""Starting a run: the hot path, so it is written against ASGI and not against FastAPI.

Invariant: it does what the other routes do (principal, bounded body, strict JSON, problems), with nothing
between the socket and the service: no router, no dependency graph, no model, one look-up for the principal.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from structforge.api.bodies import read_body
from structforge.api.deps import principal_of
from structforge.api.responses import RAW_API_HEADERS
from structforge.api.services import ApiServices
from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.values import JsonValue, decode_json
from structforge.services.runs import StartRequest, StartResult

PREFIX = "/api/v1/workflows/"
SUFFIX = "/runs"
PATH_CHARACTERS = len(PREFIX) + 36 + len(SUFFIX)

IDEMPOTENCY_KEY_MAX_CHARACTERS = 255

_PRIORITIES: dict[str, int] = {"high": 0, "normal": 1, "low": 2}
_FIELDS = frozenset({"input", "mode", "time_limit_s", "version", "draft", "trigger", "priority", "run_at"})


def workflow_of(path: str) -> UUID | None:
    """Return the workflow's id when `path` is that of a start; None otherwise."""
    if len(path) != PATH_CHARACTERS or not path.startswith(PREFIX) or not path.endswith(SUFFIX):
        return None
    try:
        return UUID(path[len(PREFIX) : -len(SUFFIX)])
    except ValueError:
        return None


async def start_run(request: Request, services: ApiServices, workflow_id: UUID) -> Response:
    """Start a run and answer with its id, and with its result when it ended within the time limit."""
    principal = await principal_of(request, services)
    data = await read_body(request, services.body_max_bytes)
    key = request.headers.get("idempotency-key")
    if key is not None:
        check_key(key)
    value = decode_json(data, max_bytes=services.body_max_bytes) if data else {}
    order = read_order(value, services.sync_limit_s, key, data)
    result = await services.runs.start(principal, workflow_id, order)
    return answer(await services.runs.with_values(principal, result))


def read_order(value: JsonValue, sync_limit_s: float, key: str | None, data: bytes) -> StartRequest:
    """Check a decoded body by hand. Raises: InvalidError with every problem."""
    if not isinstance(value, dict):
        raise InvalidError(Problem("body.invalid", "The body is a JSON object.", hint="See /api/docs."))
    problems: list[Problem] = []

    def wrong(where: str, message: str) -> None:
        problems.append(Problem("body.invalid", message, where, "See /api/docs."))

    for name in value:
        if name not in _FIELDS:
            problems.append(
                Problem(
                    "body.unknown_field",
                    sentence("There is no field {name} here.", name=repr(name[:80])),
                    name[:80],
                    "The run's input goes into `input`.",
                )
            )
    mode = value.get("mode", "async")
    if mode != "sync" and mode != "async":
        wrong("mode", "`mode` is `sync` or `async`.")
    time_limit_s = value.get("time_limit_s")
    if time_limit_s is None:
        time_limit_s = sync_limit_s
    elif not isinstance(time_limit_s, int | float) or isinstance(time_limit_s, bool) or time_limit_s <= 0:
        wrong("time_limit_s", "`time_limit_s` is a number of seconds above 0.")
        time_limit_s = sync_limit_s
    version = value.get("version")
    if version is not None and not _is_integer(version, 1, 2**31 - 1):
        wrong("version", "`version` is the number of a published version.")
    draft = value.get("draft", False)
    if not isinstance(draft, bool) or (draft and version is not None):
        wrong("draft", "`draft` is true or false, and excludes `version`.")
    trigger = value.get("trigger")
    if trigger is not None and not isinstance(trigger, str):
        wrong("trigger", "`trigger` is the id of a trigger node.")
    priority = value.get("priority", 1)
    if isinstance(priority, str):
        priority = _PRIORITIES.get(priority, -1)
    if not _is_integer(priority, 0, 2):
        wrong("priority", "`priority` is `high`, `normal` or `low`; 0, 1 or 2 say the same.")
    run_at = _moment(value.get("run_at"))
    if "run_at" in value and (run_at is None or mode == "sync"):
        wrong("run_at", "`run_at` is a time with its zone (2026-01-31T09:00:00Z), of an async start.")
    if problems:
        raise InvalidError(*problems)
    chosen: Literal["sync", "async"] = "sync" if mode == "sync" else "async"
    return StartRequest(
        input=value.get("input", {}),
        mode=chosen,
        time_limit_s=min(float(time_limit_s), sync_limit_s) if time_limit_s < sync_limit_s else sync_limit_s,
        version=_integer(version),
        draft=draft is True,
        trigger_node=trigger if isinstance(trigger, str) else None,
        priority=1 if priority is None else _integer(priority) or 0,
        run_at=run_at,
        idempotency_key=key,
        body_hash="" if key is None else hashlib.sha256(data).hexdigest(),
    )


def answer(result: StartResult) -> Response:
    """Answer 200 with the result of a run that is over, 202 with the id of one that goes on."""
    over = result.status.terminal
    parts = [b'{"run_id":"', str(result.run_id).encode(), b'","status":"', result.status.encode(), b'"']
    if result.output is not None:
        parts += [b',"output":', result.output]
    if result.error is not None:
        parts += [b',"error":', result.error]
    if result.replayed:
        parts.append(b',"replayed":true')
    parts.append(b"}")
    body = b"".join(parts)
    # Spelled out: Starlette's constructor looks through the headers of every answer for these two.
    response = Response.__new__(Response)
    response.status_code = 200 if over else 202
    response.background = None
    response.body = body
    response.raw_headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"location", b"/api/v1/runs/" + str(result.run_id).encode()),
        *RAW_API_HEADERS,
    ]
    return response


def check_key(key: str) -> None:
    """Refuse what is no idempotency key. Raises: InvalidError."""
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_MAX_CHARACTERS or not key.isascii() or not key.isprintable():
        raise InvalidError(
            Problem(
                "idempotency.key_invalid",
                sentence(
                    "An Idempotency-Key has 1 to {idempotency_key_max_characters} printable ASCII "
                    "characters.",
                    idempotency_key_max_characters=IDEMPOTENCY_KEY_MAX_CHARACTERS,
                ),
                "Idempotency-Key",
                "A UUID is a good one.",
            )
        )


def _moment(value: Any) -> datetime | None:
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _is_integer(value: Any, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def _integer(value: Any) -> int | None:
    return value if isinstance(value, int) else None
