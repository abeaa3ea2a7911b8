"""The code in docs/node-sdk.md runs."""

import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).parents[2] / "docs" / "node-sdk.md"


def test_the_example_of_the_guide_works() -> None:
    blocks = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    names["test_initials"]()
    node = names["Initials"]()
    (example,) = node.examples
    assert names["run_node"](node, example.parameters, example.inputs).value == example.output
