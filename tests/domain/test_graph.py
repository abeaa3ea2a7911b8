"""The shape of a workflow, on tables of small graphs and on random ones."""

from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from structforge.domain.graph import Graph, LoopRegion


@dataclass(frozen=True)
class Arrow:
    source: str
    source_port: str
    target: str
    target_port: str


def arrows(text: str) -> list[Arrow]:
    """`a>b c.done>d.left` as edges; the ports default to `out` and `in`."""
    found = []
    for part in text.split():
        source, target = part.split(">")
        left, _, left_port = source.partition(".")
        right, _, right_port = target.partition(".")
        found.append(Arrow(left, left_port or "out", right, right_port or "in"))
    return found


def graph(nodes: str, edges: str = "", loops: str = "") -> Graph:
    return Graph(nodes.split(), arrows(edges), frozenset(loops.split()))


def names(shape: Graph, nodes: object) -> str:
    return " ".join(shape.ids[node] for node in nodes)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("nodes", "edges", "order"),
    [
        ("", "", ""),
        ("b a", "", "b a"),
        ("c b a", "a>b b>c", "a b c"),
        ("d c b a", "a>b a>c b>d c>d", "a c b d"),
        ("a z b y", "z>a y>b", "z a y b"),
        ("a b", "a.true>b.left a.false>b.right", "a b"),
    ],
)
def test_order_respects_edges_and_breaks_ties_by_document_order(nodes: str, edges: str, order: str) -> None:
    shape = graph(nodes, edges)
    assert names(shape, shape.topological_order()) == order
    assert shape.cycles == ()


@pytest.mark.parametrize(
    ("nodes", "edges", "cycles", "order"),
    [
        ("a", "a>a", ["a a"], ""),
        ("a b", "a>b b>a", ["a b a"], ""),
        ("b a", "a>b b>a", ["b a b"], ""),
        ("s a b c t", "s>a a>b b>c c>a c>t", ["a b c a"], "s"),
        ("a b c d", "a>b b>c c>d d>a c>a", ["a b c a"], ""),
        ("a b c d", "a>b b>a c>d d>c", ["a b a", "c d c"], ""),
        ("a b", "a>a a>b b>a b>b", ["a a", "a b a", "b b"], ""),
        ("a b c", "b>b a>c", ["b b"], "a c"),
    ],
)
def test_each_knot_gives_one_shortest_cycle(nodes: str, edges: str, cycles: list[str], order: str) -> None:
    shape = graph(nodes, edges)
    assert [names(shape, cycle) for cycle in shape.cycles] == cycles
    assert names(shape, shape.topological_order()) == order


def test_neighbours_by_port_are_listed_once_in_edge_order() -> None:
    shape = graph("a b c d", "c>d.left a>d.left a>d.right b>d.right a.error>b")
    assert names(shape, shape.predecessors(3)) == "c a b"
    assert names(shape, shape.predecessors(3, "right")) == "a b"
    assert names(shape, shape.successors(0)) == "d b"
    assert names(shape, shape.successors(0, "error")) == "b"
    assert names(shape, shape.roots) == "a c"


def test_closures() -> None:
    shape = graph("a b c d e", "a>b b>c d>c")
    assert names(shape, sorted(shape.descendants([0]))) == "b c"
    assert names(shape, sorted(shape.ancestors([2]))) == "a b d"
    assert names(shape, sorted(shape.reachable([0, 4]))) == "a b c e"
    assert shape.ancestors([0]) == frozenset()


def test_wrong_documents_still_have_a_graph() -> None:
    shape = graph("a b a", "a>b a>ghost ghost>b")
    assert (shape.duplicates, shape.dangling) == ((2,), (1, 2))
    assert [link.edge for link in shape.links] == [0]
    assert "ghost" not in shape
    with pytest.raises(KeyError):
        shape.index("ghost")


LOOP = "start>loop loop.body>a a>b b>loop.again loop.done>end"


def test_a_loop_owns_what_its_body_leads_to() -> None:
    shape = graph("start loop a b end", LOOP, "loop")
    assert shape.cycles == () and shape.crossings == ()
    assert names(shape, shape.topological_order()) == "start loop a b end"
    assert shape.regions == (LoopRegion(loop=1, members=(2, 3), parent=None),)
    assert shape.enclosing == ((), (), (1,), (1,), ())
    assert names(shape, shape.roots) == "start"
    assert names(shape, sorted(shape.ancestors([1]))) == "start"


def test_a_loop_without_the_flag_is_a_cycle() -> None:
    shape = graph("start loop a b end", LOOP)
    assert [names(shape, cycle) for cycle in shape.cycles] == ["loop a b loop"]


def test_only_the_again_port_leads_back() -> None:
    shape = graph("loop a", "loop.body>a a>loop", "loop")
    assert [names(shape, cycle) for cycle in shape.cycles] == ["loop a loop"]


def test_nested_loops_have_parents_and_chains() -> None:
    shape = graph(
        "outer inner x y z end",
        "outer.body>inner inner.body>x x>inner.again inner.done>y y>outer.again outer.body>z outer.done>end",
        "inner outer",
    )
    assert shape.crossings == ()
    assert shape.regions == (
        LoopRegion(loop=0, members=(1, 2, 3, 4), parent=None),
        LoopRegion(loop=1, members=(2,), parent=0),
    )
    assert shape.enclosing == ((), (0,), (0, 1), (0,), (0,), ())


def test_loops_one_after_the_other_are_siblings() -> None:
    shape = graph("p a q b", "p.body>a a>p.again p.done>q q.body>b b>q.again", "p q")
    assert shape.crossings == ()
    assert [(region.loop, region.members, region.parent) for region in shape.regions] == [
        (0, (1,), None),
        (2, (3,), None),
    ]


