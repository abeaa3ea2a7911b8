"""The node that answers the caller of a webhook.

Invariant: a response is a plain value, the run's output; the door of the API alone turns it into HTTP.
"""

from typing import Any

from structforge.sdk import Example, Inputs, Node, NodeContext, Parameters, Port, Result, parameter
from structforge.sdk.control import Return


class RespondParameters(Parameters):
    status: int = parameter(200, title="Status", description="The HTTP status.", ge=200, le=599)
    headers: dict[str, str] = parameter(
        {},
        title="Headers",
        description="Cookies and headers of the connection are left out.",
        widget="key_values",
    )
    body: Any = parameter(
        None,
        title="Body",
        description="A text is sent as it is, anything else as JSON, null too; left out, the node's input is sent.",
        widget="json",
        placeholder="{{ result }}",
        by_reference="all",
    )


class Respond(Node[RespondParameters]):
    """Answers the caller of a webhook and ends the run, as succeeded.

    The trigger's response is set to `respond`. The answer is the run's last word: what is still running is
    cancelled, nothing else starts. For work after the answer let the trigger answer at once (`async`), or start
    another workflow before this node.

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
        return Return({"status": parameters.status, "headers": parameters.headers, "body": body})
