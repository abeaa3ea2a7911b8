"""Small random CSV files, read by the product and by Python's `csv`: equal, or an error with a code.

`python -m tests.fuzz csv` runs it at length; the suite runs some thousands.
"""

import csv
import io
import random

from structforge.nodes.formats.csv_options import CsvOptions
from structforge.nodes.formats.csv_structure import prepare, read_header, read_rows
from structforge.sdk import NodeError

PIECES = (
    "a",
    "b",
    "1",
    "é",
    " ",
    "#",
    "D",
    "D",
    "Q",
    "Q",
    "\n",
    "\n",
    "\r",
    "\r\n",
    "\r\r\n",
    "x" * 40,
    "QQ",
    "QDQ",
    "",
)
DELIMITERS = (",", ";", "\t", "|", "§", ":")
QUOTES = ('"', '"', '"', "'", "")


def random_file(dice: random.Random) -> tuple[str, CsvOptions]:
    """Return the text of a file and how to read it."""
    options = CsvOptions(delimiter=dice.choice(DELIMITERS), quote=dice.choice(QUOTES), has_header=False)
    pieces = [dice.choice(PIECES) for _ in range(dice.randint(1, 16))]
    text = "".join(
        {"D": options.delimiter, "Q": options.quote, "QQ": options.quote * 2}.get(p, p) for p in pieces
    )
    text = text.replace("QDQ", options.quote + options.delimiter + options.quote)
    return text, options


def expected(text: str, options: CsvOptions) -> list[list[str]] | str:
    """Return the rows as Python's `csv` gives them, or the code of the error that belongs to the file."""
    rows = list(csv.reader(io.StringIO(text, newline=""), strict=False, **_dialect(options)))
    if not any(rows):
        return "file.empty"
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True, **_dialect(options)))
    except csv.Error:
        return "file.csv_quote"
    first = next(index for index, row in enumerate(rows) if row)
    width = len(rows[first])
    if width == 1 and "\r\r\n" not in text:
        return [row or [""] for row in rows[first:]] if all(len(row) < 2 for row in rows) else "file.csv_row"
    rows = [row for row in rows if row]
    return rows if all(len(row) == width for row in rows) else "file.csv_row"


def got(text: str, options: CsvOptions) -> list[list[str]] | str:
    """Return the rows as the product reads them, or the code of its error."""
    try:
        source = prepare(text.encode(), 0, options, "file.csv")
        rows = read_rows(source, read_header(source))
    except NodeError as error:
        return error.problem.code
    return [[cell or "" for cell in row] for row in rows.frame.rows()]


def check(text: str, options: CsvOptions) -> str:
    """Return what came out, in a word. Raises: AssertionError when the two disagree."""
    right, ours = expected(text, options), got(text, options)
    assert ours == right, f"{text!r} {options}: {ours!r} instead of {right!r}"
    return ours if isinstance(ours, str) else "rows"


def _dialect(options: CsvOptions) -> dict[str, object]:
    if options.quote:
        return {"delimiter": options.delimiter, "quotechar": options.quote}
    return {"delimiter": options.delimiter, "quoting": csv.QUOTE_NONE}
