"""Runs that runs start: calls of other workflows, and the workflow that handles a failure.

Invariant: what is returned here is only an acceptance; it becomes durable in the commit of the run that starts it,
so it exists once or not at all. The rights are those of that run: the same organization, and drafts from drafts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from structforge.domain.errors import ConflictError, NotFoundError, Problem, StructForgeError
from structforge.domain.ids import child_id
from structforge.domain.journal import Acceptance, Commit, RunIdentity
from structforge.domain.run import RunStatus
from structforge.domain.values import JsonValue, decode_json, encode_json, journal_safe
from structforge.engine.planner import Plan
from structforge.runtime.events import EventPublisher
from structforge.sdk.context import NodeError
from structforge.sdk.control import Call
from structforge.services.runs import tell
from structforge.services.targets import Target, Targets
from structforge.storage.control import request_stop
from structforge.storage.database import Database
from structforge.storage.repositories.workflows import Workflows

CALL, FAILURE = "call", "error"
"""Trigger kinds of the runs made here."""
ERROR_TRIGGER, MANUAL_TRIGGER = "trigger.error", "trigger.manual"
MAX_INPUT_BYTES = 1 << 30

_CALLER = """
SELECT e.created_by, e.priority, e.depth, e.trigger_kind, e.version_id, e.trigger_node, e.input::text, v.number
FROM workflow_executions e LEFT JOIN workflow_versions v ON v.id = e.version_id
WHERE e.id = %(run)s AND e.organization_id = %(organization)s
"""
_NUMBER = "SELECT number FROM workflow_versions WHERE id = %(version)s AND organization_id = %(organization)s"


@dataclass(frozen=True, slots=True)
class _Caller:
    """What a run passes on to those it starts."""

    created_by: UUID | None
    priority: int
    depth: int
    trigger_kind: str
    version_id: UUID
    trigger_node: str | None
    input: bytes
    version: int | None
    """None for a copy of a draft."""


class CalleeService:
    """Implements `engine.environment.Callees`."""

    def __init__(
        self,
        database: Database,
        targets: Targets,
        publisher: EventPublisher,
        ring: Callable[[UUID], None],
        *,
        max_depth: int,
    ) -> None:
        self._database = database
        self._targets = targets
        self._publisher = publisher
        self._ring = ring
        self._max_depth = max_depth

    async def called(self, caller: RunIdentity, step_key: str, attempt: int, call: Call) -> Commit:
        """Return the acceptance of the run that a step calls; see `Callees.called`."""
        above = await self._caller(caller)
        if above.depth >= self._max_depth:
            raise NodeError(
                "call.too_deep",
                f"This run is {above.depth} calls deep, and may call no further.",
                hint="A workflow that calls itself needs a condition that ends it; the administrator sets the limit.",
                depth=above.depth,
            )
        organization_id = caller.organization_id
        try:
            workflow_id = await self._workflow(organization_id, call.workflow)
            target = await self._target(organization_id, workflow_id, call, above)
        except (NotFoundError, ConflictError) as error:
            raise _cannot(call.workflow, error) from error
        given = journal_safe(call.input)
        target.check_input(given)
        acceptance = Acceptance(
            version_id=target.version_id,
            accepted_at=datetime.now(UTC),
            trigger_kind=CALL,
            trigger_node=_trigger(target.plan, MANUAL_TRIGGER),
            priority=above.priority,
            input=encode_json(given),
            created_by=above.created_by,
            parent_run_id=caller.run_id,
            parent_step_key=step_key,
            parent_waits=call.wait,
            depth=above.depth + 1,
        )
        return _accepted(child_id(caller.run_id, step_key, attempt), organization_id, workflow_id, acceptance)

    async def handler(
        self, failed: RunIdentity, error: Problem, acceptance: Acceptance | None
    ) -> Commit | None:
        """Return the acceptance of the run that handles a failure; see `Callees.handler`.

        None for a workflow without an error workflow, a run of a draft (somebody is looking at it), and a failure of
        an error workflow itself.
        """
        above = await self._caller(failed, acceptance)
        if above.trigger_kind == FAILURE or above.version is None:
            return None
        plan = (await self._targets.version(above.version_id)).plan
        name = plan.document.settings.error_workflow
        if not name:
            return None
        organization_id = failed.organization_id
        workflow_id = await self._workflow(organization_id, name)
        target = await self._targets.published(organization_id, workflow_id)
        given: JsonValue = {
            "error": error.as_json(),
            "run": {
                "id": str(failed.run_id),
                "workflow_id": str(failed.workflow_id),
                "version": above.version,
                "trigger": above.trigger_node,
                "trigger_kind": above.trigger_kind,
                "input": decode_json(above.input, max_bytes=MAX_INPUT_BYTES),
            },
            "node": _node_of(error, plan),
        }
        started = Acceptance(
            version_id=target.version_id,
            accepted_at=datetime.now(UTC),
            trigger_kind=FAILURE,
            trigger_node=_trigger(target.plan, ERROR_TRIGGER) or _trigger(target.plan, MANUAL_TRIGGER),
            priority=above.priority,
            input=encode_json(given),
            created_by=above.created_by,
            parent_run_id=failed.run_id,
            depth=above.depth + 1,
        )
        return _accepted(child_id(failed.run_id, FAILURE), organization_id, workflow_id, started)

    async def stop(self, organization_id: UUID, run_ids: Sequence[UUID]) -> None:
        """Stop runs that nobody waits for any more. What fails here is done by `stop_abandoned` later."""
        for run_id in run_ids:
            try:
                async with self._database.engine_pool.connection() as connection:
                    answered = await request_stop(connection, organization_id, run_id)
            except psycopg.Error:
                return
            await tell(self._publisher, self._ring, organization_id, answered, "stop")

    async def _caller(self, run: RunIdentity, acceptance: Acceptance | None = None) -> _Caller:
        key = {"run": run.run_id, "organization": run.organization_id}
        async with self._database.engine_pool.connection() as connection:
            if acceptance is None:
                row = await (await connection.execute(_CALLER, key)).fetchone()
                if row is None:
                    raise NotFoundError(Problem("run.not_found", f"There is no run {run.run_id}."))
                return _Caller(*row[:6], row[6].encode(), row[7])
            version = {"version": acceptance.version_id, "organization": run.organization_id}
            row = await (await connection.execute(_NUMBER, version)).fetchone()
        return _Caller(
            acceptance.created_by,
            acceptance.priority,
            acceptance.depth,
            acceptance.trigger_kind,
            acceptance.version_id,
            acceptance.trigger_node,
            acceptance.input,
            row[0] if row else None,
        )

    async def _workflow(self, organization_id: UUID, name: str) -> UUID:
        """Find a workflow by id or exact name. Raises: NotFoundError, ConflictError when several have the name."""
        try:
            return UUID(name)
        except ValueError:
            pass
        async with self._database.transaction(organization_id) as session:
            found = await Workflows(session).named(organization_id, name)
        if not found:
            raise NotFoundError(Problem("workflow.not_found", f"There is no workflow {name[:200]!r}."))
        if len(found) > 1:
            raise ConflictError(
                Problem("workflow.ambiguous", f"Several workflows are called {name[:200]!r}.", hint="Name its id.")
            )
        return found[0]

    async def _target(self, organization_id: UUID, workflow_id: UUID, call: Call, above: _Caller) -> Target:
        if call.version == "draft":
            if above.version is not None:
                raise NodeError(
                    "call.draft",
                    "Only a run of a draft may call a draft.",
                    where="parameters.version",
                    hint="Choose the published version.",
                )
            return await self._targets.draft(organization_id, workflow_id, above.created_by)
        if call.version == "published":
            return await self._targets.published(organization_id, workflow_id)
        return await self._targets.numbered(organization_id, workflow_id, call.version)


_ABANDONED = """
SELECT c.organization_id, c.id FROM workflow_executions c
JOIN workflow_executions p ON p.id = c.parent_run_id
WHERE c.parent_waits AND c.status NOT IN ('succeeded', 'failed', 'cancelled')
    AND c.accepted_at < now() - interval '5 seconds'
    AND (p.status IN ('succeeded', 'failed', 'cancelled') OR NOT EXISTS (
        SELECT FROM execution_steps s
        WHERE s.accepted_on = p.accepted_on AND s.run_id = p.id AND s.step_key = c.parent_step_key AND NOT s.settled
            AND s.status = 'waiting'))
