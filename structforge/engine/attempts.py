"""Running a step: resolve its parameters, make its attempts, bring the result into journal form.

Invariant: whatever a node does ends in an `Outcome` with a definite status; only lost leases and cancellation escape.
"""

import asyncio
import logging
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel

from structforge.domain.errors import InvalidError, Problem, StructForgeError
from structforge.domain.expressions import ExpressionError, Keep, LazyScope
from structforge.domain.ids import child_id
from structforge.domain.journal import CallEnd
from structforge.domain.policies import RetryPolicy
from structforge.domain.run import Execution, RunStatus
from structforge.domain.values import journal_safe_bytes
from structforge.engine import crashes
from structforge.engine.context import StepContext
from structforge.engine.crashes import Scene
from structforge.engine.environment import Environment, ProcessCall
from structforge.engine.planner import PlannedNode, validate_parameters
from structforge.engine.reading import Reader, Referring
from structforge.engine.recorder import RunRecorder
from structforge.engine.records import record_retry, record_start
from structforge.engine.step import Outcome, Returned, Step, Waiting, failure, success
from structforge.engine.values import (
    encode,
    safe_problem,
    store_large,
)
from structforge.sdk.context import NodeError
from structforge.sdk.control import Call, Return, Wait
from structforge.sdk.node import Ports

logger = logging.getLogger(__name__)

CANCEL_GRACE_S = 1.0
"""A cancelled node gets so long to end."""


def describe(error: Exception, scene: Scene | None = None) -> tuple[Problem, bool]:
    """Turn what an attempt raised into a problem that any journal can hold, and tell whether retrying cannot help."""
    problem, final = _described(error)
    if problem.code == crashes.CODE and scene is not None:
        problem = crashes.located(problem, scene)
    return safe_problem(problem), final


def failed(step: Step, recorder: RunRecorder, error: Exception) -> tuple[Problem, bool]:
    """Describe what went wrong with a step."""
    planned = step.planned
    run_id, node = recorder.run.run_id, planned.node
    scene = Scene(planned.id, node.type, node.title, run_id, step.key, step.attempt, step.doing)
    return describe(error, scene)


def _described(error: Exception) -> tuple[Problem, bool]:
    if isinstance(error, NodeError):
        return error.problem, error.final
    if isinstance(error, ExpressionError | InvalidError):
        return error.problem, True
    if isinstance(error, StructForgeError):
        return error.problem, error.status < 500
    if isinstance(error, TimeoutError):
        return Problem(
            "step.timeout", "The step took longer than it may.", hint="Raise its time limit."
        ), False
    return crashes.crash_problem(error), False


def parameters_of(step: Step) -> BaseModel:
    """Resolve and validate the parameters. Raises: ExpressionError, InvalidError."""
    planned = step.planned
    if planned.fixed is not None:
        return planned.fixed
    values = planned.compiled.resolve(step.scope)
    return validate_parameters(planned.spec, planned.node, {**values, **planned.literal})


def has_references(step: Step) -> bool:
    """Tell whether there may be something to read for the step: in its inputs, or in what its expressions name."""
    planned = step.planned
    return (type(step.inputs) is Referring and not planned.takes_references) or (
        type(step.scope) is Referring and planned.fixed is None
    )


@dataclass(frozen=True, slots=True)
class Read:
    """What a step goes on with after its large values were read."""

    parameters: BaseModel
    inputs: Mapping[str, Any]
    handed_on: bool
    """References stand in the parameters."""


async def read(step: Step, recorder: RunRecorder, environment: Environment) -> Read:
    """Resolve the parameters and bring the inputs into the form the node takes; large values are read in a thread.

    Raises: ExpressionError, InvalidError; NodeError `value.*`, `artifact.missing`.
    """
    if not has_references(step):
        return Read(parameters_of(step), step.inputs, handed_on=False)
    reader = environment.reader(recorder.run.organization_id)
    return await asyncio.to_thread(_read, step, reader)


def resolved(planned: PlannedNode, scope: LazyScope) -> tuple[dict[str, Any], bool]:
    """Return the parameters with their expressions evaluated, and whether references were handed on in them."""
    values: dict[str, Any] = {}
    for scope.reading.keep, compiled in planned.by_keep:
        values |= compiled.resolve(scope)
    return values, scope.reading.handed_on


