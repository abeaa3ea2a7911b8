"""The executor: a loop that starts what is ready, takes in what ended, and hands both to the journal.

Invariant: a step is begun only when its inputs are settled, and its outcome is recorded before anything that
depends on it. The rules are elsewhere: activation in `activation`, attempts in `step`, durability in the journal.
"""

import asyncio
import heapq
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from structforge.domain.errors import Problem, StructForgeError
from structforge.domain.expressions import Skipped
from structforge.domain.journal import LeaseLostError, RunChange, StepHistory, StepRecord
from structforge.domain.run import Effect, RunStatus, StepStatus
from structforge.domain.values import encode_json
from structforge.engine import faults
from structforge.engine.activation import DEAD, Activation
from structforge.engine.control import RunControl
from structforge.engine.environment import Environment
from structforge.engine.planner import Plan, PlannedNode
from structforge.engine.recorder import RunRecorder
from structforge.engine.step import (
    Outcome,
    Step,
    failure,
    finish_large,
    has_references,
    run_attempts,
    run_inline,
)


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What to execute: the values of one run that its version does not know."""

    trigger: str | None
    """Id of the fired trigger node; none starts the first trigger there is."""
    input: Any
    accepted_at: datetime
    started_at: datetime | None = None
    """Set when an earlier worker began the run."""
    history: Mapping[str, StepHistory] | None = None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an execution left its run."""

    status: RunStatus
    """Terminal; `waiting` when a person must decide; `queued` when it goes on elsewhere."""
    output: bytes | None = None
    error: Problem | None = None


