"""JSON values at the edge of the system: strict decoding, encoding, hashes, and any object made journal-safe.

Invariant: what `decode_json` and `journal_safe` return can be stored in PostgreSQL and read back with every digit;
everything else ends in one `InvalidValueError` that says what, where and what to do. Any layer may import it.
A fraction is a float if no digit of it is lost, else a `Decimal` (docs/values.md).
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from typing import Any, NoReturn
from uuid import UUID

import orjson

from structforge.domain.errors import InvalidError, Problem, Sentence, sentence
from structforge.domain.numbers import (
    EXACT,
    MAX_DIGITS,
    MAX_INTEGER_BITS,
    exact,
    held_by_float,
    is_bounded,
    is_number,
    settled,
    written,
)

JsonValue = dict[str, "JsonValue"] | list["JsonValue"] | str | int | float | Decimal | bool | None

MAX_DEPTH = 200
"""Deepest nesting of lists and objects; `[]` has depth 1. PostgreSQL and the JSON libraries go deeper."""
MAX_WEIGHT = 16 * 1024 * 1024
"""Largest value `journal_safe` takes: characters of text and keys plus one for each value in it."""
_CONVERTED_WEIGHT = 32
"""What each value weighs that has to be converted in Python, so that this too ends within a few seconds."""
UNBOUNDED = -1
"""What `weigh` returns for a value that is too heavy, too deep or not plain JSON containers."""

_LOSSLESS_DIGITS = 15
"""So many significant digits survive in a float, and in the 64-bit integers of orjson a few more."""
_DIGITS_ALIKE = bytes.maketrans(b"123456789.E+", b"0000000000e-")
_LONG_RUN = b"0" * (_LOSSLESS_DIGITS + 2)
_LONG_NUMBER = re.compile(rb"-?\d[\d.]{16,}(?:[eE][-+]?\d+)?|-?\d[\d.]*[eE][-+]?\d{3,}")
_INTEGRAL_FLOAT = re.compile(rb"\.0(?!\d)|\d[eE][-+]?\d")
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*"?|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|-?Infinity|NaN|[\[\]{}]', re.DOTALL
)
_STRICT = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


class InvalidValueError(InvalidError):
    """A value that is not JSON as StructForge takes it; `problem` has code, sentence, where and hint."""

    def __init__(self, code: str, message: str, where: str = "", hint: str = "") -> None:
        super().__init__(Problem(code, message, where, hint))


def decode_json(data: bytes, *, max_bytes: int) -> JsonValue:
    """Decode strict JSON: UTF-8, no NaN or infinity, no NUL, no lone surrogate, depth <= 200, 4,300 digits.

    Numbers keep every digit: a fraction that a float cannot hold is a `Decimal`. Of a repeated key the last one
    wins, as in every JSON library in use here.
    Raises: InvalidValueError (`value.*`) with the byte offset or JSON path; the same bytes will fail again.
    """
    if len(data) > max_bytes:
        raise InvalidValueError(
            "value.too_large",
            sentence(
                "The JSON has {count} bytes; at most {max_bytes} are accepted.",
                count=len(data),
                max_bytes=max_bytes,
            ),
            hint="Send less, or put large data into a file.",
        )
    if loses_digits(data):
        return _decode_explaining(data)
    try:
        value: JsonValue = orjson.loads(data)
    except ValueError:
        return _decode_explaining(data)
    if (data.count(b"[") + data.count(b"{") > MAX_DEPTH and not _depth_is_fine(value)) or b"\\u0000" in data:
        return _decode_explaining(data)
    return value


def loses_digits(data: bytes) -> bool:
    """Tell whether a parser with 64-bit numbers would change a number in this JSON.

    A translation and three searches decide for ordinary JSON; only what has long numbers is looked at closely.
    """
    alike = data.translate(_DIGITS_ALIKE)
    if _LONG_RUN not in alike and b"0e000" not in alike and b"0e-000" not in alike:
        return False
    return any(not _is_held(match.group()) for match in _LONG_NUMBER.finditer(data))


def plain_json(data: str | bytes) -> Any:
    """Decode JSON that was written here or by PostgreSQL, without losing a digit. Raises: ValueError."""
    found = data.encode() if isinstance(data, str) else data
    if loses_digits(found):
        return json.loads(found, parse_float=_fraction)
    return orjson.loads(found)


def encode_json(value: JsonValue) -> bytes:
    """Encode a JSON value compactly as UTF-8; the order of keys is kept, every digit is written."""
    try:
        return orjson.dumps(value, default=number_fragment)
    except TypeError:
        return dump_json(value)


def readable_json(value: JsonValue) -> str:
    """Return a JSON value as people read it: indented, numbers with every digit."""
    return dump_json(value, option=orjson.OPT_INDENT_2).decode()


def canonical_json(value: JsonValue) -> bytes:
    """Encode with sorted keys and one form per number: `1.0` and `1` give the same bytes, being equal."""
    data = dump_json(value, option=orjson.OPT_SORT_KEYS, default=_canonical_decimal)
    if _INTEGRAL_FLOAT.search(data):
        return dump_json(
            _with_integral_floats_as_integers(value),
            option=orjson.OPT_SORT_KEYS,
            default=_canonical_decimal,
        )
    return data


def dump_json(value: Any, *, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """Encode as orjson does, and also integers of any size and decimals, which it does not know.

    `default` converts what neither knows. Raises: TypeError for what nothing converts.
    """
    converted = number_fragment if default is None else _converter(default)
    try:
        return orjson.dumps(value, default=converted, option=option)
    except TypeError:
        # It may have been an integer beyond 64 bits, which orjson does not offer to `default`.
        return orjson.dumps(_with_big_integers_as_fragments(value), default=converted, option=option)


def _converter(default: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if default is _canonical_decimal:
        return default
    return lambda item: number_fragment(item) if isinstance(item, Decimal) else default(item)


def number_fragment(item: object) -> orjson.Fragment:
    """Return a decimal as the digits that orjson copies. Raises: TypeError for anything else."""
    if isinstance(item, Decimal) and item.is_finite():
        return orjson.Fragment(written(item).encode())
    raise TypeError(f"{type(item).__name__} is not JSON")


def settled_value(value: JsonValue) -> JsonValue:
    """Return the value with its decimals as JSON gives them back; containers are copied."""
    if isinstance(value, Decimal):
        return settled(value)
    if isinstance(value, list):
        return [settled_value(item) for item in value]
    if isinstance(value, dict):
        return {key: settled_value(item) for key, item in value.items()}
    return value


def same_value(left: JsonValue, right: JsonValue) -> bool:
    """Tell whether two JSON values are equal: numbers by their exact value, true and 1 are not."""
    if isinstance(left, dict):
        return (
            isinstance(right, dict)
            and len(left) == len(right)
            and all(key in right and same_value(item, right[key]) for key, item in left.items())
        )
    if isinstance(left, list):
        return (
            isinstance(right, list)
            and len(left) == len(right)
            and all(same_value(one, other) for one, other in zip(left, right, strict=True))
        )
    if is_number(left):
        return is_number(right) and exact(left) == exact(right)  # type: ignore[arg-type]
    return type(left) is type(right) and left == right


def content_hash(value: JsonValue) -> str:
    """Return the SHA-256 of the canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def journal_safe(value: object) -> JsonValue:
    """Return a detached plain JSON copy of any Python object that has one.

    Dates become ISO 8601 text, tuples lists, enums their value, UUIDs text, a Decimal the number JSON gives
    back for it. Raises: InvalidValueError (`value.*`), never anything else.
    """
    return journal_safe_bytes(value)[0]


