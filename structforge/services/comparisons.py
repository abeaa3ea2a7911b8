"""Comparing two runs: the same step, another outcome.

Invariant: both runs are the principal's organization's; a large value that was stored as an artifact differs exactly
when its content does, and the difference is shown in its data.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

from structforge.domain.access import Principal
from structforge.domain.diff import Change, changes
from structforge.services.runs import RunService
from structforge.storage.tables import StepRow

MAX_CHANGES = 200
"""Most changes listed for one step; `more` tells that there are others."""


@dataclass(frozen=True, slots=True)
class StepComparison:
    """One step of both runs, where they differ."""

    step_key: str
    node_id: str
    statuses: tuple[str | None, str | None]
    """In the first and in the second run; none where it has no such step."""
    changes: tuple[Change, ...]
    """Of the outputs, by port and path."""
    more: bool

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return {
            "step_key": self.step_key,
            "node_id": self.node_id,
            "statuses": list(self.statuses),
            "changes": [change.as_json() for change in self.changes],
            "more": self.more,
        }


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs side by side."""

    first: UUID
    second: UUID
    same_version: bool
    equal_steps: int
    """Steps with the same status and the same outputs in both."""
    steps: tuple[StepComparison, ...]
    """Steps that differ, in the order of the first run."""

    def as_json(self) -> dict[str, Any]:
        """Return the comparison as JSON."""
        return {
            "first": str(self.first),
            "second": str(self.second),
            "same_version": self.same_version,
            "equal_steps": self.equal_steps,
            "steps": [step.as_json() for step in self.steps],
        }


class ComparisonService:
    """Compares runs."""

    def __init__(self, runs: RunService) -> None:
        self._runs = runs

    async def compare(self, principal: Principal, first: UUID, second: UUID) -> Comparison:
        """Compare the outcomes of two runs. Raises: NotFoundError, ForbiddenError."""
        left = await self._runs.get(principal, first)
        right = await self._runs.get(principal, second)
        before = _outcomes(await self._runs.steps(principal, first))
        after = _outcomes(await self._runs.steps(principal, second))
        different = []
        keys = [*before, *(key for key in after if key not in before)]
        for key in keys:
            found = _compare(key, before.get(key), after.get(key))
            if found is not None and found.changes:
                found = await self._by_data(principal, key, before.get(key), after.get(key))
            if found is not None:
                different.append(found)
        return Comparison(
            first, second, left.version_id == right.version_id, len(keys) - len(different), tuple(different)
        )

    async def _by_data(
        self, principal: Principal, key: str, left: StepRow | None, right: StepRow | None
    ) -> StepComparison | None:
        """Compare what stands in the outputs, not how it is stored."""
        outputs = [None if row is None else row.outputs for row in (left, right)]
        old, new = await self._runs.shown(principal, outputs)
        return _compare(key, left, right, (old, new))


def _outcomes(steps: Any) -> dict[str, StepRow]:
    return {row.step_key: row for row in steps if row.settled}


def _compare(
    key: str, left: StepRow | None, right: StepRow | None, outputs: tuple[Any, Any] | None = None
) -> StepComparison | None:
    old, new = outputs or (None if row is None else row.outputs for row in (left, right))
    found = list(islice(changes(old, new), MAX_CHANGES + 1))
    statuses = (left.status if left else None, right.status if right else None)
    # A step that was taken over did succeed: the same outcome by another way.
    known = {"reused": "succeeded"}
    same_status = len({known.get(status or "", status) for status in statuses}) == 1
    if same_status and not found:
        return None
    shown = left or right
    node_id = shown.node_id if shown else key
    return StepComparison(key, node_id, statuses, tuple(found[:MAX_CHANGES]), len(found) > MAX_CHANGES)
