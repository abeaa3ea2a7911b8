"""The HTTP request node against servers that speak the wire, odd answers included."""

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import Any

import pytest

from structforge.nodes.http_request import HttpRequest
from structforge.sdk import ArtifactRef, NodeError
from structforge.sdk.testing import Bench, FakeHttp, FakeResponse, run_node
from structforge.security.outbound import OutboundClient
from tests.security.test_outbound import Answer, Seen, http, serving


async def asked(answer: bytes | Answer, path: str = "/", **parameters: Any) -> tuple[Any, list[Seen]]:
    """Send a request to a server of this answer; return the node's result and what the server got."""
    function: Answer = answer if callable(answer) else (lambda seen: answer)
    async with serving(function) as server:
        outbound = OutboundClient(allowed_private_hosts=["127.0.0.1"])
        try:
            with Bench(http=outbound) as bench:
                url = server.url(path, "127.0.0.1")
                found = await bench.run_async(HttpRequest(), {"url": url, **parameters})
                value = dict(found.value)
                ref = ArtifactRef.from_json(value["body"])
                if ref is not None:
                    value["file"] = (ref.name, ref.media_type, bench.artifacts.path(ref).read_bytes())
        finally:
            await outbound.aclose()
    return value, server.requests


async def refused(answer: bytes | Answer, path: str = "/", **parameters: Any) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await asked(answer, path, **parameters)
    return caught.value