@pytest.mark.parametrize(
    ("edges", "crossings"),
    [
        (LOOP, ""),
        (LOOP + " start>b", ""),
        ("start>loop loop.body>loop.again loop.done>end", ""),
        (LOOP + " a>end", "a>end"),
        (LOOP + " loop.body>end", "loop>end"),
        (LOOP + " end>b", "a>b b>loop"),
        (LOOP + " start>loop.again", "start>loop"),
        (LOOP + " end>loop.again", "end>loop"),
    ],
)
def test_what_crosses_the_border_of_a_region(edges: str, crossings: str) -> None:
    shape = graph("start loop a b end", edges, "loop")
    found = [f"{shape.ids[link.source]}>{shape.ids[link.target]}" for link in shape.crossings]
    assert found == crossings.split()


def test_an_edge_between_the_regions_of_two_loops_crosses() -> None:
    shape = graph("p a q b", "p.body>a a>p.again q.body>b b>q.again a>b", "p q")
    assert [(link.source, link.target) for link in shape.crossings] == [(1, 3)]


def test_an_inner_step_may_not_end_the_outer_iteration() -> None:
    shape = graph("outer inner x", "outer.body>inner inner.body>x x>inner.again x>outer.again", "inner outer")
    assert [(link.source, link.target) for link in shape.crossings] == [(2, 0)]


@st.composite
def dags(draw: st.DrawFn) -> tuple[list[str], list[Arrow]]:
    """Up to 30 nodes in shuffled document order; edges lead from lower to higher rank."""
    count = draw(st.integers(1, 30))
    ranked = [f"n{rank}" for rank in range(count)]
    pairs = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(
        lambda pair: pair[0] < pair[1]
    )
    chosen = draw(st.lists(pairs, max_size=60)) if count > 1 else []
    return draw(st.permutations(ranked)), [Arrow(ranked[a], "out", ranked[b], "in") for a, b in chosen]


@given(dags())
def test_random_dags_have_a_valid_and_least_order(dag: tuple[list[str], list[Arrow]]) -> None:
    nodes, edges = dag
    shape = Graph(nodes, edges)
    order = shape.topological_order()
    place = {node: position for position, node in enumerate(order)}
    assert sorted(order) == list(range(len(nodes)))
    assert all(place[link.source] < place[link.target] for link in shape.links)
    assert shape.cycles == ()
    # Stable: at each place stands the first node of the document among all that could stand there.
    for position, node in enumerate(order):
        done = set(order[:position])
        could = [
            other
            for other in range(len(nodes))
            if other not in done and set(shape.predecessors(other)) <= done
        ]
        assert node == min(could)


@given(dags(), st.randoms())
def test_the_order_does_not_depend_on_the_order_of_edges(
    dag: tuple[list[str], list[Arrow]], random: Random
) -> None:
    nodes, edges = dag
    shuffled = random.sample(edges, len(edges))
    assert Graph(nodes, edges).topological_order() == Graph(nodes, shuffled).topological_order()


@given(dags(), st.data())
def test_a_back_edge_is_found_as_a_real_cycle(
    dag: tuple[list[str], list[Arrow]], data: st.DataObject
) -> None:
    nodes, edges = dag
    shape = Graph(nodes, edges)
    start = data.draw(st.integers(0, len(nodes) - 1))
    end = data.draw(st.sampled_from(sorted(shape.reachable([start]))))
    knotted = Graph(nodes, [*edges, Arrow(nodes[end], "out", nodes[start], "in")])
    assert knotted.cycles
    for path in knotted.cycles:
        assert path[0] == path[-1] and len(path) > 1
        assert len(set(path)) == len(path) - 1
        assert all(b in knotted.successors(a) for a, b in zip(path, path[1:], strict=False))
    # The closing edge lies on every cycle, so nothing that does not touch it is blamed.
    assert all(start in path and end in path for path in knotted.cycles)


@given(dags())
def test_ancestors_and_descendants_mirror_each_other(dag: tuple[list[str], list[Arrow]]) -> None:
    shape = Graph(*dag)
    for node in range(len(shape)):
        for other in shape.descendants([node]):
            assert node in shape.ancestors([other])


@given(
    st.lists(st.sampled_from("abcdef"), max_size=8),
    st.lists(
        st.builds(
            Arrow,
            st.sampled_from("abcdefg"),
            st.sampled_from(["out", "body", "done"]),
            st.sampled_from("abcdefg"),
            st.sampled_from(["in", "again"]),
        ),
        max_size=20,
    ),
    st.frozensets(st.sampled_from("abc")),
)
def test_every_question_has_an_answer_for_every_document(
    nodes: list[str], edges: list[Arrow], loops: frozenset[str]
) -> None:
    shape = Graph(nodes, edges, loops)
    assert bool(shape.cycles) == (len(shape.topological_order()) < len(nodes))
    assert len(shape.enclosing) == len(nodes)
    assert set(shape.crossings) <= set(shape.links)
    assert all(region.loop not in region.members for region in shape.regions)


def test_a_long_chain_and_a_long_cycle_need_no_recursion() -> None:
    ids = [f"n{number}" for number in range(5_000)]
    chain = [Arrow(a, "out", b, "in") for a, b in zip(ids, ids[1:], strict=False)]
    assert Graph(ids, chain).topological_order() == tuple(range(5_000))
    assert len(Graph(ids, [*chain, Arrow(ids[-1], "out", ids[0], "in")]).cycles[0]) == 5_001
