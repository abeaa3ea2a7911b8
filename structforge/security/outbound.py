"""The only HTTP client nodes may use: it reaches public addresses and what an administrator allowed, nothing
else.

Invariant: the address that was checked is the address that is connected to; every redirect is checked again.
No proxy, cookie, credential or setting is taken from the environment. `wiring` builds it, nodes get it by
context.
"""

import asyncio
import errno
import ipaddress
import re
import socket
import ssl
import zlib
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import httpx

from structforge.domain.errors import sentence
from structforge.sdk import NodeError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], Awaitable[list[str]]]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
MAX_REDIRECTS = 5
MAX_URL_LENGTH = 8_000
MAX_ADDRESSES_TRIED = 4

_REFUSED: tuple[tuple[Network, str], ...] = tuple(
    (ipaddress.ip_network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "this host"),
        ("10.0.0.0/8", "a private network"),
        ("100.64.0.0/10", "carrier-grade NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud platform's internal service"),
        ("169.254.0.0/16", "link-local, where cloud metadata lives"),
        ("172.16.0.0/12", "a private network"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "6to4 relay"),
        ("192.168.0.0/16", "a private network"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
        ("::/96", "loopback or an IPv4-compatible address"),
        ("64:ff9b::/96", "NAT64, which leads to any IPv4 address"),
        ("64:ff9b:1::/48", "local NAT64"),
        ("100::/64", "discard-only"),
        ("2001::/23", "protocol assignments, Teredo among them"),
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4, which leads to any IPv4 address"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment routing"),
        ("fc00::/7", "a private network"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
    )
)
"""What a public request never has a reason to reach.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries (2024), and Azure's wire server address."""

_NEVER_BY_NAME = tuple(
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        "168.63.129.16/32",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "fe80::/10",
        "ff00::/8",
    )
)
"""Refused even for a host that is allowed by name: whoever controls its DNS must not reach cloud metadata."""

_UNSAFE_PORTS = frozenset((
    1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103,
    104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513,
    514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719,
    1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6379, 6566, 6665, 6666, 6667, 6668, 6669,
    6679, 6697, 10080, 11211
))  # fmt: skip
"""Ports of services that are not HTTP but could be talked into something by it.

Source: WHATWG Fetch, section 2.9 (port blocking), and Redis and memcached."""

_OWN_HEADERS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_KEPT_ACROSS_ORIGINS = frozenset({"accept", "accept-language", "content-type", "user-agent"})
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e]*")
_REASONS = {
    errno.ECONNREFUSED: "nothing answers at this port",
    errno.EHOSTUNREACH: "the host cannot be reached",
    errno.ENETUNREACH: "the network cannot be reached",
    errno.ETIMEDOUT: "the host does not answer",
}


@dataclass(frozen=True, slots=True)
class OutboundResponse:
    """An answer, read whole and decompressed."""

    status_code: int
    headers: dict[str, str]
    """Lower-case names; repeated ones are joined by commas. Length and encoding of the transfer are left
    out."""
    content: bytes
    url: str
    """Where the answer came from, after redirects."""
    set_cookies: tuple[str, ...] = ()
    """Every `Set-Cookie`, which no comma can join."""