@pytest.mark.parametrize(
    ("content_type", "content", "body"),
    [
        ("application/json", b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ("application/json", '{"a": "ü"}'.encode("utf-16"), {"a": "ü"}),
        ("application/json", '{"a": "ü"}'.encode("utf-16-be"), {"a": "ü"}),
        ("application/json", "[1]".encode("utf-16-le"), [1]),
        ("application/json", "7".encode("utf-16-le"), 7),
        ("application/json", "[1]".encode("utf-32-be"), [1]),
        ("application/json; charset=iso-8859-1", '["ü"]'.encode("latin-1"), ["ü"]),
        ("application/json; charset=iso-8859-1", '["ü"]'.encode(), ["ü"]),
        ("text/json", b"[1]", [1]),
        ("application/json", b"0.12345678901234567891", Decimal("0.12345678901234567891")),
        ("application/json", b"123456789012345678901234567890", 123456789012345678901234567890),
        ("text/plain", "grüß".encode("utf-8-sig"), "grüß"),
        ("text/plain", "grüß".encode("utf-16"), "grüß"),
        ("text/plain; charset=iso-8859-1", b"100 \x80", "100 €"),
        ("text/plain; charset=windows-1252", b"\x93a\x94", "“a”"),
        # One of the five bytes that windows-1252 leaves open.
        ("text/plain; charset=windows-1252", b"a\x81", "a\x81"),
        ("text/plain; charset=\"shift_jis\"", "漢字①".encode("cp932"), "漢字①"),
        ("text/plain; charset=gb2312", "汉字镕".encode("gbk"), "汉字镕"),
        ("text/plain; charset=utf-16", "ü".encode("utf-16-le"), "ü"),
        ("text/html", b"<head><meta charset='windows-1251'>\xcf\xf0", "<head><meta charset='windows-1251'>Пр"),
        (
            "text/html",
            b'<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">\xb3',
            '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">ł',
        ),
        ("application/xml", b'<?xml version="1.0" encoding="ISO-8859-15"?><a>\xa4</a>',
         '<?xml version="1.0" encoding="ISO-8859-15"?><a>€</a>'),
        ("application/atom+xml", '<?xml version="1.0" encoding="UTF-16"?><a/>'.encode("utf-16"),
         '<?xml version="1.0" encoding="UTF-16"?><a/>'),
        ("application/x-ndjson", b'{"a":1}\n{"a":2}\n', '{"a":1}\n{"a":2}\n'),
        ("", b'{"a": 1}', {"a": 1}),
        ("", b"plain", "plain"),
    ],
)  # fmt: skip
async def test_answers_are_read_in_the_encoding_they_are_in(
    content_type: str, content: bytes, body: Any
) -> None:
    headers = {"Content_Type": content_type} if content_type else {}
    value, _ = await asked(http(body=content, **headers))
    assert (value["body"], type(value["body"])) == (body, type(body))


async def test_an_encoding_that_is_not_declared_can_be_named() -> None:
    latin = http(body="Müller".encode("latin-1"), Content_Type="text/plain")
    assert (await refused(latin)).problem.code == "http.not_text"
    value, _ = await asked(latin, encoding="windows-1252")
    assert value["body"] == "Müller"


@pytest.mark.parametrize(
    ("content_type", "content", "code"),
    [
        ("text/plain; charset=hex", b"6161", "http.not_text"),
        ("text/plain; charset=undefined", b"a", "http.not_text"),
        ("text/plain; charset=unicode_escape", b"\\ud800", "http.not_text"),
        ("text/plain; charset=utf-7", b"+2AA-", "http.not_text"),
        ("text/plain; charset=idna", b"xn--", "http.not_text"),
        ("text/plain", b"a\0b", "http.not_text"),
        ("application/json", b'["a\\u0000"]', "http.not_json"),
        ("application/json", b'["\\ud800"]', "http.not_json"),
        ("application/json; charset=ascii", b'["\xff\x81"', "http.not_json"),
        ("application/json", b"\xff\xfe\x00", "http.not_text"),
        ("application/json", b"{'a': 1}", "http.not_json"),
    ],
)
async def test_answers_that_are_not_what_they_say_have_a_code(
    content_type: str, content: bytes, code: str
) -> None:
    assert (await refused(http(body=content, Content_Type=content_type))).problem.code == code


async def test_several_cookies_are_a_list_and_other_headers_are_joined() -> None:
    head = "HTTP/1.1 200 OK\r\nSet-Cookie: a=1; Expires=Fri, 01 Mar 2024 10:00:00 GMT\r\nSet-Cookie: b=2\r\n"
    head += "Link: <a>\r\nLink: <b>\r\nX-Name: M\xfcller\r\nContent-Length: 0\r\n\r\n"
    value, _ = await asked(head.encode("latin-1"))
    assert value["headers"] == {
        "set-cookie": ["a=1; Expires=Fri, 01 Mar 2024 10:00:00 GMT", "b=2"],
        "link": "<a>, <b>",
        "x-name": "Müller",
    }
    value, _ = await asked("HTTP/1.1 200 OK\r\nX-Name: Müller\r\nContent-Length: 0\r\n\r\n".encode())
    assert (value["headers"], value["body"]) == ({"x-name": "Müller"}, None)


@pytest.mark.parametrize("value", ["Müller", "漢字", "a\r\nB: c", "a\0", "\x7f"])
async def test_a_header_that_is_not_ascii_is_refused_with_a_way_out(value: str) -> None:
    error = await refused(http(), headers={"X-Name": value})
    assert (error.problem.code, error.problem.where) == ("http.header", "headers.X-Name")


async def test_headers_are_texts_of_what_they_are() -> None:
    headers = {
        "X-Number": 5,
        "X-Exact": Decimal("1.10"),
        "X-None": None,
        "X-List": ["a", 1],
        "X-Flag": True,
        "X-S": " a ",
    }
    _, [seen] = await asked(http(), headers=headers)
    sent = {name: value for name, value in seen.headers.items() if name.startswith("x-")}
    assert sent == {"x-number": "5", "x-exact": "1.1", "x-list": "a, 1", "x-flag": "true", "x-s": "a"}
    assert (await refused(http(), headers={"X-Object": {"a": 1}})).problem.code == "http.header"


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "OPTIONS", "POST", "PUT", "PATCH"])
async def test_a_body_is_sent_with_every_method(method: str) -> None:
    _, [seen] = await asked(http(), method=method, body={"n": 1})
    assert (seen.method, seen.body, seen.headers["content-type"]) == (method, b'{"n":1}', "application/json")


async def test_a_body_that_would_not_be_sent_is_refused() -> None:
    assert (await refused(http(), method="POST", body_type="none", body=0)).problem.code == "http.body"
    _, [seen] = await asked(http(), method="POST", body_type="none", body=None)
    assert (seen.body, seen.headers["content-length"]) == (b"", "0")


async def test_a_text_is_written_in_the_encoding_that_its_header_names() -> None:
    latin = {"content-type": "text/csv; charset=iso-8859-1"}
    _, [seen] = await asked(http(), method="POST", body_type="text", body="ü", headers=latin)
    assert (seen.body, seen.headers["content-type"]) == (b"\xfc", "text/csv; charset=iso-8859-1")
    for charset in ("iso-8859-1", "nonsense", "hex"):
        headers = {"content-type": f"text/csv; charset={charset}"}
        error = await refused(http(), method="POST", body_type="text", body="漢", headers=headers)
        assert error.problem.code == "http.body"


