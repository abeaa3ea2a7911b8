"""Rows and cells of CSV: pyarrow parses, a grammar finds what is no CSV.

pyarrow reads like Python's `csv`: a quote in the middle of a cell is a character of it; `\\n`, `\\r` and
`\\r\\n` end rows; blank lines are none. Two things that both let pass are refused by the grammar: a quoted
cell that is not closed, and text behind a closing quote.

Invariant: every row has as many cells as there are columns, or it is an error, or it is among the bad rows.
"""

import csv
import io
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from structforge.domain.errors import sentence
from structforge.nodes.formats.csv_options import CsvOptions
from structforge.sdk import NodeError
from structforge.sdk.lazy_module import LazyModule

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv as pcsv
else:
    pa = LazyModule("pyarrow")
    pc = LazyModule("pyarrow.compute")
    pcsv = LazyModule("pyarrow.csv")

MAX_COLUMNS = 10_000
MAX_BAD_ROWS = 100_000
_STAND_INS = tuple(chr(code) for code in (*range(0x1F, 0x0D, -1), *range(8, 0, -1)))
"""One that the file has not stands for a delimiter that is not ASCII: pyarrow knows single bytes only."""

_BLOCK_BYTES = 1 << 20
_FEW_QUOTED = 250_000
THREADS = min(4, os.cpu_count() or 1)
"""How many columns are taken over at once."""
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BLANK = re.compile(rb"[\r\n]*+")

csv.field_size_limit(2**31 - 1)


@dataclass(frozen=True)
class Source:
    """The part of a file that is rows: UTF-8 bytes from `start` to `end`."""

    data: bytes
    start: int
    end: int
    options: CsvOptions
    name: str
    """What the file is called in errors."""
    delimiter: str
    """The one byte that separates cells."""

    @property
    def cell(self) -> bytes:
        """Return the pattern of a well-formed cell, for `re`."""
        bare = rb"[^%s\r\n]*+" % re.escape(self.delimiter.encode())
        if not self.options.quote:
            return bare
        quote = re.escape(self.options.quote.encode())
        return rb"(?:%(q)s(?:[^%(q)s]|%(q)s%(q)s)*+%(q)s|(?!%(q)s)%(bare)s)" % {b"q": quote, b"bare": bare}

    @cached_property
    def has_quotes(self) -> bool:
        """Tell whether a quote character is in it."""
        quote = self.options.quote.encode()
        return bool(quote) and self.data.find(quote, self.start, self.end) >= 0

    def text(self, start: int) -> str:
        """Return the text from a byte on."""
        return str(memoryview(self.data)[start : self.end], "utf-8")

    def line(self, place: int) -> int:
        """Return the number of the line that a byte stands in, from 1."""
        data = self.data
        return data.count(b"\n", 0, place) + data.count(b"\r", 0, place) - data.count(b"\r\n", 0, place) + 1

    def reader(self, start: int) -> Any:
        """Return Python's reader over the rows from a byte on."""
        return _reader(io.StringIO(self.text(start), newline=""), self)


@dataclass(frozen=True, slots=True)
class Header:
    """The names of the columns and where the rows begin."""

    names: list[str]
    line: int
    body: int


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row with too many or too few cells."""

    index: int
    """Its place among all rows below the header, from 0."""
    count: int
    """How many cells it has."""
    text: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A CSV file as texts."""

    frame: pl.DataFrame
    """Text columns; null is an empty cell without quotes, or a missing-value word."""
    bad: list[BadRow]


def prepare(data: bytes, start: int, options: CsvOptions, name: str) -> Source:
    """Return the part of a file that is rows: without skipped, footer and comment lines.

    Raises: NodeError `file.empty`, `file.csv_delimiter`.
    """
    delimiter = options.delimiter
    if not delimiter.isascii():
        text = str(memoryview(data)[start:], "utf-8")
        delimiter = next((sign for sign in _STAND_INS if sign not in text), delimiter)
        data, start = text.replace(options.delimiter, delimiter).encode(), 0
    if len(delimiter.encode()) != 1 or delimiter in "\r\n" or delimiter == options.quote:
        raise NodeError(
            "file.csv_delimiter",
            sentence(
                "`{delimiter}` cannot separate the cells of {source}.", delimiter=delimiter, source=name
            ),
            where="parameters.delimiter",
            hint="Choose one character that is neither a line end nor the quote character.",
        )
    end = len(data)
    for _ in range(options.skip_lines):
        found = _LINE_END.search(data, start, end)
        start = end if found is None else found.end()
    for _ in range(options.footer_lines):
        end = _before_last_line(data, start, end)
    if options.comment:
        data, end = _without_comments(data, start, end, options, delimiter)
    source = Source(data, start, end, options, name, delimiter)
    if _is_blank(source, start):
        raise NodeError(
            "file.empty",
            sentence("{source} has no rows.", source=name),
            where=name,
            hint="Choose a file with at least a header row.",
        )
    return source


