"""What the editor's views share: round buttons told by an icon and a name, where files are kept."""

from typing import Any

import reflex as rx

from structforge.ui.locale import t

FILES = "/api/v1/files"


def tool(icon: str, key: str, handler: Any, **more: Any) -> rx.Component:
    """Return a button that shows an icon; `key` is its name in the catalogue."""
    button: rx.Component = rx.el.button(
        rx.icon(icon, size=16),
        type="button",
        class_name="btn ghost icon",
        aria_label=t(key),
        title=t(key),
        data_command=t(key),
        on_click=handler,
        **more,
    )
    return button
