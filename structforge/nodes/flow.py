"""Nodes that steer: if, merge. They compute nothing and pass their input on."""

from collections.abc import Mapping
from typing import Any, Literal

from structforge.sdk import (
    ArtifactRef,
    Example,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    Ports,
    Result,
    parameter,
)


class IfParameters(Parameters):
    condition: Any = parameter(
        title="Condition",
        description="An expression that gives true or false, such as `{{ summary[0].count > 10 }}`.",
        widget="text",
        placeholder="{{ summary[0].count > 10 }}",
    )


class If(Node[IfParameters]):
    """Sends its input down one of two ways.

    When the condition is true the input leaves by `true`, otherwise by `false`; what hangs on the other port
    is skipped. True and false are `true`, `false`, the texts "true" and "false", numbers (0 is false) and
    nothing (false). Anything else is an error: compare it, as in `{{ rows | length > 0 }}`.

    **Example.** With the condition `{{ order.total > 100 }}` and an order of 250, the order leaves by `true`.
    """

    type = "flow.if"
    title = "If"
    category = "flow"
    icon = "split"
    keywords = ("condition", "branch", "switch", "else", "decision", "route")
    inputs = (Port("in", "any", "Input", "What is passed on.", required=False),)
    outputs = (
        Port("true", "any", "True", "The input, when the condition holds."),
        Port("false", "any", "False", "The input, when it does not."),
    )
    by_reference = True
    Parameters = IfParameters
    examples = (
        Example(
            title="The condition holds",
            parameters={"condition": True},
            inputs={"in": {"total": 250}},
            output={"true": {"total": 250}},
        ),
        Example(
            title="It does not",
            parameters={"condition": 0},
            inputs={"in": {"total": 25}},
            output={"false": {"total": 25}},
        ),
    )

    def run(self, context: NodeContext, parameters: IfParameters, inputs: Inputs) -> Result:
        """Return the input on one port. Raises: NodeError `if.not_boolean`."""
        return Ports({"true" if _truth(parameters.condition) else "false": inputs.get("in")})


def _truth(value: Any) -> bool:
    if value is None or isinstance(value, (bool, int, float)):
        return bool(value)
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    shown = value if isinstance(value, str) else type(value).__name__
    raise NodeError(
        "if.not_boolean",
        f"The condition gives neither true nor false, but `{shown[:80]}`.",
        where="parameters.condition",
        hint="Write one expression in `{{ }}` that compares: `{{ rows | length > 0 }}`.",
    )


class MergeParameters(Parameters):
    mode: Literal["all", "concat", "first"] = parameter(
        "all",
        title="Mode",
        description="`all`: a list with the value of each branch; `concat`: their lists joined into one; "
        "`first`: the value of the branch that arrives first.",
        widget="select",
        expressions=False,
    )


class Merge(Node[MergeParameters]):
    """Brings branches together again.

    - `all` waits for every branch and gives the list of their values, in the order of the edges. Skipped
      branches are left out.
    - `concat` waits too and joins the lists (or small tables) into one. For large tables use `Append tables`.
    - `first` goes on with the first value that arrives; the others are ignored.

    **Example.** In mode `concat` the branches `[1, 2]` and `[3]` give `[1, 2, 3]`.
    """

    type = "flow.merge"
    title = "Merge"
    category = "flow"
    icon = "merge"
    keywords = ("join", "wait", "combine", "union", "first", "race", "branches")
    inputs = (Port("in", "any", "Branches", "The branches, in the order of their edges.", many=True),)
    outputs = (Port("out", "any", "Merged", "A list, or the first value."),)
    Parameters = MergeParameters
    examples = (
        Example(title="All", parameters={"mode": "all"}, inputs={"in": [1, {"a": 2}]}, output=[1, {"a": 2}]),
        Example(
            title="Joined", parameters={"mode": "concat"}, inputs={"in": [[1, 2], [3]]}, output=[1, 2, 3]
        ),
        Example(title="First", parameters={"mode": "first"}, inputs={"in": ["fast"]}, output="fast"),
    )

    def fires_on_first(self, parameters: Mapping[str, Any]) -> bool:
        return parameters.get("mode") == "first"

    def run(self, context: NodeContext, parameters: MergeParameters, inputs: Inputs) -> Result:
        """Return the merged value. Raises: NodeError `merge.not_a_list`."""
        values = list(inputs["in"])
        if parameters.mode == "first":
            return values[0]
        if parameters.mode == "all":
            return values
        for index, value in enumerate(values):
            if ArtifactRef.from_json(value) is not None:
                raise NodeError(
                    "merge.not_a_list",
                    f"The value of edge {index + 1} is a large table or a file, which `concat` does not "
                    "open.",
                    where=f"input in[{index}]",
                    hint="Use the node `Append tables`.",
                )
            if not isinstance(value, list):
                raise NodeError(
                    "merge.not_a_list",
                    f"The value of edge {index + 1} is not a list, so it cannot be joined to one.",
                    where=f"input in[{index}]",
                    hint="Use the mode `all`.",
                )
        return [element for value in values for element in value]