def journal_safe_bytes(value: object) -> tuple[JsonValue, bytes]:
    """Return `journal_safe(value)` and its compact encoding, which costs nothing extra."""
    if weigh(value, MAX_WEIGHT) != UNBOUNDED:
        try:
            data = orjson.dumps(value, option=_STRICT)
            # A long number may be one that orjson reads back as another; `null` may have been a NaN.
            if b"\\u0000" not in data and not loses_digits(data):
                copy: JsonValue = orjson.loads(data)
                if b"null" not in data or copy == value:
                    return copy, data
        except (TypeError, ValueError):
            pass  # Not plain JSON: the walk below converts it or says what is wrong.
    try:
        safe = _Converter().convert(value, "$", 1)
        return safe, encode_json(safe)
    except InvalidValueError:
        raise
    except RecursionError:
        _refuse_depth("$")
    except Exception as error:  # The object's own code failed; that must not reach the journal.
        raise InvalidValueError(
            "value.unsupported",
            "The value could not be read.",
            "$",
            "Return plain numbers, text, lists and objects.",
        ) from error


def weigh(value: object, limit: int) -> int:
    """Return characters of text and keys plus one per value, or `UNBOUNDED` (limit, depth, odd keys).

    Shared parts count each time they occur, so this bounds what encoding would write. Never recursive.
    """
    kind = type(value)
    if kind is str:
        size = len(value)  # type: ignore[arg-type]
        return size + 1 if size < limit else UNBOUNDED
    if kind is not dict and kind is not list and kind is not tuple:
        return 1
    total = 1
    depth = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            return UNBOUNDED
        below: list[Any] = []
        for container in level:
            total += len(container)
            if total > limit:
                return UNBOUNDED
            if type(container) is dict:
                for key, item in container.items():
                    if type(key) is not str:
                        return UNBOUNDED
                    total += len(key)
                    item_kind = type(item)
                    if item_kind is str:
                        total += len(item)
                    elif item_kind is dict or item_kind is list or item_kind is tuple:
                        below.append(item)
            else:
                for item in container:
                    item_kind = type(item)
                    if item_kind is str:
                        total += len(item)
                    elif item_kind is dict or item_kind is list or item_kind is tuple:
                        below.append(item)
        level = below
    return total if total <= limit else UNBOUNDED


