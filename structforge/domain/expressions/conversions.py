"""Functions that turn a value into another kind: numbers, texts, JSON, encodings and fingerprints.

Invariant: a text becomes a number only if it is exactly one; what cannot be converted is a `Fault` or the default.
"""

import base64
import binascii
import hashlib
import re
from decimal import Decimal
from urllib.parse import quote, urlencode

from structforge.domain.errors import sentence
from structforge.domain.expressions.arguments import a_text, an_integer
from structforge.domain.expressions.limits import MAX_TEXT_CHARS, Work
from structforge.domain.expressions.operators import as_text, finite
from structforge.domain.expressions.problems import Fault, kind_of
from structforge.domain.numbers import Number, decimal_of, read_number, whole
from structforge.domain.values import InvalidValueError, JsonValue, decode_json, encode_json, readable_json

_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0", ""})
_HASHES = ("md5", "sha1", "sha256", "sha512")
_INDENT = re.compile(r"^ +", re.MULTILINE)


def integer(work: Work, value: JsonValue, *default: JsonValue) -> JsonValue:
    """Return a whole number: the fraction of a number is cut off, a text has to be whole."""
    if isinstance(value, bool | float | Decimal):
        return int(decimal_of(value))
    if isinstance(value, int):
        return value
    found = whole(_number_in(work, value))
    return _or_default("a whole number", value, default) if found is None else finite(found)


def number(work: Work, value: JsonValue, *default: JsonValue) -> JsonValue:
    """Return a floating point number."""
    found = value if isinstance(value, int | float | Decimal) else _number_in(work, value)
    if found is None:
        return _or_default("a number", value, default)
    try:
        result: JsonValue = finite(float(found))
    except OverflowError:
        return _or_default("a number", value, default)
    return result


def decimal(work: Work, value: JsonValue, *default: JsonValue) -> JsonValue:
    """Return an exact number with all its digits; a floating point number counts with its shortest."""
    found = value if isinstance(value, int | float | Decimal) else _number_in(work, value)
    if found is None:
        return _or_default("a number", value, default)
    work.exact = True
    result: JsonValue = finite(decimal_of(found))
    return result


def _number_in(work: Work, value: JsonValue) -> Number | None:
    if not isinstance(value, str):
        return None
    work.charge(len(value))
    return read_number(value)


def _or_default(what: str, value: JsonValue, default: tuple[JsonValue, ...]) -> JsonValue:
    if len(default) == 1:
        return default[0]
    raise Fault(
        "expression.type",
        sentence("The text `{text}` is not {what}.", text=value[:40], what=what)
        if isinstance(value, str)
        else sentence("{kind} is not {what}.", kind=kind_of(value).capitalize(), what=what),
        "Give a default, as in | integer(0) or | number(0).",
    )


def text(work: Work, value: JsonValue) -> str:
    """Return the text a value has inside other text."""
    return as_text(value, work)


def boolean(work: Work, value: JsonValue, *default: JsonValue) -> JsonValue:
    """Return true or false: of a text what it says, of anything else whether it is empty or zero."""
    if not isinstance(value, str):
        return bool(value)
    said = value.strip().lower() if len(value) <= 10 else value
    if said in _TRUE:
        return True
    if said in _FALSE:
        return False
    return _or_default("true or false", value, default)


def to_json(work: Work, value: JsonValue, indent: JsonValue = None) -> str:
    """Return the JSON of a value, in one line or indented."""
    work.walk(value)
    if indent is None:
        text = encode_json(value).decode()
    else:
        width = an_integer(indent, "indent", 0, 8)
        work.charge(8 * width)
        # No line break stands inside a text of JSON, so blanks at the beginning of a line only indent.
        text = _INDENT.sub(lambda found: " " * (len(found[0]) // 2 * width), readable_json(value))
    work.text(len(text))
    return text


def from_json(work: Work, value: JsonValue) -> JsonValue:
    """Return the value of a JSON text."""
    work.text(len(a_text(value)))
    try:
        return decode_json(a_text(value).encode(), max_bytes=4 * MAX_TEXT_CHARS)
    except InvalidValueError as error:
        raise Fault("expression.type", error.problem.message, error.problem.hint) from error


def url_encode(work: Work, value: JsonValue) -> str:
    """Return a value as part of an address; an object as its query."""
    work.walk(value)
    if isinstance(value, dict):
        pairs = [(key, as_text(item, work)) for key, item in value.items()]
        encoded = urlencode(pairs)
    else:
        encoded = quote(as_text(value, work), safe="")
    work.text(len(encoded))
    return encoded


def base64_encode(work: Work, value: JsonValue) -> str:
    """Return the Base64 of a text in UTF-8."""
    text = a_text(value)
    work.charge(len(text))
    encoded = base64.b64encode(text.encode()).decode()
    work.text(len(encoded))
    return encoded


def base64_decode(work: Work, value: JsonValue) -> str:
    """Return the text in UTF-8 that a Base64 holds."""
    work.text(len(a_text(value)))
    try:
        decoded = base64.b64decode(a_text(value), validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise Fault("expression.type", "The text is not base64 of UTF-8 text.") from error
    if "\0" in decoded:
        raise Fault("expression.type", "The decoded text contains a NUL character.")
    return decoded


def base64url_encode(work: Work, value: JsonValue) -> str:
    """Return a text as base64 for addresses and tokens, without `=` at its end."""
    return base64_encode(work, value).replace("+", "-").replace("/", "_").rstrip("=")


def base64url_decode(work: Work, value: JsonValue) -> str:
    """Return the text in a base64url, with or without `=` at its end."""
    encoded = a_text(value).rstrip("=")
    if set(encoded) & set("+/"):
        raise Fault(
            "expression.type", "The text is not base64url of UTF-8 text.", "Use base64_decode for + and /."
        )
    return base64_decode(work, encoded.replace("-", "+").replace("_", "/") + "=" * (-len(encoded) % 4))


def fingerprint(work: Work, value: JsonValue, algorithm: JsonValue = "sha256") -> str:
    """Return the hash of a text in hexadecimal digits."""
    text = a_text(value)
    if algorithm not in _HASHES:
        raise Fault(
            "expression.arguments",
            "The hash is 'md5', 'sha1', 'sha256' or 'sha512'.",
            "Leave it out for sha256.",
        )
    work.charge(len(text))
    return hashlib.new(str(algorithm), text.encode(), usedforsecurity=False).hexdigest()
