"""Python side of page.jsx, and a native form. Knows no StructForge words."""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components.modules import jsx_module


class PageBridge(rx.Component):
    """Toasts from a var, the document's language, the connection strip and the refresh of the session."""

    library = jsx_module("page.jsx")
    tag = "PageBridge"
    toast: rx.Var[dict[str, Any]]
    language: rx.Var[str]
    offline: rx.Var[bool]
    offline_text: rx.Var[str]
    close_text: rx.Var[str]
    refresh_url: rx.Var[str]
    """Answers `{"signed_in": true}` when the session goes on."""
    refresh_seconds: rx.Var[int]
    """0 for a page that needs no session."""
    lost: rx.Var[int]
    """A new number each time the server found no session."""
    shown: rx.Var[bool]
    """The page shows something, so that leaving it would lose it."""
    sign_in_url: rx.Var[str]
    ended_text: rx.Var[str]
    sign_in_text: rx.Var[str]


class NativePost(rx.Component):
    """Posts `fields` to `url` as a form of the browser, once they are there."""

    library = jsx_module("page.jsx")
    tag = "NativePost"
    url: rx.Var[str]
    fields: rx.Var[dict[str, str]]


class Broken(rx.Component):
    """Stands where a page broke; `texts` has `title`, `hint`, `reload` and `home` by language."""

    library = jsx_module("page.jsx")
    tag = "Broken"
    texts: rx.Var[dict[str, dict[str, str]]]
    home: rx.Var[str]


def _act_spec(name: rx.Var[str], value: rx.Var[str]) -> tuple[rx.Var[str], rx.Var[str]]:
    return (name, value)


class ToastActs(rx.Component):
    """Fires `on_act(name, value)` for the button of a toast with `act: {"name", "value", "text"}`."""

    library = jsx_module("page.jsx")
    tag = "ToastActs"
    on_act: rx.EventHandler[_act_spec]


class Ticker(rx.Component):
    """Fires `on_tick` every `every_ms` milliseconds while the page is visible."""

    library = jsx_module("page.jsx")
    tag = "Ticker"
    every_ms: rx.Var[int]
    on_tick: rx.EventHandler[rx.event.no_args_event_spec]


class Pulse(rx.Component):
    """Fires `on_pulse` when `value` changes, at most once in `every_ms` and while the page is visible."""

    library = jsx_module("page.jsx")
    tag = "Pulse"
    value: rx.Var[Any]
    every_ms: rx.Var[int]
    on_pulse: rx.EventHandler[rx.event.no_args_event_spec]


class NativeForm(rx.Component):
    """A form the browser itself submits: `rx.form` prevents that, and cookies need an HTTP answer."""

    tag = "form"
    _is_tag_in_global_scope = True
    action: rx.Var[str]
    method: rx.Var[str]


page_bridge = PageBridge.create
toast_acts = ToastActs.create
ticker = Ticker.create
pulse = Pulse.create
native_form = NativeForm.create
native_post = NativePost.create
broken = Broken.create
