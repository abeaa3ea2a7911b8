"""Starting, reading and stopping runs: the use cases behind every door.

Invariant: a run is accepted by one commit; what this service answered as accepted is never lost. Every method
checks the permission and loads by (organization, id).
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from psycopg import AsyncConnection
from sqlalchemy.ext.asyncio import AsyncSession

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
)
from structforge.domain.run import RunStatus
from structforge.domain.values import JsonValue, decode_json, encode_json
from structforge.engine import faults
from structforge.engine.control import RunControl
from structforge.engine.environment import Environment
from structforge.engine.execution import Execution
from structforge.engine.order import RunOrder
from structforge.engine.recorder import RunRecorder
from structforge.runtime.events import ORGANIZATION_CHANNEL, RUN_CHANNEL, EventHub, EventPublisher
from structforge.services.absent import run_not_found
from structforge.services.admission import Admission
from structforge.services.audit import actor_of, audit_deed
from structforge.services.shown_values import MAX_OUTPUT_BYTES, SHOWN_VALUES, ShownValues
from structforge.services.targets import Target, Targets
from structforge.storage.control import Answered, Asked, request_pause, request_resume, request_stop
from structforge.storage.database import Database
from structforge.storage.repositories.paging import Cursor, Page
from structforge.storage.repositories.runs import RunFilter, Runs
from structforge.storage.tables import LogRow, RunRow, StepRow

RECHECK_S = 2.0
"""A waiting caller looks at the table this often, in case an event was lost."""
IDEMPOTENCY_TTL = timedelta(hours=24)

Mode = Literal["sync", "async"]
Ask = Callable[[AsyncConnection[Any], UUID, UUID], Awaitable[Answered]]


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What a caller asks for."""

    input: JsonValue
    mode: Mode = "async"
    time_limit_s: float = 30.0
    """How long a sync caller waits for the result before it gets the run id instead."""
    version: int | None = None
    """A published version by number; none is the published one."""
    draft: bool = False
    """Run an immutable copy of the draft instead."""
    trigger_kind: str = "api"
    trigger_node: str | None = None
    priority: int = 1
    """0 high, 1 normal, 2 low."""
    run_at: datetime | None = None
    """When it may start, for an async start; none or a time gone by means at once."""
    idempotency_key: str | None = None
    body_hash: str = ""
    """Of the whole request: the same key with another hash is refused."""


@dataclass(frozen=True, slots=True)
class StartResult:
    """A run and, when it ended within the time limit, what came out."""

    run_id: UUID
    status: RunStatus
    output: bytes | None = None
    """JSON."""
    error: bytes | None = None
    """JSON of a `Problem`."""
    replayed: bool = False
    """An earlier request with the same idempotency key started it."""


