"""Row expressions: a condition or a value over the columns of a row (docs/nodes/row-expressions.md).

`temp_max - temp_min`, `upper(city)`, `price * 1.2 if qty > 10 else price`: the `{{ }}` language without braces.
Invariant: only that language compiles, no Python object is reachable, and a failure names its row and its place.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator

from structforge.domain.errors import Problem, sentence
from structforge.nodes.row_language.cells import Cells, Kind, Split
from structforge.nodes.row_language.checking import FUNCTION_NAMES, parse, problems, written
from structforge.nodes.row_language.evaluation import Evaluation, mask
from structforge.nodes.row_language.problems import RowError
from structforge.nodes.row_language.results import TooLong, to_column
from structforge.nodes.row_language.rows import Rows
from structforge.nodes.tables import Column, Table
from structforge.sdk import NodeError

__all__ = ["FUNCTIONS", "RowExpression", "check", "evaluate", "keep", "written"]

FUNCTIONS = FUNCTION_NAMES
"""Every function a row expression may call."""


def evaluate(table: Table, source: str, *, where: str) -> Column:
    """Compute the value of `source` for each row.

    Raises: NodeError `row_expression.*`, `table.unknown_column`. Running it again cannot help.
    """
    try:
        cells = _computed(table, source)
        return to_column(cells, table.height)
    except RowError as error:
        raise error.as_node_error(where) from error
    except TooLong as error:
        raise NodeError(
            "row_expression.too_long",
            sentence("Row {row}: the result has more than 38 digits.", row=error.index + 1),
            where=where,
            hint="Write it as text, as in `text(a * b)`, or round it.",
            row=error.index + 1,
        ) from error


def keep(table: Table, source: str, *, where: str) -> Table:
    """Return the rows for which `source` is true; null is not.

    Raises: as `evaluate`, and NodeError `row_expression.not_a_condition` when it gives no true and false.
    """
    try:
        cells = _computed(table, source)
    except RowError as error:
        raise error.as_node_error(where) from error
    kinds = {part.cells.kind for part in cells.parts} if isinstance(cells, Split) else {cells.kind}
    if kinds - {Kind.BOOLEAN, Kind.NOTHING}:
        raise NodeError(
            "row_expression.not_a_condition",
            "The expression does not give true or false.",
            where=where,
            hint="Compare the value with something, as in `qty > 10`.",
        )
    return table.with_frame(table.frame.filter(mask(cells, table.height)))


def check(source: str, columns: Mapping[str, str] | None) -> list[Problem]:
    """Return what is wrong with an expression over these columns (name to type), without computing it.

    Each problem's details hold `position` and `end`, offsets in the text. Without columns their names are not
    looked at.
    """
    try:
        found = list(problems(parse(source), columns))
    except RowError as error:
        found = [error]
    return [problem.as_node_error("").problem for problem in found]


def sound(source: str) -> str:
    """Return an expression that is right for some table. Raises: ValueError that says what is wrong."""
    for problem in check(source, None) if source.strip() else ():
        raise ValueError(
            sentence(
                "The row expression is wrong at character {position} ({problem})",
                position=problem.details["position"] + 1,
                problem=problem.message,
            )
        )
    return source


RowExpression = Annotated[str, AfterValidator(sound)]
"""The type of a parameter that holds a row expression: its mistakes are found before a run."""


def _computed(table: Table, source: str) -> Cells | Split:
    parsed = parse(source)
    for problem in problems(parsed, None if table.unknown else table.columns):
        raise problem
    return Evaluation(parsed).compute(Rows(table))
