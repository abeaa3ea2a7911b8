"""Executing a document in this process with the journal in memory."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from structforge.domain.ids import new_id
from structforge.domain.journal import Commit, RunIdentity
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.control import RunControl
from structforge.engine.environment import EngineLimits, Environment
from structforge.engine.execution import Execution
from structforge.engine.order import RunEnd, RunOrder
from structforge.engine.planner import make_plan
from structforge.engine.recorder import RunRecorder
from structforge.runtime.processes import ProcessPool
from structforge.sdk import TABLE_MEDIA_TYPE, NodeRegistry
from structforge.sdk.testing import FakeHttp, FolderArtifacts
from structforge.wiring.engine import TABLES
from tests.support.memory_journal import MemoryJournal, decode, events_of, history_of, steps_of

RUN = RunIdentity(UUID(int=7), UUID(int=8), UUID(int=9), datetime(2026, 11, 24, tzinfo=UTC).date())


@dataclass
class Report:
    """How an execution went, in the words of the journal."""

    end: RunEnd
    commits: list[Commit]
    activity: list[str] = field(default_factory=list)

    @property
    def status(self) -> str:
        """The run's."""
        return self.end.status.value

    @property
    def output(self) -> Any:
        """The run's."""
        return decode(self.end.output)

    @property
    def code(self) -> str | None:
        """Of the run's error."""
        return self.end.error.code if self.end.error else None

    @property
    def settled(self) -> dict[str, str]:
        """Step to its one outcome. Fails when a step has two."""
        found = [
            (key, record.status.value)
            for (key, _), record in steps_of(self.commits).items()
            if record.settled
        ]
        assert len(found) == len(dict(found)), found
        return dict(found)

    @property
    def outputs(self) -> dict[str, Any]:
        """Step to its ports."""
        return {key: decode(row.outputs) for (key, _), row in steps_of(self.commits).items() if row.settled}

    @property
    def attempts(self) -> dict[str, list[tuple[int, str]]]:
        """Step to all its rows."""
        found: dict[str, list[tuple[int, str]]] = {}
        for (key, attempt), record in sorted(steps_of(self.commits).items()):
            found.setdefault(key, []).append((attempt, record.status.value))
        return found

    def error_of(self, step_key: str) -> Any:
        """Return the problem of the step's outcome."""
        (row,) = [row for (key, _), row in steps_of(self.commits).items() if key == step_key and row.settled]
        return decode(row.error)

    @property
    def events(self) -> list[tuple[str, str | None]]:
        """Kind and step of each event."""
        return [(event["type"], event.get("step_key")) for event in events_of(self.commits)]

    @property
    def sequence(self) -> list[int]:
        """Numbers of the events."""
        return [event["seq"] for event in events_of(self.commits)]


class Workshop:
    """What executions share: node types, files, limits."""

    def __init__(self, registry: NodeRegistry, folder: Path, processes: ProcessPool) -> None:
        (folder / "artifacts").mkdir(parents=True)
        self.registry = registry
        self.folder = folder
        store = FolderArtifacts(folder / "artifacts")
        self.environment = Environment(
            registry=registry,
            artifacts=lambda organization: store,
            files=lambda organization: folder,
            http=FakeHttp(),
            processes=processes,
            decoders={TABLE_MEDIA_TYPE: TABLES},
            limits=EngineLimits(),
        )

    def executor(
        self,
        made: WorkflowDocument,
        journal: MemoryJournal,
        *,
        before: Sequence[Commit] = (),
        input: Any = None,
        trigger: str | None = None,
        answers: Mapping[str, Any] | None = None,
        control: RunControl | None = None,
    ) -> Execution:
        """Build the execution of a document; `before` are the commits of earlier workers."""
        events = events_of(before)
        recorder = RunRecorder(journal, RUN, 1, event_seq=events[-1]["seq"] if events else 0)
        order = RunOrder(
            trigger=trigger,
            input={} if input is None else input,
            accepted_at=datetime.now(UTC),
            started_at=datetime.now(UTC) if before else None,
            history=history_of(before),
            answers=answers,
        )
        plan = make_plan(made, self.registry)
        return Execution(plan, order, recorder, self.environment, control or RunControl())

    async def run(self, made: WorkflowDocument, *, before: Sequence[Commit] = (), **order: Any) -> Report:
        """Execute to the end."""
        journal = MemoryJournal()
        end = await self.executor(made, journal, before=before, **order).execute()
        return Report(end, [*before, *journal.commits])

    @asynccontextmanager
    async def running(
        self, made: WorkflowDocument, control: RunControl, *, before: Sequence[Commit] = ()
    ) -> AsyncIterator["Running"]:
        """Execute beside the test."""
        journal = MemoryJournal()
        task = asyncio.create_task(self.executor(made, journal, before=before, control=control).execute())
        try:
            yield Running(task, journal, list(before))
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@dataclass
class Running:
    """An execution in hand."""

    task: "asyncio.Task[RunEnd]"
    journal: MemoryJournal
    before: list[Commit]

    async def report(self) -> Report:
        """Wait for the end."""
        async with asyncio.timeout(20):
            return Report(await self.task, [*self.before, *self.journal.commits])


def lines_of(path: Path) -> list[list[str]]:
    """Read a trace that nodes left: step key, attempt, process id."""
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def fresh_run() -> RunIdentity:
    """Return the identity of a run accepted today."""
    return RunIdentity(new_id(), new_id(), new_id(), datetime.now(UTC).date())
