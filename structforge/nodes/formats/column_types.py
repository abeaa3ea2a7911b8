"""Types of columns: a column of texts becomes numbers only if writing those gives the same texts again.

Invariant: with type `auto` no cell loses a character; with a chosen type a cell that does not fit is an error.
"""

import os
import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

import polars as pl

from structforge.domain.expressions.problems import Fault
from structforge.domain.moments import MomentError
from structforge.nodes.dates import iso_texts
from structforge.nodes.formats.csv_options import ColumnRule, Kind
from structforge.nodes.row_language.operations import CellFault
from structforge.sdk.table_cells import WIDE, Written

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
_CODES = (
    "EUR|USD|GBP|CHF|CNY|RMB|JPY|KRW|INR|RUB|BRL|CAD|AUD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|RON|BGN|TRY|ILS|ZAR|MXN|SGD|HKD|TWD|"
    "THB|IDR|MYR|PHP|VND|AED|SAR|EGP|UAH|ISK|ARS|CLP|COP|PEN"
)
_CURRENCY = rf"(\p{{Sc}}|\b(?:{_CODES})\b|元|円|zł|Kč|kr\b)"
_SPELLED = r"[^0-9.,eE+-]|[-+]$"
"""What a number as programs write it has not."""
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9:.]+)?$"
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


