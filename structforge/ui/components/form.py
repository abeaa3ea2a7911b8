"""Python side of form.jsx: forms from JSON Schemas. Knows no StructForge words.

Invariant: each field commits by itself as `on_set(subject, name, value, seen, key)` or `on_unset(subject, name, seen,
key)`, where `seen` (`{"value", "unset"}`) is what the field held when its editing began and `key` is the outbox's; the
server answers with new `values` and `problems`.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module

_MODULE = jsx_module("form.jsx")
CODE_MIRROR = [
    "@uiw/react-codemirror@4.25.12",
    "@codemirror/autocomplete@6.20.4",
    "@codemirror/lang-javascript@6.2.5",
    "@codemirror/lang-json@6.0.2",
    "@codemirror/lang-markdown@6.5.2",
    "@codemirror/lang-python@6.2.1",
    "@codemirror/lang-sql@6.10.0",
    "@codemirror/language@6.13.1",
    "@codemirror/state@6.7.6",
    "@codemirror/view@6.43.15",
    "@lezer/highlight@1.2.5",
]
"""What code.jsx and expressions.jsx import; loaded by the browser with the first field."""


def _set_spec(
    subject: rx.Var[str], name: rx.Var[str], value: rx.Var[Any], seen: rx.Var[Any], key: rx.Var[str]
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[Any], rx.Var[Any], rx.Var[str]]:
    return (subject, name, value, seen, key)


def _unset_spec(
    subject: rx.Var[str], name: rx.Var[str], seen: rx.Var[Any], key: rx.Var[str]
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[Any], rx.Var[str]]:
    return (subject, name, seen, key)


def _preview_spec(path: rx.Var[str], text: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (path, text)


def _line_spec(
    value: rx.Var[str], seen: rx.Var[str], key: rx.Var[str]
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[str]]:
    return (value, seen, key)


class SchemaForm(rx.Component):
    """The fields of an object schema; `subject` names what is edited, a new one starts afresh."""

    library = _MODULE
    tag = "SchemaForm"
    lib_dependencies: list[str] = CODE_MIRROR
    subject: rx.Var[str]
    schema: rx.Var[dict[str, Any]]
    values: rx.Var[dict[str, Any]]
    problems: rx.Var[dict[str, Any]]
    """Path of a field to `{"message", "spans": [{"start", "end"}]}`."""
    texts: rx.Var[dict[str, str]]
    names: rx.Var[dict[str, str]]
    """What people read for the words of a choice."""
    titles: rx.Var[dict[str, str]]
    """A field's own title to the one people read."""
    read_only: rx.Var[bool]
    focus: rx.Var[dict[str, Any]]
    """`{"subject", "path"}`: bring this field into view."""
    scope: rx.Var[dict[str, Any]]
    """What expressions can name, see expressions.jsx."""
    help: rx.Var[dict[str, Any]]
    """What expressions can use anywhere; without it no field takes expressions."""
    help_texts: rx.Var[dict[str, str]]
    files: rx.Var[str]
    """Address that lists files, and takes one under its name."""
    look: rx.Var[str]
    """Address that looks into the file of the field `file`; empty where nothing is to be looked into."""
    look_texts: rx.Var[dict[str, str]]
    offers: rx.Var[dict[str, Any]]
    """A widget's name to the `{"value", "text"}` that fields with it offer beside free text."""
    preview: rx.Var[dict[str, Any]]
    refused: rx.Var[dict[str, Any]]
    """`{"subject", "name"}` of a value that was not taken: what the server holds shows again."""
    on_set: rx.EventHandler[_set_spec]
    on_unset: rx.EventHandler[_unset_spec]
    on_preview: rx.EventHandler[_preview_spec]


class TextLine(rx.Component):
    """One line that commits when it is left as `on_set(value, seen, key)`; see the module."""

    library = _MODULE
    tag = "TextLine"
    value: rx.Var[str]
    label: rx.Var[str]
    read_only: rx.Var[bool]
    max_length: rx.Var[int]
    on_set: rx.EventHandler[_line_spec]


class NameLine(rx.Component):
    """The name that others refer to; fires `on_set(old, new)`, and `fault` says why that was not taken."""

    library = _MODULE
    tag = "NameLine"
    value: rx.Var[str]
    label: rx.Var[str]
    fault: rx.Var[Any]
    on_set: rx.EventHandler[_preview_spec]


name_line = NameLine.create
schema_form = SchemaForm.create
text_line = TextLine.create
