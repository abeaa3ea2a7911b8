"""The expression language: Jinja2's expressions over plain JSON values (docs/expressions.md).

Invariant: no Python object is reachable from an expression, data is never read as one, work and output are
bounded, and a bad reference is an `ExpressionError` with its exact position. Any layer may import it.
"""

from structforge.domain.expressions.compile import Reference
from structforge.domain.expressions.lazy import Keep, Lazy, LazyScope, Reading
from structforge.domain.expressions.problems import CODES, ExpressionError, Skipped
from structforge.domain.expressions.syntax import (
    ALLOWED_NODES,
    ParsedExpression,
    parse_expression,
    read_expression,
)
from structforge.domain.expressions.template import CompiledValue, Template, compile_value, parse

__all__ = [
    "ALLOWED_NODES",
    "CODES",
    "CompiledValue",
    "ExpressionError",
    "Keep",
    "Lazy",
    "LazyScope",
    "ParsedExpression",
    "Reading",
    "Reference",
    "Skipped",
    "Template",
    "compile_value",
    "parse",
    "parse_expression",
    "read_expression",
]
