"""The executor: a loop that starts what is ready, takes in what ended, and hands both to the journal.

Invariant: a step is begun only when its inputs are settled, and its outcome is recorded before anything that
depends on it. The rules are elsewhere: activation in `activation`, loops in `iterations`, attempts in `attempts`, what
a crash left in `recovery`, durability in the journal; `execution` makes a run of it.
"""

import asyncio
import heapq
import itertools
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from structforge.domain.errors import Problem, StructForgeError, sentence
from structforge.domain.journal import (
    LeaseLostError,
    StepHistory,
)
from structforge.domain.run import Effect, RunStatus, StepStatus
from structforge.domain.values import encode_json
from structforge.engine import holds
from structforge.engine.activation import DEAD, NOTHING, Activation
from structforge.engine.attempts import finish_large, has_references, run_attempts, run_inline
from structforge.engine.composite import Composite, Loop, closed
from structforge.engine.control import RunControl
from structforge.engine.ending import Ending
from structforge.engine.environment import Environment
from structforge.engine.iterations import Iterations, prepare
from structforge.engine.order import RunEnd, RunOrder
from structforge.engine.planner import Plan, PlannedNode
from structforge.engine.reading import Referring, marked
from structforge.engine.recorder import RunRecorder
from structforge.engine.records import record_outcome, record_waiting
from structforge.engine.recovery import Declared, Resumption, resume
from structforge.engine.scope import Scopes
from structforge.engine.step import Outcome, Returned, Step, Waiting, cancelled, failure, skipped, success
from structforge.engine.values import encode
from structforge.engine.waits import Waits, seconds_until

