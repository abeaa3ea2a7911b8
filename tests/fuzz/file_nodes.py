"""Random bytes and random JSON through the nodes that read and write files: a value, or an error with a code.

`python -m tests.fuzz files` runs it at length; the suite runs some hundred rounds.
"""

import io
import json
import random
import zipfile
from collections import Counter
from decimal import Decimal
from typing import Any

import xlsxwriter

from structforge.domain.errors import InvalidError
from structforge.nodes.files import ReadFile, WriteFile
from structforge.sdk import NodeError
from structforge.sdk.testing import Bench

NAMES = ("a.csv", "a.tsv", "a.json", "a.jsonl", "a.xlsx", "a.xls", "a.ods", "a.txt", "a.csv.gz", "a.zip", "a")
TEXTS = ("", "a", "1", "1.50", "007", "-", "é", "中", "\U0001f600", '"', ",", "a,b", "x\ny", "\r", "=1+1", "2024-01-31",
         "2024-13-99", "true", "NULL", "1e5", "9" * 40, " ", "'", "\t", "\x01", "\ufeff", "2024-01-31T10:00:00", "0",
         "a" * 40_000)  # fmt: skip
NUMBERS = (0, 1, -1, 2**53 + 1, 2**63, -(2**63), 10**30, 10**40, 0.1, 1.5, 3.0, -0.0, 1e-7, 1e22, 1e300, 5e-324,
           Decimal("1.10"), Decimal("0.12345678901234567891"), Decimal("1e-30"), Decimal("1E+50"))  # fmt: skip
PIECES = (b"a", b"1", b",", b";", b"\t", b'"', b"\n", b"\r", b"\r\n", b"\xff", b"\xc3\xa9", b"\x00",
          b"\xef\xbb\xbf", b"\xff\xfe", b"{", b"}", b"[", b"]", b":", b"1.50", b"2024-01-31", b"PK\x03\x04",
          b"\x1f\x8b\x08", b"sep=;\n", b"#", b"\x81\x40", b"\x1f")  # fmt: skip
READ = {
    "format": ("auto", "csv", "excel", "json", "json_lines", "text"),
    "delimiter": ("auto", "tab", ",", ";", "§", " ", '"', "1", "\x1f"),
    "encoding": ("auto", "utf-8", "utf-16", "utf-16-be", "latin-1", "windows-1252", "gbk", "shift-jis",
                 "big5"),
    "decimal": ("auto", ".", ","),
    "thousands": ("", ",", ".", "'"),
    "quote": ('"', "'", "none", ",", "1"),
    "has_header": (True, False),
    "skip_lines": (0, 1, 3),
    "footer_lines": (0, 1, 3),
    "comment": ("", "#", "a", '"'),
    "ragged": ("error", "fill", "collect"),
    "repeated_headers": ("error", "number"),
    "empty_values": ((), ("NA", ""), ("1",)),
    "infer_types": (True, False),
    "sheet": ("", 1, 2, "S", "1"),
    "range": ("", "A1:B3", "B:C", "A:A", "B2", "ZZ9", "A1:ZZZ9999999"),
    "types": ((), *([{"column": "a", "type": kind, "pattern": pattern}] for kind, pattern in (
        ("integer", ""), ("decimal", ""), ("number", ""), ("boolean", ""), ("date", ""), ("date", "%d.%m.%Y"),
        ("datetime", "%Y-%m-%d %H:%M"), ("datetime", "%z"), ("date", "%Q%"), ("text", "")))),
    "recognised": (None, {}, {"columns": [{"name": "a", "type": "integer"}]}, {"format": "excel"}, {"encoding": "gbk"},
                   {"delimiter": ";", "columns": [{"name": "a", "type": "number"}, {"name": "b", "type": "boolean"}]}),
}  # fmt: skip
WRITE = {
    "format": ("auto", "csv", "excel", "json", "json_lines", "text"),
    "delimiter": (",", ";", "tab", "§", "1", ".", "e"),
    "decimal": (".", ","),
    "quoting": ("needed", "all"),
    "empty_value": ("", "NA", "1"),
    "line_end": ("lf", "crlf"),
    "bom": (True, False),
    "guard_formulas": (True, False),
    "sheet": ("Sheet1", "", "a/b", "中"),
    "dates": (True, False),
    "gzip": (True, False),
    "flatten": (True, False),
}  # fmt: skip
"""Each parameter, and what it may be."""


