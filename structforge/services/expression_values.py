"""What expressions of a draft would see: the last known values of the nodes before one, and what a text makes of them.

Invariant: read-only; works with bounded copies of results (`PREVIEW_VALUES` a look, `PREVIEW_WORK` an evaluation),
off the event loop, so no text typed in an editor holds up the process.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import Problem, StructForgeError
from structforge.domain.expressions import ExpressionError, Keep, parse
from structforge.domain.graph import Graph
from structforge.domain.validation import parse_document
from structforge.domain.values import JsonValue, encode_json, readable_json
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.engine.environment import Environment
from structforge.engine.reading import Reader, refers
from structforge.nodes.row_expressions import check, evaluate
from structforge.sdk import Node, NodeError
from structforge.sdk.table_cells import cells_of
from structforge.sdk.tables import Table
from structforge.services.absent import workflow_not_found
from structforge.storage.database import Database
from structforge.storage.repositories.draft_nodes import DraftNodes
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import RunRow, StepRow

RUNS_LOOKED_AT = 10
NODES_LOOKED_AT = 60
"""The nearest nodes before the one whose values are read."""
PREVIEW_VALUES = 500_000
"""Values that are read for one look."""
SAMPLE_ROWS = 50
"""So many rows of a table stand for all of them where only their form counts."""
PREVIEW_WORK = 400_000
PREVIEW_CHARACTERS = 1_200
MAX_PREVIEWS_AT_ONCE = 2
ROWS_SHOWN = 5
"""For so many rows a row expression is shown."""
DONE = ("succeeded", "reused")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What can be named from one node."""

    nodes: tuple[NodeSpec, ...]
    """The nodes before it, the nearest first."""
    values: Mapping[str, JsonValue]
    """Last known value by name: of nodes, `inputs`, `run`, `workflow`, and `item`, `index` where they exist."""
    has_element: bool
    """`item` and `index` can be named."""
    incoming: Mapping[str, str]
    """Input port to the node that feeds it."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a text with expressions gives now."""

    state: Literal["constant", "value", "unknown", "error", "large"]
    """`unknown`: nodes it names have no result yet; `large`: more work than a preview may take."""
    kind: str = ""
    """Of a value: `text`, `number`, `boolean`, `null`, `array`, `object`."""
    size: int = 0
    """Items of a list, fields of an object, characters of a text."""
    text: str = ""
    """The value as JSON (a text as it is), cut at `PREVIEW_CHARACTERS`."""
    cut: bool = False
    names: tuple[str, ...] = ()
    """Of `unknown`: nodes that have no result yet."""
    message: str = ""
    hint: str = ""
    start: int = 0
    end: int = 0


