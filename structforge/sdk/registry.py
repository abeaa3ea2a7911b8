"""The node types an installation offers. Built-ins and plugins come in through the same door.

Invariant: a type id names one class; registering another under the same id is an error, never a replacement.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from structforge.domain.connections import holds_connection
from structforge.sdk.node import Node
from structforge.sdk.parameters import fields_with


class NodeRegistry:
    """Node types by id."""

    def __init__(self, types: Iterable[type[Node[Any]]] = ()) -> None:
        self._nodes: dict[str, Node[Any]] = {}
        for node_type in types:
            self.register(node_type)

    def register(self, node_type: type[Node[Any]]) -> None:
        """Add a node type. Raises: ValueError when its id is taken or a class attribute is missing."""
        for attribute in ("type", "title", "category"):
            if not getattr(node_type, attribute, ""):
                raise ValueError(f"{node_type.__name__} needs a class attribute `{attribute}`")
        if not node_type.summary():
            raise ValueError(f"{node_type.__name__} needs a docstring: it is the documentation users read")
        misnamed = [
            name for name in fields_with(node_type.Parameters, "connection") if not holds_connection(name)
        ]
        if misnamed:
            # Who may use a connection is asked of whoever writes the node down, known or not.
            raise ValueError(
                f"{node_type.__name__}: the parameter {misnamed[0]!r} names a connection, so its name has to be"
                " `connection` or end in `_connection`"
            )
        known = self._nodes.get(node_type.type)
        if known is not None and type(known) is not node_type:
            raise ValueError(
                f"node type {node_type.type!r} is registered by {type(known).__qualname__} already"
            )
        self._nodes[node_type.type] = node_type()

    def get(self, type_id: str) -> Node[Any] | None:
        """Return the node type of that id, or None when it is not installed."""
        return self._nodes.get(type_id)

    def __getitem__(self, type_id: str) -> Node[Any]:
        return self._nodes[type_id]

    def __contains__(self, type_id: object) -> bool:
        return type_id in self._nodes

    def __iter__(self) -> Iterator[Node[Any]]:
        return iter(sorted(self._nodes.values(), key=lambda node: (node.category, node.title)))

    def __len__(self) -> int:
        return len(self._nodes)
