"""Finding workflows: words, folders, tags, what is published, and what another organization sees of it."""

import pytest

from structforge.domain.access import Principal
from structforge.domain.errors import ForbiddenError, InvalidError
from structforge.domain.validation import parse_document
from structforge.interchange.own import Labels
from structforge.services.workflow_lists import Places, WorkflowLists
from structforge.storage.repositories.paging import Cursor, NameCursor
from tests.support.documents import greeting
from tests.support.installation import Installation


@pytest.fixture
def lists(installation: Installation) -> WorkflowLists:
    return WorkflowLists(installation.engine.database)


async def _names(lists: WorkflowLists, principal: Principal, **only: object) -> list[str]:
    page = await lists.page(principal, **only)  # type: ignore[arg-type]
    return [listed.labels.name for listed in page.items]


async def test_words_folders_and_tags_narrow_the_list(
    installation: Installation, lists: WorkflowLists
) -> None:
    me = installation.first
    for labels in (
        Labels("Weekly report", "Sums the sales", "sales", ("weekly",)),
        Labels("Invoices", "", "sales/emea", ("weekly", "mail_100%")),
        Labels("Salesforce sync", "", "salesforce"),
        Labels("Loose end"),
    ):
        await installation.services.workflows.create(me, labels)
    assert await _names(lists, me, search="SALES sums") == ["Weekly report"]
    assert await _names(lists, me, search="%") == ["Invoices"]
    assert await _names(lists, me, search="nothing like it") == []
    assert await _names(lists, me, folder="sales") == ["Invoices", "Weekly report"]
    assert await _names(lists, me, folder="") == ["Loose end"]
    assert await _names(lists, me, tag="weekly", search="report") == ["Weekly report"]
    assert await lists.places(me) == Places(
        4, 0, [("sales", 1), ("sales/emea", 1), ("salesforce", 1)], [("mail_100%", 1), ("weekly", 2)]
    )
    assert await _names(lists, installation.second) == []
    assert await lists.places(installation.second) == Places(0, 0, [], [])


async def test_pages_follow_one_another(installation: Installation, lists: WorkflowLists) -> None:
    me = installation.first
    for number in range(5):
        await installation.services.workflows.create(me, Labels(f"w{number}"))
    seen: list[str] = []
    following: str | None = ""
    while following is not None:
        page = await lists.page(me, cursor=Cursor.decode(following) if following else None, limit=2)
        seen += [listed.labels.name for listed in page.items]
        following = page.next_cursor
    assert seen == ["w4", "w3", "w2", "w1", "w0"]


async def test_pages_by_name_follow_one_another(installation: Installation, lists: WorkflowLists) -> None:
    me = installation.first
    for name in ("b", "A", "c", "B", "a"):
        await installation.services.workflows.create(me, Labels(name))
    seen: list[str] = []
    following: str | None = ""
    while following is not None:
        cursor = NameCursor.decode(following) if following else None
        page = await lists.page(me, cursor=cursor, limit=2, by_name=True)
        seen += [listed.labels.name.lower() for listed in page.items]
        following = page.next_cursor
    assert seen == ["a", "a", "b", "b", "c"]
    for nonsense in ("", "x", "bm9uc2Vuc2U"):
        with pytest.raises(InvalidError):
            NameCursor.decode(nonsense)


async def test_a_draft_is_changed_when_its_meaning_left_the_published_version(
    installation: Installation, lists: WorkflowLists
) -> None:
    workflows, me = installation.services.workflows, installation.first

    async def state() -> tuple[int | None, bool]:
        (listed,) = (await lists.page(me)).items
        return listed.published_version, listed.changed

    made = await workflows.create(me, Labels("x"), parse_document(greeting()))
    assert await state() == (None, False)
    await workflows.publish(me, made.summary.id)
    assert await state() == (1, False)
    moved = greeting() | {"layout": {"positions": {"greet": {"x": 400, "y": 20}}}}
    await workflows.update_draft(me, made.summary.id, parse_document(moved), revision=1)
    assert await state() == (1, False)
    await workflows.update_draft(me, made.summary.id, parse_document(greeting("Hi")), revision=2)
    assert await state() == (1, True)
    await workflows.update_draft(me, made.summary.id, parse_document(greeting()), revision=3)
    assert await state() == (1, False)


async def test_deleted_workflows_are_a_list_of_their_own(
    installation: Installation, lists: WorkflowLists
) -> None:
    workflows, me = installation.services.workflows, installation.first
    made = await workflows.create(me, Labels("gone", folder="f", tags=("t",)))
    await workflows.delete(me, made.summary.id)
    assert await _names(lists, me) == []
    assert await _names(lists, me, deleted=True) == ["gone"]
    assert await lists.places(me) == Places(0, 1, [], [])


async def test_it_needs_the_permission(installation: Installation, lists: WorkflowLists) -> None:
    nobody = Principal(None, installation.first.organization_id, frozenset())
    for call in (lists.page(nobody), lists.places(nobody)):
        with pytest.raises(ForbiddenError):
            await call
