"""What can be wrong with a row expression, with its row and its place.

Invariant: what the `{{ }}` language says about a cell is told as it is, after the number of the row.
"""

from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.problems import Fault
from structforge.domain.moments import MomentError
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


_DIVIDES = frozenset({"/", "//", "%"})
_READS_NUMBERS = frozenset({"integer", "int", "number", "float", "decimal"})


def row_error(fault: Fault, row: int, span: Span, operation: str) -> RowError:
    """Return what is wrong in a row; `fault` is what the `{{ }}` language says about its cells."""
    said = sentence("Row {row}: {problem}", row=row, problem=fault.message)
    if operation in _DIVIDES and fault.message == "Division by zero.":
        return RowError("row_expression.division_by_zero", said, fault.hint, span, row)
    if isinstance(fault.__cause__, MomentError):
        return RowError("table.not_a_date", said, fault.hint, span, row)
    if fault.code == "expression.type" and operation in _READS_NUMBERS:
        return RowError("table.not_a_number", said, fault.hint, span, row)
    return RowError("row_expression.value", said, fault.hint, span, row, reason=fault.code)