Way = Written | Literal["both"] | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column in its type."""

    cells: pl.Series
    kind: Kind
    way: Way = None
    """How it writes whole numbers, of a column of numbers."""


@dataclass(frozen=True, slots=True)
class Guess:
    """A type that a column may have."""

    kind: Kind
    scale: int = 0
    """Decimals, of a decimal."""


class MisfitError(Exception):
    """A cell does not fit the type its column is read as."""

    def __init__(
        self, row: int, column: str, cell: str, rule: ColumnRule, reason: Fault | None = None
    ) -> None:
        super().__init__(column)
        self.reason = reason
        self.row = row
        self.column = column
        self.cell = cell
        self.rule = rule


class PatternError(Exception):
    """The pattern chosen for a column is none that dates are read by."""

    def __init__(self, column: str, reason: MomentError) -> None:
        super().__init__(column)
        self.column = column
        self.reason = reason


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

    def read(cells: pl.Series) -> Column:
        rule = rules.get(cells.name, ColumnRule())
        return typed_column(cells, rule, infer=infer, decimal=decimal, thousands=thousands)

    # The work on a column leaves Python, so threads share the cores.
    with ThreadPoolExecutor(THREADS) as pool:
        columns = list(pool.map(read, frame.get_columns()))
    return typed_of(columns)


def typed_of(columns: list[Column]) -> Typed:
    """Return columns as a frame with what is known of them."""
    ways: dict[str, Written] = {
        column.cells.name: column.way for column in columns if column.way == "3" or column.way == "3.0"
    }
    frame = pl.DataFrame([column.cells for column in columns])
    return Typed(frame, {column.cells.name: column.kind for column in columns}, ways)


def typed_column(
    cells: pl.Series, rule: ColumnRule, *, infer: bool = True, decimal: str = ".", thousands: str = ""
) -> Column:
    """Return one column in the type of its rule. Raises: MisfitError."""
    # Without its name: polars takes one such as `^a.*$` for a pattern, also in methods of series.
    bare = cells.alias("")
    try:
        if rule.type != "auto":
            column = _given(bare, rule, decimal, thousands)
        else:
            column = _recognised(bare, decimal, thousands) if infer else Column(bare, "text")
    except MisfitError as error:
        raise MisfitError(error.row, cells.name, error.cell, rule) from error
    return replace(column, cells=column.cells.alias(cells.name))


def recognised_decimal_sign(frame: pl.DataFrame) -> str:
    """Return the decimal sign that columns of texts use: a comma where nothing else makes sense."""
    votes = {".": 0, ",": 0}
    head = frame.head(1_000)
    for name in head.columns:
        cells = head.get_column(name).alias("").drop_nulls()
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


def _recognised(cells: pl.Series, decimal: str, thousands: str) -> Column:
    """Return a column in the narrowest type that loses nothing; one without cells fits every other."""
    if cells.null_count() == len(cells):
        return Column(pl.Series(cells.name, [None], pl.Null).new_from_index(0, len(cells)), "text")
    for guess in guesses(cells, decimal, thousands):
        found = as_guessed(cells, guess, decimal, thousands)
        if found is not None and found.way != "both":
            return found
    return Column(cells, "text")


def guesses(cells: pl.Series, decimal: str = ".", thousands: str = "") -> list[Guess]:
    """Return the types that the first cells of a column leave, the narrowest first, without text; none without cells.

    Most columns are told apart by these, which costs nothing.
    """
    known = _signed(cells.drop_nulls().head(_SAMPLE_ROWS), decimal, thousands)
    if not len(known):
        return []
    kinds = (Guess(kind, _scale(known) if kind == "decimal" else 0) for kind in _KINDS)
    return [guess for guess in kinds if _holds(known, guess)]


def as_guessed(cells: pl.Series, guess: Guess, decimal: str = ".", thousands: str = "") -> Column | None:
    """Return a column in a type, or nothing when some cell is not of it."""
    plain = _signed(cells, decimal, thousands)
    found = _cast(plain, guess)
    # The cast alone refuses most of what does not fit, also a cell with line ends, in which the pattern sees several.
    if found.null_count() != cells.null_count() or not _holds(plain, guess, found):
        return None
    return Column(found.alias(cells.name), guess.kind, _way(plain, found) if guess.kind == "number" else None)


def _holds(cells: pl.Series, guess: Guess, found: pl.Series | None = None) -> bool:
    """Tell whether all cells of a column are written as a type writes them; `found` are the cells in that type."""
    if cells.null_count() == len(cells):
        return True
    if guess.kind == "integer":
        if found is not None and found.dtype == pl.Int64:
            # A zero or plus in front makes a text longer than the number is, and nothing makes one shorter.
            return int(cells.str.len_bytes().sum()) == _written_bytes(found)
        return _all(cells, INTEGER)
    longest = cells.str.len_bytes().max()
    assert isinstance(longest, int)
    if guess.kind == "decimal":
        digits = longest - 1
        fits = digits <= MAX_DIGITS or digits - _any_starts(cells, "-") <= MAX_DIGITS
        if not fits or not 0 < guess.scale < MAX_DIGITS:
            return False
        if found is not None:
            return bool((found.cast(pl.String) == cells).all())
        return _all(cells, _decimal_pattern(guess.scale))
    if guess.kind == "number":
        if not _all(cells, NUMBER):
            return False
        if longest <= MAX_NUMBER_DIGITS:
            return True
        return bool((cells.str.replace_all("[-.]", "").str.len_bytes() <= MAX_NUMBER_DIGITS).all())
    return bool(cells.is_in(list(BOOLEANS)).all())


def _written_bytes(numbers: pl.Series) -> int:
    """Return how many characters integers of 64 bits have together as they are written."""
    smallest, largest = numbers.min(), numbers.max()
    assert isinstance(smallest, int) and isinstance(largest, int)
    total = len(numbers) - numbers.null_count() + int((numbers < 0).sum())
    for power in (10**digits for digits in range(1, 19)):
        if power <= largest:
            total += int((numbers >= power).sum())
        if -power >= smallest:
            total += int((numbers <= -power).sum())
    return total


def _decimal_pattern(scale: int) -> str:
    """Return the pattern of numbers with so many decimals; `-0.00` is none, as it would lose its sign."""
    negative = "|".join(f"0{{{zeros}}}[1-9][0-9]{{{scale - 1 - zeros}}}" for zeros in range(scale))
    return rf"(?:-?[1-9][0-9]*|0)\.[0-9]{{{scale}}}|-0\.(?:{negative})"


def _any_starts(cells: pl.Series, *signs: str) -> bool:
    return any(cells.str.starts_with(sign).any() for sign in signs)


def _all(cells: pl.Series, pattern: str) -> bool:
    """Tell whether every cell is of the pattern: one match over all, which is much faster than one for each."""
    joined = cells.str.join("\n")
    return bool(joined.str.contains(rf"\A(?:(?:{pattern})(?:\n|\z))*\z").item())


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


def _way(cells: pl.Series, found: pl.Series) -> Way:
    """Return how a column of numbers writes whole ones; nothing where there is none. `found` are the numbers."""
    cells = cells.filter(found == found.floor())
    if not len(cells):
        return None
    plain, point = _some(cells, WHOLE), _some(cells, WHOLE_POINT)
    if plain and point:
        return "both"
    return "3" if plain else "3.0" if point else None


def _cast(cells: pl.Series, guess: Guess) -> pl.Series:
    if guess.kind == "integer":
        small = cells.cast(pl.Int64, strict=False)
        return small if small.null_count() == cells.null_count() else cells.cast(WIDE, strict=False)
    if guess.kind == "decimal":
        return cells.cast(pl.Decimal(MAX_DIGITS, guess.scale), strict=False)
    return cells.cast(pl.Float64, strict=False) if guess.kind == "number" else cells == "true"


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


def _given(cells: pl.Series, rule: ColumnRule, decimal: str, thousands: str) -> Column:
    """Return a column in the type that was chosen or pinned. Raises: MisfitError."""
    if rule.type == "text":
        return Column(cells, "text")
    if not rule.pinned:
        # Programs that quote every cell write `""` for no value: a number or a date it cannot be.
        cells = cells.set((cells.str.strip_chars() == "").fill_null(False), None)
    plain = cells if rule.pinned else cells.str.strip_chars()
    if rule.type in _GIVEN:
        if not rule.pinned:
            plain = _accounting(cells, plain, thousands, rule)
        plain = _signed(plain, decimal, thousands)
        _require(cells, plain.str.contains((_PINNED if rule.pinned else _GIVEN)[rule.type]), rule)
        numbers = _numbers(cells, plain, rule).alias(cells.name)
        if rule.type == "number" and numbers.dtype != pl.Float64:
            return Column(numbers, "decimal")
        way = _way(plain, numbers) if rule.type == "number" else None
        return Column(numbers, rule.kind, None if way == "both" else way)
    if rule.type == "boolean":
        words = plain if rule.pinned else plain.str.to_lowercase()
        known = BOOLEANS if rule.pinned else _GIVEN_BOOLEANS
        _require(cells, words.is_in(list(known)), rule)
        return Column(words.is_in([word for word, value in known.items() if value]), "boolean")
    return Column(_moments(cells, rule), rule.kind)


def _accounting(cells: pl.Series, plain: pl.Series, thousands: str, rule: ColumnRule) -> pl.Series:
    """Return amounts as banks write them as plain numbers: `1.5-`, `(1.5)`, `€ 1.5`, `1.5 EUR`, `−1.5`, `1 234`.

    Raises: MisfitError for a cell of another currency than the others, as that is no matter of spelling.
    """
    if not plain.str.contains(_SPELLED).any():
        return plain
    amounts = plain.str.replace_all("[\u2212\u2010\u2011\ufe63\uff0d]", "-")
    if thousands == " ":
        amounts = amounts.str.replace_all("[\u00a0\u202f\u2009]", " ")
    currency = amounts.str.extract(_CURRENCY, 1)
    known = currency.drop_nulls()
    if len(known):
        _require(cells, currency.is_null() | (currency == known[0]), rule)
        amounts = amounts.str.replace(_CURRENCY, "").str.strip_chars()
    amounts = amounts.str.replace(r"^\(([^-+]+)\)$", "-$1").str.replace(r"^([^-+](?:.*[^-+\s])?)\s*-$", "-$1")
    return amounts.str.replace(r"^([-+])\s+", "$1").str.strip_chars()


def _numbers(cells: pl.Series, plain: pl.Series, rule: ColumnRule) -> pl.Series:
    plain = plain.str.strip_prefix("+")
    if rule.type == "number":
        found = plain.cast(pl.Float64, strict=False)
        _require(cells, found.is_finite(), rule)
        kept = _keeps_digits(plain, found)
        if kept.all():
            return found
        # Binary numbers would change some of these: a chosen type is met by exact decimals, a pinned one is not met.
        _require(cells, kept if rule.pinned else plain.str.contains(_GIVEN["decimal"]), rule)
    if rule.type == "integer":
        return _cast(plain.str.replace(r"\.0+$", ""), Guess("integer"))
    scales = plain.str.extract(r"\.([0-9]*)$").str.len_bytes()
    largest = scales.max()
    scale = largest if isinstance(largest, int) else 0
    digits = plain.str.extract(r"^-?0*([0-9]*)").str.len_bytes()
    _require(cells, digits + min(scale, MAX_DIGITS + 1) <= MAX_DIGITS, rule)
    return plain.cast(pl.Decimal(MAX_DIGITS, scale))


def _keeps_digits(plain: pl.Series, found: pl.Series) -> pl.Series:
    """Tell of each number whether its shortest digits have the value that is written."""
    digits = plain.str.replace("[eE].*$", "").str.replace_all("[-.]", "").str.strip_chars_start("0")
    kept = (digits.str.len_bytes() <= MAX_NUMBER_DIGITS).fill_null(value=True)
    doubtful = (~kept).arg_true()
    pairs = zip(plain.gather(doubtful), found.gather(doubtful), strict=True)
    return kept.scatter(doubtful, [Decimal(text) == Decimal(repr(number)) for text, number in pairs])


def _moments(cells: pl.Series, rule: ColumnRule) -> pl.Series:
    """Return dates and times as ISO 8601 texts, by the model that expressions and tables have."""
    kind: Literal["date", "datetime"] = "date" if rule.type == "date" else "datetime"
    try:
        if rule.iso and rule.pattern:
            ready = cells.str.contains(_ISO).fill_null(value=False)
            dates = iso_texts(cells.set(~ready, None), kind, "")
            return iso_texts(cells.set(ready, None), kind, rule.pattern).zip_with(~ready, dates)
        return iso_texts(cells, kind, rule.pattern)
    except CellFault as error:
        reason = error.fault
        raise MisfitError(error.index, cells.name, str(cells[error.index]), rule, reason) from error
    except MomentError as error:
        raise PatternError(cells.name, error) from error


def _require(cells: pl.Series, fits: pl.Series, rule: ColumnRule) -> None:
    """Raise MisfitError for the first cell that does not fit; empty cells always do."""
    wrong = (~fits.fill_null(value=False) & cells.is_not_null()).arg_true()
    if len(wrong):
        row = int(wrong[0])
        raise MisfitError(row, cells.name, str(cells[row]), rule)