def _read(step: Step, reader: Reader) -> Read:
    planned = step.planned
    handed_on = False
    parameters = planned.fixed
    if parameters is None and type(step.scope) is Referring:
        values, handed_on = resolved(planned, reader.scope(step.scope))
        parameters = validate_parameters(planned.spec, planned.node, {**values, **planned.literal})
    elif parameters is None:
        parameters = parameters_of(step)
    inputs = step.inputs
    if type(inputs) is Referring and not planned.takes_references:
        # Nodes in the pool read tables themselves, and faster.
        keep = Keep.TABLE if planned.node.execution is Execution.BLOCKING else Keep.NOTHING
        inputs = {
            port: [reader.whole(item, keep, made_here=port in inputs.own) for item in value]
            if port in planned.many_ports
            else reader.whole(value, keep, made_here=port in inputs.own)
            for port, value in inputs.items()
        }
    return Read(parameters, inputs, handed_on)


def run_inline(
    step: Step, recorder: RunRecorder, environment: Environment
) -> Outcome | Returned | Mapping[str, Any]:
    """Run a plain step here and now. Returns its ports unencoded when they are large: `finish_large` goes on."""
    planned = step.planned
    try:
        parameters = parameters_of(step)
        context = StepContext(recorder.run, step.key, step.attempt, environment, recorder)
        step.doing = "run"
        result = run_tamed(planned, context, parameters, step.inputs)
        step.doing = "result"
        returns = type(result) is Return
        ports = {planned.default_port: result.value} if returns else ports_of(step, result)
        encoded = encode(ports, environment.limits.inline_value_bytes)
    except Exception as error:  # Whatever a node raises has to end in an outcome.
        return failure(step, failed(step, recorder, error)[0])
    if encoded is None:
        return ports
    return Returned(success(step, encoded)) if returns else success(step, encoded)


async def finish_large(
    step: Step, ports: Mapping[str, Any], recorder: RunRecorder, environment: Environment
) -> Outcome | Returned:
    """Store the large values of a plain step's result."""
    try:
        outcome = success(step, await store_large(ports, environment, recorder.run.organization_id))
        return Returned(outcome) if step.planned.node.ends_run else outcome
    except Exception as error:  # The same promise as in `run_inline`.
        return failure(step, failed(step, recorder, error)[0])


async def run_attempts(
    step: Step, recorder: RunRecorder, environment: Environment
) -> Outcome | Waiting | Returned:
    """Run a step until an attempt succeeds, it asks to wait, or the retry policy gives up."""
    planned = step.planned
    retry = planned.policies.retry
    while True:
        if step.waiting_since is None:
            step.started_at = datetime.now(UTC)
            await record_start(step, recorder)
        try:
            step.doing = "parameters"
            result = await _attempt(step, recorder, environment)
            step.doing = "result"
            if type(result) is Wait:
                return waiting(result)
            if type(result) is Call:
                return await _call(step, result, recorder, environment)
            returns = type(result) is Return
            ports = {planned.default_port: result.value} if returns else ports_of(step, result)
            encoded = encode(ports, environment.limits.inline_value_bytes)
            if encoded is None:
                encoded = await store_large(ports, environment, recorder.run.organization_id)
            return Returned(success(step, encoded)) if returns else success(step, encoded)
        except Exception as error:  # Whatever a node raises has to end in an outcome.
            problem, final = failed(step, recorder, error)
        if step.waiting_since is not None and step.answer is None:
            # It gave up before the run that it called, if it did, was over.
            called = child_id(recorder.run.run_id, step.key, step.attempt)
            await environment.callees.stop(recorder.run.organization_id, [called])
        if final or not _may_retry(step, retry, problem):
            return failure(step, problem)
        wait_s = retry.wait_s(step.attempt - step.lost_attempts, _asked_wait_s(problem))
        record_retry(step, recorder, problem, wait_s)
        if wait_s:
            recorder.submit()
            await asyncio.sleep(wait_s)
        step.attempt += 1
        step.waiting_since = None
        if isinstance(step.answer, CallEnd):
            step.answer = None


def waiting(wait: Wait) -> Waiting:
    """Bring a wish to wait into journal form. Raises: NodeError, InvalidValueError for one that makes no sense."""
    until = wait.until
    if until is not None and (not isinstance(until, datetime) or until.tzinfo is None):
        raise NodeError("wait.time", "The node waits until something that is no moment.")
    return Waiting(until, journal_safe_bytes({"asks": wait.asks})[1] if wait.asks else None)


