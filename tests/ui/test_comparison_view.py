"""Two documents as one canvas with marks, and as rows by parameter."""

from structforge.domain.diff import difference
from structforge.domain.workflow import WorkflowDocument
from structforge.nodes.builtin import register
from structforge.sdk import NodeRegistry
from structforge.ui.comparison_view import change_rows, compared_graph
from tests.support.workflows import document, node

REGISTRY = NodeRegistry()
register(REGISTRY)
OLD = document(
    node("a", "trigger.manual"), node("b", "data.set", fields={"x": 1}), node("gone", "data.set", fields={}),
    edges=["a>b", "b>gone"],
)  # fmt: skip
NEW = document(
    node("a", "trigger.manual"), node("b", "data.set", fields={"x": 2}), node("new", "data.set", fields={}),
    edges=["a>b", "b>new"],
)  # fmt: skip


def test_everything_that_differs_is_on_the_canvas_with_its_mark() -> None:
    graph = compared_graph(OLD, NEW, difference(OLD, NEW), REGISTRY, "t")
    assert {each["id"]: each.get("mark", "") for each in graph["nodes"]} == {
        "a": "", "b": "changed", "new": "added", "gone": "removed",
    }  # fmt: skip
    marks = {(each["source"], each["target"]): each.get("mark", "") for each in graph["edges"]}
    assert marks == {("a", "b"): "", ("b", "new"): "added", ("b", "gone"): "removed"}


def test_changes_are_listed_by_parameter() -> None:
    rows = change_rows(difference(OLD, NEW), {"b": "Set"})
    assert [(row["kind"], row["title"], row["path"], row["old"], row["new"]) for row in rows] == [
        ("added", "new", "", "", ""),
        ("removed", "gone", "", "", ""),
        ("changed", "Set", "fields.x", "1", "2"),
        ("edge_added", "b.out -> new.in", "", "", ""),
        ("edge_removed", "b.out -> gone.in", "", "", ""),
    ]


def test_equal_documents_have_no_rows() -> None:
    assert change_rows(difference(OLD, OLD), {}) == []
    assert change_rows(difference(WorkflowDocument(), WorkflowDocument()), {}) == []
