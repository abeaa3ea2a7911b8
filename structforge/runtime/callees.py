"""Runs that runs start: calls of other workflows, and the workflow that handles a failure.

Invariant: what is returned here is only an acceptance; it becomes durable in the commit of the run that starts it,
so it exists once or not at all. The rights are those of that run: the same organization, and drafts from drafts.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import psycopg
from psycopg import AsyncConnection

from structforge.domain.errors import InvalidError, NotFoundError, Problem, sentence
from structforge.domain.ids import child_id
from structforge.domain.journal import Acceptance, Commit, RunIdentity
from structforge.domain.run import RunStatus
from structforge.domain.validation import parse_document
from structforge.domain.validation.inputs import validator_of, with_defaults, wrong_inputs
from structforge.domain.values import JsonValue, decode_json, encode_json, journal_safe
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.planner import Plan
from structforge.engine.plans import PlanCache
from structforge.engine.replay import split
from structforge.engine.values import references_in
from structforge.runtime.events import EventPublisher
from structforge.sdk.context import NodeError
from structforge.sdk.control import Call
from structforge.storage.callees import (
    Callee,
    Caller,
    called_before,
    callees,
    caller_of,
    draft_of,
    freeze_draft,
    version_number,
)
from structforge.storage.control import request_stop
from structforge.storage.engine_pool import EnginePool
from structforge.storage.outcomes import settled_steps

CALL, FAILURE = "call", "error"
"""Trigger kinds of the runs made here."""
ERROR_TRIGGER, MANUAL_TRIGGER = "trigger.error", "trigger.manual"
MAX_INPUT_BYTES = 1 << 30

Check = Callable[[WorkflowDocument], Sequence[Problem]]


class CalleeService:
    """Implements `engine.environment.Callees`."""

    def __init__(
        self,
        pool: EnginePool,
        plans: PlanCache,
        check: Check,
        publisher: EventPublisher,
        ring: Callable[[UUID], None],
        *,
        max_depth: int,
    ) -> None:
        """`check` returns what keeps a document from running."""
        self._pool = pool
        self._plans = plans
        self._check = check
        self._publisher = publisher
        self._ring = ring
        self._max_depth = max_depth

    async def called(self, caller: RunIdentity, step_key: str, attempt: int, call: Call) -> Commit:
        """Return the acceptance of the run that a step calls; see `Callees.called`."""
        above = await self._caller(caller)
        if above.depth >= self._max_depth:
            raise NodeError(
                "call.too_deep",
                sentence("This run is {depth} calls deep, and may call no further.", depth=above.depth),
                hint="A workflow that calls itself needs a condition that ends it; the administrator sets the limit.",
                depth=above.depth,
            )
        organization_id = caller.organization_id
        workflow_id, version_id = await self._version(organization_id, call, above)
        plan = await self._plans.get(version_id)
        given = with_defaults(plan.document.inputs, journal_safe(call.input))
        problems = wrong_inputs(validator_of(plan.document.inputs), given)
        if problems:
            raise InvalidError(*problems)
        acceptance = Acceptance(
            version_id=version_id,
            accepted_at=datetime.now(UTC),
            trigger_kind=CALL,
            trigger_node=_trigger(plan, MANUAL_TRIGGER),
            priority=above.priority,
            input=encode_json(given),
            created_by=above.created_by,
            parent_run_id=caller.run_id,
            parent_step_key=step_key,
            parent_waits=call.wait,
            depth=above.depth + 1,
        )
        made = child_id(caller.run_id, step_key, attempt)
        commit = _accepted(made, organization_id, workflow_id, acceptance)
        if call.wait:
            await self._take_over(commit, caller, step_key, plan)
        return commit

    async def _take_over(self, commit: Commit, caller: RunIdentity, step_key: str, plan: Plan) -> None:
        """Let a called run be a retry of the one that was called before, where its caller is a retry itself."""
        run, acceptance = commit.run, commit.acceptance
        async with self._pool.connection() as connection:
            earlier = await called_before(connection, caller, step_key, run.workflow_id, run.run_id)
            if earlier is None or acceptance is None:
                return
            steps = {step.step_key: step for step in await settled_steps(connection, earlier.run)}
        reused, _ = split(
            await self._plans.get(earlier.version_id),
            plan,
            steps,
            (),
            input_changed=decode_json(acceptance.input, max_bytes=MAX_INPUT_BYTES)
            != decode_json(earlier.input, max_bytes=MAX_INPUT_BYTES),
        )
        # Also where nothing is taken over: the runs that this one calls look for theirs along this way.
        acceptance.origin_run_id, acceptance.origin_kind = earlier.run.run_id, "retry"
        commit.events[0]["origin_run_id"] = str(earlier.run.run_id)
        commit.settled_steps = len(reused)
        for step in reused:
            commit.steps[step.step_key, step.attempt] = step
            # In use again: retention must not take them away under the new run.
            commit.artifacts += references_in(step.outputs or b"")

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
        failing = await self._plans.get(above.version_id)
        name = failing.document.settings.error_workflow
        if not name:
            return None
        organization_id = failed.organization_id
        workflow_id, version_id = await self._version(organization_id, Call(name), above)
        plan = await self._plans.get(version_id)
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
            "node": _node_of(error, failing),
        }
        started = Acceptance(
            version_id=version_id,
            accepted_at=datetime.now(UTC),
            trigger_kind=FAILURE,
            trigger_node=_trigger(plan, ERROR_TRIGGER) or _trigger(plan, MANUAL_TRIGGER),
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
                async with self._pool.connection() as connection:
                    answered = await request_stop(connection, organization_id, run_id)
            except psycopg.Error:
                return
            await self._publisher.asked(organization_id, answered, "stop", self._ring)

    async def _caller(self, run: RunIdentity, acceptance: Acceptance | None = None) -> Caller:
        async with self._pool.connection() as connection:
            if acceptance is None:
                found = await caller_of(connection, run)
                if found is None:
                    raise NotFoundError(
                        Problem("run.not_found", sentence("There is no run {run_id}.", run_id=run.run_id))
                    )
                return found
            number = await version_number(connection, run.organization_id, acceptance.version_id)
        return Caller(
            acceptance.created_by,
            acceptance.priority,
            acceptance.depth,
            acceptance.trigger_kind,
            acceptance.version_id,
            acceptance.trigger_node,
            acceptance.input,
            number,
        )

    async def _version(self, organization_id: UUID, call: Call, above: Caller) -> tuple[UUID, UUID]:
        """Return workflow and version that a call means. Raises: NodeError `call.*`, InvalidError for a wrong draft."""
        number = call.version if isinstance(call.version, int) else None
        async with self._pool.connection() as connection:
            found = await callees(connection, organization_id, call.workflow, number)
            if len(found) != 1:
                several = f"Several workflows are called {call.workflow[:200]!r}."
                none = f"There is no workflow {call.workflow[:200]!r}."
                raise _cannot(several if found else none, "Choose another, or name its id.")
            callee = found[0]
            if call.version == "draft":
                if above.version is not None:
                    raise NodeError(
                        "call.draft",
                        "Only a run of a draft may call a draft.",
                        where="parameters.version",
                        hint="Choose the published version.",
                    )
                return callee.workflow_id, await self._draft(connection, organization_id, callee, above)
        version_id = callee.published_version_id if number is None else callee.version_id
        if version_id is None:
            name = repr(call.workflow[:200])
            said = (
                sentence("The workflow {name} has no published version.", name=name)
                if number is None
                else sentence("The workflow {name} has no version {number}.", name=name, number=number)
            )
            raise _cannot(said, "Publish it first.")
        return callee.workflow_id, version_id

    async def _draft(
        self, connection: AsyncConnection[Any], organization_id: UUID, callee: Callee, above: Caller
    ) -> UUID:
        text = await draft_of(connection, organization_id, callee.workflow_id)
        document = parse_document(text or b"{}")
        problems = self._check(document)
        if problems:
            raise InvalidError(*problems)
        return await freeze_draft(connection, organization_id, callee.workflow_id, document, above.created_by)


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


def _cannot(message: str, hint: str) -> NodeError:
    return NodeError("call.unavailable", message, where="parameters.workflow", hint=hint)