def read_header(source: Source) -> Header:
    """Return the header. Raises: NodeError `file.csv_header`, `file.csv_quote`, `file.csv_columns`."""
    first = _first_line(source)
    delimiter = re.escape(source.delimiter.encode())
    row = re.compile(rb"%s(?:%s%s)*+(?:\r\n|\n|\r|\Z)" % (source.cell, delimiter, source.cell))
    found = row.match(source.data, first, source.end)
    line = source.line(first)
    if found is None:
        raise malformed(source, _malformed_at(source, first) or first)
    cells = next(_reader(io.StringIO(str(found[0], "utf-8"), newline=""), source))
    if len(cells) > MAX_COLUMNS:
        raise NodeError(
            "file.csv_columns",
            sentence(
                "{source} has {count} columns; at most {most} are read.",
                source=source.name,
                count=len(cells),
                most=MAX_COLUMNS,
            ),
            where=f"line {line}",
            hint="Check the delimiter.",
            line=line,
        )
    if not source.options.has_header:
        return Header([f"column_{number}" for number in range(1, len(cells) + 1)], line, first)
    return Header(_names(cells, source, line), line, found.end())


def read_rows(source: Source, header: Header) -> Rows:
    """Return the rows below the header as texts.

    Bad rows are given apart with `ragged="collect"`, and filled up in their places with `fill`.
    Raises: NodeError `file.csv_row`, `file.csv_quote`.
    """
    width = len(header.names)
    # The grammar is checked beside the parser: neither needs Python.
    with ThreadPoolExecutor(1) as pool:
        check = pool.submit(_malformed_at, source, header.body)
        frame = _parsed(source, header, None)
        place = check.result()
    if place is not None:
        raise malformed(source, place)
    if frame is not None:
        return Rows(named(frame, header.names, source), [])
    if source.options.ragged == "error":
        raise _wrong_count(source, header)
    bad: list[BadRow] = []
    frame = _parsed(source, header, bad)
    if frame is None or len(bad) > MAX_BAD_ROWS:
        raise _wrong_count(source, header)
    if source.options.ragged == "collect":
        return Rows(named(frame, header.names, source), bad)
    longest = max(row.count for row in bad)
    names = header.names + [f"column_{number}" for number in range(width + 1, longest + 1)]
    return Rows(named(_filled(frame, bad, max(longest, width), source), distinct(names), source), [])


def rows_between(
    source: Source, header: Header, start: int, end: int, *, passing: Collection[int] = ()
) -> pl.DataFrame | None:
    """Return the rows of a part that begins and ends between rows, their columns numbered; None with a bad row.

    Of `passing` columns the texts will soon be gone: they are not copied, but hold on to more memory.
    """
    columns = [str(number) for number in range(len(header.names))]
    body = pa.py_buffer(source.data).slice(start, end - start)
    skip_blank = not _blank_is_row(source, header)
    if skip_blank and _BLANK.fullmatch(source.data, start, end):
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return _parse(
        body, columns, source, lambda _: "error", threads=False, skip_blank=skip_blank, passing=passing
    )


def line_of_row(source: Source, header: Header, index: int) -> int:
    """Return the line that the row of this index begins at, by reading again: for errors."""
    return lines_of_rows(source, header, {index}).get(index, header.line)


def lines_of_rows(source: Source, header: Header, indexes: set[int]) -> dict[int, int]:
    """Return the lines that these rows begin at."""
    found: dict[int, int] = {}
    for index, line, _ in _numbered(source, header):
        if index in indexes:
            found[index] = line
            if len(found) == len(indexes):
                break
    return found


