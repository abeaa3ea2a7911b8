"""Libraries that few steps need: imported by the process that first uses them, not by every one that knows the node.

Invariant: a module with a `LazyModule` at its top still says at its top what it depends on; nothing else hides imports.
"""

from importlib import import_module
from typing import Any


class LazyModule:
    """Stands for a module until one of its names is used.

    Declare it beside the import that type checkers read: `if TYPE_CHECKING: import pyarrow as pa`, and in the `else`
    branch `pa = LazyModule("pyarrow")`. Every process loads the node types; the libraries behind some of them would
    double the memory of those that never run one.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        return getattr(import_module(self._name), attribute)