class Executor:
    """One execution of one run: by the worker that holds its lease, or by the process that accepts it."""

    def __init__(
        self,
        plan: Plan,
        order: RunOrder,
        recorder: RunRecorder,
        environment: Environment,
        control: RunControl,
    ) -> None:
        self._plan = plan
        self._order = order
        self._recorder = recorder
        self._environment = environment
        self._control = control
        self._activation = Activation(plan)
        self._ready: list[int] = []
        self._tasks: dict[asyncio.Task[Outcome], Step] = {}
        self._ended: list[asyncio.Task[Outcome]] = []
        self._failure: Problem | None = None
        self._held: Problem | None = None
        self._history = order.history or {}
        self._names = {
            "inputs": order.input,
            "run": {
                "id": str(recorder.run.run_id),
                "accepted_at": order.accepted_at.isoformat(),
                "trigger": order.trigger,
            },
            "workflow": {"id": str(recorder.run.workflow_id)},
        }
        self._max_parallel = min(
            plan.document.settings.max_parallel or environment.limits.max_parallel,
            environment.limits.max_parallel,
        )

    async def execute(self) -> RunEnd:
        """Run until nothing is left, or until the control says otherwise. Raises: LeaseLostError."""
        try:
            self._begin()
            await self._loop()
            return await self._finish()
        finally:
            await self._cancel_tasks()

    def _begin(self) -> None:
        now = datetime.now(UTC)
        if self._order.started_at is None:
            self._recorder.change(RunChange(RunStatus.RUNNING, started_at=now))
            self._recorder.event("run.started", now, status=RunStatus.RUNNING)
        trigger = self._order.trigger
        triggers = self._plan.triggers()
        fired = self._plan.by_id[trigger].index if trigger else triggers[0].index if triggers else None
        ready, dead = self._activation.start(fired)
        self._take(ready, dead)

    async def _loop(self) -> None:
        control, limits = self._control, self._environment.limits
        clock = asyncio.get_running_loop().time
        slice_end = clock() + limits.slice_s
        while True:
            while self._ready and self._may_start():
                self._start(heapq.heappop(self._ready))
                if clock() > slice_end:
                    self._hand_over_records()
                    await asyncio.sleep(0)
                    slice_end = clock() + limits.slice_s
            if not self._tasks:
                return
            self._hand_over_records()
            await control.wait()
            if control.lost:
                raise LeaseLostError
            if control.stop_requested:
                return
            self._take_ended()
            if self._failure:
                return
            slice_end = clock() + limits.slice_s

    def _may_start(self) -> bool:
        control = self._control
        if control.lost:
            raise LeaseLostError
        if control.stop_requested or control.yield_requested or self._failure or self._held:
            return False
        if control.deadline is not None and asyncio.get_running_loop().time() > control.deadline:
            control.yield_requested = True
            return False
        return len(self._tasks) < self._max_parallel

    def _hand_over_records(self) -> None:
        # A run that nobody accepted yet is written in one commit at its end.
        if self._recorder.accepted and (pending := self._recorder.submit()) is not None:
            pending.add_done_callback(self._written)

    def _written(self, pending: "asyncio.Future[None]") -> None:
        if not pending.cancelled() and pending.exception() is not None:
            self._control.lose()

    def _start(self, index: int) -> None:
        planned = self._plan.nodes[index]
        history = self._history.get(planned.id)
        if history is not None and history.settled:
            self._settle(index, history.outputs or DEAD)
            self._note_failure(planned, history)
            return
        if planned.spec.disabled:
            self._pass_through(planned)
            return
        try:
            # A trigger has no edges: what fired it comes in as `in`.
            inputs = {"in": self._order.input} if planned.node.trigger else self._activation.inputs(index)
        except StructForgeError as error:
            step = Step(planned, planned.id, {}, {})
            self._end(step, failure(step, error.problem))
            return
        step = Step(planned, planned.id, inputs, self._scope(planned) if planned.fixed is None else {})
        if history is not None and not self._resume(step, history):
            return
        if planned.plain and not has_references(step):
            outcome = run_inline(step, self._recorder, self._environment)
            if isinstance(outcome, Outcome):
                self._end(step, outcome)
                return
            work = finish_large(step, outcome, self._recorder, self._environment)
        else:
            work = run_attempts(step, self._recorder, self._environment)
        task = asyncio.get_running_loop().create_task(work, name=step.key)
        self._tasks[task] = step
        task.add_done_callback(self._task_done)

    def _task_done(self, task: "asyncio.Task[Outcome]") -> None:
        self._ended.append(task)
        self._control.notify()

    def _take_ended(self) -> None:
        ended, self._ended = self._ended, []
        for task in ended:
            self._end(self._tasks.pop(task), task.result())

    def _scope(self, planned: PlannedNode) -> Mapping[str, Any]:
        names = dict(self._names)
        for index in planned.referenced:
            node = self._plan.nodes[index]
            try:
                names[node.id] = self._activation.value_of(index)
            except KeyError:
                names[node.id] = Skipped(node.id)
        return names

    def _resume(self, step: Step, history: StepHistory) -> bool:
        """Go on after a crash in the middle of this step. Returns False when a person has to decide."""
        step.attempt = history.attempt + 1
        if history.status is not StepStatus.RUNNING:
            return True
        planned = step.planned
        step.lost_attempts = 1
        lost = Problem("step.worker_died", "The worker died while this attempt was running.")
        self._recorder.step(
            StepRecord(
                step.key,
                history.attempt,
                planned.id,
                StepStatus.FAILED,
                False,
                error=encode_json(lost.as_json()),
                started_at=history.started_at,
                finished_at=datetime.now(UTC),
            )
        )
        rule = planned.policies.on_interrupted or ("hold" if planned.node.effect is Effect.ONCE else "retry")
        if rule == "retry":
            return True
        problem = Problem(
            "step.interrupted",
            f"The worker died while {planned.id!r} was running, and this step must not be repeated silently.",
            f"nodes.{planned.id}",
            "Find out whether its effect happened, then retry the run from here or stop it.",
        )
        if rule == "fail":
            self._end(step, failure(step, problem))
        else:
            self._held = problem
        return False

    def _pass_through(self, planned: PlannedNode) -> None:
        """A disabled node hands its first live input on, so that a branch can be tried without it."""
        now = datetime.now(UTC)
        inputs = self._activation.inputs(planned.index)
        ports = {planned.default_port: next(iter(inputs.values()))} if inputs else DEAD
        self._record(
            Step(planned, planned.id, inputs, {}),
            Outcome(StepStatus.SKIPPED, ports, encode_json(dict(ports)) if ports else None, None, now, now),
        )
        self._settle(planned.index, ports)

    def _end(self, step: Step, outcome: Outcome) -> None:
        self._record(step, outcome)
        if outcome.fails_run and self._failure is None:
            self._failure = outcome.problem
        self._settle(step.planned.index, outcome.ports)

    def _note_failure(self, planned: PlannedNode, history: StepHistory) -> None:
        if history.status is StepStatus.FAILED and not history.outputs and self._failure is None:
            self._failure = Problem.from_json(
                dict(history.error or {"code": "step.failed", "message": "Failed."})
            )

    def _record(self, step: Step, outcome: Outcome) -> None:
        error = outcome.problem.as_json() if outcome.problem else None
        recorder = self._recorder
        recorder.step(
            StepRecord(
                step.key,
                step.attempt,
                step.planned.id,
                outcome.status,
                True,
                outcome.data,
                encode_json(error) if error else None,
                outcome.started_at,
                outcome.finished_at,
            )
        )
        for artifact in outcome.artifacts:
            recorder.artifact(artifact)
        fields: dict[str, Any] = {"error": error} if error else {}
        recorder.event(
            "step.finished",
            outcome.finished_at,
            step_key=step.key,
            node_id=step.planned.id,
            attempt=step.attempt,
            status=outcome.status,
            started_at=outcome.started_at,
            ports=list(outcome.ports),
            **fields,
        )

    def _settle(self, index: int, ports: Mapping[str, Any]) -> None:
        ready, dead = self._activation.settle(index, ports)
        self._take(ready, dead)

    def _take(self, ready: list[int], dead: list[int]) -> None:
        for index in ready:
            heapq.heappush(self._ready, index)
        if not dead:
            return
        now = datetime.now(UTC)
        for index in dead:
            planned = self._plan.nodes[index]
            if planned.id not in self._history:
                self._record(
                    Step(planned, planned.id, {}, {}), Outcome(StepStatus.SKIPPED, DEAD, None, None, now, now)
                )

    async def _finish(self) -> RunEnd:
        """Write the end of this execution and wait until it is durable."""
        control = self._control
        if control.stop_requested or self._failure:
            await self._let_once_steps_end()
            self._record_cancelled()
        elif self._tasks:
            await asyncio.wait(self._tasks)
            self._take_ended()
        end = await self._run_end()
        now = datetime.now(UTC)
        if end.status is RunStatus.QUEUED:
            self._recorder.release()
        else:
            terminal = end.status.terminal
            self._recorder.change(
                RunChange(
                    end.status,
                    end.output,
                    encode_json(end.error.as_json()) if end.error else None,
                    finished_at=now if terminal else None,
                )
            )
            fields = {"error": end.error.as_json()} if end.error else {}
            kind = "run.finished" if terminal else f"run.{end.status}"
            self._recorder.event(kind, now, status=end.status, **fields)
            if not terminal:
                self._recorder.release()
        faults.point("before_final_commit")
        pending = self._recorder.submit()
        if pending is not None:
            await pending
        faults.point("after_final_commit")
        return end

    async def _run_end(self) -> RunEnd:
        if self._failure:
            return RunEnd(RunStatus.FAILED, error=self._failure)
        if self._control.stop_requested:
            return RunEnd(RunStatus.CANCELLED)
        if self._held:
            return RunEnd(RunStatus.WAITING, error=self._held)
        if self._ready:
            return RunEnd(RunStatus.QUEUED)
        return RunEnd(RunStatus.SUCCEEDED, output=encode_json(self._output()))

    def _output(self) -> Any:
        """The value of the only last node, or an object of those that gave one, by node id."""
        given = {}
        for index in self._plan.sinks:
            if self._activation.results[index]:
                given[self._plan.nodes[index].id] = self._activation.value_of(index)
        return next(iter(given.values()), None) if len(self._plan.sinks) == 1 else given

    async def _let_once_steps_end(self) -> None:
        """Interrupt what may be interrupted; an effect that must not be repeated is awaited, to know its outcome."""
        once = [task for task, step in self._tasks.items() if step.planned.node.effect is Effect.ONCE]
        for task in self._tasks:
            if task not in once:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in [task for task in self._tasks if not task.cancelled()]:
            step = self._tasks.pop(task)
            self._record(step, task.result())

    def _record_cancelled(self) -> None:
        now = datetime.now(UTC)
        for step in self._tasks.values():
            self._record(step, Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now))
        self._tasks.clear()

    async def _cancel_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
