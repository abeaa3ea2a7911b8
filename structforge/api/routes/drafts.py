"""Drafts between runs: running a part, last results, pinned values.

Invariant: nothing here publishes anything; what runs is an immutable copy of the draft.
"""

from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from structforge.api.bodies import documented, json_body
from structforge.api.deps import Services, Signed
from structforge.api.entries import input_entries, log_href, output_entries, problem_fields
from structforge.api.responses import JsonResponse
from structforge.domain.run import StepStatus
from structforge.engine.summaries import summaries_of
from structforge.services.draft_memory import DraftNode
from structforge.services.draft_runs import DraftRunRequest

router = APIRouter(tags=["drafts"])


class DraftRunBody(BaseModel):
    """What of the draft runs."""

    model_config = ConfigDict(extra="forbid")

    until: str | None = Field(None, max_length=48)
    """A node: it and what it needs run. None runs everything."""
    reuse: Literal["nothing", "fresh", "any"] = "nothing"
    """Results that are not computed again, with `until`: none, those that are not stale, any."""
    input: dict[str, Any] = Field(default_factory=dict)
    trigger: str | None = Field(None, max_length=48)


class DraftRunPublic(BaseModel):
    """An accepted run of the draft."""

    run_id: UUID
    executed: list[str]
    given: list[str]
    """Nodes whose results were taken over, or are pinned."""


class PinBody(BaseModel):
    """What a node gives from now on, by port; without it, its last result."""

    model_config = ConfigDict(extra="forbid")

    outputs: dict[str, Any] | None = None


class StalenessPublic(BaseModel):
    """Why a result is stale."""

    cause: Literal["definition", "input", "source"]
    """`definition`: the node was changed; `input`: `node` gave something else since; `source`: `node` is stale."""
    node: str


class DraftNodePublic(BaseModel):
    """A node of the draft: its last result, how that ended, and whether it is stale are three facts."""

    node_id: str
    status: str | None
    stale: StalenessPublic | None
    pinned: bool
    running: bool
    run_id: UUID | None
    step_key: str
    started_at: datetime | None
    finished_at: datetime | None
    error: dict[str, Any] | None
    summary: dict[str, list[Any]]
    """Port to number of items (null where there are none) and the beginning of the value."""

    @classmethod
    def of(cls, node: DraftNode) -> "DraftNodePublic":
        """Make the answer."""
        shown = node.pinned if node.pinned is not None else node.outputs
        return cls(
            node_id=node.node_id,
            status=node.status,
            stale=None
            if node.stale is None
            else StalenessPublic(cause=node.stale.cause, node=node.stale.node),
            pinned=node.pinned is not None,
            running=node.expected,
            run_id=node.run_id,
            step_key=node.step_key,
            started_at=node.started_at,
            finished_at=node.finished_at,
            error=None if node.error is None else dict(node.error),
            summary=summaries_of(shown or {}),
        )


class DraftNodeDetailPublic(DraftNodePublic):
    """The same with the values."""

    outputs: dict[str, Any] | None
    """What the next node is run on: the pinned value, else the last result."""


class DraftNodeList(BaseModel):
    """What is known of a draft's nodes; nodes that never ran and have no pin are absent."""

    items: list[DraftNodePublic]


@router.post(
    "/workflows/{workflow_id}/draft/runs",
    status_code=202,
    response_model=DraftRunPublic,
    openapi_extra=documented(DraftRunBody, required=False),
    summary="Run a draft, or a part of it",
)
async def run_draft(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    body: Annotated[DraftRunBody, json_body(DraftRunBody, optional=True)],
) -> Response:
    """Run a copy of the draft; only what runs has to be without errors. Pinned nodes are not executed."""
    request = DraftRunRequest(body.until, body.reuse, body.input, body.trigger)
    made = await services.draft_runs.start(principal, workflow_id, request)
    return JsonResponse(
        {"run_id": made.run_id, "executed": list(made.executed), "given": list(made.given)}, 202
    )


