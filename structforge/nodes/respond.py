"""The node that answers the caller of a webhook.

Invariant: a response is a plain value, the run's output; the door of the API alone turns it into HTTP.
"""

from typing import Any

from structforge.nodes.http_headers import header_texts
from structforge.sdk import Example, Inputs, Node, NodeContext, Parameters, Port, Result, parameter
from structforge.sdk.control import Return
from structforge.sdk.webhooks import OWN_RESPONSE_HEADERS
from structforge.security.outbound import check_header


class RespondParameters(Parameters):
    status: int = parameter(200, title="Status", description="The HTTP status.", ge=200, le=599)
    headers: dict[str, Any] = parameter(
        {},
        title="Headers",
        description="ASCII; null leaves one out, and so are cookies and headers of the connection, with a warning.",
        widget="key_values",
    )
    body: Any = parameter(
        None,
        title="Body",
        description="A text is sent as it is, a file as its bytes, anything else as JSON, null too; left out, the "
        "node's input is sent.",
        widget="json",
        placeholder="{{ result }}",
        by_reference="all",
    )


class Respond(Node[RespondParameters]):
    """Answers the caller of a webhook and ends the run, as succeeded.

    The trigger's response is set to `respond`. The answer is the run's last word: what is still running is
    cancelled, nothing else starts. For work after the answer let the trigger answer at once (`async`), or start
    another workflow before this node.

    A text is `text/plain`, a file goes with its type and name (as an attachment; the header `Content-Disposition:
    inline` shows it), everything else is JSON. Statuses 204, 205 and 304 go without a body.

    **Example.** Status 201 with the body `{"id": "{{ order.id }}"}`.
    """

    type = "flow.respond"
    title = "Respond"
    category = "flow"
    icon = "reply"
    keywords = ("answer", "http", "response", "webhook", "return", "status", "headers")
    inputs = (Port("in", "any", "Input", "Arrives when the answer is to be sent.", required=False),)
    outputs = ()
    ends_run = True
    by_reference = True
    Parameters = RespondParameters
    examples = (Example(title="Created", parameters={"status": 201, "body": {"id": 7}}),)

    def run(self, context: NodeContext, parameters: RespondParameters, inputs: Inputs) -> Result:
        """Return early with status, headers and body."""
        body = parameters.body if parameters.given("body") else inputs.get("in")
        headers = header_texts(parameters.headers)
        for name, value in headers.items():
            check_header(name, value)
            if name.lower() in OWN_RESPONSE_HEADERS:
                context.log("warning", f"the header {name} is left out: a response cannot set it")
        return Return({"status": parameters.status, "headers": headers, "body": body})
