"""Pages that list what an organization has by the dozen, with a dialog that makes one and a question before one goes.

Invariant: knows no entry's meaning; a page gives rows and handlers, and its services decide what may be done. Imported
by pages.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined, arg-type"

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import reflex as rx

from structforge.ui.components.entry import search_line
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.library import entered
from structforge.ui.locale import t
from structforge.ui.shell import empty, notice, skeleton

PAGE_ROWS = 50
FEW = 8
"""So many rows need no search."""
MAX_SEARCH_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class ListMessages:
    """Messages of such a list, by the name of each."""

    heading: str
    search: str
    error: str
    none: str
    none_hint: str


class EntriesState(rx.State, mixin=True):
    """What such a page shows: rows narrowed by words, more of them when asked for, and the open question."""

    rows: list[dict[str, Any]] = []
    total: int = 0
    """Without the search."""
    has_more: bool = False
    words: str = ""
    loaded: bool = False
    problem: dict[str, Any] = {}
    """Why the list could not be read."""
    may_manage: bool = False
    form_problem: dict[str, Any] = {}
    wrong_field: str = ""
    """The field of the form that `form_problem` is about."""
    leaving: str = ""
    leaving_name: str = ""
    _all: list[dict[str, Any]] = []
    _shown: int = PAGE_ROWS

    @rx.event
    def search(self, text: str) -> None:
        """Show only rows with these words."""
        self.words, self._shown = entered(text, MAX_SEARCH_CHARACTERS), PAGE_ROWS
        self._narrow()

    @rx.event
    def more(self) -> None:
        """Show further rows."""
        self._shown += PAGE_ROWS
        self._narrow()

    def _fill(self, rows: Sequence[dict[str, Any]]) -> None:
        self._all, self.total, self.loaded, self.problem = list(rows), len(rows), True, {}
        self._narrow()

    def _narrow(self) -> None:
        words = self.words.lower().split()
        found = [
            row
            for row in self._all
            if all(word in " ".join(str(value) for value in row.values()).lower() for word in words)
        ]
        self.rows, self.has_more = found[: self._shown], len(found) > self._shown

    def _wrong(self, problem: dict[str, Any] | None = None, where: str = "") -> None:
        self.form_problem, self.wrong_field = problem or {}, where


def field_of(fields: object, name: str, max_characters: int) -> str:
    """Return a field of a form as a text."""
    return entered(fields.get(name) if isinstance(fields, dict) else None, max_characters)


def icon_button(icon: str, key: str, name: rx.Var[str], action: Any, **more: Any) -> rx.Component:
    """Return a button of a row; `name` tells whose it is."""
    return rx.el.button(
        rx.icon(icon, size=16),
        type="button",
        class_name="btn ghost icon",
        aria_label=t(key) + ": " + name,
        title=t(key),
        on_click=action,
        **more,
    )


def listing(state: Any, said: ListMessages, headings: Sequence[str], row: Any, *, icon: str) -> rx.Component:
    """Return the list in all its states. `headings` are messages, the last of them for the buttons of a row."""
    *shown, last = headings
    table = rx.el.div(
        rx.el.table(
            rx.el.thead(
                rx.el.tr(
                    *(rx.el.th(t(key), scope="col") for key in shown),
                    rx.el.th(rx.el.span(t(last), class_name="visually-hidden"), scope="col"),
                )
            ),
            rx.el.tbody(rx.foreach(state.rows, row)),
            class_name="data",
        ),
        class_name="table-wrap",
    )
    some = rx.fragment(
        table,
        rx.cond(
            state.has_more,
            rx.el.div(
                rx.el.button(t("app.more"), type="button", class_name="btn", on_click=state.more),
                class_name="pager",
            ),
        ),
    )
    nothing = rx.cond(
        state.words != "",
        empty("search-x", t("app.none_found"), t("app.none_found_hint")),
        empty(icon, t(said.none), t(said.none_hint)),
    )
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=state.enter)
    return rx.cond(
        state.problem.length() > 0,
        notice(t(said.error), rx.el.p(told(state.problem)), retry),
        rx.el.div(
            rx.cond(
                (state.total > FEW) | (state.words != ""),
                search_line(
                    value=state.words,
                    label=t(said.search),
                    max_length=MAX_SEARCH_CHARACTERS,
                    on_search=state.search,
                ),
            ),
            rx.el.section(
                rx.cond(state.loaded, rx.cond(state.rows.length() > 0, some, nothing), skeleton()),
                class_name="card",
                aria_label=t(said.heading),
            ),
            class_name="stack",
        ),
    )


def form_line(
    state: Any, name: str, label: str, *, hint: str | rx.Var[str] = "", **more: Any
) -> rx.Component:
    """Return a field of the form: its label, hint, and what is wrong with it."""
    wrong = state.wrong_field == name
    place = f"entry-{name.replace('.', '-')}"
    said = t(hint) if isinstance(hint, str) and hint else hint
    hinted = not (isinstance(hint, str) and hint == "")
    return rx.el.div(
        rx.el.label(t(label), html_for=place),
        rx.el.input(
            id=place,
            name=name,
            class_name="input",
            auto_complete="off",
            aria_invalid=rx.cond(wrong, "true", "false"),
            aria_describedby=rx.cond(wrong, f"{place}-problem", f"{place}-hint" if hinted else ""),
            **more,
        ),
        rx.el.p(said, class_name="help", id=f"{place}-hint") if hinted else rx.fragment(),
        rx.cond(
            wrong,
            rx.el.p(
                rx.icon("circle-alert", size=15),
                rx.el.span(told(state.form_problem)),
                class_name="error",
                id=f"{place}-problem",
                role="alert",
            ),
        ),
        class_name="field",
    )


def form_end(state: Any, submit: str | rx.Var[str], fields: Sequence[str]) -> rx.Component:
    """Return the end of the form: what is wrong with none of its `fields`, and the buttons."""
    elsewhere = (state.form_problem.length() > 0) & ~rx.Var.create(list(fields)).contains(state.wrong_field)
    return rx.fragment(
        rx.cond(elsewhere, rx.el.p(told(state.form_problem), class_name="error", role="alert")),
        rx.el.div(
            rx.el.button(t("app.cancel"), type="button", class_name="btn ghost", on_click=state.close),
            rx.el.button(
                t(submit) if isinstance(submit, str) else submit, type="submit", class_name="btn primary"
            ),
            class_name="row end dialog-foot",
        ),
    )


def removal(state: Any, label: str, go: str | rx.Var[str], action: Any, *content: Any) -> rx.Component:
    """Return the question before the entry that `leaving` names goes; Cancel has the focus."""
    return dialog(
        rx.el.p(state.leaving_name, class_name="strong"),
        *content,
        rx.el.div(
            rx.el.button(
                t("app.cancel"),
                type="button",
                class_name="btn ghost",
                on_click=state.close,
                custom_attrs={"data-focus": "true"},
            ),
            rx.el.button(
                t(go) if isinstance(go, str) else go, type="button", class_name="btn danger", on_click=action
            ),
            class_name="row end",
        ),
        open=state.leaving != "",
        label=t(label),
        close_text=t("app.close"),
        on_close=state.close,
    )
