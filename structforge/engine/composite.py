"""Steps made of many: a loop's iterations, and a node run once for each element of a list.

Invariant: results keep the order of the items, however many run side by side and in whatever order they end.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from structforge.domain.conditions import not_a_condition, truth
from structforge.domain.errors import sentence
from structforge.domain.expressions import CompiledValue, Keep, compile_value
from structforge.domain.policies import EachPolicy
from structforge.domain.ports import ERROR_PORT
from structforge.engine.activation import NOTHING, Activation
from structforge.engine.attempts import read
from structforge.engine.environment import Environment
from structforge.engine.reading import Reader, Referring, refers
from structforge.engine.recorder import RunRecorder
from structforge.engine.step import Step
from structforge.sdk.context import NodeError
from structforge.sdk.control import LoopParameters

MAX_ITEMS = 1_000_000


@dataclass(frozen=True, slots=True)
class Judgement:
    """The condition of a loop after an iteration."""

    until: CompiledValue
    names: Mapping[str, Any]
    where: str
    """The parameter that holds it."""

    @property
    def reads(self) -> bool:
        """Tell whether large values may have to be read for it."""
        return isinstance(self.names, Referring)

    def holds(self, reader: Reader | None = None) -> bool:
        """Evaluate it, in a thread where it reads. Raises: ExpressionError; NodeError `if.not_boolean`, `value.*`."""
        said = self.until.resolve(self.names if reader is None else reader.scope(self.names))
        over = truth(said)
        if over is None:
            problem = not_a_condition(said, self.where)
            raise NodeError(problem.code, problem.message, where=problem.where, hint=problem.hint)
        return over


class Loop:
    """The iterations of one loop step."""

    def __init__(
        self, step: Step, parameters: LoopParameters, activation: Activation, *, refers: bool = False
    ) -> None:
        """`refers` says that there are references in the items. Raises: NodeError when the items are no list."""
        self.step = step
        self._refers = refers
        self.activation = activation
        self.closed = False
        self.advancing = False
        """Iterations are being begun right now: one that ends at once must not begin the next itself."""
        self.running = 0
        self._parameters = parameters
        self._begun = 0
        self._over = False
        self._results: dict[int, Any] = {}
        self._carry = step.inputs.get("in")
        self._items: list[Any] = []
        self._until: CompiledValue | None = None
        if parameters.mode == "for_each":
            self._items = _as_list(parameters.items, step)
            self._concurrency = parameters.concurrency
        else:
            self._until = compile_value(parameters.until or "{{ true }}", "parameters.until")
            self._concurrency = 1

    @property
    def may_begin(self) -> bool:
        """There is another iteration, and room for it."""
        if self.closed or self._over or self.running >= self._concurrency:
            return False
        return self._until is not None or self._begun < len(self._items)

    @property
    def done(self) -> bool:
        """Every iteration has ended."""
        return not self.running and not self.may_begin

    def begin(self) -> tuple[int, Any]:
        """Return number and item of the next iteration."""
        index = self._begun
        self._begun += 1
        self.running += 1
        return index, self._carry if self._until is not None else self._items[index]

    def refers(self, item: Any) -> bool:
        """Tell whether there may be references to artifacts in the item of an iteration."""
        return refers(item) if self._until is not None else self._refers

    def judged_by(self, index: int, carry: Any) -> Judgement | None:
        """Return what decides whether an iteration was the last one; None where only the items do."""
        if self._until is None:
            return None
        names: Mapping[str, Any]
        carry = None if carry is NOTHING else carry
        names = {**self.step.scope, "result": carry, "index": index}
        if isinstance(self.step.scope, Referring) or refers(carry):
            own = self.step.scope.own if isinstance(self.step.scope, Referring) else frozenset()
            names = Referring(names, own)
        return Judgement(self._until, names, f"nodes.{self.step.planned.id}.parameters.until")

    def collect(self, index: int, carry: Any, *, over: bool = False) -> None:
        """Take what arrived at `again`, if anything did, and whether that was the last iteration.

        Raises: NodeError `loop.limit`.
        """
        self.running -= 1
        if self._until is None:
            if carry is not NOTHING:
                self._results[index] = carry
            return
        self._carry = None if carry is NOTHING else carry
        self._over = over
        if not self._over and self._begun >= self._parameters.max_iterations:
            raise NodeError(
                "loop.limit",
                sentence("The loop has not ended after {begun} iterations.", begun=self._begun),
                where=f"nodes.{self.step.planned.id}.parameters.max_iterations",
                hint="Mend its condition, or let it run longer.",
            )

    def ports(self) -> Mapping[str, Any]:
        """Return the loop's result."""
        if self._until is not None:
            return {"done": self._carry}
        return {"done": [self._results[index] for index in sorted(self._results)]}