Ended = Callable[[Step, Any], None]


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
        self._waits = Waits(
            recorder.run.run_id, control, order.answers or {}, order.ended or {}, self._waited
        )
        self._clock: asyncio.TimerHandle | None = None
        self._due_at: datetime | None = None
        """When the run, or this branch, is out of time."""
        self._failure: Problem | None = None
        self._returned: Any = NOTHING
        self._concluded: RunEnd | None = None
        self._history = dict(order.history or {})
        self._scopes = Scopes(plan, order, recorder, environment)
        self._iterations = Iterations(plan, self._history, self, recorder, environment)
        self._max_parallel = min(
            plan.document.settings.max_parallel or environment.limits.max_parallel,
            environment.limits.max_parallel,
        )

    @property
    def top(self) -> Activation:
        """Results of the steps outside loops."""
        return self._top

    @property
    def given_up(self) -> list[UUID]:
        """Runs that nobody waits for any more."""
        return self._waits.given_up

    async def execute(self, concluded: RunEnd | None = None) -> RunEnd:
        """Run until nothing is left, or until the control says otherwise; the end is the caller's to write.

        `concluded` is how these steps ended if they did, as the `finally` branch was told. Raises: LeaseLostError.
        """
        self._concluded = concluded
        try:
            self._begin()
            await self._loop()
            return await self._settled_end()
        finally:
            await self._cancel_tasks()

    def _begin(self) -> None:
        self.take(self._top, *self._top.start(self._fired()))
        if self._history:
            self._replay()
        limit_s = self._plan.document.settings.timeout_s
        if self._ending is not None:
            self._limit(self._ending.due_at, "finally.timeout")
        elif limit_s is not None:
            began = self._order.started_at or datetime.now(UTC)
            self._limit(began + timedelta(seconds=limit_s), "run.timeout")

    def _fired(self) -> int | None:
        """Return the trigger that begins the run."""
        if self._ending is not None:
            return None
        if self._order.trigger:
            return self._plan.by_id[self._order.trigger].index
        triggers = self._plan.triggers()
        return triggers[0].index if triggers else None

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
            self._failure = Problem(
                code, sentence("{what} took longer than it may.", what=what), hint="Raise its time limit."
            )
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
        owner = self._iterations.owner(activation) if activation.parent is not None else None
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
            self.end(step, failure(step, error.problem))
            return
        if planned.spec.disabled:
            self._pass_through(Step(planned, key, inputs, {}, activation, owner))
            return
        composite = planned.node.loop or planned.policies.each is not None
        scope = self._scopes.of(activation, planned) if planned.fixed is None or composite else {}
        step = Step(planned, key, inputs, scope, activation, owner)
        if composite:
            work = prepare(step, history, self._recorder, self._environment)
            self._spawn(step, work, self._iterations.begin)
        else:
            self.begin(step, history)

    def begin(self, step: Step, history: StepHistory | None) -> None:
        """Run a step, or go on with it."""
        if history is None or self._resume(step, history):
            self._run(step)

    def _take_in(self) -> None:
        """Let go on what waited for what came in."""
        inbox, self._control.inbox = self._control.inbox, []
        for came_in in inbox:
            for step in self._waits.receive(came_in):
                history = self._history.get(step.key)
                if history is None or step.waiting_since is not None:
                    self._waited(step)
                elif not self._resting:
                    self._waits.take(step)
                    self.begin(step, history)

    def _run(self, step: Step) -> None:
        """Run a step: at once if it is plain, else as a task."""
        if step.answer is None:
            step.answer = self._waits.answer_of(step)
        if step.planned.plain and not has_references(step):
            outcome = run_inline(step, self._recorder, self._environment)
            if isinstance(outcome, Outcome | Returned):
                self.end(step, outcome)
            else:
                work = finish_large(step, outcome, self._recorder, self._environment)
                self._spawn(step, work, self.end)
        else:
            self._spawn(step, run_attempts(step, self._recorder, self._environment), self.end)

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

    # What an earlier worker left.

    def _recall(
        self, activation: Activation, planned: PlannedNode, key: str, history: StepHistory, owner: Loop | None
    ) -> None:
        """Take a durable outcome over instead of running the step."""
        ports = marked(history.outputs or DEAD)
        if history.status is StepStatus.FAILED and not ports:
            problem = Problem.from_json(dict(history.error or {"code": "step.failed", "message": "Failed."}))
            self._give_up(Step(planned, key, {}, {}, activation, owner), problem)
        if planned.node.ends_run and history.status is StepStatus.SUCCEEDED:
            self._returned = next(iter(ports.values()))
        self._settle(activation, planned.index, ports)

    def _resume(self, step: Step, history: StepHistory) -> bool:
        """Go on with a step that has begun. Returns False when it has ended, or a person has to decide."""
        resumed = resume(step, history, self._waits.answers, self._recorder)
        if resumed is Resumption.GO_ON:
            return True
        if resumed is Resumption.ASIDE:
            # Other branches go on meanwhile. The word about it may come while this execution lasts.
            self._history[step.key] = holds.held(history)
            self._waits.put(step, None)
        elif isinstance(resumed, Declared):
            self.end_with(step, resumed.ports)
        elif isinstance(resumed, Outcome):
            self.end(step, resumed)
        return False

    # How steps end.

    def spawn(self, step: Step, work: Coroutine[Any, Any, Any], ended: Ended) -> None:
        """Do something of a step beside the others; `ended` gets the step and the result."""
        self._spawn(step, work, ended)

    def end_with(self, step: Step, ports: Mapping[str, Any]) -> None:
        """End a step with a result that no node gave just now."""
        try:
            encoded = encode(ports, self._environment.limits.inline_value_bytes)
        except StructForgeError as error:
            self.end(step, failure(step, error.problem))
            return
        if encoded is None:
            self._spawn(step, finish_large(step, ports, self._recorder, self._environment), self.end)
        else:
            self.end(step, success(step, encoded))

    def cancel(self, wanted: Callable[[Step], bool]) -> None:
        """Interrupt steps, and end their waiting; an effect that must not be repeated is left to end."""
        now = datetime.now(UTC)
        for task, (step, _) in list(self._tasks.items()):
            if wanted(step) and step.planned.node.effect is not Effect.ONCE:
                task.cancel()
                del self._tasks[task]
                self._record(step, cancelled(step, now))
        for step in self._waits.give_up(wanted):
            self._record(step, cancelled(step, now))

    def _pass_through(self, step: Step) -> None:
        """A disabled node hands its first live input on, so that a branch can be tried without it."""
        now = datetime.now(UTC)
        ports = {step.planned.default_port: next(iter(step.inputs.values()))} if step.inputs else DEAD
        if type(step.inputs) is Referring:
            ports = Referring(ports)
        data = encode_json(dict(ports)) if ports else None
        self.end(step, Outcome(StepStatus.SKIPPED, ports, data, None, now, now))

    def end(self, step: Step, ended: Outcome | Waiting | Returned) -> None:
        """Write down how a step ended, and go on from there."""
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
            self._iterations.element_ended(step, outcome.ports)
        elif step.activation is not None:
            self._settle(step.activation, step.planned.index, outcome.ports)

    def _give_up(self, step: Step, problem: Problem | None) -> None:
        """A step failed and its policy takes no care of it: the loop around it may, else the run fails."""
        problem = problem or Problem("step.failed", "The step failed.", f"nodes.{step.planned.id}")
        owner: Composite | None = step.owner
        while owner is not None:
            self._iterations.close(owner)
            outcome = failure(owner.step, problem)
            if not outcome.fails_run:
                self.end(owner.step, outcome)
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
        record_outcome(step, outcome, self._recorder)

    def _settle(self, activation: Activation, index: int, ports: Mapping[str, Any]) -> None:
        self.take(activation, *activation.settle(index, ports))
        if activation.parent is not None and not activation.remaining:
            self._iterations.over(activation)

    def take(self, activation: Activation, ready: list[int], dead: list[int]) -> None:
        """Queue what is ready, write down what is dead."""
        for index in ready:
            heapq.heappush(self._ready, (index, next(self._sequence), activation))
        if not dead:
            return
        now = datetime.now(UTC)
        for index in dead:
            planned = self._plan.nodes[index]
            key = activation.prefix + planned.id
            if key not in self._history:
                self._record(Step(planned, key, {}, {}), skipped(now))

    # How the execution ends.

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
        open_steps += self._iterations.open_steps()
        open_steps += self._waits.give_up()
        interrupted = {step.key: step for step in open_steps}
        for key, known in self._history.items():
            # Begun by an earlier worker, and not come to again.
            planned = self._plan.by_id.get(known.node_id)
            if known.settled or planned is None or key in self._recorder.settled_keys:
                continue
            # What the `finally` branch began is for it to go on with.
            if self._ending is not None or not self._plan.is_final(planned):
                step = Step(planned, key, {}, {}, attempt=known.attempt)
                step.started_at = known.started_at or now
                if known.status in (StepStatus.RUNNING, StepStatus.WAITING):
                    interrupted.setdefault(key, step)
        for step in interrupted.values():
            self._record(step, cancelled(step, now))
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
