"""Nodes that shape single values: set fields."""

from collections.abc import Mapping
from typing import Any

from structforge.sdk import Example, Inputs, Node, NodeContext, NodeError, Parameters, Port, Result, parameter


class SetFieldsParameters(Parameters):
    fields: dict[str, Any] = parameter(
        default_factory=dict,
        title="Fields",
        description="Name and value of each field. A value may be an expression and keeps its type.",
        widget="key_values",
        by_reference="all",
    )
    keep_input: bool = parameter(
        False,
        title="Keep the input's fields",
        description="Start from the object that came in; fields of the same name are replaced.",
    )


class SetFields(Node[SetFieldsParameters]):
    """Makes an object from named values.

    Use it to give values a name and a shape before the next node: `city`, `since`, `limit`. Each value may
    be an expression such as `{{ start.city }}`, and keeps the type the expression has. With *Keep the input's
    fields* the object that came in is extended, otherwise the output has the listed fields only.

    **Example.** Fields `limit = 10` and `label = warm`, with *Keep the input's fields* and the input
    `{"city": "Seattle", "limit": 5}`, give `{"city": "Seattle", "limit": 10, "label": "warm"}`.
    """

    type = "data.set"
    title = "Set fields"
    category = "data"
    icon = "pencil"
    keywords = ("edit", "assign", "variable", "constant", "object", "map")
    inputs = (
        Port("in", "any", "Input", "The object to extend, or any value that only triggers.", required=False),
    )
    outputs = (Port("out", "object", "Object", "The object with the fields set."),)
    Parameters = SetFieldsParameters
    examples = (
        Example(
            title="Extend an object",
            parameters={"fields": {"limit": 10, "label": "warm"}, "keep_input": True},
            inputs={"in": {"city": "Seattle", "limit": 5}},
            output={"city": "Seattle", "limit": 10, "label": "warm"},
        ),
        Example(
            title="Start from nothing", parameters={"fields": {"limit": 10}}, inputs={}, output={"limit": 10}
        ),
    )

    def takes_references(self, parameters: Mapping[str, Any]) -> bool:
        """See `Node`. What only triggers is not read."""
        return parameters.get("keep_input", False) is False

    def run(self, context: NodeContext, parameters: SetFieldsParameters, inputs: Inputs) -> Result:
        """Return the fields, over the input's when asked. Raises: NodeError `set.not_an_object`."""
        if not parameters.keep_input:
            return dict(parameters.fields)
        value = inputs.get("in", {})
        if not isinstance(value, dict):
            raise NodeError(
                "set.not_an_object",
                "The input is not an object, so its fields cannot be kept.",
                where="input in",
                hint="Turn off `Keep the input's fields`, or set the value as a field of its own.",
            )
        return value | parameters.fields
