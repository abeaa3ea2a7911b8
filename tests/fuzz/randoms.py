"""Random JSON values and texts, with a liking for what breaks programs."""

import random
import string
from decimal import Decimal
from typing import Any

TEXTS = (
    "", " ", "0", "-0", "5", "1.10", "1e5", "1E5", "NaN", "Infinity", "-infinity", "null", "NULL", "true", "t", "yes",
    "off", "{}", "[]", "{1,2}", "{a,NULL}", '{"a": 1}', "[1]", '"', "'", "\\", '\\"', "%s", "%(a)s", "$1", "(1,2)",
    "(a,)", "[1,5)", "\\x00ff", "\\x0", "a,b;c", "Müller", "漢字 🎈", "e\u0301", "\u202e", "\u00a0", "\ufeff",
    "line\nbreak\r\n\t",
    "2024-03-01", "2024-03-01T10:00:00+02:00", "2024-03-01T10:00:00.5Z", "2024-02-30", "-0043-03-15", "+10000-01-01",
    "24:00", "24:00:01", "23:59:60", "12:30 PM", "P1M2DT3H", "1 day", "infinity", "0044-03-15 BC", "10.0.0.1/8", "::1",
    "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "00:00:00:00:00:00", "101", "happy", "sad", "$1,234.50", "-$5", "0x10",
    "1_000", "--", "/* */", ";", "\x01\x7f", "x" * 300,
)  # fmt: skip
INTEGERS = (
    0,
    1,
    -1,
    2,
    255,
    32767,
    32768,
    -32769,
    2**31 - 1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    2**63,
    -(2**63),
    10**30,
    10**38,
)
FLOATS = (0.0, -0.0, 0.1, 1.5, -2.5, 3.0, 2.675, 1e-300, 1e300, 1e22, 5e-324, 1.7976931348623157e308)
DECIMALS = tuple(map(Decimal, (
    "0.10", "1.0", "2.50", "0.12345678901234567890", "999999999999999.99", "1E+30", "1E-30", "-0.5", "1e400", "0E-5",
)))  # fmt: skip


def text(source: random.Random) -> str:
    """Return a text: a known trouble maker, one of them changed a little, or any letters."""
    chosen = source.choice(TEXTS)
    way = source.random()
    if way < 0.6:
        return chosen
    if way < 0.8 and chosen:
        at = source.randrange(len(chosen))
        return chosen[:at] + source.choice(string.printable + "ü漢") + chosen[at + source.randrange(2) :]
    return "".join(
        chr(
            source.choice(
                (source.randrange(1, 128), source.randrange(1, 0x800), source.randrange(0xE000, 0x1FFFF))
            )
        )
        for _ in range(source.randrange(12))
    )


def number(source: random.Random) -> int | float | Decimal:
    """Return a number of any of the three kinds."""
    match source.randrange(5):
        case 0:
            return source.choice(INTEGERS)
        case 1:
            return source.choice(FLOATS)
        case 2:
            return source.choice(DECIMALS)
        case 3:
            return source.randint(-1_000, 1_000)
    return Decimal(source.randint(-(10**12), 10**12)).scaleb(-source.randrange(8))


def value(source: random.Random, depth: int = 3) -> Any:
    """Return a JSON value."""
    way = source.randrange(10 if depth else 6)
    if way < 2:
        return text(source)
    if way < 4:
        return number(source)
    if way == 4:
        return source.choice((True, False))
    if way == 5:
        return None
    if way < 8:
        same = source.random() < 0.5
        first = value(source, depth - 1)
        return [first if same else value(source, depth - 1) for _ in range(source.randrange(4))]
    return {text(source): value(source, depth - 1) for _ in range(source.randrange(4))}
