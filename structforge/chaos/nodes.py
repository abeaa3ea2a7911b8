"""Node types of the chaos rows: they pause, leave traces, die and return what no journal can hold.

Invariant: offered by an entry point in the row's home folder, so no other process ever knows them.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from structforge.plugins import GROUP
from structforge.sdk import (
    Effect,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeRegistry,
    Parameters,
    Port,
    parameter,
)

IN = (Port("in", "any", "Input", "Passed on.", required=False, many=True),)
OUT = (Port("out", "any", "Output", "Who ran it."),)
BUSY_S = 1.0
"""A step that holds the event loop computes for this long and sleeps for the rest."""


class PauseParameters(Parameters):
    seconds: float = parameter(0.0, title="Seconds", description="How long the step takes.", ge=0)
    again_seconds: float | None = parameter(
        None, title="Seconds, again", description="How long a later attempt takes, where that differs."
    )
    trace: str = parameter("", title="Trace", description="File that gets a line for each attempt.")


def duration_s(context: NodeContext, parameters: PauseParameters) -> float:
    """Return how long this attempt takes."""
    again = parameters.again_seconds
    return again if again is not None and context.attempt > 1 else parameters.seconds


def leave_trace(context: NodeContext, trace: str) -> None:
    """Append `run step attempt pid moment` to the trace in one write; the clock is that of the machine."""
    if trace:
        moment = time.monotonic()
        line = f"{context.run_id} {context.step_key} {context.attempt} {os.getpid()} {moment:.6f}\n"
        descriptor = os.open(trace, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, line.encode())
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Trace:
    """A line that an attempt left."""

    run: str
    step: str
    attempt: int
    pid: int
    moment: float


def read_traces(file: Path) -> list[Trace]:
    """Return the attempts that left a trace, in order."""
    if not file.exists():
        return []
    found = []
    for line in file.read_text().splitlines():
        run, step, attempt, pid, moment = line.split()
        found.append(Trace(run, step, int(attempt), int(pid), float(moment)))
    return found


class Pause(Node[PauseParameters]):
    """Leaves a trace, then takes some time on the event loop; may be repeated."""

    type = "chaos.pause"
    title = "Pause"
    category = "flow"
    inputs, outputs = IN, OUT
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    Parameters = PauseParameters

    async def run(self, context: NodeContext, parameters: PauseParameters, inputs: Inputs) -> Any:
        """Return which process ran which step."""
        leave_trace(context, parameters.trace)
        await asyncio.sleep(duration_s(context, parameters))
        return {"pid": os.getpid(), "step": context.step_key}


class PausePure(Pause):
    """The same, computed again after a crash."""

    type = "chaos.pause_pure"
    effect = Effect.PURE


class PauseOnce(Pause):
    """The same, never repeated silently."""

    type = "chaos.pause_once"
    effect = Effect.ONCE


class HoldLoop(Pause):
    """The same, but nothing else moves on the event loop meanwhile."""

    type = "chaos.hold_loop"

    async def run(self, context: NodeContext, parameters: PauseParameters, inputs: Inputs) -> Any:
        """Return which process ran which step."""
        leave_trace(context, parameters.trace)
        end = time.monotonic() + duration_s(context, parameters)
        busy_until = min(end, time.monotonic() + BUSY_S)
        while time.monotonic() < busy_until:
            pass
        time.sleep(max(0.0, end - time.monotonic()))  # noqa: ASYNC251 (a node that does not behave)
        return {"pid": os.getpid(), "step": context.step_key}


class PauseBlocking(Pause):
    """The same, in a process of the pool."""

    type = "chaos.pause_blocking"
    effect = Effect.PURE
    execution = Execution.BLOCKING

    def run(self, context: NodeContext, parameters: PauseParameters, inputs: Inputs) -> Any:
        """Return which process ran which step."""
        leave_trace(context, parameters.trace)
        time.sleep(duration_s(context, parameters))
        return {"pid": os.getppid(), "step": context.step_key}


class Kill(Pause):
    """Leaves a trace, then kills the worker it runs in."""

    type = "chaos.kill"

    async def run(self, context: NodeContext, parameters: PauseParameters, inputs: Inputs) -> Any:
        """Die by SIGKILL."""
        leave_trace(context, parameters.trace)
        await asyncio.sleep(parameters.seconds)
        os.kill(os.getpid(), signal.SIGKILL)


class HostileParameters(Parameters):
    kind: str = parameter(title="Kind", description="Which value.")


def _deep(levels: int) -> Any:
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def _cycle() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def _raise(error: BaseException) -> Any:
    raise error


class _Wrong:
    """Raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("not even that")

    def __iter__(self) -> Any:
        raise RuntimeError("nor that")


HOSTILE: dict[str, Callable[[], Any]] = {
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf"), -float("inf")],
    "nul": lambda: {"text": "a\0b", "k\0": 1},
    "surrogate": lambda: {"text": "\ud800", "\udfff": 1},
    "huge_integer": lambda: 10**5_000,
    "deep": lambda: _deep(100_000),
    "bytes": lambda: b"\xff\x00",
    "cycle": _cycle,
    "object": lambda: object(),
    "wrong_object": _Wrong,
    "number_keys": lambda: {1: 2, None: 3},
    "function": lambda: print,
    "set": lambda: {1, 2},
    "generator": lambda: (number for number in range(3)),
    "large": lambda: "x" * 3_000_000,
    "many": lambda: list(range(200_000)),
    "raises": lambda: _raise(ValueError("\ud800\0")),
    "raises_unprintable": lambda: _raise(RuntimeError(_Wrong())),
    "recursion": lambda: _raise(RecursionError("deeper")),
    "memory": lambda: _raise(MemoryError()),
    "stop_iteration": lambda: _raise(StopIteration("over")),
}
"""What a node may return or raise at worst, by name."""


class Hostile(Node[HostileParameters]):
    """Returns or raises what no journal can hold."""

    type = "chaos.hostile"
    title = "Hostile"
    category = "data"
    inputs, outputs = IN, OUT
    Parameters = HostileParameters

    def run(self, context: NodeContext, parameters: HostileParameters, inputs: Inputs) -> Any:
        """Return the value."""
        return HOSTILE[parameters.kind]()


class HostileAsync(Hostile):
    """The same from a coroutine."""

    type = "chaos.hostile_async"
    execution = Execution.ASYNC

    async def run(self, context: NodeContext, parameters: HostileParameters, inputs: Inputs) -> Any:
        """Return the value."""
        return HOSTILE[parameters.kind]()


class HostileBlocking(Hostile):
    """The same from a process of the pool."""

    type = "chaos.hostile_blocking"
    execution = Execution.BLOCKING


def register(registry: NodeRegistry) -> None:
    """Add the node types of the rows."""
    for node_type in (
        Pause, PausePure, PauseOnce, PauseBlocking, HoldLoop, Kill, Hostile, HostileAsync, HostileBlocking,
    ):  # fmt: skip
        registry.register(node_type)


def install(folder: Path) -> None:
    """Make `folder` a place on the module path in which this plugin is installed."""
    info = folder / "structforge_chaos-1.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: structforge-chaos\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{GROUP}]\nchaos = {__name__}:{register.__name__}\n")
