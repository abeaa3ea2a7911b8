"""Types of columns: a column of texts becomes numbers only if writing those gives the same texts again.

Invariant: with type `auto` no cell loses a character; with a chosen type a cell that does not fit is an error.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from structforge.nodes.formats.csv_options import ColumnRule, Kind
from structforge.sdk.table_cells import Written

INTEGER = r"^(?:0|-?[1-9][0-9]{0,37})$"
NUMBER = r"^(?:-?(?:[1-9][0-9]*|0\.[0-9]*[1-9]|[1-9][0-9]*\.(?:0|[0-9]*[1-9]))|0|0\.0)$"
"""A number as its shortest digits are written; `3` and `3.0` are both, but not in one column."""
WHOLE, WHOLE_POINT = r"^-?[0-9]+$", r"\.0$"
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
    "integer": INTEGER,
    "decimal": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$",
    "number": r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$",
}
_SAMPLE_ROWS = 200


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
    automatic = (
        [name for name in frame.columns if rules.get(name, ColumnRule()).type == "auto"] if infer else []
    )
    plain = _signed(frame, automatic, decimal, thousands)
    kinds: dict[str, Kind] = dict.fromkeys(frame.columns, "text")
    kinds |= _recognised(plain, automatic)
    written = _ways(plain, [name for name in automatic if kinds[name] == "number"])
    for name in [name for name, way in written.items() if way == "both"]:
        kinds[name] = "text"
    pinned = [
        name
        for name, rule in rules.items()
        if rule.pinned and rule.type == "number" and name in frame.columns
    ]
    written |= _ways(_signed(frame, pinned, decimal, thousands), pinned)
    changes = [_cast(plain.get_column(name), kinds[name]) for name in automatic if kinds[name] != "text"]
    for name, rule in rules.items():
        if name in frame.columns and rule.type not in ("auto", "text"):
            changes.append(_given(frame.get_column(name), rule, decimal, thousands))
            kinds[name] = rule.kind
    ways: dict[str, Written] = {name: way for name, way in written.items() if way == "3" or way == "3.0"}
    return Typed(frame.with_columns(changes), kinds, ways)


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


def _recognised(frame: pl.DataFrame, names: Iterable[str]) -> dict[str, Kind]:
    """Return the kind of each column: guessed by its first cells, then held by all."""
    open_: dict[str, list[Kind]] = {}
    for name in names:
        sample = frame.get_column(name).drop_nulls().head(_SAMPLE_ROWS)
        open_[name] = [] if sample.is_empty() else _fitting(sample)
    found: dict[str, Kind] = {}
    while open_:
        checks = [_holds(frame, name, kinds[0]).alias(name) for name, kinds in open_.items() if kinds]
        held = frame.select(checks).row(0, named=True) if checks else {}
        for name, kinds in list(open_.items()):
            if not kinds or held[name]:
                found[name] = kinds[0] if kinds else "text"
                del open_[name]
            else:
                kinds.pop(0)
    return found


def _fitting(sample: pl.Series) -> list[Kind]:
    """Return the kinds that the first cells leave, the narrowest first."""
    frame = sample.to_frame("cells")
    kinds: tuple[Kind, ...] = ("integer", "decimal", "number", "boolean")
    return [kind for kind in kinds if frame.select(_holds(frame, "cells", kind)).item()]


def _holds(frame: pl.DataFrame, name: str, kind: Kind) -> pl.Expr:
    """Return the condition that all cells of a column are of a kind."""
    cells = pl.col(name)
    if kind == "integer":
        return cells.str.contains(INTEGER).all()
    if kind == "decimal":
        first = next(iter(frame.get_column(name).drop_nulls().head(1)))
        scale = len(first) - first.find(".") - 1
        if "." not in first or not 0 < scale < MAX_DIGITS:
            return pl.lit(value=False)
        return (
            cells.str.contains(
                rf"^(?:-?[1-9][0-9]{{0,{MAX_DIGITS - scale - 1}}}|-?0)\.[0-9]{{{scale}}}$"
            ).all()
            & ~cells.str.contains(r"^-[0.]+$").any()
        )
    if kind == "number":
        signs = cells.str.contains("-", literal=True).cast(pl.Int32) + cells.str.contains(".", literal=True)
        digits = cells.str.len_bytes() - signs
        return cells.str.contains(NUMBER).all() & (digits <= MAX_NUMBER_DIGITS).all()
    return cells.is_in(list(BOOLEANS)).all()


def _signed(frame: pl.DataFrame, names: list[str], decimal: str, thousands: str) -> pl.DataFrame:
    """Return the frame with the numbers of some columns written with a point and without groups."""
    if decimal == "." and not thousands:
        return frame
    return frame.with_columns([_plain(pl.col(name), decimal, thousands) for name in names])


def _ways(frame: pl.DataFrame, names: list[str]) -> dict[str, Written | Literal["both", ""]]:
    """Return how columns write whole numbers."""
    if not names:
        return {}
    plain = frame.select([pl.col(name).str.contains(WHOLE).any() for name in names]).row(0, named=True)
    point = frame.select([pl.col(name).str.contains(WHOLE_POINT).any() for name in names]).row(0, named=True)
    found: dict[tuple[bool, bool], Written | Literal["both", ""]] = {
        (True, True): "both", (True, False): "3", (False, True): "3.0", (False, False): "",
    }  # fmt: skip
    return {name: found[bool(plain[name]), bool(point[name])] for name in names}


def _cast(cells: pl.Series, kind: Kind) -> pl.Series:
    if kind == "integer":
        small = cells.cast(pl.Int64, strict=False)
        return small if small.null_count() == cells.null_count() else cells.cast(pl.Decimal(MAX_DIGITS, 0))
    if kind == "decimal":
        first = next(iter(cells.drop_nulls().head(1)))
        return cells.cast(pl.Decimal(MAX_DIGITS, len(first) - first.find(".") - 1))
    return cells.cast(pl.Float64) if kind == "number" else cells == "true"


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


def _given(cells: pl.Series, rule: ColumnRule, decimal: str, thousands: str) -> pl.Series:
    """Return a column in the type that was chosen. Raises: MisfitError."""
    plain = cells if rule.pinned else cells.str.strip_chars()
    if rule.type in _GIVEN:
        if decimal != "." or thousands:
            frame = plain.to_frame("cells")
            plain = frame.select(_plain(pl.col("cells"), decimal, thousands)).get_column("cells")
        patterns = _PINNED if rule.pinned else _GIVEN
        _require(cells, plain.str.contains(patterns[rule.type]), rule)
        return _numbers(cells, plain, rule).alias(cells.name)
    if rule.type == "boolean":
        words = plain if rule.pinned else plain.str.to_lowercase()
        known = BOOLEANS if rule.pinned else _GIVEN_BOOLEANS
        _require(cells, words.is_in(list(known)), rule)
        return words.is_in([word for word, value in known.items() if value])
    return _moments(cells, plain, rule)


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