def digits_in(value: object) -> int:
    """Return about how many digits the long numbers in a value are written with; never recursive."""
    total = 0
    level: list[Any] = [value]
    while level:
        below: list[Any] = []
        for container in level:
            for item in container.values() if isinstance(container, dict) else container:
                if isinstance(item, dict | list):
                    below.append(item)
                elif isinstance(item, int | Decimal):
                    total += _digits_of(item)
        level = below
    return total


def _digits_of(number: int | Decimal) -> int:
    """Return about how many digits a number is written with."""
    if isinstance(number, int):
        return number.bit_length() // 3
    return max(abs(number.adjusted()), len(number.as_tuple().digits))


def path_of(parent: str, key: str | int) -> str:
    """Extend a readable path by a key or an index: `rows`, `rows[0]`, `rows[0].name`, `rows["a b"]`."""
    if isinstance(key, int):
        return f"{parent}[{key}]"
    if _IDENTIFIER.match(key):
        return f"{parent}.{key}"
    return f"{parent}[{json.dumps(key[:80])}]"


def _depth_is_fine(value: JsonValue) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        if not level:
            return True
        level = [
            item
            for container in level
            for item in (container.values() if type(container) is dict else container)
            if type(item) is dict or type(item) is list
        ]
    return not level


def _refuse_depth(where: str) -> NoReturn:
    raise InvalidValueError(
        "value.too_deep",
        sentence("The value is nested deeper than {max_depth} levels.", max_depth=MAX_DEPTH),
        where,
        "Flatten it; a value that contains itself has no end.",
    )


def _refuse_text(text: str, where: str) -> NoReturn:
    if "\0" in text:
        raise InvalidValueError(
            "value.nul",
            "The text contains a NUL character.",
            where,
            "Remove it: databases cannot store it.",
        )
    raise InvalidValueError(
        "value.lone_surrogate",
        "The text contains half of a UTF-16 pair (a lone surrogate).",
        where,
        "Decode the text again from its bytes with the right encoding.",
    )


def _is_storable(text: str) -> bool:
    if "\0" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_REASONS = (
    ("Expecting value", "a value is missing"),
    ("Expecting property name", "a name in double quotes is missing"),
    ("Expecting ':'", "a colon is missing"),
    ("Expecting ','", "a comma or the end is missing"),
    ("Illegal trailing comma", "there is a comma too many"),
    ("Extra data", "there is something after its end"),
    ("Unterminated string", "a text has no closing quote"),
    ("Invalid control character", "a text holds a control character"),
    ("Invalid", "a text holds a wrong escape"),
)
"""How Python's reader begins what it says, and what that means."""


def _syntax_reason(said: str) -> str:
    reason = next((ours for theirs, ours in _REASONS if said.startswith(theirs)), "something is out of place")
    return Sentence(reason, reason, {})


