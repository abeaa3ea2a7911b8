"""Steering the run on the page: pause, resume, stop, and running it again as a new run.

Invariant: the services decide; a refusal is told. A new run never changes the one it was made of.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, Literal
from uuid import UUID

import reflex as rx

from structforge.domain.access import Permission
from structforge.domain.errors import InvalidError, StructForgeError
from structforge.domain.values import decode_json, readable_json
from structforge.services.replays import KEEP_INPUT, ReplayRequest
from structforge.ui import routes
from structforge.ui.library import entered
from structforge.ui.pages.run import RunState
from structforge.ui.pages.run_compare import RunChoiceState
from structforge.ui.services import Visitor, services
from structforge.ui.session import parse_id, say, tell_problem, visitor_of

MAX_INPUT_CHARACTERS = 500_000
FROM_FAILED, FROM_START = "", "*"


class ControlState(rx.State):
    """What may be asked of the run, and what is being asked."""

    may: dict[str, bool] = {}
    asking_stop: bool = False

    @rx.event
    async def enter(self) -> None:
        """Open the page."""
        visitor = await visitor_of(self)
        allowed = visitor.principal.permissions if visitor else frozenset()
        self.asking_stop = False
        self.may = {
            "stop": Permission.RUN_STOP in allowed,
            "control": Permission.RUN_CONTROL in allowed,
            "start": Permission.RUN_START in allowed,
            "read": Permission.RUN_READ in allowed,
        }

    @rx.event
    async def act(self, name: str) -> Any:
        """Do what a button says, or open what asks for more."""
        return await self._act(str(name))

    async def _act(self, name: str) -> Any:
        if name == "stop":
            self.asking_stop = True
        elif name == "retry":
            return await self._retry()
        elif name == "replay":
            page = await self.get_state(RunState)
            return await (await self.get_state(ReplayState))._open(page.selected)
        elif name == "compare":
            return RunChoiceState.ask
        elif name in ("pause", "resume"):
            await self._ask(name)
        return None

    @rx.event
    async def open_asked(self) -> Any:
        """Open the dialog that the address names, as links from the list of runs ask."""
        name = str(self.router.url.query_parameters.get(routes.OPEN, ""))
        return await self._act(name) if name in ("replay", "compare") else None

    @rx.event
    def leave_stop(self) -> None:
        """Do not stop it."""
        self.asking_stop = False

    @rx.event
    async def stop(self) -> None:
        """Ask for the end of the run."""
        self.asking_stop = False
        await self._ask("stop")

    async def _ask(self, name: str) -> None:
        visitor, run_id = await _here(self)
        if visitor is None or run_id is None:
            return
        runs = services().api.runs
        deeds = {"stop": runs.stop, "pause": runs.pause, "resume": runs.resume}
        try:
            await deeds[name](visitor.principal, run_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        await say(self, f"run.asked.{name}")
        # A pause that waits for steps in flight has no event yet.
        await (await self.get_state(RunState))._read(visitor, run_id)

    async def _retry(self) -> Any:
        visitor, run_id = await _here(self)
        if visitor is None or run_id is None:
            return None
        return await _again(self, visitor, run_id, ReplayRequest())


class ReplayState(rx.State):
    """The form of a replay."""

    open: bool = False
    nodes: list[list[str]] = []
    """`[id, title]` of what it can begin from."""
    versions: list[list[str]] = []
    """`[number, text]`."""
    begin: str = FROM_FAILED
    version: str = "same"
    input_text: str = ""
    edit_input: bool = False
    problems: list[dict[str, Any]] = []
    reused: int = -1
    """How many steps would be taken over; below zero while that is not known."""
    again: list[str] = []
    """Nodes that would run again."""
    _input: str = ""

    async def _open(self, selected: str) -> None:
        visitor, run_id = await _here(self)
        if visitor is None or run_id is None:
            return
        page = await self.get_state(RunState)
        try:
            row = await services().api.runs.get(visitor.principal, run_id)
            found = await services().api.workflows.versions(visitor.principal, row.workflow_id)
        except StructForgeError as error:
            await tell_problem(self, error)
            return
        self.nodes = [
            [item["id"], item["title"]] for item in page.graph.get("nodes", ()) if not item.get("note")
        ]
        self.versions = [[str(one.number), one.note] for one in found if one.number != page.version]
        node = selected.split("/")[-1].split("[")[0].split("#")[0]
        known = {name for name, _ in self.nodes}
        self.begin = node if node in known else FROM_FAILED if row.status != "succeeded" else FROM_START
        self.version, self.edit_input, self.problems = "same", False, []
        self._input = self.input_text = readable_json(row.input)
        self.open = True
        await self._foresee(visitor, run_id)

    @rx.event
    def close(self) -> None:
        """Do nothing."""
        self.open = False

    @rx.event
    async def choose(self, name: str, value: Any) -> None:
        """Change a field of the form."""
        text = entered(value, MAX_INPUT_CHARACTERS)
        if name == "begin":
            self.begin = text
        elif name == "version":
            self.version = text
        elif name == "input":
            self.input_text = text
        elif name == "edit_input":
            self.edit_input = bool(value)
        else:
            return
        visitor, run_id = await _here(self)
        if visitor is not None and run_id is not None and self.open:
            await self._foresee(visitor, run_id)

    @rx.event
    async def go(self) -> Any:
        """Start the new run."""
        visitor, run_id = await _here(self)
        if visitor is None or run_id is None or not self.open:
            return None
        try:
            request = self._request()
        except InvalidError as error:
            self.problems = [problem.as_json() for problem in error.problems]
            return None
        made = await _again(self, visitor, run_id, request)
        if made is not None:
            self.open = False
        return made

    async def _foresee(self, visitor: Visitor, run_id: UUID) -> None:
        try:
            foreseen = await services().api.replays.foresee(visitor.principal, run_id, self._request())
        except InvalidError as error:
            self.problems = [problem.as_json() for problem in error.problems]
            self.reused, self.again = -1, []
        except StructForgeError as error:
            self.problems = [error.problem.as_json()]
            self.reused, self.again = -1, []
        else:
            self.problems, self.reused, self.again = [], foreseen.reused, list(foreseen.again)

    def _request(self) -> ReplayRequest:
        """Return what the form says. Raises: InvalidError (the input is no JSON)."""
        version: int | Literal["same", "draft"] = "same"
        if self.version == "draft":
            version = "draft"
        elif self.version.isascii() and self.version.isdecimal() and len(self.version) < 9:
            version = int(self.version)
        given: Any = KEEP_INPUT
        if self.edit_input and self.input_text != self._input:
            given = decode_json(self.input_text.encode(), max_bytes=4 * MAX_INPUT_CHARACTERS)
        nodes = () if self.begin in (FROM_FAILED, FROM_START) else (self.begin,)
        return ReplayRequest(nodes, version, given, from_start=self.begin == FROM_START)


async def _here(state: rx.State) -> tuple[Visitor | None, UUID | None]:
    """Return who looks at which run."""
    page = await state.get_state(RunState)
    return await visitor_of(state), parse_id(page.channel)


async def _again(state: rx.State, visitor: Visitor, run_id: UUID, request: ReplayRequest) -> Any:
    try:
        made = await services().api.replays.replay(visitor.principal, run_id, request)
    except StructForgeError as error:
        await tell_problem(state, error)
        return None
    await say(state, "run.again", count=made.reused)
    return rx.redirect(routes.run(str(made.run_id)))
