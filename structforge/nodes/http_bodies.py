"""Bodies of HTTP requests: JSON, text, forms and files as bytes with their content type.

Invariant: what was given is sent whole or refused with a code; nothing is left out without a word.
"""

import asyncio
import hashlib
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import urlencode

from structforge.domain.charsets import CharsetError, charset_of, encode_text
from structforge.domain.errors import sentence
from structforge.domain.values import encode_json
from structforge.nodes.http_headers import plain_text
from structforge.sdk import ArtifactRef, NodeContext, NodeError

BodyType = Literal["auto", "none", "json", "text", "form", "multipart", "file"]

_WHERE = "parameters.body"


async def encode_body(
    context: NodeContext, kind: BodyType, body: Any, *, content_type: str
) -> tuple[bytes | None, str]:
    """Return the bytes to send and their content type; none for no body.

    `content_type` is what the headers say of it.
    Raises: NodeError `http.body`, `http.form`, `artifact.missing`.
    """
    if kind == "auto":
        kind = _kind_of(body)
    match kind:
        case "none":
            if body is not None:
                raise NodeError(
                    "http.body",
                    "Content is given, but the body is `none`: it would not be sent.",
                    where=_WHERE,
                    hint="Choose how it is sent (`json`, `text`, `form`, `multipart`, `file`), or leave it empty.",
                )
            return None, ""
        case "json":
            return encode_json(body), "application/json"
        case "text":
            return _text(body, content_type)
        case "form":
            return urlencode(list(_fields(body))).encode(), "application/x-www-form-urlencoded"
        case "multipart":
            return await _multipart(context, body)
    return await _file(context, body)


def _kind_of(body: Any) -> BodyType:
    if body is None:
        return "none"
    if ArtifactRef.from_json(body) is not None:
        return "file"
    return "text" if isinstance(body, str) else "json"


def _text(body: Any, content_type: str) -> tuple[bytes, str]:
    text = "" if body is None else plain_text(body)
    charset = charset_of(content_type) or "utf-8"
    try:
        return encode_text(text, charset), "text/plain; charset=utf-8"
    except CharsetError as error:
        raise NodeError(
            "http.body",
            sentence("The content cannot be written in the encoding `{charset}`.", charset=charset[:40]),
            where=_WHERE,
            hint="Name another one in the header Content-Type, or none: then it is UTF-8.",
        ) from error


def _fields(body: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(body, dict):
        raise NodeError("http.form", "A form needs an object: field name to value.", where=_WHERE)
    for name, value in body.items():
        for one in value if isinstance(value, list) else [value]:
            if ArtifactRef.from_json(one) is not None:
                raise NodeError(
                    "http.form",
                    sentence("The field `{name}` is a file, which this kind of form cannot hold.", name=name),
                    where=f"{_WHERE}.{name}",
                    hint="Choose the body `multipart`.",
                )
            if one is not None:
                yield name, plain_text(one)


async def _multipart(context: NodeContext, body: Any) -> tuple[bytes, str]:
    """Write `multipart/form-data`. Source: RFC 7578; names as in WHATWG HTML, section 4.10.22.8."""
    if not isinstance(body, dict):
        raise NodeError("http.form", "A form needs an object: field name to value.", where=_WHERE)
    parts: list[tuple[str, bytes]] = []
    for name, value in body.items():
        for one in value if isinstance(value, list) else [value]:
            if one is None:
                continue
            ref = ArtifactRef.from_json(one)
            if ref is None:
                parts.append((f'form-data; name="{_escaped(name)}"', plain_text(one).encode()))
                continue
            said = f'form-data; name="{_escaped(name)}"; filename="{_escaped(ref.name or name)}"'
            said += f"\r\nContent-Type: {_media_type(ref)}"
            parts.append((said, await _content(context, ref)))
    boundary = _boundary(context.idempotency_key, parts)
    lines = b"".join(
        b"--%b\r\nContent-Disposition: %b\r\n\r\n%b\r\n" % (boundary, said.encode(), content)
        for said, content in parts
    )
    return lines + b"--%b--\r\n" % boundary, f"multipart/form-data; boundary={boundary.decode()}"


def _boundary(key: str, parts: list[tuple[str, bytes]]) -> bytes:
    """Return a line that stands in no part; the same for each attempt of a step."""
    digest = key
    while True:
        digest = hashlib.sha256(digest.encode()).hexdigest()
        boundary = f"structforge-{digest[:32]}".encode()
        if not any(boundary in content for _, content in parts):
            return boundary


async def _file(context: NodeContext, body: Any) -> tuple[bytes, str]:
    ref = ArtifactRef.from_json(body)
    if ref is None:
        raise NodeError(
            "http.body",
            "A file is expected as content.",
            where=_WHERE,
            hint="Give what a node `Read file`, `Write file` or `HTTP request` made of one, such as `{{ file }}`.",
        )
    return await _content(context, ref), _media_type(ref)


async def _content(context: NodeContext, ref: ArtifactRef) -> bytes:
    return await asyncio.to_thread(lambda: context.artifacts.path(ref).read_bytes())


def _media_type(ref: ArtifactRef) -> str:
    plain = ref.media_type.isascii() and ref.media_type.isprintable()
    return ref.media_type if plain and ref.media_type else "application/octet-stream"


def _escaped(name: str) -> str:
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
