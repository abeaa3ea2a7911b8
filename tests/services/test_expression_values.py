"""What expressions of a draft see: the last results, in loops too, within the organization, bounded; real servers."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from structforge.domain.errors import NotFoundError
from structforge.services.expression_values import PREVIEW_CHARACTERS, ExpressionValues
from structforge.services.runs import StartRequest
from structforge.services.workflows import Labels
from structforge.storage.repositories.draft_nodes import DraftNodes
from structforge.ui.expression_help import names_of
from tests.support.installation import Installation, a_worker
from tests.support.workflows import document, node

EXACT = Decimal("999999999999999.99")
ORDERS = document(
    node("start", "trigger.manual"),
    node(
        "order",
        "data.set",
        fields={"city": "Seattle", "lines": [{"sku": "A", "n": 2}], "big": "x" * 5_000, "price": EXACT},
    ),
    node("use", "data.set", fields={"text": "{{ order.city }}"}),
    node("aside", "data.set", fields={}),
    edges=["start>order", "order>use"],
)


def values(made: Installation) -> ExpressionValues:
    """Return the service."""
    return ExpressionValues(made.engine.database, made.engine.environment)


async def a_workflow(made: Installation, *, ran: bool = True) -> UUID:
    """Make a workflow, and let its draft run once."""
    created = await made.services.workflows.create(made.first, Labels("Orders"), ORDERS)
    if ran:
        request = StartRequest({"who": "Ada"}, mode="sync", draft=True)
        await made.services.runs.start(made.first, created.summary.id, request)
    return created.summary.id


@pytest.mark.parametrize(
    ("text", "state", "shown"),
    [
        ("no expression", "constant", ""),
        ("{{ order.city | upper }}", "value", "SEATTLE"),
        ("{{ order.lines[0].n * 2 }}", "value", "4"),
        ("{{ inputs.who }}", "value", "Ada"),
        ("{{ [10 ** 20] }}", "value", "[\n  100000000000000000000\n]"),
        ("{{ order.nothing }}", "error", ""),
        ("{{ aside.x }}", "error", ""),
        ("{{ order.city | nonsense }}", "error", ""),
        ("{{ order.", "error", ""),
        ("{{ range(900000) | length }}", "large", ""),
    ],
)
async def test_a_text_is_evaluated_with_the_last_results(
    installation: Installation, text: str, state: str, shown: str
) -> None:
    workflow = await a_workflow(installation)
    found = await values(installation).preview(installation.first, workflow, "use", text)
    assert (found.state, found.text) == (state, shown)
    if state == "error":
        assert found.message
        assert found.end > found.start >= 0


async def test_what_has_no_result_yet_is_named_and_what_is_long_is_cut(installation: Installation) -> None:
    fresh = await a_workflow(installation, ran=False)
    found = await values(installation).preview(installation.first, fresh, "use", "{{ order.city }}")
    assert (found.state, found.names) == ("unknown", ("order",))
    workflow = await a_workflow(installation)
    found = await values(installation).preview(installation.first, workflow, "use", "{{ order.big }}")
    assert (found.size, len(found.text), found.cut) == (5_000, PREVIEW_CHARACTERS, True)


async def test_names_come_with_the_fields_of_what_they_gave(installation: Installation) -> None:
    workflow = await a_workflow(installation)
    around = await values(installation).surroundings(installation.first, workflow, "use")
    found = {each["label"]: each for each in names_of(around, installation.engine.registry)["names"]}
    assert list(found) == ["order", "start", "inputs", "run", "workflow"]
    fields: dict[str, Any] = {each["label"]: each for each in found["order"]["fields"]}
    assert fields["city"] == {"label": "city", "kind": "text", "sample": "Seattle"}
    assert [each["label"] for each in fields["lines"]["item"]["fields"]] == ["sku", "n"]
    assert fields["price"] == {"label": "price", "kind": "number", "sample": str(EXACT)}


async def test_a_pinned_value_stands_before_the_last_result(installation: Installation) -> None:
    workflow = await a_workflow(installation)
    database, made = installation.engine.database, installation.first
    async with database.transaction(made.organization_id) as session:
        await DraftNodes(session).pin(
            made.organization_id, workflow, "order", {"out": {"city": "Pinned"}}, pinned_by=made.user_id
        )
    found = await values(installation).preview(made, workflow, "use", "{{ order.city }}")
    assert found.text == "Pinned"


async def test_another_organization_sees_nothing(installation: Installation) -> None:
    workflow = await a_workflow(installation)
    with pytest.raises(NotFoundError):
        await values(installation).preview(installation.second, workflow, "use", "{{ order.city }}")
    with pytest.raises(NotFoundError):
        await values(installation).surroundings(installation.second, workflow, "use")


LINES = [{"qty": 2, "unit price": 0.1}, {"qty": 0, "unit price": 3}]
ROWS = document(
    node("start", "trigger.manual"),
    node("order", "data.set", fields={"lines": LINES}),
    node("more", "table.transform", rows="{{ order.lines }}", compute=[{"column": "x", "expression": "qty"}]),
    edges=["start>order", "order>more"],
)


async def test_a_row_expression_is_checked_against_the_columns_that_come_in(
    installation: Installation,
) -> None:
    made, path = installation.first, "compute[0].expression"
    created = await installation.services.workflows.create(made, Labels("Rows"), ROWS)

    async def shown(text: str, path: str = path) -> tuple[str, str, int, int]:
        found = await values(installation).preview(made, created.summary.id, "more", text, path)
        return found.state, found.text, found.start, found.end

    assert await shown("qty + ") == ("error", "", 6, 7)
    assert await shown("qtty + 1") == ("constant", "", 0, 0)
    async with installation.engine.database.transaction(made.organization_id) as session:
        await DraftNodes(session).pin(
            made.organization_id,
            created.summary.id,
            "order",
            {"out": {"lines": LINES}},
            pinned_by=made.user_id,
        )
    assert await shown("qty * 2") == ("value", "4, 0", 0, 0)
    assert await shown('row["unit price"] * qty') == ("value", "0.2, 0", 0, 0)
    assert await shown("qtty + 1") == ("error", "", 0, 4)
    assert await shown("1 / qty") == ("error", "", 0, 7)
    assert await shown("uper(qty)") == ("error", "", 0, 4)
    assert await shown("  ") == ("constant", "", 0, 0)
    assert await shown("qtty", "compute[0].column") == ("constant", "", 0, 0)


async def test_behind_an_error_port_the_name_is_the_error(installation: Installation) -> None:
    made = document(
        node("start", "trigger.manual"),
        node("e", "data.set", fields={"n": "{{ 1 / item }}"}, policies={
            "each": {"items": "{{ [1, 0] }}"}, "on_error": "port",
        }),
        node("good", "data.set", fields={}), node("bad", "data.set", fields={}),
        edges=["start>e", "e>good", "e.error>bad"],
    )  # fmt: skip
    created = await installation.services.workflows.create(installation.first, Labels("Errors"), made)
    workflow = created.summary.id
    request = StartRequest({}, mode="sync", draft=True)
    async with a_worker(installation):
        await installation.services.runs.start(installation.first, workflow, request)
    service = values(installation)
    told = [
        (await service.preview(installation.first, workflow, name, text)).text
        for name, text in (("good", "{{ e | length }}"), ("good", "{{ e[1] is none }}"), ("bad", "{{ e[0].index }}"))
    ]  # fmt: skip
    assert told == ["2", "true", "1"]
