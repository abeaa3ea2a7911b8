"""Parameters of a node: what its model finds wrong, except where an expression still has to be resolved.

An expression can become a value of any type, so an error at a value that holds one says nothing. Resolving
changes no key, so a missing or unknown name stays an error, unless it was found while trying one member of a
union and the choice among the members may depend on an expression.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

from structforge.domain.errors import Problem
from structforge.domain.expressions.problems import suggestion
from structforge.domain.validation.findings import at_node
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.values import path_of
from structforge.domain.workflow import NodeSpec

MARK = "{{"


def parameter_problems(spec: NodeSpec, shape: NodeShape) -> list[Problem]:
    """Return what is wrong with the parameters of a node, each problem once."""
    found: dict[tuple[str, str], Problem] = {}
    for error in shape.parameter_errors(spec.parameters):
        if _is_open(error, spec.parameters, shape.literal_parameters):
            continue
        problem = _problem(error, spec, shape)
        found.setdefault((problem.code, problem.where), problem)
    return list(found.values())


def texts_with_expressions(spec: NodeSpec, literal: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield (place, text) of each parameter text that holds an expression the engine will resolve."""
    for name, value in spec.parameters.items():
        if name not in literal:
            yield from _texts(value, at_node(spec.id, path_of("parameters", name)))


def _texts(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if MARK in value:
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _texts(item, path_of(path, key))
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            yield from _texts(item, path_of(path, index))


def _holds_expression(value: Any) -> bool:
    return next(_texts(value, ""), None) is not None


def _is_open(error: ErrorDetails, parameters: Mapping[str, Any], literal: frozenset[str]) -> bool:
    place = error["loc"]
    if place and place[0] in literal:
        return False
    if not place:
        return any(_holds_expression(value) for name, value in parameters.items() if name not in literal)
    value, missing, chosen = _follow(place, parameters)
    if chosen is not None and _holds_expression(chosen):
        return True
    return not missing and error["type"] != "extra_forbidden" and _holds_expression(value)


def _follow(place: Sequence[int | str], parameters: Mapping[str, Any]) -> tuple[Any, bool, Any]:
    """Return the value at a pydantic location, whether its last part is a missing name, and a union's value.

    A location also has parts that are no keys: after the value of a union comes the tag of the member tried.
    """
    value: Any = parameters
    chosen = None
    for number, part in enumerate(place):
        is_key = isinstance(value, Mapping) and part in value
        is_index = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if is_key or is_index:
            value = value[part]
        elif number == len(place) - 1 and isinstance(value, Mapping):
            return value, True, chosen
        elif chosen is None:
            chosen = value
    return value, False, chosen


def _problem(error: ErrorDetails, spec: NodeSpec, shape: NodeShape) -> Problem:
    place = error["loc"]
    path = "parameters"
    for part in place:
        path = path_of(path, part)
    where = at_node(spec.id, path)
    name = path.removeprefix("parameters").lstrip(".") or "parameters"
    if error["type"] == "missing":
        return Problem(
            "parameter.missing",
            f"{shape.title} needs the parameter {name}.",
            where,
            "Fill it in; it has no default.",
        )
    if error["type"] == "extra_forbidden":
        known = shape.parameter_names if len(place) == 1 else ()
        return Problem(
            "parameter.unknown",
            f"{shape.title} has no parameter {name}.",
            where,
            suggestion(str(place[-1]), known, "parameters") if known else "Remove it.",
        )
    message = error["msg"].removeprefix("Value error, ").rstrip(".")
    return Problem(
        "parameter.invalid",
        f"{name}: {message}.",
        where,
        f"See the documentation of {shape.title}.",
    )