def _numbered(source: Source, header: Header) -> Iterator[tuple[int, int, list[str]]]:
    """Yield index, line and cells of each row as Python's `csv` reads it."""
    reader = source.reader(header.body)
    first = before = source.line(header.body) - 1
    index = 0
    blank_is_row = _blank_is_row(source, header)
    for cells in reader:
        if cells or blank_is_row:
            yield index, before + 1, cells
            index += 1
        before = first + reader.line_num


def _blank_is_row(source: Source, header: Header) -> bool:
    """Tell whether a blank line is a row: in a file of one column it is the only way to write an empty cell."""
    return len(header.names) == 1 and b"\r\r\n" not in source.data


def _parsed(source: Source, header: Header, bad: list[BadRow] | None) -> pl.DataFrame | None:
    """Return all good rows, the others in `bad`; None when there are bad ones but no list for them."""
    columns = [str(number) for number in range(len(header.names))]
    if _is_blank(source, header.body) and not (_blank_is_row(source, header) and header.body < source.end):
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    wrong = False

    def handle(row: Any) -> str:
        nonlocal wrong
        wrong = True
        if bad is None or len(bad) > MAX_BAD_ROWS:
            return "error"
        bad.append(BadRow(row.number - 1, row.actual_columns, row.text))
        return "skip"

    body = pa.py_buffer(source.data).slice(header.body, source.end - header.body)
    skip_blank = not _blank_is_row(source, header)
    frame = _parse(body, columns, source, handle, threads=bad is None, skip_blank=skip_blank)
    if frame is None and not wrong:
        raise NodeError(
            "file.csv_unreadable",
            sentence("{source} cannot be split into rows.", source=source.name),
            where=source.name,
            hint="Check that it is a CSV file.",
        )
    return frame


def _parse(
    body: Any,
    columns: list[str],
    source: Source,
    handle: Callable[[Any], str],
    *,
    threads: bool = True,
    skip_blank: bool = True,
    passing: Collection[int] = (),
) -> pl.DataFrame | None:
    """Return the rows of a buffer; None when they are refused."""
    quote = source.options.quote
    parse = pcsv.ParseOptions(
        delimiter=source.delimiter,
        quote_char=quote or False,
        newlines_in_values=source.has_quotes,
        ignore_empty_lines=skip_blank,
        invalid_row_handler=handle,
    )
    convert = pcsv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        strings_can_be_null=True,
        null_values=["", *source.options.missing],
        quoted_strings_can_be_null=False,
        check_utf8=False,
    )
    # A row that is longer than a block is refused: then all is one block.
    for block in (_BLOCK_BYTES, min(len(source.data) + 1, 2**31 - 1)):
        read = pcsv.ReadOptions(column_names=columns, block_size=block, use_threads=threads)
        try:
            table = pcsv.read_csv(pa.BufferReader(body), read, parse, convert)
        except pa.ArrowInvalid as error:
            if "straddling" in str(error):
                continue
            return None
        return _frame(table, passing, threads=threads)
    return None


def _frame(table: Any, passing: Collection[int], *, threads: bool) -> pl.DataFrame:
    """Return a table of pyarrow as one of polars; threads share the columns."""

    def taken(number: int) -> Any:
        column = table.column(number)
        if number in passing:
            # Short texts are copied all the same, long ones stay where they are.
            column = column.cast(pa.string_view())
        return pl.from_arrow(column, rechunk=False)

    numbers = range(table.num_columns)
    if threads:
        with ThreadPoolExecutor(THREADS) as pool:
            columns = list(pool.map(taken, numbers))
    else:
        columns = [taken(number) for number in numbers]
    return pl.DataFrame(dict(zip(table.column_names, columns, strict=True)))


def _reader(lines: Iterable[str], source: Source) -> Any:
    if not source.options.quote:
        return csv.reader(lines, delimiter=source.delimiter, quoting=csv.QUOTE_NONE)
    return csv.reader(lines, delimiter=source.delimiter, quotechar=source.options.quote)


def named(frame: pl.DataFrame, names: list[str], source: Source) -> pl.DataFrame:
    """Give the columns their names, and cells back the delimiter that another sign stood for."""
    frame.columns = names
    if source.delimiter != source.options.delimiter:
        column = pl.all().str.replace_all(source.delimiter, source.options.delimiter, literal=True)
        frame = frame.with_columns(column)
    return frame