def refusal(address: Address) -> str:
    """Return why a public request must not reach `address`, or "" when it may."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return refusal(address.ipv4_mapped)
    for network, reason in _REFUSED:
        if address.version == network.version and address in network:
            return reason
    if not address.is_global or address.is_multicast or address.is_reserved:
        return "not globally routable"
    return ""


class AllowedHosts:
    """The private hosts an administrator allowed: `name`, `name:port`, `10.1.2.3`, `10.1.2.3:8080`,
    `10.1.0.0/16`."""

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._names: set[tuple[str, int | None]] = set()
        self._networks: list[tuple[Network, int | None]] = []
        for entry in entries:
            self._add(entry.strip().lower())

    def _add(self, entry: str) -> None:
        network = _network(entry)
        if network is not None:
            self._networks.append((network, None))
            return
        host, colon, port = entry.rpartition(":")
        if not colon or not port.isdecimal() or not 0 < int(port) < 65_536:
            host, port = entry, ""
        network = _network(host.removeprefix("[").removesuffix("]"))
        if network is not None:
            self._networks.append((network, int(port) if port else None))
        elif host and re.fullmatch(r"[a-z0-9._-]+", host):
            self._names.add((host.rstrip("."), int(port) if port else None))
        else:
            raise ValueError(f"{entry!r} is neither a host, a host with a port, an address nor a network")

    def allow(self, host: str, port: int, address: Address) -> bool:
        """Tell whether this address may be reached for this host and port although it is not public."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        for network, only_port in self._networks:
            if address.version == network.version and address in network and only_port in (None, port):
                return True
        if not self.names(host, port):
            return False
        return not any(address.version == net.version and address in net for net in _NEVER_BY_NAME)

    def names(self, host: str, port: int) -> bool:
        """Tell whether the host is allowed by its name."""
        name = host.rstrip(".").lower()
        return (name, None) in self._names or (name, port) in self._names


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