def parts_of(body: bytes, content_type: str) -> list[bytes]:
    boundary = content_type.partition("boundary=")[2].encode()
    first, *parts, last = body.split(b"--" + boundary)
    assert (first, last) == (b"", b"--\r\n")
    return [part.removeprefix(b"\r\n").removesuffix(b"\r\n") for part in parts]


def test_forms_of_parts_hold_files_and_are_the_same_for_each_attempt() -> None:
    sent = FakeHttp(lambda *seen: FakeResponse(200))
    with Bench(http=sent) as bench:
        ref = bench.artifacts.put(b"\x00\xff", media_type="image/png", name='a "ü".png').as_json()
        body = {"file": ref, "n": 1, "tags": ["a", None, "b"], "meta": {"a": 1}, "none": None}
        given = {"method": "POST", "url": "https://x.example/", "body_type": "multipart", "body": body}
        for attempt in (1, 2):
            bench.run(HttpRequest(), given, attempt=attempt)
    (_, _, headers, content), again = sent.requests
    assert again[3] == content
    assert parts_of(content, headers["Content-Type"]) == [
        'Content-Disposition: form-data; name="file"; filename="a %22ü%22.png"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + b"\x00\xff",
        b'Content-Disposition: form-data; name="n"\r\n\r\n1',
        b'Content-Disposition: form-data; name="tags"\r\n\r\na',
        b'Content-Disposition: form-data; name="tags"\r\n\r\nb',
        b'Content-Disposition: form-data; name="meta"\r\n\r\n{"a":1}',
    ]


def test_a_file_is_sent_as_it_is() -> None:
    sent = FakeHttp(lambda *seen: FakeResponse(200))
    with Bench(http=sent) as bench:
        ref = bench.artifacts.put(b"\x00\xff", media_type="image/png", name="a.png").as_json()
        for body_type in ("auto", "file"):
            bench.run(
                HttpRequest(),
                {"method": "PUT", "url": "https://x.example/", "body_type": body_type, "body": ref},
            )
        for body_type, body in (("file", "a"), ("file", None), ("form", {"a": ref}), ("multipart", [1])):
            with pytest.raises(NodeError) as caught:
                bench.run(HttpRequest(), {"url": "https://x.example/", "body_type": body_type, "body": body})
            assert caught.value.problem.code in ("http.body", "http.form")
    assert [(seen[2]["Content-Type"], seen[3]) for seen in sent.requests] == [("image/png", b"\x00\xff")] * 2


@pytest.mark.parametrize(
    ("said", "path", "name"),
    [
        ('attachment; filename="a;b.csv"', "/x", "a;b.csv"),
        ("attachment; filename=plain.csv", "/x", "plain.csv"),
        (r'attachment; filename="a\"b.csv"', "/x", 'a"b.csv'),
        ("attachment; filename=\"u.csv\"; filename*=UTF-8''M%C3%BCller.csv", "/x", "Müller.csv"),
        ("attachment; filename*=iso-8859-1'de'M%FCller.csv", "/x", "Müller.csv"),
        ("attachment; filename*=nonsense''x; filename=b.csv", "/x", "b.csv"),
        ('attachment; filename="Müller.csv"', "/x", "Müller.csv"),
        ('attachment; filename="=?UTF-8?B?TcO8bGxlci5jc3Y=?="', "/x", "Müller.csv"),
        ('attachment; filename="../../etc/passwd"', "/x", "passwd"),
        (r'attachment; filename="C:\\files\\a.csv"', "/x", "a.csv"),
        ('attachment; filename=".."', "/x/y.bin", "y.bin"),
        ("inline", "/files/M%C3%BCller%20x.bin?y=/z", "Müller x.bin"),
        ("", "/", "answer"),
    ],
)
async def test_files_are_called_what_the_server_says(said: str, path: str, name: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Disposition: {said}\r\n"
    value, _ = await asked(f"{head}Content-Length: 2\r\n\r\nab".encode(), path)
    assert value["file"] == (name, "application/octet-stream", b"ab")


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
@pytest.mark.parametrize("response", ["auto", "json", "text", "file"])
async def test_answers_without_a_body_are_null(status: str, response: str) -> None:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n"
    value, _ = await asked(head.encode(), response=response)
    assert value["body"] is None
    value, _ = await asked(head.replace(status, "200 OK").encode(), method="HEAD", response=response)
    assert value["body"] is None


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(b"[1]")),
        ("X-GZIP", gzip.compress(b"[1]")),
        ("deflate", zlib.compress(b"[1]")),
        ("deflate", zlib.compress(b"[1]", wbits=-15)),
        ("identity", b"[1]"),
    ],
)
async def test_compressed_answers_are_read(encoding: str, content: bytes) -> None:
    value, _ = await asked(http(body=content, Content_Type="application/json", Content_Encoding=encoding))
    assert value["body"] == [1]


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        (timedelta(hours=2), 7_000, 7_200),
        (timedelta(hours=-2), 0, 0),
        ("99999999999999999999", 86_400, 86_400),
        ("soon", None, None),
        ("-5", None, None),
        ("", None, None),
    ],
)
async def test_the_server_says_how_long_to_wait(
    said: str | timedelta, least: float | None, most: float | None
) -> None:
    if isinstance(said, timedelta):
        said = format_datetime(datetime.now(UTC) + said, usegmt=True)
    error = await refused(http("429 Too Many Requests", Retry_After=said))
    asked_s = error.problem.details.get("retry_after_s")
    assert asked_s is None if least is None or most is None else least <= asked_s <= most


