"""The guarded client against a real server, a resolver of the test and every spelling of loopback."""

import asyncio
import gzip
import ipaddress
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from structforge.sdk import NodeError
from structforge.security.outbound import AllowedHosts, Inflate, OutboundClient, OutboundResponse, refusal

REFUSED = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.255",
    "168.63.129.16", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1",
    "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1",
    "ff02::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8"]

LOOPBACK_SPELLINGS = [
    "127.0.0.1", "127.1", "0", "0.0.0.0", "2130706433", "0x7f000001", "0x7f.1", "017700000001", "127.0.1",
    "localhost", "localhost.", "LOCALHOST", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
    "[0:0:0:0:0:0:0:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]",
    "\u2460\u2461\u2466.\u24ea.\u24ea.\u2460", "\uff11\uff12\uff17.0.0.1", "127\u30020\u30020\u30021",
]  # fmt: skip


@dataclass
class Seen:
    """One request as the server got it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answer = Callable[[Seen], bytes]


@dataclass
class Server:
    """A small HTTP/1.1 server that answers with the bytes a function gives."""

    port: int
    requests: list[Seen] = field(default_factory=list)

    def url(self, path: str = "/", host: str = "service.test") -> str:
        return f"http://{host}:{self.port}{path}"


def http(status: str = "200 OK", body: bytes = b"", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@asynccontextmanager
async def serving(
    answer: Answer, *, silent: bool = False, tls: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = head[0].split(" ")
            headers = {
                name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
            }
            body = await reader.readexactly(int(headers.get("content-length", "0")))
            seen = Seen(method, path, headers, body)
            server.requests.append(seen)
            if silent:
                await reader.read()
            else:
                writer.write(answer(seen))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server = Server(listener.sockets[0].getsockname()[1])
    try:
        yield server
    finally:
        listener.close()
        await listener.wait_closed()


@asynccontextmanager
async def client(
    *allowed: str, names: dict[str, list[str]] | None = None, default: str = "127.0.0.1"
) -> AsyncIterator[OutboundClient]:
    async def resolve(host: str, port: int) -> list[str]:
        return (names or {}).get(host, [default])

    outbound = OutboundClient(allowed_private_hosts=allowed, resolve=resolve)
    try:
        yield outbound
    finally:
        await outbound.aclose()


async def refused(code: str, outbound: OutboundClient, url: str, **arguments: object) -> NodeError:
    with pytest.raises(NodeError) as caught:
        await outbound.request("GET", url, **arguments)  # type: ignore[arg-type]
    assert caught.value.problem.code == code, caught.value
    return caught.value


@pytest.mark.parametrize("text", REFUSED)
def test_special_addresses_are_refused(text: str) -> None:
    assert refusal(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_addresses_are_not(text: str) -> None:
    assert refusal(ipaddress.ip_address(text)) == ""


@pytest.mark.parametrize("host", LOOPBACK_SPELLINGS)
async def test_no_spelling_of_loopback_reaches_the_server(host: str) -> None:
    async with serving(lambda seen: http()) as server:
        outbound = OutboundClient()  # the system's own resolver
        with pytest.raises(NodeError) as caught:
            await outbound.request("GET", server.url(host=host), timeout_s=10)
        await outbound.aclose()
        assert caught.value.problem.code in ("outbound.blocked", "outbound.url", "outbound.dns")
        assert server.requests == []


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0", "2130706433", "0x7f000001", "localhost"])
async def test_spellings_the_system_understands_are_refused_as_blocked(host: str) -> None:
    outbound = OutboundClient()
    error = await refused("outbound.blocked", outbound, f"http://{host}:8080/")
    await outbound.aclose()
    assert error.final


async def test_the_address_that_was_checked_is_the_one_connected_to() -> None:
    """A name that answers an allowed address first and the server's afterwards is asked for once only."""
    answers = [["127.0.0.9"], ["127.0.0.1"], ["127.0.0.1"]]
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return answers[len(asked) - 1]

    async with serving(lambda seen: http()) as server:
        outbound = OutboundClient(resolve=rebinding, allowed_private_hosts=["127.0.0.9"])
        await refused("http.connection", outbound, server.url(host="rebind.test"))
        await outbound.aclose()
        assert asked == ["rebind.test"]
        assert server.requests == []