async def resolve_host(host: str, port: int) -> list[str]:
    """Resolve a name by the system's resolver. Raises: OSError."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def checked_addresses(
    host: str, port: int, allowed: AllowedHosts, *, resolve: Resolve = resolve_host, where: str
) -> list[Address]:
    """Return the addresses of a host, each of which may be reached: connect to one of these, not to the name.

    Raises: NodeError `outbound.dns`, `outbound.blocked`.
    """
    try:
        found = [str(ipaddress.ip_address(host.removeprefix("[").removesuffix("]")))]
    except ValueError:
        try:
            found = await resolve(host, port)
        except OSError as error:
            found = []
            if not isinstance(error, socket.gaierror):
                raise _dns_error(host, where) from error
    if not found:
        raise _dns_error(host, where)
    addresses = [ipaddress.ip_address(text) for text in found]
    for address in addresses:
        reason = refusal(address)
        if reason and not allowed.allow(host, port, address):
            raise NodeError(
                "outbound.blocked",
                sentence(
                    "{host} is at {address}, which nodes must not reach ({reason}).",
                    host=host,
                    address=address,
                    reason=reason,
                ),
                where=where,
                hint="Only public addresses are allowed; an administrator can allow a private host by name.",
            )
    return addresses


@dataclass(slots=True)
class _Hop:
    """One request of a chain of redirects."""

    method: str
    url: httpx.URL
    headers: dict[str, str]
    content: bytes


class OutboundClient:
    """Implements `sdk.HttpAccess`. One instance serves all runs of an event loop; it keeps no connection
    open.

    Connections are not reused on purpose: a pool keyed by address would let a request for one name travel
    over a TLS connection that was verified for another.
    """

    def __init__(
        self,
        *,
        allowed_private_hosts: Iterable[str] = (),
        resolve: Resolve = resolve_host,
        ssl_context: ssl.SSLContext | None = None,
        user_agent: str = "StructForge",
        max_connections: int = 100,
    ) -> None:
        """Raises: ValueError for an entry of `allowed_private_hosts` that is no host, address or network."""
        self._allowed = AllowedHosts(allowed_private_hosts)
        self._resolve = resolve
        self._user_agent = user_agent
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl_context or httpx.create_ssl_context(trust_env=False),
            trust_env=False,
            limits=httpx.Limits(max_connections=max_connections, max_keepalive_connections=0),
        )

    async def aclose(self) -> None:
        """Close what is open."""
        await self._transport.aclose()

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: dict[str, str] | None = None,
        content: bytes | None = None,
        timeout_s: float = 30.0,
        max_response_bytes: int = 10 * 1024 * 1024,
        follow_redirects: bool = True,
    ) -> OutboundResponse:
        """Send one request and read its answer, redirects included, within `timeout_s` in all.

        Raises: NodeError `outbound.url`, `outbound.blocked`, `outbound.redirects`, `http.method`,
        `http.header`, `http.tls`, `http.too_large`, `http.encoding` (retrying cannot help), `outbound.dns`,
        `http.timeout`, `http.connection` (it may).
        """
        if method.upper() not in METHODS:
            raise NodeError(
                "http.method",
                sentence("`{method}` is not a method nodes may use.", method=method[:20]),
                where="method",
            )
        hop = _Hop(method.upper(), parse_url(url), _checked_headers(headers or {}), content or b"")
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(MAX_REDIRECTS + 1):
                    response, location = await self._one(hop, max_response_bytes, follow_redirects)
                    if location is None:
                        return response
                    hop = _redirected(hop, response.status_code, location)
        except TimeoutError as error:
            raise NodeError(
                "http.timeout",
                sentence(
                    "{url} did not answer within {timeout_s} s.",
                    url=shown(hop.url),
                    timeout_s=f"{timeout_s:g}",
                ),
                hint="Try again later, or raise the time limit.",
                final=False,
            ) from error
        raise NodeError(
            "outbound.redirects",
            sentence(
                "{url} redirected more than {max_redirects} times.",
                url=shown(parse_url(url)),
                max_redirects=MAX_REDIRECTS,
            ),
            hint="Check the address: it may redirect to itself.",
        )

    async def _one(
        self, hop: _Hop, max_response_bytes: int, follow_redirects: bool
    ) -> tuple[OutboundResponse, str | None]:
        """Send one hop; the second value is where it redirects to, if that is to be followed."""
        response = await self._send(hop)
        try:
            location = response.headers.get("location")
            follows = (
                follow_redirects
                and location is not None
                and response.status_code in (301, 302, 303, 307, 308)
            )
            body = b"" if follows else await _read_body(response, max_response_bytes, shown(hop.url))
        except httpx.HTTPError as error:
            raise _connection_error(hop.url, error) from error
        finally:
            await response.aclose()
        headers, cookies = _headers(response)
        answer = OutboundResponse(response.status_code, headers, body, str(hop.url), cookies)
        return answer, location if follows else None

    async def _send(self, hop: _Hop) -> httpx.Response:
        """Connect to the addresses that were checked, one after the other until one accepts."""
        addresses = await self._addresses(hop.url)
        failure: httpx.HTTPError | None = None
        host = hop.url.raw_host.decode("ascii")
        for address in addresses[:MAX_ADDRESSES_TRIED]:
            request = httpx.Request(
                hop.method,
                hop.url.copy_with(host=str(address), fragment=None),
                headers={
                    "Host": hop.url.netloc.decode("ascii"),
                    "User-Agent": self._user_agent,
                    "Accept": "*/*",
                    **hop.headers,
                    "Accept-Encoding": "gzip, deflate",
                },
                content=hop.content if hop.content or hop.method in ("POST", "PUT", "PATCH") else None,
                extensions={"sni_hostname": host},
            )
            try:
                return await self._transport.handle_async_request(request)
            except httpx.ConnectError as error:
                failure = error
            except httpx.HTTPError as error:
                raise _connection_error(hop.url, error) from error
        assert failure is not None
        raise _connection_error(hop.url, failure) from failure

    async def _addresses(self, url: httpx.URL) -> list[Address]:
        """Return the addresses of the URL's host; all of them must be allowed."""
        host, port = url.host, _port(url)
        if port in _UNSAFE_PORTS and not self._allowed.names(host, port):
            raise NodeError(
                "outbound.blocked",
                sentence("Port {port} of {host} is not for HTTP.", port=port, host=host),
                where="url",
                hint="An administrator can allow the host by name.",
            )
        return await checked_addresses(
            url.raw_host.decode("ascii"), port, self._allowed, resolve=self._resolve, where="url"
        )


