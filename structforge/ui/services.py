"""What the pages ask of the rest of the program: the services, and their answers as the rows that pages show.

Invariant: every call takes the visitor and authorises inside; pages pass on what the browser sent unchecked.
A serving process installs one; pages find it with `services()`.
"""

from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Any, TypedDict
from uuid import UUID

from structforge.api.cookies import ACCESS_COOKIE, cookie_value
from structforge.api.entries import input_entries, log_href, output_entries, problem_fields
from structforge.api.services import ApiServices
from structforge.domain.access import Principal
from structforge.domain.errors import UnauthenticatedError
from structforge.domain.values import readable_json
from structforge.sdk import NodeRegistry
from structforge.services.drafts import DraftService
from structforge.services.expression_values import ExpressionValues
from structforge.services.run_views import RunViews
from structforge.services.step_values import StepValues, StepValuesService
from structforge.services.templates import TemplateService
from structforge.services.workflow_lists import WorkflowLists
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.runs import RunFilter
from structforge.ui.graph_view import graph_of
from structforge.ui.node_texts import matches
from structforge.ui.run_rows import RunItem, StepItem, run_item, step_items, try_items

MAX_KNOWN_PEOPLE = 1_000
RESULT_CHARACTERS = 200_000
RESULT_VALUES = 50_000
"""A result of more values is described, not read."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """The signed-in person behind a websocket."""

    principal: Principal
    name: str
    email: str
    organization_name: str


class RunView(TypedDict):
    """A run with its steps as of event `seq`."""

    run: RunItem
    steps: list[StepItem]
    seq: int
    input: str
    result: str
    """The result as Markdown, or as indented JSON; empty while there is none."""
    result_is_text: bool
    """The result is Markdown."""
    problem: dict[str, Any]
    """The `Problem` of a failed run; empty otherwise."""
    graph: dict[str, Any]
    """The document it executes, as the canvas takes it."""


class WebServices:
    """The services of one web process, for its pages."""

    def __init__(
        self,
        api: ApiServices,
        views: RunViews,
        drafts: DraftService,
        registry: NodeRegistry,
        lists: WorkflowLists,
        templates: TemplateService,
        step_values: StepValuesService,
        expressions: ExpressionValues,
    ) -> None:
        self.api = api
        self.views = views
        self.drafts = drafts
        self.registry = registry
        self.lists = lists
        self.templates = templates
        self.step_values = step_values
        self.expressions = expressions
        self._people: OrderedDict[tuple[UUID | None, UUID], tuple[str, str, str]] = OrderedDict()

    async def visitor(self, cookies: str) -> Visitor | None:
        """Return who sent this Cookie header, or None when it holds no session that goes on."""
        token = cookie_value(cookies, ACCESS_COOKIE)
        if not token:
            return None
        try:
            principal = await self.api.identity.continued(token)
            who = (principal.user_id, principal.organization_id)
            if who not in self._people:
                me = await self.api.identity.me(principal)
                user = me["user"]
                organization = me["organization"] or {"name": ""}
                self._people[who] = (user["name"] or user["email"], user["email"], organization["name"])
                while len(self._people) > MAX_KNOWN_PEOPLE:
                    self._people.popitem(last=False)
        except UnauthenticatedError:
            return None
        return Visitor(principal, *self._people[who])

    def forget_name(self, visitor: Visitor) -> None:
        """Read the name of this person anew."""
        user_id = visitor.principal.user_id
        for who in [who for who in self._people if who[0] == user_id]:
            del self._people[who]

    async def list_runs(
        self, visitor: Visitor, only: RunFilter, *, cursor: str, limit: int
    ) -> tuple[list[RunItem], str]:
        """Return a page of runs, newest first, and the cursor of the next page (empty after the last)."""
        page = await self.views.page(
            visitor.principal,
            only,
            cursor=Cursor.decode(cursor) if cursor else None,
            limit=limit,
        )
        return [run_item(named) for named in page.items], page.next_cursor or ""

    async def view_run(self, visitor: Visitor, run_id: UUID) -> RunView:
        """Return a run of the visitor's organization. Raises: NotFoundError."""
        picture = await self.views.picture(visitor.principal, run_id)
        run = picture.named.run
        output = await self.api.runs.shown(visitor.principal, run.output, most=RESULT_VALUES)
        return {
            "run": run_item(picture.named),
            "steps": step_items(picture),
            "seq": run.event_seq,
            "input": readable(run.input),
            "result": readable(output),
            "result_is_text": is_text(output),
            "problem": run.error or {},
            "graph": graph_of(picture.document, self.registry, topic=f"graph:{run.id}", seq=0),
        }

    async def step_view(self, visitor: Visitor, run_id: UUID, step_key: str) -> dict[str, Any]:
        """Return what value.jsx shows of a step: what went in, what came out, its logs, why it failed."""
        found = await self.step_values.read(visitor.principal, run_id, step_key)
        runs, who = self.api.runs, visitor.principal
        inputs = [replace(one, value=await runs.shown_inside(who, one.value)) for one in found.inputs]
        view: dict[str, Any] = {"status": "pending", "inputs": input_entries(inputs)}
        if not found.attempts:
            return view if found.inputs else {}
        last = found.attempts[-1]
        # What a step that waits holds is its question.
        given = (last.outputs if last.settled else None) or {}
        view |= {
            "status": last.status,
            "ports": output_entries(
                found.node_id,
                self.default_port(found),
                {port: await runs.shown_inside(who, value) for port, value in given.items()},
            ),
            "log_href": log_href(run_id, step_key),
            "tries": try_items(found.attempts[:-1]),
        }
        return view | problem_fields(last.error)

    def default_port(self, found: StepValues) -> str:
        """Return the port whose value expressions see under the node's name."""
        node = self.registry.get(found.node_type)
        outputs = node.outputs if node else ()
        return outputs[0].name if outputs else "out"


class _Place:
    services: WebServices | None = None


def install(services: WebServices) -> None:
    """Give this process's pages their services."""
    _Place.services = services


def services() -> WebServices:
    """Return the installed services. Raises: RuntimeError before `install`, which is a bug."""
    if _Place.services is None:
        raise RuntimeError("no services are installed in this process")
    return _Place.services


def found_nodes(principal: Principal, text: str) -> list[dict[str, Any]]:
    """Return the node types that have the words of `text`, in any language they are shown in."""
    found = services().api.nodes.list(principal, search=text)
    known = {each["type"] for each in found}
    everything = services().api.nodes.list(principal)
    return [
        *found,
        *(each for each in everything if each["type"] not in known and matches(each["type"], text)),
    ]


def is_text(value: Any) -> bool:
    """Tell whether `readable` gives Markdown."""
    return isinstance(value, str) or (isinstance(value, dict) and isinstance(value.get("markdown"), str))


def readable(value: Any) -> str:
    """Return a JSON value as text for people: Markdown of a report as it is, else indented JSON, cut if long."""
    if value is None:
        return ""
    if isinstance(value, dict) and isinstance(value.get("markdown"), str):
        text: str = value["markdown"]
    elif isinstance(value, str):
        text = value
    else:
        text = readable_json(value)
    return text if len(text) <= RESULT_CHARACTERS else f"{text[:RESULT_CHARACTERS]}\n…"