class Each:
    """The elements of one step with an `each` policy."""

    def __init__(self, step: Step, policy: EachPolicy, items: Any, *, refers: bool = False) -> None:
        """`refers` says that there are references in the items. Raises: NodeError when the items are no list."""
        self.step = step
        self.refers = refers
        self.closed = False
        self.running = 0
        self._items = _as_list(items, step)
        self._concurrency = policy.concurrency
        self._begun = 0
        self._ports: dict[int, Mapping[str, Any]] = {}

    @property
    def may_begin(self) -> bool:
        """There is another element, and room for it."""
        return not self.closed and self._begun < len(self._items) and self.running < self._concurrency

    @property
    def done(self) -> bool:
        """Every element has ended."""
        return not self.running and self._begun == len(self._items)

    def begin(self) -> tuple[int, Any]:
        """Return number and value of the next element."""
        index = self._begun
        self._begun += 1
        self.running += 1
        return index, self._items[index]

    def collect(self, index: int, ports: Mapping[str, Any]) -> None:
        """Take the live ports of an element's step."""
        self.running -= 1
        self._ports[index] = ports

    def ports(self) -> Mapping[str, Any]:
        """Return for each port the list of what the elements gave there, in their order.

        The only output of a node has a place for every element: null where it failed. An error tells its element.
        """
        planned = self.step.planned
        own = planned.node.output_ports(planned.spec.parameters)
        # A node may have a port of its own that is called so.
        errors = ERROR_PORT if planned.policies.on_error == "port" else ""
        gathered: dict[str, list[Any]] = {planned.default_port: []} if len(own) <= 1 else {}
        for index, item in enumerate(self._items):
            given = self._ports.get(index, {})
            if len(own) == 1 and planned.default_port not in given:
                gathered[planned.default_port].append(None)
            for port, value in given.items():
                told = {**value, "index": index, "item": item} if port == errors else value
                gathered.setdefault(port, []).append(told)
        return gathered or {planned.default_port: []}


async def make_loop(
    step: Step, activation: Activation, recorder: RunRecorder, environment: Environment
) -> Loop:
    """Begin a loop step. Raises: ExpressionError, InvalidError; NodeError, also `value.*`."""
    given = await read(step, recorder, environment)
    parameters = given.parameters
    if not isinstance(parameters, LoopParameters):
        raise NodeError(
            "loop.parameters",
            sentence(
                "{title} does not declare the parameters of a loop.",
                title=step.planned.node.title,
                node_type=step.planned.node.type,
            ),
        )
    return Loop(step, parameters, activation, refers=given.handed_on)


async def make_each(step: Step, policy: EachPolicy, recorder: RunRecorder, environment: Environment) -> Each:
    """Begin a step with an `each` policy. Raises: ExpressionError; NodeError, also `value.*`."""
    items = compile_value(policy.items, "policies.each.items")
    if type(step.scope) is not Referring:
        return Each(step, policy, items.resolve(step.scope))
    reader = environment.reader(recorder.run.organization_id)
    found, handed_on = await asyncio.to_thread(_items, items, step.scope, reader)
    return Each(step, policy, found, refers=handed_on)


def _items(items: CompiledValue, names: Mapping[str, Any], reader: Reader) -> tuple[Any, bool]:
    scope = reader.scope(names)
    scope.reading.keep = Keep.INNER
    found = items.resolve(scope)
    return found, scope.reading.handed_on


def _as_list(items: Any, step: Step) -> list[Any]:
    where = f"nodes.{step.planned.id}"
    if not isinstance(items, list):
        kind = {dict: "an object", str: "text", bool: "a boolean", type(None): "null"}.get(
            type(items), "a number"
        )
        raise NodeError(
            "items.not_a_list",
            sentence("The items are {kind}, not a list.", kind=kind),
            where=where,
            hint="Name a list, such as rows.",
        )
    if len(items) > MAX_ITEMS:
        raise NodeError(
            "items.too_many",
            sentence(
                "There are {count} items; at most {max_items} are taken.",
                count=len(items),
                max_items=MAX_ITEMS,
            ),
            where=where,
        )
    return items


Composite = Loop | Each


def closed(step: Step) -> bool:
    """Tell whether a step belongs to a loop or list that has been given up."""
    owner = step.owner
    while owner is not None:
        if owner.closed:
            return True
        owner = owner.step.owner
    return False