@dataclass(slots=True)
class ExpressionValues:
    """Reads last known values and evaluates texts with them."""

    database: Database
    environment: Environment
    _gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_PREVIEWS_AT_ONCE))

    async def surroundings(self, principal: Principal, workflow_id: UUID, node_id: str) -> Surroundings:
        """Return what a node of the draft can name. Raises: NotFoundError; ForbiddenError."""
        document, graph = await self._draft(principal, workflow_id)
        names = _before(graph, node_id)[:NODES_LOOKED_AT]
        around = await self._around(principal, workflow_id, document, graph, node_id, names)
        reader = self._reader(principal.organization_id)
        async with self._gate:
            values = await asyncio.to_thread(_samples, around.values, reader)
        return replace(around, values=values)

    async def preview(
        self, principal: Principal, workflow_id: UUID, node_id: str, text: str, path: str = ""
    ) -> Preview:
        """Evaluate a text as a parameter of a node, the one at `path`. Raises: NotFoundError; ForbiddenError."""
        document, graph = await self._draft(principal, workflow_id)
        spec = next((each for each in document.nodes if each.id == node_id), None)
        if spec is not None and _takes_rows(self.environment.registry.get(spec.type), path):
            around = await self.surroundings(principal, workflow_id, node_id)
            async with self._gate:
                return await asyncio.to_thread(_of_rows, text, around, spec.parameters.get("rows"))
        try:
            template = parse(text)
        except ExpressionError as error:
            return _error(error)
        if template.is_constant:
            return Preview("constant")
        wanted = {reference.name for reference in template.references}
        names = [name for name in _before(graph, node_id) if name in wanted]
        around = await self._around(principal, workflow_id, document, graph, node_id, names)
        unknown = [name for name in names if name not in around.values]
        if around.has_element:
            unknown += [name for name in ("item", "index") if name in wanted and name not in around.values]
        if unknown:
            return Preview("unknown", names=tuple(unknown))
        reader = self._reader(principal.organization_id)
        async with self._gate:
            return await asyncio.to_thread(_evaluated, text, around.values, reader)

    def _reader(self, organization_id: UUID) -> Reader:
        return self.environment.reader(organization_id, most=PREVIEW_VALUES)

    async def _draft(self, principal: Principal, workflow_id: UUID) -> tuple[WorkflowDocument, Graph]:
        authorize(principal, Permission.WORKFLOW_READ)
        authorize(principal, Permission.RUN_READ)
        async with self.database.transaction(principal.organization_id) as session:
            row = await Workflows(session).get(principal.organization_id, workflow_id)
        if row is None:
            raise workflow_not_found(workflow_id)
        document = parse_document(row.draft)
        registry = self.environment.registry
        loops = {spec.id for spec in document.nodes if (node := registry.get(spec.type)) and node.loop}
        return document, Graph.of(document, loops)

    async def _around(
        self,
        principal: Principal,
        workflow_id: UUID,
        document: WorkflowDocument,
        graph: Graph,
        node_id: str,
        names: Sequence[str],
    ) -> Surroundings:
        specs = {spec.id: spec for spec in document.nodes}
        loops = (
            [graph.ids[loop] for loop in graph.enclosing[graph.index(node_id)]] if node_id in specs else []
        )
        wanted = {*names, *loops}
        wanted |= {edge.source for edge in document.edges if edge.target in (node_id, *loops)}
        async with self.database.transaction(principal.organization_id) as session:
            found, run = await _results(session, principal.organization_id, workflow_id, wanted)
            remembered = await DraftNodes(session).all(principal.organization_id, workflow_id)
        # What a draft's run would get: a pinned value stands before any result.
        found |= {row.node_id: row.pinned for row in remembered if row.pinned and row.node_id in wanted}
        loaded = self._seen_ports(specs, found, graph, node_id)
        values = {name: value for name, value in loaded.items() if name in names}
        values["inputs"] = {} if run is None else run.input
        values["run"] = {
            "id": str(run.id) if run else "", "trigger": run.trigger_kind if run else "manual",
            "accepted_at": run.accepted_at.isoformat() if run else "",
        }  # fmt: skip
        values["workflow"] = {"id": str(workflow_id)}
        spec = specs.get(node_id)
        each = spec.policies.each if spec else None
        for loop in loops:  # The innermost last: its element is the one that is seen.
            items = _loop_items(specs[loop], document, loaded)
            await self._put_element(principal.organization_id, values, items, loaded)
            if "item" in values and loop in names:
                values[loop] = {"item": values["item"], "index": 0}
        if each is not None:
            await self._put_element(principal.organization_id, values, each.items, loaded)
        incoming = {edge.target_port: edge.source for edge in document.edges if edge.target == node_id}
        values |= {name: loaded[name] for name in incoming.values() if name in loaded}
        nodes = tuple(specs[name] for name in names)
        return Surroundings(nodes, values, bool(loops) or each is not None, incoming)

    async def _put_element(
        self, organization_id: UUID, values: dict[str, Any], items: Any, loaded: Mapping[str, Any]
    ) -> None:
        names = {**loaded, **values}
        values.pop("item", None)
        values["index"] = 0
        async with self._gate:
            found = await asyncio.to_thread(_first_item, items, names, self._reader(organization_id))
        if found:
            values["item"] = found[0]

    def _seen_ports(
        self,
        specs: Mapping[str, NodeSpec],
        found: Mapping[str, Mapping[str, Any]],
        graph: Graph,
        node_id: str,
    ) -> dict[str, Any]:
        """Return what the expressions of a node see of each node, as it travelled: the way that leads there."""
        values = {}
        for name, outputs in found.items():
            node = self.environment.registry.get(specs[name].type) if name in specs else None
            ports = node.output_ports(specs[name].parameters) if node else ()
            ways = (
                graph.ports_towards(graph.index(name), graph.index(node_id))
                if name in specs and node_id in specs
                else frozenset()
            )
            seen = [*(ways if len(ways) == 1 else ()), *(port.name for port in ports[:1]), *outputs]
            values[name] = next(outputs[port] for port in seen if port in outputs)
        return values


