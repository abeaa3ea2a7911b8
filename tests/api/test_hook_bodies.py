"""What requests to webhooks hold, as values of a run."""

import asyncio
import gzip
import json
import zlib
from decimal import Decimal
from typing import Any

import pytest

from structforge.api.hook_bodies import read_content, read_query, unpacked
from structforge.domain.errors import StructForgeError


async def keep(data: bytes, media_type: str, name: str) -> Any:
    return {"file": [data.decode("latin-1"), media_type, name]}


def content(data: bytes, content_type: str, disposition: str = "") -> Any:
    return asyncio.run(read_content(data, content_type, disposition, 1_000_000, keep))


def code_of(*arguments: Any) -> str:
    with pytest.raises(StructForgeError) as caught:
        content(*arguments)
    assert caught.value.status == 422
    return caught.value.problem.code


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (b"", {}),
        (b"q=%C3%BC&a=1&a=2&a=3&b=", {"q": "ü", "a": ["1", "2", "3"], "b": ""}),
        ("q=ü&城市=北京&x=a+b%20c".encode(), {"q": "ü", "城市": "北京", "x": "a b c"}),
        (b"a&b=%2B&c=1;d=2&=x", {"a": "", "b": "+", "c": "1;d=2", "": "x"}),
        (b"a=100%&b=%zz", {"a": "100%", "b": "%zz"}),
    ],
)
def test_queries_are_utf8_raw_or_encoded(query: bytes, fields: dict[str, Any]) -> None:
    assert read_query(query) == fields


@pytest.mark.parametrize(("query", "code"), [(b"a=%E4", "hook.fields"), (b"a=\xff", "hook.fields"),
    (b"a=%00", "value.nul"), (b"%00=a", "value.nul"), (b"&".join([b"a=1"] * 1_001), "hook.fields")])  # fmt: skip
def test_queries_that_cannot_be_read_have_a_code(query: bytes, code: str) -> None:
    with pytest.raises(StructForgeError) as caught:
        read_query(query)
    assert caught.value.problem.code == code


@pytest.mark.parametrize(
    ("content_type", "data", "body"),
    [
        ("application/json", b"", None),
        ("application/json", b"null", None),
        ("application/json", b'\xef\xbb\xbf{"a": "\xc3\xbc"}', {"a": "ü"}),
        ("application/json", '{"a": "ü"}'.encode("utf-16"), {"a": "ü"}),
        ("application/json", "[1]".encode("utf-16-le"), [1]),
        ("application/json", "[1]".encode("utf-32-be"), [1]),
        ("application/json; charset=utf-8", '["ü"]'.encode(), ["ü"]),
        ("application/json; charset=iso-8859-1", '["ü"]'.encode("latin-1"), ["ü"]),
        ("text/json", b"[1]", [1]),
        ("application/vnd.api+json", b"[1]", [1]),
        ("", b"[1]", [1]),
        ("application/json", b"[12345678901234567890, 0.12345678901234567891]",
         [12345678901234567890, Decimal("0.12345678901234567891")]),
        ("application/json", rb'{"$Artifact": 1, "a": "$artifact", "b": "\u0024"}',
         {"$Artifact": 1, "a": "$artifact", "b": "$"}),
        ("text/plain", "grüß".encode(), "grüß"),
        ("text/plain; charset=iso-8859-1", "grüß".encode("latin-1"), "grüß"),
        ("text/plain; charset=\"windows-1252\"", b"\x80", "€"),
        ("text/csv; charset=gbk", "北京".encode("gbk"), "北京"),
        ("text/plain", "grüß".encode("utf-16"), "grüß"),
        ("application/xml", b'<?xml version="1.0" encoding="iso-8859-1"?><a>\xfc</a>',
         '<?xml version="1.0" encoding="iso-8859-1"?><a>ü</a>'),
        ("application/x-ndjson", b'{"a":1}\n', '{"a":1}\n'),
        ("application/x-www-form-urlencoded", "a=ü&b=%C3%BC&a=2".encode(), {"a": ["ü", "2"], "b": "ü"}),
        ("application/x-www-form-urlencoded; charset=iso-8859-1", b"a=%FC&b=\xfc", {"a": "ü", "b": "ü"}),
        ("application/octet-stream", b"\x00\xff", {"file": ["\x00\xff", "application/octet-stream", "body"]}),
        ("image/png", b"\x89", {"file": ["\x89", "image/png", "body"]}),
    ],
)  # fmt: skip
def test_bodies_are_what_they_declare(content_type: str, data: bytes, body: Any) -> None:
    found = content(data, content_type)
    assert found == body and type(found) is type(body)


def test_a_body_that_is_a_file_has_the_name_it_says() -> None:
    said = "attachment; filename*=UTF-8''M%C3%BCller.pdf"
    assert content(b"%PDF", "application/pdf", said) == {"file": ["%PDF", "application/pdf", "Müller.pdf"]}


