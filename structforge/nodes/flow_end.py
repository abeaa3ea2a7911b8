"""Nodes that end a run before its last step: stop with an error, return early."""

from typing import Any

from structforge.sdk import Example, Inputs, Node, NodeContext, NodeError, Parameters, Port, Result, parameter
from structforge.sdk.control import Return


class StopParameters(Parameters):
    code: str = parameter(
        "stopped",
        title="Code",
        description="What programs tell this error by: lower-case letters, digits, `_` and `.`.",
        pattern=r"^[a-z][a-z0-9_.]{0,79}$",
    )
    message: str = parameter(
        title="Message",
        description="What people read.",
        widget="multiline",
        placeholder="Order {{ order.id }} has no lines.",
        min_length=1,
        max_length=2_000,
    )


class Stop(Node[StopParameters]):
    """Ends the run as failed, with an error of your own.

    Retry does not help and is not tried. The node's error handling works as for any other error, so inside a loop
    only that iteration may fail.

    **Example.** Behind the `false` port of a check: the code `order.empty` and the message
    `Order {{ order.id }} has no lines.`
    """

    type = "flow.stop"
    title = "Stop with error"
    category = "flow"
    icon = "octagon-x"
    keywords = ("fail", "error", "abort", "raise", "throw", "end")
    inputs = (Port("in", "any", "Input", "Arrives when the run is to stop.", required=False),)
    outputs = ()
    Parameters = StopParameters
    examples = (
        Example(
            title="An empty order", parameters={"code": "order.empty", "message": "The order has no lines."}
        ),
    )

    def run(self, context: NodeContext, parameters: StopParameters, inputs: Inputs) -> Result:
        """Raises: NodeError with the code and the message."""
        raise NodeError(parameters.code, parameters.message)


class ReturnParameters(Parameters):
    value: Any = parameter(
        None,
        title="Output",
        description="What the run returns, be it null; left out, the node's input is returned.",
        widget="json",
        placeholder="{{ summary }}",
        by_reference="all",
    )


class ReturnEarly(Node[ReturnParameters]):
    """Ends the run here, as succeeded, with this output.

    Steps that are running are cancelled (those that must not be repeated are awaited), nothing else starts.

    **Example.** Behind the `true` port of "is it in the cache?": the value `{{ cached.answer }}`.
    """

    type = "flow.return"
    title = "Return"
    category = "flow"
    icon = "corner-down-left"
    keywords = ("return", "early", "finish", "end", "output", "result", "exit")
    inputs = (Port("in", "any", "Input", "Returned when no output is given.", required=False),)
    outputs = (Port("out", "any", "Output", "What the run returned; nothing runs behind it."),)
    ends_run = True
    by_reference = True
    Parameters = ReturnParameters
    examples = (Example(title="A value from the cache", parameters={"value": "{{ cached.answer }}"}),)

    def run(self, context: NodeContext, parameters: ReturnParameters, inputs: Inputs) -> Result:
        """Return what ends the run."""
        return Return(parameters.value if parameters.given("value") else inputs.get("in"))
