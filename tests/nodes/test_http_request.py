"""The HTTP request node: what it sends, how it reads answers, which failures are worth a retry."""

from decimal import Decimal
from typing import Any

import pytest

from structforge.nodes.http_request import HttpRequest
from structforge.sdk import ArtifactRef, NodeError
from structforge.sdk.testing import Bench, FakeHttp, FakeResponse, run_node

URL = "https://api.example.org/cities"


def answering(status: int = 200, content: bytes = b"", media_type: str = "") -> FakeHttp:
    headers = {"content-type": media_type} if media_type else {}
    return FakeHttp(lambda *sent: FakeResponse(status, headers, content))


@pytest.mark.parametrize(
    ("url", "query", "sent"),
    [
        (URL, {}, URL),
        (URL, {"limit": 2, "q": "a b&c", "none": None}, f"{URL}?limit=2&q=a%20b%26c"),
        (f"{URL}?x=1", {"y": [1, "2"]}, f"{URL}?x=1&y=1&y=2"),
        (f"{URL}?", {"y": True}, f"{URL}?y=true"),
        (f"{URL}#part", {"y": 1}, f"{URL}?y=1#part"),
    ],
)
def test_the_query_is_added_to_the_url(url: str, query: dict[str, Any], sent: str) -> None:
    http = answering()
    run_node(HttpRequest(), {"url": url, "query": query}, http=http)
    assert http.requests[0][1] == sent


@pytest.mark.parametrize(
    ("body_type", "body", "content", "media_type"),
    [
        ("none", None, b"", None),
        ("auto", None, b"", None),
        ("auto", {"a": 1}, b'{"a":1}', "application/json"),
        ("auto", 0, b"0", "application/json"),
        ("auto", "a", b"a", "text/plain; charset=utf-8"),
        ("json", {"a": "é"}, '{"a":"é"}'.encode(), "application/json"),
        (
            "json",
            [Decimal("0.12345678901234567890"), 12345678901234567890],
            b"[0.1234567890123456789,12345678901234567890]",
            "application/json",
        ),
        ("text", None, b"", "text/plain; charset=utf-8"),
        ("text", {"a": 1}, b'{"a":1}', "text/plain; charset=utf-8"),
        ("form", {"a": None, "ü": True}, b"%C3%BC=true", "application/x-www-form-urlencoded"),
        ("json", None, b"null", "application/json"),
        ("text", "plain", b"plain", "text/plain; charset=utf-8"),
        ("form", {"a": "x y", "b": [1, 2]}, b"a=x+y&b=1&b=2", "application/x-www-form-urlencoded"),
    ],
)
def test_bodies(body_type: str, body: Any, content: bytes, media_type: str | None) -> None:
    http = answering()
    run_node(HttpRequest(), {"method": "POST", "url": URL, "body_type": body_type, "body": body}, http=http)
    ((_, _, headers, sent),) = http.requests
    assert (sent, headers.get("Content-Type")) == (content, media_type)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"])
def test_unsafe_methods_carry_a_key_that_no_attempt_changes(method: str) -> None:
    http = answering()
    for attempt in (1, 2):
        run_node(HttpRequest(), {"method": method, "url": URL}, http=http, attempt=attempt)
    keys = [headers.get("Idempotency-Key") for _, _, headers, _ in http.requests]
    assert keys == ([None, None] if method in ("GET", "HEAD", "OPTIONS") else ["test-node", "test-node"])


def test_a_key_of_the_user_stays() -> None:
    http = answering()
    run_node(HttpRequest(), {"method": "POST", "url": URL, "headers": {"idempotency-key": "mine"}}, http=http)
    assert http.requests[0][2] == {"idempotency-key": "mine"}


@pytest.mark.parametrize(
    ("response", "content", "media_type", "body"),
    [
        ("auto", b'{"a": 1}', "application/json; charset=utf-8", {"a": 1}),
        ("auto", b"[1]", "application/problem+json", [1]),
        ("auto", b"plain", "text/plain", "plain"),
        ("auto", "é".encode("latin-1"), "text/plain; charset=ISO-8859-1", "é"),
        ("auto", b"<a/>", "application/atom+xml", "<a/>"),
        ("auto", b"", "application/json", None),
        ("json", b"[1]", "text/plain", [1]),
        ("text", b"[1]", "application/json", "[1]"),
    ],
)
def test_answers(response: str, content: bytes, media_type: str, body: Any) -> None:
    http = answering(content=content, media_type=media_type)
    value = run_node(HttpRequest(), {"url": URL, "response": response}, http=http).value
    assert value == {"status": 200, "headers": {"content-type": media_type}, "body": body}


def test_an_answer_that_is_neither_json_nor_text_is_a_file() -> None:
    with Bench(http=answering(content=b"\x89PNG", media_type="image/png")) as bench:
        value = bench.run(HttpRequest(), {"url": "https://example.org/a/logo.png?x=1"}).value
        ref = ArtifactRef.from_json(value["body"])
        assert ref is not None
        assert bench.artifacts.path(ref).read_bytes() == b"\x89PNG"
    assert (ref.name, ref.media_type) == ("logo.png", "image/png")


@pytest.mark.parametrize(
    ("content", "media_type", "code"),
    [
        (b"{", "application/json", "http.not_json"),
        (b"[NaN]", "application/json", "http.not_json"),
        (b"\xff", "text/plain", "http.not_text"),
        (b"x", "text/plain; charset=nonsense", "http.not_text"),
    ],
)
def test_answers_that_are_not_what_they_say(content: bytes, media_type: str, code: str) -> None:
    with pytest.raises(NodeError) as caught:
        run_node(HttpRequest(), {"url": URL}, http=answering(content=content, media_type=media_type))
    assert caught.value.problem.code == code


@pytest.mark.parametrize(
    ("status", "final"),
    [(400, True), (401, True), (404, True), (408, False), (409, True), (422, True), (425, False), (429,
    False),
     (499, True), (500, False), (502, False), (503, False), (504, False), (599, False)],
)  # fmt: skip
def test_error_statuses_and_whether_a_retry_can_help(status: int, final: bool) -> None:
    with pytest.raises(NodeError) as caught:
        run_node(HttpRequest(), {"url": f"{URL}?key=secret"}, http=answering(status, b"why " * 1_000))
    assert caught.value.final is final
    problem = caught.value.problem
    assert problem.code == "http.status"
    assert problem.details == {"status": status, "body": ("why " * 1_000)[:500]}
    assert "secret" not in problem.message


def test_a_form_needs_fields() -> None:
    with pytest.raises(NodeError) as caught:
        run_node(
            HttpRequest(), {"method": "POST", "url": URL, "body_type": "form", "body": "x"}, http=answering()
        )
    assert caught.value.problem.code == "http.form"
