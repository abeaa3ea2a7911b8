"""Everything that can be wrong with a document, each case with its code, place and the words that help."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

from structforge.domain.errors import InvalidError, Problem
from structforge.domain.validation import errors_of, is_warning, parse_document, require_valid, validate
from structforge.domain.validation.inputs import with_defaults
from structforge.domain.workflow import WorkflowDocument
from structforge.sdk import Inputs, Node, NodeContext, NodeRegistry, Parameters, Port, Result, parameter
from structforge.sdk.parameters import NoParameters
from structforge.sdk.shapes import shapes_of


class Start(Node[NoParameters]):
    """Starts."""

    type, title, category = "t.start", "Start", "trigger"
    inputs = ()
    trigger = True

    def run(self, context: NodeContext, parameters: NoParameters, inputs: Inputs) -> Result:
        return None


class Timer(Start):
    """Starts too."""

    type = "t.timer"


class Step(Start):
    """Takes anything, optionally."""

    type, title = "t.step", "Step"
    inputs = (Port("in", required=False),)
    trigger = False


class Column(Parameters):
    name: str
    width: int = 1


class Label(Parameters):
    label: int


class FetchParameters(Parameters):
    url: Annotated[str, Field(pattern="^http")] = parameter(title="URL")
    count: int = parameter(1, title="Count", ge=1)
    kind: Literal["a", "b"] = parameter("a", title="Kind")
    columns: list[Column] = parameter(title="Columns", default_factory=list)
    either: int | Column | Label | None = parameter(None, title="Either")
    code: str = parameter("", title="Code", expressions=False, max_length=5)


class Fetch(Step):
    """Has every kind of parameter."""

    type, title = "t.fetch", "Fetch"
    version = 2
    Parameters = FetchParameters
    outputs = (Port("out", "text"),)


class If(Step):
    """Two branches."""

    type, title = "t.if", "If"
    outputs = (Port("true"), Port("false"))


class Need(Step):
    """Needs a number."""

    type, title = "t.need", "Need"
    inputs = (Port("in", "number"),)


class Merge(Step):
    """Takes many."""

    type, title = "t.merge", "Merge"
    inputs = (Port("in", many=True),)


class CasesParameters(Parameters):
    cases: list[str] = parameter(title="Cases")


class Switch(Step):
    """Has an output for each case."""

    type, title = "t.switch", "Switch"
    Parameters = CasesParameters

    def output_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        return tuple(Port(case) for case in parameters["cases"])


class Loop(Step):
    """Repeats."""

    type, title = "t.loop", "Loop"
    loop = True
    inputs = (Port("in", required=False), Port("again", required=False))
    outputs = (Port("body"), Port("done"))


SHAPES = shapes_of(NodeRegistry([Start, Timer, Step, Fetch, If, Need, Merge, Switch, Loop]))


def document(nodes: str = "", edges: str = "", **parts: Any) -> WorkflowDocument:
    """`id:type` and `a.port>b.port`; `parts` named like a node change that node, others the document."""
    specs = []
    for text in nodes.split():
        node_id, _, kind = text.partition(":")
        specs.append({"id": node_id, "type": f"t.{kind or 'step'}"} | parts.pop(node_id, {}))
    links = []
    for text in edges.split():
        source, target = text.split(">")
        links.append(
            {
                "source": source.partition(".")[0],
                "source_port": source.partition(".")[2] or "out",
                "target": target.partition(".")[0],
                "target_port": target.partition(".")[2] or "in",
            }
        )
    return WorkflowDocument.model_validate({"nodes": specs, "edges": links} | parts)


def told(problems: list[Problem]) -> list[tuple[str, str]]:
    return [(problem.code, problem.where) for problem in problems]


def fetch(**parameters: Any) -> dict[str, Any]:
    return {"type": "t.fetch", "type_version": 2, "parameters": {"url": "http://x"} | parameters}


LOOP = "start:start loop:loop a b end"
ROUND = "start>loop loop.body>a a>b b>loop.again loop.done>end"

VALID: dict[str, WorkflowDocument] = {
    "one node": document("a"),
    "an own root beside no trigger": document("a b", "a>b"),
    "branches of one if meet": document("s:start i:if e", "s>i i.true>e i.false>e"),
    "branches meet later": document("s:start i:if x y e", "s>i i.true>x i.false>y x>e y>e"),
    "branches of a branch meet": document("s:start i:if j:if e", "s>i i.true>j i.false>e j.true>e j.false>e"),
    "two triggers meet": document("s:start t:timer e", "s>e t>e"),
    "success and error meet": document(
        "s:start a e", "s>a a>e a.error>e", a={"policies": {"on_error": "port"}}
    ),
    "many take many": document("s:start a b m:merge", "s>a s>b a>m b>m"),
    "a loop": document(LOOP, ROUND, a={"parameters": {}}),
    "a loop that names its element": document(LOOP, ROUND, a=fetch(code="x", url="{{ item }}{{ index }}")),
    "each": document(
        "s:start f", "s>f", f=fetch(url="{{ item }}") | {"policies": {"each": {"items": "{{ s }}"}}}
    ),
    "a far ancestor": document(
        "s:start a f", "s>a a>f", f=fetch(url="{{ s.url }}{{ inputs.x }}{{ run.id }}")
    ),
    "expressions for every type": document(
        "s:start f",
        "s>f",
        f=fetch(count="{{ s.n }}", kind="{{ s.k }}", columns="{{ s.c }}", either={"name": "{{ s.e }}"}),
    ),
    "an expression for part of a list": document(
        "s:start f", "s>f", f=fetch(columns=[{"name": "{{ s.n }}", "width": "{{ s.w }}"}])
    ),
    "an expression that may choose a member of a union": document(
        "s:start f", "s>f", f=fetch(either={"label": "{{ s.n }}"})
    ),
    "braces in code are code": document("f", f=fetch(code="{{ x")),
    "a schema": document("a", inputs={"type": "object", "properties": {"n": {"type": "integer"}}}),
    "dynamic ports": document("s:start w:switch a", "s>w w.x>a", w={"parameters": {"cases": ["x"]}}),
}


@pytest.mark.parametrize("case", VALID.values(), ids=VALID.keys())
def test_nothing_is_wrong(case: WorkflowDocument) -> None:
    assert validate(case, SHAPES) == []
    require_valid(case, SHAPES)


WRONG: dict[str, tuple[WorkflowDocument, list[tuple[str, str]], str]] = {
    "empty": (document(), [("graph.empty", "nodes")], "no nodes"),
    "duplicate id": (document("a a"), [("node.duplicate_id", "nodes.a")], "Two nodes"),
    "reserved id": (document("item"), [("node.reserved_id", "nodes.item")], "item_1"),
    "unknown type": (document("a:stepp"), [("node.unknown_type", "nodes.a.type")], "Did you mean t.step"),
    "newer type": (
        document("a", a={"type_version": 9}),
        [("node.newer_version", "nodes.a.type_version")],
        "needs version 9",
    ),
    "self-edge": (document("a", "a>a"), [("graph.self_edge", "nodes.a")], "feeds itself"),
    "cycle": (document("a b c", "a>b b>c c>a"), [("graph.cycle", "nodes.a")], "a -> b -> c -> a"),
    "missing node": (
        document("abc", "abc>abd ghost>abc"),
        [
            ("edge.missing_node", "edges[0] abc.out -> abd.in"),
            ("edge.missing_node", "edges[1] ghost.out -> abc.in"),
        ],
        "Did you mean abc",
    ),
    "duplicate edge": (
        document("a b:merge", "a>b a>b"),
        [("edge.duplicate", "edges[1] a.out -> b.in")],
        "twice",
    ),
    "unknown output": (
        document("i:if b", "i>b"),
        [("edge.unknown_port", "edges[0] i.out -> b.in")],
        "true, false",
    ),
    "unknown input": (
        document("a b", "a>b.inn"),
        [("edge.unknown_port", "edges[0] a.out -> b.inn")],
        "Did you mean in",
    ),
    "closed error port": (
        document("a b", "a.error>b"),
        [("edge.error_port_closed", "edges[0] a.error -> b.in")],
        "on_error",
    ),
    "types": (
        document("f n:need", "f>n", f=fetch()),
        [("edge.type_mismatch", "edges[0] f.out -> n.in")],
        "gives text; n.in takes number",
    ),
    "no input": (document("n:need"), [("port.not_connected", "nodes.n.ports.in")], "n.in"),
    "two values": (
        document("s:start a b e", "s>a s>b a>e b>e"),
        [("port.two_values", "nodes.e.ports.in")],
        "Merge",
    ),
    "two values after one branch": (
        document("s:start i:if a b e", "s>i i.true>a i.true>b a>e b>e"),
        [("port.two_values", "nodes.e.ports.in")],
        "Merge",
    ),
    "a branch and its own if's source": (
        document("s:start i:if e", "s>i i.true>e s>e"),
        [("port.two_values", "nodes.e.ports.in")],
        "Merge",
    ),
    "a branch that may also come alive otherwise": (
        document("s:start i:if m:merge e", "s>i i.true>m s>m m>e i.false>e"),
        [("port.two_values", "nodes.e.ports.in")],
        "Merge",
    ),
    "branches joined and forked again": (
        document("s:start i:if m a b e", "s>i i.true>m i.false>m m>a m>b a>e b>e"),
        [("port.two_values", "nodes.e.ports.in")],
        "Merge",
    ),
    "into a trigger": (
        document("s:start t:timer", "s>t"),
        [("trigger.has_input", "edges[0] s.out -> t.in")],
        "a run starts there",
    ),
    "each on a trigger": (
        document("s:start", s={"policies": {"each": {"items": "{{ inputs.x }}"}}}),
        [("trigger.each", "nodes.s.policies.each")],
        "after it",
    ),
    "each without an expression": (
        document("s:start a", "s>a", a={"policies": {"each": {"items": "rows"}}}),
        [("each.not_an_expression", "nodes.a.policies.each.items")],
        "{{",
    ),
    "the list of each has no element yet": (
        document("s:start a", "s>a", a={"policies": {"each": {"items": "{{ item }}"}}}),
        [("reference.no_element", "nodes.a.policies.each.items: characters 3-7")],
        "each",
    ),
    "leaving a loop": (
        document(LOOP, ROUND + " a>end"),
        [("loop.left", "edges[5] a.out -> end.in")],
        "loop.done",
    ),
    "again from outside": (
        document(LOOP + " z", ROUND.replace("b>loop.again", "end>z z>loop.again")),
        [("loop.foreign_again", "edges[4] z.out -> loop.again")],
        "outside its region",
    ),
    "missing parameter": (
        document("f", f=fetch() | {"parameters": {}}),
        [("parameter.missing", "nodes.f.parameters.url")],
        "needs the parameter url",
    ),
    "unknown parameter": (
        document("f", f=fetch(cuont=1)),
        [("parameter.unknown", "nodes.f.parameters.cuont")],
        "Did you mean count",
    ),
    "every wrong parameter": (
        document(
            "f",
            f=fetch(
                url="ftp", count=0, kind="c", columns=[{"width": "x"}, {"name": "{{ 1 }}"}], code="123456"
            ),
        ),
        [
            ("parameter.invalid", "nodes.f.parameters.url"),
            ("parameter.invalid", "nodes.f.parameters.count"),
            ("parameter.invalid", "nodes.f.parameters.kind"),
            ("parameter.missing", "nodes.f.parameters.columns[0].name"),
            ("parameter.invalid", "nodes.f.parameters.columns[0].width"),
            ("parameter.invalid", "nodes.f.parameters.code"),
        ],
        "It must be",
    ),
    "no member of a union fits": (
        document("f", f=fetch(either={"width": 1})),
        [
            ("parameter.invalid", "nodes.f.parameters.either"),
            ("parameter.missing", "nodes.f.parameters.either.name"),
            ("parameter.missing", "nodes.f.parameters.either.label"),
            ("parameter.unknown", "nodes.f.parameters.either.width"),
        ],
        "A whole number",
    ),
    "unknown beside an expression": (
        document("f", f=fetch(columns=[{"name": "{{ inputs.a }}", "wide": 1}])),
        [("parameter.unknown", "nodes.f.parameters.columns[0].wide")],
        "wide",
    ),
    "syntax": (
        document("f", f=fetch(url="http {{ a + }}")),
        [("expression.syntax", "nodes.f.parameters.url: characters 12-12")],
        "not a well-formed expression",
    ),
    "missing reference": (
        document("s:start orders f", "s>orders orders>f", f=fetch(url="{{ ordres.x }}")),
        [("reference.unknown", "nodes.f.parameters.url: characters 3-11")],
        "Did you mean orders",
    ),
    "downstream reference": (
        document("f b", "f>b", f=fetch(url="{{ b }}")),
        [("reference.not_upstream", "nodes.f.parameters.url: characters 3-4")],
        "does not run before",
    ),
    "into a loop from outside": (
        document(LOOP, ROUND, end=fetch(url="{{ a }}")),
        [("reference.not_upstream", "nodes.end.parameters.url: characters 3-4")],
        "does not run before",
    ),
    "own reference": (
        document("f", f=fetch(url="{{ f }}")),
        [("reference.itself", "nodes.f.parameters.url: characters 3-4")],
        "its own result",
    ),
    "no element": (
        document("f", f=fetch(url="{{ index }}")),
        [("reference.no_element", "nodes.f.parameters.url: characters 3-8")],
        "each",
    ),
    "not a schema": (
        document("a", inputs={"type": "object", "properties": {"n": {"type": "number!"}}}),
        [("inputs.invalid_schema", "inputs.properties.n.type")],
        "2020-12",
    ),
    "not for an object": (
        document("a", inputs={"type": "array"}),
        [("inputs.not_an_object", "inputs.type")],
        "object",
    ),
    "remote schema": (
        document("a", inputs={"$ref": "http://x/y", "default": {"$ref": "http://data"}}),
        [("inputs.remote_reference", 'inputs["$ref"]')],
        "$defs",
    ),
    "an input schema that refers to nothing": (
        document("a", inputs={"$defs": {"a": {}}, "allOf": [{"$ref": "#/$defs/a"}, {"$ref": "#/$defs/b"}]}),
        [("inputs.unknown_reference", 'inputs.allOf[1]["$ref"]')],
        "#/$defs/b",
    ),
    "bad pattern": (
        document("a", inputs={"properties": {"x": {"pattern": "("}}, "patternProperties": {"[": {}}}),
        [
            ("inputs.invalid_pattern", "inputs.properties.x.pattern"),
            ("inputs.invalid_pattern", "inputs.patternProperties"),
        ],
        "regular expression",
    ),
    "several at once": (
        document("a:nope b:need", "a>b b>b ghost>a", b={"parameters": {"x": 1}}),
        [
            ("node.unknown_type", "nodes.a.type"),
            ("parameter.unknown", "nodes.b.parameters.x"),
            ("edge.missing_node", "edges[2] ghost.out -> a.in"),
            ("graph.self_edge", "nodes.b"),
            ("port.two_values", "nodes.b.ports.in"),
        ],
        "plugin",
    ),
    "ports of wrong parameters are not guessed": (
        document("w:switch a", "w.x>a", w={"parameters": {"cases": 5}}),
        [("parameter.invalid", "nodes.w.parameters.cases")],
        "list",
    ),
}


def test_fields_that_no_input_can_meet_are_warned_of() -> None:
    fields = {
        "few": {"minimum": 3, "maximum": 2, "default": 2},
        "none": {"enum": []},
        "day": {"$ref": "#/$defs/day", "default": "x"},
        "when": {"type": "string", "format": "date", "default": "tomorrow"},
        "moment": {"type": "string", "format": "date-time", "default": "2026-01-02T10:00"},
        "circle": {"$ref": "#/properties/circle", "default": 1},
    }
    problems = validate(
        document("a", inputs={"$defs": {"day": {"type": "integer"}}, "properties": fields}), SHAPES
    )
    assert errors_of(problems) == []
    assert told(problems) == [
        ("inputs.crossed_limits", "inputs.properties.few.maximum"),
        ("inputs.unfit_default", "inputs.properties.few.default"),
        ("inputs.no_choices", "inputs.properties.none.enum"),
        ("inputs.unfit_default", "inputs.properties.day.default"),
        ("inputs.unfit_default", "inputs.properties.when.default"),
    ]


def test_an_input_gets_the_defaults_of_what_it_leaves_out() -> None:
    schema = {"properties": {"a": {"default": 1}, "b": {"default": None}, "c": {}, "d": True}}
    assert with_defaults(schema, {"a": 2}) == {"a": 2, "b": None}
    assert with_defaults(schema, [1]) == [1] and with_defaults({}, {}) == {}


@pytest.mark.parametrize(("case", "expected", "words"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong(case: WorkflowDocument, expected: list[tuple[str, str]], words: str) -> None:
    problems = validate(case, SHAPES)
    assert told(problems) == expected
    assert errors_of(problems) == problems
    assert any(words in str(problem) for problem in problems)
    assert all(problem.hint and problem.message.endswith((".", "?")) for problem in problems)
    with pytest.raises(InvalidError) as refusal:
        require_valid(case, SHAPES)
    assert [*refusal.value.problems] == problems


WARNINGS: dict[str, tuple[WorkflowDocument, list[tuple[str, str]]]] = {
    "older type": (
        document("f", f=fetch() | {"type_version": 1}),
        [("node.older_version", "nodes.f.type_version")],
    ),
    "not triggered": (document("s:start a"), [("graph.not_triggered", "nodes.a")]),
    "error port unused": (
        document("a", a={"policies": {"on_error": "port"}}),
        [("node.error_unused", "nodes.a.policies.on_error")],
    ),
    "branch of a disabled node": (
        document("i:if a b", "i.true>a i.false>b", i={"disabled": True}),
        [("edge.from_disabled", "edges[1] i.false -> b.in")],
    ),
}


@pytest.mark.parametrize(("case", "expected"), WARNINGS.values(), ids=WARNINGS.keys())
def test_warnings_hinder_nobody(case: WorkflowDocument, expected: list[tuple[str, str]]) -> None:
    problems = validate(case, SHAPES)
    assert told(problems) == expected
    assert all(is_warning(problem) for problem in problems)
    require_valid(case, SHAPES)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"{", [("value.syntax", "byte 1")]),
        (b"[]", [("document.not_an_object", "")]),
        (b'{"format": 2, "nodes": 5}', [("document.newer_format", "format")]),
        (b'{"format": "1"}', [("document.invalid", "format")]),
        (b'{"node": []}', [("document.unknown_field", "node")]),
        (
            b'{"nodes": [{"id": "a"}, {"id": "B", "type": "x"}, 5], "edges": [{"source": "a"}]}',
            [
                ("document.missing", "nodes.a.type"),
                ("document.invalid", "nodes[1].id"),
                ("document.invalid", "nodes[2]"),
                ("document.missing", "edges[0].target"),
            ],
        ),
        (
            b'{"nodes": [{"id": "a", "type": "x", "policies": {"retry": {"max_attempts": 0}}}]}',
            [("document.invalid", "nodes.a.policies.retry.max_attempts")],
        ),
        (b'{"documentation": NaN}', [("value.not_finite", "byte 18")]),
    ],
)
def test_reading_what_is_no_document(data: bytes, expected: list[tuple[str, str]]) -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_document(data)
    assert told([*refusal.value.problems]) == expected


def test_reading_a_document_and_its_own_json() -> None:
    read = parse_document(b'{"nodes": [{"id": "a", "type": "t.step"}]}')
    assert read == document("a") == parse_document(read.as_json())


def test_a_flood_of_problems_is_cut_and_counted() -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_document({"nodes": [{}] * 1_000})
    assert len(refusal.value.problems) == 101
    assert "1900 more" in refusal.value.problems[-1].message


def test_a_document_over_the_limit_is_refused() -> None:
    with pytest.raises(InvalidError) as refusal:
        parse_document(b"{}" + b" " * 100, max_bytes=50)
    assert refusal.value.problem.code == "value.too_large"


def test_a_deep_schema_is_told_not_raised() -> None:
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"not": deep}
    case = document("a").model_copy(update={"inputs": deep})
    assert told(validate(case, SHAPES)) == [("inputs.too_deep", "inputs")]


_ids = st.sampled_from(["a", "b", "c", "loop", "item", "s"])
_ports = st.sampled_from(["in", "out", "body", "again", "done", "error", "true", "x"])
_texts = st.sampled_from(
    ["", "x", "{{ a }}", "{{ a.b + }}", "{{", "{{ item }}", "{{ s.x | nope }}", "http{{ b }}"]
)
_column = st.sampled_from(["name", "width", "z"])
_parameters = st.sampled_from(["url", "count", "kind", "columns", "either", "code", "cases", "z"])
_fields = st.sampled_from(["format", "nodes", "edges", "id", "type", "inputs", "settings", "source"])
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_column, inner, max_size=3),
    max_leaves=8,
)
_nodes = st.fixed_dictionaries(
    {"id": _ids, "type": st.sampled_from([*SHAPES, "t.unknown"])},
    optional={
        "parameters": st.dictionaries(_parameters, _values, max_size=4),
        "policies": st.fixed_dictionaries(
            {},
            optional={
                "on_error": st.sampled_from(["fail", "continue", "port"]),
                "each": st.fixed_dictionaries({"items": _texts}),
            },
        ),
        "disabled": st.booleans(),
        "type_version": st.integers(1, 3),
    },
)
_edges = st.fixed_dictionaries({"source": _ids, "source_port": _ports, "target": _ids, "target_port": _ports})


@settings(deadline=None)
@given(
    st.lists(_nodes, max_size=6),
    st.lists(_edges, max_size=12),
    st.dictionaries(st.sampled_from(["type", "properties", "$ref", "pattern", "enum"]), _values, max_size=3),
)
def test_validation_is_total_and_stable(
    nodes: list[dict[str, Any]], edges: list[dict[str, Any]], inputs: dict[str, Any]
) -> None:
    case = WorkflowDocument.model_validate({"nodes": nodes, "edges": edges, "inputs": inputs})
    problems = validate(case, SHAPES)
    assert problems == validate(case, SHAPES)
    assert all(problem.code and problem.message and problem.where and problem.hint for problem in problems)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_fields, inner, max_size=4),
    )
)
def test_reading_ends_in_a_document_or_in_problems(value: Any) -> None:
    try:
        assert isinstance(parse_document(value), WorkflowDocument)
    except InvalidError as error:
        assert all(problem.code.startswith(("document.", "value.")) for problem in error.problems)
