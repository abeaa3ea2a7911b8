"""Numbers on their way to a browser and back: what its own numbers would change travels as its digits.

Invariant: `exact.jsx` reads and writes the same form, an object with one key that no stored text can have. The socket
itself carries it (`carry`), so that no page can forget to; `exactly` is for values that people edit, where `3.0` is
not to become `3` either.
"""

import json
import re
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import reflex as rx

from structforge.domain.numbers import held_by_float, read_number, written
from structforge.domain.values import JsonValue

KEY = "\x00n"
"""The one key of a number's object: JSON that is stored has no NUL."""
SAFE = 2**53 - 1
"""The largest integer that a browser counts exactly."""

_WRITTEN_KEY = r'"\u0000n"'
_LONG_DIGITS = re.compile(r"[\[,:\s]-?\d{16,}")
_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?', re.DOTALL)


def exactly(value: Any) -> Any:
    """Return a JSON value in which each number that a browser would write otherwise is an object of its digits."""
    match value:
        case bool():
            return value
        case int():
            return value if abs(value) <= SAFE else {KEY: str(value)}
        case Decimal():
            return {KEY: written(value)}
        case float():
            return {KEY: repr(value)} if value.is_integer() and abs(value) < 1e16 else value
        case dict():
            return {name: exactly(each) for name, each in value.items()}
        case list() | tuple():
            return [exactly(each) for each in value]
    return value


def read_digits(digits: str) -> JsonValue | Decimal:
    """Return the number a JSON literal means: an integer, a float that writes the same value, else a decimal.

    One of more digits than numbers may have stays a text.
    """
    number = read_number(digits)
    if number is None:
        return digits
    near = held_by_float(number) if isinstance(number, Decimal) else None
    return number if near is None else near


def carry(app: rx.App) -> None:
    """Let the app's socket carry numbers with every digit, both ways."""
    plain = app.sio.packet_class.json  # type: ignore[union-attr]

    def dumps(value: Any, **kwargs: Any) -> str:
        text: str = plain.dumps(value, **kwargs)
        return _TOKENS.sub(_kept, text) if _LONG_DIGITS.search(text) else text

    def loads(data: str | bytes, **kwargs: Any) -> Any:
        text = data.decode() if isinstance(data, bytes) else data
        if _WRITTEN_KEY in text:
            return json.loads(text, object_hook=_revived, **kwargs)
        return plain.loads(text, **kwargs)

    app.sio.packet_class.json = SimpleNamespace(dumps=dumps, loads=loads)  # type: ignore[union-attr]


@rx.serializer(to=dict, overwrite=True)
def _decimal(value: Decimal) -> dict[str, str]:
    return {KEY: written(value)}


def _kept(found: re.Match[str]) -> str:
    token = found.group()
    if token[0] == '"' or not token.lstrip("-").isdigit() or abs(int(token)) <= SAFE:
        return token
    return f'{{{_WRITTEN_KEY}:"{token}"}}'


def _revived(body: dict[str, Any]) -> Any:
    match body:
        case {"\x00n": str(digits)} if len(body) == 1:
            return read_digits(digits)
    return body
