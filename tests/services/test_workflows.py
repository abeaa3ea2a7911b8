"""What HTTP tests do not see: derived rows, the audit trail, races between writers."""

import asyncio

from sqlalchemy import text

from structforge.domain.errors import ConflictError
from structforge.domain.validation import parse_document
from structforge.interchange.own import Labels
from structforge.services.workflows import VersionDetail, WorkflowDetail
from tests.support.documents import greeting
from tests.support.installation import Installation


async def test_publishing_derives_nodes_and_edges_and_is_audited(installation: Installation) -> None:
    workflows, principal = installation.services.workflows, installation.first
    made = await workflows.create(principal, Labels("x"), parse_document(greeting()))
    version = await workflows.publish(principal, made.summary.id)
    async with installation.engine.database.transaction(principal.organization_id) as session:
        nodes = (await session.execute(text("SELECT version_id, node_id, type FROM workflow_nodes"))).all()
        edges = (await session.execute(text("SELECT source, target FROM workflow_edges"))).all()
        trail = (await session.execute(text("SELECT action, actor, object_id FROM audit_entries"))).all()
    assert {tuple(row) for row in nodes} == {
        (version.summary.id, "start", "trigger.manual"), (version.summary.id, "greet", "data.set"),
    }  # fmt: skip
    assert [tuple(row) for row in edges] == [("start", "greet")]
    expected = {
        (action, "first@example.org", str(made.summary.id))
        for action in ("workflow.create", "workflow.publish")
    }
    assert expected <= {tuple(row) for row in trail}


async def test_of_many_writers_of_one_revision_one_wins(installation: Installation) -> None:
    workflows, principal = installation.services.workflows, installation.first
    made = await workflows.create(principal, Labels("x"), parse_document(greeting()))
    documents = [parse_document(greeting(f"Hello {number}")) for number in range(8)]
    results = await asyncio.gather(
        *(workflows.update_draft(principal, made.summary.id, d, revision=1) for d in documents),
        return_exceptions=True,
    )
    won = [result for result in results if isinstance(result, WorkflowDetail)]
    lost = [result for result in results if isinstance(result, ConflictError)]
    assert (len(won), len(lost)) == (1, 7)
    now = await workflows.get(principal, made.summary.id)
    assert (now.summary.draft_revision, now.draft) == (2, won[0].draft)


async def test_publishing_at_the_same_time_makes_one_version(installation: Installation) -> None:
    workflows, principal = installation.services.workflows, installation.first
    made = await workflows.create(principal, Labels("x"), parse_document(greeting()))
    results = await asyncio.gather(*(workflows.publish(principal, made.summary.id) for _ in range(6)))
    assert all(isinstance(result, VersionDetail) for result in results)
    assert {result.summary.number for result in results} == {1}
    assert [item.number for item in await workflows.versions(principal, made.summary.id)] == [1]
