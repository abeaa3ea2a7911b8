"""The plugin door: the same for built-ins and packages, and shut to what fails."""

import sys
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest

from structforge.nodes import builtin
from structforge.plugins import GROUP, load_plugins, load_registry
from structforge.sdk import Inputs, Node, NodeContext, NodeRegistry
from structforge.sdk.parameters import NoParameters, Parameters, parameter


class Hello(Node[NoParameters]):
    """Says hello."""

    type = "acme.hello"
    title = "Hello"
    category = "data"

    def run(self, context: NodeContext, parameters: NoParameters, inputs: Inputs) -> Any:
        return "hello"


class Impostor(Hello):
    """Takes a name that is taken."""

    type = "table.filter"


def good(registry: NodeRegistry) -> None:
    registry.register(Hello)


def half(registry: NodeRegistry) -> None:
    registry.register(Hello)
    registry.register(Impostor)


def broken(registry: NodeRegistry) -> None:
    raise RuntimeError("no licence")


@pytest.fixture
def acme(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("acme_nodes")
    for function in (good, half, broken):
        setattr(module, function.__name__, function)
    monkeypatch.setitem(sys.modules, "acme_nodes", module)


def point(name: str, value: str) -> EntryPoint:
    return EntryPoint(name, value, GROUP)


def test_built_ins_are_there() -> None:
    assert {node.type for node in load_registry()} >= {kind.type for kind in builtin.NODE_TYPES}


@pytest.mark.usefixtures("acme")
def test_a_package_adds_node_types() -> None:
    loaded = load_plugins(points=[point("acme", "acme_nodes:good")])
    assert "acme.hello" in loaded.registry
    assert [(plugin.name, plugin.problem) for plugin in loaded.plugins] == [("builtin", None), ("acme", None)]
    assert loaded.plugins[1].node_types == ("acme.hello",)


@pytest.mark.usefixtures("acme")
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("acme_nodes:half", "registered by"),
        ("acme_nodes:broken", "no licence"),
        ("acme_nodes:missing", "missing"),
        ("acme_gone:register", "acme_gone"),
    ],
)
def test_a_plugin_that_fails_is_left_out_whole_and_told(value: str, reason: str) -> None:
    loaded = load_plugins(points=[point("acme", value), point("later", "acme_nodes:good")])
    failed, later = loaded.plugins[1:]
    assert failed.problem is not None
    assert failed.problem.code == "plugin.failed"
    assert reason in failed.problem.message
    assert later.node_types == ("acme.hello",)
    assert type(loaded.registry["table.filter"]).__module__ == "structforge.nodes.table_rows"


@pytest.mark.usefixtures("acme")
def test_a_denied_plugin_is_not_even_loaded() -> None:
    loaded = load_plugins(["acme"], points=[point("acme", "acme_nodes:broken")])
    assert [plugin.name for plugin in loaded.plugins] == ["builtin"]


def test_a_parameter_that_names_a_connection_says_so_in_its_name() -> None:
    class Stealthy(Hello):
        """Hides the connection it uses."""

        type = "acme.stealthy"

        class Parameters(Parameters):
            """Its parameters."""

            source: str = parameter(title="From", description="Where from.", widget="connection")

    with pytest.raises(ValueError, match="source"):
        NodeRegistry().register(Stealthy)