@pytest.mark.parametrize(
    ("content_type", "data", "code"),
    [
        ("application/json", b"{'a': 1}", "value.syntax"),
        ("application/json", b'{"$artifact": {}}', "hook.reference"),
        ("application/json", b'[[{"a": {"$artifact": 1}}]]', "hook.reference"),
        ("application/json", rb'{"\u0024artifact": 1}', "hook.reference"),
        ("application/json", rb'{"$\u0061rtifact": 1}', "hook.reference"),
        ("application/json", '{"$artifact": 1}'.encode("utf-16"), "hook.reference"),
        ("application/json", b"\xff\xfe\x00", "hook.text"),
        ("application/json", rb'"\ud800"', "value.lone_surrogate"),
        ("text/plain", b"\xff", "hook.text"),
        ("text/plain; charset=hex", b"6161", "hook.text"),
        ("text/plain", b"a\0", "value.nul"),
        ("application/x-www-form-urlencoded", b"a=%FC", "hook.fields"),
        ("application/x-www-form-urlencoded; charset=nonsense", b"a=%FC", "hook.fields"),
        ("multipart/form-data", b"--x--", "hook.fields"),
        ("multipart/form-data; boundary=x", b"", ""),
        ("multipart/form-data; boundary=x", b"--x\r\nno header", "hook.fields"),
        ("multipart/form-data; boundary=x", b"--x\r\nA: b\r\n\r\nc\r\n--x--", "hook.fields"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nc',
            "hook.fields",
        ),
        ("multipart/form-data; boundary=x", b"nothing", "hook.fields"),
    ],
)
def test_bodies_that_are_not_what_they_declare_have_a_code(content_type: str, data: bytes, code: str) -> None:
    if not data:
        assert content(data, content_type) is None
    else:
        assert code_of(data, content_type) == code


def form(*parts: tuple[str, bytes], preamble: bytes = b"") -> bytes:
    body = preamble
    for head, part in parts:
        body += b"--bound\r\n" + head.encode() + b"\r\n\r\n" + part + b"\r\n"
    return body + b"--bound--\r\n"


def test_forms_of_parts_hold_texts_values_and_files() -> None:
    said = 'Content-Disposition: form-data; name="{}"'
    data = form(
        (said.format("text"), "grüß\r\n--bond".encode()),
        (said.format("n") + "\r\nContent-Type: application/json", b'{"exact": 12345678901234567890}'),
        (said.format("void") + "\r\nContent-Type: application/json", b""),
        (said.format("latin") + "\r\ncontent-type: text/plain; charset=iso-8859-1", b"\xfc"),
        (said.format("file") + '; filename="a%22b ü.png"\r\nContent-Type: image/png', b"\x00\r\n\r\n\xff"),
        (said.format("file") + "; filename*=UTF-8''%C3%BC.txt", b"b"),
        (said.format("chosen") + '; filename=""\r\nContent-Type: application/octet-stream', b""),
        (said.format("empty") + '; filename="e.txt"', b""),
        (said.format("text"), b""),
        preamble=b"This is a message.\r\n",
    )
    assert content(data, 'multipart/form-data; boundary="bound"') == {
        "text": ["grüß\r\n--bond", ""],
        "n": {"exact": 12345678901234567890},
        "void": None,
        "latin": "ü",
        "file": [
            {"file": ["\x00\r\n\r\n\xff", "image/png", 'a"b ü.png']},
            {"file": ["b", "application/octet-stream", "ü.txt"]},
        ],
        "chosen": None,
        "empty": {"file": ["", "application/octet-stream", "e.txt"]},
    }


@pytest.mark.parametrize(
    ("encoding", "data"),
    [("", b"abc"), ("identity", b"abc"), ("gzip", gzip.compress(b"abc")), ("X-Gzip ", gzip.compress(b"abc")),
     ("deflate", zlib.compress(b"abc")), ("deflate", zlib.compress(b"abc", wbits=-15)),
     ("gzip", gzip.compress(b"a") + gzip.compress(b"bc"))],
)  # fmt: skip
def test_packed_bodies_are_unpacked(encoding: str, data: bytes) -> None:
    assert unpacked(data, encoding, 3) == b"abc"


@pytest.mark.parametrize(
    ("encoding", "data", "code", "status"),
    [
        ("gzip", gzip.compress(b"\0" * 50_000_000), "body.too_large", 413),
        ("deflate", zlib.compress(b"\0" * 4), "body.too_large", 413),
        ("gzip", gzip.compress(b"abc")[:-4], "hook.encoding", 422),
        ("gzip", b"abc", "hook.encoding", 422),
        ("br", b"abc", "hook.encoding", 415),
        ("gzip, gzip", b"abc", "hook.encoding", 415),
    ],
)
def test_packed_bodies_are_bounded_and_whole(encoding: str, data: bytes, code: str, status: int) -> None:
    with pytest.raises(StructForgeError) as caught:
        unpacked(data, encoding, 3)
    assert (caught.value.problem.code, caught.value.status) == (code, status)


def test_json_is_read_as_any_reader_of_json_does() -> None:
    value = {"a": [1, 2.5, None, True, "ü\n"], "b": {}}
    assert content(json.dumps(value).encode(), "application/json") == value
