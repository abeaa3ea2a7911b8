"""The node that waits for a request from outside, at an address of its own.

Invariant: the door of the API checks and keeps the request; the node only says what it takes and passes it on.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from structforge.sdk import (
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    Port,
    Ports,
    Result,
    parameter,
)
from structforge.sdk.control import Wait
from structforge.sdk.webhooks import ResumeRules

MAX_WAIT_S = 366 * 86_400


class WaitWebhookParameters(ResumeRules):
    time_limit_s: float | None = parameter(
        None,
        title="Time limit",
        description="Seconds after which the run goes on at `timeout`; empty waits for as long as it takes.",
        widget="number",
        gt=0,
        le=MAX_WAIT_S,
    )


class WaitForWebhook(Node[WaitWebhookParameters]):
    """Waits until somebody outside calls an address made for this step.

    The address is `{{ run.resume.<id of this node> }}`: hand it to the outside in a node before this one (an HTTP
    request, a message). It cannot be guessed, belongs to this step of this run alone, and is answered once: the
    first request counts and gets 202, later ones get 409, and 410 when the step or the run is over. A request that
    comes before the run is here is kept; so is one to a paused run. Waiting holds no worker and survives restarts.

    The request leaves by `received`: `method`, `headers` (content-type, user-agent and those you name), `query`,
    `body` and `received_at`. When nobody calls in time, the run goes on at `timeout`.

    **Example.** Order a video with the callback `{{ run.resume.done }}`, then wait in the node `done`, and use
    `{{ done.body.url }}`.
    """

    type = "flow.wait_webhook"
    title = "Wait for webhook"
    category = "flow"
    icon = "radio"
    keywords = ("callback", "http", "resume", "request", "wait", "async", "event", "external", "respond")
    inputs = (Port("in", "any", "Input", "Arrives when the waiting begins.", required=False),)
    outputs = (
        Port("received", "object", "Received", "Method, headers, query, body and time of the request."),
        Port("timeout", "object", "Timeout", "Since when and how long was waited, when nobody called."),
    )
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    by_reference = True
    receives = True
    Parameters = WaitWebhookParameters
    examples = (Example(title="A day at most", parameters={"time_limit_s": 86400, "methods": ["POST"]}),)

    async def run(self, context: NodeContext, parameters: WaitWebhookParameters, inputs: Inputs) -> Result:
        """Wait, or pass the request on."""
        answer: Any = context.answer
        if isinstance(answer, dict) and "received_at" in answer:
            return Ports({"received": answer})
        now = datetime.now(UTC)
        since = context.waiting_since or now
        due = None
        if parameters.time_limit_s is not None:
            due = since + timedelta(seconds=parameters.time_limit_s)
            if now >= due:
                return Ports({"timeout": {"asked_at": since.isoformat(), "limit_s": parameters.time_limit_s}})
        asks = {
            "kind": "webhook",
            "decisions": [],
            "methods": list(parameters.methods),
            "signature": parameters.signature,
            "until": due.isoformat() if due else None,
        }
        return Wait(due, asks)
