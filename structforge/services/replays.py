"""Retry and replay: a new run that takes over what an earlier one has done already.

Invariant: the earlier run is never changed; what is taken over is neither computed nor paid for again.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import (
    ConflictError,
    InvalidError,
    Problem,
    sentence,
)
from structforge.domain.ids import new_id
from structforge.domain.journal import (
    Acceptance,
    IdempotencyClaim,
    IdempotencyLostError,
    Journal,
    RunIdentity,
    StepRecord,
)
from structforge.domain.run import RunStatus
from structforge.domain.values import JsonValue, content_hash, encode_json
from structforge.engine.planner import Plan
from structforge.engine.recorder import RunRecorder
from structforge.engine.replay import split
from structforge.engine.values import references_in
from structforge.services.absent import run_not_found
from structforge.services.audit import audited
from structforge.services.runs import IDEMPOTENCY_TTL, key_taken
from structforge.services.targets import Target, Targets
from structforge.storage.database import Database
from structforge.storage.outcomes import settled_steps
from structforge.storage.repositories.runs import Runs
from structforge.storage.tables import RunRow

KEEP_INPUT = object()
"""The input of the earlier run, as it was."""


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What runs again, and as what."""

    from_nodes: tuple[str, ...] = ()
    """Node ids to begin from; none retries what had not succeeded."""
    version: int | Literal["same", "draft"] = "same"
    """A published version, the one of the earlier run, or the draft as it stands."""
    input: JsonValue | object = KEEP_INPUT
    idempotency_key: str | None = None
    """Asked for again with the same key, the run that was made the first time is the answer."""
    from_start: bool = False
    """Everything runs again; nothing is taken over."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """The new run."""

    run_id: UUID
    reused: int
    """Steps taken over."""
    again: tuple[str, ...]
    """Nodes that run again."""


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What a replay would do."""

    reused: int
    again: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Prepared:
    earlier: RunRow
    target: Target
    input: JsonValue
    reused: list[StepRecord]
    again: frozenset[str]


class ReplayService:
    """Makes runs out of runs."""

    def __init__(
        self, database: Database, journal: Journal, targets: Targets, ring: Callable[[UUID], None]
    ) -> None:
        self._database = database
        self._journal = journal
        self._targets = targets
        self._ring = ring

    async def replay(self, principal: Principal, run_id: UUID, request: ReplayRequest) -> Replayed:
        """Start a run that takes over from `run_id` what it may.

        Raises: NotFoundError; ConflictError while the earlier run is not over; InvalidError for an unknown node or
        input; ForbiddenError.
        """
        prepared = await self._prepare(principal, run_id, request)
        row, target, given = prepared.earlier, prepared.target, prepared.input
        now = datetime.now(UTC)
        kind = "replay" if request.from_nodes or request.from_start or request.version != "same" else "retry"
        run = RunIdentity(new_id(), row.organization_id, row.workflow_id, now.date())
        recorder = RunRecorder(
            self._journal,
            run,
            None,
            acceptance=Acceptance(
                version_id=target.version_id,
                accepted_at=now,
                trigger_kind=row.trigger_kind,
                trigger_node=row.trigger_node,
                priority=row.priority,
                input=encode_json(given),
                created_by=principal.user_id,
                origin_run_id=row.id,
                origin_kind=kind,
                idempotency=_claim(row.id, request, now),
            ),
        )
        recorder.event("run.accepted", now, status=RunStatus.QUEUED, origin_run_id=str(row.id))
        for step in prepared.reused:
            recorder.step(step)
            # In use again: retention must not take them away under the new run.
            for artifact in references_in(step.outputs or b""):
                recorder.artifact(artifact)
        made_id = run.run_id
        details = {"made": str(made_id), "version": request.version, "from_nodes": list(request.from_nodes)}
        try:
            async with audited(self._database, principal, f"run.{kind}", "run", row.id, **details):
                pending = recorder.submit()
                if pending is not None:
                    await pending
            self._ring(made_id)
        except IdempotencyLostError as lost:
            if not lost.same_body:
                raise InvalidError(key_taken(lost.run_id)) from None
            made_id = lost.run_id
        return Replayed(made_id, len(prepared.reused), tuple(sorted(prepared.again)))

    async def foresee(self, principal: Principal, run_id: UUID, request: ReplayRequest) -> Foreseen:
        """Tell what `replay` would do, and do nothing. Raises: as `replay`."""
        prepared = await self._prepare(principal, run_id, request)
        return Foreseen(len(prepared.reused), tuple(sorted(prepared.again)))

    async def _prepare(self, principal: Principal, run_id: UUID, request: ReplayRequest) -> _Prepared:
        authorize(principal, Permission.RUN_START)
        row = await self._earlier(principal, run_id)
        target = await self._target(principal, row, request)
        old = (await self._targets.version(row.version_id)).plan
        _check_nodes(target.plan, request.from_nodes)
        given = row.input if request.input is KEEP_INPUT else request.input
        given = target.taken_input(given, row.trigger_kind)  # type: ignore[arg-type]
        earlier = RunIdentity(row.id, row.organization_id, row.workflow_id, row.accepted_on)
        async with self._database.engine_pool.connection() as connection:
            steps = {step.step_key: step for step in await settled_steps(connection, earlier)}
        reused, again = split(
            old,
            target.plan,
            steps,
            tuple(target.plan.by_id) if request.from_start else request.from_nodes,
            input_changed=given != row.input,
        )
        return _Prepared(row, target, given, reused, again)

    async def _earlier(self, principal: Principal, run_id: UUID) -> RunRow:
        async with self._database.transaction(principal.organization_id) as session:
            row = await Runs(session).get(principal.organization_id, run_id)
        if row is None:
            raise run_not_found(run_id)
        if not RunStatus(row.status).terminal:
            raise ConflictError(
                Problem(
                    "run.not_over",
                    sentence(
                        "The run is {status}: only a run that is over can be run again.", status=row.status
                    ),
                    f"runs.{run_id}",
                    "Stop it first, or wait for its end.",
                )
            )
        return row

    async def _target(self, principal: Principal, row: RunRow, request: ReplayRequest) -> Target:
        if request.version == "draft":
            authorize(principal, Permission.WORKFLOW_EDIT)
            return await self._targets.draft(row.organization_id, row.workflow_id, principal.user_id)
        if request.version == "same":
            return await self._targets.version(row.version_id)
        return await self._targets.numbered(row.organization_id, row.workflow_id, request.version)


def _claim(run_id: UUID, request: ReplayRequest, now: datetime) -> IdempotencyClaim | None:
    if request.idempotency_key is None:
        return None
    kept = request.input is KEEP_INPUT
    given: Any = None if kept else request.input
    body: JsonValue = [list(request.from_nodes), request.from_start, request.version, kept, given]
    return IdempotencyClaim(
        f"replay:{run_id}", request.idempotency_key, content_hash(body), now + IDEMPOTENCY_TTL
    )


def _check_nodes(plan: Plan, node_ids: tuple[str, ...]) -> None:
    unknown = [node_id for node_id in node_ids if node_id not in plan.by_id]
    if unknown:
        raise InvalidError(
            *(
                Problem(
                    "replay.unknown_node",
                    sentence("The version has no node {node_id}.", node_id=repr(node_id)),
                    "from_nodes",
                    sentence("It has: {known}.", known=", ".join(sorted(plan.by_id))[:500]),
                )
                for node_id in unknown
            )
        )
