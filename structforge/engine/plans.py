"""Plans of the versions this process has met, the most recently used kept.

Invariant: one plan per version; two runs that need it at once compile it once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from uuid import UUID

from structforge.domain.workflow import WorkflowDocument
from structforge.engine.planner import Plan, make_plan
from structforge.sdk.registry import NodeRegistry


class PlanCache:
    """Version id to plan; `load` reads a document that is not here yet."""

    def __init__(
        self, registry: NodeRegistry, load: Callable[[UUID], Awaitable[WorkflowDocument]], size: int = 500
    ) -> None:
        self._registry = registry
        self._load = load
        self._size = size
        self._plans: OrderedDict[UUID, asyncio.Task[Plan] | Plan] = OrderedDict()

    def peek(self, version_id: UUID) -> Plan | None:
        """Return the plan if it is here, without waiting."""
        found = self._plans.get(version_id)
        return found if isinstance(found, Plan) else None

    async def get(self, version_id: UUID) -> Plan:
        """Return the plan of a version. Raises: InvalidError, NotFoundError."""
        found = self._plans.get(version_id)
        if isinstance(found, Plan):
            self._plans.move_to_end(version_id)
            return found
        if found is None:
            found = asyncio.create_task(self._make(version_id))
            self._plans[version_id] = found
        try:
            plan = await asyncio.shield(found)
        except BaseException:
            if found.done():
                self._plans.pop(version_id, None)
            raise
        self._plans[version_id] = plan
        while len(self._plans) > self._size:
            self._plans.popitem(last=False)
        return plan

    async def _make(self, version_id: UUID) -> Plan:
        return make_plan(await self._load(version_id), self._registry)
