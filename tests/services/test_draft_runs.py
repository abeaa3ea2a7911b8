"""Draft runs in place: parts, results that are taken over, pins, what is remembered and why it is stale."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from structforge.config import Settings
from structforge.domain.errors import ConflictError, InvalidError, NotFoundError
from structforge.domain.workflow import WorkflowDocument
from structforge.interchange.own import Labels
from structforge.services.draft_runs import DraftRun, DraftRunRequest, Reuse
from structforge.services.runs import StartRequest
from structforge.wiring.worker import build_worker
from tests.support.eventually import eventually
from tests.support.execution import lines_of
from tests.support.installation import Installation, installed
from tests.support.workflows import document, node, registry_with_test_nodes


@pytest.fixture
async def installation(settings: Settings) -> AsyncIterator[Installation]:
    """Two organizations, their services, and one worker loop."""
    registry_with_test_nodes()
    async with installed(settings) as made:
        worker = build_worker(made.engine)
        working = asyncio.create_task(worker.run())
        yield made
        worker.drain()
        await working


class Draft:
    """One draft, as an editor sees it."""

    def __init__(self, made: Installation, workflow_id: UUID) -> None:
        self.made = made
        self.id = workflow_id

    @classmethod
    async def of(cls, made: Installation, body: WorkflowDocument) -> "Draft":
        return cls(made, (await made.services.workflows.create(made.first, Labels("w"), body)).summary.id)

    async def change(self, body: WorkflowDocument) -> None:
        workflows = self.made.services.workflows
        now = await workflows.get(self.made.first, self.id)
        await workflows.update_draft(self.made.first, self.id, body, revision=now.summary.draft_revision)

    async def run(self, until: str | None = None, reuse: Reuse = "nothing", **more: Any) -> DraftRun:
        """Run and wait for the end."""
        request = DraftRunRequest(until, reuse, **more)
        started = await self.made.services.draft_runs.start(self.made.first, self.id, request)

        async def over() -> bool:
            row = await self.made.services.runs.get(self.made.first, started.run_id)
            return row.finished_at is not None

        await eventually(over)
        return started

    async def steps(self, run: DraftRun) -> dict[str, str]:
        rows = await self.made.services.runs.steps(self.made.first, run.run_id)
        return {row.step_key: row.status for row in rows if row.settled}

    async def outputs(self) -> dict[str, Any]:
        """Return the last result of each node's first port."""
        memory = await self.made.services.draft_memory.read(self.made.first, self.id)
        return {
            name: next(iter((known.outputs or {"": None}).values())) for name, known in memory.nodes.items()
        }

    async def stale(self) -> dict[str, tuple[str, str]]:
        memory = await self.made.services.draft_memory.read(self.made.first, self.id)
        return {
            name: (known.stale.cause, known.stale.node)
            for name, known in memory.nodes.items()
            if known.stale is not None
        }


def chain(trace: Path, *, b: Any = "{{ a }}!", broken: bool = False) -> WorkflowDocument:
    """a (leaves a trace) > b > c, and d beside them, which may be unfinished."""
    return document(
        node("a", "test.gate", trace=str(trace)),
        node("b", value=b),
        node("c", value="{{ b }}?"),
        node("d", value="{{ nobody }}" if broken else "d"),
        edges=["a>b", "b>c", "a>d"],
    )


async def test_a_node_runs_with_what_it_needs_and_an_unfinished_one_elsewhere_does_not_matter(
    installation: Installation, tmp_path: Path
) -> None:
    draft = await Draft.of(installation, chain(tmp_path / "a", broken=True))
    run = await draft.run("b")
    assert (run.executed, run.given) == (("a", "b"), ())
    assert await draft.steps(run) == {"a": "succeeded", "b": "succeeded"}
    with pytest.raises(InvalidError) as caught:
        await draft.run("d")
    assert [problem.code for problem in caught.value.problems] == ["reference.unknown"]
    with pytest.raises(InvalidError):
        await draft.run()
    with pytest.raises(NotFoundError):
        await draft.run("nobody")


async def test_one_node_runs_on_the_results_that_are_there(
    installation: Installation, tmp_path: Path
) -> None:
    trace = tmp_path / "a"
    draft = await Draft.of(installation, chain(trace))
    # Nothing is there yet: what is missing runs too.
    assert (await draft.run("b", "any")).executed == ("a", "b")
    again = await draft.run("c", "any")
    assert (again.executed, again.given) == (("c",), ("b",))
    assert await draft.steps(again) == {"b": "reused", "c": "succeeded"}
    once_more = await draft.run("b", "any")
    assert (once_more.executed, once_more.given) == (("b",), ("a",))
    assert len(lines_of(trace)) == 1
    assert (await draft.outputs())["c"] == f"{(await draft.outputs())['b']}?"


