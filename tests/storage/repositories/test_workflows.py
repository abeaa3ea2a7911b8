"""Workflows and versions: drafts by revision, versions by number, copies of drafts by content."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from structforge.domain.errors import InvalidError
from structforge.domain.ids import new_id
from structforge.domain.workflow import Edge, Layout, NodeSpec, Position, WorkflowDocument
from structforge.storage.database import Database
from structforge.storage.repositories.paging import Cursor
from structforge.storage.repositories.versions import Versions
from structforge.storage.repositories.workflows import Workflows
from structforge.storage.tables import WorkflowEdgeRow, WorkflowNodeRow, WorkflowRow
from tests.storage.conftest import Tenant

DOCUMENT = WorkflowDocument(
    nodes=(NodeSpec(id="a", type="trigger.manual"), NodeSpec(id="b", type="data.set", title="B")),
    edges=(Edge(source="a", target="b"),),
)


async def add(database: Database, tenant: Tenant, name: str = "w", **values: Any) -> WorkflowRow:
    row = WorkflowRow(organization_id=tenant.id, name=name, draft=DOCUMENT.as_json(), **values)
    async with database.transaction(tenant.id) as session:
        return await Workflows(session).add(row)


async def listed(database: Database, tenant: Tenant, **only: Any) -> list[str]:
    async with database.transaction(tenant.id) as session:
        page = await Workflows(session).page(tenant.id, **only)
        return sorted(row.name for row in page.items)


async def test_a_workflow_is_loaded_by_organization_and_id(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    mine = await add(database, ours)
    async with database.transaction(ours.id) as session:
        found = await Workflows(session).get(ours.id, mine.id)
        assert found is not None and found.draft == DOCUMENT.as_json()
        assert await Workflows(session).get(theirs.id, mine.id) is None
        assert await Workflows(session).get(ours.id, new_id()) is None


async def test_a_draft_changes_only_from_the_revision_that_was_read(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    row = await add(database, ours)

    async def write(tenant: Tenant, revision: int, text: str) -> int | None:
        async with database.transaction(tenant.id) as session:
            return await Workflows(session).change_draft(
                tenant.id,
                row.id,
                revision=revision,
                draft={"documentation": text},
                updated_by=tenant.user_id,
            )

    assert await write(theirs, 1, "theirs") is None
    won = await asyncio.gather(*(write(ours, 1, f"writer {n}") for n in range(5)))
    assert sorted(map(str, won)) == ["2", "None", "None", "None", "None"]
    assert await write(ours, 1, "late") is None
    assert await write(ours, 2, "next") == 3
    async with database.transaction(ours.id) as session:
        found = await Workflows(session).get(ours.id, row.id)
        assert found is not None
        assert (found.draft, found.draft_revision, found.updated_by) == (
            {"documentation": "next"},
            3,
            ours.user_id,
        )


async def test_lists_are_narrowed_by_folder_tag_and_text(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    await add(database, ours, "Orders", folder="sales", tags=["daily", "eu"])
    await add(database, ours, "100%_sure", description="About ORDERS")
    await add(database, theirs, "Orders of theirs", folder="sales", tags=["daily"])
    assert await listed(database, ours) == ["100%_sure", "Orders"]
    assert await listed(database, ours, folder="sales") == ["Orders"]
    assert await listed(database, ours, tag="eu") == ["Orders"]
    assert await listed(database, ours, tag="e") == []
    assert await listed(database, ours, search="orders") == ["100%_sure", "Orders"]
    assert await listed(database, ours, search="%_") == ["100%_sure"]


async def test_a_deleted_workflow_can_be_brought_back(database: Database, ours: Tenant) -> None:
    row = await add(database, ours)
    async with database.transaction(ours.id) as session:
        workflows = Workflows(session)
        assert await workflows.change(ours.id, row.id, updated_by=None, deleted_at=row.created_at)
        assert await workflows.get(ours.id, row.id) is None
        assert await workflows.lock(ours.id, row.id) is None
        assert await workflows.count(ours.id) == 0
        assert await workflows.change_draft(ours.id, row.id, revision=1, draft={}, updated_by=None) is None
        assert await workflows.get(ours.id, row.id, with_deleted=True) is not None
    assert (await listed(database, ours), await listed(database, ours, deleted=True)) == ([], ["w"])
    async with database.transaction(ours.id) as session:
        assert await Workflows(session).change(ours.id, row.id, updated_by=None, deleted_at=None)
        assert not await Workflows(session).change(ours.id, new_id(), updated_by=None, name="x")
        assert await Workflows(session).count(ours.id) == 1
    assert await listed(database, ours) == ["w"]


async def test_pages_follow_each_other_without_gap_or_repeat(database: Database, ours: Tenant) -> None:
    names = [(await add(database, ours, f"w{n}")).name for n in range(7)]
    seen: list[str] = []
    cursor: Cursor | None = None
    sizes = []
    while True:
        async with database.transaction(ours.id) as session:
            page = await Workflows(session).page(ours.id, cursor=cursor, limit=3)
        seen += [row.name for row in page.items]
        sizes.append(len(page.items))
        if page.next_cursor is None:
            break
        cursor = Cursor.decode(page.next_cursor)
        await add(database, ours, "added meanwhile")
    assert (seen, sizes) == (names[::-1], [3, 3, 1])


@pytest.mark.parametrize("text", ["", "x", "é", "MjAyNg", "MjAyNi0xMS0yM1QwMDowMDowMHxub3BlCg", "a" * 500])
def test_a_cursor_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidError) as refused:
        Cursor.decode(text)
    assert refused.value.problem.code == "cursor.invalid"


async def publish(database: Database, tenant: Tenant, workflow_id: UUID) -> int:
    async with database.transaction(tenant.id) as session:
        assert await Workflows(session).lock(tenant.id, workflow_id) is not None
        version = await Versions(session).publish(tenant.id, workflow_id, DOCUMENT, note="n")
        assert version.number is not None
        return version.number


async def test_versions_published_at_once_get_one_number_each(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    row = await add(database, ours)
    numbers = await asyncio.gather(*(publish(database, ours, row.id) for _ in range(5)))
    assert sorted(numbers) == [1, 2, 3, 4, 5]
    async with database.transaction(ours.id) as session:
        versions = Versions(session)
        assert [version.number for version in await versions.published(ours.id, row.id, limit=2)] == [5, 4]
        assert [version.number for version in await versions.published(ours.id, row.id, before=3)] == [2, 1]
        found = await versions.numbered(ours.id, row.id, 3)
        assert found is not None and WorkflowDocument.model_validate(found.document) == DOCUMENT
        assert await versions.get(ours.id, found.id) == found
        assert await versions.numbered(ours.id, row.id, 6) is None
    async with database.transaction(theirs.id) as session:
        assert await Versions(session).get(theirs.id, found.id) is None


async def test_nodes_and_edges_are_derived_when_published(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    row = await add(database, ours)
    await publish(database, ours, row.id)
    async with database.transaction(ours.id) as session:
        nodes = (await session.execute(select(WorkflowNodeRow).order_by(WorkflowNodeRow.node_id))).scalars()
        assert [(node.node_id, node.type, node.title) for node in nodes] == [
            ("a", "trigger.manual", ""),
            ("b", "data.set", "B"),
        ]
        edge = (await session.execute(select(WorkflowEdgeRow))).scalar_one()
        assert (edge.source, edge.source_port, edge.target, edge.target_port) == ("a", "out", "b", "in")
        assert await Versions(session).workflows_using(ours.id, "data.set") == [row.id]
        assert await Versions(session).workflows_using(ours.id, "data.get") == []
    async with database.transaction(theirs.id) as session:
        assert await Versions(session).workflows_using(theirs.id, "data.set") == []


async def test_runs_of_one_draft_share_its_copy(database: Database, ours: Tenant) -> None:
    row = await add(database, ours)
    moved = DOCUMENT.model_copy(update={"layout": Layout(positions={"a": Position(x=9)})})
    other = DOCUMENT.model_copy(update={"documentation": "changed"})

    async def copy(document: WorkflowDocument) -> UUID:
        async with database.transaction(ours.id) as session:
            return await Versions(session).copy_of_draft(ours.id, row.id, document)

    same = await asyncio.gather(*(copy(document) for document in (DOCUMENT, moved, DOCUMENT, moved)))
    assert len(set(same)) == 1
    assert await copy(other) not in same
    async with database.transaction(ours.id) as session:
        assert await Versions(session).published(ours.id, row.id) == []