def _before(graph: Graph, node_id: str) -> list[str]:
    """Return the nodes before a node, the nearest first."""
    if node_id not in graph:
        return []
    seen: dict[int, None] = {}
    row = [graph.index(node_id)]
    while row:
        row = [each for each in dict.fromkeys(_feeding(graph, row)) if each not in seen]
        seen.update(dict.fromkeys(row))
    start = graph.index(node_id)
    return [graph.ids[node] for node in seen if node != start and graph.is_upstream(node, start)]


def _feeding(graph: Graph, nodes: Iterable[int]) -> Iterable[int]:
    return (before for node in nodes for before in graph.predecessors(node))


async def _results(
    session: AsyncSession, organization_id: UUID, workflow_id: UUID, names: Iterable[str]
) -> tuple[dict[str, dict[str, Any]], RunRow | None]:
    """Return the outputs of the newest results of these nodes in the latest runs, and the latest run."""
    runs = (
        (
            await session.execute(
                select(RunRow)
                .where(col(RunRow.organization_id) == organization_id, col(RunRow.workflow_id) == workflow_id)
                .order_by(col(RunRow.accepted_at).desc(), col(RunRow.id).desc())
                .limit(RUNS_LOOKED_AT)
            )
        )
        .scalars()
        .all()
    )
    if not runs:
        return {}, None
    statement = (
        select(col(StepRow.node_id), col(StepRow.outputs))
        .where(
            col(StepRow.accepted_on).in_({run.accepted_on for run in runs}),
            col(StepRow.run_id).in_([run.id for run in runs]),
            col(StepRow.organization_id) == organization_id,
            col(StepRow.node_id).in_(list(names)),
            col(StepRow.settled),
            col(StepRow.status).in_(DONE),
        )
        .ext(distinct_on(col(StepRow.node_id)))
        # Ids of runs are made in the order of time; the first element stands for the others.
        .order_by(col(StepRow.node_id), col(StepRow.run_id).desc(), col(StepRow.step_key))
    )
    rows = await session.execute(statement)
    return {row[0]: row[1] for row in rows if row[1]}, runs[0]


def _loop_items(spec: NodeSpec, document: WorkflowDocument, loaded: Mapping[str, Any]) -> Any:
    """Return what a loop runs over: its own list or expression, else what comes in."""
    items = spec.parameters.get("items")
    if items is not None:
        return items
    feeding = [edge for edge in document.edges if edge.target == spec.id and edge.target_port == "in"]
    return loaded.get(feeding[0].source) if feeding else None


def _first_item(items: Any, names: Mapping[str, Any], reader: Reader) -> list[Any]:
    """Return the first item of a list, or of what an expression gives, in a list; an empty one where there is none."""
    try:
        if isinstance(items, str):
            scope = reader.scope(names)
            scope.reading.keep = Keep.ALL
            items = parse(items).evaluate(scope, PREVIEW_WORK)
        lazy = reader.open(items)
        if lazy is not None:
            items = lazy.part(0, 1)
    except (StructForgeError, OSError):
        return []  # As if it had not run: its bytes are gone, or it is too large to look into.
    return items[:1] if isinstance(items, list) else []


