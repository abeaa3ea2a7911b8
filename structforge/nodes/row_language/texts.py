"""Kernels of the functions of texts over whole columns.

Invariant: a kernel answers only where polars and the `{{ }}` language are known to agree; letters outside ASCII and
spellings of very large or small numbers are left to the latter, once for each distinct text.
"""

from typing import Any

import polars as pl

from structforge.nodes.row_language.arithmetic import bound
from structforge.nodes.row_language.cells import DIGITS, Cells, Kind, nothing, with_scale
from structforge.nodes.row_language.comparing import rows_of
from structforge.nodes.row_language.operations import Fast

_BLANKS = "".join(chr(code) for code in range(0x3001) if chr(code).isspace())


def _text(series: pl.Series, doubtful: pl.Series | None = None) -> Fast:
    if doubtful is not None and not doubtful.any():
        doubtful = None
    return Fast(Cells(Kind.TEXT, series), doubtful)


def _foreign(series: pl.Series) -> pl.Series:
    """Return which texts have letters outside ASCII."""
    return series.str.len_bytes() != series.str.len_chars()


def upper(value: Cells) -> Fast | None:
    """Return capitals."""
    if value.kind is not Kind.TEXT:
        return None
    return _text(value.series.str.to_uppercase(), _foreign(value.series))


def lower(value: Cells) -> Fast | None:
    """Return small letters."""
    if value.kind is not Kind.TEXT:
        return None
    return _text(value.series.str.to_lowercase(), _foreign(value.series))


def trim(value: Cells, characters: Cells | None = None) -> Fast | None:
    """Return texts without blanks, or these characters, at their ends."""
    unwanted = _BLANKS if characters is None else _constant(characters)
    if value.kind is not Kind.TEXT or not isinstance(unwanted, str):
        return None
    return _text(value.series.str.strip_chars(unwanted))


def length(value: Cells) -> Fast | None:
    """Return the number of characters."""
    if value.kind is not Kind.TEXT:
        return None
    return Fast(Cells(Kind.INTEGER, value.series.str.len_chars().cast(pl.Int64)))


def text(value: Cells) -> Fast | None:
    """Return each value as text, null as the empty one."""
    found = spelled(value)
    if found is None:
        return None
    return Fast(Cells(Kind.TEXT, found.cells.series.fill_null("")), found.doubtful)


def spelled(value: Cells) -> Fast | None:
    """Return each value as JSON spells it, texts as they are, null as null."""
    match value.kind:
        case Kind.TEXT:
            return Fast(value)
        case Kind.BOOLEAN | Kind.INTEGER:
            return _text(value.series.cast(pl.String))
        case Kind.NUMBER:
            size = value.series.abs()
            plain = ((size >= 1e-4) & (size < 1e15)) | (value.series == 0)
            return _text(value.series.cast(pl.String), ~plain)
        case Kind.DECIMAL if value.scale <= DIGITS and bound(value.series) < 10**DIGITS:
            return _text(_without_zeros(with_scale(value.series, value.scale).cast(pl.String), value.scale))
    return None


def _without_zeros(digits: pl.Series, scale: int) -> pl.Series:
    """Return decimals without zeros at the end, with one after the point at least."""
    if not scale:
        return digits
    return digits.str.strip_chars_end("0").str.replace("[.]$", ".0")


def joined_texts(*parts: Cells) -> Fast | None:
    """Join values as texts; null is nothing."""
    spellings = []
    doubtful = None
    height = rows_of(*parts)
    for part in parts:
        if part.kind is Kind.NOTHING:
            continue
        found = spelled(part)
        if found is None:
            return None
        spellings.append(found.cells.spread(height).series.fill_null(""))
        if found.doubtful is not None:
            doubtful = found.doubtful if doubtful is None else doubtful | found.doubtful
    if not spellings:
        return _text(pl.Series([""]))
    return _text(pl.select(pl.concat_str(spellings)).to_series(), doubtful)


def _found(test: Any) -> Any:
    def kernel(value: Cells, part: Cells) -> Fast | None:
        height = rows_of(value, part)
        if value.kind is Kind.NOTHING:
            return Fast(nothing(height))
        if value.kind is not Kind.TEXT or part.kind is not Kind.TEXT:
            return None
        wanted = part.value() if part.constant else part.series
        if wanted is None:
            return None
        whole = value.series if len(value.series) == height else value.series.new_from_index(0, height)
        found = pl.select(test(pl.lit(whole), pl.lit(wanted))).to_series()
        return Fast(Cells(Kind.BOOLEAN, found), found.is_null() if found.null_count() else None)

    return kernel


contains = _found(lambda text, part: text.str.contains(part, literal=True))
starts_with = _found(lambda text, part: text.str.starts_with(part))
ends_with = _found(lambda text, part: text.str.ends_with(part))


def replace(value: Cells, old: Cells, new: Cells) -> Fast | None:
    """Replace every occurrence."""
    before, after = _constant(old), _constant(new)
    if value.kind is not Kind.TEXT or not isinstance(before, str) or not isinstance(after, str) or not before:
        return None
    return _text(value.series.str.replace_all(before, after, literal=True))


def substring(value: Cells, start: Cells, length: Cells | None = None) -> Fast | None:
    """Return part of a text."""
    begin, count = _whole(start), None if length is None else _whole(length)
    if (
        value.kind is not Kind.TEXT
        or begin is None
        or begin < 0
        or (length is not None and (count is None or count < 0))
    ):
        return None
    return _text(value.series.str.slice(begin, count))


def split_part(value: Cells, separator: Cells, index: Cells) -> Fast | None:
    """Return one part of a split text, null when there are not so many."""
    between, position = _constant(separator), _whole(index)
    if value.kind is not Kind.TEXT or not isinstance(between, str) or not between or position is None:
        return None
    return _text(value.series.str.split(between).list.get(position, null_on_oob=True))


def _padded(side: Any) -> Any:
    def kernel(value: Cells, width: Cells, fill: Cells | None = None) -> Fast | None:
        columns, filling = _whole(width), " " if fill is None else _constant(fill)
        if value.kind is not Kind.TEXT or columns is None or not 0 <= columns <= 1000:
            return None
        if not isinstance(filling, str) or len(filling) != 1:
            return None
        return _text(side(value.series.str, columns, filling))

    return kernel


pad_right = _padded(lambda text, width, fill: text.pad_end(width, fill))
pad_left = _padded(lambda text, width, fill: text.pad_start(width, fill))


def _constant(cells: Cells) -> Any:
    return cells.value() if cells.constant else None


def _whole(cells: Cells) -> int | None:
    value = _constant(cells)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int and abs(value) < 2**31 else None


def sliced(value: Cells, start: Cells, stop: Cells, step: Cells) -> Fast | None:
    """Return `value[start:stop]` of texts."""
    begin = 0 if _constant(start) is None else _whole(start)
    end = None if _constant(stop) is None else _whole(stop)
    plain = start.constant and stop.constant and step.constant and _constant(step) in (None, 1)
    if value.kind is not Kind.TEXT or not plain or begin is None or begin < 0:
        return None
    if _constant(stop) is not None and (end is None or end < 0):
        return None
    return _text(value.series.str.slice(begin, None if end is None else max(0, end - begin)))
