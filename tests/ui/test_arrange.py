"""Layout and reading order of any document."""

from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.workflow import Edge, NodeSpec, WorkflowDocument
from structforge.ui.arrange import arranged, reading_order

NAMES = [f"n{number}" for number in range(8)]


@st.composite
def documents(draw: st.DrawFn) -> WorkflowDocument:
    count = draw(st.integers(0, len(NAMES)))
    nodes = tuple(NodeSpec(id=name, type="t") for name in NAMES[:count])
    pairs = st.tuples(st.integers(0, 7), st.integers(0, 7)).map(
        lambda p: Edge(source=NAMES[p[0]], target=NAMES[p[1]])
    )
    return WorkflowDocument(nodes=nodes, edges=tuple(draw(st.lists(pairs, max_size=14, unique=True))))


@given(documents())
def test_every_node_gets_a_place_of_its_own(document: WorkflowDocument) -> None:
    places = arranged(document)
    assert places.keys() == {node.id for node in document.nodes}
    assert len({(at.x, at.y) for at in places.values()}) == len(places)


@given(documents())
def test_reading_order_has_each_node_once_and_keeps_edges_of_a_plain_graph(
    document: WorkflowDocument,
) -> None:
    order = reading_order(document)
    assert sorted(order) == sorted(node.id for node in document.nodes)
    forward = [edge for edge in document.edges if edge.source < edge.target]
    if len(forward) == len(document.edges):
        for edge in forward:
            if edge.source in order and edge.target in order:
                assert order.index(edge.source) < order.index(edge.target)


def test_a_chain_goes_from_left_to_right() -> None:
    nodes = tuple(NodeSpec(id=name, type="t") for name in ("c", "b", "a"))
    edges = (Edge(source="a", target="b"), Edge(source="b", target="c"))
    document = WorkflowDocument(nodes=nodes, edges=edges)
    assert reading_order(document) == ["a", "b", "c"]
    places = arranged(document)
    assert places["a"].x < places["b"].x < places["c"].x
