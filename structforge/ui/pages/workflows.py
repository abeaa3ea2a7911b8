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
from structforge.storage.repositories.paging import Cursor, NameCursor
from structforge.ui import routes
from structforge.ui.library import (
    PlaceItem,
    TemplateItem,
    WorkflowItem,
    entered,
    place_items,
    template_item,
    workflow_item,
)
from structforge.ui.locale import LocaleState, message
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, say, tell, tell_problem, visitor_of

PAGE_ROWS = 25
REFRESH_MS = 5_000
IMPORT_MAX_BYTES = 5 * 1024 * 1024
MAX_TEXT_CHARACTERS = 200
MAX_ENTRY_CHARACTERS = 5_000
"""More than any field takes, so that what is too long is told, not cut."""
FORMS = ("new", "templates", "import")
UNDO_DELETE = "undelete-workflow"


class WorkflowsState(rx.State):
    """One page of rows, and what they are narrowed to."""

    rows: list[WorkflowItem] = []
    text: str = ""
    folder: str = ""
    tag: str = ""
    deleted: bool = False
    by_name: bool = False
    """Sorted by name; else the last changed first."""
    folders: list[PlaceItem] = []
    tags: list[PlaceItem] = []
    total: int = 0
    deleted_total: int = 0
    has_more: bool = False
    page: int = 1
    loaded: bool = False
    problem: dict[str, Any] = {}
    may_create: bool = False
    may_edit: bool = False
    may_delete: bool = False
    renaming: str = ""
    """The id of the workflow whose name is being edited."""
    rename_problem: str | dict[str, Any] = ""
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
        self.text, self._before = entered(text, MAX_TEXT_CHARACTERS), []
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
        chosen = entered(name, own.MAX_FOLDER_CHARACTERS)
        self.folder = "" if chosen == self.folder else chosen
        self.deleted, self._before = False, []
        await self._load()

    @rx.event
    async def choose_tag(self, name: str) -> None:
        """Show what has a tag; the one shown is left."""
        chosen = entered(name, own.MAX_TAG_CHARACTERS)
        self.tag = "" if chosen == self.tag else chosen
        self.deleted, self._before = False, []
        await self._load()

    @rx.event
    async def sort(self, by_name: bool) -> None:
        """Sort by name, or the last changed first."""
        self.by_name, self._before = bool(by_name), []
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
        if workflow_id is None or visitor is None:
            return
        name = entered(name, MAX_ENTRY_CHARACTERS)
        self.rename_problem = await _name_problem(self, name)
        if self.rename_problem:
            return
        try:
            await services().api.workflows.update_labels(visitor.principal, workflow_id, {"name": name})
        except StructForgeError as error:
            self.rename_problem = error.problem.as_json()
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
            # Whoever has it open sees that it is gone.
            await services().drafts.announce(workflow_id, 0)
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
        cursors = NameCursor if self.by_name else Cursor
        try:
            page = await services().lists.page(
                principal,
                search=self.text,
                folder=self.folder or None,
                tag=self.tag or None,
                deleted=self.deleted,
                cursor=cursors.decode(self._before[-1]) if self._before else None,
                limit=PAGE_ROWS,
                by_name=self.by_name,
            )
            runs = {}
            if principal.may(Permission.RUN_READ):
                runs = await services().views.last_of(principal, [listed.id for listed in page.items])
            places = await services().lists.places(principal)
        except StructForgeError as error:
            self.problem, self.loaded = error.problem.as_json(), True
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
            "problem": {},
        }
        for name, value in changes.items():
            if getattr(self, name) != value:
                setattr(self, name, value)


class WorkflowFormState(rx.State):
    """The dialog over the list: a new workflow, a template, an import, or folder and tags of one."""

    form: str = ""
    """One of `FORMS`, `labels`, or empty."""
    problems: dict[str, Any] = {}
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
            self.problems = {"name": error.problem.as_json()}
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
            self.problems = {problem.where: problem.as_json() for problem in error.problems}
            return
        except StructForgeError as error:
            self.problems = {"folder": error.problem.as_json()}
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
    return entered(fields.get(name) if isinstance(fields, dict) else None, MAX_ENTRY_CHARACTERS)


async def _name_problem(state: rx.State, name: str) -> str:
    """Return what is wrong with a name, in the visitor's language."""
    locale = (await state.get_state(LocaleState)).locale
    if not name.strip():
        return message(locale, "workflows.name_missing")
    if len(name) > own.MAX_NAME_CHARACTERS:
        return message(locale, "workflows.name_long", limit=own.MAX_NAME_CHARACTERS)
    return ""