def _filled(frame: pl.DataFrame, bad: list[BadRow], width: int, source: Source) -> pl.DataFrame:
    """Put the bad rows into their places; each row gets `width` cells."""
    places = {row.index for row in bad}
    order = [index for index in range(frame.height + len(bad)) if index not in places]
    parts = [_widened(frame, width)]
    for count in sorted({row.count for row in bad}):
        rows = [row for row in bad if row.count == count]
        order += [row.index for row in rows]
        parts.append(_widened(_bad_frame(rows, count, source), width))
    return pl.concat(parts)[pl.Series("", order, dtype=pl.Int64).arg_sort()]


def _bad_frame(rows: list[BadRow], count: int, source: Source) -> pl.DataFrame:
    body = pa.py_buffer("\n".join(row.text for row in rows).encode())
    columns = [str(number) for number in range(count)]
    frame = _parse(body, columns, source, lambda _: "error", skip_blank=False)
    assert frame is not None
    return frame


def _widened(frame: pl.DataFrame, width: int) -> pl.DataFrame:
    missing = range(frame.width, width)
    return frame.with_columns([pl.lit(None, pl.String).alias(str(number)) for number in missing])


def _malformed_at(source: Source, start: int) -> int | None:
    """Return where the first cell stands that is not well formed, or nothing.

    Quotes are followed one by one while they are few, which is faster than to look at every byte.
    """
    if not source.options.quote:
        return None
    data, end, quote = source.data, source.end, source.options.quote.encode()
    ends_cell = (source.delimiter + "\r\n").encode()
    place = data.find(quote, start, end)
    for _ in range(_FEW_QUOTED):
        if place < 0:
            return None
        if place > start and data[place - 1] not in ends_cell:
            place = data.find(quote, place + 1, end)
            continue
        close = data.find(quote, place + 1, end)
        while close >= 0 and data.startswith(quote, close + 1, end):
            close = data.find(quote, close + 2, end)
        if close < 0 or (close + 1 < end and data[close + 1] not in ends_cell):
            return place
        place = data.find(quote, close + 1, end)
    return None if place < 0 else _malformed_by_grammar(source, place)


def _malformed_by_grammar(source: Source, place: int) -> int | None:
    """Return where the first malformed cell stands, of a file with many quotes; `place` is a quote outside cells.

    The whole is matched at once; only when that fails, a slower pattern looks for the place.
    """
    quote = source.options.quote
    before = source.data[place - 1 : place]
    start = place if before and before in (source.delimiter + "\r\n").encode() else place + 1
    letter, mark = (re.escape(part) for part in (source.delimiter, quote))
    bare = rf"[^{letter}\r\n]*"
    cell = rf"(?:[^{mark}{letter}\r\n]{bare}|{mark}(?:[^{mark}]|{mark}{mark})*{mark})?"
    first = "" if start == place else bare + rf"(?:[{letter}\r\n]|\z)"
    grammar = rf"\A{first}(?:{cell}(?:[{letter}\r\n]|\z))*\z"
    ends = pa.array([start, source.end], pa.int64()).buffers()[1]
    whole = pa.Array.from_buffers(pa.large_string(), 1, [None, ends, pa.py_buffer(source.data)])
    if pc.match_substring_regex(whole, grammar)[0].as_py():
        return None
    separator = re.escape(source.delimiter.encode())
    skipped = b"" if start == place else rb"[^%s\r\n]*+(?:[%s\r\n]|\Z)" % (separator, separator)
    found = re.compile(rb"%s(?:%s[%s\r\n])*+" % (skipped, source.cell, separator)).match(
        source.data, start, source.end
    )
    assert found is not None
    last = re.compile(source.cell + rb"\Z").match(source.data, found.end(), source.end)
    return None if last else found.end()


