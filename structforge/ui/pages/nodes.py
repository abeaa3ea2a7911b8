"""The documentation of node types: all by category, and one with ports, parameters and examples.

Invariant: what is shown comes from the registered class (`services/nodes.py`), so it cannot lag behind.
"""

# Views use class attributes as Reflex vars, which the type checker takes for the values they hold.
# mypy: disable-error-code="no-any-return, index, operator, attr-defined"

from typing import Any, TypedDict

import reflex as rx

from structforge.domain.errors import StructForgeError
from structforge.ui import routes
from structforge.ui.components.entry import search_line
from structforge.ui.components.glyphs import glyph
from structforge.ui.components.prose import prose
from structforge.ui.components.told import told, worded
from structforge.ui.library import (
    ExampleItem,
    NodeItem,
    ParameterItem,
    PortItem,
    entered,
    example_items,
    node_item,
    parameter_items,
    port_items,
)
from structforge.ui.locale import label_of, t
from structforge.ui.node_texts import node_text, parameter_title
from structforge.ui.services import found_nodes, services
from structforge.ui.session import visitor_of
from structforge.ui.shell import empty, notice, page_head, shell, skeleton

MAX_SEARCH_CHARACTERS = 200


class NodeGroup(TypedDict):
    """The node types of one category."""

    name: str
    nodes: list[NodeItem]


class NodesState(rx.State):
    """The node types that have the words of the search."""

    groups: list[NodeGroup] = []
    text: str = ""
    loaded: bool = False
    problem: dict[str, Any] = {}

    @rx.event
    async def enter(self) -> None:
        """Open the list."""
        await self._load()

    @rx.event
    async def search(self, text: str) -> None:
        """Narrow the list."""
        self.text = entered(text, MAX_SEARCH_CHARACTERS)
        await self._load()

    async def _load(self) -> None:
        visitor = await visitor_of(self)
        if visitor is None:
            self.groups = []
            return
        try:
            found = found_nodes(visitor.principal, self.text)
        except StructForgeError as error:
            self.problem, self.loaded = error.problem.as_json(), True
            return
        groups: dict[str, list[NodeItem]] = {}
        for described in found:
            groups.setdefault(described["category"], []).append(node_item(described))
        self.groups = [{"name": name, "nodes": nodes} for name, nodes in groups.items()]
        self.problem, self.loaded = {}, True


class NodeDocState(rx.State):
    """The node type being read about."""

    state: str = "loading"
    """`loading`, `shown`, `missing` or `broken`."""
    problem: dict[str, Any] = {}
    node: NodeItem = {"type": "", "title": "", "summary": "", "category": "", "icon": ""}
    version: int = 1
    text: str = ""
    effect: str = ""
    execution: str = ""
    inputs: list[PortItem] = []
    outputs: list[PortItem] = []
    parameters: list[ParameterItem] = []
    examples: list[ExampleItem] = []

    @rx.event
    async def enter(self) -> None:
        """Open the page of the node type in the address."""
        visitor = await visitor_of(self)
        if visitor is None:
            self.state = "loading"
            return
        try:
            found = services().api.nodes.describe(visitor.principal, str(self.node_type))
        except StructForgeError as error:
            self.state = "missing" if error.status == 404 else "broken"
            self.problem = error.problem.as_json()
            return
        self.node = node_item(found)
        self.version = found["version"]
        # The first paragraph stands in the head already.
        self.text = found["documentation"].removeprefix(found["summary"]).strip()
        self.effect, self.execution = found["effect"], found["execution"]
        self.inputs = port_items(found["inputs"], inputs=True)
        self.outputs = port_items(found["outputs"], inputs=False)
        self.parameters = parameter_items(found["parameters"])
        self.examples = example_items(found["examples"])
        self.state = "shown"


def _icon(node: Any, size: int) -> rx.Component:
    return rx.el.span(
        rx.el.span(glyph(name=node["icon"], size=size), class_name="cv-icon"),
        class_name="tone-" + node["category"].to(str),
    )


def _card(node: rx.Var[NodeItem]) -> rx.Component:
    return rx.el.li(
        rx.el.a(
            _icon(node, 18),
            rx.el.div(
                rx.el.strong(node_text(node["type"], "title", node["title"])),
                rx.el.div(
                    prose(text=node_text(node["type"], "summary", node["summary"])), class_name="muted small"
                ),
                class_name="node-card-text",
            ),
            href=routes.NODES + "/" + node["type"].to(str),
            class_name="card node-card",
        )
    )


def _group(group: rx.Var[NodeGroup]) -> rx.Component:
    return rx.el.section(
        rx.el.h2(label_of("category", group["name"])),
        rx.el.ul(rx.foreach(group["nodes"].to(list[NodeItem]), _card), class_name="node-cards"),
        class_name="node-group",
    )


def nodes_page() -> rx.Component:
    """The page of all node types."""
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=NodesState.enter)
    return shell(
        page_head(
            t("nodes.title"),
            t("nodes.lead"),
            search_line(value=NodesState.text, label=t("nodes.search"), on_search=NodesState.search),
        ),
        rx.cond(NodesState.problem, notice(t("nodes.error"), rx.el.p(told(NodesState.problem)), retry)),
        rx.cond(
            NodesState.loaded,
            rx.cond(
                NodesState.groups.length() > 0,
                rx.el.div(rx.foreach(NodesState.groups, _group), class_name="stack wide-gap"),
                rx.el.section(empty("search-x", t("nodes.none"), t("nodes.none_hint")), class_name="card"),
            ),
            skeleton(),
        ),
    )


