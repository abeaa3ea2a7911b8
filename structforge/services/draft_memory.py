"""What the editor remembers of a draft: each node's last result, why it is stale, and its pinned value.

Invariant: results come from the journal and are copied by whoever looks first (the run's follower, or a reader), so a
process that dies loses none. Everything is read and changed within the principal's organization.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    sentence,
)
from structforge.domain.parts import Anatomy
from structforge.domain.run import RunStatus, StepStatus
from structforge.domain.staleness import KnownResult, Staleness, stale_results
from structforge.domain.validation import parse_document
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.values import content_hash, encode_json, journal_safe
from structforge.services.absent import workflow_not_found
from structforge.services.runs import RunService
from structforge.services.step_values import PortInput
from structforge.storage.database import Database
from structforge.storage.repositories.draft_nodes import DraftNodes
from structforge.storage.repositories.runs import Runs
from structforge.storage.repositories.versions import Versions
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import DraftNodeRow

COPY_EVERY_S = 0.5
"""How often a follower copies results while a run goes on."""
FOLLOW_S = 3_600.0
"""A run that takes longer is copied by whoever looks at the draft next."""
MAX_PINNED_BYTES = 64 * 1024

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DraftNode:
    """One node of a draft, between runs: three facts that do not follow from each other, and its pin."""

    node_id: str
    status: StepStatus | None
    """How the last result ended; none while there is none."""
    outputs: Mapping[str, Any] | None
    error: Mapping[str, Any] | None
    stale: Staleness | None
    pinned: Mapping[str, Any] | None
    run_id: UUID | None
    step_key: str
    started_at: datetime | None
    finished_at: datetime | None
    expected: bool
    """A run is about to give it a new result."""

    @property
    def given(self) -> Mapping[str, Any] | None:
        """What another node may be run on: the pinned value, or the last good result."""
        if self.pinned is not None:
            return self.pinned
        return self.outputs if self.status in (StepStatus.SUCCEEDED, StepStatus.REUSED) else None


@dataclass(frozen=True, slots=True)
class Memory:
    """A draft and all that is remembered of its nodes."""

    anatomy: Anatomy
    nodes: Mapping[str, DraftNode]

    def inputs(self, node_id: str) -> list[PortInput]:
        """Return what the node would be run on as things stand."""
        found = []
        for edge in self.anatomy.document.edges:
            source = self.nodes.get(edge.source) if edge.target == node_id else None
            given = source.given if source is not None else None
            if given is not None and edge.source_port in given:
                port, value = edge.source_port, given[edge.source_port]
                found.append(PortInput(edge.target_port, edge.source, port, value))
        return found


class DraftMemory:
    """Remembers results and pins."""

    def __init__(self, database: Database, runs: RunService, shapes: Mapping[str, NodeShape]) -> None:
        self._database = database
        self._runs = runs
        self._shapes = shapes
        self._following: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Stop following runs; what they give is copied later."""
        for task in self._following:
            task.cancel()
        await asyncio.gather(*self._following, return_exceptions=True)

    async def read(self, principal: Principal, workflow_id: UUID) -> Memory:
        """Return what is known of a draft's nodes now. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_READ)
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            return await self.read_in(session, principal.organization_id, workflow_id)

    async def read_in(self, session: AsyncSession, organization_id: UUID, workflow_id: UUID) -> Memory:
        """Return the same within a transaction of the caller, who has authorised."""
        anatomy = await self._anatomy(session, organization_id, workflow_id)
        rows = await self._copied(session, organization_id, workflow_id)
        kept = {row.node_id: row for row in rows if row.node_id in anatomy.specs}
        known = {
            name: KnownResult(
                row.definition_hash,
                content_hash(journal_safe(row.pinned)) if row.pinned is not None else row.outputs_hash,
                row.read_hashes,
                row.pinned is not None,
            )
            for name, row in kept.items()
        }
        stale = stale_results(anatomy, known)
        return Memory(anatomy, {name: _node(row, stale.get(name)) for name, row in kept.items()})

    async def node(self, principal: Principal, workflow_id: UUID, node_id: str) -> DraftNode:
        """Return what is known of one node. Raises: NotFoundError, also when nothing is known."""
        memory = await self.read(principal, workflow_id)
        _require_node(memory.anatomy, node_id)
        found = memory.nodes.get(node_id)
        if found is None:
            raise NotFoundError(
                Problem(
                    "draft.no_result",
                    sentence("{node_id} has no result yet.", node_id=repr(node_id)),
                    f"nodes.{node_id}",
                    "Run it first.",
                )
            )
        return found

    async def pin(
        self, principal: Principal, workflow_id: UUID, node_id: str, outputs: Mapping[str, Any] | None = None
    ) -> None:
        """Let runs of the draft use `outputs` (port to value) in place of a node; none pins its last result.

        Raises: NotFoundError; InvalidError for a node in a loop or a value that is no JSON or too large;
        ConflictError when there is no result to pin.
        """
        authorize(principal, Permission.WORKFLOW_EDIT)
        organization_id = principal.organization_id
        async with self._database.transaction(organization_id) as session:
            memory = await self.read_in(session, organization_id, workflow_id)
            _require_node(memory.anatomy, node_id)
            if memory.anatomy.in_loop(node_id):
                raise InvalidError(
                    Problem(
                        "draft.pin_in_loop",
                        sentence(
                            "{node_id} runs once for each iteration of a loop, so one value cannot stand "
                            "for it.",
                            node_id=repr(node_id),
                        ),
                        f"nodes.{node_id}",
                        "Pin the loop itself.",
                    )
                )
            known = memory.nodes.get(node_id)
            value = outputs if outputs is not None else (known.given if known is not None else None)
            if not value:
                raise ConflictError(
                    Problem(
                        "draft.nothing_to_pin",
                        sentence("{node_id} has no result yet.", node_id=repr(node_id)),
                        f"nodes.{node_id}",
                        "Run it first, or give the value that is to be pinned.",
                    )
                )
            safe = journal_safe(value)
            if not isinstance(safe, dict) or len(encode_json(safe)) > MAX_PINNED_BYTES:
                raise InvalidError(
                    Problem(
                        "draft.pin_too_large",
                        sentence(
                            "A pinned value has at most {max_pinned_bytes} bytes as JSON.",
                            max_pinned_bytes=MAX_PINNED_BYTES,
                        ),
                        "outputs",
                        "Pin a smaller sample, or run the node once and pin its result.",
                    )
                )
            await DraftNodes(session).pin(
                organization_id, workflow_id, node_id, safe, pinned_by=principal.user_id
            )

    async def unpin(self, principal: Principal, workflow_id: UUID, node_id: str) -> None:
        """Let a node run again. Raises: NotFoundError."""
        authorize(principal, Permission.WORKFLOW_EDIT)
        async with self._database.transaction(principal.organization_id) as session:
            anatomy = await self._anatomy(session, principal.organization_id, workflow_id)
            _require_node(anatomy, node_id)
            await DraftNodes(session).pin(
                principal.organization_id, workflow_id, node_id, None, pinned_by=None
            )

    async def expect(
        self, principal: Principal, workflow_id: UUID, run_id: UUID, hashes: Mapping[str, str]
    ) -> None:
        """Take the results of these nodes from a run that was accepted, as they come."""
        async with self._database.transaction(principal.organization_id) as session:
            await DraftNodes(session).expect(principal.organization_id, workflow_id, run_id, hashes)
        task = asyncio.create_task(self._follow(principal, workflow_id, run_id), name="draft-results")
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _follow(self, principal: Principal, workflow_id: UUID, run_id: UUID) -> None:
        clock = asyncio.get_running_loop().time
        copied_at = clock()
        try:
            async with asyncio.timeout(FOLLOW_S):
                async for event in self._runs.events(principal, run_id):
                    if event["type"] == "step.finished" and clock() - copied_at > COPY_EVERY_S:
                        await self._copy(principal, workflow_id)
                        copied_at = clock()
            await self._copy(principal, workflow_id)
        except TimeoutError:
            return
        except Exception:  # Nothing is lost: whoever looks at the draft next copies what is there.
            logger.exception("the results of a draft run are not copied now")

    async def _copy(self, principal: Principal, workflow_id: UUID) -> None:
        async with self._database.transaction(principal.organization_id) as session:
            await self._copied(session, principal.organization_id, workflow_id)

    async def _copied(
        self, session: AsyncSession, organization_id: UUID, workflow_id: UUID
    ) -> Sequence[DraftNodeRow]:
        """Copy what expected runs have given by now, and return all rows."""
        drafts = DraftNodes(session)
        rows = await drafts.all(organization_id, workflow_id)
        waiting: dict[UUID, list[DraftNodeRow]] = {}
        for row in rows:
            if row.expected_run is not None:
                waiting.setdefault(row.expected_run, []).append(row)
        results = [
            result
            for run_id, expecting in waiting.items()
            for result in await self._results_of(session, organization_id, run_id, expecting)
        ]
        # In the order in which `expect` writes: whoever copies or expects at this moment locks the same rows.
        for row, result in sorted(results, key=lambda pair: pair[0].node_id):
            await drafts.settle(row, result)
        return await drafts.all(organization_id, workflow_id) if waiting else rows

    async def _results_of(
        self, session: AsyncSession, organization_id: UUID, run_id: UUID, expecting: Sequence[DraftNodeRow]
    ) -> list[tuple[DraftNodeRow, dict[str, Any]]]:
        """Return what these rows become by what the run has given up to now."""
        runs = Runs(session)
        run = await runs.get(organization_id, run_id)
        version = None if run is None else await Versions(session).get(organization_id, run.version_id)
        if run is None or version is None:
            return [(row, {"expected_run": None}) for row in expecting]
        anatomy = Anatomy(parse_document(version.document), self._shapes)
        read = {row.node_id: _read_by(anatomy, row.node_id) for row in expecting}
        names = {*read, *(source for sources in read.values() for source in sources)}
        steps = await runs.last_of_nodes(organization_id, run_id, run.accepted_on, sorted(names))
        hashes = {name: content_hash(journal_safe(step.outputs)) for name, step in steps.items()}
        over = RunStatus(run.status).terminal
        results: list[tuple[DraftNodeRow, dict[str, Any]]] = []
        for row in expecting:
            step = steps.get(row.node_id)
            if step is None or step.status == StepStatus.CANCELLED:
                if over:
                    results.append((row, {"expected_run": None}))
                continue
            # A node inside a loop has its last result when the run is over.
            if step.step_key != row.node_id and not over:
                continue
            result = {
                "expected_run": None,
                "run_id": run_id,
                "step_key": step.step_key,
                "status": step.status,
                "outputs": step.outputs,
                "error": step.error,
                "started_at": step.started_at,
                "finished_at": step.finished_at,
                "definition_hash": row.expected_hash,
                "outputs_hash": hashes[row.node_id],
                "read_hashes": {name: hashes[name] for name in read[row.node_id] if name in hashes},
            }
            results.append((row, result))
        return results

    async def _anatomy(self, session: AsyncSession, organization_id: UUID, workflow_id: UUID) -> Anatomy:
        workflow = await Workflows(session).get(organization_id, workflow_id)
        if workflow is None:
            raise workflow_not_found(workflow_id)
        return Anatomy(parse_document(workflow.draft), self._shapes)


def _require_node(anatomy: Anatomy, node_id: str) -> None:
    if node_id not in anatomy.specs:
        raise NotFoundError(
            Problem(
                "draft.unknown_node",
                sentence("The draft has no node {node_id}.", node_id=repr(node_id[:80])),
                "node_id",
            )
        )


def _read_by(anatomy: Anatomy, node_id: str) -> list[str]:
    if node_id not in anatomy.specs:
        return []
    return anatomy.reads(node_id) if anatomy.in_loop(node_id) else anatomy.sources(node_id)


def _node(row: DraftNodeRow, stale: Staleness | None) -> DraftNode:
    return DraftNode(
        row.node_id,
        None if row.status is None else StepStatus(row.status),
        row.outputs,
        row.error,
        stale,
        row.pinned,
        row.run_id,
        row.step_key or row.node_id,
        row.started_at,
        row.finished_at,
        row.expected_run is not None,
    )
