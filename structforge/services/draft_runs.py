"""Running a draft in place: all of it, a node with what it needs, or one node on the results that are there.

Invariant: a run executes an immutable copy of the part that was chosen; given and pinned results stand in it as
`reused` steps, so the engine knows of neither. Pins exist in drafts only, so a published run never sees one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal
from uuid import UUID

from structforge.domain.access import Permission, Principal, authorize
from structforge.domain.errors import InvalidError, NotFoundError, Problem, sentence
from structforge.domain.ids import new_id
from structforge.domain.journal import Acceptance, Journal, RunIdentity, StepRecord
from structforge.domain.parts import Anatomy, Part, document_of, problems_of, select, unfinished_nodes
from structforge.domain.run import RunStatus, StepStatus
from structforge.domain.staleness import definition_hash
from structforge.domain.values import JsonValue, encode_json
from structforge.engine.recorder import RunRecorder
from structforge.services.draft_memory import DraftMemory, Memory
from structforge.services.targets import Targets
from structforge.storage.database import Database
from structforge.storage.repositories.versions import Versions

Reuse = Literal["nothing", "fresh", "any"]


@dataclass(frozen=True, slots=True)
class DraftRunRequest:
    """What of a draft runs."""

    until: str | None = None
    """This node and what it needs; none runs the whole draft."""
    reuse: Reuse = "nothing"
    """Results that are not computed again, for `until`: none, those that are not stale, or any there is."""
    input: JsonValue = None
    """None is the empty object."""
    trigger: str | None = None
    """The trigger that fires; none is the first of the part."""


@dataclass(frozen=True, slots=True)
class DraftRun:
    """An accepted run of a draft."""

    run_id: UUID
    executed: tuple[str, ...]
    given: tuple[str, ...]
    """Nodes whose results were taken over or are pinned."""


class DraftRunService:
    """Runs drafts."""

    def __init__(
        self,
        database: Database,
        journal: Journal,
        targets: Targets,
        memory: DraftMemory,
        ring: Callable[[UUID], None],
    ) -> None:
        self._database = database
        self._journal = journal
        self._targets = targets
        self._memory = memory
        self._ring = ring

    async def start(self, principal: Principal, workflow_id: UUID, request: DraftRunRequest) -> DraftRun:
        """Accept a run of a part of the draft; a worker executes it.

        Raises: NotFoundError; ForbiddenError; InvalidError with what is wrong with the part
        that runs, or with the input.
        """
        authorize(principal, Permission.RUN_START)
        authorize(principal, Permission.WORKFLOW_EDIT)
        organization_id = principal.organization_id
        async with self._database.transaction(organization_id) as session:
            memory = await self._memory.read_in(session, organization_id, workflow_id)
            part = chosen_part(memory, request)
            problems = problems_of(memory.anatomy, part, request.until)
            if problems:
                raise InvalidError(*problems)
            document = document_of(
                memory.anatomy, part, request.until, unfinished_nodes(memory.anatomy, part)
            )
            copy_id = await Versions(session).copy_of_draft(
                organization_id, workflow_id, document, created_by=principal.user_id
            )
        target = await self._targets.version(copy_id)
        given_input = target.taken_input({} if request.input is None else request.input, "manual")
        trigger = _trigger(memory.anatomy, part, request.trigger)
        now = datetime.now(UTC)
        run = RunIdentity(new_id(), organization_id, workflow_id, now.date())
        recorder = RunRecorder(
            self._journal,
            run,
            None,
            acceptance=Acceptance(
                version_id=copy_id,
                accepted_at=now,
                trigger_kind="manual",
                trigger_node=trigger,
                priority=0,
                input=encode_json(given_input),
                created_by=principal.user_id,
            ),
        )
        recorder.event("run.accepted", now, status=RunStatus.QUEUED)
        for name in part.given:
            recorder.step(_reused(memory, name, now))
        pending = recorder.submit()
        if pending is not None:
            await pending
        hashes = {name: definition_hash(memory.anatomy, name) for name in part.executed}
        await self._memory.expect(principal, workflow_id, run.run_id, hashes)
        self._ring(run.run_id)
        return DraftRun(run.run_id, part.executed, part.given)


def chosen_part(memory: Memory, request: DraftRunRequest) -> Part:
    """Return what a request runs, pins and remembered results considered. Raises: NotFoundError, InvalidError."""
    anatomy = memory.anatomy
    pinned = {
        name for name, node in memory.nodes.items() if node.pinned is not None and not anatomy.in_loop(name)
    }
    until = request.until
    if until is None:
        return select(anatomy, None, (), pinned)
    if until not in anatomy.specs:
        raise NotFoundError(
            Problem(
                "draft.unknown_node",
                sentence("The draft has no node {until}.", until=repr(until[:80])),
                "until",
            )
        )
    if anatomy.outermost(until) in pinned:
        raise InvalidError(
            Problem(
                "draft.node_is_pinned",
                sentence("{until} does not run: its value is pinned.", until=repr(until)),
                f"nodes.{until}",
                "Unpin it to run it.",
            )
        )
    there = {
        name
        for name, node in memory.nodes.items()
        if node.given is not None
        and not anatomy.in_loop(name)
        and (request.reuse == "any" or (request.reuse == "fresh" and node.stale is None))
    }
    return select(anatomy, until, there, pinned)


def _trigger(anatomy: Anatomy, part: Part, wanted: str | None) -> str | None:
    triggers = [
        name
        for name in (*part.given, *part.executed)
        if (shape := anatomy.shapes.get(anatomy.specs[name].type)) is not None and shape.trigger
    ]
    if wanted is not None and wanted not in triggers:
        raise InvalidError(
            Problem(
                "run.unknown_trigger",
                sentence("What runs has no trigger {wanted}.", wanted=repr(wanted[:80])),
                "trigger",
                sentence("It has: {triggers}.", triggers=", ".join(triggers) or "none"),
            )
        )
    return wanted or next(iter(triggers), None)


def _reused(memory: Memory, name: str, now: datetime) -> StepRecord:
    node = memory.nodes[name]
    pinned = node.pinned is not None
    return StepRecord(
        name,
        1,
        name,
        StepStatus.REUSED,
        True,
        encode_json(node.given),  # type: ignore[arg-type]
        started_at=now if pinned else node.started_at,
        finished_at=now if pinned else node.finished_at,
    )