def parse_url(url: str) -> httpx.URL:
    """Parse an absolute http(s) URL. Raises: NodeError `outbound.url`."""
    problem = ""
    try:
        parsed = httpx.URL(url.strip())
        raw = parsed.raw_host.decode("ascii")
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise NodeError(
            "outbound.url",
            sentence("`{url}` is not a URL.", url=url[:200]),
            where="url",
            hint="Give an address such as https://example.org/.",
        ) from error
    if len(url) > MAX_URL_LENGTH:
        problem = sentence("The URL is longer than {most} characters.", most=MAX_URL_LENGTH)
    elif parsed.scheme not in ("http", "https"):
        problem = sentence("`{url}` does not begin with http:// or https://.", url=url[:200])
    elif not raw:
        problem = sentence("`{url}` names no host.", url=url[:200])
    elif parsed.userinfo:
        problem = "The URL holds a user name or password."
    elif "%" in raw:
        problem = sentence("`{raw}` names a network zone.", raw=raw)
    elif parsed.port is not None and not 0 < parsed.port < 65_536:
        problem = sentence("{port} is not a port.", port=parsed.port)
    if problem:
        hint = (
            "Put credentials into a header."
            if parsed.userinfo
            else "Give an address such as https://example.org/."
        )
        raise NodeError("outbound.url", problem, where="url", hint=hint)
    return parsed


def shown(url: httpx.URL) -> str:
    """Return the URL without its query, which may hold secrets, for messages."""
    return str(url.copy_with(query=None, fragment=None))


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _checked_headers(headers: dict[str, str]) -> dict[str, str]:
    for name, value in headers.items():
        if name.lower() in _OWN_HEADERS:
            raise NodeError(
                "http.header",
                sentence("The header `{name}` is set by the client itself.", name=name),
                where=f"headers.{name[:80]}",
            )
        check_header(name, value)
    return {name: value.strip() for name, value in headers.items()}


def check_header(name: str, value: str) -> None:
    """Refuse what is no name or no value of a header. Raises: NodeError `http.header`."""
    hint = ""
    if not _HEADER_NAME.fullmatch(name):
        problem = sentence("`{name}` is not a header name.", name=name[:80])
    elif not value.isascii() and value.isprintable():
        problem = sentence(
            "The value of the header `{name}` holds characters that a header cannot: it is ASCII.", name=name
        )
        hint = (
            "Write other letters as they are expected, most often by `urlencode`; in file names as "
            "`filename*=UTF-8''M%C3%BCller.pdf`."
        )
    elif not _HEADER_VALUE.fullmatch(value):
        problem = sentence(
            "The value of the header `{name}` holds characters that a header cannot.", name=name
        )
    else:
        return
    raise NodeError("http.header", problem, where=f"headers.{name[:80]}", hint=hint)


def _redirected(hop: _Hop, status: int, location: str) -> _Hop:
    """Return the next hop. Source: RFC 9110, section 15.4; WHATWG Fetch, HTTP-redirect fetch."""
    try:
        target = parse_url(str(hop.url.join(location)))
    except (httpx.InvalidURL, UnicodeError, ValueError) as error:
        raise NodeError(
            "outbound.url",
            sentence("{url} redirects to something that is not a URL.", url=shown(hop.url)),
            where="url",
        ) from error
    if hop.url.scheme == "https" and target.scheme == "http":
        raise NodeError(
            "outbound.blocked",
            sentence(
                "{url} redirects from https to http, which would send the request in the clear.",
                url=shown(hop.url),
            ),
            where="url",
        )
    method, content, headers = hop.method, hop.content, hop.headers
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", b""
        headers = {name: value for name, value in headers.items() if not name.lower().startswith("content-")}
    origin = (hop.url.scheme, hop.url.host, _port(hop.url))
    if origin != (target.scheme, target.host, _port(target)):
        headers = {name: value for name, value in headers.items() if name.lower() in _KEPT_ACROSS_ORIGINS}
    return _Hop(method, target, headers, content)


