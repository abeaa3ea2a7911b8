"""Other names for nodes in what refers to them: edges aside, the expressions of parameters and policies.

Invariant: only references that are found statically change, at their exact place; a text that is no valid expression
stays as it is, and so does a parameter whose braces mean nothing. Any layer may import it.
"""

from collections.abc import Collection, Mapping
from typing import Any

from structforge.domain.expressions import ExpressionError, parse
from structforge.domain.workflow import NodeSpec

NOTHING: Collection[str] = frozenset()


def with_names(value: Any, names: Mapping[str, str]) -> Any:
    """Return a parameter tree whose expressions name nodes by their new names (old to new)."""
    if isinstance(value, dict):
        return {key: with_names(each, names) for key, each in value.items()}
    if isinstance(value, list):
        return [with_names(each, names) for each in value]
    if not isinstance(value, str) or "{{" not in value:
        return value
    try:
        references = parse(value).references
    except ExpressionError:
        return value
    for start, name in sorted({(each.position[0], each.name) for each in references}, reverse=True):
        new = names.get(name)
        if new is not None and value.startswith(name, start):
            value = f"{value[:start]}{new}{value[start + len(name) :]}"
    return value


def spec_with_names(spec: NodeSpec, names: Mapping[str, str], literal: Collection[str] = NOTHING) -> NodeSpec:
    """Return a node that refers to others by their new names; `literal` parameters hold no expressions."""
    parameters = {
        name: value if name in literal else with_names(value, names)
        for name, value in spec.parameters.items()
    }
    each = spec.policies.each
    policies = spec.policies
    if each is not None:
        items = with_names(each.items, names)
        policies = policies.model_copy(update={"each": each.model_copy(update={"items": items})})
    if parameters == spec.parameters and policies == spec.policies:
        return spec
    return spec.model_copy(update={"parameters": parameters, "policies": policies})
