"""Bodies and queries of requests to webhooks, as values of a run.

Invariant: what comes in is data. It is bounded before and after it is unpacked, read in the encoding it declares, and
never a reference of ours, which would open what the sender may not see.
"""

import zlib
from collections.abc import Awaitable, Callable, Iterable
from urllib.parse import parse_qsl

from structforge.api.bodies import UnsupportedMediaError
from structforge.domain.charsets import CharsetError, charset_of, decode_text, json_in_utf8
from structforge.domain.errors import InvalidError, Problem, TooLargeError, sentence
from structforge.domain.file_names import disposition_name, header_parameters, safe_name
from structforge.domain.media_types import is_json, is_markup, is_text
from structforge.domain.values import JsonValue, decode_json
from structforge.sdk.context import ARTIFACT_KEY
from structforge.security.outbound import Inflate

MAX_FIELDS = 1_000
BINARY = "application/octet-stream"

Keep = Callable[[bytes, str, str], Awaitable[JsonValue]]
"""Stores the bytes of a file with its media type and name; returns its reference."""

_PLAIN_JSON = frozenset(b'{["tfn-0123456789 \t\r\n')
_MARK = f'"{ARTIFACT_KEY}"'.encode()
_FORM = "application/x-www-form-urlencoded"


def read_query(query: bytes) -> dict[str, JsonValue]:
    """Return the fields of a query, raw or percent-encoded UTF-8; a repeated one is a list. Raises: InvalidError."""
    return _gathered(_pairs(query, "utf-8", "query"), "query") if query else {}


