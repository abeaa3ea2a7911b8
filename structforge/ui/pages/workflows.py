"""The list of workflows, the app's home: find, file, make, copy, delete and bring back.

Invariant: rows come from the visitor's organization (the service's call); every handler takes ids and names as
anybody may send them, and the services check them on the object touched.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.access import Permission
from structforge.domain.errors import InvalidError, StructForgeError
from structforge.interchange import own
from structforge.storage.repositories.paging import Cursor
from structforge.ui import routes
from structforge.ui.components.entry import file_post, in_place, search_line
from structforge.ui.components.live import status_mark, when
from structforge.ui.components.overlay import dialog, menu
from structforge.ui.components.page import ticker, toast_acts
from structforge.ui.library import (
    PlaceItem,
    TemplateItem,
    WorkflowItem,
    place_items,
    template_item,
    workflow_item,
)
from structforge.ui.locale import LocaleState, label_of, labels, language_tag, message, t
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, say, tell, tell_problem, visitor_of
from structforge.ui.shell import empty, notice, page_head, shell, skeleton

PAGE_ROWS = 25
REFRESH_MS = 5_000
IMPORT_MAX_BYTES = 5 * 1024 * 1024
MAX_TEXT_CHARACTERS = 200
FORMS = ("new", "templates", "import")
UNDO_DELETE = "undelete-workflow"


class WorkflowsState(rx.State):
    """One page of rows, and what they are narrowed to."""

    rows: list[WorkflowItem] = []
    text: str = ""
    folder: str = ""
    tag: str = ""
    deleted: bool = False
    folders: list[PlaceItem] = []
    tags: list[PlaceItem] = []
    total: int = 0
    deleted_total: int = 0
    has_more: bool = False
    page: int = 1
    loaded: bool = False
    problem: str = ""
    may_create: bool = False
    may_edit: bool = False
    may_delete: bool = False
    renaming: str = ""
    """The id of the workflow whose name is being edited."""
    rename_problem: str = ""
    _before: list[str] = []
    """The cursors of the pages up to this one; none for the first."""
    _next: str = ""

    @rx.event
    async def enter(self) -> None:
        """Open the list at its first page."""
        self._before, self.renaming = [], ""
        await self._load()
        forms = await self.get_state(WorkflowFormState)
        await forms._open(self.router.url.query_parameters.get("open", ""))

    @rx.event
    async def refresh(self) -> None:
        """Read the page again."""
        await self._load()

    @rx.event
    async def search(self, text: str) -> None:
        """Show the workflows that have these words."""
        if isinstance(text, str):
            self.text, self._before = text[:MAX_TEXT_CHARACTERS], []
            await self._load()

    @rx.event
    async def show_all(self) -> None:
        """Show every workflow."""
        self.folder, self.tag, self.text, self.deleted, self._before = "", "", "", False, []
        await self._load()

    @rx.event
    async def show_deleted(self) -> None:
        """Show what was deleted."""
        self.folder, self.tag, self.deleted, self._before = "", "", True, []
        await self._load()

    @rx.event
    async def choose_folder(self, name: str) -> None:
        """Show a folder; the one shown is left."""
        if isinstance(name, str):
            self.folder = "" if name == self.folder else name[: own.MAX_FOLDER_CHARACTERS]
            self.deleted, self._before = False, []
            await self._load()

    @rx.event
    async def choose_tag(self, name: str) -> None:
        """Show what has a tag; the one shown is left."""
        if isinstance(name, str):
            self.tag = "" if name == self.tag else name[: own.MAX_TAG_CHARACTERS]
            self.deleted, self._before = False, []
            await self._load()

    @rx.event
    async def older(self) -> None:
        """Go to the next page."""
        if self._next:
            self._before = [*self._before, self._next]
            await self._load()

    @rx.event
    async def newer(self) -> None:
        """Go to the page before."""
        self._before = self._before[:-1]
        await self._load()

    @rx.event
    async def act(self, workflow: str, name: str) -> None:
        """Do what was chosen in the menu of a row."""
        workflow_id, visitor = parse_id(workflow), await visitor_of(self)
        if workflow_id is None or visitor is None:
            return
        if name == "rename":
            self.renaming, self.rename_problem = str(workflow_id), ""
        elif name == "move":
            forms = await self.get_state(WorkflowFormState)
            await forms._open_labels(visitor, workflow_id)
        elif name == "duplicate":
            await self._duplicate(visitor, workflow_id)
        elif name == "delete":
            await self._delete(visitor, workflow_id)
        elif name == "restore":
            await self._undelete(visitor, workflow_id)

    @rx.event
    async def rename(self, name: str) -> None:
        """Give the workflow being renamed its new name."""
        workflow_id, visitor = parse_id(self.renaming), await visitor_of(self)
        if workflow_id is None or visitor is None or not isinstance(name, str):
            return
        self.rename_problem = await _name_problem(self, name)
        if self.rename_problem:
            return
        try:
            await services().api.workflows.update_labels(visitor.principal, workflow_id, {"name": name})
        except StructForgeError as error:
            self.rename_problem = str(error.problem)
            return
        self.renaming = ""
        await self._load()

    @rx.event
    async def leave_name(self) -> None:
        """Keep the name as it was."""
        self.renaming, self.rename_problem = "", ""

    @rx.event
    async def undelete(self, name: str, workflow: str) -> None:
        """Bring a deleted workflow back; `name` is what the button in the toast is for."""
        workflow_id, visitor = parse_id(workflow), await visitor_of(self)
        if name == UNDO_DELETE and workflow_id is not None and visitor is not None:
            await self._undelete(visitor, workflow_id)

    async def _undelete(self, visitor: Visitor, workflow_id: UUID) -> None:
        try:
            back = await services().api.workflows.undelete(visitor.principal, workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
        else:
            await say(self, "workflows.restored", name=back.summary.labels.name)
        await self._load()

    async def _duplicate(self, visitor: Visitor, workflow_id: UUID) -> None:
        try:
            made = await services().api.workflows.duplicate(visitor.principal, workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
        else:
            await say(self, "workflows.duplicated", name=made.summary.labels.name)
        await self._load()

    async def _delete(self, visitor: Visitor, workflow_id: UUID) -> None:
        known = {row["id"]: row["name"] for row in self.rows}
        try:
            await services().api.workflows.delete(visitor.principal, workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
        else:
            locale = (await self.get_state(LocaleState)).locale
            text = message(locale, "workflows.deleted", name=known.get(str(workflow_id), ""))
            undo = {"name": UNDO_DELETE, "value": str(workflow_id), "text": message(locale, "app.undo")}
            await tell(self, text, act=undo)
        await self._load()

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self.rows, self.folders, self.tags = [], [], []
            return
        principal = visitor.principal
        try:
            page = await services().lists.page(
                principal,
                search=self.text,
                folder=self.folder or None,
                tag=self.tag or None,
                deleted=self.deleted,
                cursor=Cursor.decode(self._before[-1]) if self._before else None,
                limit=PAGE_ROWS,
            )
            runs = {}
            if principal.may(Permission.RUN_READ):
                runs = await services().views.last_of(principal, [listed.id for listed in page.items])
            places = await services().lists.places(principal)
        except StructForgeError as error:
            self.problem, self.loaded = str(error.problem), True
            return
        self._next = page.next_cursor or ""
        # Assigned only when changed: an assignment is sent to the browser.
        changes: dict[str, Any] = {
            "rows": [workflow_item(listed, runs.get(listed.id)) for listed in page.items],
            "folders": place_items(places.folders),
            "tags": place_items(places.tags),
            "total": places.total,
            "deleted_total": places.deleted,
            "has_more": bool(self._next),
            "page": len(self._before) + 1,
            "may_create": principal.may(Permission.WORKFLOW_CREATE),
            "may_edit": principal.may(Permission.WORKFLOW_EDIT),
            "may_delete": principal.may(Permission.WORKFLOW_DELETE),
            "loaded": True,
            "problem": "",
        }
        for name, value in changes.items():
            if getattr(self, name) != value:
                setattr(self, name, value)


class WorkflowFormState(rx.State):
    """The dialog over the list: a new workflow, a template, an import, or folder and tags of one."""

    form: str = ""
    """One of `FORMS`, `labels`, or empty."""
    problems: dict[str, str] = {}
    """Field to what is wrong with it."""
    templates: list[TemplateItem] = []
    subject: str = ""
    subject_name: str = ""
    folder: str = ""
    tags: str = ""

    @rx.event
    async def open(self, form: str) -> None:
        """Show a dialog."""
        await self._open(form)

    @rx.event
    async def close(self) -> None:
        """Show no dialog."""
        self.form, self.problems = "", {}

    @rx.event
    async def create(self, fields: dict[str, Any]) -> Any:
        """Make an empty workflow and open it."""
        visitor, name = await visitor_of(self), _field(fields, "name")
        if visitor is None:
            return None
        problem = await _name_problem(self, name)
        self.problems = {"name": problem} if problem else {}
        if problem:
            return None
        folder = (await self.get_state(WorkflowsState)).folder
        try:
            labels, found = own.check_labels({"name": name, "folder": folder})
            if found:
                raise InvalidError(*found)
            made = await services().api.workflows.create(visitor.principal, labels)
        except StructForgeError as error:
            self.problems = {"name": str(error.problem)}
            return None
        self.form = ""
        return rx.redirect(routes.workflow(str(made.summary.id)))

    @rx.event
    async def use_template(self, template: str) -> Any:
        """Make a workflow out of a template and open it."""
        visitor = await visitor_of(self)
        if visitor is None:
            return None
        try:
            made = await services().templates.use(visitor.principal, str(template))
        except StructForgeError as error:
            await tell_problem(self, error)
            return None
        self.form = ""
        return rx.redirect(routes.workflow(str(made.summary.id)))

    @rx.event
    async def imported(self, workflow: str) -> Any:
        """Open the workflow that the browser imported through the API."""
        workflow_id = parse_id(workflow)
        self.form = ""
        return None if workflow_id is None else rx.redirect(routes.workflow(str(workflow_id)))

    @rx.event
    async def save_labels(self, fields: dict[str, Any]) -> None:
        """Set folder and tags."""
        visitor, workflow_id = await visitor_of(self), parse_id(self.subject)
        if visitor is None or workflow_id is None:
            return
        self.folder, self.tags = _field(fields, "folder"), _field(fields, "tags")
        tags = [tag.strip() for tag in self.tags.replace("，", ",").split(",") if tag.strip()]
        changes = {"folder": self.folder, "tags": tags}
        try:
            await services().api.workflows.update_labels(visitor.principal, workflow_id, changes)
        except InvalidError as error:
            self.problems = {problem.where: problem.message for problem in error.problems}
            return
        except StructForgeError as error:
            self.problems = {"folder": str(error.problem)}
            return
        self.form, self.problems = "", {}
        await (await self.get_state(WorkflowsState))._load()

    async def _open(self, form: str) -> None:
        self.problems = {}
        self.form = form if form in FORMS else ""
        if self.form == "templates" and not self.templates:
            visitor = await visitor_of(self)
            if visitor is None or not visitor.principal.may(Permission.TEMPLATE_READ):
                return
            self.templates = [template_item(each) for each in services().templates.list(visitor.principal)]

    async def _open_labels(self, visitor: Visitor, workflow_id: UUID) -> None:
        try:
            detail = await services().api.workflows.get(visitor.principal, workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        labels = detail.summary.labels
        self.subject, self.subject_name = str(workflow_id), labels.name
        self.folder, self.tags, self.problems, self.form = labels.folder, ", ".join(labels.tags), {}, "labels"


def _field(fields: object, name: str) -> str:
    value = fields.get(name, "") if isinstance(fields, dict) else ""
    return value if isinstance(value, str) else ""


async def _name_problem(state: rx.State, name: str) -> str:
    """Return what is wrong with a name, in the visitor's language."""
    locale = (await state.get_state(LocaleState)).locale
    if not name.strip():
        return message(locale, "workflows.name_missing")
    if len(name) > own.MAX_NAME_CHARACTERS:
        return message(locale, "workflows.name_long", limit=own.MAX_NAME_CHARACTERS)
    return ""


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


def _table() -> rx.Component:
    headings = ("workflows.name", "workflows.last_run", "workflows.published", "workflows.updated")
    return rx.fragment(
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        *(rx.el.th(t(key), scope="col") for key in headings),
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
                rx.el.span(t("runs.page"), " ", WorkflowsState.page),
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
            rx.el.span(WorkflowFormState.problems[field]),
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
        rx.el.h3(template["name"]),
        rx.el.p(template["description"], class_name="muted small"),
        rx.el.div(
            rx.el.span(t("workflows.steps") + ": " + template["steps"].to(str), class_name="muted small"),
            rx.el.button(
                t("workflows.use"),
                type="button",
                aria_label=t("workflows.use") + ": " + template["name"].to(str),
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
            WorkflowsState.problem != "",
            notice(
                t("workflows.error"),
                rx.el.p(WorkflowsState.problem),
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