def _decode_explaining(data: bytes) -> JsonValue:
    """Decode what the fast path does not take: exact large integers, or the reason for the refusal."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            "value.not_utf8",
            "This is not UTF-8.",
            f"byte {error.start}",
            "Save it as UTF-8.",
        ) from error
    for problem in _lexical_problems(text):
        raise problem
    try:
        # The scan above has bounded depth and digits, so neither the recursion nor int() can fail here.
        value: JsonValue = json.loads(text, parse_float=_fraction)
    except json.JSONDecodeError as error:
        raise InvalidValueError(
            "value.syntax",
            sentence(
                "This is not JSON: {reason} (line {lineno}, column {colno}).",
                reason=_syntax_reason(error.msg),
                lineno=error.lineno,
                colno=error.colno,
            ),
            f"byte {_byte_offset(text, error.pos)}",
            "Check for a missing comma, quote or bracket.",
        ) from error
    except RecursionError:
        _refuse_depth("$")
    for path, found in _texts(value, "$"):
        if not _is_storable(found):
            _refuse_text(found, path)
    return value


def _lexical_problems(text: str) -> Iterator[InvalidValueError]:
    depth = 0
    for match in _TOKEN.finditer(text):
        token = match.group()
        first = token[0]
        if first == '"':
            continue
        if first in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                yield InvalidValueError(
                    "value.too_deep",
                    sentence("The JSON is nested deeper than {max_depth} levels.", max_depth=MAX_DEPTH),
                    f"byte {_byte_offset(text, match.start())}",
                    "Flatten it.",
                )
        elif first in "]}":
            depth -= 1
        elif token[-1] in "Ny":
            yield InvalidValueError(
                "value.not_finite",
                sentence("{token} is not JSON.", token=token),
                f"byte {_byte_offset(text, match.start())}",
                "Use null for a missing number.",
            )
        elif len(token) > 18 or "e" in token or "E" in token:
            yield from _number_problems(token, f"byte {_byte_offset(text, match.start())}")


def _number_problems(token: str, where: str) -> Iterator[InvalidValueError]:
    if len(token.lstrip("-")) <= MAX_DIGITS and not any(mark in token for mark in ".eE"):
        return
    mantissa, _, exponent = token.lower().partition("e")
    if len(exponent) <= 6 and len(mantissa) <= 2 * MAX_DIGITS + 2 and is_bounded(EXACT.create_decimal(token)):
        return
    yield InvalidValueError(
        "value.too_many_digits",
        sentence(
            "The number {token}… has more than {max_digits} digits before or after its point.",
            token=token[:24],
            max_digits=MAX_DIGITS,
        ),
        where,
        "Send it as text.",
    )


def _byte_offset(text: str, position: int) -> int:
    return len(text[:position].encode())


def _texts(value: JsonValue, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, text) of every text and key; depth is bounded by the caller."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield path, key
            yield from _texts(item, path_of(path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, path_of(path, index))


def _with_integral_floats_as_integers(value: JsonValue) -> JsonValue:
    if isinstance(value, float):
        return int(exact(value)) if value.is_integer() else value
    if isinstance(value, list):
        return [_with_integral_floats_as_integers(item) for item in value]
    if isinstance(value, dict):
        return {key: _with_integral_floats_as_integers(item) for key, item in value.items()}
    return value


def _with_big_integers_as_fragments(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return orjson.Fragment(str(value).encode())
    if isinstance(value, list | tuple):
        return [_with_big_integers_as_fragments(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _with_big_integers_as_fragments(item) for key, item in value.items()}
    return value


def _canonical_decimal(item: object) -> object:
    if not isinstance(item, Decimal):
        return number_fragment(item)
    if item == item.to_integral_value():
        return orjson.Fragment(str(int(item)).encode())
    number = held_by_float(item)
    return orjson.Fragment(written(item).encode()) if number is None else number


def _is_held(token: bytes) -> bool:
    """Tell whether 64 bits hold a number as it is written; what is no number (in a text) is not refused here."""
    text = token.decode()
    if "." not in text and "e" not in text and "E" not in text:
        return len(text) <= 20 and -(2**63) <= int(text) < 2**64
    try:
        number = float(text)
    except ValueError:
        return True
    if not number or math.isinf(number):  # Nothing, or too small or too large for a float.
        return not any(digit in "123456789" for digit in text.lower().partition("e")[0])
    return repr(number) == text or exact(number) == EXACT.create_decimal(text)


def _fraction(text: str) -> float | Decimal:
    """Read a literal with a fraction or an exponent: a float if that has all its digits, else a decimal."""
    number = float(text)
    if repr(number) == text:
        return number
    value = EXACT.create_decimal(text)
    held = held_by_float(value)
    return value if held is None else held


class _Converter:
    """Walks any object once, with the base types' own methods: no subclass can lie about its content."""

    def __init__(self) -> None:
        self._open: set[int] = set()
        self._weight = 0

    def convert(self, value: object, where: str, depth: int) -> JsonValue:
        self._charge(_CONVERTED_WEIGHT, where)
        if value is None or value is True or value is False:
            return value
        if isinstance(value, Enum):
            return self.convert(value.value, where, depth + 1) if depth <= MAX_DEPTH else _refuse_depth(where)
        if isinstance(value, str):
            return self._text(str.__str__(value), where)
        if isinstance(value, int):
            self._charge(_digits_of(value), where)
            return _integer(int.__int__(value), where)
        if isinstance(value, float):
            return _float(float.__float__(value), where)
        if isinstance(value, dict | list | tuple):
            return self._container(value, where, depth)
        if isinstance(value, date | time):
            return self._text(value.isoformat(), where)
        if isinstance(value, Decimal):
            found = _decimal(value, where)
            self._charge(_digits_of(value), where)
            return found
        if isinstance(value, UUID):
            return str(value)
        _refuse_type(value, where)

    def _charge(self, weight: int, where: str) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            raise InvalidValueError(
                "value.too_large",
                sentence(
                    "The value is larger than {max_weight} characters and items.", max_weight=MAX_WEIGHT
                ),
                where,
                "Write it to a file and pass the file on.",
            )

    def _text(self, text: str, where: str) -> str:
        self._charge(len(text), where)
        if not _is_storable(text):
            _refuse_text(text, where)
        return text

    def _container(
        self, value: dict[Any, Any] | list[Any] | tuple[Any, ...], where: str, depth: int
    ) -> JsonValue:
        if id(value) in self._open:
            raise InvalidValueError(
                "value.cycle", "The value contains itself.", where, "Return a copy without the circle."
            )
        if depth > MAX_DEPTH:
            _refuse_depth(where)
        self._open.add(id(value))
        result: JsonValue
        if isinstance(value, dict):
            result = self._object(value, where, depth)
        else:
            items = list.__iter__(value) if isinstance(value, list) else tuple.__iter__(value)
            result = [self.convert(item, f"{where}[{index}]", depth + 1) for index, item in enumerate(items)]
        self._open.discard(id(value))
        return result

    def _object(self, value: dict[Any, Any], where: str, depth: int) -> JsonValue:
        result: dict[str, JsonValue] = {}
        for key, item in dict.items(value):
            if not isinstance(key, str):
                raise InvalidValueError(
                    "value.key_not_text",
                    sentence(
                        "An object has a key of type {name}; JSON keys are text.", name=type(key).__name__
                    ),
                    where,
                    "Convert the keys with str().",
                )
            name = self._text(str.__str__(key), where)
            result[name] = self.convert(item, path_of(where, name), depth + 1)
        return result


