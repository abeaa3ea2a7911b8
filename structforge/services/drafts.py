"""Editing a draft together: small edits, applied to what the draft is now, told to everybody who looks at it.

Invariant: edits of one draft are applied one after another under its row's lock, so none is lost; each makes
the next revision, and the message about it names that revision. The table is the truth, messages may be lost.
"""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakValueDictionary

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncSession

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.edits import (
    AddNode,
    Applied,
    Edit,
    RenameNode,
    SetDisabled,
    SetParameter,
    SetPolicy,
    SetTitle,
    apply,
    edits_json,
)
from structforge.domain.model_json import model_json
from structforge.domain.parts import Anatomy
from structforge.domain.staleness import definition_hash
from structforge.domain.validation import parse_document
from structforge.domain.validation.shapes import NodeShape
from structforge.domain.values import encode_json
from structforge.domain.workflow import WorkflowDocument
from structforge.services.absent import workflow_not_found
from structforge.services.connection_use import authorize_use
from structforge.storage.database import Database
from structforge.storage.repositories.draft_nodes import DraftNodes
from structforge.storage.repositories.workflows import Workflows

DRAFT_CHANNEL = "structforge:draft:"
"""Followed by the workflow id: `{"revision", "edits", "nodes"}`, the nodes as they are after the edits that
touched them; no edits mean "read the draft again"."""

DONE_KEY = "structforge:edited:"
REMEMBERED_S = 3_600

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Edited:
    """The draft after some edits."""

    revision: int
    applied: Applied


class DraftService:
    """Edits drafts."""

    def __init__(self, database: Database, redis: "Redis", shapes: Mapping[str, NodeShape]) -> None:
        self._database = database
        self._redis = redis
        self._shapes = shapes
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def edit(
        self,
        principal: Principal,
        workflow_id: UUID,
        edits: Sequence[Edit] | Callable[[WorkflowDocument], Sequence[Edit]],
        *,
        key: str = "",
    ) -> Edited:
        """Apply edits to the draft as it is now; what cannot be applied is told and the rest is made.

        Edits that depend on the draft, such as a node with a free id, come as a function of it: two people who
        add at the same time would choose the same id from what they read before. Edits that came before under
        the same `key` are not made again: a browser sends what was not confirmed once more when its connection
        is back.

        Raises: NotFoundError; ForbiddenError.
        """
        authorize(principal, Permission.WORKFLOW_EDIT)
        if not key:
            return await self._edit(principal, workflow_id, edits)
        done = f"{DONE_KEY}{workflow_id}:{principal.user_id}:{key}"
        # What is sent again may come while the first is still being made.
        turn = self._turns.setdefault(done, asyncio.Lock())
        async with turn:
            if await self._was_made(done):
                edits = ()
            edited = await self._edit(principal, workflow_id, edits)
            await self._remember(done)
        return edited

    async def _edit(
        self,
        principal: Principal,
        workflow_id: UUID,
        edits: Sequence[Edit] | Callable[[WorkflowDocument], Sequence[Edit]],
    ) -> Edited:
        async with self._database.transaction(principal.organization_id) as session:
            workflows = Workflows(session)
            row = await workflows.lock(principal.organization_id, workflow_id)
            if row is None:
                raise workflow_not_found(workflow_id)
            document = parse_document(row.draft)
            applied = apply(document, edits(document) if callable(edits) else edits, self._literal)
            authorize_use(principal, applied.document, document)
            revision = row.draft_revision
            if applied.made:
                await workflows.change_draft(
                    principal.organization_id,
                    workflow_id,
                    revision=revision,
                    draft=applied.document.as_json(),
                    updated_by=principal.user_id,
                )
                revision += 1
                await self._rename(session, principal.organization_id, workflow_id, document, applied)
        if applied.made:
            await self._tell(workflow_id, revision, edits_json(applied.made), _touched(document, applied))
        return Edited(revision, applied)

    def _literal(self, node_type: str) -> Collection[str]:
        shape = self._shapes.get(node_type)
        return shape.literal_parameters if shape is not None else ()

    async def _rename(
        self,
        session: AsyncSession,
        organization_id: UUID,
        workflow_id: UUID,
        before: WorkflowDocument,
        applied: Applied,
    ) -> None:
        """Keep pins and last results of renamed nodes, and as fresh as they were: a name changes no result."""
        renames = [(edit.id, edit.to) for edit in applied.made if isinstance(edit, RenameNode)]
        if not renames:
            return
        nodes = DraftNodes(session)
        old, new = Anatomy(before, self._shapes), Anatomy(applied.document, self._shapes)
        fresh = {name: definition_hash(old, name) for name in old.specs}
        for name, to in renames:
            await nodes.rename(organization_id, workflow_id, name, to)
            if name in fresh:
                fresh[to] = fresh.pop(name)
        for row in await nodes.all(organization_id, workflow_id):
            digest = fresh.get(row.node_id)
            if digest in (row.definition_hash, row.expected_hash) and row.node_id in new.specs:
                await nodes.redefine(row, digest, definition_hash(new, row.node_id))

    async def _was_made(self, done: str) -> bool:
        try:
            return bool(await self._redis.exists(done))
        except (RedisError, OSError):
            return False

    async def _remember(self, done: str) -> None:
        try:
            await self._redis.set(done, 1, ex=REMEMBERED_S)
        except (RedisError, OSError) as error:
            logger.warning("an edit is not remembered, sent again it would be made again: %s", error)

    async def announce(self, workflow_id: UUID, revision: int) -> None:
        """Tell everybody who looks at a draft that it was replaced as a whole."""
        await self._tell(workflow_id, revision, [], {})

    async def _tell(
        self, workflow_id: UUID, revision: int, edits: list[dict[str, Any]], nodes: dict[str, Any]
    ) -> None:
        try:
            message: dict[str, Any] = {"revision": revision, "edits": edits, "nodes": nodes}
            await self._redis.publish(f"{DRAFT_CHANNEL}{workflow_id}", encode_json(message))
        except (RedisError, OSError) as error:
            logger.warning(
                "a change of a draft is not announced, lookers-on see it at the next one: %s", error
            )


def _touched(before: WorkflowDocument, applied: Applied) -> dict[str, Any]:
    names = {
        edit.node.id if isinstance(edit, AddNode) else edit.id
        for edit in applied.made
        if isinstance(edit, AddNode | SetTitle | SetDisabled | SetParameter | SetPolicy)
    }
    if any(isinstance(edit, RenameNode) for edit in applied.made):
        known = {node.id: node for node in before.nodes}
        names |= {node.id for node in applied.document.nodes if known.get(node.id) != node}
    return {
        node.id: model_json(node, exclude_defaults=True)
        for node in applied.document.nodes
        if node.id in names
    }
