"""Types of columns: a column of texts becomes numbers only if writing those gives the same texts again.

Invariant: with type `auto` no cell loses a character; with a chosen type a cell that does not fit is an error.
"""

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from structforge.nodes.formats.csv_options import ColumnRule, Kind
from structforge.sdk.table_cells import Written

INTEGER = r"(?:0|-?[1-9][0-9]{0,37})"
NUMBER = r"(?:-?(?:[1-9][0-9]*|0\.[0-9]*[1-9]|[1-9][0-9]*\.(?:0|[0-9]*[1-9]))|0|0\.0)"
"""A number as its shortest digits are written; `3` and `3.0` are both, but not in one column."""
WHOLE, WHOLE_POINT = r"-?[0-9]+", r"-?[0-9]+\.0"
MAX_NUMBER_DIGITS = 15
"""Any number of so many digits comes back from binary64 as it was."""
MAX_DIGITS = 38
BOOLEANS = {"true": True, "false": False}

_GIVEN_BOOLEANS = {
    **dict.fromkeys(("true", "yes", "y", "t", "1", "on", "是", "真"), True),
    **dict.fromkeys(("false", "no", "n", "f", "0", "off", "否", "假"), False),
}
_GIVEN = {
    "integer": r"^[+-]?[0-9]{1,38}(?:\.0+)?$",
    "decimal": r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)$",
    "number": r"^[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?$",
}
_PINNED = {
    "integer": f"^{INTEGER}$",
    "decimal": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$",
    "number": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$",
}
_SAMPLE_ROWS = 200
_KINDS: tuple[Kind, ...] = ("integer", "decimal", "number", "boolean")
THREADS = min(4, os.cpu_count() or 1)
"""How many columns are read at once."""


@dataclass(frozen=True, slots=True)
class Typed:
    """A frame whose columns have their types."""

    frame: pl.DataFrame
    kinds: dict[str, Kind]
    written: dict[str, Written] = field(default_factory=dict)
    """How columns of numbers write whole ones; nothing where there is none."""


class MisfitError(Exception):
    """A cell does not fit the type its column is read as."""

    def __init__(self, row: int, column: str, cell: str, rule: ColumnRule) -> None:
        super().__init__(column)
        self.row = row
        self.column = column
        self.cell = cell
        self.rule = rule


def typed(
    frame: pl.DataFrame,
    rules: Mapping[str, ColumnRule],
    *,
    infer: bool = True,
    decimal: str = ".",
    thousands: str = "",
) -> Typed:
    """Return the frame with each column in the type of its rule, or the one that loses nothing.

    All columns are texts. Raises: MisfitError.
    """

    def read(cells: pl.Series) -> _Column:
        rule = rules.get(cells.name, ColumnRule())
        if rule.type == "auto":
            return _recognised(cells, decimal, thousands) if infer else _Column(cells, "text")
        return _given(cells, rule, decimal, thousands)

    # The work on a column leaves Python, so threads share the cores.
    with ThreadPoolExecutor(THREADS) as pool:
        columns = list(pool.map(read, frame.get_columns()))
    return Typed(
        pl.DataFrame([column.cells for column in columns]) if columns else frame,
        {column.cells.name: column.kind for column in columns},
        {column.cells.name: column.way for column in columns if column.way is not None},
    )


@dataclass(frozen=True, slots=True)
class _Column:
    """A column in its type."""

    cells: pl.Series
    kind: Kind
    way: Written | None = None


def recognised_decimal_sign(frame: pl.DataFrame) -> str:
    """Return the decimal sign that columns of texts use: a comma where nothing else makes sense."""
    votes = {".": 0, ",": 0}
    head = frame.head(1_000)
    for name in head.columns:
        cells = head.get_column(name).drop_nulls()
        if cells.is_empty():
            continue
        for sign in votes:
            pattern = rf"^-?(?:0|[1-9][0-9]*)(?:{re.escape(sign)}[0-9]+)?$"
            if not cells.str.contains(pattern).all():
                continue
            fractions = cells.filter(cells.str.contains(sign, literal=True))
            # `1,234` may be a thousand: only another number of digits tells that it is a decimal comma.
            if not fractions.str.contains(rf"[1-9]{re.escape(sign)}[0-9]{{3}}$").all():
                votes[sign] += 1
    return "," if votes[","] and not votes["."] else "."


