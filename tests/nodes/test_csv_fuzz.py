"""Small random CSV files: read as Python's `csv` reads them, or refused with the code that belongs to them."""

import random

import pytest

from structforge.nodes.formats.csv_options import CsvOptions
from tests.fuzz.csv_files import check, random_file


@pytest.mark.parametrize("seed", range(4))
def test_random_files_are_read_as_python_reads_them(seed: int) -> None:
    dice = random.Random(seed)
    seen = {check(*random_file(dice)) for _ in range(500)}
    assert seen == {"rows", "file.empty", "file.csv_quote", "file.csv_row"}


@pytest.mark.parametrize(
    ("text", "outcome"),
    [
        ('24" screen,O"Brian\n', "rows"),
        ("a,b\r\r\n1,2\r\r\n", "rows"),
        ("a,b\r1,2\n3,4\r\n5,6", "rows"),
        ('"a\r\nb","c""d"\n', "rows"),
        ('"a"b,c\n', "file.csv_quote"),
        ('a,"b\n', "file.csv_quote"),
        ('""x\n', "file.csv_quote"),
        ("a,b\n1\n", "file.csv_row"),
        ("x" * 3_000_000 + ",b\n1,2\n", "rows"),
    ],
)
def test_known_traps(text: str, outcome: str) -> None:
    assert check(text, CsvOptions(has_header=False)) == outcome
