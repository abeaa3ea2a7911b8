"""How the list of workflows looks: folders and tags, rows, and the dialogs over them.

Invariant: it shows and sends; what may be done is decided by the states in `workflows.py` and the services.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any

import reflex as rx

from structforge.ui import routes
from structforge.ui.components.entry import file_post, in_place, search_line
from structforge.ui.components.live import status_mark, when
from structforge.ui.components.overlay import dialog, menu
from structforge.ui.components.page import ticker, toast_acts
from structforge.ui.components.told import told
from structforge.ui.library import TemplateItem, WorkflowItem
from structforge.ui.locale import label_of, labels, language_tag, t
from structforge.ui.pages.workflows import (
    IMPORT_MAX_BYTES,
    MAX_TEXT_CHARACTERS,
    REFRESH_MS,
    WorkflowFormState,
    WorkflowsState,
)
from structforge.ui.shell import empty, notice, page_head, shell, skeleton


def _place(icon: str, text: Any, count: Any, chosen: Any, on_click: Any) -> rx.Component:
    return rx.el.button(
        rx.icon(icon, size=15),
        rx.el.span(text, class_name="place-name"),
        rx.el.span(count, class_name="place-count num"),
        type="button",
        class_name="place",
        aria_pressed=rx.cond(chosen, "true", "false"),
        on_click=on_click,
    )


def _places() -> rx.Component:
    state = WorkflowsState
    everything = (state.folder == "") & (state.tag == "") & ~state.deleted
    return rx.el.nav(
        _place("layers", t("workflows.all"), state.total, everything, state.show_all),
        rx.cond(
            state.folders.length() > 0,
            rx.el.div(
                rx.el.h2(t("workflows.folders")),
                rx.foreach(
                    state.folders,
                    lambda each: _place(
                        "folder",
                        each["name"],
                        each["count"],
                        state.folder == each["name"],
                        state.choose_folder(each["name"]),
                    ),
                ),
                class_name="place-group",
            ),
        ),
        rx.cond(
            state.tags.length() > 0,
            rx.el.div(
                rx.el.h2(t("workflows.tags")),
                rx.foreach(
                    state.tags,
                    lambda each: _place(
                        "tag",
                        each["name"],
                        each["count"],
                        state.tag == each["name"],
                        state.choose_tag(each["name"]),
                    ),
                ),
                class_name="place-group",
            ),
        ),
        rx.cond(
            (state.deleted_total > 0) | state.deleted,
            rx.el.div(
                _place(
                    "trash-2", t("workflows.trash"), state.deleted_total, state.deleted, state.show_deleted
                ),
                class_name="place-group",
            ),
        ),
        class_name="places",
        aria_label=t("workflows.places"),
    )


def _publication(row: rx.Var[WorkflowItem]) -> rx.Component:
    return rx.cond(
        row["version"].to(int) > 0,
        rx.el.div(
            rx.el.span(t("run.version") + f" {row['version']}", class_name="chip good-chip"),
            rx.cond(row["changed"], rx.el.span(t("workflows.changed"), class_name="chip warn-chip")),
            class_name="chips",
        ),
        rx.el.span(t("workflows.unpublished"), class_name="chip"),
    )


def _menu(row: rx.Var[WorkflowItem]) -> rx.Component:
    def item(name: str, icon: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "text": t(f"workflows.{name}"), "icon": icon} | more

    export = item(
        "export", "download", href=routes.API_WORKFLOWS + "/" + row["id"].to(str) + "/export", download=True
    )
    copy = [item("duplicate", "copy")]
    change = [item("rename", "pencil"), item("move", "folder-input")]
    remove = [item("delete", "trash-2", danger=True)]
    editor = rx.Var.create([*change, *copy, export, *remove])
    reader = rx.Var.create([export])
    own_items = rx.cond(WorkflowsState.may_edit, editor, reader)
    items = rx.cond(WorkflowsState.deleted, rx.Var.create([item("restore", "rotate-ccw")]), own_items)
    return rx.cond(
        ~WorkflowsState.deleted | WorkflowsState.may_delete,
        menu(
            label=t("workflows.actions"),
            items=items,
            on_choose=lambda name: WorkflowsState.act(row["id"].to(str), name),
        ),
    )


def _name(row: rx.Var[WorkflowItem]) -> rx.Component:
    title = rx.cond(
        WorkflowsState.deleted,
        rx.el.span(row["name"], class_name="strong"),
        rx.el.a(row["name"], href=routes.WORKFLOWS + "/" + row["id"].to(str), class_name="strong"),
    )
    shown = rx.fragment(
        title,
        rx.cond(row["description"] != "", rx.el.p(row["description"], class_name="muted small one-line")),
        rx.cond(
            (row["folder"] != "") | (row["tags"].to(list[str]).length() > 0),
            rx.el.div(
                rx.cond(
                    row["folder"] != "",
                    rx.el.button(
                        rx.icon("folder", size=12),
                        row["folder"],
                        type="button",
                        class_name="chip",
                        on_click=WorkflowsState.choose_folder(row["folder"].to(str)),
                    ),
                ),
                rx.foreach(
                    row["tags"].to(list[str]),
                    lambda tag: rx.el.button(
                        rx.icon("tag", size=11),
                        tag,
                        type="button",
                        class_name="chip",
                        on_click=WorkflowsState.choose_tag(tag),
                    ),
                ),
                class_name="chips",
            ),
        ),
    )
    return rx.cond(
        WorkflowsState.renaming == row["id"],
        in_place(
            value=row["name"],
            label=t("workflows.name"),
            problem=WorkflowsState.rename_problem,
            save_text=t("app.save"),
            cancel_text=t("app.cancel"),
            max_length=1_000,
            on_save=WorkflowsState.rename,
            on_cancel=WorkflowsState.leave_name,
        ),
        shown,
    )


def _row(row: rx.Var[WorkflowItem]) -> rx.Component:
    run = rx.cond(
        row["run_id"] != "",
        rx.el.a(
            status_mark(status=row["run_status"], label=label_of("status", row["run_status"])),
            rx.el.span(when(at=row["run_at"], locale=language_tag()), class_name="muted small"),
            href=routes.RUNS + "/" + row["run_id"].to(str),
            class_name="last-run",
        ),
        rx.el.span(t("workflows.never_run"), class_name="muted"),
    )
    return rx.el.tr(
        rx.el.td(_name(row), class_name="name-cell"),
        rx.el.td(run),
        rx.el.td(_publication(row)),
        rx.el.td(when(at=row["updated_at"], locale=language_tag()), class_name="small muted"),
        rx.el.td(_menu(row), class_name="menu-cell"),
        key=row["id"].to(str),
        custom_attrs={"data-workflow": row["id"].to(str)},
    )


def _sorted(key: str, here: Any, *, by_name: bool) -> rx.Component:
    """The head of a column that the list can be sorted by."""
    icon = "arrow-down-a-z" if by_name else "arrow-down"
    return rx.el.th(
        rx.el.button(
            t(key),
            rx.cond(here, rx.icon(icon, size=13), rx.icon("arrow-up-down", size=13)),
            type="button",
            class_name="sort",
            title=t("workflows.sort"),
            on_click=WorkflowsState.sort(by_name),
        ),
        scope="col",
        aria_sort=rx.cond(here, "ascending" if by_name else "descending", "none"),
    )


def _table() -> rx.Component:
    return rx.fragment(
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        _sorted("workflows.name", WorkflowsState.by_name, by_name=True),
                        rx.el.th(t("workflows.last_run"), scope="col"),
                        rx.el.th(t("workflows.published"), scope="col"),
                        _sorted("workflows.updated", ~WorkflowsState.by_name, by_name=False),
                        rx.el.th(
                            rx.el.span(t("workflows.actions"), class_name="visually-hidden"), scope="col"
                        ),
                    )
                ),
                rx.el.tbody(rx.foreach(WorkflowsState.rows, _row)),
                class_name="data",
            ),
            class_name="table-wrap",
        ),
        rx.cond(
            (WorkflowsState.page > 1) | WorkflowsState.has_more,
            rx.el.div(
                rx.el.span(t("runs.page", page=WorkflowsState.page)),
                rx.el.div(
                    rx.el.button(
                        t("app.previous"),
                        type="button",
                        class_name="btn",
                        disabled=WorkflowsState.page <= 1,
                        on_click=WorkflowsState.newer,
                    ),
                    rx.el.button(
                        t("app.next"),
                        type="button",
                        class_name="btn",
                        disabled=~WorkflowsState.has_more,
                        on_click=WorkflowsState.older,
                    ),
                    class_name="row",
                ),
                class_name="pager",
            ),
        ),
    )


def _opener(form: str, icon: str, look: str = "") -> rx.Component:
    return rx.el.button(
        rx.icon(icon, size=15),
        t(f"workflows.open.{form}"),
        type="button",
        class_name=f"btn {look}",
        on_click=WorkflowFormState.open(form),
    )


def _openers() -> rx.Component:
    return rx.cond(
        WorkflowsState.may_create,
        rx.el.div(
            _opener("import", "upload"),
            _opener("templates", "sparkles"),
            _opener("new", "plus", "primary"),
            class_name="row",
        ),
    )


def _content() -> rx.Component:
    narrowed = (WorkflowsState.text != "") | (WorkflowsState.folder != "") | (WorkflowsState.tag != "")
    clear = rx.el.button(
        t("workflows.clear"), type="button", class_name="btn", on_click=WorkflowsState.show_all
    )
    nothing = rx.cond(
        narrowed,
        empty("search-x", t("workflows.none"), t("workflows.none_hint"), clear),
        rx.cond(
            WorkflowsState.deleted,
            empty("trash-2", t("workflows.no_deleted"), t("workflows.no_deleted_hint")),
            empty("workflow", t("workflows.empty"), t("workflows.empty_hint"), _openers()),
        ),
    )
    return rx.cond(
        WorkflowsState.loaded,
        rx.cond((WorkflowsState.rows.length() > 0) | (WorkflowsState.page > 1), _table(), nothing),
        skeleton(),
    )


def _problem(field: str, identifier: str) -> rx.Component:
    return rx.cond(
        WorkflowFormState.problems.contains(field),
        rx.el.p(
            rx.icon("circle-alert", size=15),
            rx.el.span(told(WorkflowFormState.problems[field])),
            class_name="error",
            id=identifier,
            role="alert",
        ),
    )


def _line(identifier: str, field: str, label: str, hint: str, **more: Any) -> rx.Component:
    wrong = WorkflowFormState.problems.contains(field)
    return rx.el.div(
        rx.el.label(t(label), html_for=identifier),
        rx.el.input(
            id=identifier,
            name=field,
            class_name="input",
            auto_complete="off",
            aria_invalid=rx.cond(wrong, "true", "false"),
            aria_describedby=rx.cond(wrong, f"{identifier}-problem", f"{identifier}-hint"),
            **more,
        ),
        _problem(field, f"{identifier}-problem"),
        rx.el.p(t(hint), class_name="help", id=f"{identifier}-hint"),
        class_name="field",
    )


def _end(text: str) -> rx.Component:
    return rx.el.div(
        rx.el.button(
            t("app.cancel"), type="button", class_name="btn ghost", on_click=WorkflowFormState.close
        ),
        rx.el.button(t(text), type="submit", class_name="btn primary"),
        class_name="row end",
    )


def _new_form() -> rx.Component:
    return rx.el.form(
        _line(
            "workflow-name",
            "name",
            "workflows.name",
            "workflows.name_hint",
            max_length=1_000,
        ),
        _end("workflows.create"),
        on_submit=WorkflowFormState.create,
        class_name="stack",
        no_validate=True,
    )


def _labels_form() -> rx.Component:
    folders = rx.el.datalist(
        rx.foreach(WorkflowsState.folders, lambda each: rx.el.option(value=each["name"].to(str))),
        id="known-folders",
    )
    return rx.el.form(
        rx.el.p(WorkflowFormState.subject_name, class_name="strong"),
        _line(
            "workflow-folder",
            "folder",
            "workflows.folder",
            "workflows.folder_hint",
            default_value=WorkflowFormState.folder,
            list="known-folders",
        ),
        folders,
        _line(
            "workflow-tags",
            "tags",
            "workflows.tags",
            "workflows.tags_hint",
            default_value=WorkflowFormState.tags,
        ),
        _end("app.save"),
        on_submit=WorkflowFormState.save_labels,
        class_name="stack",
    )


def _template(template: rx.Var[TemplateItem]) -> rx.Component:
    return rx.el.li(
        rx.el.svg(
            rx.foreach(template["lines"].to(list[str]), lambda path: rx.el.path(d=path, class_name="wire")),
            rx.foreach(
                template["dots"].to(list[dict[str, str]]),
                lambda dot: rx.el.rect(
                    x=dot["x"], y=dot["y"], width="18", height="12", rx="3.5", class_name=dot["look"]
                ),
            ),
            view_box="0 0 240 84",
            custom_attrs={"aria-hidden": "true"},
        ),
        rx.el.h3(told(template["name"]), id="template-" + template["id"].to(str)),
        rx.el.p(told(template["description"]), class_name="muted small"),
        rx.el.div(
            rx.el.span(t("workflows.steps") + ": " + template["steps"].to(str), class_name="muted small"),
            rx.el.button(
                t("workflows.use"),
                type="button",
                id="use-" + template["id"].to(str),
                aria_labelledby="use-" + template["id"].to(str) + " template-" + template["id"].to(str),
                class_name="btn",
                on_click=WorkflowFormState.use_template(template["id"].to(str)),
            ),
            class_name="row spread",
        ),
        class_name="card template",
    )


def _forms() -> rx.Component:
    form = WorkflowFormState.form
    common: dict[str, Any] = {"close_text": t("app.close"), "on_close": WorkflowFormState.close}
    return rx.fragment(
        dialog(_new_form(), open=form == "new", label=t("workflows.open.new"), **common),
        dialog(_labels_form(), open=form == "labels", label=t("workflows.move"), **common),
        dialog(
            rx.el.p(t("workflows.import_lead"), class_name="muted"),
            file_post(
                url=routes.API_IMPORT,
                max_bytes=IMPORT_MAX_BYTES,
                texts=labels("file"),
                on_done=WorkflowFormState.imported,
            ),
            open=form == "import",
            label=t("workflows.open.import"),
            wide=True,
            **common,
        ),
        dialog(
            rx.el.p(t("workflows.templates_lead"), class_name="muted"),
            rx.el.ul(rx.foreach(WorkflowFormState.templates, _template), class_name="templates"),
            open=form == "templates",
            label=t("workflows.open.templates"),
            wide=True,
            **common,
        ),
    )


def workflows_page() -> rx.Component:
    """The page."""
    return shell(
        ticker(every_ms=REFRESH_MS, on_tick=WorkflowsState.refresh),
        toast_acts(on_act=WorkflowsState.undelete),
        page_head(t("workflows.title"), t("workflows.lead"), _openers()),
        rx.cond(
            WorkflowsState.problem,
            notice(
                t("workflows.error"),
                rx.el.p(told(WorkflowsState.problem)),
                rx.el.button(
                    t("app.retry"), type="button", class_name="btn", on_click=WorkflowsState.refresh
                ),
            ),
        ),
        rx.el.div(
            _places(),
            rx.el.div(
                search_line(
                    value=WorkflowsState.text,
                    label=t("workflows.search"),
                    max_length=MAX_TEXT_CHARACTERS,
                    on_search=WorkflowsState.search,
                ),
                rx.el.section(_content(), class_name="card", aria_label=t("workflows.title")),
                class_name="stack",
            ),
            class_name="with-places",
        ),
        _forms(),
    )
