"""What a call needs to know of workflows and of the run that calls, asked by the engine's role.

Invariant: everything is asked within one organization; the engine's role sees no workflow otherwise (named
functions of the database answer, see the migration).
"""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from structforge.domain.ids import new_id
from structforge.domain.journal import RunIdentity
from structforge.domain.values import encode_json
from structforge.domain.workflow import WorkflowDocument
from structforge.storage.control import request_stop

_CALLER = """
SELECT e.created_by, e.priority, e.depth, e.trigger_kind, e.version_id, e.trigger_node, e.input::text, v.number
FROM workflow_executions e LEFT JOIN workflow_versions v ON v.id = e.version_id
WHERE e.id = %(run)s AND e.organization_id = %(organization)s
"""
_NUMBER = "SELECT number FROM workflow_versions WHERE id = %(version)s AND organization_id = %(organization)s"
_CALLEE = "SELECT workflow_id, published_version_id, version_id FROM callee(%s, %s, %s)"
_DRAFT = "SELECT callee_draft(%s, %s)"
_FREEZE = "SELECT freeze_draft(%s, %s, %s, %s, %s::json, %s)"

_ABANDONED = """
SELECT c.organization_id, c.id FROM workflow_executions c
JOIN workflow_executions p ON p.id = c.parent_run_id
WHERE c.parent_waits AND c.status NOT IN ('succeeded', 'failed', 'cancelled')
    AND (p.status IN ('succeeded', 'failed', 'cancelled') OR NOT EXISTS (
        SELECT FROM execution_steps s
        WHERE s.accepted_on = p.accepted_on AND s.run_id = p.id AND s.step_key = c.parent_step_key AND NOT s.settled
            AND s.status = 'waiting'))
LIMIT 200
"""


# The same step's call in the run that this one retries, or in that one's. A step that calls for a second time in this
# run has tried that already.
_BEFORE = """
WITH RECURSIVE lineage AS (
    SELECT id, origin_run_id, origin_kind, 0 AS level FROM workflow_executions
    WHERE id = %(run)s AND organization_id = %(organization)s
    UNION ALL
    SELECT e.id, e.origin_run_id, e.origin_kind, level + 1 FROM workflow_executions e
    JOIN lineage ON e.id = lineage.origin_run_id
    WHERE lineage.origin_kind = 'retry' AND level < 100 AND e.organization_id = %(organization)s
)
SELECT c.id, c.organization_id, c.workflow_id, c.accepted_on, c.version_id, c.input::text, level
FROM lineage JOIN workflow_executions c ON c.parent_run_id = lineage.id
WHERE c.parent_step_key = %(step)s AND c.parent_waits AND c.id <> %(made)s AND c.workflow_id = %(workflow)s
    AND c.status IN ('succeeded', 'failed', 'cancelled')
ORDER BY level, c.accepted_at DESC, c.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that is over, which a step called before."""

    run: RunIdentity
    version_id: UUID
    input: bytes


@dataclass(frozen=True, slots=True)
class Caller:
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


@dataclass(frozen=True, slots=True)
class Callee:
    """A workflow that goes by the wanted id or name."""

    workflow_id: UUID
    published_version_id: UUID | None
    version_id: UUID | None
    """Of the wanted number."""


async def caller_of(connection: AsyncConnection[Any], run: RunIdentity) -> Caller | None:
    """Return what is known of a run that is in the database."""
    key = {"run": run.run_id, "organization": run.organization_id}
    row = await (await connection.execute(_CALLER, key)).fetchone()
    if row is None:
        return None
    created_by, priority, depth, kind, version_id, trigger, given, number = row
    return Caller(created_by, priority, depth, kind, version_id, trigger, given.encode(), number)


async def called_before(
    connection: AsyncConnection[Any], caller: RunIdentity, step_key: str, workflow_id: UUID, made: UUID
) -> Earlier | None:
    """Return the run of that workflow which the step called in the run that `caller` retries, for the run `made`."""
    key = {
        "run": caller.run_id,
        "organization": caller.organization_id,
        "step": step_key,
        "workflow": workflow_id,
        "made": made,
    }
    row = await (await connection.execute(_BEFORE, key)).fetchone()
    if row is None or row[6] == 0:
        return None
    return Earlier(RunIdentity(*row[:4]), row[4], row[5].encode())


async def version_number(
    connection: AsyncConnection[Any], organization_id: UUID, version_id: UUID
) -> int | None:
    """Return the number of a version; None for a copy of a draft."""
    key = {"version": version_id, "organization": organization_id}
    row = await (await connection.execute(_NUMBER, key)).fetchone()
    return row[0] if row else None


async def callees(
    connection: AsyncConnection[Any], organization_id: UUID, wanted: str, number: int | None = None
) -> list[Callee]:
    """Return the workflow of that id, or those of exactly that name (two at most)."""
    rows = await (await connection.execute(_CALLEE, (organization_id, wanted, number))).fetchall()
    found = [Callee(*row) for row in rows]
    return found[:1] if found and str(found[0].workflow_id) == wanted.lower() else found


async def draft_of(
    connection: AsyncConnection[Any], organization_id: UUID, workflow_id: UUID
) -> bytes | None:
    """Return the draft of a workflow as JSON."""
    row = await (await connection.execute(_DRAFT, (organization_id, workflow_id))).fetchone()
    return row[0].encode() if row and row[0] else None


async def freeze_draft(
    connection: AsyncConnection[Any],
    organization_id: UUID,
    workflow_id: UUID,
    document: WorkflowDocument,
    created_by: UUID | None,
) -> UUID:
    """Return the id of the immutable copy of this draft; equal drafts share one."""
    given = (
        new_id(),
        organization_id,
        workflow_id,
        document.content_hash(),
        encode_json(document.as_json()).decode(),
        created_by,
    )
    row = await (await connection.execute(_FREEZE, given)).fetchone()
    if row is None:
        raise RuntimeError("freezing a draft gave no id")
    version_id: UUID = row[0]
    return version_id


async def stop_abandoned(connection: AsyncConnection[Any]) -> int:
    """Stop called runs whose caller waits no more: its worker died before it could. Returns how many."""
    rows = await (await connection.execute(_ABANDONED)).fetchall()
    for organization_id, run_id in rows:
        await request_stop(connection, organization_id, run_id)
    return len(rows)