def _samples(values: Mapping[str, Any], reader: Reader) -> dict[str, Any]:
    """Return the values with the beginning of large tables in them, and without what is too large to look into."""
    samples = {}
    for name, value in values.items():
        try:
            lazy = reader.open(value)
            table = lazy is not None and lazy.columns is not None
            samples[name] = lazy.part(0, SAMPLE_ROWS) if lazy is not None and table else reader.whole(value)
        except (StructForgeError, OSError):
            continue
    return samples


def _evaluated(text: str, values: Mapping[str, Any], reader: Reader) -> Preview:
    try:
        names = values if not any(refers(value) for value in values.values()) else reader.scope(values)
        value = parse(text).evaluate(names, PREVIEW_WORK)
    except ExpressionError as error:
        return _error(error)
    except (NodeError, OSError) as error:
        if isinstance(error, NodeError) and error.problem.code != "value.too_much_to_read":
            return Preview("error", message=error.problem.message, hint=error.problem.hint)
        return Preview("large")
    kind, size = _kind(value)
    shown = value if isinstance(value, str) else _json(value)
    return Preview("value", kind, size, shown[:PREVIEW_CHARACTERS], len(shown) > PREVIEW_CHARACTERS)


def _takes_rows(node: Node[Any] | None, path: str) -> bool:
    """Tell whether the field at a path of a node's form is a row expression."""
    found = re.match(r"\w+", path)
    declared = node.Parameters.model_fields.get(found.group()) if node is not None and found else None
    extra = declared.json_schema_extra if declared is not None else None
    row = isinstance(extra, dict) and extra.get("x-language") == "row-expression"
    return row and path.split(".")[-1] == "expression"


def _of_rows(text: str, around: Surroundings, given: Any) -> Preview:
    """Check a row expression against the columns that come in, and compute it for the first rows.

    `given` is what the node's own parameter says instead of an edge.
    """
    rows = _rows_of(given, around)
    objects = [row for row in rows if isinstance(row, dict)]
    if not text.strip() or len(objects) != len(rows):
        return Preview("constant")
    table = Table.from_rows(objects)
    problems = check(text, table.types if rows else None)
    if problems:
        return _row_error(problems[0])
    if not rows:
        return Preview("constant")
    try:
        column = evaluate(table.with_frame(table.frame.head(ROWS_SHOWN)), text, where="")
    except NodeError as error:
        return _row_error(error.problem)
    cells = cells_of(column.series, column.mark, column.written)
    shown = ", ".join(encode_json(cell).decode() for cell in cells)
    return Preview("value", "array", len(cells), shown[:PREVIEW_CHARACTERS], len(shown) > PREVIEW_CHARACTERS)


def _rows_of(given: Any, around: Surroundings) -> list[Any]:
    """Return the first rows that are known, none where there are none yet."""
    if isinstance(given, str) and given.strip():
        try:
            found = [parse(given).evaluate(around.values, PREVIEW_WORK)]
        except StructForgeError:
            return []
    else:
        found = [around.values.get(name) for name in around.incoming.values()]
    tables = ([value] if isinstance(value, dict) else value for value in found)
    return next((value for value in tables if isinstance(value, list) and value), [])


def _row_error(problem: Problem) -> Preview:
    start, end = problem.details.get("position", 0), problem.details.get("end", 0)
    return Preview("error", message=problem.message, hint=problem.hint, start=start, end=max(end, start + 1))


def _json(value: JsonValue) -> str:
    encoded = encode_json(value)
    if len(encoded) > PREVIEW_CHARACTERS:
        return encoded.decode()
    return readable_json(value)


def _kind(value: JsonValue) -> tuple[str, int]:
    if value is None:
        return "null", 0
    if isinstance(value, bool):
        return "boolean", 0
    if isinstance(value, int | float | Decimal):
        return "number", 0
    if isinstance(value, str):
        return "text", len(value)
    return ("array" if isinstance(value, list) else "object"), len(value)


def _error(error: ExpressionError) -> Preview:
    if error.code == "expression.too_much_work":
        return Preview("large")
    return Preview("error", message=error.message, hint=error.hint, start=error.start, end=error.end)