async def _call(step: Step, call: Call, recorder: RunRecorder, environment: Environment) -> Outcome | Waiting:
    """Start the run that a step calls: its acceptance becomes durable together with what the step does now."""
    wait = waiting(Wait(call.until))
    if step.waiting_since is not None:
        return wait
    child = await environment.callees.called(recorder.run, step.key, step.attempt, call)
    if call.wait:
        return replace(wait, child=child)
    started = {"run_id": str(child.run.run_id), "status": RunStatus.QUEUED.value}
    encoded = encode({step.planned.default_port: started}, environment.limits.inline_value_bytes)
    if encoded is None:
        raise RuntimeError("the id of a run is no large value")
    return replace(success(step, encoded), child=child)


def _may_retry(step: Step, retry: RetryPolicy, problem: Problem) -> bool:
    return step.attempt - step.lost_attempts < retry.max_attempts and retry.retries(problem.code)


def _asked_wait_s(problem: Problem) -> float:
    """Return how long the error asks to wait, as `Retry-After` does."""
    asked = problem.details.get("retry_after_s")
    return float(asked) if isinstance(asked, int | float) and not isinstance(asked, bool) else 0.0


def run_tamed(planned: PlannedNode, context: StepContext, parameters: BaseModel, inputs: Any) -> Any:
    """Run a synchronous node here. Raises: NodeError also for what is no ordinary exception."""
    try:
        return planned.node.run(context, parameters, inputs)
    except Exception:
        raise
    except BaseException as error:
        raise _wild(error) from None


def ports_of(step: Step, result: Any) -> Mapping[str, Any]:
    """Return a node's result by port. Raises: NodeError when it says `Ports` and names none."""
    if type(result) is not Ports:
        return {step.planned.default_port: result}
    if not isinstance(result.values, Mapping):
        raise NodeError("result.no_ports", "The node's result names no ports.")
    return result.values


class _LeftBehind:
    """Coroutines of nodes that swallowed their cancellation: kept until they end, nobody looks at them."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def add(self, task: "asyncio.Task[Any]", key: str) -> None:
        """Forget a task in good order."""
        logger.error("the node of step %s goes on after it was cancelled; it is left behind", key)
        self._tasks.add(task)
        task.add_done_callback(self._over)

    def _over(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()


_left_behind = _LeftBehind()


async def bounded(work: Awaitable[Any], limit_s: float, key: str) -> Any:
    """Await a node's coroutine for `limit_s` at most; a node that ignores its cancellation holds nobody up.

    Raises: TimeoutError; NodeError for what is no ordinary exception; whatever the node raises.
    """
    task = asyncio.get_running_loop().create_task(_tamed(work), name=key)
    try:
        done, _ = await asyncio.wait({task}, timeout=limit_s)
    except asyncio.CancelledError:
        await _cancelled(task, key)
        raise
    if done:
        return task.result()
    await _cancelled(task, key)
    raise TimeoutError


async def _tamed(work: Awaitable[Any]) -> Any:
    """Let nothing out of a node that would end the event loop, or look like a cancellation of ours."""
    task = asyncio.current_task()
    try:
        return await work
    except asyncio.CancelledError as error:
        if task is not None and task.cancelling():
            raise
        raise _wild(error) from None
    except Exception:
        raise
    except BaseException as error:
        raise _wild(error) from None


def _wild(error: BaseException) -> NodeError:
    problem = crashes.crash_problem(error)
    return NodeError(problem.code, problem.message, hint=problem.hint, final=False, **problem.details)


async def _cancelled(task: "asyncio.Task[Any]", key: str) -> None:
    task.cancel()
    done, _ = await asyncio.wait({task}, timeout=CANCEL_GRACE_S)
    if not done:
        _left_behind.add(task, key)
    elif not task.cancelled():
        task.exception()


async def _attempt(step: Step, recorder: RunRecorder, environment: Environment) -> Any:
    planned = step.planned
    given = await read(step, recorder, environment)
    parameters, inputs = given.parameters, given.inputs
    step.doing = "run"
    context = StepContext(recorder.run, step.key, step.attempt, environment, recorder)
    context.waiting_since, context.answer = step.waiting_since, step.answer
    limit_s = planned.policies.timeout_s or environment.limits.step_timeout_s
    if planned.node.execution is Execution.ASYNC:
        return await bounded(planned.node.run(context, parameters, inputs), limit_s, step.key)
    async with asyncio.timeout(limit_s):
        if planned.node.execution is Execution.BLOCKING:
            call = ProcessCall(
                planned.node.type,
                # What was left out stays left out, and a decimal stays one.
                parameters.model_dump(exclude_unset=True),
                inputs,
                recorder.run,
                step.key,
                step.attempt,
            )
            return await environment.processes.run(call, context.log_fields)
        return run_tamed(planned, context, parameters, inputs)
