"""Nodes about other runs: call another workflow, start when a run failed, run at the end of this one.

Invariant: starting and waiting are the engine's; these nodes only say what they want and read how it ended.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import model_validator

from structforge.domain.errors import read_sentence, sentence
from structforge.domain.run import RunStatus
from structforge.sdk import (
    Effect,
    Example,
    Execution,
    Inputs,
    Node,
    NodeContext,
    NodeError,
    Parameters,
    Port,
    Result,
    parameter,
)
from structforge.sdk.control import Call, CallEnd
from structforge.sdk.parameters import NoParameters

MAX_WAIT_S = 366 * 86_400


class CallParameters(Parameters):
    workflow: str = parameter(
        title="Workflow",
        description="The id of a workflow of this organization, or its exact name.",
        widget="workflow",
        placeholder="Send invoice",
        expressions=False,
        min_length=1,
        max_length=200,
    )
    version: Literal["published", "number", "draft"] = parameter(
        "published",
        title="Version",
        description="`published`: the one that is published when the call is made; `number`: always the same; "
        "`draft`: the draft, in runs of drafts only.",
        widget="select",
        expressions=False,
    )
    number: int | None = parameter(
        None,
        title="Number",
        description="Of the version.",
        widget="number",
        expressions=False,
        ge=1,
        show_if={"version": "number"},
    )
    input: Any = parameter(
        None,
        title="Input",
        description="What the workflow is started with; null is an object without fields. Left out, the node's input "
        "is passed on. It is checked against the inputs the workflow declares.",
        widget="json",
        placeholder="{{ order }}",
    )
    wait: bool = parameter(
        True,
        title="Wait for the result",
        description="Without, the node gives the id of the run at once, and that run goes its own way.",
        widget="checkbox",
        expressions=False,
    )
    time_limit_s: float | None = parameter(
        None,
        title="Time limit",
        description="Seconds after which the called run is stopped and the step fails with `call.timeout`; empty waits "
        "for as long as it takes.",
        widget="number",
        gt=0,
        le=MAX_WAIT_S,
        show_if={"wait": True},
    )

    @model_validator(mode="after")
    def _has_number(self) -> "CallParameters":
        if self.version == "number" and self.number is None:
            raise ValueError(sentence("a version by number needs the number"))
        return self


class CallWorkflow(Node[CallParameters]):
    """Runs another workflow, and gives its output.

    The called run is a run like any other, with its own steps and history, and a link to this step. While it is
    under way this run holds no worker; stopping, pausing and resuming this run does the same to the called one.
    When the called run fails, the step fails with `call.failed`, which carries the error; the node's retry then
    starts a new run from its beginning. When somebody retries this run, the called run is retried too: what had
    succeeded in it is taken over and not paid for again. Runs can be called by called runs, as deep as the
    installation allows; the rights are those of the first. The called workflow begins at its manual trigger.

    **Example.** With the workflow `Send invoice` and the input `{"order": "{{ item }}"}` inside a loop, each order is
    sent by a run of its own.
    """

    type = "flow.call"
    title = "Call workflow"
    category = "flow"
    icon = "workflow"
    keywords = ("sub-workflow", "subflow", "execute", "run", "child", "invoke", "reuse", "function", "call")
    inputs = (Port("in", "any", "Input", "Passed on when no input is given.", required=False),)
    outputs = (Port("out", "any", "Output", "The output of the called run; its id when nobody waits."),)
    effect = Effect.REPEATABLE
    execution = Execution.ASYNC
    calls = True
    Parameters = CallParameters
    examples = (
        Example(
            title="Send each invoice",
            parameters={"workflow": "Send invoice", "input": {"order": "{{ item }}"}},
        ),
    )

    async def run(self, context: NodeContext, parameters: CallParameters, inputs: Inputs) -> Result:
        """Call, or return the output of the run that ended. Raises: NodeError `call.*`."""
        end = context.answer
        if isinstance(end, CallEnd):
            return _output(end)
        until = None
        if parameters.time_limit_s is not None:
            # Counted from the call, which a crash does not move.
            now = datetime.now(UTC)
            until = (context.waiting_since or now) + timedelta(seconds=parameters.time_limit_s)
            if now >= until:
                raise NodeError(
                    "call.timeout",
                    sentence(
                        "The called run was not over after {time_limit_s} seconds.",
                        time_limit_s=f"{parameters.time_limit_s:g}",
                    ),
                    where="parameters.time_limit_s",
                    hint="It is stopped. Give it more time, or look why it is slow.",
                    final=False,
                )
        given = parameters.input if parameters.given("input") else inputs.get("in")
        version: Any = parameters.number if parameters.version == "number" else parameters.version
        return Call(parameters.workflow, {} if given is None else given, version, parameters.wait, until)


def _output(end: CallEnd) -> Any:
    if end.status is RunStatus.SUCCEEDED:
        return end.output
    run_id = str(end.run_id)
    if end.status is RunStatus.CANCELLED:
        raise NodeError(
            "call.cancelled",
            sentence("The called run {run_id} was stopped.", run_id=run_id),
            hint="Somebody stopped it, or the run that called it.",
            run_id=run_id,
        )
    error = dict(end.error or {})
    raise NodeError(
        "call.failed",
        sentence(
            "The called run {run_id} failed: {error}",
            run_id=run_id,
            error=_told(error),
        ),
        hint="Open that run to see the step.",
        final=False,
        run_id=run_id,
        error=error,
    )


def _told(error: dict[str, Any]) -> str:
    """Return what went wrong in the called run, as a sentence that other languages know too."""
    sentences = error.get("sentences")
    body = sentences.get("message") if isinstance(sentences, dict) else None
    return read_sentence(str(error.get("message", ""))[:1_000], body)


class ErrorTrigger(Node[NoParameters]):
    """Starts a run when a run of another workflow failed.

    That other workflow names this one as its *error workflow* in its settings. The output has `error` (code,
    message, hint), `run` (id, workflow_id, version, trigger, input) and `node`, the node that failed. A failing
    error workflow starts none in turn. Runs of drafts start none either: somebody is looking at them.

    **Example.** With the id `failed`, send `{{ failed.error.message }}` and a link to `{{ failed.run.id }}` to the
    people on duty.
    """

    type = "trigger.error"
    title = "When a run failed"
    category = "trigger"
    icon = "siren"
    keywords = ("error", "failure", "alert", "handler", "catch", "on error", "incident")
    inputs = ()
    outputs = (Port("out", "object", "Failure", "`error`, `run` and `node`."),)
    trigger = True
    examples = (
        Example(
            title="A failed order",
            parameters={},
            inputs={"in": {"error": {"code": "http.status", "message": "503"}, "node": "send"}},
            output={"error": {"code": "http.status", "message": "503"}, "node": "send"},
        ),
    )

    def run(self, context: NodeContext, parameters: NoParameters, inputs: Inputs) -> Result:
        """Pass the failure on: the engine hands it to the fired trigger as its `in`."""
        return inputs.get("in", {})


class FinallyParameters(Parameters):
    time_limit_s: float = parameter(
        60.0,
        title="Time limit",
        description="Seconds the branch may take, waits included; then it is cut off.",
        widget="number",
        expressions=False,
        gt=0,
        le=3_600,
    )


class Finally(Node[FinallyParameters]):
    """Begins the branch that runs at the end, whatever happened.

    When all else is over (the last step ended, a failure ended the run, somebody stopped it, a `Return` ended it
    early) the nodes behind this one run, once. The output has `status` (`succeeded`, `failed`, `cancelled`),
    `output` and `error` of the run. Expressions in the branch see every node; one that did not run needs a default,
    as in `{{ server.id | default(none) }}`. The branch belongs to nobody else: no edge leads into it from outside.

    What fails in the branch is told without hiding what failed before: a run that had succeeded fails with the
    branch's error, a run that had failed keeps its own error and names the other in `details.finally`.

    **Example.** Rent a machine, compute on it, and behind `finally` give it back with `{{ rent.machine_id }}`.
    """

    type = "flow.finally"
    title = "Finally"
    category = "flow"
    icon = "flag"
    keywords = ("cleanup", "always", "end", "after", "ensure", "teardown", "release", "error")
    inputs = ()
    outputs = (Port("out", "object", "Outcome", "`status`, `output` and `error` of the run."),)
    final = True
    Parameters = FinallyParameters
    examples = (Example(title="Half a minute to clean up", parameters={"time_limit_s": 30}),)

    def run(self, context: NodeContext, parameters: FinallyParameters, inputs: Inputs) -> Result:
        """Pass the run's outcome on: the engine hands it over as `in`."""
        return inputs.get("in", {})
