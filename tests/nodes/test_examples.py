"""Every example of a node type is run and must give what the documentation says."""

from typing import Any

import pytest

from structforge.sdk import Example, Node
from structforge.sdk.testing import run_node
from tests.support.workflows import built_in_types

CASES = [
    pytest.param(node, example, id=f"{node.type}: {example.title}")
    for node in built_in_types()
    for example in node.examples
    if example.output is not None
]


@pytest.mark.parametrize(("node", "example"), CASES)
def test_example_gives_what_it_says(node: Node[Any], example: Example) -> None:
    outcome = run_node(node, example.parameters, example.inputs, files=example.files)
    several = len(node.output_ports(example.parameters)) > 1
    assert (outcome.ports if several else outcome.value) == example.output


@pytest.mark.parametrize("node", list(built_in_types()), ids=lambda node: node.type)
def test_every_node_type_has_an_example_and_its_palette_data(node: Node[Any]) -> None:
    assert node.examples
    assert node.keywords
    assert node.icon != "box"
    assert "**Example" in node.documentation()
    for name, field in node.Parameters.model_fields.items():
        assert field.title, name
        assert field.description, name
