"""How a value travels is invisible: large values and tables are data to every expression, wherever they come from."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from structforge.domain.expressions import ExpressionError, parse
from structforge.domain.values import encode_json
from structforge.domain.workflow import WorkflowDocument
from structforge.engine.attempts import resolved
from structforge.engine.planner import make_plan
from structforge.engine.reading import VALUE_MEDIA_TYPE, Referring
from structforge.engine.values import references_in
from structforge.nodes.tables import table_rows
from structforge.sdk import TABLE_MEDIA_TYPE, ArtifactRef, NodeRegistry
from structforge.sdk.context import ArtifactAccess
from structforge.sdk.parameters import kept_by_reference, literal_fields
from structforge.storage.artifacts import FileArtifactStore, OrganizationArtifacts
from tests.support.execution import RUN, Report, Workshop
from tests.support.workflows import built_in_types, document, node

ROWS = [{"n": n, "city": ("Oslo", "Rome")[n % 2], "note": "x" * 40} for n in range(3_000)]
TEXT = "long " * 30_000
BODY = {"body": {"field": TEXT, "items": list(range(20_000))}, "method": "POST"}
NOWHERE = {"$artifact": {"hash": "ab" * 32, "size_bytes": 5, "media_type": VALUE_MEDIA_TYPE}}
REGISTRY = built_in_types()


@pytest.fixture(autouse=True)
def one_store(workshop: Workshop, tmp_path: Path) -> None:
    """Let the engine and its pool see the same artifacts."""
    workshop.environment.artifacts = partial(OrganizationArtifacts, FileArtifactStore(tmp_path / "store"))


def store_of(workshop: Workshop) -> ArtifactAccess:
    return workshop.environment.artifacts(RUN.organization_id)


def table_of(workshop: Workshop, rows: list[dict[str, Any]], schema: Any = None) -> Any:
    """Store rows as the table nodes do; return the reference that travels."""
    frame = pl.DataFrame(rows, schema=schema)
    path = workshop.folder / "made.parquet"
    frame.write_parquet(path)
    ref = store_of(workshop).put(path.read_bytes(), media_type=TABLE_MEDIA_TYPE)
    meta = {"rows": frame.height, "columns": frame.columns}
    return ArtifactRef(ref.hash, ref.size_bytes, ref.media_type, meta=meta).as_json()


def values_of(workshop: Workshop, value: Any) -> Any:
    """Return what stands for a value, as its readers see it."""
    return workshop.environment.reader(RUN.organization_id).whole(value)


@pytest.fixture(params=["table", "stored", "small"])
def rows(request: pytest.FixtureRequest, workshop: Workshop) -> Any:
    """The same rows in each form in which they travel: a table, a stored value, small enough to stand there."""
    if request.param == "table":
        return table_of(workshop, ROWS)
    return ROWS if request.param == "stored" else ROWS[:20]


async def run(workshop: Workshop, made: WorkflowDocument, given: Any = None) -> Report:
    report = await workshop.run(made, input=given)
    assert report.status == "succeeded", report.end.error
    return report


EXPRESSIONS = {
    "{{ far | length }}": lambda rows: len(rows),
    "{{ far | count }} rows": lambda rows: f"{len(rows)} rows",
    "{{ far | columns }}": lambda rows: ["n", "city", "note"],
    "{{ columns(far) | length }}": lambda rows: 3,
    "{{ far[0] }}": lambda rows: rows[0],
    "{{ far[2].city }}": lambda rows: rows[2]["city"],
    "{{ far[-1].n }}": lambda rows: rows[-1]["n"],
    "{{ (far | first).city ~ (far | last).n }}": lambda rows: f"Oslo{rows[-1]['n']}",
    "{{ far[1:3] }}": lambda rows: rows[1:3],
    "{{ far[::-1][0].n }}": lambda rows: rows[-1]["n"],
    "{{ far | sum(attribute='n') }}": lambda rows: sum(row["n"] for row in rows),
    "{{ sum(far, 'n') }}": lambda rows: sum(row["n"] for row in rows),
    "{{ far | map(attribute='n') | max }}": lambda rows: rows[-1]["n"],
    "{{ far | min(attribute='n') }}": lambda rows: rows[0],
    "{{ (far | max(attribute='n')).city }}": lambda rows: "Rome",
    "{{ far | map(attribute='city') | unique | join('+') }}": lambda rows: "Oslo+Rome",
    "{{ far | selectattr('n', 'lt', 2) }}": lambda rows: rows[:2],
    "{{ far }}": lambda rows: rows,
    "{{ far or 'nothing' }}": lambda rows: rows,
    "{{ not far }}": lambda rows: False,
    "{{ 'some' if far else 'none' }}": lambda rows: "some",
    "{{ far is defined and far is list and far is not mapping and far is not none }}": lambda rows: True,
    "{{ far is empty }}": lambda rows: False,
    "{{ far == far }}": lambda rows: True,
    "{{ far[0] in far }}": lambda rows: True,
    "{{ far[9999].n | default('none') }}": lambda rows: "none",
    "{{ far[0].nothing | default('none') }}": lambda rows: "none",
    "{{ {'all': far}.all[1].n }}": lambda rows: 1,
    "{{ [far, far] | map('length') }}": lambda rows: [len(rows)] * 2,
    "{{ [far] | first | length }}": lambda rows: len(rows),
    "{{ far.count(far[0]) }}": lambda rows: 1,
    "{{ (far + far) | length }}": lambda rows: 2 * len(rows),
    "{{ far[index_of].n }}": lambda rows: 3,
}


@pytest.mark.parametrize("text", EXPRESSIONS)
async def test_an_expression_sees_the_same_however_the_rows_travel(
    workshop: Workshop, rows: Any, text: str
) -> None:
    made = document(
        node("far", value=rows), node("gap"), node("index_of", value=3), node("last", "test.pass", value=text),
        edges=["far>gap", "gap>index_of", "index_of>last"],
    )  # fmt: skip
    expected = EXPRESSIONS[text](values_of(workshop, rows))
    report = await run(workshop, made)
    assert values_of(workshop, report.output) == expected


@pytest.mark.parametrize(
    "text", ["{{ far[9999].n }}", "{{ far.city }}", "{{ far[0].nothing }}", "{{ far + 1 }}"]
)
async def test_an_error_is_told_the_same_too(workshop: Workshop, rows: Any, text: str) -> None:
    with pytest.raises(ExpressionError) as told:
        parse(text).evaluate({"far": values_of(workshop, rows)})
    report = await workshop.run(
        document(node("far", value=rows), node("last", value=text), edges=["far>last"])
    )
    assert report.end.error is not None
    assert (report.code, report.end.error.message, report.end.error.hint) == (
        told.value.code, told.value.message, told.value.hint,
    )  # fmt: skip


async def test_a_table_without_rows_is_an_empty_list(workshop: Workshop) -> None:
    empty = table_of(workshop, [], {"n": pl.Int64, "city": pl.String})
    made = document(
        node("found", value=empty),
        node("way", "flow.if", condition="{{ found | length > 0 }}"),
        node("yes", value="{{ found | length }}"),
        node("no", "data.set", fields={
            "length": "{{ found | length }}", "columns": "{{ found | columns }}", "empty": "{{ found is empty }}",
            "truth": "{{ 'some' if found else 'none' }}", "text": "got {{ found }}",
            "first": "{{ found | first | default(0) }}",
        }),
        edges=["found>way", "way.true>yes", "way.false>no"],
    )  # fmt: skip
    report = await run(workshop, made)
    assert report.settled["yes"] == "skipped"
    assert report.outputs["no"]["out"] == {
        "length": 0, "columns": ["n", "city"], "empty": True, "truth": "none", "text": "got []", "first": 0,
    }  # fmt: skip


async def test_switch_return_and_finally_see_data(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    made = document(
        node("far", value=table),
        node("gap"),
        node("way", "flow.switch", value="{{ far | length }}", cases=[{"name": "many", "match": 3_000}]),
        node("end", "flow.return", value={"rows": "{{ far }}", "n": "{{ far | length }}"}),
        node("wrong"),
        node("after", "flow.finally"),
        node("told", value=["{{ after.output.n }}", "{{ after.output.rows[5].n }}", "{{ far | length }}"]),
        edges=["far>gap", "gap>way", "way.many>end", "way.default>wrong", "after>told"],
    )
    report = await run(workshop, made)
    assert report.settled["wrong"] in ("skipped", "cancelled")
    assert values_of(workshop, report.output) == {"rows": ROWS, "n": 3_000}
    assert report.outputs["told"]["out"] == [3_000, 5, 3_000]


async def test_a_large_input_of_the_run_is_data(workshop: Workshop) -> None:
    made = document(
        node("start", "trigger.manual"), node("gap"),
        node("last", value=["{{ start.body.field | length }}", "{{ inputs.body.items[7] }}", "{{ start.method }}"]),
        edges=["start>gap", "gap>last"],
    )  # fmt: skip
    report = await run(workshop, made, BODY)
    assert report.output == [len(TEXT), 7, "POST"]


async def test_loops_go_through_tables_and_lists_of_tables(workshop: Workshop) -> None:
    tables = [table_of(workshop, ROWS[:count]) for count in (3_000, 2_500, 0)]
    made = document(
        node("far", value={"tables": tables, "one": table_of(workshop, ROWS[:2_000])}),
        node("gap"),
        node("each", "flow.loop", items="{{ far.tables }}"),
        node("count", value="{{ [item | length, index, each.item | length] }}"),
        node("rows", "flow.loop", items="{{ far.one }}"),
        node("row", value="{{ item.n }}"),
        node("again", value=["{{ each }}", "{{ rows | sum }}"]),
        edges=["far>gap", "gap>each", "each.body>count", "count>each.again", "each.done>rows", "rows.body>row",
               "row>rows.again", "rows.done>again"],
    )  # fmt: skip
    report = await run(workshop, made)
    assert report.output == [
        [[3_000, 0, 3_000], [2_500, 1, 2_500], [0, 2, 0]],
        sum(range(2_000)),
    ]


async def test_a_loop_that_gives_tables_gives_data(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    made = document(
        node("far", value=table),
        node("twice", "flow.loop", items=[1, 2]),
        node("same", value="{{ far }}"),
        node("gap", "data.set", fields={"all": "{{ twice }}"}),
        node(
            "last", value=["{{ gap.all | length }}", "{{ gap.all[1][4].n }}", "{{ twice | map('length') }}"]
        ),
        edges=["far>twice", "twice.body>same", "same>twice.again", "twice.done>gap", "gap>last"],
    )
    report = await run(workshop, made)
    assert report.output == [2, 4, [3_000, 3_000]]


async def test_until_sees_data_of_the_scope_and_of_what_arrived(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    until = "{{ result | length == far | length and index == 2 }}"
    made = document(
        node("far", value=table),
        node("loop", "flow.loop", mode="repeat", until=until),
        node("same", value="{{ far }}"),
        node("last", value="{{ loop[7].n }}"),
        edges=["far>loop", "loop.body>same", "same>loop.again", "loop.done>last"],
    )
    report = await run(workshop, made)
    assert report.output == 7
    assert [key for key in report.settled if key.startswith("loop[")] == [f"loop[{n}]/same" for n in range(3)]
    broken = document(
        node("far", value=table), node("loop", "flow.loop", mode="repeat", until="{{ result[0].nothing }}"),
        node("same", value="{{ far }}"), edges=["far>loop", "loop.body>same", "same>loop.again"],
    )  # fmt: skip
    assert (await workshop.run(broken)).code == "expression.missing_key"


async def test_each_goes_through_a_table_and_its_elements_may_be_large(workshop: Workshop) -> None:
    tables = [table_of(workshop, ROWS[:count]) for count in (3_000, 2_500)]
    each = {"each": {"items": "{{ far.tables }}", "concurrency": 2}}
    rows = {"each": {"items": "{{ far.tables[0] }}", "concurrency": 100}}
    made = document(
        node("far", value={"tables": tables}),
        node("gap"),
        node("counted", value="{{ [item | length, item[1].n, index] }}", policies=each),
        node("row", value="{{ item.n }}", policies=rows),
        node("whole", "test.one", policies=each),
        node("last", value=["{{ counted }}", "{{ row | sum }}", "{{ whole | map('length') }}", "{{ whole[1][3].n }}"]),
        edges=["far>gap", "gap>counted", "counted>row", "row>whole", "whole>last"],
    )  # fmt: skip
    report = await run(workshop, made)
    assert report.output == [[[3_000, 1, 0], [2_500, 1, 1]], sum(range(3_000)), [3_000, 2_500], 3]


async def test_a_node_gets_data_also_where_references_stand_inside(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    nested = {"deep": [{"rows": table}], "long": TEXT}
    made = document(node("far", value=nested), node("set", "data.set", fields={"x": 1}, keep_input=True),
                    edges=["far>set"])  # fmt: skip
    report = await run(workshop, made)
    assert values_of(workshop, report.output) == {"deep": [{"rows": ROWS}], "long": TEXT, "x": 1}
    made = document(
        node("far", value=nested), node("gap"), node("got", "test.one"), edges=["far>gap", "gap>got"]
    )
    report = await run(workshop, made)
    assert values_of(workshop, report.output) == [{"deep": [{"rows": ROWS}], "long": TEXT}]


async def test_a_recovered_run_sees_the_same(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    made = document(
        node("far", value={"t": table}), node("twice", "flow.loop", items=["{{ far.t }}"]),
        node("same", value="{{ item }}"),
        node("last", value=["{{ far.t | length }}", "{{ twice[0][2].n }}"]),
        edges=["far>twice", "twice.body>same", "same>twice.again", "twice.done>last"],
    )  # fmt: skip
    whole = await run(workshop, made)
    for count in range(1, len(whole.commits)):
        report = await workshop.run(made, before=whole.commits[:count])
        assert report.output == [3_000, 2]


async def test_what_only_looks_like_a_reference_stays_data(workshop: Workshop) -> None:
    outside = {"a": NOWHERE, "list": [NOWHERE], "text": TEXT}
    made = document(
        node("start", "trigger.manual"), node("gap"),
        node("last", value=["{{ start.a }}", "{{ inputs.list[0] }}", "{{ start.a | length }}",
                            "{{ start.list | length }}"]),
        edges=["start>gap", "gap>last"],
    )  # fmt: skip
    report = await run(workshop, made, outside)
    assert report.output == [NOWHERE, NOWHERE, 1, 1]
    made = document(node("start", "trigger.manual"), node("one", "test.one"), edges=["start>one"])
    report = await run(workshop, made, NOWHERE)
    assert report.output == NOWHERE


async def test_a_file_stays_the_reference_that_it_is(workshop: Workshop) -> None:
    ref = store_of(workshop).put(b"PDF", media_type="application/pdf", name="a.pdf").as_json()
    made = document(
        node("far", value={"file": ref}), node("last", value="{{ far.file }}"), edges=["far>last"]
    )
    assert (await run(workshop, made)).output == ref


async def test_a_value_whose_bytes_are_gone_is_an_error_and_never_data(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    made = document(node("far", value=table), node("gap"), node("last", value="{{ far | length > 0 }}"),
                    edges=["far>gap", "gap>last"])  # fmt: skip
    whole = await run(workshop, made)
    ref = ArtifactRef.from_json(table)
    assert ref is not None
    store_of(workshop).path(ref).unlink()
    report = await workshop.run(made, before=whole.commits[:1])
    assert report.code == "artifact.missing"


async def test_what_is_read_is_bounded_with_a_code(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    workshop.environment.limits = replace(workshop.environment.limits, max_read_values=5_000)
    made = document(node("far", value=table), node("last", value="{{ far | tojson }}"), edges=["far>last"])
    report = await workshop.run(made)
    assert report.code == "value.too_much_to_read"
    fields = {"told": "{{ far | columns }}{{ far | length }}", "row": "{{ far[7].n }}"}
    made = document(node("far", value=table), node("last", "data.set", fields=fields), edges=["far>last"])
    assert (await run(workshop, made)).output == {"told": '["n","city","note"]3000', "row": 7}


async def test_a_table_is_handed_to_table_nodes_without_being_read(workshop: Workshop, rows: Any) -> None:
    small = {"conditions": [{"column": "n", "operator": "less", "value": 2}]}
    made = document(
        node("far", value={"t": rows}),
        node("some", "table.filter", rows="{{ far.t }}", **small),
        node("last", value="{{ some | map(attribute='n') }}"),
        edges=["far>some", "some>last"],
    )
    assert (await run(workshop, made)).output == [0, 1]


async def test_expressions_of_one_step_share_what_was_read(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Any] = []

    def counting(*asked: Any) -> Any:
        read.append(asked[1:])
        return table_rows(*asked)

    decoder = workshop.environment.decoders[TABLE_MEDIA_TYPE]
    monkeypatch.setattr(workshop.environment, "decoders", {TABLE_MEDIA_TYPE: replace(decoder, rows=counting)})
    table = table_of(workshop, ROWS)
    fields = dict.fromkeys("abc", "{{ far | selectattr('n', 'lt', 5) | length }}")
    made = document(
        node("far", value=table),
        node("gap"),
        node("last", "data.set", fields=fields),
        edges=["far>gap", "gap>last"],
    )
    assert (await run(workshop, made)).output == {"a": 5, "b": 5, "c": 5}
    assert len(read) == 1


def parameters() -> list[tuple[str, str]]:
    """Every parameter of every node type in which expressions are evaluated."""
    return [
        (kind.type, name)
        for kind in REGISTRY
        for name in kind.Parameters.model_fields
        if name not in literal_fields(kind.Parameters)
    ]


@pytest.mark.parametrize(("kind", "name"), parameters())
def test_every_parameter_of_every_node_gets_data(
    registry: NodeRegistry, workshop: Workshop, kind: str, name: str
) -> None:
    table = table_of(workshop, ROWS)
    scope: Mapping[str, Any] = Referring({"far": {"t": table}, "near": table}, frozenset({"near"}))
    reader = workshop.environment.reader(RUN.organization_id)
    data = {"far": {"t": ROWS}, "near": ROWS}
    for text in ("{{ near }}", "{{ far.t }}", "{{ near | length }}", "{{ far.t[1].n }} rows"):
        made = document({"id": "x", "type": kind, "parameters": {name: text}}, node("far"), node("near"))
        planned = make_plan(made, registry).by_id["x"]
        values, handed_on = resolved(planned, reader.scope(scope))
        if handed_on:
            # Only where the node type says so: the tests of these nodes show that they see data.
            assert kept_by_reference(planned.node.Parameters)[name] in ("all", "table")
            assert values[name] == table
        else:
            assert values[name] == planned.compiled.resolve(data)[name]


async def test_what_a_stored_value_refers_to_is_in_use_as_it_is_itself(workshop: Workshop) -> None:
    table = table_of(workshop, ROWS)
    made = document(node("far", value={"t": table, "text": TEXT}), node("last", value="{{ far.t[3].n }}"),
                    edges=["far>last"])  # fmt: skip
    report = await run(workshop, made)
    assert report.output == 3
    stored = report.outputs["far"]["out"]["$artifact"]
    noted = {body["hash"] for commit in report.commits for body in commit.artifacts}
    assert {stored["hash"], table["$artifact"]["hash"]} <= noted
    taken_over = references_in(encode_json(report.outputs["far"]))
    assert {body["hash"] for body in taken_over} == {stored["hash"], table["$artifact"]["hash"]}