def kind_of(dtype: pl.DataType) -> Kind:
    """Return the name of a column's type."""
    if dtype == pl.Decimal:
        return "decimal" if getattr(dtype, "scale", 0) else "integer"
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "number"
    return "boolean" if dtype == pl.Boolean else "text"


def _recognised(cells: pl.Series, decimal: str, thousands: str) -> _Column:
    """Return a column in the narrowest type that loses nothing."""
    plain = _signed(cells, decimal, thousands)
    known = plain.drop_nulls().head(_SAMPLE_ROWS)
    for kind in _KINDS if len(known) else ():
        # Most columns are told apart by their first cells, which costs nothing.
        if not _holds(known, kind) or not _holds(plain, kind):
            continue
        found = _cast(plain, kind)
        # A cell with line ends looks like several numbers to the pattern, but is none to the cast.
        if found.null_count() != cells.null_count():
            continue
        way = _way(plain) if kind == "number" else None
        if way == "both":
            break
        return _Column(found.alias(cells.name), kind, way)
    return _Column(cells, "text")


def _holds(cells: pl.Series, kind: Kind) -> bool:
    """Tell whether all cells of a column are of a kind."""
    if kind == "integer":
        return _is_integer(cells)
    if kind == "decimal":
        scale = _scale(cells)
        pattern = rf"(?:-?[1-9][0-9]{{0,{MAX_DIGITS - scale - 1}}}|-?0)\.[0-9]{{{scale}}}"
        return 0 < scale < MAX_DIGITS and _all(cells, pattern) and not _some(cells, r"-0\.0+")
    if kind == "number":
        if not _all(cells, NUMBER):
            return False
        longest = cells.str.len_bytes().max()
        if isinstance(longest, int) and longest <= MAX_NUMBER_DIGITS:
            return True
        return bool((cells.str.replace_all("[-.]", "").str.len_bytes() <= MAX_NUMBER_DIGITS).all())
    return bool(cells.is_in(list(BOOLEANS)).all())


def _is_integer(cells: pl.Series) -> bool:
    """Tell whether all cells are whole numbers as they are written: the cast refuses what is no number at all."""
    if cells.cast(pl.Int64, strict=False).null_count() == cells.null_count() and not any(
        cells.str.starts_with(sign).any() for sign in ("0", "+", "-0")
    ):
        return True
    return _all(cells, INTEGER)


def _all(cells: pl.Series, pattern: str) -> bool:
    """Tell whether every cell is of the pattern: one match over all, which is much faster than one for each."""
    joined = cells.str.join("\n")
    return bool(joined.str.contains(rf"\A(?:(?:{pattern})\n)*(?:{pattern})\z").item())


def _some(cells: pl.Series, pattern: str) -> bool:
    """Tell whether some cell is of the pattern."""
    return bool(cells.str.join("\n").str.contains(rf"(?:\A|\n)(?:{pattern})(?:\n|\z)").item())


def _scale(cells: pl.Series) -> int:
    """Return how many decimals the first cell has."""
    first = str(cells.drop_nulls().head(1)[0])
    return len(first) - first.find(".") - 1 if "." in first else 0


def _signed(cells: pl.Series, decimal: str, thousands: str) -> pl.Series:
    """Return numbers written with a point and without groups; other texts as something that is no number."""
    if decimal == "." and not thousands:
        return cells
    return cells.to_frame("cells").select(_plain(pl.col("cells"), decimal, thousands)).to_series()


def _way(cells: pl.Series) -> Written | Literal["both"] | None:
    """Return how a column of numbers writes whole ones; nothing where there is none."""
    plain, point = _some(cells, WHOLE), _some(cells, WHOLE_POINT)
    if plain and point:
        return "both"
    return "3" if plain else "3.0" if point else None


def _cast(cells: pl.Series, kind: Kind) -> pl.Series:
    if kind == "integer":
        small = cells.cast(pl.Int64, strict=False)
        if small.null_count() == cells.null_count():
            return small
        return cells.cast(pl.Decimal(MAX_DIGITS, 0), strict=False)
    if kind == "decimal":
        return cells.cast(pl.Decimal(MAX_DIGITS, _scale(cells)), strict=False)
    return cells.cast(pl.Float64, strict=False) if kind == "number" else cells == "true"


