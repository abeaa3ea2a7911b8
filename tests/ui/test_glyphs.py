"""The icons that the browser knows by name."""

import re
from pathlib import Path

import structforge.ui
from structforge.plugins import load_registry

GLYPHS = Path(structforge.ui.__file__).parent / "components" / "glyphs.jsx"


def test_every_node_type_has_its_own_icon_in_the_bundle() -> None:
    known = set(re.findall(r'"?([a-z0-9-]+)"?: [A-Z]\w+', GLYPHS.read_text(encoding="utf-8")))
    used = {node.icon for node in load_registry()}
    assert len(used) > 5
    assert used - known == set()
