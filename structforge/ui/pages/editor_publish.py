"""Publishing the draft: what changed since the last version, a note, and what has to be mended first.

Invariant: what is published is the draft of the revision that the dialog showed.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined, arg-type"

from typing import Any

import reflex as rx

from structforge.domain.diff import difference
from structforge.domain.errors import ConflictError, StructForgeError
from structforge.domain.validation import errors_of
from structforge.services.workflows import WorkflowDetail
from structforge.ui.comparison_view import change_rows
from structforge.ui.components.overlay import dialog
from structforge.ui.components.told import told
from structforge.ui.library import entered
from structforge.ui.locale import label_of, t
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.pages.editor_versions import VersionsState
from structforge.ui.services import Visitor, services
from structforge.ui.session import say, tell_problem

SHOWN_CHANGES, SHOWN_ERRORS = 12, 5
MAX_NOTE_CHARACTERS = 2_000


class PublishState(rx.State):
    """The dialog, while it is open."""

    open: bool = False
    number: int = 0
    """Of the version to be."""
    changes: list[dict[str, str]] = []
    """The first of what differs from the last version; empty for a first one."""
    more_changes: int = 0
    errors: list[dict[str, Any]] = []
    """The first of what has to be mended."""
    more_errors: int = 0
    same: bool = False
    """The last version means the same."""
    problem: dict[str, Any] = {}
    _revision: int = 0

    @rx.event
    async def ask(self) -> None:
        """Show what would be published."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        try:
            await self._look(visitor, await services().api.workflows.get(visitor.principal, workflow_id))
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.problem, self.open = {}, True

    @rx.event
    def leave(self) -> None:
        """Publish nothing."""
        self.open = False

    @rx.event
    async def publish(self, fields: dict[str, Any]) -> None:
        """Freeze the draft that was shown as the next version."""
        visitor, workflow_id = await (await self.get_state(DraftState))._here()
        if visitor is None or workflow_id is None:
            return
        note = entered(fields.get("note") if isinstance(fields, dict) else None, MAX_NOTE_CHARACTERS + 1)
        workflows = services().api.workflows
        try:
            version = await workflows.publish(
                visitor.principal, workflow_id, revision=self._revision, note=note
            )
        except ConflictError as error:
            # Somebody changed it meanwhile: what the next press publishes is shown now.
            self.problem = error.problem.as_json()
            await self._look(visitor, await workflows.get(visitor.principal, workflow_id))
            return
        except StructForgeError as error:
            self.problem = error.problem.as_json()
            return
        self.open = False
        await say(self, "editor.published_as", number=version.summary.number)
        versions = await self.get_state(VersionsState)
        versions.published = version.summary.number
        await versions._load(visitor, workflow_id)

    async def _look(self, visitor: Visitor, detail: WorkflowDetail) -> None:
        """Show this draft. Raises: StructForgeError."""
        before, after, rows = detail.published_version or 0, detail.draft, []
        if before:
            version = await services().api.workflows.version(visitor.principal, detail.summary.id, before)
            titles = {spec.id: spec.title or spec.id for spec in (*version.document.nodes, *after.nodes)}
            rows = change_rows(difference(version.document, after), titles)
        errors = [problem.as_json() for problem in errors_of(detail.problems)]
        self._revision, self.number = detail.summary.draft_revision, before + 1
        self.same = before > 0 and not rows
        self.changes, self.more_changes = rows[:SHOWN_CHANGES], max(0, len(rows) - SHOWN_CHANGES)
        self.errors, self.more_errors = errors[:SHOWN_ERRORS], max(0, len(errors) - SHOWN_ERRORS)


def _change(row: rx.Var[dict[str, str]]) -> rx.Component:
    return rx.el.li(
        rx.el.strong(row["title"]),
        rx.el.span(label_of("diff", row["kind"]), class_name="diff-kind kind-" + row["kind"].to(str)),
        rx.cond(row["path"] != "", rx.el.code(row["path"])),
    )


def _more(count: rx.Var[int]) -> rx.Component:
    return rx.cond(count > 0, rx.el.p(t("publish.more", count=count), class_name="muted small"))


def _what() -> rx.Component:
    return rx.cond(
        PublishState.changes.length() > 0,
        rx.el.section(
            rx.el.h3(t("publish.changes")),
            rx.el.ul(rx.foreach(PublishState.changes, _change), class_name="publish-changes"),
            _more(PublishState.more_changes),
        ),
        rx.cond(
            PublishState.same,
            rx.el.p(t("publish.same"), class_name="muted"),
            rx.el.p(t("publish.first"), class_name="muted"),
        ),
    )


def publish_dialog() -> rx.Component:
    """Return the dialog."""
    form = rx.el.form(
        rx.cond(
            PublishState.errors.length() > 0,
            rx.el.div(
                rx.el.h3(t("publish.errors")),
                rx.el.ul(
                    rx.foreach(
                        PublishState.errors, lambda each: rx.el.li(told(each, "message"), class_name="error")
                    )
                ),
                _more(PublishState.more_errors),
                role="alert",
            ),
        ),
        _what(),
        rx.el.div(
            rx.el.label(t("publish.note"), html_for="publish-note"),
            rx.el.textarea(
                id="publish-note",
                name="note",
                class_name="input",
                rows="3",
                max_length=MAX_NOTE_CHARACTERS,
                aria_describedby="publish-note-hint",
            ),
            rx.el.p(t("publish.note_hint"), class_name="help", id="publish-note-hint"),
            class_name="field",
        ),
        rx.cond(
            PublishState.problem.length() > 0,
            rx.el.p(told(PublishState.problem), class_name="error", role="alert"),
        ),
        rx.el.div(
            rx.el.button(t("app.cancel"), type="button", class_name="btn ghost", on_click=PublishState.leave),
            rx.el.button(
                t("publish.go", number=PublishState.number),
                type="submit",
                class_name="btn primary",
                disabled=(PublishState.errors.length() > 0) | PublishState.same,
            ),
            class_name="row end",
        ),
        on_submit=PublishState.publish,
        class_name="stack",
    )
    return dialog(
        form,
        open=PublishState.open,
        label=t("publish.title"),
        close_text=t("app.close"),
        on_close=PublishState.leave,
    )
