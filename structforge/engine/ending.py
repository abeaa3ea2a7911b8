"""How an execution leaves its run, and what the `finally` branch makes of it.

Invariant: the branch never hides what happened before it; what it was told once is what a recovered run believes.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from structforge.domain.errors import Problem
from structforge.domain.expressions import Keep
from structforge.domain.journal import StepHistory
from structforge.domain.run import RunStatus
from structforge.domain.values import decode_json
from structforge.engine.activation import Activation
from structforge.engine.environment import Environment
from structforge.engine.order import RunEnd
from structforge.engine.planner import Plan, PlannedNode
from structforge.engine.reading import refers

DEFAULT_FINALLY_S = 60.0
MAX_OUTPUT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class Ending:
    """The `finally` branch of a run whose other steps are over: executed like a run, but it ends nothing itself."""

    outcome: Mapping[str, Any]
    """What the branch is told: `status`, `output`, `error`."""
    above: Activation
    """Where its expressions find the results of the other steps."""
    due_at: datetime


def outcome_of(end: RunEnd) -> dict[str, Any]:
    """Return what the branch is told."""
    return {
        "status": end.status.value,
        "output": decode_json(end.output, max_bytes=MAX_OUTPUT_BYTES) if end.output else None,
        "error": end.error.as_json() if end.error else None,
    }


def time_limit(final: PlannedNode) -> timedelta:
    """Return how long the branch may take."""
    return timedelta(seconds=getattr(final.fixed, "time_limit_s", DEFAULT_FINALLY_S))


async def concluded(
    plan: Plan, history: Mapping[str, StepHistory], environment: Environment, organization_id: UUID
) -> RunEnd | None:
    """Return how the other steps ended when the branch has begun already: what its first step was told."""
    final = plan.final_node
    known = history.get(final.id) if final is not None else None
    if final is None or known is None or not known.settled or not known.outputs:
        return None
    told = known.outputs[final.default_port]
    reader = environment.reader(organization_id)
    outcome = await asyncio.to_thread(reader.whole, told, Keep.INNER) if refers(told) else told
    error = outcome.get("error")
    return RunEnd(RunStatus(outcome["status"]), error=Problem.from_json(error) if error else None)


def together(end: RunEnd, ended: RunEnd) -> RunEnd:
    """Return how the run ends: as its steps did, and what went wrong in the branch beside it."""
    if not ended.status.terminal:
        return RunEnd(RunStatus.QUEUED)
    if ended.error is None:
        return end
    if end.error is None:
        status = end.status if end.status is RunStatus.CANCELLED else RunStatus.FAILED
        return replace(end, status=status, error=ended.error)
    details = {**end.error.details, "finally": ended.error.as_json()}
    return replace(end, error=replace(end.error, details=details))
