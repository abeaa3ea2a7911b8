"""Python side of entry.jsx: a search line, a text edited in its place, a file to post. Knows no StructForge words."""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module

_MODULE = jsx_module("entry.jsx")


def _text_spec(text: rx.Var[str]) -> tuple[rx.Var[str]]:
    return (text,)


class SearchLine(rx.Component):
    """Fires `on_search` when the typing pauses."""

    library = _MODULE
    tag = "SearchLine"
    value: rx.Var[str]
    label: rx.Var[str]
    max_length: rx.Var[int]
    on_search: rx.EventHandler[_text_spec]


class InPlace(rx.Component):
    """A line with save and cancel that stands where the text stood; Escape cancels."""

    library = _MODULE
    tag = "InPlace"
    value: rx.Var[str]
    label: rx.Var[str]
    problem: rx.Var[Any]
    save_text: rx.Var[str]
    cancel_text: rx.Var[str]
    max_length: rx.Var[int]
    on_save: rx.EventHandler[_text_spec]
    on_cancel: rx.EventHandler[rx.event.no_args_event_spec]


class FilePost(rx.Component):
    """Posts a JSON file or pasted text to `url`; `on_done` gets the id in the answer.

    Past a websocket's limits, so the browser posts it itself.
    """

    library = _MODULE
    tag = "FilePost"
    url: rx.Var[str]
    max_bytes: rx.Var[int]
    texts: rx.Var[dict[str, str]]
    on_done: rx.EventHandler[_text_spec]


class MomentLine(rx.Component):
    """A date and time, shown in the reader's time zone and told as ISO 8601 in UTC."""

    library = _MODULE
    tag = "MomentLine"
    value: rx.Var[str]
    label: rx.Var[str]
    on_set: rx.EventHandler[_text_spec]


search_line = SearchLine.create
moment_line = MomentLine.create
in_place = InPlace.create
file_post = FilePost.create