async def test_one_private_address_among_public_ones_is_enough_to_refuse() -> None:
    async with client(names={"mixed.test": ["93.184.215.14", "10.0.0.1"]}) as outbound:
        await refused("outbound.blocked", outbound, "http://mixed.test/")


async def test_an_allowed_host_is_reached_with_its_own_name() -> None:
    async with serving(lambda seen: http(body=b"hello", X_Kind="plain")) as server:
        async with client("service.test") as outbound:
            response = await outbound.request("GET", server.url("/a?b=c"), headers={"X-Mine": "1"})
    assert response == OutboundResponse(200, {"x-kind": "plain"}, b"hello", server.url("/a?b=c"))
    (seen,) = server.requests
    assert (seen.method, seen.path) == ("GET", "/a?b=c")
    assert seen.headers["host"] == f"service.test:{server.port}"
    assert seen.headers["x-mine"] == "1"
    assert "cookie" not in seen.headers


@pytest.mark.parametrize(
    ("entry", "host", "port", "address", "allowed"),
    [
        ("db.internal", "db.internal", 80, "10.0.0.1", True),
        ("db.internal", "DB.internal.", 80, "10.0.0.1", True),
        ("db.internal", "x.db.internal", 80, "10.0.0.1", False),
        ("db.internal:8080", "db.internal", 8080, "10.0.0.1", True),
        ("db.internal:8080", "db.internal", 80, "10.0.0.1", False),
        ("db.internal", "db.internal", 80, "169.254.169.254", False),
        ("10.0.0.0/8", "any.test", 80, "10.9.9.9", True),
        ("10.0.0.0/8", "any.test", 80, "11.0.0.1", False),
        ("10.0.0.1", "any.test", 80, "::ffff:10.0.0.1", True),
        ("127.0.0.1:9000", "127.0.0.1", 9000, "127.0.0.1", True),
        ("127.0.0.1:9000", "127.0.0.1", 9001, "127.0.0.1", False),
        ("[::1]:9000", "::1", 9000, "::1", True),
        ("::1", "::1", 80, "::1", True),
        ("169.254.169.254", "169.254.169.254", 80, "169.254.169.254", True),
    ],
)
def test_the_allow_list(entry: str, host: str, port: int, address: str, allowed: bool) -> None:
    assert AllowedHosts([entry]).allow(host, port, ipaddress.ip_address(address)) is allowed


@pytest.mark.parametrize("entry", ["", "a b", "http://x", "host:port:1", "10.0.0.0/40"])
def test_an_allow_list_entry_that_is_nothing_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="neither a host"):
        AllowedHosts([entry])


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "/path", "ftp://example.org/", "file:///etc/passwd", "gopher://x/", "http://",
        "http://user:pw@example.org/", "http://[fe80::1%25eth0]/", "http://exa mple.org/", "http://x:0/",
        "http://x:99999/", "http://" + "a" * 9000, "unix://x/", "data:text/plain,x",
    ],
)  # fmt: skip
async def test_what_is_no_web_address_is_an_error(url: str) -> None:
    async with client(default="93.184.215.14") as outbound:
        await refused("outbound.url", outbound, url, timeout_s=0.5)


@pytest.mark.parametrize("port", [22, 25, 6379, 11211])
async def test_ports_of_other_services_are_refused(port: int) -> None:
    async with client(default="93.184.215.14") as outbound:
        await refused("outbound.blocked", outbound, f"http://example.test:{port}/", timeout_s=0.5)


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "x"},
        {"Content-Length": "3"},
        {"A\r\nB": "x"},
        {"A": "x\r\nB: y"},
        {"A": "\0"},
        {"A b": "x"},
        {"A": "Müller"},
        {"A": "x\u010d\u010aB: y"},
    ],
)
async def test_headers_that_would_change_the_message_are_refused(headers: dict[str, str]) -> None:
    async with client("service.test") as outbound:
        await refused("http.header", outbound, "http://service.test/", headers=headers)