def _integer(value: int, where: str) -> int:
    if value.bit_length() > MAX_INTEGER_BITS:
        raise InvalidValueError(
            "value.too_many_digits",
            sentence("The integer has more than {max_digits} digits.", max_digits=MAX_DIGITS),
            where,
            "Return it as text, or as a floating point number.",
        )
    return value


def _float(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise InvalidValueError(
            "value.not_finite",
            sentence(
                "The number is {value}.", value="not a number (NaN)" if math.isnan(value) else "infinite"
            ),
            where,
            "Use None for a missing number, and check for a division by zero.",
        )
    return value


def _decimal(value: Decimal, where: str) -> JsonValue:
    if not value.is_finite():
        return _float(float("nan") if value.is_nan() else float("inf"), where)
    if not is_bounded(value):
        raise InvalidValueError(
            "value.too_many_digits",
            sentence(
                "The number has more than {max_digits} digits before or after its point.",
                max_digits=MAX_DIGITS,
            ),
            where,
            "Return it as text, or as a floating point number.",
        )
    return settled(Decimal(value))


def _refuse_type(value: object, where: str) -> NoReturn:
    name = type(value).__name__
    hints = {
        "bytes": "Store it as an artifact, or encode it as base64 text.",
        "bytearray": "Store it as an artifact, or encode it as base64 text.",
        "set": "Return sorted(value): a set has no order.",
        "frozenset": "Return sorted(value): a set has no order.",
        "generator": "Return list(value).",
    }
    raise InvalidValueError(
        "value.unsupported",
        sentence("A value of type {name} is not JSON.", name=name),
        where,
        hints.get(name, "Return plain numbers, text, lists and objects."),
    )
