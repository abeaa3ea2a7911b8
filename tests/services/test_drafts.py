"""Edits of one draft: what is sent again, and what comes at the same time; on real servers."""

import asyncio
from collections.abc import Sequence

import pytest

from structforge.domain.edits import AddNode, Edit
from structforge.domain.workflow import NodeSpec, WorkflowDocument
from structforge.runtime.events import connect_async
from structforge.services.drafts import DraftService
from structforge.services.workflows import Labels
from tests.support.installation import Installation


def one_more(document: WorkflowDocument) -> Sequence[Edit]:
    """Add a node under an id that is free."""
    return [AddNode(node=NodeSpec(id=f"n{len(document.nodes)}", type="data.set"))]


@pytest.mark.parametrize(("key", "made"), [("k", 1), ("", 5)])
async def test_edits_sent_again_while_the_first_is_being_made_are_made_once(
    installation: Installation, key: str, made: int
) -> None:
    redis = connect_async(installation.settings.redis_server_url)
    drafts = DraftService(installation.engine.database, redis, {})
    workflow = (await installation.services.workflows.create(installation.first, Labels("w"))).summary.id
    sent = [drafts.edit(installation.first, workflow, one_more, key=key) for _ in range(5)]
    edited = await asyncio.gather(*sent)
    assert max(one.revision for one in edited) == 1 + made
    detail = await installation.services.workflows.get(installation.first, workflow)
    assert [node.id for node in detail.draft.nodes] == [f"n{number}" for number in range(made)]
    await redis.aclose()
