"""Answers of HTTP requests: bytes and headers as JSON values, texts and files.

Invariant: an answer is what it says it is, in the encoding it declares, or an error with a code.
"""

import asyncio
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from structforge.domain.charsets import CharsetError, charset_of, decode_text, json_in_utf8
from structforge.domain.errors import InvalidError, sentence
from structforge.domain.file_names import disposition_name, safe_name
from structforge.domain.media_types import is_json, is_markup, is_text
from structforge.domain.values import decode_json
from structforge.sdk import NodeContext, NodeError
from structforge.sdk.context import HttpResponse

Reading = Literal["auto", "json", "text", "file"]

MAX_RETRY_AFTER_S = 86_400.0
EXCERPT_CHARACTERS = 500

_NO_CONTENT = frozenset({204, 205, 304})


async def read_answer(
    context: NodeContext,
    response: HttpResponse,
    *,
    method: str,
    url: str,
    reading: Reading,
    charset: str,
    max_bytes: int,
) -> Any:
    """Return the body as JSON value, text or file; null when there is none.

    Raises: NodeError `http.not_json`, `http.not_text`.
    """
    content = response.content
    if method == "HEAD" or response.status_code in _NO_CONTENT or (not content and reading != "file"):
        return None
    content_type = response.headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    declared = charset or charset_of(content_type)
    kind = _kind_of(media_type, content) if reading == "auto" else reading
    if kind == "json":
        return _json(response, declared, max_bytes)
    if kind == "text":
        return _text(content, declared, media_type)
    ref = await asyncio.to_thread(
        context.artifacts.put,
        content,
        media_type=media_type if media_type.isascii() and media_type else "application/octet-stream",
        name=file_name(response, url),
    )
    return ref.as_json()


def answer_headers(response: HttpResponse) -> dict[str, Any]:
    """Return the headers of an answer; `set-cookie` is a list, as no comma can join cookies."""
    headers: dict[str, Any] = dict(response.headers)
    if response.set_cookies:
        headers["set-cookie"] = list(response.set_cookies)
    return headers


def excerpt(response: HttpResponse) -> str:
    """Return the beginning of a body as people read it, whatever it is."""
    content = response.content[: 4 * EXCERPT_CHARACTERS]
    content_type = response.headers.get("content-type", "")
    try:
        text = decode_text(content, charset_of(content_type))
    except CharsetError:
        text = content.decode("utf-8", "replace")
    return text.replace("\0", "")[:EXCERPT_CHARACTERS]


def retry_after_s(response: HttpResponse, now: datetime) -> float | None:
    """Return for how long the server asks to wait, at most a day. Source: RFC 9110, section 10.2.3."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdecimal():
        return min(float(said[:9]), MAX_RETRY_AFTER_S)
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError, IndexError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def file_name(response: HttpResponse, url: str) -> str:
    """Return what a file is to be called: as `Content-Disposition` says, else by its address."""
    said = disposition_name(response.headers.get("content-disposition", ""))
    return said or safe_name(unquote(_path(response.url or url))) or "answer"


def _path(url: str) -> str:
    try:
        return urlsplit(url).path
    except ValueError:
        return ""


def _kind_of(media_type: str, content: bytes) -> Reading:
    if is_json(media_type):
        return "json"
    if is_text(media_type):
        return "text"
    if media_type:
        return "file"
    # Nothing is declared: what is JSON or text to a reader is taken for it.
    try:
        text = decode_text(content)
    except CharsetError:
        return "file"
    return "file" if "\0" in text else "json" if text.lstrip()[:1] in ("{", "[") else "text"


def _json(response: HttpResponse, declared: str, max_bytes: int) -> Any:
    try:
        content = json_in_utf8(response.content, declared)
        # UTF-8 may take more bytes than what came, which was within the limit.
        return decode_json(content, max_bytes=max(max_bytes, len(content)))
    except CharsetError as error:
        raise _no_text(error.charset) from error
    except InvalidError as error:
        raise NodeError(
            "http.not_json",
            sentence("The answer is not JSON: {message}", message=error.problem.message),
            where=error.problem.where,
            hint="Read the answer as text to see what it is.",
            status=response.status_code,
        ) from error


def _text(content: bytes, declared: str, media_type: str) -> str:
    try:
        text = decode_text(content, declared, markup=is_markup(media_type))
    except CharsetError as error:
        raise _no_text(error.charset) from error
    if "\0" in text:
        raise NodeError(
            "http.not_text", "The answer holds a NUL character.", hint="Read the answer as a file."
        )
    return text


def _no_text(charset: str) -> NodeError:
    return NodeError(
        "http.not_text",
        sentence("The answer is not text in the encoding `{charset}`.", charset=charset[:40]),
        hint="Name its encoding in the parameter `Encoding`, or read the answer as a file.",
    )
