"""Nodes that branch and join: if, switch, parallel, merge. They compute nothing and pass their input on."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any, Literal

from pydantic import field_validator, model_validator

from structforge.domain.conditions import not_a_condition, truth
from structforge.domain.errors import sentence
from structforge.domain.numbers import decimal_of, is_number
from structforge.domain.ports import ERROR_PORT
from structforge.domain.values import same_value
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
    null (false). Anything else is an error, also "", "0", a list and an object: nothing is guessed. Compare it,
    as in `{{ rows | length > 0 }}` or `{{ name != "" }}`. `Switch` by condition and `Until` of a loop decide alike.

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
        return Ports(
            {"true" if _truth(parameters.condition, "parameters.condition") else "false": inputs.get("in")}
        )


def _truth(value: Any, where: str) -> bool:
    found = truth(value)
    if found is None:
        problem = not_a_condition(value, where)
        raise NodeError(problem.code, problem.message, where=where, hint=problem.hint)
    return found


PORT_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")
DEFAULT_PORT = "default"
MAX_BRANCHES = 50
RESERVED_PORTS = frozenset({DEFAULT_PORT, ERROR_PORT})


class SwitchCase(Parameters):
    name: str = parameter(
        title="Name", description="The port: a letter, then letters, digits and `_`.", expressions=False
    )
    match: Any = parameter(
        title="Match", description="The value to be equal to; or the condition, when choosing by condition."
    )


class SwitchParameters(Parameters):
    by: Literal["value", "condition"] = parameter(
        "value",
        title="Choose by",
        description="`value`: a case matches when it equals the value; `condition`: when its condition holds.",
        widget="select",
        expressions=False,
    )
    value: Any = parameter(
        None,
        title="Value",
        description="What the cases are compared with.",
        widget="text",
        placeholder="{{ order.country }}",
        show_if={"by": "value"},
    )
    cases: list[SwitchCase] = parameter(
        title="Cases",
        description="One port for each, looked at in order.",
        min_length=1,
        max_length=MAX_BRANCHES,
    )
    matches: Literal["first", "all"] = parameter(
        "first",
        title="Take",
        description="`first`: only the first case that matches; `all`: every case that matches.",
        widget="select",
        expressions=False,
    )

    @field_validator("cases")
    @classmethod
    def _names(cls, cases: list[SwitchCase]) -> list[SwitchCase]:
        _check_names([case.name for case in cases])
        return cases

    @model_validator(mode="after")
    def _has_value(self) -> "SwitchParameters":
        if self.by == "value" and not self.given("value"):
            raise ValueError(sentence("choosing by value needs the value"))
        return self


class Switch(Node[SwitchParameters]):
    """Sends its input down one of many ways, or several.

    Each case has a port of its name; what matches no case leaves by `default`. By value, a case matches when it
    equals the value: text and numbers are different things (`"5"` does not equal `5`), so are true and 1; numbers
    are equal when their value is (`5` and `5.0`). null equals null only. By condition, each case is true or false
    as in the node `If`.

    **Example.** With the value `{{ order.country }}` and the cases `asia` (`CN`) and `europe` (`FR`), an order
    from France leaves by `europe`, one from Chile by `default`.
    """

    type = "flow.switch"
    title = "Switch"
    category = "flow"
    icon = "signpost"
    keywords = ("case", "branch", "route", "condition", "many", "default", "if")
    inputs = (Port("in", "any", "Input", "What is passed on.", required=False),)
    outputs = (
        Port(DEFAULT_PORT, "any", "Default", "The input, when no case matches. Each case has its own port."),
    )
    by_reference = True
    Parameters = SwitchParameters
    examples = (
        Example(
            title="By value",
            parameters={
                "value": "FR",
                "cases": [{"name": "asia", "match": "CN"}, {"name": "europe", "match": "FR"}],
            },
            inputs={"in": {"id": 7}},
            output={"europe": {"id": 7}},
        ),
        Example(
            title="All conditions that hold",
            parameters={
                "by": "condition",
                "matches": "all",
                "cases": [
                    {"name": "large", "match": True},
                    {"name": "late", "match": False},
                    {"name": "foreign", "match": True},
                ],
            },
            inputs={"in": 1},
            output={"large": 1, "foreign": 1},
        ),
    )

    def output_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        cases = parameters.get("cases")
        names = (
            [case.get("name") for case in cases if isinstance(case, dict)] if isinstance(cases, list) else []
        )
        return (*_ports(names), *self.outputs)

    def run(self, context: NodeContext, parameters: SwitchParameters, inputs: Inputs) -> Result:
        """Return the input on the ports of what matches. Raises: NodeError `if.not_boolean`."""
        found: list[str] = []
        for index, case in enumerate(parameters.cases):
            if parameters.by == "value":
                holds = same_value(case.match, parameters.value)
            else:
                holds = _truth(case.match, f"parameters.cases[{index}].match")
            if holds:
                found.append(case.name)
                if parameters.matches == "first":
                    break
        return Ports(dict.fromkeys(found or [DEFAULT_PORT], inputs.get("in")))


class ParallelParameters(Parameters):
    branches: list[str] = parameter(
        title="Branches",
        description="Names of the branches, one port for each.",
        expressions=False,
        widget="list",
        min_length=1,
        max_length=MAX_BRANCHES,
    )

    @field_validator("branches")
    @classmethod
    def _names(cls, branches: list[str]) -> list[str]:
        _check_names(branches)
        return branches


class Parallel(Node[ParallelParameters]):
    """Sends its input down several named ways at the same time.

    Several edges from one port do the same; this node gives the branches names. Bring them together again with
    `Merge`.

    **Example.** With the branches `translate` and `summarize` the input leaves by both at once.
    """

    type = "flow.parallel"
    title = "Parallel"
    category = "flow"
    icon = "git-fork"
    keywords = ("fan out", "fork", "branches", "concurrent", "at once", "split")
    inputs = (Port("in", "any", "Input", "What is passed on.", required=False),)
    outputs = ()
    by_reference = True
    Parameters = ParallelParameters
    examples = (
        Example(
            title="Two branches",
            parameters={"branches": ["translate", "summarize"]},
            inputs={"in": "text"},
            output={"translate": "text", "summarize": "text"},
        ),
    )

    def output_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        branches = parameters.get("branches")
        return _ports(branches if isinstance(branches, list) else [])

    def run(self, context: NodeContext, parameters: ParallelParameters, inputs: Inputs) -> Result:
        """Return the input on every port."""
        return Ports(dict.fromkeys(parameters.branches, inputs.get("in")))


def _ports(names: Iterable[Any]) -> tuple[Port, ...]:
    known = dict.fromkeys(name for name in names if isinstance(name, str) and PORT_NAME.fullmatch(name))
    return tuple(Port(name, "any", name, "The input.") for name in known if name not in RESERVED_PORTS)


def _check_names(names: list[str]) -> None:
    for name in names:
        if not PORT_NAME.fullmatch(name):
            raise ValueError(
                sentence(
                    "{name} is no port name: a letter, then letters, digits and _", name=f"`{name[:60]}`"
                )
            )
        if name in RESERVED_PORTS:
            raise ValueError(sentence("{name} is the name of a port that is there already", name=f"`{name}`"))
    if len(set(names)) < len(names):
        raise ValueError(sentence("two ports have the same name"))


class MergeParameters(Parameters):
    mode: Literal["all", "concat", "first", "by_key"] = parameter(
        "all",
        title="Mode",
        description="`all`: a list with the value of each branch; `concat`: their lists joined into one; "
        "`first`: the value of the branch that arrives first; `by_key`: objects with the same key become one.",
        widget="select",
        expressions=False,
    )
    key: str = parameter(
        "id",
        title="Key",
        description="The field that tells which objects belong together.",
        show_if={"mode": "by_key"},
    )


class Merge(Node[MergeParameters]):
    """Brings branches together again.

    - `all` waits for every branch and gives the list of their values, in the order of the edges. Skipped
      branches are left out.
    - `concat` waits too and joins the lists (or small tables) into one. For large tables use `Append tables`.
    - `first` goes on with the first value that arrives; the others are ignored.
    - `by_key` waits for lists of objects and makes one object of those whose *Key* is equal; a later branch wins
      where both have a field. The order is that of first appearance.

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
        Example(
            title="By key",
            parameters={"mode": "by_key", "key": "id"},
            inputs={"in": [[{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bo"}], [{"id": 1, "age": 30}]]},
            output=[{"id": 1, "name": "Ann", "age": 30}, {"id": 2, "name": "Bo"}],
        ),
    )

    def fires_on_first(self, parameters: Mapping[str, Any]) -> bool:
        return parameters.get("mode") == "first"

    def takes_references(self, parameters: Mapping[str, Any]) -> bool:
        """See `Node`. Only lists that are joined are looked into."""
        return parameters.get("mode", "all") in ("all", "first")

    def run(self, context: NodeContext, parameters: MergeParameters, inputs: Inputs) -> Result:
        """Return the merged value. Raises: NodeError `merge.not_a_list`, `merge.no_key`."""
        values = list(inputs["in"])
        if parameters.mode == "first":
            return values[0] if values else None
        if parameters.mode == "all":
            return values
        for index, value in enumerate(values):
            if ArtifactRef.from_json(value) is not None:
                raise NodeError(
                    "merge.not_a_list",
                    sentence(
                        "The value of edge {index} is a large table or a file, which this mode does "
                        "not open.",
                        index=index + 1,
                    ),
                    where=f"input in[{index}]",
                    hint="Use the node `Append tables`.",
                )
            if not isinstance(value, list):
                raise NodeError(
                    "merge.not_a_list",
                    sentence(
                        "The value of edge {index} is not a list, so it cannot be joined to one.",
                        index=index + 1,
                    ),
                    where=f"input in[{index}]",
                    hint="Use the mode `all`.",
                )
        if parameters.mode == "by_key":
            return _by_key(values, parameters.key)
        return [element for value in values for element in value]


def _by_key(lists: list[list[Any]], key: str) -> list[Any]:
    merged: dict[tuple[type, Any], dict[str, Any]] = {}
    for edge, elements in enumerate(lists):
        for index, element in enumerate(elements):
            value = element.get(key) if isinstance(element, dict) else None
            if value is None or isinstance(value, (dict, list)):
                raise NodeError(
                    "merge.no_key",
                    sentence(
                        "Element {index} of edge {edge} has no text or number in the field {key}.",
                        index=index,
                        edge=edge + 1,
                        key=f"`{key[:80]}`",
                    ),
                    where=f"input in[{edge}][{index}]",
                    hint="Name a field that every object has.",
                )
            merged.setdefault(_key_of(value), {}).update(element)
    return list(merged.values())


def _key_of(value: Any) -> tuple[type, Any]:
    if isinstance(value, bool):
        return bool, value
    return (Decimal, decimal_of(value)) if is_number(value) else (str, value)
