"""The executor: a loop that starts what is ready, takes in what ended, and hands both to the journal.

Invariant: a step is begun only when its inputs are settled, and its outcome is recorded before anything that
depends on it. The rules are elsewhere: activation in `activation`, attempts in `step`, durability in the journal.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from structforge.domain.errors import Problem, StructForgeError
from structforge.domain.expressions import Skipped
from structforge.domain.journal import LeaseLostError, RunChange, StepHistory, StepRecord
from structforge.domain.run import Effect, RunStatus, StepStatus
from structforge.domain.values import encode_json
from structforge.engine import faults, holds
from structforge.engine.activation import DEAD, NOTHING, Activation
from structforge.engine.composite import Composite, Each, Loop, closed, make_each, make_loop
from structforge.engine.control import RunControl
from structforge.engine.environment import Environment
from structforge.engine.planner import Plan, PlannedNode
from structforge.engine.recorder import RunRecorder
from structforge.engine.step import (
    Outcome,
    Returned,
    Step,
    Waiting,
    describe,
    failure,
    finish_large,
    has_references,
    load_scope,
    record_start,
    run_attempts,
    run_inline,
    success,
)
from structforge.engine.values import encode

Ended = Callable[[Step, Any], None]


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What to execute: the values of one run that its version does not know."""

    trigger: str | None
    """Id of the fired trigger node; none starts the first trigger there is."""
    input: Any
    accepted_at: datetime
    started_at: datetime | None = None
    """Set when an earlier worker began the run."""
    status: RunStatus = RunStatus.RUNNING
    """Of a run that began: what it was when it was claimed."""
    history: Mapping[str, StepHistory] | None = None
    answers: Mapping[str, Any] | None = None
    """Step key to what came in while it waited."""


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an execution left its run."""

    status: RunStatus
    """Terminal; `waiting` when a person must decide; `queued` when it goes on elsewhere."""
    output: bytes | None = None
    error: Problem | None = None
    resume_at: datetime | None = None
    """When a waiting run goes on by itself; none waits for somebody."""


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
        # A step that begins is shown at once, not when another one ends.
        recorder.nudge = control.notify
        self._top = Activation(plan)
        self._ready: list[tuple[int, int, Activation]] = []
        self._sequence = itertools.count()
        self._tasks: dict[asyncio.Task[Any], tuple[Step, Ended]] = {}
        self._ended: list[asyncio.Task[Any]] = []
        self._owners: dict[Activation, Loop] = {}
        self._waiting: dict[str, tuple[Step, datetime | None]] = {}
        self._timers: list[asyncio.TimerHandle] = []
        self._failure: Problem | None = None
        self._returned: Any = NOTHING
        self._history = order.history or {}
        self._answers = order.answers or {}
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
        elif self._order.status is not RunStatus.RUNNING:
            self._recorder.change(RunChange(RunStatus.RUNNING))
            self._recorder.event("run.resumed", now, status=RunStatus.RUNNING)
        trigger = self._order.trigger
        triggers = self._plan.triggers()
        fired = self._plan.by_id[trigger].index if trigger else triggers[0].index if triggers else None
        self._take(self._top, *self._top.start(fired))

    @property
    def _over(self) -> bool:
        """Nothing may start any more, and what can be interrupted is."""
        return self._control.stop_requested or self._failure is not None or self._returned is not NOTHING

    async def _loop(self) -> None:
        control, limits = self._control, self._environment.limits
        clock = asyncio.get_running_loop().time
        slice_end = clock() + limits.slice_s
        while True:
            while self._ready and self._may_start():
                index, _, activation = heapq.heappop(self._ready)
                self._start(activation, index)
                if clock() > slice_end:
                    self._hand_over_records()
                    await asyncio.sleep(0)
                    slice_end = clock() + limits.slice_s
            if not self._tasks or self._over:
                return
            self._hand_over_records()
            await control.wait()
            if control.lost:
                raise LeaseLostError
            self._take_ended()
            slice_end = clock() + limits.slice_s

    def _may_start(self) -> bool:
        control = self._control
        if control.lost:
            raise LeaseLostError
        if self._over or control.yield_requested or control.pause_requested:
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

    def _start(self, activation: Activation, index: int) -> None:
        planned = self._plan.nodes[index]
        owner = self._owners.get(activation) if activation.parent is not None else None
        if owner is not None and (owner.closed or closed(owner.step)):
            return
        key = activation.prefix + planned.id
        history = self._history.get(key)
        if history is not None and history.settled:
            self._recall(activation, planned, key, history, owner)
            return
        try:
            # A trigger has no edges: what fired it comes in as `in`.
            inputs = {"in": self._order.input} if planned.node.trigger else activation.inputs(index)
        except StructForgeError as error:
            step = Step(planned, key, {}, {}, activation, owner)
            self._end(step, failure(step, error.problem))
            return
        if planned.spec.disabled:
            self._pass_through(Step(planned, key, inputs, {}, activation, owner))
            return
        composite = planned.node.loop or planned.policies.each is not None
        scope = self._scope(activation, planned) if planned.fixed is None or composite else {}
        step = Step(planned, key, inputs, scope, activation, owner)
        if composite:
            self._spawn(step, self._prepare(step, history), self._prepared)
        elif history is None or self._resume(step, history):
            self._run(step)

    def _run(self, step: Step) -> None:
        """Run a step: at once if it is plain, else as a task."""
        if step.planned.plain and not has_references(step):
            outcome = run_inline(step, self._recorder, self._environment)
            if isinstance(outcome, Outcome | Returned):
                self._end(step, outcome)
            else:
                work = finish_large(step, outcome, self._recorder, self._environment)
                self._spawn(step, work, self._end)
        else:
            self._spawn(step, run_attempts(step, self._recorder, self._environment), self._end)

    def _spawn(self, step: Step, work: Coroutine[Any, Any, Any], ended: Ended) -> None:
        task = asyncio.get_running_loop().create_task(work, name=step.key)
        self._tasks[task] = (step, ended)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: "asyncio.Task[Any]") -> None:
        self._ended.append(task)
        self._control.notify()

    def _take_ended(self) -> None:
        ended, self._ended = self._ended, []
        for task in ended:
            if task in self._tasks:
                step, then = self._tasks.pop(task)
                then(step, task.result())

    def _scope(self, activation: Activation, planned: PlannedNode) -> Mapping[str, Any]:
        names = dict(self._names)
        at: Activation | None = activation
        while at is not None and at.parent is not None:
            names.setdefault("item", at.item)
            names.setdefault("index", at.index)
            at = at.parent
        for index in planned.referenced:
            node = self._plan.nodes[index]
            try:
                names[node.id] = activation.value_of(index)
            except KeyError:
                names[node.id] = Skipped(node.id)
        return names

    # What an earlier worker left.

    def _recall(
        self, activation: Activation, planned: PlannedNode, key: str, history: StepHistory, owner: Loop | None
    ) -> None:
        """Take a durable outcome over instead of running the step."""
        ports = history.outputs or DEAD
        if history.status is StepStatus.FAILED and not ports:
            problem = Problem.from_json(dict(history.error or {"code": "step.failed", "message": "Failed."}))
            self._give_up(Step(planned, key, {}, {}, activation, owner), problem)
        self._settle(activation, planned.index, ports)

    def _resume(self, step: Step, history: StepHistory) -> bool:
        """Go on with a step that has begun. Returns False when a person has to decide."""
        if holds.is_held(history):
            return self._decided(step, history)
        if history.status is StepStatus.WAITING:
            step.attempt = history.attempt
            step.started_at = step.waiting_since = history.started_at or datetime.now(UTC)
            step.answer = self._answers.get(step.key)
            return True
        step.attempt = history.attempt + 1
        if history.status is not StepStatus.RUNNING:
            return True
        planned = step.planned
        step.lost_attempts = 1
        rule = planned.policies.on_interrupted or ("hold" if planned.node.effect is Effect.ONCE else "retry")
        if rule == "hold":
            holds.hold(step, history, self._recorder)
            self._hold(step, history)
            return False
        self._recorder.step(holds.lost_attempt(step, history))
        if rule == "fail":
            self._end(step, failure(step, holds.problem_of(step)))
        return rule == "retry"

    def _hold(self, step: Step, history: StepHistory) -> None:
        """Put an interrupted step aside; other branches go on meanwhile."""
        step.attempt, step.started_at = history.attempt, history.started_at or step.started_at
        self._waiting[step.key] = (step, None)

    def _decided(self, step: Step, history: StepHistory) -> bool:
        """Do as a person said about an interrupted step. Returns True when it runs again."""
        self._hold(step, history)
        word = holds.word_about(history, step.key, self._answers)
        if word is None:
            return False
        del self._waiting[step.key]
        if word["decision"] == holds.RETRY:
            self._recorder.step(holds.lost_attempt(step, history))
            step.attempt, step.lost_attempts = history.attempt + 1, 1
            return True
        if word["decision"] == holds.DONE:
            ports = {step.planned.default_port: word["fields"].get("output")}
            self._end_with(step, ports)
        else:
            self._end(step, failure(step, holds.problem_of(step)))
        return False

    # Loops, and nodes that run once for each element of a list.

    async def _prepare(self, step: Step, history: StepHistory | None) -> Composite | Outcome:
        """Resolve what a composite step goes through."""
        if history is not None:
            step.attempt, step.started_at = history.attempt, history.started_at or step.started_at
        try:
            await load_scope(step, self._recorder, self._environment)
            each, activation = step.planned.policies.each, step.activation
            if step.planned.node.loop and activation is not None:
                composite: Composite = make_loop(step, activation)
            elif each is not None:
                composite = make_each(step, each)
        except Exception as error:  # A wrong list is an outcome like any other.
            return failure(step, describe(error)[0])
        if history is None:
            await record_start(step, self._recorder, intent=False)
        return composite

    def _prepared(self, step: Step, composite: Composite | Outcome) -> None:
        if isinstance(composite, Outcome):
            self._end(step, composite)
        else:
            self._advance(composite)

    def _advance(self, composite: Composite) -> None:
        """Begin what may begin; end the composite when nothing is left."""
        while composite.may_begin:
            index, item = composite.begin()
            if isinstance(composite, Loop):
                self._begin_iteration(composite, index, item)
            else:
                self._begin_element(composite, index, item)
        if composite.done and not composite.closed:
            composite.closed = True
            self._complete(composite)

    def _begin_iteration(self, loop: Loop, index: int, item: Any) -> None:
        planned = loop.step.planned
        region = self._plan.regions[planned.index]
        prefix = f"{loop.step.key}[{index}]/"
        activation = Activation(self._plan, region, loop.activation, prefix=prefix, item=item, index=index)
        if not region.members:
            # `body` leads straight to `again`.
            self._collect(loop, index, item)
            return
        self._owners[activation] = loop
        self._take(activation, *activation.start())
        if not activation.remaining:
            self._iteration_over(activation)

    def _iteration_over(self, activation: Activation) -> None:
        loop = self._owners.pop(activation, None)
        if loop is not None and not loop.closed:
            self._collect(loop, activation.index, activation.carry)
            if not loop.advancing:
                self._advance_guarded(loop)

    def _advance_guarded(self, loop: Loop) -> None:
        loop.advancing = True
        try:
            self._advance(loop)
        finally:
            loop.advancing = False

    def _collect(self, loop: Loop, index: int, carry: Any) -> None:
        try:
            loop.collect(index, carry)
        except StructForgeError as error:
            self._close(loop)
            self._end(loop.step, failure(loop.step, error.problem))

    def _begin_element(self, each: Each, index: int, item: Any) -> None:
        whole = each.step
        key = f"{whole.key}#{index}"
        history = self._history.get(key)
        if (
            history is not None
            and history.settled
            and (history.outputs or history.status is not StepStatus.FAILED)
        ):
            each.collect(index, history.outputs or DEAD)
            return
        inputs = dict(whole.inputs)
        for port in whole.planned.node.input_ports(whole.planned.spec.parameters)[:1]:
            inputs[port.name] = item
        scope = {**whole.scope, "item": item, "index": index}
        step = Step(whole.planned, key, inputs, scope, None, each, index)
        if history is None or self._resume(step, history):
            self._run(step)

    def _complete(self, composite: Composite) -> None:
        self._end_with(composite.step, composite.ports())

    def _end_with(self, step: Step, ports: Mapping[str, Any]) -> None:
        """End a step with a result that no node gave just now."""
        try:
            encoded = encode(ports, self._environment.limits.inline_value_bytes)
        except StructForgeError as error:
            self._end(step, failure(step, error.problem))
            return
        if encoded is None:
            self._spawn(step, finish_large(step, ports, self._recorder, self._environment), self._end)
        else:
            self._end(step, success(step, encoded))

    def _close(self, composite: Composite) -> None:
        """Give a composite up: nothing in it starts any more, what runs is cancelled."""
        composite.closed = True
        now = datetime.now(UTC)
        for task, (step, _) in list(self._tasks.items()):
            if closed(step) and step.planned.node.effect is not Effect.ONCE:
                task.cancel()
                del self._tasks[task]
                self._waiting.pop(step.key, None)
                self._record(step, Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now))
        for step in [step for step, _ in self._waiting.values() if closed(step)]:
            del self._waiting[step.key]
            self._record(step, Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now))

    # How steps end.

    def _pass_through(self, step: Step) -> None:
        """A disabled node hands its first live input on, so that a branch can be tried without it."""
        now = datetime.now(UTC)
        ports = {step.planned.default_port: next(iter(step.inputs.values()))} if step.inputs else DEAD
        data = encode_json(dict(ports)) if ports else None
        self._end(step, Outcome(StepStatus.SKIPPED, ports, data, None, now, now))

    def _end(self, step: Step, ended: Outcome | Waiting | Returned) -> None:
        if isinstance(ended, Waiting):
            self._wait(step, ended)
            return
        outcome = ended.outcome if isinstance(ended, Returned) else ended
        self._record(step, outcome)
        if isinstance(ended, Returned):
            self._returned = next(iter(outcome.ports.values()))
        if closed(step):
            return
        if outcome.fails_run:
            self._give_up(step, outcome.problem)
        if step.element is not None:
            step.owner.collect(step.element, outcome.ports)
            if not step.owner.closed:
                self._advance(step.owner)
        elif step.activation is not None:
            self._settle(step.activation, step.planned.index, outcome.ports)

    def _give_up(self, step: Step, problem: Problem | None) -> None:
        """A step failed and its policy takes no care of it: the loop around it may, else the run fails."""
        problem = problem or Problem("step.failed", "The step failed.", f"nodes.{step.planned.id}")
        owner: Composite | None = step.owner
        while owner is not None:
            self._close(owner)
            outcome = failure(owner.step, problem)
            if not outcome.fails_run:
                self._end(owner.step, outcome)
                return
            self._record(owner.step, outcome)
            owner = owner.step.owner
        if self._failure is None:
            self._failure = problem

    def _wait(self, step: Step, waiting: Waiting) -> None:
        """Put a step aside until its time, or an answer; the run may go on or rest meanwhile."""
        first = step.waiting_since is None
        step.waiting_since = step.waiting_since or step.started_at
        until = waiting.wait.until
        self._waiting[step.key] = (step, until)
        if first:
            outputs = encode_json({"asks": waiting.wait.asks}) if waiting.wait.asks else None
            self._recorder.step(
                StepRecord(
                    step.key,
                    step.attempt,
                    step.planned.id,
                    StepStatus.WAITING,
                    False,
                    outputs,
                    started_at=step.started_at,
                )
            )
            self._recorder.event(
                "step.waiting",
                datetime.now(UTC),
                step_key=step.key,
                node_id=step.planned.id,
                attempt=step.attempt,
                status=StepStatus.WAITING,
                until=until,
            )
        left_s = (until - datetime.now(UTC)).total_seconds() if until else None
        if left_s is not None and left_s < self._environment.limits.short_wait_s:
            self._spawn(step, asyncio.sleep(max(left_s, 0.0)), self._waited)
        elif left_s is not None:
            # Counts only while other steps keep the run in hand; a run that rests is woken by the table.
            self._timers.append(asyncio.get_running_loop().call_later(left_s, self._waited, step))

    def _waited(self, step: Step, _: Any = None) -> None:
        control = self._control
        resting = self._over or control.pause_requested or control.yield_requested
        if step.key in self._waiting and not resting:
            del self._waiting[step.key]
            self._run(step)

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

    def _settle(self, activation: Activation, index: int, ports: Mapping[str, Any]) -> None:
        self._take(activation, *activation.settle(index, ports))
        if activation.parent is not None and not activation.remaining:
            self._iteration_over(activation)

    def _take(self, activation: Activation, ready: list[int], dead: list[int]) -> None:
        for index in ready:
            heapq.heappush(self._ready, (index, next(self._sequence), activation))
        if not dead:
            return
        now = datetime.now(UTC)
        for index in dead:
            planned = self._plan.nodes[index]
            key = activation.prefix + planned.id
            if key not in self._history:
                self._record(
                    Step(planned, key, {}, {}), Outcome(StepStatus.SKIPPED, DEAD, None, None, now, now)
                )

    # How the execution ends.

    async def _finish(self) -> RunEnd:
        """Write the end of this execution and wait until it is durable."""
        for timer in self._timers:
            timer.cancel()
        if self._over:
            await self._let_once_steps_end()
            self._record_cancelled()
        while self._tasks:
            await asyncio.wait(self._tasks)
            self._take_ended()
        end = await self._run_end()
        now = datetime.now(UTC)
        if end.status is not RunStatus.QUEUED:
            terminal = end.status.terminal
            self._recorder.change(
                RunChange(
                    end.status,
                    end.output,
                    encode_json(end.error.as_json()) if end.error else None,
                    finished_at=now if terminal else None,
                )
            )
            fields: dict[str, Any] = {"error": end.error.as_json()} if end.error else {}
            kind = "run.finished" if terminal else f"run.{end.status}"
            self._recorder.event(kind, now, status=end.status, **fields)
        if not end.status.terminal:
            self._recorder.release(end.resume_at)
        faults.point("before_final_commit")
        pending = self._recorder.submit()
        if pending is not None:
            await pending
        faults.point("after_final_commit")
        return end

    async def _run_end(self) -> RunEnd:
        if self._failure:
            return RunEnd(RunStatus.FAILED, error=self._failure)
        if self._returned is not NOTHING:
            return RunEnd(RunStatus.SUCCEEDED, output=encode_json(self._returned))
        if self._control.stop_requested:
            return RunEnd(RunStatus.CANCELLED)
        if self._control.pause_requested and (self._ready or self._waiting):
            return RunEnd(RunStatus.PAUSED)
        if self._ready:
            return RunEnd(RunStatus.QUEUED)
        if self._waiting:
            times = [until for _, until in self._waiting.values() if until is not None]
            return RunEnd(RunStatus.WAITING, resume_at=min(times, default=None))
        return RunEnd(RunStatus.SUCCEEDED, output=encode_json(self._output()))

    def _output(self) -> Any:
        """The value of the only last node, or an object of those that gave one, by node id."""
        given = {}
        for index in self._plan.sinks:
            planned = self._plan.nodes[index]
            if self._top.results[planned.slot]:
                given[planned.id] = self._top.value_of(index)
        return next(iter(given.values()), None) if len(self._plan.sinks) == 1 else given

    async def _let_once_steps_end(self) -> None:
        """Interrupt what may be interrupted; an effect that must not be repeated is awaited, to know its outcome."""
        once = [task for task, (step, _) in self._tasks.items() if step.planned.node.effect is Effect.ONCE]
        for task in self._tasks:
            if task not in once:
                task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        for task in [task for task in self._tasks if not task.cancelled()]:
            step, _ = self._tasks.pop(task)
            if isinstance(ended := task.result(), Outcome):
                self._record(step, ended)

    def _record_cancelled(self) -> None:
        now = datetime.now(UTC)
        open_steps = [step for step, _ in self._tasks.values()]
        open_steps += [loop.step for loop in set(self._owners.values()) if not loop.closed]
        open_steps += [step for step, _ in self._waiting.values()]
        for step in {step.key: step for step in open_steps}.values():
            self._record(step, Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now))
        self._tasks.clear()
        self._waiting.clear()

    async def _cancel_tasks(self) -> None:
        for timer in self._timers:
            timer.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