def unpacked(data: bytes, encoding: str, max_bytes: int) -> bytes:
    """Return a body without its `Content-Encoding`.

    Raises: UnsupportedMediaError, InvalidError; TooLargeError as soon as more than `max_bytes` come out.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return data
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise UnsupportedMediaError(
            Problem(
                "hook.encoding",
                sentence(
                    "The body is packed as `{encoding}`, which is not known here.", encoding=encoding[:40]
                ),
                "Content-Encoding",
                "Pack it with gzip or deflate, or send it as it is.",
            )
        )
    inflate = Inflate(encoding)
    try:
        content = inflate.feed(data, max_bytes + 1)
        whole = inflate.finished or not data
    except zlib.error:
        content, whole = b"", False
    if len(content) > max_bytes:
        raise TooLargeError(
            Problem(
                "body.too_large",
                sentence("The body is larger than {max_bytes} bytes.", max_bytes=max_bytes),
                hint="Send less, upload large data as a file, or raise the limit in the settings.",
                details={"max_bytes": max_bytes},
            )
        )
    if not whole:
        raise InvalidError(
            Problem(
                "hook.encoding",
                sentence("The body is not whole as `{encoding}`.", encoding=encoding),
                "Content-Encoding",
                "Pack it again.",
            )
        )
    return content


async def read_content(
    data: bytes, content_type: str, disposition: str, max_bytes: int, keep: Keep
) -> JsonValue:
    """Return JSON decoded, a form as an object, text as text, anything else as a file; null for nothing.

    Raises: InvalidError.
    """
    if not data:
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    charset = charset_of(content_type)
    if not media_type or is_json(media_type):
        return _json(data, charset, max_bytes)
    if media_type == _FORM:
        return _gathered(_pairs(data, charset or "utf-8", "body"), "body")
    if media_type == "multipart/form-data":
        return await _form(data, content_type, max_bytes, keep)
    if is_text(media_type):
        return _text(data, charset, media_type)
    return await keep(
        data, media_type if media_type.isascii() else BINARY, disposition_name(disposition) or "body"
    )


def _json(data: bytes, charset: str, max_bytes: int) -> JsonValue:
    if not data:
        return None  # As a part of a form, too.
    plain = data[0] in _PLAIN_JSON and (len(data) == 1 or data[1]) and not charset
    try:
        content = data if plain else json_in_utf8(data, charset)
    except CharsetError as error:
        raise _no_text(error) from error
    # UTF-8 may take more bytes than what came, which was within the limit.
    value = decode_json(content, max_bytes=max(max_bytes, len(content)))
    # Written with an escape, the name is seen in the value alone.
    if (_MARK in content or b"\\u00" in content) and _holds_reference(value):
        raise InvalidError(
            Problem(
                "hook.reference",
                sentence("The body holds the field `{key}`, whose name is not for data.", key=ARTIFACT_KEY),
                "body",
                "Give the field another name; send a file as a part of a form, or as the body.",
            )
        )
    return value


def _holds_reference(value: JsonValue) -> bool:
    level = [value]
    while level:
        below: list[JsonValue] = []
        for each in level:
            if isinstance(each, dict):
                if ARTIFACT_KEY in each:
                    return True
                below.extend(each.values())
            elif isinstance(each, list):
                below.extend(each)
        level = below
    return False


def _text(data: bytes, charset: str, media_type: str) -> str:
    try:
        text = decode_text(data, charset, markup=is_markup(media_type))
    except CharsetError as error:
        raise _no_text(error) from error
    _refuse_nul(text, "body")
    return text


def _pairs(data: bytes, charset: str, where: str) -> list[tuple[str, str]]:
    """Return the fields of a query or a form in their order. Raises: InvalidError."""
    try:
        pairs = parse_qsl(
            data.decode("latin-1"), keep_blank_values=True, max_num_fields=MAX_FIELDS, encoding="latin-1"
        )
        return [(_in(name, charset), _in(value, charset)) for name, value in pairs]
    except ValueError as error:
        raise _unreadable(where) from error


def _in(text: str, charset: str) -> str:
    return text if text.isascii() else decode_text(text.encode("latin-1"), charset)


def _gathered(pairs: Iterable[tuple[str, JsonValue]], where: str) -> dict[str, JsonValue]:
    """Return fields by name; what comes more than once is a list."""
    fields: dict[str, JsonValue] = {}
    repeated: set[str] = set()
    for name, value in pairs:
        _refuse_nul(name, where)
        if isinstance(value, str):
            _refuse_nul(value, where)
        before = fields.get(name)
        if name in repeated and isinstance(before, list):
            before.append(value)
        elif name in fields:
            fields[name] = [before, value]
            repeated.add(name)
        else:
            fields[name] = value
    return fields


async def _form(data: bytes, content_type: str, max_bytes: int, keep: Keep) -> dict[str, JsonValue]:
    """Read `multipart/form-data`. Source: RFC 7578 and RFC 2046, section 5.1."""
    boundary = header_parameters(content_type).get("boundary", "").encode("latin-1", "replace")
    if not boundary:
        raise _unreadable("body")
    delimiter = b"\r\n--" + boundary
    _, *parts = (b"\r\n" + data).split(delimiter, MAX_FIELDS + 1)
    if not parts or not parts[-1].startswith(b"--"):
        raise _unreadable("body")  # Cut off, or more parts than there may be.
    pairs: list[tuple[str, JsonValue]] = []
    for part in parts[:-1]:
        blank, line, rest = part.partition(b"\r\n")
        head, end, content = (b"\r\n" + rest).partition(b"\r\n\r\n")
        if blank.strip(b" \t") or not line or not end:
            raise _unreadable("body")
        headers = _part_headers(head)
        said = header_parameters(headers.get("content-disposition", ""))
        if "name" not in said:
            raise _unreadable("body")
        pairs.append((_unescaped(said["name"]), await _part(content, headers, said, max_bytes, keep)))
    return _gathered(pairs, "body")


async def _part(
    content: bytes, headers: dict[str, str], said: dict[str, str], max_bytes: int, keep: Keep
) -> JsonValue:
    content_type = headers.get("content-type", "")
    media_type = content_type.partition(";")[0].strip().lower()
    if "filename" in said or "filename*" in said:
        if not content and not said.get("filename") and "filename*" not in said:
            return None  # A form whose reader chose no file.
        name = disposition_name(headers["content-disposition"])
        name = safe_name(_unescaped(name)) or "file"
        return await keep(content, media_type if media_type.isascii() and media_type else BINARY, name)
    charset = charset_of(content_type)
    return (
        _json(content, charset, max_bytes) if is_json(media_type) else _text(content, charset, "text/plain")
    )


def _part_headers(head: bytes) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in head.split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            try:
                text = value.decode()
            except UnicodeDecodeError:
                text = value.decode("latin-1")
            headers[name.decode("latin-1").strip().lower()] = text.strip()
    return headers


def _unescaped(name: str) -> str:
    """Undo what browsers do to names. Source: WHATWG HTML, section 4.10.22.8."""
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


def _refuse_nul(text: str, where: str) -> None:
    if "\0" in text:
        raise InvalidError(
            Problem("value.nul", sentence("The {where} holds a NUL character.", where=where), where)
        )


def _unreadable(where: str) -> InvalidError:
    return InvalidError(Problem("hook.fields", sentence("The {where} cannot be read.", where=where), where))


def _no_text(error: CharsetError) -> InvalidError:
    return InvalidError(
        Problem(
            "hook.text",
            sentence("The body is no text in the encoding `{charset}`.", charset=error.charset[:40]),
            "body",
            "Name its encoding in the header Content-Type, or send it as application/octet-stream: then it is a file.",
        )
    )
