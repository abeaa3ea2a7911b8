"""What can be wrong with a row expression, with its row and its place.

Invariant: what the `{{ }}` language says about a cell is told as it is, after the number of the row.
"""

from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.problems import Fault
from structforge.sdk import NodeError

Span = tuple[int, int]


class RowError(Exception):
    """An expression is wrong, or fails in a row; positions are offsets in its text, rows count from 1."""

    def __init__(
        self, code: str, message: str, hint: str = "", span: Span = (0, 0), row: int = 0, **details: Any
    ) -> None:
        super().__init__(code, message, hint, span, row)
        self.code = code
        self.message = message
        self.hint = hint
        self.span = span
        self.row = row
        self.details = details

    def as_node_error(self, where: str) -> NodeError:
        """Return the error of the step."""
        start, end = self.span
        details = {"row": self.row, **self.details} if self.row else self.details
        return NodeError(
            self.code,
            self.message,
            where=f"{where}, character {start + 1}",
            hint=self.hint,
            position=start,
            end=end,
            **details,
        )


def row_error(fault: Fault, row: int, span: Span) -> RowError:
    """Return what is wrong in a row; `fault` is what the `{{ }}` language says about its cells."""
    return RowError(
        "row_expression.value",
        sentence("Row {row}: {problem}", row=row, problem=fault.message),
        fault.hint,
        span,
        row,
        reason=fault.code,
    )
