"""What a run of the draft is started with: a form of the inputs that the draft declares, filled with the last input.

Invariant: the values are the visitor's own until the run starts; the service checks them against the draft's schema.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from dataclasses import replace
from typing import Any
from uuid import UUID

import reflex as rx

from structforge.domain.errors import InvalidError, StructForgeError
from structforge.domain.validation.inputs import input_problems, validator_of, with_defaults, wrong_inputs
from structforge.domain.values import JsonValue
from structforge.services.draft_runs import DraftRunRequest, Reuse
from structforge.storage.repositories.runs import RunFilter
from structforge.ui.input_form import faults_of, first_values, form_schema, input_of, missing_fields
from structforge.ui.locale import LocaleState, message
from structforge.ui.pages.editor_draft import DraftState
from structforge.ui.services import Visitor, services


class InputState(rx.State):
    """The form, and the run that waits for it."""

    asking: bool = False
    subject: str = ""
    form: dict[str, Any] = {}
    """The JSON Schema of the form."""
    values: dict[str, Any] = {}
    problems: dict[str, Any] = {}
    field: dict[str, str] = {}
    """`{"subject", "path"}`: the field to write in."""
    problem: list[dict[str, Any]] = []
    """What is wrong with the input as a whole."""
    _schema: dict[str, Any] = {}
    _until: str = ""
    _reuse: Reuse = "nothing"
    _asked: int = 0
    _jumps: int = 0

    def _close(self) -> None:
        self.asking, self.form, self.values, self.problems, self.problem = False, {}, {}, {}, []
        self._schema, self._until, self._reuse = {}, "", "nothing"

    async def _complete(
        self, visitor: Visitor, workflow_id: UUID, request: DraftRunRequest, *, ask: bool = False
    ) -> DraftRunRequest | None:
        """Return the request with its input, or None when the visitor is asked for it first.

        A run of the whole draft asks whenever the draft declares inputs; one of a part takes the last input while that
        is still right. Raises: NotFoundError; InvalidError when the declaration itself is wrong.
        """
        schema = (await services().api.workflows.get(visitor.principal, workflow_id)).draft.inputs
        if not schema and not ask:
            return request
        problems = input_problems(schema)
        if problems:
            raise InvalidError(*problems)
        last = await _last_input(visitor, workflow_id)
        if (
            request.until is not None
            and not ask
            and not wrong_inputs(validator_of(schema), with_defaults(schema, last))
        ):
            return replace(request, input=last)
        self._asked += 1
        self._schema, self._until, self._reuse = schema, request.until or "", request.reuse
        self.subject, self.form = f"input:{self._asked}", form_schema(schema)
        self.values, self.problems, self.problem = first_values(schema, last), {}, []
        self._go_to(next(iter(self.form["properties"])))
        self.asking = True
        return None

    def _go_to(self, path: str) -> None:
        # The number makes a second jump to the same field another one.
        self._jumps += 1
        self.field = {"subject": self.subject, "path": path, "number": str(self._jumps)}

    async def _filled(self) -> DraftRunRequest | None:
        """Return the request that waited with the input of the form, or None when a field is missing."""
        locale = (await self.get_state(LocaleState)).locale
        schema, values = self.get_value("_schema"), self.get_value("values")
        missing = missing_fields(schema, values)
        needed = message(locale, "editor.input_needed")
        self.problems, self.problem = {name: {"said": needed, "spans": []} for name in missing}, []
        if missing:
            self._go_to(missing[0])
            return None
        return DraftRunRequest(self._until or None, self._reuse, input_of(schema, values))

    def _refuse(self, error: InvalidError) -> bool:
        """Show what is wrong with the input; False when it is not the input that is wrong."""
        if not self.asking or any(problem.code != "input.invalid" for problem in error.problems):
            return False
        self.problems, self.problem = faults_of(self.get_value("_schema"), error.problems)
        if self.problems:
            self._go_to(next(iter(self.problems)))
        return True

    @rx.event
    async def set_field(self, subject: str, name: str, value: Any, seen: Any, key: str = "") -> None:
        """Keep the value of a field."""
        if str(subject) == self.subject:
            self.values = {**self.values, str(name): value}
        (await self.get_state(DraftState))._confirm(key)

    @rx.event
    async def unset_field(self, subject: str, name: str, seen: Any, key: str = "") -> None:
        """Empty a field."""
        if str(subject) == self.subject:
            self.values = {each: value for each, value in self.values.items() if each != str(name)}
        (await self.get_state(DraftState))._confirm(key)

    @rx.event
    def leave(self) -> None:
        """Run nothing."""
        self._close()


async def _last_input(visitor: Visitor, workflow_id: UUID) -> JsonValue:
    """Return the input of the last run that somebody started by hand."""
    runs = services().api.runs
    only = RunFilter(workflow_id=workflow_id, trigger_kinds=("manual",))
    try:
        page = await runs.list(visitor.principal, only, limit=1)
        found: JsonValue = (await runs.get(visitor.principal, page.items[0].id)).input if page.items else {}
    except StructForgeError:
        return {}
    return found
