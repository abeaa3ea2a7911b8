"""The generated reference is in the repository, complete and up to date."""

from pathlib import Path
from typing import Any

import pytest

from structforge.nodes import builtin
from structforge.nodes.reference import pages
from structforge.sdk import Node, NodeRegistry

FOLDER = Path(__file__).parents[2] / "docs" / "nodes"
REGISTRY = NodeRegistry(builtin.NODE_TYPES)


def test_the_files_are_what_the_classes_say() -> None:
    on_disk = {path.name: path.read_text() for path in FOLDER.glob("*.md")}
    assert on_disk == pages(REGISTRY), "run: python -m structforge.nodes.reference docs/nodes"


@pytest.mark.parametrize("node", list(REGISTRY), ids=lambda node: node.type)
def test_every_port_and_parameter_appears(node: Node[Any]) -> None:
    text = (FOLDER / f"{node.type}.md").read_text()
    for port in node.inputs:
        assert f"| in: `{port.name}` |" in text
    for port in node.outputs:
        assert f"| out: `{port.name}` |" in text
    for name in node.Parameters.model_fields:
        assert f"| `{name}` |" in text
    assert node.summary() in text
    assert f"`{node.type}`" in (FOLDER / "README.md").read_text()
