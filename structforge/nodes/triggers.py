"""Triggers: the nodes a run starts with."""

from structforge.sdk import Example, Inputs, Node, NodeContext, Port, Result
from structforge.sdk.parameters import NoParameters
from structforge.sdk.webhooks import WebhookParameters


class ManualTrigger(Node[NoParameters]):
    """Starts a run by hand, from the API, or as the call of another workflow.

    Its output is the run's input: the object given when the run was started, after it was checked against the
    workflow's inputs schema. A workflow without such a trigger can be run too; then its nodes without inputs
    start.

    **Example.** Started with `{"city": "Seattle"}`, the next nodes can use `{{ start.city }}`, when this
    node's id is `start`.
    """

    type = "trigger.manual"
    title = "Manual trigger"
    category = "trigger"
    icon = "play"
    keywords = ("start", "run", "input", "begin", "button", "api")
    inputs = ()
    outputs = (Port("out", "object", "Input", "The object the run was started with."),)
    trigger = True
    examples = (
        Example(
            title="Started with a city",
            parameters={},
            inputs={"in": {"city": "Seattle"}},
            output={"city": "Seattle"},
        ),
    )

    def run(self, context: NodeContext, parameters: NoParameters, inputs: Inputs) -> Result:
        """Pass the run's input on: the engine hands it to the fired trigger as its `in`."""
        return inputs.get("in", {})


class WebhookTrigger(Node[WebhookParameters]):
    """Starts a run for each request to the workflow's own address.

    Its output is the request: `method`, `headers` (content-type, user-agent and those you name; never cookies or
    credentials), `query`, `body` (JSON decoded, a form as an object with its files, text as text, anything else as
    a file, null for nothing) and `received_at`. The address of the published version and that of the draft, which
    answers only while you listen, are shown with the workflow; so is the secret, once. How to sign a request, and
    how pages of other origins may call it (CORS), is told in `docs/webhooks.md`.

    **Example.** With the id `hook`, the next nodes can use `{{ hook.body.order_id }}`.
    """

    type = "trigger.webhook"
    title = "Webhook"
    category = "trigger"
    icon = "webhook"
    keywords = ("http", "request", "callback", "signature", "hmac", "api", "start", "endpoint")
    inputs = ()
    outputs = (Port("out", "object", "Request", "Method, headers, query, body and time of the request."),)
    trigger = True
    Parameters = WebhookParameters
    examples = (
        Example(
            title="An order arrives",
            parameters={"methods": ["POST"], "response": "async"},
            inputs={
                "in": {
                    "method": "POST",
                    "headers": {"content-type": "application/json"},
                    "query": {},
                    "body": {"order_id": 7},
                    "received_at": "2026-01-02T03:04:05Z",
                }
            },
            output={
                "method": "POST",
                "headers": {"content-type": "application/json"},
                "query": {},
                "body": {"order_id": 7},
                "received_at": "2026-01-02T03:04:05Z",
            },
        ),
    )

    def run(self, context: NodeContext, parameters: WebhookParameters, inputs: Inputs) -> Result:
        """Pass the request on: the engine hands it to the fired trigger as its `in`."""
        return inputs.get("in", {})
