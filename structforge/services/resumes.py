"""Requests from outside that a waiting step is answered by.

Invariant: a step takes one request, the first; it is kept in the database before the caller is told so, whatever
the run does at that moment, and also when it comes before the step waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from structforge.domain.access import Permission, Principal, Via
from structforge.domain.errors import ConflictError, GoneError, NotFoundError, Problem
from structforge.domain.run import RunStatus
from structforge.engine.planner import PlannedNode
from structforge.runtime.events import EventPublisher
from structforge.sdk.webhooks import ResumeRules
from structforge.security.cipher import Cipher
from structforge.security.resume import ResumeTokens
from structforge.services.audit import audit
from structforge.services.targets import Targets
from structforge.services.triggers import secret_context
from structforge.storage.database import Database
from structforge.storage.repositories.answers import Answers
from structforge.storage.repositories.runs import Runs
from structforge.storage.repositories.triggers import Triggers


@dataclass(frozen=True, slots=True)
class WaitingStep:
    """What belongs to an address."""

    organization_id: UUID
    run_id: UUID
    step_key: str
    rules: ResumeRules
    secret: bytes | None


class ResumeService:
    """Steps that wait for requests, of all organizations."""

    def __init__(
        self,
        database: Database,
        targets: Targets,
        tokens: ResumeTokens,
        cipher: Cipher,
        publisher: EventPublisher,
        ring: Callable[[UUID], None],
    ) -> None:
        self._database = database
        self._targets = targets
        self._tokens = tokens
        self._cipher = cipher
        self._publisher = publisher
        self._ring = ring

    async def find(self, token: str) -> WaitingStep:
        """Return the step whose address has this token. Raises: NotFoundError."""
        name = self._tokens.read(token)
        if name is None:
            raise _unknown()
        organization_id, run_id, step_key = name
        async with self._database.transaction(organization_id) as session:
            run = await Runs(session).get(organization_id, run_id)
            if run is None:
                raise _unknown()
            rows = await Triggers(session).of_workflow(organization_id, run.workflow_id)
        plan = (await self._targets.version(run.version_id)).plan
        planned = plan.by_id.get(step_key.rpartition("/")[2].partition("#")[0])
        if planned is None or not planned.node.receives:
            raise _unknown()
        sealed = next((row for row in rows if row.node_id == planned.id and row.secret), None)
        secret = None
        if sealed is not None and sealed.secret is not None:
            context = secret_context(organization_id, sealed.id)
            secret = self._cipher.open(sealed.secret, context).encode()
        return WaitingStep(organization_id, run_id, step_key, _rules(planned), secret)

    async def answer(self, step: WaitingStep, request: dict[str, Any]) -> None:
        """Keep the request and let the run go on.

        Raises: ConflictError when the step has one already; GoneError when the step or its run is over.
        """
        organization_id, run_id = step.organization_id, step.run_id
        principal = Principal(None, organization_id, frozenset({Permission.RUN_CONTROL}), Via.WEBHOOK)
        async with self._database.transaction(organization_id) as session:
            answers = Answers(session)
            run = await answers.lock(organization_id, run_id)
            row = await Runs(session).get(organization_id, run_id)
            if run is None or run.control == "stop" or row is None or RunStatus(row.status).terminal:
                raise _gone()
            attempts = await Runs(session).step(organization_id, run_id, row.accepted_on, step.step_key)
            if any(attempt.settled or _past(attempt.outputs) for attempt in attempts):
                raise _gone()
            if not await answers.add(organization_id, run_id, step.step_key, request, None):
                raise ConflictError(
                    Problem(
                        "hook.answered", "This step was answered already.", hint="The first request counts."
                    )
                )
            await answers.wake(run_id, run)
            await audit(session, principal, "run.resume_request", "run", run_id, step_key=step.step_key)
        await self._publisher.control(run_id, "answer")
        self._ring(run_id)


def _rules(planned: PlannedNode) -> ResumeRules:
    """Read the parameters that hold no expressions: the others are known to the run alone."""
    known = {name: value for name, value in planned.literal.items() if name in ResumeRules.model_fields}
    return ResumeRules.model_validate(known)


def _past(outputs: Any) -> bool:
    until = outputs.get("asks", {}).get("until") if isinstance(outputs, dict) else None
    return until is not None and datetime.now(UTC) >= datetime.fromisoformat(until)


def _gone() -> GoneError:
    return GoneError(Problem("hook.gone", "Nothing waits at this address any more.", hint="Its run went on."))


def _unknown() -> NotFoundError:
    return NotFoundError(Problem("hook.not_found", "There is no webhook at this address."))
