"""Large CSV files, block by block: texts become typed columns while they are still at hand.

This is for time and memory only: what comes out is what `read_rows` and `typed` give of the whole.

Invariant: a block begins and ends between rows, so a line end inside a quoted cell never ends one.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import polars as pl

from structforge.nodes.formats.column_types import (
    THREADS,
    Column,
    Guess,
    Typed,
    as_guessed,
    guesses,
    typed_column,
    typed_of,
)
from structforge.nodes.formats.csv_options import ColumnRule, CsvOptions
from structforge.nodes.formats.csv_structure import Header, Source, malformed, named, rows_between
from structforge.nodes.formats.recognition import with_decimal_sign
from structforge.sdk.table_cells import WIDE

BLOCK_BYTES = 3 << 20
MAX_QUOTED = 400_000
"""With more quoted cells it is faster to look at the whole at once."""

_Block = tuple[int, int]


def typed_in_blocks(
    source: Source,
    header: Header,
    rules: Mapping[str, ColumnRule],
    options: CsvOptions,
    *,
    size: int = BLOCK_BYTES,
) -> tuple[Typed, CsvOptions] | None:
    """Return the typed table of a file, or nothing when it has to be read as a whole: with bad rows or many quotes.

    With the table come the options, their decimal sign recognised. Raises: NodeError `file.csv_quote`; MisfitError.
    """
    blocks = list(row_blocks(source, header.body, size) or ())
    if len(blocks) < 2:
        return None
    sample = rows_between(source, header, *blocks[0])
    if sample is None:
        return None
    sample = named(sample, header.names, source)
    options = with_decimal_sign(options, sample)
    open_: dict[str, list[Guess]] = {}
    late = set()
    for name in header.names:
        cells = sample.get_column(name).alias("")
        automatic = rules.get(name, ColumnRule()).type == "auto" and options.infer_types
        if not automatic or cells.null_count() == len(cells):
            late.add(name)
        found = guesses(cells, options.decimal, options.thousands) if automatic else []
        open_[name] = [*found, Guess("text")]
    del sample, cells
    done: dict[str, Column] = {}
    while open_:
        parts = _read(source, header, blocks, {name: kinds[0] for name, kinds in open_.items()}, options)
        if parts is None:
            return None
        for name, pieces in parts.items():
            column = _joined(name, pieces)
            if column is None:
                open_[name].pop(0)
            else:
                done[name] = column
                del open_[name]
    # What was chosen, and what had no cell in the first block, is read of the whole column.
    for name in late:
        done[name] = typed_column(
            done[name].cells,
            rules.get(name, ColumnRule()),
            infer=options.infer_types,
            decimal=options.decimal,
            thousands=options.thousands,
        )
    return typed_of([done[name] for name in header.names]), options


def row_blocks(source: Source, start: int, size: int) -> Iterator[_Block] | None:
    """Return parts of the file of about `size` bytes that end between rows, or nothing with very many quotes.

    Raises: NodeError `file.csv_quote`.
    """
    cuts = _cuts(source, start, size)
    if cuts is None:
        return None
    return iter(zip([start, *cuts], [*cuts, source.end], strict=True))


def _cuts(source: Source, start: int, size: int) -> list[int] | None:
    """Return the places between rows where blocks end, without the last."""
    data, end, quote = source.data, source.end, source.options.quote.encode()
    ends_cell = (source.delimiter + "\r\n").encode()
    cuts: list[int] = []
    free = start
    place = data.find(quote, start, end) if quote else -1
    for _ in range(MAX_QUOTED):
        _cut(data, cuts, start, free, place if place >= 0 else end, size)
        if place < 0:
            return cuts
        if place > start and data[place - 1] not in ends_cell:
            place = data.find(quote, place + 1, end)
            continue
        close = data.find(quote, place + 1, end)
        while close >= 0 and data.startswith(quote, close + 1, end):
            close = data.find(quote, close + 2, end)
        if close < 0 or (close + 1 < end and data[close + 1] not in ends_cell):
            raise malformed(source, place)
        free = close + 1
        place = data.find(quote, free, end)
    return None


def _cut(data: bytes, cuts: list[int], start: int, free: int, stop: int, size: int) -> None:
    """Add the cuts that are due between `free` and `stop`, where no quoted cell is."""
    last = cuts[-1] if cuts else start
    while stop - last >= size:
        found = _row_end(data, max(free, last + size), stop)
        if found < 0 or found >= stop:
            return
        cuts.append(found)
        last = found


def _row_end(data: bytes, start: int, stop: int) -> int:
    """Return the place behind the next line end, or -1."""
    feed = data.find(b"\n", start, stop)
    if feed >= 0:
        return feed + 1
    back = data.find(b"\r", start, stop)
    # At the edge a line feed may follow, which belongs to this line end.
    return back + 1 if 0 <= back < stop - 1 else -1


def _read(
    source: Source, header: Header, blocks: list[_Block], kinds: Mapping[str, Guess], options: CsvOptions
) -> dict[str, list[Column | None]] | None:
    """Return the pieces of each column in its type, None for a piece that is not of it; nothing with a bad row."""
    passing = {
        number for number, name in enumerate(header.names) if name not in kinds or kinds[name].kind != "text"
    }

    def read(block: _Block) -> list[Column | None] | None:
        frame = rows_between(source, header, *block, passing=passing)
        if frame is None:
            return None
        frame = named(frame, header.names, source)
        return [_piece(frame.get_column(name).alias(""), guess, options) for name, guess in kinds.items()]

    parts: dict[str, list[Column | None]] = {name: [] for name in kinds}
    for columns in _in_order(read, blocks):
        if columns is None:
            return None
        for name, column in zip(kinds, columns, strict=True):
            parts[name].append(column)
    return parts


def _in_order(read, blocks: Iterable[_Block]) -> Iterator[list[Column | None] | None]:  # type: ignore[no-untyped-def]
    """Yield what `read` gives of each block; only some are read ahead, so that memory stays small."""
    with ThreadPoolExecutor(THREADS) as pool:
        ahead: deque[Future[list[Column | None] | None]] = deque()
        for block in blocks:
            ahead.append(pool.submit(read, block))
            if len(ahead) > 2 * THREADS:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _piece(cells: pl.Series, guess: Guess, options: CsvOptions) -> Column | None:
    if guess.kind == "text":
        return Column(cells, "text")
    return as_guessed(cells, guess, options.decimal, options.thousands)


def _joined(name: str, pieces: list[Column | None]) -> Column | None:
    """Return the whole column, or nothing when some piece is not of the type."""
    columns = [piece for piece in pieces if piece is not None]
    ways = {column.way for column in columns} - {None}
    if len(columns) < len(pieces) or len(ways) > 1 or "both" in ways:
        return None
    cells = [column.cells for column in columns]
    if any(piece.dtype == WIDE for piece in cells):
        cells = [piece.cast(WIDE) for piece in cells]
    return Column(pl.concat(cells).alias(name), columns[0].kind, next(iter(ways), None))
