"""Going through loops and lists: begins iterations and elements as there is room, gathers what they gave.

Invariant: a composite that was given up begins nothing more, and ends once. What runs is the executor's affair.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from structforge.domain.errors import StructForgeError
from structforge.domain.journal import StepHistory
from structforge.domain.run import StepStatus
from structforge.engine.activation import DEAD, Activation
from structforge.engine.attempts import describe, load_scope
from structforge.engine.composite import Composite, Each, Loop, closed, make_each, make_loop
from structforge.engine.environment import Environment
from structforge.engine.planner import Plan
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

    def cancel(self, wanted: Callable[[Step], bool]) -> None:
        """Interrupt steps, and end their waiting."""


class Iterations:
    """The loops and lists of one execution."""

    def __init__(self, plan: Plan, history: Mapping[str, StepHistory], steps: Stepping) -> None:
        self._plan = plan
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
            self._collect(loop, activation.index, activation.carry)
            if not loop.advancing:
                self._advance_guarded(loop)

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
        activation = Activation(self._plan, region, loop.activation, prefix=prefix, item=item, index=index)
        if region.straight:
            activation.carry = item
        if not region.members:
            self._collect(loop, index, activation.carry)
            return
        self._owners[activation] = loop
        self._steps.take(activation, *activation.start())
        if not activation.remaining:
            self.over(activation)

    def _collect(self, loop: Loop, index: int, carry: Any) -> None:
        try:
            loop.collect(index, carry)
        except StructForgeError as error:
            self.close(loop)
            self._steps.end(loop.step, failure(loop.step, error.problem))

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
        self._steps.begin(Step(whole.planned, key, inputs, scope, None, each, index), history)


async def prepare(
    step: Step, history: StepHistory | None, recorder: RunRecorder, environment: Environment
) -> Composite | Outcome:
    """Resolve what a composite step goes through."""
    if history is not None:
        step.attempt, step.started_at = history.attempt, history.started_at or step.started_at
    try:
        await load_scope(step, recorder, environment)
        each, activation = step.planned.policies.each, step.activation
        if step.planned.node.loop and activation is not None:
            composite: Composite = make_loop(step, activation)
        elif each is not None:
            composite = make_each(step, each)
    except Exception as error:  # A wrong list is an outcome like any other.
        return failure(step, describe(error)[0])
    if history is None:
        await record_start(step, recorder, intent=False)
    return composite
