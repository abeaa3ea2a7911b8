"""A plugin of node types that wait, fail, die and leave traces: what tests of the engine need.

Installed like any plugin: this folder on the import path is a package with an entry point.
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from structforge.sdk import (
    Effect,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    NodeRegistry,
    Parameters,
    Port,
    Ports,
    parameter,
)
from structforge.sdk.control import Call, Return, Wait

ANY = (Port("in", "any", required=False),)
MANY = (Port("in", "any", required=False, many=True),)
OUT = (Port("out", "any"),)


class EffectParameters(Parameters):
    trace: str = parameter(
        "", title="Trace", description="File that gets a line per attempt.", expressions=False
    )
    gate: str = parameter("", title="Gate", description="File whose existence is awaited.", expressions=False)


def leave_trace(context: NodeContext, trace: str) -> None:
    """Append `step_key attempt pid key` to the trace, in one write."""
    if trace:
        line = f"{context.step_key} {context.attempt} {os.getpid()}\n"
        descriptor = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, line.encode())
        os.close(descriptor)


class Gate(Node[EffectParameters]):
    """Leaves a trace, then waits until a file exists; may be repeated."""

    type = "test.gate"
    title = "Gate"
    category = "flow"
    inputs, outputs = MANY, OUT
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = EffectParameters

    async def run(self, context: NodeContext, parameters: EffectParameters, inputs: Inputs) -> Any:
        """Return the node's name."""
        leave_trace(context, parameters.trace)
        while parameters.gate and not Path(parameters.gate).exists():  # noqa: ASYNC110 (other processes open it)
            await asyncio.sleep(0.01)
        return {"from": context.step_key, "in": inputs.get("in", [])}


class PureGate(Gate):
    """The same, recomputed after a crash."""

    type = "test.gate_pure"
    effect = Effect.PURE


class OnceGate(Gate):
    """The same, never repeated silently."""

    type = "test.gate_once"
    effect = Effect.ONCE


class BlockingGate(Gate):
    """The same, blocking, in a process of the pool."""

    type = "test.gate_blocking"
    effect = Effect.PURE
    execution = Execution.BLOCKING

    def run(self, context: NodeContext, parameters: EffectParameters, inputs: Inputs) -> Any:  # type: ignore[override]
        """Return the node's name."""
        leave_trace(context, parameters.trace)
        while parameters.gate and not Path(parameters.gate).exists():
            time.sleep(0.01)
        return {"from": context.step_key, "in": inputs.get("in", [])}


class PassParameters(Parameters):
    value: Any = parameter(None, title="Value", description="What is returned.")


class Pass(Node[PassParameters]):
    """Returns its parameter, or what came in."""

    type = "test.pass"
    title = "Pass"
    category = "data"
    inputs, outputs = MANY, OUT
    Parameters = PassParameters

    def run(self, context: NodeContext, parameters: PassParameters, inputs: Inputs) -> Any:
        """Return the value."""
        return inputs.get("in", []) if parameters.value is None else parameters.value


class One(Pass):
    """Takes one value only."""

    type = "test.one"
    inputs = ANY

    def run(self, context: NodeContext, parameters: PassParameters, inputs: Inputs) -> Any:
        """Return what came in."""
        return inputs.get("in")


class FailParameters(Parameters):
    times: int = parameter(1_000, title="Times", description="Attempts that fail.", expressions=False)
    code: str = parameter("test.failed", title="Code", description="Of the error.", expressions=False)
    final: bool = parameter(False, title="Final", description="No retry helps.", expressions=False)
    unforeseen: bool = parameter(False, title="Bug", description="Raise anything.", expressions=False)


class Fail(Node[FailParameters]):
    """Fails its first attempts."""

    type = "test.fail"
    title = "Fail"
    category = "flow"
    inputs, outputs = MANY, OUT
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = FailParameters

    async def run(self, context: NodeContext, parameters: FailParameters, inputs: Inputs) -> Any:
        """Raise, or return the node's name."""
        await asyncio.sleep(0)
        if context.attempt <= parameters.times:
            if parameters.unforeseen:
                raise RuntimeError("password=hunter2")
            raise NodeError(parameters.code, "It failed.", final=parameters.final)
        return {"from": context.step_key, "in": inputs.get("in", [])}


