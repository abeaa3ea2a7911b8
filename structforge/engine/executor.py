"""The executor: a loop that starts what is ready, takes in what ended, and hands both to the journal.

Invariant: a step is begun only when its inputs are settled, and its outcome is recorded before anything that
depends on it. The rules are elsewhere: activation in `activation`, attempts in `step`, durability in the journal.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from structforge.domain.errors import Problem, StructForgeError
from structforge.domain.expressions import Skipped
from structforge.domain.journal import (
    Acceptance,
    CallEnd,
    LeaseLostError,
    RunChange,
    StepHistory,
    StepRecord,
)
from structforge.domain.run import Effect, RunStatus, StepStatus
from structforge.domain.values import encode_json
from structforge.engine import faults, holds
from structforge.engine.activation import DEAD, NOTHING, Activation
from structforge.engine.composite import Composite, Each, Loop, closed, make_each, make_loop
from structforge.engine.control import RunControl
from structforge.engine.ending import Ending, RunEnd, concluded, outcome_of, time_limit, together
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
    record_waiting,
    run_attempts,
    run_inline,
    success,
)
from structforge.engine.summaries import summaries_of
from structforge.engine.values import encode
from structforge.engine.waits import Waits, seconds_until

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
    """What came in for its steps, by step key (see `holds.answer_key` for those of interrupted ones)."""
    ended: Mapping[UUID, CallEnd] | None = None
    """Runs its steps wait for that are over."""
    acceptance: Acceptance | None = None
    """Of a run that is not in the database yet."""


class Executor:
    """One execution of one run: by the worker that holds its lease, or by the process that accepts it."""

    def __init__(
        self,
        plan: Plan,
        order: RunOrder,
        recorder: RunRecorder,
        environment: Environment,
        control: RunControl,
        ending: Ending | None = None,
    ) -> None:
        self._plan = plan
        self._order = order
        self._recorder = recorder
        self._environment = environment
        self._control = control
        # A step that begins is shown at once, not when another one ends.
        recorder.nudge = control.notify
        recorder.ring = environment.ring
        self._ending = ending
        self._top = Activation(plan, plan.final, ending.above) if ending and plan.final else Activation(plan)
        self._ready: list[tuple[int, int, Activation]] = []
        self._sequence = itertools.count()
        self._tasks: dict[asyncio.Task[Any], tuple[Step, Ended]] = {}
        self._ended: list[asyncio.Task[Any]] = []
        self._owners: dict[Activation, Loop] = {}
        self._waits = Waits(
            recorder.run.run_id, control, order.answers or {}, order.ended or {}, self._waited
        )
        self._clock: asyncio.TimerHandle | None = None
        self._due_at: datetime | None = None
        """When the run, or this branch, is out of time."""
        self._failure: Problem | None = None
        self._returned: Any = NOTHING
        self._history = order.history or {}
        self._concluded: RunEnd | None = None
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

    async def execute_ending(self) -> RunEnd:
        """Run the `finally` branch. Raises: LeaseLostError."""
        try:
            self._take(self._top, *self._top.start())
            self._replay()
            self._limit(self._ending.due_at if self._ending else datetime.now(UTC), "finally.timeout")
            await self._loop()
            return await self._settled_end()
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
        if self._history:
            self._concluded = concluded(self._plan, self._history)
            self._replay()
        limit_s = self._plan.document.settings.timeout_s
        if limit_s is not None:
            self._limit((self._order.started_at or now) + timedelta(seconds=limit_s), "run.timeout")

    def _replay(self) -> None:
        """Take over what is durable before anything starts: a failure or an end that was written counts first."""
        aside = []
        while self._ready:
            entry = heapq.heappop(self._ready)
            index, _, activation = entry
            known = self._history.get(activation.prefix + self._plan.nodes[index].id)
            if known is not None and known.settled:
                self._start(activation, index)
            else:
                aside.append(entry)
        self._ready = aside
        heapq.heapify(self._ready)

    def _limit(self, due_at: datetime, code: str) -> None:
        self._due_at = due_at
        left_s = seconds_until(due_at)
        if left_s <= 0:
            self._out_of_time(code)
        else:
            self._clock = asyncio.get_running_loop().call_later(left_s, self._out_of_time, code)

    def _out_of_time(self, code: str) -> None:
        what = "The run" if code == "run.timeout" else "The branch behind `finally`"
        if self._failure is None:
            self._failure = Problem(code, f"{what} took longer than it may.", hint="Raise its time limit.")
        self._control.notify()

    @property
    def _over(self) -> bool:
        """Nothing may start any more, and what can be interrupted is."""
        return (
            self._control.stop_requested
            or self._failure is not None
            or self._returned is not NOTHING
            or self._concluded is not None
        )

    @property
    def _resting(self) -> bool:
        """What waits stays where it is."""
        return self._over or self._control.pause_requested or self._control.yield_requested

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
            if self._over or not (self._tasks or (self._ending and self._waits)):
                return
            self._hand_over_records()
            await control.wait()
            if control.lost:
                raise LeaseLostError
            self._take_ended()
            self._take_in()
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
            if planned.node.trigger:
                inputs: Mapping[str, Any] = {"in": self._order.input}
            elif planned.node.final:
                inputs = {"in": self._ending.outcome if self._ending else None}
            else:
                inputs = activation.inputs(index)
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

    def _take_in(self) -> None:
        """Let go on what waited for what came in."""
        inbox, self._control.inbox = self._control.inbox, []
        for came_in in inbox:
            for step in self._waits.receive(came_in):
                history = self._history.get(step.key)
                if history is None or step.waiting_since is not None:
                    self._waited(step)
                elif not self._resting and self._decided(step, history):
                    self._run(step)

    def _run(self, step: Step) -> None:
        """Run a step: at once if it is plain, else as a task."""
        if step.answer is None:
            step.answer = self._waits.answer_of(step)
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
        if self._plan.receivers and "run" in planned.names:
            names["run"] = {**self._names["run"], "resume": self._resume_urls(activation)}
        for index in planned.referenced:
            node = self._plan.nodes[index]
            try:
                names[node.id] = activation.value_of(index)
            except KeyError:
                names[node.id] = Skipped(node.id)
        return names

    def _resume_urls(self, activation: Activation) -> dict[str, str]:
        """Return the addresses of the steps that wait for a request in this iteration and around it."""
        run, urls = self._recorder.run, {}
        at: Activation | None = activation
        while at is not None:
            for planned in self._plan.receivers:
                if planned.index in at.members:
                    key = at.prefix + planned.id
                    urls[planned.id] = self._environment.resume_url(run.organization_id, run.run_id, key)
            at = at.parent
        return urls

    # What an earlier worker left.

    def _recall(
        self, activation: Activation, planned: PlannedNode, key: str, history: StepHistory, owner: Loop | None
    ) -> None:
        """Take a durable outcome over instead of running the step."""
        ports = history.outputs or DEAD
        if history.status is StepStatus.FAILED and not ports:
            problem = Problem.from_json(dict(history.error or {"code": "step.failed", "message": "Failed."}))
            self._give_up(Step(planned, key, {}, {}, activation, owner), problem)
        if planned.node.ends_run and history.status is StepStatus.SUCCEEDED:
            self._returned = next(iter(ports.values()))
        self._settle(activation, planned.index, ports)

    def _resume(self, step: Step, history: StepHistory) -> bool:
        """Go on with a step that has begun. Returns False when a person has to decide."""
        if holds.is_held(history):
            return self._decided(step, history)
        if history.status is StepStatus.WAITING:
            step.attempt = history.attempt
            step.started_at = step.waiting_since = history.started_at or datetime.now(UTC)
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
        self._waits.put(step, None)

    def _decided(self, step: Step, history: StepHistory) -> bool:
        """Do as a person said about an interrupted step. Returns True when it runs again."""
        self._hold(step, history)
        word = holds.word_about(history, step.key, self._waits.answers)
        if word is None:
            return False
        self._waits.take(step)
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
            inputs[port.name] = [item] if port.many else item
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
                self._record(step, Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now))
        for step in self._waits.give_up(closed):
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
        if step.waiting_since is None:
            step.waiting_since = step.started_at
            record_waiting(step, self._recorder, waiting.asks, waiting.until)
            if waiting.child is not None:
                self._recorder.child(waiting.child)
        self._waits.put(step, waiting.until, calls=step.planned.node.calls)
        if step.answer is None and self._waits.answer_of(step) is not None:
            # It was there before the step asked for it.
            self._waited(step)
            return
        if waiting.until is None:
            return
        left_s = seconds_until(waiting.until)
        if left_s < self._environment.limits.short_wait_s:
            self._spawn(step, asyncio.sleep(max(left_s, 0.0)), self._waited)
        else:
            self._waits.count(step, left_s)

    def _waited(self, step: Step, _: Any = None) -> None:
        if step in self._waits and not self._resting:
            self._waits.take(step)
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
        if outcome.child is not None:
            recorder.child(outcome.child)
        fields: dict[str, Any] = {"error": error} if error else {}
        if recorder.accepted and outcome.ports:
            # Nobody can watch a run that is accepted when it ends.
            fields["summary"] = summaries_of(outcome.ports)
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
        end = await self._settled_end()
        if end.status.terminal and self._plan.final_node is not None:
            end = await self._run_ending(end)
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
        if end.status is RunStatus.FAILED and end.error and self._plan.document.settings.error_workflow:
            await self._call_handler(end.error)
        if not end.status.terminal:
            self._recorder.release(end.resume_at)
        faults.point("before_final_commit")
        pending = self._recorder.submit()
        if pending is not None:
            await pending
        faults.point("after_final_commit")
        if self._waits.given_up:
            await self._environment.callees.stop(self._recorder.run.organization_id, self._waits.given_up)
        return end

    async def _settled_end(self) -> RunEnd:
        """Let what is in flight end, or end it; say how that leaves the run."""
        self._waits.stop_counting()
        if self._clock is not None:
            self._clock.cancel()
        if self._over:
            await self._let_once_steps_end()
            self._record_cancelled()
        while self._tasks:
            await asyncio.wait(self._tasks)
            self._take_ended()
        return self._run_end()

    async def _run_ending(self, end: RunEnd) -> RunEnd:
        """Run the `finally` branch; what goes wrong there is told without hiding what went wrong before."""
        final = self._plan.final_node
        if final is None or final.spec.disabled:
            return end
        known = self._history.get(final.id)
        began = (known.started_at if known else None) or datetime.now(UTC)
        ending = Ending(outcome_of(end), self._top, began + time_limit(final))
        control = self._control.for_finally()
        inner = Executor(self._plan, self._order, self._recorder, self._environment, control, ending)
        ended = await inner.execute_ending()
        self._waits.given_up += inner._waits.given_up
        return together(end, ended)

    async def _call_handler(self, error: Problem) -> None:
        """Start the workflow that handles failures, in the commit that writes this one."""
        try:
            handler = await self._environment.callees.handler(
                self._recorder.run, error, self._order.acceptance
            )
        except StructForgeError as fault:
            self._recorder.log("", 0, "error", f"The error workflow was not started: {fault}", {})
            return
        if handler is not None:
            self._recorder.child(handler)

    def _run_end(self) -> RunEnd:
        if self._concluded:
            return self._finished_again(self._concluded)
        if self._failure:
            return RunEnd(RunStatus.FAILED, error=self._failure)
        if self._returned is not NOTHING:
            return RunEnd(RunStatus.SUCCEEDED, output=encode_json(self._returned))
        if self._control.stop_requested:
            return RunEnd(RunStatus.CANCELLED)
        if self._control.pause_requested and (self._ready or self._waits):
            return RunEnd(RunStatus.PAUSED)
        if self._ready:
            return RunEnd(RunStatus.QUEUED)
        if self._waits:
            times = [at for at in (self._waits.resume_at(), self._due_at) if at is not None]
            return RunEnd(RunStatus.WAITING, resume_at=min(times, default=None))
        if self._ending:
            return RunEnd(RunStatus.SUCCEEDED)
        return RunEnd(RunStatus.SUCCEEDED, output=encode_json(self._output()))

    def _finished_again(self, end: RunEnd) -> RunEnd:
        """Complete how the steps ended, as the `finally` branch was told, with the output it goes with."""
        if end.status is not RunStatus.SUCCEEDED:
            return end
        output = self._output() if self._returned is NOTHING else self._returned
        return replace(end, output=encode_json(output))

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
        open_steps += self._waits.give_up()
        cancelled = {step.key: step for step in open_steps}
        for key, known in self._history.items():
            # Begun by an earlier worker, and not come to again.
            if (
                not known.settled
                and known.node_id in self._plan.by_id
                and key not in self._recorder.settled_keys
            ):
                step = Step(self._plan.by_id[known.node_id], key, {}, {}, attempt=known.attempt)
                step.started_at = known.started_at or now
                if known.status in (StepStatus.RUNNING, StepStatus.WAITING):
                    cancelled.setdefault(key, step)
        for step in cancelled.values():
            self._record(step, Outcome(StepStatus.CANCELLED, DEAD, None, None, step.started_at, now))
        self._tasks.clear()

    async def _cancel_tasks(self) -> None:
        self._waits.stop_counting()
        if self._clock is not None:
            self._clock.cancel()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
