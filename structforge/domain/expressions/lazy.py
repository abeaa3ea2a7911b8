"""Values that an expression sees as data although their content stands elsewhere and is read only when it is needed.

Invariant: a `Lazy` never leaves an evaluation: what comes out is plain JSON, or the references that were asked to be
kept. A scope without one costs nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from structforge.domain.expressions.checks import TESTS
from structforge.domain.expressions.functions import FUNCTIONS, function_named, look_up
from structforge.domain.expressions.limits import Work
from structforge.domain.expressions.problems import Absent
from structforge.domain.numbers import whole
from structforge.domain.values import JsonValue

_KINDS = frozenset(
    {"boolean", "defined", "empty", "false", "float", "integer", "list", "mapping", "none", "number", "sequence",
     "string", "true", "truthy", "undefined"}
)  # fmt: skip
"""Tests that look at the kind of a value and whether it is empty, at nothing inside it."""
_SHALLOW = frozenset({"length", "count", "first", "last", "keys", "is_empty"})
"""Functions that do not look into the items of a list or the fields of an object."""
_OF_ONE_FIELD = frozenset({"sum", "mean", "map", "join"})
"""Functions whose result depends on one field of each row, when they are given an `attribute`."""
_OF_A_ROW = frozenset({"min", "max"})
"""Functions that give the row which one field chooses."""


class Keep(Enum):
    """What becomes of lazy values in the result of an evaluation."""

    NOTHING = "nothing"
    """They are read: the result is data."""
    TABLE = "table"
    """A table that is the result itself is handed on as a reference; everything else is read."""
    INNER = "inner"
    """The result itself is read; what stands inside it is handed on as references."""
    ALL = "all"
    """All are handed on as references."""


class Lazy(ABC):
    """A value that is not a part of the scope yet."""

    @property
    @abstractmethod
    def reference(self) -> JsonValue:
        """Return what stands for the value where it travels."""

    @abstractmethod
    def content(self) -> tuple[Any, bool]:
        """Read the value: plain JSON, and whether there are references to other values inside."""

    @property
    def columns(self) -> list[str] | None:
        """Return the column names of a table; None for any other value."""
        return None

    @property
    def rows(self) -> int:
        """Return the number of rows of a table."""
        return 0

    def part(self, start: int, stop: int, columns: Sequence[str] | None = None) -> list[Any]:
        """Read some rows of a table, of all or some of its columns."""
        rows: list[Any] = self.content()[0][start:stop]
        return rows

    def cells(self, column: str) -> list[Any]:
        """Read one column of a table."""
        return [row[column] for row in self.part(0, self.rows, [column])]

    def __bool__(self) -> bool:
        return self.rows > 0 if self.columns is not None else bool(self.content()[0])


class LazyScope(dict[str, Any]):
    """The names of a step, some of which stand for values that are read when they are looked at."""

    __slots__ = ("reading",)

    def __init__(self, names: Mapping[str, Any], reading: "Reading") -> None:
        """Put lazy values in the place of the references in `names`."""
        super().__init__({name: reading.seen(value) for name, value in names.items()})
        self.reading = reading


class Reading:
    """What the evaluations of one step know of the values that are read for them."""

    def __init__(self, opened: Callable[[Any], Lazy | None], keep: Keep = Keep.NOTHING) -> None:
        """`opened` returns the value that a JSON value refers to; None when it refers to nothing."""
        self.keep = keep
        self.handed_on = False
        """A reference was handed on in a result."""
        self._opened = opened
        self._holders: dict[int, Any] = {}
        """Lists and objects with lazy values inside, by identity; held so that no other gets the same."""
        self._contents: dict[int, tuple[Lazy, Any]] = {}

    def seen(self, value: Any) -> Any:
        """Return the value with lazy values in the place of references; without any it is the same object."""
        kind = type(value)
        if kind is dict:
            lazy = self._opened(value)
            if lazy is not None:
                return lazy
            fields = {key: self.seen(item) for key, item in value.items()}
            return value if all(fields[key] is item for key, item in value.items()) else self._held(fields)
        if kind is list:
            items = [self.seen(item) for item in value]
            same = all(new is old for new, old in zip(items, value, strict=True))
            return value if same else self._held(items)
        return value

    def made(self, value: Any) -> Any:
        """Return a value that an expression just built, remembered if lazy values are inside."""
        if type(value) is not dict and type(value) is not list:
            return value
        parts = value.values() if type(value) is dict else value
        return self._held(value) if any(self._is_lazy(part) for part in parts) else value

    def whole(self, value: Any) -> Any:
        """Return the value with everything in it read."""
        if isinstance(value, Lazy):
            value = self.content(value)
        if id(value) not in self._holders:
            return value
        if type(value) is dict:
            return {key: self.whole(item) for key, item in value.items()}
        return [self.whole(item) for item in value]

    def result(self, value: Any) -> Any:
        """Return what leaves the evaluation."""
        keep = self.keep
        if keep is Keep.INNER and isinstance(value, Lazy):
            value = self.content(value)
        if keep is Keep.TABLE and isinstance(value, Lazy) and value.columns is not None:
            keep = Keep.ALL
        return self._referring(value) if keep in (Keep.INNER, Keep.ALL) else self.whole(value)

    def at(self, value: Lazy, key: object) -> Any:
        """Return a row of a table, or a field or an item of another value. Raises: Absent."""
        number = whole(key)
        if value.columns is None or number is None:
            return look_up(self.content(value) if value.columns is None else [None] * value.rows, key)
        place = number + value.rows if number < 0 else number
        if not 0 <= place < value.rows:
            raise Absent([None] * value.rows, key)
        return value.part(place, place + 1)[0]

    def sliced(self, value: Lazy, bounds: slice, work: Work) -> Any:
        """Return some items of a list, rows of a table or characters of a text."""
        if value.columns is not None:
            places = range(value.rows)[bounds]
            if places.step == 1:
                work.charge(len(places))
                return value.part(places.start, max(places.stop, places.start))
        content = self.content(value)
        work.charge(len(content))
        return self.made(content[bounds])

    def content(self, value: Lazy) -> Any:
        """Read a value, with lazy values in it where it refers to others."""
        known = self._contents.get(id(value))
        if known is None:
            found, refers = value.content()
            known = self._contents[id(value)] = (value, self.seen(found) if refers else found)
        return known[1]

    def call(self, name: str, function: Callable[..., Any], work: Work, given: list[Any], named: Any) -> Any:
        """Call a function or a test, which sees data; as little as possible of it is read."""
        first = given[0] if given else None
        if isinstance(first, Lazy) and first.columns is not None:
            found = self._of_table(name, function, work, first, given[1:], named)
            if found is not NotImplemented:
                return found
        if function is (FUNCTIONS if name in _SHALLOW else TESTS if name in _KINDS else {}).get(name):
            # What is inside does not matter, so it is not read.
            return function(work, *([self._outside(first), *given[1:]] if given else given), **named)
        if (
            name == "map"
            and type(first) is list
            and self.holds(first)
            and len(given) > 1
            and isinstance(given[1], str)
        ):
            call = function_named(given[1])
            work.charge(10 * len(given[0]))
            return [self.call(given[1], call, work, [row, *given[2:]], named) for row in given[0]]
        return function(
            work,
            *[self.whole(one) for one in given],
            **{key: self.whole(one) for key, one in named.items()},
        )

    def _of_table(
        self, name: str, function: Any, work: Work, table: Lazy, rest: list[Any], named: dict[str, Any]
    ) -> Any:
        """Answer from the facts of a table, or from a part of it; NotImplemented where that does not do."""
        if function is FUNCTIONS.get(name):
            if name in ("length", "count"):
                return table.rows
            if name == "columns":
                return list(table.columns or ())
            if name == "is_empty":
                return table.rows == 0
            if name in ("first", "last"):
                return self.at(table, 0 if name == "first" else -1)
        elif name in _KINDS and (test := TESTS[name]) is function:
            return test(work, [None] * min(table.rows, 1), *rest, **named)
        attribute = named.get("attribute", rest[0] if rest and name in ("sum", "mean") else None)
        if name not in _OF_ONE_FIELD | _OF_A_ROW or not isinstance(attribute, str):
            return NotImplemented
        column = attribute.partition(".")[0]
        if column not in (table.columns or ()) or (rest and name in _OF_A_ROW):
            return NotImplemented
        if column == attribute and name in _OF_ONE_FIELD and len(rest) <= (name != "map"):
            cells, others = (
                table.cells(column),
                {key: one for key, one in named.items() if key != "attribute"},
            )
            if name != "map":
                return function(work, cells, *(rest if name == "join" else ()), **others)
            if not set(others) - {"default"}:
                work.items(len(cells))
                work.charge(len(cells))
                return cells
        narrow = table.part(0, table.rows, [column])
        found = function(work, narrow, *rest, **named)
        if name in _OF_ONE_FIELD or found is None:
            return found
        return self.at(table, next(place for place, row in enumerate(narrow) if row is found))

    def _outside(self, value: Any) -> Any:
        return self.content(value) if isinstance(value, Lazy) else value

    def holds(self, value: Any) -> bool:
        """Tell whether a list or an object has lazy values inside."""
        return id(value) in self._holders

    def _is_lazy(self, value: Any) -> bool:
        return isinstance(value, Lazy) or id(value) in self._holders

    def _held(self, value: Any) -> Any:
        self._holders[id(value)] = value
        return value

    def _referring(self, value: Any) -> Any:
        if isinstance(value, Lazy):
            self.handed_on = True
            return value.reference
        if id(value) not in self._holders:
            return value
        if type(value) is dict:
            return {key: self._referring(item) for key, item in value.items()}
        return [self._referring(item) for item in value]
