"""Going through loops and lists: begins iterations and elements as there is room, gathers what they gave.

Invariant: a composite that was given up begins nothing more, and ends once. What runs is the executor's affair.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any, Protocol

from structforge.domain.errors import Problem, StructForgeError
from structforge.domain.journal import StepHistory
from structforge.domain.run import StepStatus
from structforge.engine.activation import DEAD, Activation
from structforge.engine.attempts import describe, failed
from structforge.engine.composite import Composite, Each, Judgement, Loop, closed, make_each, make_loop
from structforge.engine.environment import Environment
from structforge.engine.planner import Plan
from structforge.engine.reading import Reader, Referring
from structforge.engine.recorder import RunRecorder
from structforge.engine.records import record_start
from structforge.engine.step import Outcome, Step, failure


class Stepping(Protocol):
    """What the executor does with their steps."""

    def begin(self, step: Step, history: StepHistory | None) -> None:
        """Run a step, or go on with it."""

    def take(self, activation: Activation, ready: list[int], dead: list[int]) -> None:
        """Queue what is ready, write down what is dead."""

    def end(self, step: Step, ended: Outcome) -> None:
        """Write down how a step ended, and go on from there."""

    def end_with(self, step: Step, ports: Mapping[str, Any]) -> None:
        """End a step with a result that no node gave just now."""

    def spawn(self, step: Step, work: Coroutine[Any, Any, Any], ended: Callable[[Step, Any], None]) -> None:
        """Do something of a step beside the others; `ended` gets the step and the result."""

    def cancel(self, wanted: Callable[[Step], bool]) -> None:
        """Interrupt steps, and end their waiting."""


class Iterations:
    """The loops and lists of one execution."""

    def __init__(
        self,
        plan: Plan,
        history: Mapping[str, StepHistory],
        steps: Stepping,
        recorder: RunRecorder,
        environment: Environment,
    ) -> None:
        self._plan = plan
        self._recorder = recorder
        self._environment = environment
        self._history = history
        self._steps = steps
        self._owners: dict[Activation, Loop] = {}

    def owner(self, activation: Activation) -> Loop | None:
        """Return the loop whose iteration this is."""
        return self._owners.get(activation)

    def open_steps(self) -> list[Step]:
        """Return the loops that are going on."""
        return [loop.step for loop in set(self._owners.values()) if not loop.closed]

    def begin(self, step: Step, prepared: Composite | Outcome) -> None:
        """Go through what `prepare` found."""
        if isinstance(prepared, Outcome):
            self._steps.end(step, prepared)
        else:
            self._advance(prepared)

    def over(self, activation: Activation) -> None:
        """Take the result of an iteration in which nothing is left."""
        loop = self._owners.pop(activation, None)
        if loop is not None and not loop.closed:
            self._judge(loop, activation.index, activation.carry)

    def element_ended(self, step: Step, ports: Mapping[str, Any]) -> None:
        """Take the result of one element."""
        step.owner.collect(step.element, ports)
        if not step.owner.closed:
            self._advance(step.owner)

    def close(self, composite: Composite) -> None:
        """Give a composite up: nothing in it starts any more, what runs is cancelled."""
        composite.closed = True
        self._steps.cancel(closed)

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
            self._steps.end_with(composite.step, composite.ports())

    def _advance_guarded(self, loop: Loop) -> None:
        loop.advancing = True
        try:
            self._advance(loop)
        finally:
            loop.advancing = False

    def _begin_iteration(self, loop: Loop, index: int, item: Any) -> None:
        planned = loop.step.planned
        region = self._plan.regions[planned.index]
        prefix = f"{loop.step.key}[{index}]/"
        activation = Activation(
            self._plan,
            region,
            loop.activation,
            prefix=prefix,
            item=item,
            index=index,
            refers=loop.refers(item),
        )
        if region.straight:
            activation.carry = item
        if not region.members:
            self._judge(loop, index, activation.carry)
            return
        self._owners[activation] = loop
        self._steps.take(activation, *activation.start())
        if not activation.remaining:
            self.over(activation)

    def _judge(self, loop: Loop, index: int, carry: Any) -> None:
        """Decide whether the loop goes on after an iteration, and let it."""
        judgement = loop.judged_by(index, carry)
        if judgement is not None and judgement.reads:
            reader = self._environment.reader(self._recorder.run.organization_id)
            self._steps.spawn(loop.step, _judged(judgement, reader), partial(self._go_on, loop, index, carry))
            return
        try:
            over = judgement is not None and judgement.holds()
        except StructForgeError as error:
            self._fail(loop, error.problem)
        else:
            self._collect(loop, index, carry, over)

    def _go_on(self, loop: Loop, index: int, carry: Any, step: Step, over: bool | Problem) -> None:
        if loop.closed:
            return
        if isinstance(over, Problem):
            self._fail(loop, over)
        else:
            self._collect(loop, index, carry, over)

    def _collect(self, loop: Loop, index: int, carry: Any, over: bool) -> None:
        try:
            loop.collect(index, carry, over=over)
        except StructForgeError as error:
            self._fail(loop, error.problem)
            return
        if not loop.advancing:
            self._advance_guarded(loop)

    def _fail(self, loop: Loop, problem: Problem) -> None:
        self.close(loop)
        self._steps.end(loop.step, failure(loop.step, problem))

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
        if each.refers or type(whole.inputs) is Referring:
            inputs = Referring(inputs)
        if each.refers or type(whole.scope) is Referring:
            scope = Referring(scope, whole.scope.own if isinstance(whole.scope, Referring) else frozenset())
        self._steps.begin(Step(whole.planned, key, inputs, scope, None, each, index, item), history)


async def _judged(judgement: Judgement, reader: Reader) -> bool | Problem:
    try:
        return await asyncio.to_thread(judgement.holds, reader)
    except Exception as error:  # What goes wrong with a condition is told like a failed step.
        return describe(error)[0]


async def prepare(
    step: Step, history: StepHistory | None, recorder: RunRecorder, environment: Environment
) -> Composite | Outcome:
    """Resolve what a composite step goes through."""
    if history is not None:
        step.attempt, step.started_at = history.attempt, history.started_at or step.started_at
    try:
        each, activation = step.planned.policies.each, step.activation
        if step.planned.node.loop and activation is not None:
            composite: Composite = await make_loop(step, activation, recorder, environment)
        elif each is not None:
            composite = await make_each(step, each, recorder, environment)
    except Exception as error:  # A wrong list is an outcome like any other.
        return failure(step, failed(step, recorder, error)[0])
    if history is None:
        await record_start(step, recorder, intent=False)
    return composite