async def test_every_redirect_is_checked_again() -> None:
    def answer(seen: Seen) -> bytes:
        return http("302 Found", Location=f"http://127.0.0.1:{server.port}/secret")

    async with serving(answer) as server:
        async with client("service.test") as outbound:
            await refused("outbound.blocked", outbound, server.url())
    assert [seen.path for seen in server.requests] == ["/"]


async def test_a_redirect_to_another_origin_takes_no_credentials_along() -> None:
    def answer(seen: Seen) -> bytes:
        if seen.headers["host"].startswith("service.test"):
            return http("307 Temporary Redirect", Location=server.url("/b", "other.test"))
        return http()

    async with serving(answer) as server:
        async with client("service.test", "other.test") as outbound:
            await outbound.request(
                "POST",
                server.url(),
                headers={
                    "Authorization": "Bearer s",
                    "X-Api-Key": "s",
                    "Cookie": "s=1",
                    "Accept": "text/plain",
                },
                content=b"body",
            )
    first, second = server.requests
    assert first.headers["authorization"] == "Bearer s"
    assert {"authorization", "x-api-key", "cookie"}.isdisjoint(second.headers)
    assert (second.method, second.body, second.headers["accept"]) == ("POST", b"body", "text/plain")


async def test_a_redirect_to_the_same_origin_keeps_headers() -> None:
    async with serving(
        lambda seen: http("301 Moved", Location="/b") if seen.path == "/" else http()
    ) as server:
        async with client("service.test") as outbound:
            response = await outbound.request(
                "POST",
                server.url(),
                headers={"Authorization": "s", "Content-Type": "text/plain"},
                content=b"x",
            )
    second = server.requests[1]
    assert (second.method, second.body, second.headers["authorization"]) == ("GET", b"", "s")
    assert "content-type" not in second.headers
    assert response.url == server.url("/b")


async def test_redirects_end_and_can_be_switched_off() -> None:
    async with serving(lambda seen: http("302 Found", Location="/again")) as server:
        async with client("service.test") as outbound:
            await refused("outbound.redirects", outbound, server.url())
            assert len(server.requests) == 6
            response = await outbound.request("GET", server.url(), follow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (302, "/again")


async def test_cookies_are_not_kept() -> None:
    async with serving(lambda seen: http(Set_Cookie="id=1; Path=/")) as server:
        async with client("service.test") as outbound:
            await outbound.request("GET", server.url())
            await outbound.request("GET", server.url())
    assert all("cookie" not in seen.headers for seen in server.requests)


async def test_every_cookie_is_told_by_itself_and_a_redirect_leaves_none() -> None:
    def answer(seen: Seen) -> bytes:
        if seen.path == "/":
            return http("302 Found", Location="/b", Set_Cookie="first=1")
        return b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1, 2\r\nset-cookie: b=2\r\nContent-Length: 0\r\n\r\n"

    async with serving(answer) as server:
        async with client("service.test") as outbound:
            response = await outbound.request("GET", server.url())
    assert response == OutboundResponse(200, {}, b"", server.url("/b"), ("a=1, 2", "b=2"))
    assert all("cookie" not in seen.headers for seen in server.requests)


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(lambda seen: http(body=b"direct")) as server:
        async with client("service.test") as outbound:
            assert (await outbound.request("GET", server.url())).content == b"direct"


async def test_an_answer_over_the_limit_is_refused_while_it_streams() -> None:
    async with serving(lambda seen: http(body=b"x" * 100_001)) as server:
        async with client("service.test") as outbound:
            exact = await outbound.request("GET", server.url(), max_response_bytes=100_001)
            assert len(exact.content) == 100_001
            await refused("http.too_large", outbound, server.url(), max_response_bytes=100_000)


BODY = b"some text " * 1_000


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(BODY)),
        ("gzip", gzip.compress(BODY[:4_000]) + gzip.compress(BODY[4_000:])),
        ("deflate", zlib.compress(BODY)),
        ("deflate", zlib.compress(BODY)[2:-4]),
        ("identity", BODY),
    ],
    ids=["gzip", "gzip of two members", "deflate", "raw deflate", "identity"],
)
async def test_compressed_answers_are_read(encoding: str, data: bytes) -> None:
    async with serving(lambda seen: http(body=data, Content_Encoding=encoding)) as server:
        async with client("service.test") as outbound:
            response = await outbound.request("GET", server.url())
    assert response.content == BODY
    assert "content-encoding" not in response.headers


