"""Triggers: the nodes a run starts with."""

from structforge.sdk import Example, Inputs, Node, NodeContext, Port, Result
from structforge.sdk.parameters import NoParameters


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