def options(dice: random.Random, choices: dict[str, Any], most: int) -> dict[str, Any]:
    """Return some of the parameters."""
    return {name: dice.choice(choices[name]) for name in dice.sample(list(choices), dice.randint(0, most))}


def random_bytes(dice: random.Random) -> bytes:
    """Return the content of a file: pieces, a packed or damaged file, or a sheet."""
    pieces = (
        PIECES if dice.random() < 0.3 else [piece for piece in PIECES if piece.isascii() and piece != b"\0"]
    )
    data = b"".join(dice.choice(pieces) for _ in range(dice.randint(1, 40)))
    form = dice.randrange(8)
    if form == 0:
        data = b"a,b\n" + data
    elif form == 1:
        data = b"".join(
            dice.choice(TEXTS[:-1]).encode() + dice.choice((b",", b"\n")) for _ in range(dice.randint(1, 20))
        )
    elif form == 2:
        data = _zipped(dice, data)
    elif form == 3:
        data = _sheet(dice)
    elif form == 4:
        data = dice.randbytes(dice.randint(1, 200))
    elif form == 5:
        data = json.dumps(plain(random_value(dice, 3))).encode()
    if dice.random() < 0.1 and data:
        place = dice.randrange(len(data))
        data = data[:place] + dice.randbytes(2) + data[place + 1 :]
    return data


def random_value(dice: random.Random, depth: int) -> Any:
    """Return a JSON value, often a table."""
    form = dice.randrange(10)
    if depth and form < 2:
        return [random_value(dice, depth - 1) for _ in range(dice.randrange(4))]
    if depth and form < 4:
        return {dice.choice(TEXTS[:12]): random_value(dice, depth - 1) for _ in range(dice.randrange(4))}
    if depth and form < 7:
        names = dice.sample(TEXTS[:20], dice.randrange(5))
        return [
            {
                name: random_value(dice, depth - 2) if depth > 1 else random_value(dice, 0)
                for name in names
                if dice.random() < 0.8
            }
            for _ in range(dice.randrange(5))
        ]
    return dice.choice((None, True, False, *TEXTS, *NUMBERS))


def plain(value: Any) -> Any:
    """Return the value with floats for decimals, for `json`."""
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    return {key: plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def one_round(dice: random.Random, bench: Bench) -> str:
    """Read a random file or write a random value and read it again; return what came out, in a word."""
    name = dice.choice(NAMES)
    try:
        if dice.random() < 0.6:
            (bench.files / name).write_bytes(random_bytes(dice))
            bench.run(ReadFile(), {"file": name, **options(dice, READ, 5)})
            return "read"
        value = random_value(dice, 4)
        file = bench.run(WriteFile(), {"name": name, **options(dice, WRITE, 4)}, {"in": value}).value
    except (NodeError, InvalidError) as error:
        return error.problem.code
    try:
        bench.run(ReadFile(), {"file": file, "format": dice.choice(READ["format"])})
    except NodeError as error:
        return f"written, {error.problem.code}"
    return "written"


def run(rounds: int, seed: int | str) -> Counter[str]:
    """Do so many rounds. Raises: whatever a node raises without a code, with the round's number."""
    seen: Counter[str] = Counter()
    with Bench() as bench:
        for number in range(rounds):
            dice = random.Random(f"{seed} {number}")
            try:
                seen[one_round(dice, bench)] += 1
            except BaseException as error:
                error.add_note(f"round {number} of seed {seed}")
                raise
    return seen


def _zipped(dice: random.Random, data: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for number in range(dice.randrange(3)):
            packed.writestr(f"{number}{dice.choice(NAMES)}", data)
    return buffer.getvalue()


def _sheet(dice: random.Random) -> bytes:
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name in ("S", "T")[: dice.randint(1, 2)]:
            page = book.add_worksheet(name)
            for row in range(dice.randrange(5)):
                for column in range(dice.randrange(4)):
                    cell = dice.choice((1, 1.5, "a", "", True, 45_000, "=1/0", "2024-01-31", "x" * 100))
                    page.write(row, column, cell, *([day] if cell == 45_000 else []))
    return buffer.getvalue()