@pytest.mark.parametrize(
    ("encoding", "data", "code"),
    [
        ("gzip", gzip.compress(b"\0" * 50_000_000), "http.too_large"),
        ("gzip", gzip.compress(BODY)[:-20], "http.connection"),
        ("gzip", b"no gzip at all", "http.encoding"),
        ("br", b"x", "http.encoding"),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), "http.encoding"),
    ],
    ids=["bomb", "cut off", "not gzip", "not asked for", "twice"],
)
async def test_bad_compression_is_an_error(encoding: str, data: bytes, code: str) -> None:
    async with serving(lambda seen: http(body=data, Content_Encoding=encoding)) as server:
        async with client("service.test") as outbound:
            await refused(code, outbound, server.url(), max_response_bytes=1_000_000)


def test_decompression_never_gives_more_than_asked_for() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(Inflate("gzip").feed(bomb, 1_000)) == 1_000


async def test_a_server_that_says_nothing_is_a_timeout_worth_a_retry() -> None:
    async with serving(lambda seen: b"", silent=True) as server:
        async with client("service.test") as outbound:
            error = await refused("http.timeout", outbound, server.url(), timeout_s=0.2)
    assert not error.final


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", b"garbage\r\n\r\n"]
)
async def test_a_broken_answer_is_a_connection_error_worth_a_retry(answer: bytes) -> None:
    async with serving(lambda seen: answer) as server:
        async with client("service.test") as outbound:
            assert not (await refused("http.connection", outbound, server.url())).final


async def test_nobody_listening_and_no_such_name_are_worth_a_retry() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with client("service.test", names={"gone.test": []}) as outbound:
        assert not (await refused("http.connection", outbound, f"http://service.test:{port}/")).final
        assert not (await refused("outbound.dns", outbound, "http://gone.test/")).final


async def test_the_next_address_is_tried_when_one_does_not_accept() -> None:
    async with serving(lambda seen: http(body=b"here")) as server:
        async with client("service.test", names={"service.test": ["127.0.0.9", "127.0.0.1"]}) as outbound:
            assert (await outbound.request("GET", server.url())).content == b"here"


async def test_messages_do_not_show_the_query() -> None:
    async with serving(lambda seen: b"") as server:
        async with client("service.test") as outbound:
            error = await refused("http.connection", outbound, server.url("/x?token=secret"))
    assert "secret" not in str(error)


def certificate(folder: Path, name: str) -> Path:
    """Write a self-signed certificate for `name` and its key to one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{name}.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize(("host", "code"), [("service.test", ""), ("other.test", "http.tls")])
async def test_the_certificate_is_verified_for_the_name_not_the_address(
    tmp_path: Path, host: str, code: str
) -> None:
    pem = certificate(tmp_path, "service.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    trusting = ssl.create_default_context(cafile=str(pem))

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving(lambda seen: http(body=b"secure"), tls=tls) as server:
        outbound = OutboundClient(
            allowed_private_hosts=["127.0.0.0/8"], resolve=resolve, ssl_context=trusting
        )
        url = f"https://{host}:{server.port}/"
        if code:
            assert (await refused(code, outbound, url)).final
        else:
            assert (await outbound.request("GET", url)).content == b"secure"
        await outbound.aclose()


async def test_a_redirect_from_https_to_http_is_refused(tmp_path: Path) -> None:
    pem = certificate(tmp_path, "service.test")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)

    async def resolve(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async with serving(lambda seen: http("302 Found", Location="http://service.test/"), tls=tls) as server:
        outbound = OutboundClient(
            allowed_private_hosts=["service.test"],
            resolve=resolve,
            ssl_context=ssl.create_default_context(cafile=str(pem)),
        )
        await refused("outbound.blocked", outbound, f"https://service.test:{server.port}/")
        await outbound.aclose()
