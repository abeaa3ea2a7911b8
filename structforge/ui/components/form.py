"""Python side of form.jsx: forms from JSON Schemas. Knows no StructForge words.

Invariant: each field commits by itself as `on_set(name, value)` or `on_unset(name)`; the server answers with new
`values` and `problems` (`{path: sentence}`).
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module

_MODULE = jsx_module("form.jsx")


def _set_spec(name: rx.Var[str], value: rx.Var[Any]) -> tuple[rx.Var[str], rx.Var[Any]]:
    return (name, value)


def _one_spec(value: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (value,)


class SchemaForm(rx.Component):
    """The fields of an object schema; `subject` names what is edited, a new one starts afresh."""

    library = _MODULE
    tag = "SchemaForm"
    subject: rx.Var[str]
    schema: rx.Var[dict[str, Any]]
    values: rx.Var[dict[str, Any]]
    problems: rx.Var[dict[str, str]]
    texts: rx.Var[dict[str, str]]
    read_only: rx.Var[bool]
    on_set: rx.EventHandler[_set_spec]
    on_unset: rx.EventHandler[_one_spec]


class TextLine(rx.Component):
    """One line that commits when it is left."""

    library = _MODULE
    tag = "TextLine"
    value: rx.Var[str]
    label: rx.Var[str]
    read_only: rx.Var[bool]
    max_length: rx.Var[int]
    on_set: rx.EventHandler[_one_spec]


schema_form = SchemaForm.create
text_line = TextLine.create
