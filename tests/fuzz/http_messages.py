"""Random answers to the HTTP request node, random requests of it, and random requests to webhooks.

What holds: everything ends in a value that a journal can hold or in an error with a code, in our words.
"""

import asyncio
import gzip
import json
import random
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from structforge.api.hook_bodies import read_content, read_query, unpacked
from structforge.domain.errors import StructForgeError
from structforge.domain.values import encode_json, journal_safe
from structforge.nodes.http_request import HttpRequest
from structforge.sdk import NodeError
from structforge.sdk.testing import Bench, FakeHttp, FakeResponse, validated
from structforge.security.outbound import OutboundClient
from tests.fuzz import randoms

CHARSETS = (
    "utf-8", "UTF8", "utf-16", "iso-8859-1", "windows-1252", "gbk", "shift_jis", "big5", "koi8-r", "hex", "undefined",
    "unicode_escape", "utf-7", "idna", "punycode", "rot13", "", '"utf-8"', "x\x00", "utf-16-be", "mbcs", "zlib",
)  # fmt: skip
TYPES = (
    "application/json", "text/plain", "text/html", "application/xml", "text/csv", "application/octet-stream",
    "image/png", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/problem+json", "",
    ";", "a b",
)  # fmt: skip
CODES = ("http.", "outbound.", "artifact.")
FOREIGN = ("httpx", "h11", "Errno", "Traceback", "codec can't", "b'")
LINES = (
    b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b"HTTP/1.1 204 No Content", b"HTTP/1.1 304 Not Modified",
    b"HTTP/1.1 404 Not Found", b"HTTP/1.0 200 OK", b"HTTP/1.1 503 Later", b"HTTP/1.1 302 Found", b"HTTP/1.1 99 X",
    b"HTTP/1.1 200", b"HTTP/2 200", b"hello",
)  # fmt: skip


def content(source: random.Random) -> bytes:
    """Return bytes: JSON, text or markup in some encoding, or anything."""
    way = source.randrange(6)
    if way == 0:
        return source.randbytes(source.randrange(60))
    text = randoms.text(source) if way < 3 else encode_json(randoms.value(source)).decode()
    if way == 3:
        text = f'<?xml version="1.0" encoding="{source.choice(CHARSETS)}"?><a>{text}</a>'
    if way == 4:
        text = f"<meta charset='{source.choice(CHARSETS)}'>{text}"
    data = text.encode(
        source.choice(("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1")), "replace"
    )
    return changed(source, data) if source.random() < 0.2 else data


def changed(source: random.Random, data: bytes) -> bytes:
    """Return bytes with a few of them replaced, left out or doubled."""
    made = bytearray(data)
    for _ in range(source.randrange(1, 4)):
        if made:
            at = source.randrange(len(made))
            made[at : at + source.randrange(3)] = source.randbytes(source.randrange(3))
    return bytes(made)


def content_type(source: random.Random) -> str:
    """Return a content type, with a charset or without."""
    kind = source.choice(TYPES)
    return f"{kind}; charset={source.choice(CHARSETS)}" if source.random() < 0.5 else kind


def answer(source: random.Random) -> bytes:
    """Return an answer as it comes over the wire."""
    body = content(source)
    encoding = source.choice(("", "", "gzip", "deflate", "br", "x-gzip", "gzip, gzip"))
    if encoding in ("gzip", "x-gzip"):
        body = gzip.compress(body)
    elif encoding == "deflate":
        body = zlib.compress(body)
    headers = [b"Content-Type: " + content_type(source).encode("utf-8", "replace")]
    if encoding:
        headers.append(b"Content-Encoding: " + encoding.encode())
    for name in ("Set-Cookie", "Location", "Retry-After", "Content-Disposition", "X-Any", "X-Any"):
        if source.random() < 0.3:
            said = source.choice(
                (randoms.text(source), "attachment; filename=" + randoms.text(source), "12", "/next")
            )
            encoded = said.encode(source.choice(("utf-8", "latin-1")), "replace")
            if source.random() < 0.9:  # most often as a line that can stand
                encoded = b"".join(bytes([byte]) for byte in encoded if byte >= 32 and byte != 127)
            headers.append(name.encode() + b": " + encoded)
    length = len(body) if source.random() < 0.9 else source.randrange(200)
    headers.append(b"Content-Length: %d" % length)
    data = b"\r\n".join([source.choice(LINES), *headers]) + b"\r\n\r\n" + body
    return changed(source, data) if source.random() < 0.15 else data


