"""The HTTP request: one call of a web address through the guarded client."""

import asyncio
import json
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlencode, urlsplit

from structforge.domain.errors import InvalidError, sentence
from structforge.domain.values import decode_json
from structforge.sdk import (
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    Result,
    parameter,
)
from structforge.sdk.context import HttpResponse

RETRYABLE_STATUS = frozenset({408, 425, 429})
"""Beside every 5xx: what may be different the next time."""

UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
EXCERPT_CHARACTERS = 500

_TEXTUAL = ("text/", "application/xml", "application/javascript", "application/x-www-form-urlencoded")


class HttpRequestParameters(Parameters):
    method: Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] = parameter(
        "GET", title="Method", description="What to do with the address.", widget="select"
    )
    url: str = parameter(
        title="URL",
        description="The address, with http:// or https://.",
        placeholder="https://example.org/api/orders",
        min_length=1,
        max_length=8_000,
    )
    query: dict[str, Any] = parameter(
        default_factory=dict,
        title="Query",
        description="Added to the URL; a list repeats its name, an empty value is left out.",
        widget="key_values",
    )
    headers: dict[str, str] = parameter(
        default_factory=dict,
        title="Headers",
        description="Name and value of each header.",
        widget="key_values",
    )
    body_type: Literal["none", "json", "text", "form"] = parameter(
        "none", title="Body", description="How the body is sent.", widget="select", expressions=False
    )
    body: Any = parameter(
        None,
        title="Content",
        description="A JSON value, a text, or the fields of a form.",
        widget="json",
        show_if={"body_type": ["json", "text", "form"]},
    )
    response: Literal["auto", "json", "text", "file"] = parameter(
        "auto",
        title="Read the answer as",
        description="`auto` goes by the content type the server gives.",
        widget="select",
        expressions=False,
    )
    timeout_s: float = parameter(
        30.0, title="Time limit (s)", description="For the whole exchange.", gt=0, le=3_600, advanced=True
    )
    follow_redirects: bool = parameter(
        True, title="Follow redirects", description="Up to five; each target is checked again.", advanced=True
    )
    max_response_bytes: int = parameter(
        10 * 1024 * 1024,
        title="Largest answer (bytes)",
        description="A larger answer is an error.",
        ge=1,
        le=256 * 1024 * 1024,
        advanced=True,
    )


class HttpRequest(Node[HttpRequestParameters]):
    """Calls a web address and gives its answer.

    The output has `status`, `headers` (names in lower case) and `body`: a JSON value, a text, or a file when
    the content is neither. A status of 400 or more is an error `http.status`, which carries the status and
    the beginning of the answer; 408, 425, 429, 5xx and network failures are worth a retry, others are final.

    `POST`, `PUT`, `PATCH` and `DELETE` carry the header `Idempotency-Key`, the same for every attempt of the
    step, so that the receiver can make a repeated request once. Only public addresses can be reached, and
    private ones that an administrator allowed.

    **Example.** `GET https://api.example.org/cities` with the query `limit = 2` asks
    `https://api.example.org/cities?limit=2` and gives
    `{"status": 200, "headers": {"content-type": "application/json"}, "body": [...]}`.
    """

    type = "http.request"
    title = "HTTP request"
    category = "network"
    icon = "globe"
    keywords = ("api", "rest", "web", "url", "get", "post", "fetch", "download", "webhook", "call")
    inputs = (Port("in", "any", "After", "Any value; the request is sent once it is there.", required=False),)
    outputs = (Port("out", "object", "Answer", "`status`, `headers` and `body`."),)
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = HttpRequestParameters
    examples = (
        Example(
            title="A list from an API",
            parameters={"url": "https://api.example.org/cities", "query": {"limit": 2}},
            inputs={},
        ),
    )

    async def run(self, context: NodeContext, parameters: HttpRequestParameters, inputs: Inputs) -> Result:
        """Return status, headers and body. Raises: NodeError `http.*`, `outbound.*`."""
        content, content_type = _encoded_body(parameters)
        headers = dict(parameters.headers)
        present = {name.lower() for name in headers}
        if content_type and "content-type" not in present:
            headers["Content-Type"] = content_type
        if parameters.method in UNSAFE_METHODS and "idempotency-key" not in present:
            headers["Idempotency-Key"] = context.idempotency_key
        response = await context.http.request(
            parameters.method,
            _with_query(parameters.url, parameters.query),
            headers=headers,
            content=content,
            timeout_s=parameters.timeout_s,
            max_response_bytes=parameters.max_response_bytes,
            follow_redirects=parameters.follow_redirects,
        )
        place = parameters.url.partition("?")[0]
        context.log(
            "info",
            f"{parameters.method} {place} answered {response.status_code}",
            size_bytes=len(response.content),
        )
        if response.status_code >= 400:
            raise _status_error(parameters.method, place, response)
        return {
            "status": response.status_code,
            "headers": response.headers,
            "body": await _body(context, parameters, response),
        }


