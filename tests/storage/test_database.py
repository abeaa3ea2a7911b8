"""Transactions: one organization each, all or nothing, and a plain answer when the server is gone."""

import asyncio
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from structforge.domain.errors import UnavailableError
from structforge.storage.database import Database, enter_organization
from structforge.storage.tables import OrganizationRow, WorkflowRow
from tests.storage.conftest import Tenant

DRAFT = {"format": 1, "nodes": [{"id": "b"}, {"id": "a"}], "edges": []}


async def names(database: Database, tenant: Tenant) -> list[str]:
    async with database.transaction(tenant.id) as session:
        return list((await session.execute(select(WorkflowRow.name))).scalars())


async def test_a_transaction_sees_its_organization_on_every_reused_connection(
    database: Database, ours: Tenant, theirs: Tenant
) -> None:
    for tenant, name in ((ours, "mine"), (theirs, "yours")):
        async with database.transaction(tenant.id) as session:
            session.add(WorkflowRow(organization_id=tenant.id, name=name, draft=DRAFT))
    seen = await asyncio.gather(*(names(database, (ours, theirs)[n % 2]) for n in range(60)))
    assert seen == [["mine"], ["yours"]] * 30
    async with database.global_transaction() as session:
        assert (await session.execute(select(WorkflowRow.name))).all() == []


async def test_a_block_that_raises_leaves_nothing(database: Database, ours: Tenant) -> None:
    with pytest.raises(RuntimeError, match="no"):
        async with database.transaction(ours.id) as session:
            session.add(WorkflowRow(organization_id=ours.id, name="half", draft=DRAFT))
            await session.flush()
            raise RuntimeError("no")
    assert await names(database, ours) == []


async def test_errors_of_a_statement_stay_what_they_are(database: Database, ours: Tenant) -> None:
    with pytest.raises(IntegrityError):
        async with database.transaction(ours.id) as session:
            session.add(OrganizationRow(id=ours.id, name="again", slug="again"))


async def test_an_organization_can_be_entered_on_the_way(database: Database) -> None:
    organization = OrganizationRow(name="New", slug="new")
    async with database.global_transaction() as session:
        await enter_organization(session, organization.id)
        session.add(organization)
    async with database.transaction(organization.id) as session:
        assert (await session.execute(select(OrganizationRow.slug))).scalars().all() == ["new"]


async def test_the_order_of_keys_in_a_document_is_kept(database: Database, ours: Tenant) -> None:
    draft = {"z": 1, "a": {"y": [1.0, 1], "b": "é\u0000"}, "big": 10**400}
    workflow = WorkflowRow(organization_id=ours.id, name="w", draft=draft)
    async with database.transaction(ours.id) as session:
        session.add(workflow)
    async with database.transaction(ours.id) as session:
        stored = (await session.execute(select(WorkflowRow.draft))).scalar_one()
    assert str(stored) == str(draft)


async def test_times_come_back_in_utc(database: Database, ours: Tenant) -> None:
    async with database.transaction(ours.id) as session:
        await session.execute(text("SELECT 1"))
        assert (await session.execute(text("SHOW timezone"))).scalar_one() == "UTC"
    async with database.engine_pool.connection() as connection:
        assert await (await connection.execute("SHOW timezone")).fetchone() == ("UTC",)


async def test_the_owner_sees_every_organization(database: Database, ours: Tenant, theirs: Tenant) -> None:
    async with database.owner_transaction() as session:
        found = (await session.execute(select(OrganizationRow.id))).scalars()
        assert set(found) == {ours.id, theirs.id}


async def test_a_server_that_is_gone_is_said_to_be(tmp_path: Path) -> None:
    url = f"postgresql://structforge_app@/none?host={tmp_path}"
    gone = Database(url, url)
    with pytest.raises(UnavailableError) as refused:
        async with gone.transaction(uuid4()):
            raise AssertionError("no transaction without a server")
    assert refused.value.problem.code == "database.unreachable"
    with pytest.raises(RuntimeError, match="owner"):
        async with gone.owner_transaction():
            raise AssertionError("no owner was given")
    await gone.close()


async def test_a_connection_cut_by_the_server_is_replaced(database: Database, ours: Tenant) -> None:
    assert await names(database, ours) == []
    async with database.owner_transaction() as session:
        cut = text(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
            " AND usename = 'structforge_app'"
        )
        assert (await session.execute(cut)).scalar_one() >= 1
    assert await names(database, ours) == []


async def test_a_connection_cut_in_a_transaction_is_an_outage(database: Database, ours: Tenant) -> None:
    with pytest.raises(UnavailableError):
        async with database.transaction(ours.id) as session:
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            async with database.owner_transaction() as owner:
                await owner.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
            await session.execute(text("SELECT 1"))


async def test_numbers_of_a_document_keep_every_digit(database: Database, ours: Tenant) -> None:
    numbers = {"cents": Decimal("999999999999999.99"), "big": 12345678901234567890, "half": 0.5}
    async with database.transaction(ours.id) as session:
        session.add(WorkflowRow(organization_id=ours.id, name="digits", draft={**DRAFT, "inputs": numbers}))
    async with database.transaction(ours.id) as session:
        found = (await session.execute(select(WorkflowRow.draft))).scalar_one()
    assert found["inputs"] == numbers
    assert isinstance(found["inputs"]["cents"], Decimal)