async def test_results_survive_and_tell_why_they_are_stale(
    installation: Installation, tmp_path: Path
) -> None:
    trace = tmp_path / "a"
    draft = await Draft.of(installation, chain(trace))
    await draft.run()
    assert await draft.stale() == {}
    before = await draft.outputs()
    await draft.change(chain(trace, b="{{ a }} changed"))
    assert await draft.stale() == {"b": ("definition", "b"), "c": ("source", "b")}
    assert await draft.outputs() == before
    # Only what is stale runs again, on what is not.
    run = await draft.run("c", "fresh")
    assert (run.executed, run.given) == (("b", "c"), ("a",))
    assert await draft.stale() == {}
    # A node that gives something else than what was read.
    await draft.change(chain(trace, b="new"))
    await draft.run("b", "any")
    assert await draft.stale() == {"c": ("input", "b")}
    await draft.change(chain(trace, b="{{ a }} changed"))
    assert (await draft.stale())["b"] == ("definition", "b")


async def test_a_pinned_node_is_not_run_and_no_published_run_sees_the_pin(
    installation: Installation, tmp_path: Path
) -> None:
    trace, memory = tmp_path / "a", installation.services.draft_memory
    draft = await Draft.of(installation, chain(trace))
    with pytest.raises(ConflictError):
        await memory.pin(installation.first, draft.id, "a")
    await memory.pin(installation.first, draft.id, "a", {"out": "pinned"})
    run = await draft.run()
    assert (run.executed, run.given) == (("b", "c", "d"), ("a",))
    assert lines_of(trace) == []
    assert (await draft.outputs())["c"] == "pinned!?"
    with pytest.raises(InvalidError) as caught:
        await draft.run("a")
    assert caught.value.problem.code == "draft.node_is_pinned"
    await memory.pin(installation.first, draft.id, "a", {"out": "other"})
    assert (await draft.stale())["b"] == ("input", "a")
    await installation.services.workflows.publish(installation.first, draft.id)
    published = await installation.services.runs.start(
        installation.first, draft.id, StartRequest(input={}, mode="sync")
    )
    assert b"pinned" not in (published.output or b"")
    assert len(lines_of(trace)) == 1
    await memory.unpin(installation.first, draft.id, "a")
    assert (await draft.run("b")).executed == ("a", "b")


async def test_an_unfinished_node_can_be_pinned(installation: Installation) -> None:
    body = document(
        node("a", "acme.gone"), node("b", "flow.if", condition="{{ a }}"), node("c", value="yes"),
        edges=["a>b", "b.true>c"],
    )  # fmt: skip
    draft = await Draft.of(installation, body)
    with pytest.raises(InvalidError):
        await draft.run("c")
    await installation.services.draft_memory.pin(installation.first, draft.id, "a", {"out": True})
    assert await draft.steps(await draft.run("c")) == {"a": "reused", "b": "succeeded", "c": "succeeded"}
    # On the results that are there the branch is not taken, and the run says so.
    await installation.services.draft_memory.pin(installation.first, draft.id, "a", {"out": False})
    await draft.run("b")
    assert await draft.steps(await draft.run("c", "any")) == {"b": "reused", "c": "skipped"}


async def test_a_loop_runs_whole_and_shows_its_last_iteration(installation: Installation) -> None:
    body = document(
        node("list", value=[1, 2, 3]),
        node("loop", "flow.loop", items="{{ list }}"),
        node("double", value="{{ item * 2 }}"),
        node("after", value="{{ loop }}"),
        edges=["list>loop", "loop.body>double", "double>loop.again", "loop.done>after"],
    )
    draft = await Draft.of(installation, body)
    run = await draft.run("double")
    assert run.executed == ("list", "loop", "double")
    assert await draft.outputs() == {"list": [1, 2, 3], "loop": [2, 4, 6], "double": 6}
    assert (await draft.run("after", "any")).given == ("loop",)
    with pytest.raises(InvalidError) as caught:
        await installation.services.draft_memory.pin(installation.first, draft.id, "double")
    assert caught.value.problem.code == "draft.pin_in_loop"
    changed = document(
        node("list", value=[1, 2, 3]),
        node("loop", "flow.loop", items="{{ list }}"),
        node("double", value="{{ item * 3 }}"),
        node("after", value="{{ loop }}"),
        edges=["list>loop", "loop.body>double", "double>loop.again", "loop.done>after"],
    )
    await draft.change(changed)
    assert {name: cause for name, (cause, _) in (await draft.stale()).items()} == {
        "loop": "definition", "double": "definition", "after": "source",
    }  # fmt: skip


async def test_results_are_copied_by_the_next_reader_when_the_follower_died(
    installation: Installation, tmp_path: Path
) -> None:
    draft = await Draft.of(installation, chain(tmp_path / "a"))
    await installation.services.draft_memory.close()
    started = await installation.services.draft_runs.start(installation.first, draft.id, DraftRunRequest("b"))
    await installation.services.draft_memory.close()

    async def done() -> bool:
        return (
            await installation.services.runs.get(installation.first, started.run_id)
        ).finished_at is not None

    await eventually(done)
    async with installation.engine.database.transaction(installation.first.organization_id) as session:
        expected = (
            await session.execute(text("SELECT count(*) FROM draft_nodes WHERE expected_run IS NOT NULL"))
        ).scalar()
    assert expected == 2
    assert set(await draft.outputs()) == {"a", "b"}
    async with installation.engine.database.transaction(installation.second.organization_id) as session:
        assert (await session.execute(text("SELECT count(*) FROM draft_nodes"))).scalar() == 0
