"""What a start may start: the published version of a workflow, kept ready, and told at once when it changes.

Invariant: an entry is used only while the notification channel is open, so a publication is seen by every process
within the time a notification takes; without the channel every start reads the table.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import psycopg
from jsonschema import Draft202012Validator
from psycopg import AsyncConnection

from structforge.domain.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    Problem,
    sentence,
)
from structforge.domain.limits import NO_LIMITS, RunLimits
from structforge.domain.validation import parse_document
from structforge.domain.validation.inputs import validator_of, with_defaults, wrong_inputs
from structforge.domain.values import JsonValue
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.planner import Plan
from structforge.engine.plans import PlanCache
from structforge.services.absent import workflow_not_found
from structforge.storage.database import Database
from structforge.storage.repositories.limits import Limits
from structforge.storage.repositories.versions import Versions
from structforge.storage.repositories.workflows import Workflows

logger = logging.getLogger(__name__)

CHANNEL = "structforge_workflows"
"""PostgreSQL notifications: the id of a workflow whose published version or existence changed, or of an organization
whose limit did."""
MAX_ENTRIES = 10_000
UNDECLARED = frozenset({"webhook", "error"})
"""Trigger kinds whose input is an HTTP request or a failure; what is declared is for people and programs."""


@dataclass(frozen=True, slots=True)
class Target:
    """A version that can be started."""

    version_id: UUID
    plan: Plan
    schema: Draft202012Validator | None
    """Checks the input; none accepts any object."""
    limits: RunLimits = NO_LIMITS

    def taken_input(self, value: JsonValue, trigger_kind: str) -> JsonValue:
        """Return the input with the declared defaults.

        Raises: InvalidError with one problem for each way the input breaks the schema.
        """
        if self.schema is None or trigger_kind in UNDECLARED:
            return value
        given = with_defaults(self.plan.document.inputs, value)
        problems = wrong_inputs(self.schema, given)
        if problems:
            raise InvalidError(*problems)
        return given


class Targets:
    """Targets by organization and workflow."""

    def __init__(
        self,
        database: Database,
        plans: PlanCache,
        check: Callable[[WorkflowDocument], Sequence[Problem]],
        conninfo: str,
    ) -> None:
        """`check` returns what keeps a document from running; `conninfo` is for the notifications."""
        self._database = database
        self._check = check
        self._plans = plans
        self._conninfo = conninfo
        self._published: dict[tuple[UUID, UUID], Target] = {}
        self._schemas: dict[UUID, Draft202012Validator | None] = {}
        self.changes = 0
        """Raised whenever something known may have changed: who keeps more than a target compares it."""
        self._listening = False
        self._listener: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Start listening for changes."""
        self._listener = asyncio.create_task(self._listen(), name="workflow-changes")

    async def close(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._listener

    @property
    def certain(self) -> bool:
        """Tell whether changes are told at present."""
        return self._listening

    def forget(self, changed_id: UUID) -> None:
        """Drop what is known of a workflow, or of all workflows of an organization."""
        self.changes += 1
        for key in [key for key in self._published if changed_id in key]:
            del self._published[key]

    def peek(self, organization_id: UUID, workflow_id: UUID) -> Target | None:
        """Return the published target if it is known and still certain."""
        return self._published.get((organization_id, workflow_id)) if self._listening else None

    async def published(self, organization_id: UUID, workflow_id: UUID) -> Target:
        """Return the published version. Raises: NotFoundError, ConflictError when none is published."""
        known = self.peek(organization_id, workflow_id)
        if known is not None:
            return known
        async with self._database.transaction(organization_id) as session:
            workflow = await Workflows(session).get(organization_id, workflow_id)
            limits = await Limits(session).of(organization_id, workflow_id)
        if workflow is None:
            raise workflow_not_found(workflow_id)
        if workflow.published_version_id is None:
            raise ConflictError(
                Problem(
                    "workflow.not_published",
                    "This workflow has no published version yet.",
                    hint="Publish it, or start the draft.",
                )
            )
        target = replace(await self.version(workflow.published_version_id), limits=limits)
        if self._listening:
            if len(self._published) >= MAX_ENTRIES:
                self._published.clear()
            self._published[organization_id, workflow_id] = target
        return target

    async def numbered(self, organization_id: UUID, workflow_id: UUID, number: int) -> Target:
        """Return version `number`. Raises: NotFoundError."""
        async with self._database.transaction(organization_id) as session:
            if await Workflows(session).get(organization_id, workflow_id) is None:
                raise workflow_not_found(workflow_id)
            version = await Versions(session).numbered(organization_id, workflow_id, number)
            limits = await Limits(session).of(organization_id, workflow_id)
        if version is None:
            raise NotFoundError(
                Problem(
                    "version.not_found",
                    sentence("The workflow has no version {number}.", number=number),
                    "version",
                )
            )
        return replace(await self.version(version.id), limits=limits)

    async def draft(self, organization_id: UUID, workflow_id: UUID, created_by: UUID | None) -> Target:
        """Freeze the draft as it stands and return the copy; equal drafts share one.

        Raises: NotFoundError; InvalidError with everything that keeps the draft from running.
        """
        async with self._database.transaction(organization_id) as session:
            workflow = await Workflows(session).get(organization_id, workflow_id)
            if workflow is None:
                raise workflow_not_found(workflow_id)
            document = parse_document(workflow.draft)
            problems = self._check(document)
            if problems:
                raise InvalidError(*problems)
            copy_id = await Versions(session).copy_of_draft(
                organization_id, workflow_id, document, created_by=created_by
            )
            limits = await Limits(session).of(organization_id, workflow_id)
        return replace(await self.version(copy_id), limits=limits)

    async def version(self, version_id: UUID) -> Target:
        """Return a version by id, whoever it belongs to: the caller has looked that up."""
        plan = await self._plans.get(version_id)
        if version_id not in self._schemas:
            if len(self._schemas) >= MAX_ENTRIES:
                self._schemas.clear()
            self._schemas[version_id] = validator_of(plan.document.inputs)
        return Target(version_id, plan, self._schemas[version_id])

    async def _listen(self) -> None:
        while True:
            try:
                async with await AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await connection.execute(f"LISTEN {CHANNEL}")
                    self._published.clear()
                    self._listening = True
                    async for notification in connection.notifies():
                        self.forget(UUID(notification.payload))
            except psycopg.Error as error:
                logger.warning("not told of publications, reading the table instead: %s", error)
            finally:
                self._listening = False
                self.changes += 1
                self._published.clear()
            await asyncio.sleep(1.0)
