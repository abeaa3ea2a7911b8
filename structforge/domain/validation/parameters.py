"""Parameters of a node: what its model finds wrong, except where an expression still has to be resolved.

An expression can become a value of any type, so an error at a value that holds one says nothing. Resolving
changes no key, so a missing or unknown name stays an error, unless it was found while trying one member of a
union and the choice among the members may depend on an expression.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic_core import ErrorDetails

from structforge.domain.errors import Problem, sentence
from structforge.domain.expressions.problems import suggestion
from structforge.domain.faults import fault_sentence
from structforge.domain.validation.findings import at_node
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.values import path_of
from structforge.domain.workflow import NodeSpec

MARK = "{{"


def parameter_problems(spec: NodeSpec, shape: NodeShape) -> list[Problem]:
    """Return what is wrong with the parameters of a node."""
    problems: list[Problem] = []
    for error in shape.parameter_errors(spec.parameters):
        found = _find(error, spec.parameters)
        if not _is_open(error, found, spec.parameters, shape.literal_parameters):
            problems.append(_problem(error, found, spec, shape))
    return problems


def resolved_problems(
    errors: Iterable[ErrorDetails], values: Mapping[str, Any], spec: NodeSpec, shape: NodeShape
) -> list[Problem]:
    """Return what pydantic found wrong with the parameters once no expression is left in them."""
    return [_problem(error, _find(error, values), spec, shape) for error in errors]


def _holds_expression(value: Any) -> bool:
    if isinstance(value, str):
        return MARK in value
    if isinstance(value, Mapping):
        return any(_holds_expression(item) for item in value.values())
    return isinstance(value, list) and any(_holds_expression(item) for item in value)


@dataclass(frozen=True, slots=True)
class _Found:
    """What stands at the location of a pydantic error."""

    value: Any
    keys: tuple[int | str, ...]
    """The parts of the location that are keys or positions; a missing name is one too."""
    union: Any
    """The value of the first union on the way: its location goes on with the tag of the member tried."""


def _find(error: ErrorDetails, parameters: Mapping[str, Any]) -> _Found:
    value: Any = parameters
    keys: list[int | str] = []
    union = None
    for number, part in enumerate(error["loc"]):
        is_key = isinstance(value, Mapping) and part in value
        is_position = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if is_key or is_position:
            value = value[part]
        elif error["type"] != "missing" or number < len(error["loc"]) - 1:
            union = value if union is None else union
            continue
        keys.append(part)
    return _Found(value, tuple(keys), union)


def _is_open(
    error: ErrorDetails, found: _Found, parameters: Mapping[str, Any], literal: frozenset[str]
) -> bool:
    """Tell whether resolving the expressions may still mend the error."""
    if not found.keys:
        return any(_holds_expression(value) for name, value in parameters.items() if name not in literal)
    if found.keys[0] in literal:
        return False
    if _holds_expression(found.union):
        return True
    return error["type"] not in ("missing", "extra_forbidden") and _holds_expression(found.value)


def _problem(error: ErrorDetails, found: _Found, spec: NodeSpec, shape: NodeShape) -> Problem:
    path = "parameters"
    for part in found.keys:
        path = path_of(path, part)
    where = at_node(spec.id, path)
    name = path.removeprefix("parameters").lstrip(".") or shape.title
    if error["type"] == "missing":
        return Problem(
            "parameter.missing",
            sentence(
                "{title} needs the parameter {name}.", title=shape.title, node_type=spec.type, name=name
            ),
            where,
            "Fill it in; it has no default.",
        )
    if error["type"] == "extra_forbidden":
        known = shape.names_at(error["loc"])
        return Problem(
            "parameter.unknown",
            sentence("{title} has no parameter {name}.", title=shape.title, node_type=spec.type, name=name),
            where,
            suggestion(str(error["loc"][-1]), known, "parameters") if known else "Remove it.",
        )
    message = fault_sentence(error)
    return Problem(
        "parameter.invalid",
        sentence("{name}: {message}.", name=name, message=message),
        where,
        sentence("See the documentation of {title}.", title=shape.title, node_type=spec.type),
    )