def _port_row(port: rx.Var[PortItem]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(rx.el.code(port["name"])),
        rx.el.td(rx.el.span(worded("type:" + port["type"].to(str), port["type"]), class_name="chip")),
        rx.el.td(
            prose(text=port["description"], name=port["description"]),
            rx.cond(port["optional"], rx.el.span(" ", t("node.optional"), class_name="muted")),
            rx.cond(port["many"], rx.el.span(" ", t("node.many"), class_name="muted")),
        ),
    )


def _table(headings: tuple[str, ...], rows: rx.Component, label: str) -> rx.Component:
    return rx.el.div(
        rx.el.table(
            rx.el.thead(rx.el.tr(*(rx.el.th(t(key), scope="col") for key in headings))),
            rx.el.tbody(rows),
            class_name="data doc-table",
        ),
        class_name="table-wrap",
        role="region",
        aria_label=t(label),
        tab_index=0,
    )


def _ports(title: str, ports: Any, none: str) -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h2(t(title)), class_name="card-head"),
        rx.cond(
            ports.length() > 0,
            _table(("node.name", "node.type", "node.what"), rx.foreach(ports, _port_row), title),
            rx.el.p(t(none), class_name="pad-text muted"),
        ),
        class_name="card",
    )


def _parameter_row(parameter: rx.Var[ParameterItem]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            rx.el.span(parameter_title(parameter["title"]), class_name="strong"),
            rx.el.div(parameter["name"], class_name="mono small muted"),
        ),
        rx.el.td(rx.el.code(parameter["type"], class_name="type-text")),
        rx.el.td(
            rx.cond(
                parameter["required"],
                rx.el.span(t("node.required"), class_name="chip strong-chip"),
                rx.cond(
                    parameter["default"] != "", rx.el.code(parameter["default"], class_name="type-text"), "–"
                ),
            )
        ),
        rx.el.td(prose(text=parameter["description"], name=parameter["description"])),
    )


def _example_part(label: str, text: rx.Var[str]) -> rx.Component:
    return rx.cond(
        text != "",
        rx.el.div(
            rx.el.h4(t(label)), rx.el.pre(text, class_name="value", tab_index=0), class_name="example-part"
        ),
    )


def _example(example: rx.Var[ExampleItem]) -> rx.Component:
    return rx.el.section(
        rx.el.div(rx.el.h3(told(example["title"])), class_name="card-head"),
        rx.el.div(
            _example_part("node.parameters", example["parameters"]),
            _example_part("node.inputs", example["inputs"]),
            _example_part("node.output", example["output"]),
            class_name="example",
        ),
        class_name="card",
    )


def _doc() -> rx.Component:
    node = NodeDocState.node
    return rx.el.article(
        rx.el.nav(
            rx.el.a(t("nodes.title"), href=routes.NODES),
            rx.el.span("/"),
            rx.el.span(node_text(node["type"], "title", node["title"])),
            class_name="crumbs",
            aria_label=t("app.breadcrumbs"),
        ),
        rx.el.header(
            _icon(node, 24),
            rx.el.div(
                rx.el.h1(node_text(node["type"], "title", node["title"])),
                prose(text=node_text(node["type"], "summary", node["summary"])),
                class_name="titles",
            ),
            rx.el.span(label_of("category", node["category"]), class_name="chip"),
            rx.el.code(node["type"], class_name="chip"),
            class_name="page-head doc-head",
        ),
        rx.el.div(
            rx.cond(
                NodeDocState.text != "",
                rx.el.section(
                    prose(text=NodeDocState.text, name="doc:" + node["type"].to(str)), class_name="card pad"
                ),
            ),
            rx.el.div(
                _ports("node.inputs", NodeDocState.inputs, "node.no_inputs"),
                _ports("node.outputs", NodeDocState.outputs, "node.no_outputs"),
                class_name="two",
            ),
            rx.el.section(
                rx.el.div(rx.el.h2(t("node.parameters")), class_name="card-head"),
                rx.cond(
                    NodeDocState.parameters.length() > 0,
                    _table(
                        ("node.name", "node.type", "node.default", "node.what"),
                        rx.foreach(NodeDocState.parameters, _parameter_row),
                        "node.parameters",
                    ),
                    rx.el.p(t("node.no_parameters"), class_name="pad-text muted"),
                ),
                class_name="card",
            ),
            rx.el.section(
                rx.el.dl(
                    rx.el.div(
                        rx.el.dt(t("node.effect")),
                        rx.el.dd(label_of("effect", NodeDocState.effect)),
                        class_name="fact",
                    ),
                    rx.el.div(
                        rx.el.dt(t("node.execution")),
                        rx.el.dd(label_of("execution", NodeDocState.execution)),
                        class_name="fact",
                    ),
                    rx.el.div(rx.el.dt(t("run.version")), rx.el.dd(NodeDocState.version), class_name="fact"),
                    class_name="facts",
                ),
                class_name="card pad",
            ),
            rx.cond(NodeDocState.examples.length() > 0, rx.el.h2(t("node.examples"))),
            rx.foreach(NodeDocState.examples, _example),
            class_name="stack",
        ),
    )


def node_page() -> rx.Component:
    """The page of one node type."""
    back = rx.el.a(t("nodes.back"), href=routes.NODES, class_name="btn")
    retry = rx.el.button(t("app.retry"), type="button", class_name="btn", on_click=NodeDocState.enter)
    return shell(
        rx.match(
            NodeDocState.state,
            ("shown", _doc()),
            ("missing", empty("search-x", t("node.missing"), t("node.missing_hint"), back)),
            ("broken", notice(t("nodes.error"), rx.el.p(told(NodeDocState.problem)), retry)),
            skeleton(),
        )
    )
