"""A fleet of real processes around an installation, with short leases so that a crash is noticed soon."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from structforge.config import Settings
from structforge.domain.run import RunStatus
from structforge.domain.workflow import WorkflowDocument
from structforge.services.runs import StartRequest
from structforge.storage.repositories.versions import Versions
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import WorkflowRow
from tests.support.eventually import eventually
from tests.support.installation import Installation, installed
from tests.support.programs import Program
from tests.support.workflows import PLUGIN_FOLDER, registry_with_test_nodes

END_S = 60.0
"""The longest a run may take to end after a crash in these tests: many leases."""


@dataclass
class Fleet:
    """Workers and schedulers as processes, and an installation in this process that accepts runs."""

    made: Installation
    folder: Path
    programs: list[Program] = field(default_factory=list)

    def start(self, *arguments: str, **environment: str) -> Program:
        """Start `python ARGUMENTS` on this installation."""
        settings = self.made.settings
        program = Program(
            arguments,
            self.folder,
            environment={
                "STRUCTFORGE_HOME": str(settings.home),
                "DATABASE_URL": settings.database_owner_url,
                "REDIS_URL": settings.redis_server_url,
                "PYTHONPATH": str(PLUGIN_FOLDER),
                "STRUCTFORGE_LEASE_S": "1",
                "STRUCTFORGE_REDISPATCH_AFTER_S": "0.2",
                **environment,
            },
        )
        self.programs.append(program)
        return program

    def worker(self, **environment: str) -> Program:
        """Start a worker."""
        return self.start("-m", "workers.run", **environment)

    def end(self) -> None:
        """End every process that is still there."""
        for program in self.programs:
            program.clean_up()

    async def publish(self, document: WorkflowDocument) -> UUID:
        """Publish a document as a new workflow."""
        organization = self.made.first.organization_id
        async with self.made.engine.database.transaction(organization) as session:
            row = WorkflowRow(
                organization_id=organization, name="w", draft=document.as_json(), draft_revision=1
            )
            await Workflows(session).add(row)
            version = await Versions(session).publish(organization, row.id, document)
            row.published_version_id = version.id
        return row.id

    async def accept(self, workflow: UUID, count: int) -> list[UUID]:
        """Start runs; each is accepted when this returns."""
        starts = [
            self.made.services.runs.start(self.made.first, workflow, StartRequest({})) for _ in range(count)
        ]
        return [result.run_id for result in await asyncio.gather(*starts)]

    async def status(self, run: UUID) -> RunStatus:
        """Return a run's status."""
        return RunStatus((await self.made.services.runs.get(self.made.first, run)).status)

    async def all_are(self, runs: list[UUID], wanted: RunStatus) -> None:
        """Wait until every run has this status."""

        async def look() -> bool:
            statuses = [await self.status(run) for run in runs]
            assert set(statuses) == {wanted}, statuses
            return True

        await eventually(look, timeout_s=END_S)

    async def check_journal(self, runs: list[UUID], steps: set[str]) -> None:
        """Nothing is lost and nothing is there twice: one outcome per step, events without a gap, no lease left."""
        for run in runs:
            rows = await self.made.services.runs.steps(self.made.first, run)
            settled = [row.step_key for row in rows if row.settled]
            assert sorted(settled) == sorted(steps), run
            events = [event async for event in self.made.services.runs.events(self.made.first, run)]
            assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
            assert [event["type"] for event in events].count("run.finished") == 1
            assert events[-1]["type"] == "run.finished"
        async with self.made.engine.database.engine_pool.connection() as connection:
            cursor = await connection.execute(
                "SELECT count(*) FROM run_outbox WHERE run_id = ANY (%s)", (runs,)
            )
            assert await cursor.fetchone() == (0,)


def lines(trace: Path) -> dict[str, int]:
    """Count the lines of a trace by step key."""
    counts: dict[str, int] = {}
    for line in trace.read_text().splitlines() if trace.exists() else ():
        key = line.split()[0]
        counts[key] = counts.get(key, 0) + 1
    return counts


@pytest.fixture
async def fleet(settings: Settings, tmp_path: Path) -> AsyncIterator[Fleet]:
    """An installation without workers."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        processes = Fleet(made, tmp_path / "processes")
        yield processes
        processes.end()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Any]:
    """A file that steps wait for; it exists at the end, so that nothing waits for ever."""
    path = tmp_path / "gate"
    yield path
    path.touch()