def _with_query(url: str, query: dict[str, Any]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                pairs.append((name, one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)))
    if not pairs:
        return url
    address, hash_mark, fragment = url.partition("#")
    joint = "&" if urlsplit(address).query else "" if address.endswith("?") else "?"
    return f"{address}{joint}{urlencode(pairs, quote_via=quote)}{hash_mark}{fragment}"


def _encoded_body(parameters: HttpRequestParameters) -> tuple[bytes | None, str]:
    body = parameters.body
    match parameters.body_type:
        case "none":
            return None, ""
        case "json":
            return json.dumps(body, ensure_ascii=False, allow_nan=False).encode(), "application/json"
        case "text":
            text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
            return text.encode(), "text/plain; charset=utf-8"
        case "form":
            if not isinstance(body, dict):
                raise NodeError(
                    "http.form", "A form needs an object: field name to value.", where="parameters.body"
                )
            fields = [
                (name, one if isinstance(one, str) else json.dumps(one, ensure_ascii=False))
                for name, value in body.items()
                for one in (value if isinstance(value, list) else [value])
                if one is not None
            ]
            return urlencode(fields).encode(), "application/x-www-form-urlencoded"


async def _body(context: NodeContext, parameters: HttpRequestParameters, response: HttpResponse) -> Any:
    content = response.content
    if not content and parameters.response != "file":
        return None
    media_type, _, options = response.headers.get("content-type", "").partition(";")
    media_type = media_type.strip().lower()
    kind = parameters.response
    if kind == "auto":
        if media_type == "application/json" or media_type.endswith("+json"):
            kind = "json"
        else:
            kind = "text" if media_type.startswith(_TEXTUAL) or media_type.endswith("+xml") else "file"
    if kind == "json":
        try:
            return decode_json(content, max_bytes=parameters.max_response_bytes)
        except InvalidError as error:
            raise NodeError(
                "http.not_json",
                sentence("The answer is not JSON: {message}", message=error.problem.message),
                where=error.problem.where,
                hint="Read the answer as text to see what it is.",
                status=response.status_code,
            ) from error
    if kind == "text":
        return _text(content, options)
    name = urlsplit(parameters.url).path.rpartition("/")[2] or "answer"
    ref = await asyncio.to_thread(
        context.artifacts.put, content, media_type=media_type or "application/octet-stream", name=name[:200]
    )
    return ref.as_json()


def _text(content: bytes, options: str) -> str:
    charset = "utf-8"
    for option in options.split(";"):
        name, _, value = option.strip().partition("=")
        if name.lower() == "charset" and value:
            charset = value.strip("\"' ")
    try:
        return content.decode(charset)
    except (UnicodeDecodeError, LookupError) as error:
        raise NodeError(
            "http.not_text",
            sentence("The answer is not text in the encoding `{charset}`.", charset=charset[:40]),
            hint="Read the answer as a file.",
        ) from error


def _status_error(method: str, place: str, response: HttpResponse) -> NodeError:
    status = response.status_code
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    retryable = status in RETRYABLE_STATUS or status >= 500
    return NodeError(
        "http.status",
        sentence(
            "{method} {place} answered {status}{phrase}.",
            method=method,
            place=place,
            status=status,
            phrase=phrase,
        ),
        where="parameters.url",
        hint="The server may recover: a retry can help."
        if retryable
        else "Check the address, the credentials and the body.",
        final=not retryable,
        status=status,
        body=response.content[: 4 * EXCERPT_CHARACTERS]
        .decode("utf-8", "replace")
        .replace("\0", "")[:EXCERPT_CHARACTERS],
    )