class RunService:
    """Runs of all workflows."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        environment: Environment,
        targets: Targets,
        hub: EventHub,
        publisher: EventPublisher,
        ring: Callable[[UUID], None],
        max_time_limit_s: float,
    ) -> None:
        self._database = database
        self._journal = journal
        self._environment = environment
        self._shown = ShownValues(environment)
        self._targets = targets
        self._hub = hub
        self._publisher = publisher
        self._admission = Admission(database.engine_pool, publisher)
        self._ring = ring
        self._max_time_limit_s = max_time_limit_s

    async def start(self, principal: Principal, workflow_id: UUID, request: StartRequest) -> StartResult:
        """Accept a run; a sync caller waits for its result up to the time limit.

        Raises: NotFoundError, ForbiddenError, ConflictError (not published), InvalidError (input, or an idempotency
        key that came with another body), TooManyRequestsError (the workflow is full and refuses),
        UnavailableError (nothing was accepted; repeat it).
        """
        authorize(principal, Permission.RUN_START)
        target = await self._target(principal, workflow_id, request)
        request = replace(request, input=target.taken_input(request.input, request.trigger_kind))
        self._check_trigger(target, request)
        now = datetime.now(UTC)
        run = RunIdentity(new_id(), principal.organization_id, workflow_id, now.date())
        acceptance = Acceptance(
            version_id=target.version_id,
            accepted_at=now,
            trigger_kind=request.trigger_kind,
            trigger_node=request.trigger_node,
            priority=request.priority,
            input=encode_json(request.input),
            created_by=principal.user_id,
            idempotency=_claim(workflow_id, request, now),
            available_at=request.run_at,
        )
        recorder = RunRecorder(self._journal, run, None, acceptance=acceptance)
        recorder.event("run.accepted", now, status=RunStatus.QUEUED)
        time_limit_s = min(request.time_limit_s, self._max_time_limit_s)
        try:
            # What is counted against a limit has to be a leased run of a worker.
            if request.mode == "sync" and target.plan.in_process_safe and not target.limits.any:
                return await self._run_here(target, recorder, acceptance, request.input, time_limit_s)
            if request.mode == "sync":
                async with self._hub.follow(f"{RUN_CHANNEL}{run.run_id}") as messages:
                    await self._accept(recorder, target, acceptance)
                    return await self._await_end(principal, run.run_id, messages, time_limit_s)
            await self._accept(recorder, target, acceptance)
            return StartResult(run.run_id, RunStatus.QUEUED)
        except IdempotencyLostError as lost:
            return await self._join_winner(principal, lost, request, time_limit_s)

    async def _accept(self, recorder: RunRecorder, target: Target, acceptance: Acceptance) -> None:
        async with self._admission.place(recorder.run, target.limits, acceptance.idempotency):
            pending = recorder.submit()
            if pending is not None:
                await pending
        faults.point("after_accept")
        self._ring(recorder.run.run_id)

    async def _run_here(
        self,
        target: Target,
        recorder: RunRecorder,
        acceptance: Acceptance,
        given: JsonValue,
        time_limit_s: float,
    ) -> StartResult:
        """Execute pure in-process steps and commit once; past the time limit a worker takes over."""
        run_id = recorder.run.run_id
        control = RunControl(deadline=asyncio.get_running_loop().time() + time_limit_s)
        order = RunOrder(
            trigger=acceptance.trigger_node,
            input=given,
            accepted_at=acceptance.accepted_at,
            acceptance=acceptance,
        )
        end = await Execution(target.plan, order, recorder, self._environment, control).execute()
        if not end.status.terminal:
            self._ring(run_id)
            return StartResult(run_id, RunStatus.RUNNING)
        error = encode_json(end.error.as_json()) if end.error else None
        return StartResult(run_id, end.status, end.output, error)

    async def _join_winner(
        self, principal: Principal, lost: IdempotencyLostError, request: StartRequest, time_limit_s: float
    ) -> StartResult:
        if not lost.same_body:
            raise InvalidError(key_taken(lost.run_id))
        if request.mode == "async":
            # The answer of the first request again, however far its run has come: equal requests, equal answers.
            return StartResult(lost.run_id, RunStatus.QUEUED, replayed=True)
        async with self._hub.follow(f"{RUN_CHANNEL}{lost.run_id}") as messages:
            found = await self._await_end(principal, lost.run_id, messages, time_limit_s)
        return StartResult(lost.run_id, found.status, found.output, found.error, replayed=True)

    async def _await_end(
        self,
        principal: Principal,
        run_id: UUID,
        messages: "asyncio.Queue[dict[str, Any] | None]",
        time_limit_s: float,
    ) -> StartResult:
        clock = asyncio.get_running_loop().time
        deadline = clock() + time_limit_s
        found = await self._result(principal, run_id)
        while not found.status.terminal and (left_s := deadline - clock()) > 0:
            look = True
            try:
                async with asyncio.timeout(min(left_s, RECHECK_S)):
                    message = await messages.get()
                look = message is None or any(event["type"] == "run.finished" for event in message["events"])
            except TimeoutError:
                pass
            if look:
                found = await self._result(principal, run_id)
        return found

    async def _result(self, principal: Principal, run_id: UUID) -> StartResult:
        row = await self._row(principal, run_id)
        status = RunStatus(row.status)
        output = encode_json(row.output) if status is RunStatus.SUCCEEDED else None
        return StartResult(run_id, status, output, encode_json(row.error) if row.error else None)

    async def whole_output(self, principal: Principal, result: StartResult) -> JsonValue:
        """Return what a run gave with the large values in it that are stored apart."""
        output = decode_json(result.output or b"null", max_bytes=MAX_OUTPUT_BYTES)
        return await self._shown.whole(principal.organization_id, output)

    async def with_values(self, principal: Principal, result: StartResult) -> StartResult:
        """Return a result as its caller sees it: with the data that is stored apart."""
        if result.output is None:
            return result
        output = await self._shown.shown_bytes(principal.organization_id, result.output)
        return result if output is result.output else replace(result, output=output)

    async def shown(self, principal: Principal, value: Any, *, most: int = SHOWN_VALUES) -> Any:
        """Return what a run or a step gave as its readers see it; what goes beyond `most` values is described."""
        return await self._shown.shown(principal.organization_id, value, most=most)

    async def shown_inside(self, principal: Principal, value: Any) -> Any:
        """Return the same but leave a value that is a reference itself: viewers read that in pieces."""
        return await self._shown.inside(principal.organization_id, value)

    async def _row(self, principal: Principal, run_id: UUID) -> RunRow:
        async with self._database.transaction(principal.organization_id) as session:
            return await _found(session, principal, run_id)

    async def _target(self, principal: Principal, workflow_id: UUID, request: StartRequest) -> Target:
        if request.draft:
            authorize(principal, Permission.WORKFLOW_EDIT)
            return await self._targets.draft(principal.organization_id, workflow_id, principal.user_id)
        if request.version is not None:
            return await self._targets.numbered(principal.organization_id, workflow_id, request.version)
        return await self._targets.published(principal.organization_id, workflow_id)

    def _check_trigger(self, target: Target, request: StartRequest) -> None:
        if request.trigger_node is None:
            return
        known = {planned.id for planned in target.plan.triggers()}
        if request.trigger_node not in known:
            raise InvalidError(
                Problem(
                    "run.unknown_trigger",
                    sentence(
                        "The workflow has no trigger {trigger_node}.", trigger_node=repr(request.trigger_node)
                    ),
                    "trigger",
                    sentence("It has: {known}.", known=", ".join(sorted(known)) or "none"),
                )
            )

    async def stop(self, principal: Principal, run_id: UUID) -> RunStatus:
        """Stop a run, whatever it does. Returns its status now; `cancelling` until what is in flight ended.

        Raises: NotFoundError; ConflictError when it is over already.
        """
        authorize(principal, Permission.RUN_STOP)
        return await self._ask(principal, run_id, request_stop, "stop")

    async def pause(self, principal: Principal, run_id: UUID) -> RunStatus:
        """Let a run rest. Returns `paused`, or `pausing` until the steps in flight ended.

        Raises: NotFoundError; ConflictError when it is over, resting or stopping already.
        """
        authorize(principal, Permission.RUN_CONTROL)
        return await self._ask(principal, run_id, request_pause, "pause")

    async def resume(self, principal: Principal, run_id: UUID) -> RunStatus:
        """Let a paused run go on. Raises: NotFoundError; ConflictError when it is not paused."""
        authorize(principal, Permission.RUN_CONTROL)
        status = await self._ask(principal, run_id, request_resume, "resume")
        self._ring(run_id)
        return status

    async def _ask(self, principal: Principal, run_id: UUID, ask: Ask, action: str) -> RunStatus:
        async with self._database.transaction(principal.organization_id) as session:
            actor = await actor_of(session, principal)
        async with self._database.engine_pool.connection() as connection, connection.transaction():
            answered = await ask(connection, principal.organization_id, run_id)
            if answered.asked is not Asked.NOTHING:
                await audit_deed(connection, principal, actor, f"run.{action}", "run", run_id)
        if answered.asked is Asked.NOTHING or answered.status is None:
            async with self._database.transaction(principal.organization_id) as session:
                raise await _refusal(session, principal, run_id, action)
        await self._publisher.asked(principal.organization_id, answered, action, self._ring)
        return answered.status

    async def get(self, principal: Principal, run_id: UUID) -> RunRow:
        """Return one run with input, output and error. Raises: NotFoundError."""
        authorize(principal, Permission.RUN_READ)
        return await self._row(principal, run_id)

    async def list(
        self, principal: Principal, only: RunFilter, *, limit: int = 50, cursor: Cursor | None = None
    ) -> Page[RunRow]:
        """Return one page of runs, newest first."""
        authorize(principal, Permission.RUN_READ)
        async with self._database.transaction(principal.organization_id) as session:
            return await Runs(session).page(principal.organization_id, only, limit=limit, cursor=cursor)

    async def steps(
        self, principal: Principal, run_id: UUID, *, offset: int = 0, limit: int | None = None
    ) -> Sequence[StepRow]:
        """Return attempts of all steps in the order they began, all without a limit. Raises: NotFoundError."""
        run = await self.get(principal, run_id)
        async with self._database.transaction(principal.organization_id) as session:
            return await Runs(session).steps(
                principal.organization_id, run_id, run.accepted_on, offset=offset, limit=limit
            )

    async def logs(
        self,
        principal: Principal,
        run_id: UUID,
        *,
        after: int = 0,
        step_key: str | None = None,
        levels: Sequence[str] = (),
        search: str = "",
        limit: int = 500,
    ) -> "Sequence[LogRow]":
        """Return log lines with a number above `after`, oldest first; of one step, of levels, with a text.

        Raises: NotFoundError.
        """
        authorize(principal, Permission.LOG_READ)
        run = await self._row(principal, run_id)
        async with self._database.transaction(principal.organization_id) as session:
            return await Runs(session).logs(
                principal.organization_id,
                run_id,
                run.accepted_on,
                after=after,
                step_key=step_key,
                levels=levels,
                search=search,
                limit=limit,
            )

    async def events(
        self, principal: Principal, run_id: UUID, *, after: int = 0
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the run's events with a sequence above `after`, then live ones, until the run is over.

        Nothing is missed, whatever happens to Redis: a gap, a lost connection or silence sends it to the table.
        Raises: NotFoundError.
        """
        run = await self.get(principal, run_id)
        cursor = after
        async with self._hub.follow(f"{RUN_CHANNEL}{run_id}") as messages:
            batch = await self._events_after(principal, run, cursor)
            while True:
                for event in batch:
                    if event["seq"] > cursor:
                        cursor = event["seq"]
                        yield event
                        if event["type"] == "run.finished":
                            return
                batch = await self._next_events(principal, run, cursor, messages)
                if not batch and await self._is_over(principal, run_id, cursor):
                    return

    async def _next_events(
        self,
        principal: Principal,
        run: RunRow,
        cursor: int,
        messages: "asyncio.Queue[dict[str, Any] | None]",
    ) -> "Sequence[dict[str, Any]]":
        try:
            async with asyncio.timeout(RECHECK_S):
                message = await messages.get()
        except TimeoutError:
            message = None
        if message is not None:
            live: Sequence[dict[str, Any]] = message["events"]
            if live[0]["seq"] <= cursor + 1:
                return live
        return await self._events_after(principal, run, cursor)

    async def _is_over(self, principal: Principal, run_id: UUID, cursor: int) -> bool:
        found = await self.get(principal, run_id)
        return RunStatus(found.status).terminal and cursor >= found.event_seq

    async def _events_after(
        self, principal: Principal, run: RunRow, cursor: int
    ) -> "Sequence[dict[str, Any]]":
        async with self._database.transaction(principal.organization_id) as session:
            return await Runs(session).events(run.organization_id, run.id, run.accepted_on, after=cursor)

    async def changes(self, principal: Principal) -> AsyncIterator[dict[str, Any] | None]:
        """Yield what changes in the organization's list of runs; None means "read the list again"."""
        authorize(principal, Permission.RUN_READ)
        async with self._hub.follow(f"{ORGANIZATION_CHANNEL}{principal.organization_id}") as messages:
            while True:
                yield await messages.get()


