"""The HTTP request: one call of a web address through the guarded client."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlencode

from structforge.domain.errors import sentence
from structforge.nodes.http_answers import answer_headers, excerpt, read_answer, retry_after_s
from structforge.nodes.http_bodies import BodyType, encode_body
from structforge.nodes.http_headers import header_texts, plain_text
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
    headers: dict[str, Any] = parameter(
        default_factory=dict,
        title="Headers",
        description="Name and value of each header; one whose value is null is left out.",
        widget="key_values",
    )
    body_type: BodyType = parameter(
        "auto",
        title="Body",
        description="How the content is sent; `auto`: a text as text, a file as it is, anything else as JSON.",
        widget="select",
        expressions=False,
    )
    body: Any = parameter(
        None,
        title="Content",
        description="A JSON value, a text, the fields of a form (`multipart`: files too), or a file.",
        widget="json",
        show_if={"body_type": ["auto", "json", "text", "form", "multipart", "file"]},
    )
    response: Literal["auto", "json", "text", "file"] = parameter(
        "auto",
        title="Read the answer as",
        description="`auto` goes by the content type the server gives.",
        widget="select",
        expressions=False,
    )
    encoding: str = parameter(
        "",
        title="Encoding",
        description="Of an answer that declares none or a wrong one; empty goes by what it declares, else UTF-8.",
        placeholder="windows-1252",
        max_length=40,
        advanced=True,
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

    The output has `status`, `headers` (names in lower case, `set-cookie` a list) and `body`: a JSON value, a text
    in the encoding that the answer declares, a file when the content is neither, null when there is none. A status
    of 400 or more is an error `http.status`, which carries the status and the beginning of the answer; 408, 425,
    429, 5xx and network failures are worth a retry, others are final. A retry waits for as long as the server asks
    by `Retry-After`, up to the longest wait of the retry policy.

    What is given as content is sent, with every method, or refused with an error. Numbers keep all their digits
    both ways. Headers are ASCII.

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
        headers = header_texts(parameters.headers)
        present = {name.lower(): value for name, value in headers.items()}
        content, content_type = await encode_body(
            context,
            parameters.body_type,
            parameters.body,
            content_type=present.get("content-type", ""),
        )
        # The boundary of a form's parts is ours to say.
        if content_type and ("content-type" not in present or parameters.body_type == "multipart"):
            headers = {name: value for name, value in headers.items() if name.lower() != "content-type"}
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
            "headers": answer_headers(response),
            "body": await read_answer(
                context,
                response,
                method=parameters.method,
                url=parameters.url,
                reading=parameters.response,
                charset=parameters.encoding,
                max_bytes=parameters.max_response_bytes,
            ),
        }


def _with_query(url: str, query: dict[str, Any]) -> str:
    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for one in value if isinstance(value, list) else [value]:
            if one is not None:
                pairs.append((name, plain_text(one)))
    if not pairs:
        return url
    address, hash_mark, fragment = url.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{urlencode(pairs, quote_via=quote)}{hash_mark}{fragment}"


def _status_error(method: str, place: str, response: HttpResponse) -> NodeError:
    status = response.status_code
    try:
        phrase = f" {HTTPStatus(status).phrase}"
    except ValueError:
        phrase = ""
    retryable = status in RETRYABLE_STATUS or status >= 500
    asked_s = retry_after_s(response, datetime.now(UTC))
    details: dict[str, Any] = {} if asked_s is None else {"retry_after_s": asked_s}
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
        body=excerpt(response),
        **details,
    )