class AnswerFuzz:
    """A server whose answers are random, and a node that reads them."""

    def __init__(self, source: random.Random, bench: Bench, port: int) -> None:
        self._source = source
        self._bench = bench
        self._port = port
        self.counts = {"read": 0, "refused": 0}

    async def round(self) -> None:
        """Send a request. Raises: AssertionError for what is no value and no error of ours."""
        given = {
            "method": self._source.choice(("GET", "HEAD", "POST", "DELETE")),
            "url": f"http://127.0.0.1:{self._port}/{self._source.choice(('', 'a%20b.csv', 'ü?x=1'))}",
            "response": self._source.choice(("auto", "auto", "json", "text", "file")),
            "encoding": self._source.choice(("", "", "windows-1252", "nonsense")),
            "timeout_s": 2,
        }
        try:
            found = await self._bench.run_async(HttpRequest(), given)
        except NodeError as error:
            check_problem(error)
            self.counts["refused"] += 1
        else:
            journal_safe(found.value)
            self.counts["read"] += 1


def check_problem(error: StructForgeError) -> None:
    """Raises: AssertionError for an error that is not in our words."""
    problem = error.problem
    assert problem.code.startswith(CODES), problem
    assert not any(word in f"{problem.message} {problem.hint}" for word in FOREIGN), problem
    journal_safe(problem.as_json())


@asynccontextmanager
async def answer_fuzz(source: random.Random) -> AsyncIterator[AnswerFuzz]:
    """Listen, and give a node that asks."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer(source))
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    outbound = OutboundClient(allowed_private_hosts=["127.0.0.1"])
    try:
        with Bench(http=outbound) as bench:
            yield AnswerFuzz(source, bench, listener.sockets[0].getsockname()[1])
    finally:
        await outbound.aclose()
        listener.close()


async def request_round(source: random.Random, bench: Bench) -> None:
    """Give the node random parameters. Raises: AssertionError, or whatever is no error of ours."""
    given = {
        "method": source.choice(("GET", "POST", "PUT")),
        "url": source.choice(
            ("https://x.example/", "https://x.example/ü?a=%20#f", "http://[::1", "x", randoms.text(source))
        ),
        "query": {randoms.text(source): randoms.value(source, 2) for _ in range(source.randrange(3))},
        "headers": {source.choice(("X-A", "content-type", randoms.text(source))): randoms.value(source, 1)},
        "body_type": source.choice(("auto", "none", "json", "text", "form", "multipart", "file")),
        "body": randoms.value(source),
    }
    try:
        validated(HttpRequest(), given)
        await bench.run_async(HttpRequest(), given)
    except StructForgeError as error:
        assert not any(word in error.problem.message for word in FOREIGN), error.problem


@asynccontextmanager
async def request_bench() -> AsyncIterator[Bench]:
    """Give a bench whose client checks requests as the real one does, and sends none."""
    client = OutboundClient(resolve=_nowhere)

    class Checking(FakeHttp):
        async def request(self, method: str, url: str, **given: Any) -> Any:
            try:
                return await client.request(method, url, **given)
            except NodeError as error:
                if error.problem.code == "outbound.dns":
                    return FakeResponse(200, {}, b"")
                raise

    with Bench(http=Checking()) as bench:
        yield bench
    await client.aclose()


async def _nowhere(host: str, port: int) -> list[str]:
    return []


async def hook_round(source: random.Random) -> None:
    """Read a random request to a webhook. Raises: AssertionError, or whatever is no error of ours."""

    async def keep(data: bytes, media_type: str, name: str) -> Any:
        journal_safe([media_type, name])
        assert name and "/" not in name
        return {"file": len(data)}

    data = content(source)
    kind = content_type(source)
    if source.random() < 0.3:
        kind = "multipart/form-data; boundary=x"
        data = multipart(source)
    encoding = source.choice(("", "", "gzip", "deflate", "br"))
    try:
        journal_safe(read_query(changed(source, b"a=%C3%BC&b=1&b=2&c=" + content(source))))
        plain = unpacked(
            gzip.compress(data) if encoding == "gzip" and source.random() < 0.8 else data, encoding, 1_000
        )
        journal_safe(await read_content(plain, kind, randoms.text(source), 1_000_000, keep))
    except StructForgeError as error:
        journal_safe(json.loads(json.dumps(error.problem.as_json())))
        assert error.problem.code.startswith(("hook.", "value.", "body.")), error.problem


def multipart(source: random.Random) -> bytes:
    """Return a form of parts, sometimes a broken one."""
    data = b""
    for _ in range(source.randrange(4)):
        name = randoms.text(source)
        head = f'Content-Disposition: form-data; name="{name}"'
        if source.random() < 0.5:
            head += f'; filename="{randoms.text(source)}"'
        if source.random() < 0.5:
            head += f"\r\nContent-Type: {content_type(source)}"
        data += b"--x\r\n" + head.encode("utf-8", "replace") + b"\r\n\r\n" + content(source) + b"\r\n"
    data += b"--x--\r\n"
    return changed(source, data) if source.random() < 0.3 else data