async def _found(session: AsyncSession, principal: Principal, run_id: UUID) -> RunRow:
    row = await Runs(session).get(principal.organization_id, run_id)
    if row is None:
        raise run_not_found(run_id)
    return row


async def _refusal(session: AsyncSession, principal: Principal, run_id: UUID, action: str) -> ConflictError:
    """Say why this cannot be asked of the run. Raises: NotFoundError."""
    status = RunStatus((await _found(session, principal, run_id)).status)
    where, details = f"runs.{run_id}", {"status": status.value}
    if status.terminal:
        said = sentence("The run is over: it {status}.", status=status)
        return ConflictError(Problem("run.over", said, where, "Start a new one.", details))
    said = sentence("The run is {status}: one cannot {action} it now.", status=status, action=action)
    return ConflictError(Problem("run.not_now", said, where, "Look at it again in a moment.", details))


def key_taken(run_id: UUID) -> Problem:
    """Say that a caller's key belongs to another request, which made `run_id`."""
    return Problem(
        "idempotency.body_differs",
        "This Idempotency-Key was used with another request.",
        "Idempotency-Key",
        "Use a new key for a new request.",
        {"run_id": str(run_id)},
    )


def _claim(workflow_id: UUID, request: StartRequest, now: datetime) -> IdempotencyClaim | None:
    if request.idempotency_key is None:
        return None
    door = "hook" if request.trigger_kind == "webhook" else "start"
    expires_at = now + IDEMPOTENCY_TTL
    return IdempotencyClaim(f"{door}:{workflow_id}", request.idempotency_key, request.body_hash, expires_at)