class PlainFail(Fail):
    """Fails inline."""

    type = "test.fail_plain"
    effect = Effect.PURE
    execution = Execution.INLINE

    def run(self, context: NodeContext, parameters: FailParameters, inputs: Inputs) -> Any:  # type: ignore[override]
        """Raise."""
        if parameters.unforeseen:
            raise RuntimeError("password=hunter2")
        raise NodeError(parameters.code, "It failed.", final=parameters.final)


class KindParameters(Parameters):
    kind: str = parameter(title="Kind", description="Which value.", expressions=False)


def deep(levels: int) -> Any:
    """Nest lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def cycle() -> Any:
    """Make a list that contains itself."""
    value: list[Any] = []
    value.append(value)
    return value


HOSTILE: dict[str, Callable[[], Any]] = {
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf")],
    "nul": lambda: {"text": "a\0b"},
    "surrogate": lambda: "\ud800",
    "huge_integer": lambda: 10**5_000,
    "deep": lambda: deep(100_000),
    "bytes": lambda: b"x",
    "cycle": cycle,
    "object": lambda: object(),
    "number_keys": lambda: {1: 2},
    "function": lambda: print,
}


class Hostile(Node[KindParameters]):
    """Returns what no journal can hold."""

    type = "test.hostile"
    title = "Hostile"
    category = "data"
    inputs, outputs = MANY, OUT
    Parameters = KindParameters

    def run(self, context: NodeContext, parameters: KindParameters, inputs: Inputs) -> Any:
        """Return the value."""
        return HOSTILE[parameters.kind]()


class HostileAsync(Hostile):
    """Returns it from a coroutine."""

    type = "test.hostile_async"
    execution = Execution.ASYNC

    async def run(self, context: NodeContext, parameters: KindParameters, inputs: Inputs) -> Any:
        """Return the value."""
        return HOSTILE[parameters.kind]()


class HostileBlocking(Hostile):
    """Returns it from a process of the pool."""

    type = "test.hostile_blocking"
    execution = Execution.BLOCKING


class Unprintable:
    """Fails at whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")


class EvilDict(dict[str, Any]):
    """A dict whose content cannot be read."""

    def items(self) -> Any:
        raise RuntimeError("no items")

    def __iter__(self) -> Any:
        raise RuntimeError("no keys")


def broken_generator() -> Any:
    """Give one value, then fail."""
    yield 1
    raise RuntimeError("no more")


def raising(error: BaseException) -> Callable[[NodeContext], Any]:
    """Return an act that raises."""

    def act(context: NodeContext) -> Any:
        raise error

    return act


def logging(message: Any, **fields: Any) -> Callable[[NodeContext], Any]:
    """Return an act that logs, then fails as it should."""

    def act(context: NodeContext) -> Any:
        context.log("info", message, **fields)
        raise NodeError("test.logged", "It logged.")

    return act


def exhausted(depth: int = 0) -> Any:
    """Recurse without end."""
    return exhausted(depth + 1)