def malformed(source: Source, place: int) -> NodeError:
    """Build the error of a malformed cell that begins at `place`."""
    line = source.line(place)
    begin = max(source.data.rfind(end, source.start, place) for end in (b"\n", b"\r")) + 1
    column = (
        len(next(_reader([str(source.data[max(begin, source.start) : place], "utf-8")], source), [])) or 1
    )
    quote = re.escape(source.options.quote.encode())
    closed = re.compile(rb"%(q)s(?:[^%(q)s]|%(q)s%(q)s)*+%(q)s" % {b"q": quote}).match(
        source.data, place, source.end
    )
    facts: dict[str, Any] = {"line": line, "column": column, "source": source.name}
    return NodeError(
        "file.csv_quote",
        sentence("The quote in line {line}, column {column} of {source} is not closed.", **facts)
        if closed is None
        else sentence(
            "In line {line}, column {column} of {source} there is text behind the closing quote.", **facts
        ),
        where=f"line {line}",
        hint="A quote inside a quoted text is doubled. If quotes mean nothing in this file, choose no quote character.",
        line=line,
        column=column,
    )


def _wrong_count(source: Source, header: Header) -> NodeError:
    """Build the error of the first row that has too many or too few cells."""
    width = len(header.names)
    line, found = next(
        (
            (line, len(cells) or 1)
            for _, line, cells in _numbered(source, header)
            if (len(cells) or 1) != width
        ),
        (header.line, width),
    )
    return NodeError(
        "file.csv_row",
        sentence(
            "Line {line} of {source} has {count} values, but there are {columns} columns.",
            line=line,
            source=source.name,
            count=found,
            columns=width,
        ),
        where=f"line {line}",
        hint="Look for a missing or extra delimiter, or choose what happens with rows of another length.",
        line=line,
        expected=width,
        found=found,
    )


def _names(cells: list[str], source: Source, line: int) -> list[str]:
    names = named_columns([cell.strip() for cell in cells])
    if source.delimiter != source.options.delimiter:
        names = [name.replace(source.delimiter, source.options.delimiter) for name in names]
    if source.options.repeated == "number":
        return distinct(names)
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise NodeError(
                "file.csv_header",
                sentence(
                    "The header of {source} names the column `{twice}` more than once.",
                    source=source.name,
                    twice=name,
                ),
                where=f"line {line}",
                hint="Give each column a name of its own, or choose that repeated names are numbered.",
                line=line,
            )
        seen.add(name)
    return names


def named_columns(names: list[str]) -> list[str]:
    """Return the names, `column_3` for a third that is empty; never one that another column has."""
    taken = set(names)
    kept = []
    for number, name in enumerate(names, 1):
        chosen, more = name or f"column_{number}", 2
        while not name and chosen in taken:
            chosen, more = f"column_{number}_{more}", more + 1
        kept.append(chosen)
    return kept


def distinct(names: list[str]) -> list[str]:
    """Return the names, each once: with `_2`, `_3` … behind those that are taken."""
    taken = set(names)
    used: set[str] = set()
    kept = []
    for name in names:
        chosen, number = name, 2
        while chosen in used or (chosen != name and chosen in taken):
            chosen, number = f"{name}_{number}", number + 1
        used.add(chosen)
        kept.append(chosen)
    return kept


def _first_line(source: Source) -> int:
    found = _BLANK.match(source.data, source.start, source.end)
    return source.start if found is None else found.end()


def _is_blank(source: Source, start: int) -> bool:
    found = _BLANK.match(source.data, start, source.end)
    return found is None or found.end() == source.end


def _before_last_line(data: bytes, start: int, end: int) -> int:
    """Return where the last line of the part begins."""
    last = end
    if data.endswith(b"\r\n", start, end):
        last -= 2
    elif data[start:end][-1:] in (b"\n", b"\r"):
        last -= 1
    return max(start, data.rfind(b"\n", start, last) + 1, data.rfind(b"\r", start, last) + 1)


def _without_comments(
    data: bytes, start: int, end: int, options: CsvOptions, delimiter: str
) -> tuple[bytes, int]:
    """Empty the lines that begin with the prefix, outside of quoted cells; numbers of lines stay as they are."""
    prefix = re.escape(options.comment.encode())
    quote = re.escape(options.quote.encode()) if options.quote else b""
    line = rb"(?:(?<=[\r\n])|\A)%s[^\r\n]*" % prefix
    if quote:
        separator = re.escape(delimiter.encode())
        quoted = rb"(?:(?<=[%s\r\n])|\A)%s(?:[^%s]|%s%s)*+%s" % (separator, quote, quote, quote, quote, quote)
        line = rb"(%s)|%s" % (quoted, line)
    body = re.sub(line, lambda found: found[1] or b"" if quote else b"", data[start:end])
    kept = data[:start] + body
    return kept, len(kept)