@router.get("/workflows/{workflow_id}/draft/nodes", response_model=DraftNodeList, summary="List last results")
async def list_draft_nodes(services: Services, principal: Signed, workflow_id: UUID) -> Response:
    """Return what is known of each node: its last result in short, whether it is stale and why, its pin."""
    memory = await services.draft_memory.read(principal, workflow_id)
    items = [DraftNodePublic.of(node) for node in memory.nodes.values()]
    return JsonResponse(DraftNodeList(items=items).model_dump())


@router.get(
    "/workflows/{workflow_id}/draft/nodes/{node_id}",
    response_model=DraftNodeDetailPublic,
    summary="Get a last result",
)
async def get_draft_node(services: Services, principal: Signed, workflow_id: UUID, node_id: str) -> Response:
    """Return what is known of one node, with its values. 404 when nothing is."""
    node = await services.draft_memory.node(principal, workflow_id, node_id)
    shown = node.pinned if node.pinned is not None else node.outputs
    outputs = None if shown is None else await services.runs.shown(principal, dict(shown))
    body = DraftNodePublic.of(node).model_dump() | {"outputs": outputs}
    return JsonResponse(body)


class EntryPublic(BaseModel):
    """A value by name; `value`, or `artifact` where it stands as a file."""

    name: str
    root: str
    """What expressions call it; empty where they cannot."""
    title: str = ""
    value: Any = None
    artifact: dict[str, Any] | None = None


class NodeValuesPublic(BaseModel):
    """What would go into a node, and what came out of it last."""

    status: str
    problem: str = ""
    hint: str = ""
    where: str = ""
    code: str = ""
    ports: list[EntryPublic] = []
    inputs: list[EntryPublic] = []
    log_href: str = ""


@router.get(
    "/workflows/{workflow_id}/draft/nodes/{node_id}/values",
    response_model=NodeValuesPublic,
    summary="Look at a node's values",
)
async def read_node_values(
    services: Services, principal: Signed, workflow_id: UUID, node_id: str
) -> Response:
    """Return a node's last result and what it would be run on now, as viewers take them."""
    memory = await services.draft_memory.read(principal, workflow_id)
    node = memory.nodes.get(node_id)
    runs = services.runs
    inputs = [
        replace(one, value=await runs.shown_inside(principal, one.value)) for one in memory.inputs(node_id)
    ]
    body: dict[str, Any] = {"status": "", "inputs": input_entries(inputs)}
    if node is not None:
        shown = node.pinned if node.pinned is not None else node.outputs
        ports = {port: await runs.shown_inside(principal, value) for port, value in (shown or {}).items()}
        default = memory.anatomy.default_port(node_id)
        body |= {
            "status": StepStatus.REUSED if node.pinned is not None else node.status or "",
            "ports": output_entries(node_id, default, ports),
        }
        if node.pinned is None:
            body |= problem_fields(node.error)
        if node.run_id is not None:
            body["log_href"] = log_href(node.run_id, node.step_key)
    return JsonResponse(body)


@router.put(
    "/workflows/{workflow_id}/draft/nodes/{node_id}/pin",
    status_code=204,
    openapi_extra=documented(PinBody, required=False),
    summary="Pin a value",
)
async def pin_node(
    services: Services,
    principal: Signed,
    workflow_id: UUID,
    node_id: str,
    body: Annotated[PinBody, json_body(PinBody, optional=True)],
) -> Response:
    """Let runs of the draft use a value in place of a node; published versions never do."""
    await services.draft_memory.pin(principal, workflow_id, node_id, body.outputs)
    return Response(status_code=204)


@router.delete("/workflows/{workflow_id}/draft/nodes/{node_id}/pin", status_code=204, summary="Unpin a value")
async def unpin_node(services: Services, principal: Signed, workflow_id: UUID, node_id: str) -> Response:
    """Let the node run again."""
    await services.draft_memory.unpin(principal, workflow_id, node_id)
    return Response(status_code=204)