async def _read_body(response: httpx.Response, limit: int, source: str) -> bytes:
    """Read and decompress the body, never holding more than `limit` bytes and one network chunk."""
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise NodeError(
            "http.encoding",
            sentence(
                "{source} answers in the encoding `{encoding}`, which was not asked for.",
                source=source,
                encoding=encoding[:40],
            ),
        )
    inflate = Inflate(encoding) if encoding not in ("identity", "") else None
    body = bytearray()
    async for chunk in response.stream:  # type: ignore[union-attr]  # an asynchronous transport's stream
        try:
            body += chunk if inflate is None else inflate.feed(chunk, limit + 1 - len(body))
        except zlib.error as error:
            raise NodeError(
                "http.encoding",
                sentence("The answer of {source} is not valid {encoding}.", source=source, encoding=encoding),
                final=False,
            ) from error
        if len(body) > limit:
            raise NodeError(
                "http.too_large",
                sentence("The answer of {source} is larger than {limit} bytes.", source=source, limit=limit),
                hint="Ask for less, page by page, or raise the limit of the node.",
                limit_bytes=limit,
            )
    if inflate is not None and body and not inflate.finished:
        raise NodeError(
            "http.connection", sentence("The answer of {source} was cut off.", source=source), final=False
        )
    return bytes(body)


class Inflate:
    """Decompresses gzip and deflate piece by piece, never more than asked for."""

    def __init__(self, encoding: str) -> None:
        self._raw_possible = encoding == "deflate"
        self._inflater = zlib.decompressobj(wbits=47)

    @property
    def finished(self) -> bool:
        return self._inflater.eof

    def feed(self, data: bytes, most: int) -> bytes:
        """Return up to `most` bytes. Raises: zlib.error."""
        out = bytearray()
        while data and len(out) < most:
            if self._inflater.eof:  # a gzip file may have several members
                self._inflater = zlib.decompressobj(wbits=47)
            try:
                out += self._inflater.decompress(data, most - len(out))
            except zlib.error:
                if not self._raw_possible:
                    raise
                self._inflater = zlib.decompressobj(wbits=-15)
                out += self._inflater.decompress(data, most - len(out))
            self._raw_possible = False
            data = self._inflater.unused_data or self._inflater.unconsumed_tail
        return bytes(out)


def _headers(response: httpx.Response) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the headers by name in lower case, and the cookies; each value is read as UTF-8, else as Latin-1."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in response.headers.raw:
        name = raw_name.decode("latin-1").lower()
        try:
            value = raw_value.decode()
        except UnicodeDecodeError:
            value = raw_value.decode("latin-1")
        if name == "set-cookie":
            cookies.append(value)
        elif name not in ("content-encoding", "content-length", "transfer-encoding", "connection"):
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers, tuple(cookies)


def _connection_error(url: httpx.URL, error: httpx.HTTPError) -> NodeError:
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return NodeError(
            "http.tls",
            sentence("The certificate of {url} cannot be trusted.", url=shown(url)),
            where="url",
            hint="Check the address; a certificate of your own authority must be installed by an "
            "administrator.",
        )
    return NodeError(
        "http.connection",
        sentence("The connection to {url} failed: {reason}.", url=shown(url), reason=_reason(error)),
        where="url",
        hint="Check that the server runs and is reachable.",
        final=False,
    )


def _reason(error: httpx.HTTPError) -> str:
    """Return in our words what went wrong below."""
    if isinstance(error, httpx.ProtocolError):
        return sentence("its answer is not HTTP or was cut off")
    if not isinstance(error, httpx.ConnectError):
        return sentence("it was cut off")
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return sentence("encryption could not be agreed on")
        if isinstance(cause, OSError) and cause.errno in _REASONS:
            return sentence(_REASONS[cause.errno])
        cause = cause.__cause__ or cause.__context__
    return sentence("it could not be opened")


def _dns_error(host: str, where: str) -> NodeError:
    return NodeError(
        "outbound.dns",
        sentence("The host `{host}` was not found.", host=host),
        where=where,
        hint="Check the name.",
        final=False,
    )
