"""Parameters of a node type: one pydantic model gives the form, validation, documentation and API schema.

Invariant: whatever a form shows stands in the JSON Schema, under `x-widget` and its neighbours.
"""

import functools
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from structforge.sdk.fitting import fitted

Widget = Literal[
    "text", "multiline", "code", "number", "checkbox", "select", "json", "file", "columns", "key_values",
    "row_expression", "list", "credential", "password", "connection", "workflow",
]  # fmt: skip

Kept = Literal["table", "inner", "all"]


class Parameters(BaseModel):
    """Base of every parameter model. Unknown names are refused; values are validated after expressions are
    resolved."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _fitted(cls, values: Any) -> Any:
        return fitted(cls, values)

    def given(self, name: str) -> bool:
        """Tell whether the parameter was given, be it as null: `None` alone does not say that it was left out."""
        return name in self.model_fields_set


class NoParameters(Parameters):
    """For node types that have nothing to configure."""


def parameter(
    default: Any = ...,
    *,
    title: str,
    description: str = "",
    widget: Widget | None = None,
    expressions: bool = True,
    language: str = "",
    placeholder: str = "",
    advanced: bool = False,
    show_if: dict[str, Any] | None = None,
    stands_for: str = "",
    by_reference: Kept | None = None,
    **constraints: Any,
) -> Any:
    """Declare one parameter, as `pydantic.Field` does, with what the form needs.

    `expressions=False` keeps `{{ }}` in the text as it is: the engine resolves nothing in it (row
    expressions, code). `show_if` hides the field unless the named parameters have these values. `stands_for`
    names the input port whose value the parameter replaces: once it is given, no edge has to lead there.
    `by_reference` says what may arrive as the reference of an artifact in the place of large data: `all` of it, what
    stands `inner` in a list or an object, or a `table` that is the whole value. `constraints` go to `pydantic.Field`.
    """
    extra: dict[str, Any] = {"x-expressions": expressions}
    if widget:
        extra["x-widget"] = widget
    if language:
        extra["x-language"] = language
    if placeholder:
        extra["x-placeholder"] = placeholder
    if advanced:
        extra["x-advanced"] = True
    if show_if:
        extra["x-show-if"] = show_if
    if stands_for:
        extra["x-stands-for"] = stands_for
    if by_reference:
        extra["x-by-reference"] = by_reference
    factory = constraints.pop("default_factory", None)
    if factory is not None:
        return Field(
            default_factory=factory,
            title=title,
            description=description,
            json_schema_extra=extra,
            **constraints,
        )
    return Field(default, title=title, description=description, json_schema_extra=extra, **constraints)


def fields_with(model: type[BaseModel], widget: Widget) -> tuple[str, ...]:
    """Return the names of the top-level parameters that are edited with this widget."""
    return tuple(
        name
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-widget") == widget
    )


def literal_fields(model: type[BaseModel]) -> frozenset[str]:
    """Return the names of the top-level parameters in which the engine must not resolve expressions."""
    return frozenset(
        name
        for name, field in model.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and field.json_schema_extra.get("x-expressions") is False
    )


def kept_by_reference(model: type[BaseModel]) -> dict[str, Kept]:
    """Return by name the top-level parameters that take references; one that stands for a port takes tables."""
    found: dict[str, Kept] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and (kept := _kept(extra)) is not None:
            found[name] = kept
    return found


def _kept(extra: dict[str, Any]) -> Kept | None:
    if extra.get("x-stands-for"):
        return "table"
    kept: Kept | None = extra.get("x-by-reference")
    return kept


@functools.cache
def stand_ins(model: type[BaseModel]) -> dict[str, tuple[str, str]]:
    """Return, by input port, name and title of the parameter that can be given in the place of an edge."""
    found: dict[str, tuple[str, str]] = {}
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        if isinstance(extra, dict) and isinstance(port := extra.get("x-stands-for"), str):
            found[port] = (name, field.title or name)
    return found