def _plain(cells: pl.Expr, decimal: str, thousands: str) -> pl.Expr:
    """Return numbers that are written with these signs as they are written with a point; other texts as they are,
    marked so that they are no numbers."""
    groups = rf"(?:[1-9][0-9]{{0,2}}(?:{re.escape(thousands)}[0-9]{{3}})+|[0-9]+)" if thousands else "[0-9]+"
    ours = rf"^[+-]?{groups}(?:{re.escape(decimal)}[0-9]+)?$"
    changed = cells.str.replace_all(thousands, "", literal=True) if thousands else cells
    if decimal != ".":
        changed = changed.str.replace(decimal, ".", literal=True)
    # A text such as `1.5` is no number where the comma is the sign.
    other = pl.when(cells.is_null()).then(None).otherwise(pl.lit("x"))
    boolean = cells.is_in(list(BOOLEANS))
    return pl.when(cells.str.contains(ours)).then(changed).when(boolean).then(cells).otherwise(other)


def _given(cells: pl.Series, rule: ColumnRule, decimal: str, thousands: str) -> _Column:
    """Return a column in the type that was chosen or pinned. Raises: MisfitError."""
    plain = cells if rule.pinned else cells.str.strip_chars()
    if rule.type == "text":
        return _Column(cells, "text")
    if rule.type in _GIVEN:
        plain = _signed(plain, decimal, thousands)
        _require(cells, plain.str.contains((_PINNED if rule.pinned else _GIVEN)[rule.type]), rule)
        way = _way(plain) if rule.type == "number" else None
        numbers = _numbers(cells, plain, rule).alias(cells.name)
        return _Column(numbers, rule.kind, None if way == "both" else way)
    if rule.type == "boolean":
        words = plain if rule.pinned else plain.str.to_lowercase()
        known = BOOLEANS if rule.pinned else _GIVEN_BOOLEANS
        _require(cells, words.is_in(list(known)), rule)
        return _Column(words.is_in([word for word, value in known.items() if value]), "boolean")
    return _Column(_moments(cells, plain, rule), rule.kind)


def _numbers(cells: pl.Series, plain: pl.Series, rule: ColumnRule) -> pl.Series:
    plain = plain.str.strip_prefix("+")
    if rule.type == "number":
        found = plain.cast(pl.Float64, strict=False)
        _require(cells, found.is_finite(), rule)
        return found
    if rule.type == "integer":
        return _cast(plain.str.replace(r"\.0+$", ""), "integer")
    scales = plain.str.extract(r"\.([0-9]*)$").str.len_bytes()
    largest = scales.max()
    scale = largest if isinstance(largest, int) else 0
    digits = plain.str.extract(r"^-?0*([0-9]*)").str.len_bytes()
    _require(cells, digits + min(scale, MAX_DIGITS + 1) <= MAX_DIGITS, rule)
    return plain.cast(pl.Decimal(MAX_DIGITS, scale))


def _moments(cells: pl.Series, plain: pl.Series, rule: ColumnRule) -> pl.Series:
    """Return dates and times as ISO 8601 texts."""
    if not rule.pattern:
        iso = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
        more = (
            "$"
            if rule.type == "date"
            else r"[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:?[0-9]{2})?$"
        )
        days = plain.str.slice(0, 10).str.to_date("%Y-%m-%d", strict=False)
        _require(cells, plain.str.contains(iso + more) & days.is_not_null(), rule)
        return plain.str.replace(" ", "T", literal=True) if rule.type == "datetime" else plain
    if rule.type == "date":
        found = plain.str.to_date(rule.pattern, strict=False)
        _require(cells, found.is_not_null(), rule)
        return found.dt.to_string("%Y-%m-%d")
    zoned = "%z" in rule.pattern
    moments = plain.str.to_datetime(
        rule.pattern, strict=False, time_unit="us", time_zone="UTC" if zoned else None
    )
    _require(cells, moments.is_not_null(), rule)
    return moments.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("Z" if zoned else ""))


def _require(cells: pl.Series, fits: pl.Series, rule: ColumnRule) -> None:
    """Raise MisfitError for the first cell that does not fit; empty cells always do."""
    wrong = (~fits.fill_null(value=False) & cells.is_not_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise MisfitError(row, cells.name, str(cells[row]), rule)
