"""Columns named `a.b` as fields of one object in the column `a`: what flattening does, undone."""

from typing import Any

from structforge.domain.errors import sentence
from structforge.nodes.tables import Column, Table
from structforge.sdk import NodeError
from structforge.sdk.table_cells import json_column

_Tree = dict[str, Any]


def nested(table: Table, *, where: str) -> Table:
    """Return the table with an object for each group of columns whose names begin alike.

    Null cells are fields that are null; where all fields of an object are null, so is the object. The column of the
    object stands where the first of its fields stood. Raises: NodeError `table.nest_name`.
    """
    trees: dict[str, _Tree] = {}
    for name in table.columns:
        head, *path = name.split(".")
        if not path or not all((head, *path)):
            continue
        tree = trees.setdefault(head, {})
        for part in path[:-1]:
            tree = _branch(tree, part, name, where)
        if path[-1] in tree:
            raise _twice(name, where)
        tree[path[-1]] = name
    for head in trees:
        if head in table.columns:
            raise _twice(head, where)
    columns: dict[str, Column] = {}
    for name in table.columns:
        head = name.split(".")[0]
        if head not in trees or not all(name.split(".")):
            columns[name] = table.column(name)
        elif head not in columns:
            cells = {one: table.cells(one) for one in _leaves(trees[head])}
            objects = [_object(trees[head], cells, row) for row in range(table.height)]
            columns[head] = Column(json_column(head, objects), "object")
    return Table.of_columns(columns, height=table.height) if not table.unknown else table


def _branch(tree: _Tree, part: str, name: str, where: str) -> _Tree:
    found = tree.setdefault(part, {})
    if not isinstance(found, dict):
        raise _twice(name, where)
    return found


def _leaves(tree: _Tree) -> list[str]:
    return [
        leaf for value in tree.values() for leaf in (_leaves(value) if isinstance(value, dict) else [value])
    ]


def _object(tree: _Tree, cells: dict[str, list[Any]], row: int) -> dict[str, Any] | None:
    made = {
        name: _object(value, cells, row) if isinstance(value, dict) else cells[value][row]
        for name, value in tree.items()
    }
    return None if all(value is None for value in made.values()) else made


def _twice(name: str, where: str) -> NodeError:
    return NodeError(
        "table.nest_name",
        sentence("`{name}` would be a value and an object with fields at once.", name=name),
        where=where,
        hint="Rename one of the columns before.",
    )
