"""The bounds of one evaluation: how much work it may take and how large what it makes may become.

Invariant: whatever an expression builds or walks was charged first, so no expression can hold up a worker.
"""

from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.problems import Fault
from structforge.domain.numbers import MAX_INTEGER_BITS
from structforge.domain.values import UNBOUNDED, digits_in, weigh

MAX_TEXT_CHARS = 1_048_576
"""Longest text an expression makes (1 MiB of characters)."""
MAX_BUILT_WEIGHT = 4 * 1_048_576
"""Heaviest list or object an expression makes: characters plus one for each value."""
MAX_WORK = 10_000_000
"""Most units of work in one evaluation: one for each character or item made or looked at."""


_FEW_VALUES = 10_000
"""So many long numbers are not too much; what weighs more is looked through for them."""


class Work:
    """Counts down the work of one evaluation."""

    __slots__ = ("exact", "left", "reading")

    def __init__(self, left: int = MAX_WORK, reading: Any = None) -> None:
        """`reading` reads the values of a `LazyScope`; none where the scope holds all of its data."""
        self.left = left
        self.reading = reading
        self.exact = False
        """An exact decimal was made, which may be in the result."""

    def charge(self, units: int) -> None:
        """Take units off. Raises: Fault `expression.too_much_work`."""
        self.left -= units
        if self.left < 0:
            raise Fault(
                "expression.too_much_work",
                sentence("The evaluation takes more than {max_work} units of work.", max_work=MAX_WORK),
                "Use a table node for work on many rows.",
            )

    def text(self, length: int) -> None:
        """Allow and charge a text of this length before it is made. Raises: Fault `expression.too_large`."""
        if length > MAX_TEXT_CHARS:
            raise Fault(
                "expression.too_large",
                sentence(
                    "The text would have {length} characters; at most {max_text_chars} are allowed.",
                    length=length,
                    max_text_chars=MAX_TEXT_CHARS,
                ),
            )
        self.charge(length)

    def items(self, count: int) -> None:
        """Allow and charge a list of this length before it is made. Raises: Fault `expression.too_large`."""
        if count > MAX_TEXT_CHARS:
            raise Fault(
                "expression.too_large",
                sentence(
                    "The list would have {count} items; at most {max_text_chars} are allowed.",
                    count=count,
                    max_text_chars=MAX_TEXT_CHARS,
                ),
            )
        self.charge(count)

    def walk(self, value: object) -> None:
        """Charge a look at all of a value, as comparing or encoding it needs. Raises: Fault."""
        if isinstance(value, str):
            self.charge(len(value))
        elif isinstance(value, list | dict):
            weight = weight_of(value, min(self.left + 1, MAX_BUILT_WEIGHT))
            if weight == UNBOUNDED:
                raise Fault(
                    "expression.too_large", "The value is too large or too deep to work on as a whole."
                )
            self.charge(weight)


def weight_of(value: object, limit: int = MAX_BUILT_WEIGHT) -> int:
    """Return `weigh`, and for what has many values the digits of its long numbers too; they may be shared."""
    weight = weigh(value, limit)
    if weight > _FEW_VALUES:
        weight += digits_in(value)
    return weight if weight <= limit else UNBOUNDED


def bounded_integer(value: int) -> int:
    """Return the integer. Raises: Fault `expression.too_large` above 4,300 digits."""
    if value.bit_length() > MAX_INTEGER_BITS:
        raise Fault("expression.too_large", "The integer would have more than 4,300 digits.")
    return value