LIMIT 200
"""


async def stop_abandoned(connection: AsyncConnection[Any]) -> int:
    """Stop called runs whose caller waits no more: its worker died before it could. Returns how many."""
    rows = await (await connection.execute(_ABANDONED)).fetchall()
    for organization_id, run_id in rows:
        await request_stop(connection, organization_id, run_id)
    return len(rows)


def _accepted(run_id: UUID, organization_id: UUID, workflow_id: UUID, acceptance: Acceptance) -> Commit:
    at = acceptance.accepted_at
    event = {
        "seq": 1,
        "type": "run.accepted",
        "at": at,
        "status": RunStatus.QUEUED,
        "parent_run_id": str(acceptance.parent_run_id),
    }
    run = RunIdentity(run_id, organization_id, workflow_id, at.date())
    return Commit(run, None, acceptance=acceptance, events=[event])


def _trigger(plan: Plan, kind: str) -> str | None:
    return next((planned.id for planned in plan.triggers() if planned.node.type == kind), None)


def _node_of(error: Problem, plan: Plan) -> str | None:
    """Return the node a problem is about, which its place begins with."""
    part = error.where.removeprefix("nodes.").partition(".")[0] if error.where.startswith("nodes.") else ""
    return part if part in plan.by_id else None


def _cannot(name: str, error: StructForgeError) -> NodeError:
    problem = error.problem
    return NodeError(
        "call.unavailable",
        f"The workflow {name[:200]!r} cannot be called: {problem.message}",
        where="parameters.workflow",
        hint=problem.hint or "Choose another workflow, or publish it.",
        reason=problem.code,
    )