ACTS: dict[str, Callable[[NodeContext], Any]] = {
    "unprintable": lambda context: Unprintable(),
    "unprintable_inside": lambda context: {"a": [Unprintable()]},
    "evil_dict": lambda context: EvilDict(a=object()),
    "generator": lambda context: broken_generator(),
    "huge_text": lambda context: "x" * (17 * 1024 * 1024),
    "no_ports": lambda context: Ports(7),  # type: ignore[arg-type]
    "ports_of_odd_names": lambda context: Ports({1: 2}),  # type: ignore[dict-item]
    "ports_of_bytes": lambda context: Ports({"out": b"x"}),
    "return_nan": lambda context: Return(float("nan")),
    "wait_for_nothing": lambda context: Wait("soon"),  # type: ignore[arg-type]
    "wait_naive": lambda context: Wait(datetime(2030, 1, 1)),
    "wait_hostile_asks": lambda context: Wait(None, {"a": "\ud800"}),
    "call_hostile": lambda context: Call("nobody", float("nan")),
    "raise_hostile_details": raising(
        NodeError("a.b", "x\0\ud800", where="\0", hint="\ud800", bad=b"x", inf=float("inf"))
    ),
    "raise_odd_problem": raising(NodeError(7, None)),  # type: ignore[arg-type]
    "raise_unprintable": raising(ValueError(Unprintable())),
    "system_exit": raising(SystemExit(3)),
    "keyboard_interrupt": raising(KeyboardInterrupt()),
    "generator_exit": raising(GeneratorExit()),
    "stop_iteration": raising(StopIteration()),
    "cancelled": raising(asyncio.CancelledError()),
    "memory": raising(MemoryError()),
    "recursion": lambda context: exhausted(),
    "group": raising(BaseExceptionGroup("g", [KeyboardInterrupt()])),
    "log_hostile": logging(
        "a\0\ud800" * 10, odd="\ud800", huge=10**30, thing=Unprintable(), nan=float("nan")
    ),
    "log_no_text": logging(7),
}
"""What a node can do beside returning a value: every one of these is a failure of its step."""


class Wild(Hostile):
    """Does what no node should."""

    type = "test.wild"

    def run(self, context: NodeContext, parameters: KindParameters, inputs: Inputs) -> Any:
        """Do it."""
        return ACTS[parameters.kind](context)


class WildAsync(Wild):
    """Does it in a coroutine."""

    type = "test.wild_async"
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC

    async def run(self, context: NodeContext, parameters: KindParameters, inputs: Inputs) -> Any:
        """Do it."""
        await asyncio.sleep(0)
        return ACTS[parameters.kind](context)


class WildBlocking(Wild):
    """Does it in a process of the pool."""

    type = "test.wild_blocking"
    execution = Execution.BLOCKING


class Stubborn(Gate):
    """Leaves a trace, then ignores every cancellation until its gate opens."""

    type = "test.stubborn"

    async def run(self, context: NodeContext, parameters: EffectParameters, inputs: Inputs) -> Any:
        """Return the node's name."""
        leave_trace(context, parameters.trace)
        while not Path(parameters.gate).exists():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0.01)
        return {"from": context.step_key}


class Hog(Gate):
    """Leaves a trace, then keeps the event loop to itself until its gate opens: what no async node should do."""

    type = "test.hog"

    async def run(self, context: NodeContext, parameters: EffectParameters, inputs: Inputs) -> Any:
        """Return the node's name."""
        leave_trace(context, parameters.trace)
        while not Path(parameters.gate).exists():
            time.sleep(0.01)  # noqa: ASYNC251 (that is the point)
        return {"from": context.step_key}


class Die(Node[EffectParameters]):
    """Kills the process it runs in, while the gate is shut."""

    type = "test.die"
    title = "Die"
    category = "flow"
    inputs, outputs = MANY, OUT
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = EffectParameters

    async def run(self, context: NodeContext, parameters: EffectParameters, inputs: Inputs) -> Any:
        """Die by SIGKILL."""
        leave_trace(context, parameters.trace)
        if not Path(parameters.gate).exists():
            os.kill(os.getpid(), signal.SIGKILL)
        return None


class DieBlocking(Die):
    """The same in a process of the pool."""

    type = "test.die_blocking"
    effect = Effect.PURE
    execution = Execution.BLOCKING

    def run(self, context: NodeContext, parameters: EffectParameters, inputs: Inputs) -> Any:  # type: ignore[override]
        """Die by SIGKILL."""
        os.kill(os.getpid(), signal.SIGKILL)


NODE_TYPES = (
    Gate, PureGate, OnceGate, BlockingGate, Pass, One, Fail, PlainFail, Hostile, HostileAsync, HostileBlocking, Wild,
    WildAsync, WildBlocking, Stubborn, Hog, Die, DieBlocking,
)  # fmt: skip


def register(registry: NodeRegistry) -> None:
    """Register all."""
    for node_type in NODE_TYPES:
        registry.register(node_type)