@pytest.mark.parametrize(
    ("status", "method", "second"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "PUT", "GET"), (303, "DELETE", "GET"), (303, "HEAD", "HEAD"),
     (301, "PUT", "PUT"), (302, "DELETE", "DELETE"), (307, "POST", "POST"), (308, "PATCH", "PATCH")],
)  # fmt: skip
async def test_redirects_change_the_method_as_browsers_do(status: int, method: str, second: str) -> None:
    def answer(seen: Seen) -> bytes:
        return http(f"{status} X", Location="/b?ü=1") if seen.path == "/" else http()

    _, [_, last] = await asked(answer, method=method, body={"n": 1})
    assert (last.method, last.path) == (second, "/b?%C3%BC=1")
    assert last.body == (b'{"n":1}' if second == method else b"")


@pytest.mark.parametrize(
    ("path", "query", "sent"),
    [
        ("/a?x=%20&y=%C3%BC", {"z": 1}, "/a?x=%20&y=%C3%BC&z=1"),
        ("/ü?q=ü b", {}, "/%C3%BC?q=%C3%BC%20b"),
        ("/", {"q": "ü&=+ /?", "n": None, "l": [1, None, "b"], "e": "", "d": Decimal("0.10")},
         "/?q=%C3%BC%26%3D%2B%20%2F%3F&l=1&l=b&e=&d=0.1"),
        ("/", {"o": {"a": 1}, "t": True}, "/?o=%7B%22a%22%3A1%7D&t=true"),
        ("/", {"l": []}, "/"),
    ],
)  # fmt: skip
async def test_queries_arrive_as_they_were_meant(path: str, query: dict[str, Any], sent: str) -> None:
    _, [seen] = await asked(http(), path, query=query)
    assert seen.path == sent


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (b"", "http.connection"),
        (b"hello\r\n\r\n", "http.connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "http.connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc", "http.connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "http.connection"),
        (b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n", "http.connection"),
        (b"HTTP/1.1 9999 OK\r\n\r\n", "http.connection"),
        (http(body=b"abc", Content_Encoding="gzip"), "http.encoding"),
        (http(body=gzip.compress(b"a" * 1000)[:-12], Content_Encoding="gzip"), "http.connection"),
        (http(body=b"abc", Content_Encoding="br"), "http.encoding"),
        (http("302 Found", Location="http://[x"), "outbound.url"),
        (http("302 Found", Location="ftp://x/"), "outbound.url"),
        (
            http("404 Not Found", body=b"\xff\x00", Content_Type="text/plain; charset=undefined"),
            "http.status",
        ),
    ],
)
async def test_odd_answers_end_in_a_code_and_in_our_words(answer: bytes, code: str) -> None:
    error = await refused(answer)
    assert error.problem.code == code
    for word in ("httpx", "h11", "Error", "Errno", "peer", "b'"):
        assert word not in error.problem.message


def test_what_a_run_keeps_of_an_answer_is_json() -> None:
    answer = FakeResponse(200, {"content-type": "application/json"}, b"[0.1, 1e400]")
    value = run_node(HttpRequest(), {"url": "https://x.example/"}, http=FakeHttp(lambda *sent: answer)).value
    assert value["body"] == [0.1, Decimal("1e400")]


def test_json_of_a_request_is_read_by_others() -> None:
    sent = FakeHttp(lambda *seen: FakeResponse(200))
    run_node(
        HttpRequest(), {"method": "POST", "url": "https://x.example/", "body": {"ü": [None, 1.5]}}, http=sent
    )
    assert json.loads(sent.requests[0][3]) == {"ü": [None, 1.5]}
