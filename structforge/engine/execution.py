"""One execution of one run: its steps, then its `finally` branch, then the commit that writes how it is left.

Invariant: a terminal end is written once, after everything it depends on, together with the start of the workflow
that handles failures; called by the worker that holds the lease, or by the process that accepts the run.
"""

from datetime import UTC, datetime
from typing import Any

from structforge.domain.errors import Problem, StructForgeError
from structforge.domain.journal import RunChange
from structforge.domain.run import RunStatus
from structforge.domain.values import encode_json
from structforge.engine import faults
from structforge.engine.control import RunControl
from structforge.engine.ending import Ending, concluded, outcome_of, time_limit, together
from structforge.engine.environment import Environment
from structforge.engine.executor import Executor
from structforge.engine.order import RunEnd, RunOrder
from structforge.engine.planner import Plan
from structforge.engine.recorder import RunRecorder


class Execution:
    """From the start, or from where an earlier worker left it, to a written end."""

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

    async def execute(self) -> RunEnd:
        """Run until nothing is left, or until the control says otherwise. Raises: LeaseLostError."""
        recorder = self._recorder
        self._record_begin()
        steps = Executor(self._plan, self._order, recorder, self._environment, self._control)
        before = await concluded(
            self._plan, self._order.history or {}, self._environment, recorder.run.organization_id
        )
        end = await steps.execute(before)
        given_up = steps.given_up
        if end.status.terminal and self._plan.final_node is not None:
            end, further = await self._run_finally(end, steps)
            given_up = given_up + further
        await self._write(end)
        if given_up:
            await self._environment.callees.stop(recorder.run.organization_id, given_up)
        return end

    def _record_begin(self) -> None:
        now = datetime.now(UTC)
        if self._order.started_at is None:
            self._recorder.change(RunChange(RunStatus.RUNNING, started_at=now))
            self._recorder.event("run.started", now, status=RunStatus.RUNNING)
        elif self._order.status is not RunStatus.RUNNING:
            self._recorder.change(RunChange(RunStatus.RUNNING))
            self._recorder.event("run.resumed", now, status=RunStatus.RUNNING)

    async def _run_finally(self, end: RunEnd, steps: Executor) -> tuple[RunEnd, list[Any]]:
        """Run the `finally` branch; what goes wrong there is told without hiding what went wrong before.

        Returns how the run ends, and the runs that nobody waits for any more.
        """
        final = self._plan.final_node
        if final is None or final.spec.disabled:
            return end, []
        known = (self._order.history or {}).get(final.id)
        began = (known.started_at if known else None) or datetime.now(UTC)
        ending = Ending(outcome_of(end), steps.top, began + time_limit(final))
        branch = Executor(
            self._plan, self._order, self._recorder, self._environment, self._control.for_finally(), ending
        )
        ended = await branch.execute()
        return together(end, ended), branch.given_up

    async def _write(self, end: RunEnd) -> None:
        """Write the end of this execution and wait until it is durable."""
        now = datetime.now(UTC)
        recorder = self._recorder
        if end.status is not RunStatus.QUEUED:
            terminal = end.status.terminal
            recorder.change(
                RunChange(
                    end.status,
                    end.output,
                    encode_json(end.error.as_json()) if end.error else None,
                    finished_at=now if terminal else None,
                )
            )
            fields: dict[str, Any] = {"error": end.error.as_json()} if end.error else {}
            kind = "run.finished" if terminal else f"run.{end.status}"
            recorder.event(kind, now, status=end.status, **fields)
        if end.status is RunStatus.FAILED and end.error and self._plan.document.settings.error_workflow:
            await self._call_handler(end.error)
        if not end.status.terminal:
            recorder.release(end.resume_at)
        faults.point("before_final_commit")
        pending = recorder.submit()
        if pending is not None:
            await pending
        faults.point("after_final_commit")

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
