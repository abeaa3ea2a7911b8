"""What a webhook declares, of a trigger or of a step that waits: the door of the API reads it without the run.

Invariant: these parameters hold no expressions (nothing runs yet that could resolve them) and no secret.
"""

from typing import Annotated, Literal

from pydantic import Field

from structforge.sdk.parameters import Parameters, parameter

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RESPONSE_FIELDS = frozenset({"status", "headers", "body"})
"""The fields of a run's output that is an HTTP response, as `flow.respond` makes it."""

OWN_RESPONSE_HEADERS = frozenset(
    {"cache-control", "clear-site-data", "connection", "content-length", "content-security-policy", "date",
     "keep-alive", "server", "set-cookie", "strict-transport-security", "te", "trailer", "transfer-encoding",
     "upgrade", "x-content-type-options", "x-request-id"}
)  # fmt: skip
"""Of the connection, of our own answers, and cookies: one origin serves webhooks and the web app."""

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
Origin = Annotated[str, Field(pattern=r"^(\*|https?://[A-Za-z0-9.\[\]:_-]{1,255})$")]


_METHODS = parameter(
    ("POST",),
    title="Methods",
    description="Others are answered with 405.",
    widget="list",
    expressions=False,
    min_length=1,
)
_TOLERANCE_S = parameter(
    300,
    title="Replay window in seconds",
    description="How far the signed time may be from now, to either side.",
    ge=1,
    le=3_600,
    expressions=False,
    show_if={"signature": True},
    advanced=True,
)
_MAX_BYTES = parameter(
    1_048_576,
    title="Largest body in bytes",
    description="Larger ones are answered with 413; the installation's own limit holds too.",
    ge=0,
    le=100_000_000,
    expressions=False,
    advanced=True,
)
_HEADERS = parameter(
    (),
    title="More headers",
    description="Names of headers passed on beside content-type and user-agent; credentials never are.",
    widget="list",
    expressions=False,
    advanced=True,
)


class ResumeRules(Parameters):
    """What the API reads of a step that waits for a request."""

    methods: tuple[Method, ...] = _METHODS
    signature: bool = parameter(
        False,
        title="Signature required",
        description="Beside the address nobody can guess: requests are signed with the secret made for this node.",
        expressions=False,
    )
    tolerance_s: int = _TOLERANCE_S
    max_bytes: int = _MAX_BYTES
    headers: tuple[str, ...] = _HEADERS


class WebhookParameters(Parameters):
    """What the API reads of a trigger that is called over HTTP."""

    path: str = parameter(
        "",
        title="Path",
        description="A path of your own below `/hooks/o/<organization>/`; empty gives an unguessable address.",
        expressions=False,
        placeholder="orders/new",
        pattern=r"^$|^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}$",
    )
    methods: tuple[Method, ...] = _METHODS
    response: Literal["respond", "async"] = parameter(
        "async",
        title="Response",
        description="`async`: 202 with the run's id at once; `respond`: what a Respond node says, or the run's output.",
        widget="select",
        expressions=False,
    )
    time_limit_s: float = parameter(
        30.0,
        title="Time limit in seconds",
        description="How long the caller waits for the response before it gets 202 with the run's id.",
        gt=0,
        le=300,
        expressions=False,
        show_if={"response": "respond"},
    )
    signature: bool = parameter(
        True,
        title="Signature required",
        description="Without a secret made for this trigger no request is accepted then.",
        expressions=False,
    )
    tolerance_s: int = _TOLERANCE_S
    max_bytes: int = _MAX_BYTES
    headers: tuple[str, ...] = _HEADERS
    origins: tuple[Origin, ...] = parameter(
        (),
        title="Origins of web pages (CORS)",
        description="Pages that may call this address from a browser, such as `https://shop.example`; `*` is any page.",
        widget="list",
        expressions=False,
        max_length=100,
        advanced=True,
    )
