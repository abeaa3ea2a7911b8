"""Where a table node gets its table from: an edge, or an expression in the parameter that stands for it.

Invariant: the parameter wins over the edge, which then only says when; nested fields become columns on request only.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from structforge.domain.errors import sentence
from structforge.nodes.tables import Table, read_table
from structforge.sdk import Inputs, NodeContext, NodeError, Parameters, parameter
from structforge.sdk.context import ARTIFACT_KEY

VALUE_COLUMN = "value"
"""The only column of a table made from a list of plain values."""

ROWS_TEXT = (
    "Instead of an edge: an expression that gives a list of objects, such as `{{ fetch.body.items }}`. A list of "
    "plain values becomes the column `value`. When it is given, an edge only says when."
)
FLATTEN_TEXT = (
    "Fields of objects in cells become columns of their own: `customer.name`. Lists stay as they are."
)


class FlattenParameters(Parameters):
    """What every node has that can flatten what comes in."""

    flatten: bool = parameter(False, title="Flatten", description=FLATTEN_TEXT, advanced=True)


class RowsParameters(FlattenParameters):
    """What every node has that takes one table at its port `in`."""

    rows: Any = parameter(
        None,
        title="Rows",
        description=ROWS_TEXT,
        widget="text",
        placeholder="{{ fetch.body.items }}",
        stands_for="in",
        advanced=True,
    )


def table_from(
    context: NodeContext,
    parameters: FlattenParameters,
    inputs: Inputs,
    *,
    port: str = "in",
    name: str = "rows",
) -> Table:
    """Return the table of the parameter `name` if it is given, else that of the port.

    Raises: NodeError `table.*`, `artifact.missing`.
    """
    if parameters.given(name):
        where = f"parameters.{name}"
        return table_of(context, getattr(parameters, name), where=where, flatten=parameters.flatten)
    if port not in inputs:
        raise NodeError(
            "table.not_given",
            sentence("Nothing came in at `{port}`.", port=port),
            where=f"input {port}",
            hint="Lead an edge to the node, or give it its rows as an expression.",
        )
    return table_of(context, inputs[port], where=f"input {port}", flatten=parameters.flatten, plain=False)


def table_of(
    context: NodeContext, value: Any, *, where: str, flatten: bool = False, plain: bool = True
) -> Table:
    """Return a value as a table; with `plain` also a list of plain values. Raises: NodeError `table.*`."""
    if plain and isinstance(value, list) and value and not any(isinstance(row, dict) for row in value):
        value = [{VALUE_COLUMN: row} for row in value]
    if not flatten:
        return read_table(context, value, where=where)
    if isinstance(value, list) and all(isinstance(row, dict) for row in value):
        return read_table(context, flattened(value, where=where), where=where)
    table = read_table(context, value, where=where)
    if not table.marks:
        return table
    return read_table(context, flattened(table.rows(), where=where), where=where)


def flattened(rows: Sequence[Mapping[str, Any]], *, where: str) -> list[dict[str, Any]]:
    """Return the rows with a column for each field of the objects in them: `{"a": {"b": 1}}` gives `a.b`.

    An object without fields gives no column; where one row has null and another an object, there are only the
    columns of its fields. Raises: NodeError `table.flatten_name` when two fields get the same name.
    """
    parents: set[str] = set()
    made = [_flat(row, parents, where) for row in rows]
    only_null = {name for name in parents if all(row.get(name) is None for row in made)}
    if only_null:
        made = [{name: cell for name, cell in row.items() if name not in only_null} for row in made]
    return made


def _flat(row: Mapping[str, Any], parents: set[str], where: str) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, cell in _leaves(row, parents):
        if name in flat:
            raise NodeError(
                "table.flatten_name",
                sentence("Two fields would become the column `{name}`.", name=name),
                where=where,
                hint="Rename one of them before, or leave the fields nested.",
            )
        flat[name] = cell
    return flat


def _leaves(row: Mapping[str, Any], parents: set[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, cell in row.items():
        name = f"{prefix}{key}"
        # A reference to a file is one value, not an object with fields.
        if isinstance(cell, dict) and ARTIFACT_KEY not in cell:
            parents.add(name)
            yield from _leaves(cell, parents, f"{name}.")
        else:
            yield name, cell
