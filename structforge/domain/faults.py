"""What a model finds wrong with a value, in our words: each kind of fault of pydantic has a sentence of ours.

Invariant: no wording of pydantic and no Python spelling of a value passes; a kind nobody foresaw gets a plain sentence.
"""

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from structforge.domain.errors import Sentence

_RAISED = ("value_error", "assertion_error")
ANY_FAULT = "The value does not fit here"
"""What is said of a fault that has no sentence of its own."""

_TEXT = "A text is needed"
_WHOLE = "A whole number is needed"
_NUMBER = "A number is needed"
_LIST = "A list is needed"
_OBJECT = "An object is needed"
_DATE = "A date such as 2024-05-31 is needed"
_MOMENT = "A date and time such as 2024-05-31T09:00 is needed"
_TIME = "A time such as 09:00 is needed"
_SPAN = "A duration such as PT15M is needed"
_ADDRESS = "A web address is needed"
_ID = "An id in the form of a UUID is needed"
_CHOICE = "It must be one of {expected}"
_NESTED = "The value is nested too deeply"
_JSON = "A text that is JSON is needed"

PATTERNS: Mapping[str, str] = {
    "missing": "A value is needed",
    "extra_forbidden": "There is no such field",
    "invalid_key": "A name must be a text",
    "none_required": "Only null fits here",
    "string_type": _TEXT,
    "string_unicode": "The text holds characters that cannot be kept",
    "string_not_ascii": "The text may hold plain Latin letters, digits and signs only",
    "string_too_short": "The text needs {min_length} or more characters",
    "string_too_long": "The text may have {max_length} characters at most",
    "string_pattern_mismatch": "The text does not have the form {pattern}",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_parsing_size": "The whole number has too many digits",
    "int_from_float": "A whole number is needed, and this one has a fraction",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "decimal_max_digits": "The number may have {max_digits} digits at most",
    "decimal_max_places": "The number may have {decimal_places} digits after the point at most",
    "decimal_whole_digits": "The number may have {whole_digits} digits before the point at most",
    "fraction_type": _NUMBER,
    "fraction_parsing": _NUMBER,
    "complex_type": _NUMBER,
    "complex_str_parsing": _NUMBER,
    "finite_number": "A finite number is needed",
    "greater_than": "It must be greater than {gt}",
    "greater_than_equal": "It must be at least {ge}",
    "less_than": "It must be less than {lt}",
    "less_than_equal": "It must be at most {le}",
    "multiple_of": "It must be a multiple of {multiple_of}",
    "bool_type": "True or false is needed",
    "bool_parsing": "True or false is needed",
    "literal_error": _CHOICE,
    "enum": _CHOICE,
    "too_short": "It needs {min_length} or more items",
    "too_long": "It may have {max_length} items at most",
    "list_type": _LIST,
    "tuple_type": _LIST,
    "set_type": _LIST,
    "frozen_set_type": _LIST,
    "deque_type": _LIST,
    "iterable_type": _LIST,
    "iteration_error": _LIST,
    "set_item_not_hashable": "A list of plain values is needed",
    "dict_type": _OBJECT,
    "frozen_dict_type": _OBJECT,
    "ordered_dict_type": _OBJECT,
    "counter_type": _OBJECT,
    "mapping_type": _OBJECT,
    "model_type": _OBJECT,
    "model_attributes_type": _OBJECT,
    "dataclass_type": _OBJECT,
    "dataclass_exact_type": _OBJECT,
    "union_tag_not_found": "The field {discriminator} is missing: it says what kind this is",
    "union_tag_invalid": "There is no kind {tag}; known are {expected_tags}",
    "date_type": _DATE,
    "date_parsing": _DATE,
    "date_from_datetime_parsing": _DATE,
    "date_from_datetime_inexact": _DATE,
    "date_past": "A date in the past is needed",
    "date_future": "A date in the future is needed",
    "datetime_type": _MOMENT,
    "datetime_parsing": _MOMENT,
    "datetime_object_invalid": _MOMENT,
    "datetime_from_date_parsing": _MOMENT,
    "datetime_past": "A time in the past is needed",
    "datetime_future": "A time in the future is needed",
    "timezone_naive": "A time without an offset is needed",
    "timezone_aware": "A time with an offset, such as 2024-05-31T09:00+02:00, is needed",
    "timezone_offset": "A time with another offset is needed",
    "time_type": _TIME,
    "time_parsing": _TIME,
    "time_delta_type": _SPAN,
    "time_delta_parsing": _SPAN,
    "url_type": _ADDRESS,
    "url_parsing": _ADDRESS,
    "url_syntax_violation": _ADDRESS,
    "url_scheme": _ADDRESS,
    "url_too_long": "The web address may have {max_length} characters at most",
    "uuid_type": _ID,
    "uuid_parsing": _ID,
    "uuid_version": _ID,
    "json_type": _JSON,
    "json_invalid": _JSON,
    "recursion_loop": _NESTED,
    "recursion_depth_exceeded": _NESTED,
}
"""What is said of each kind of fault that data can cause; the others are faults of a program."""

_SMALL = "Small letters, digits and _ are allowed, and a letter comes first"
_LETTERS = "Letters, digits and _ are allowed, and a letter comes first"
_PATH = r"^$|^[A-Za-z0-9_-]{1,64}(/[A-Za-z0-9_-]{1,64}){0,7}$"
FORMS: Mapping[str, str] = {
    _PATH: "Letters, digits, _ and - are allowed, in up to 8 parts with / between",
    r"^[a-z][a-z0-9_]{0,62}$": _SMALL,
    r"^[A-Za-z][A-Za-z0-9_]{0,39}$": _LETTERS,
    r"^[a-z][a-z0-9_.]{0,79}$": "Small letters, digits, _ and dots are allowed, and a letter comes first",
    r"^(auto|tab|[^\r\n])$": "One character, `tab` or `auto` is needed",
    r"^(tab|[^\r\n\"])$": "One character or `tab` is needed, and no quote",
    r"^([!-~]|none)$": "One character or `none` is needed",
    r"^[^\r\n]*$": "One line is needed",
    r"^[^\r\n\"]*$": "One line without quotes is needed",
    r"^[^/\\\x00-\x1f]+$": "A file name without / and \\ is needed",
    r"^(\*|https?://[A-Za-z0-9.\[\]:_-]{1,255})$": "An origin such as https://example.org is needed, or *",
}
"""What the patterns of parameters allow, in words."""

_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")


def fault_sentence(fault: Mapping[str, Any]) -> str:
    """Return what one of `ValidationError.errors()` says, without a full stop: our sentence, or a validator's own."""
    context = fault.get("ctx") or {}
    if fault["type"] in _RAISED:
        raised = context.get("error")
        if isinstance(raised, Exception) and raised.args and isinstance(raised.args[0], str):
            return raised.args[0]
        return Sentence(ANY_FAULT, ANY_FAULT, {})
    pattern = PATTERNS.get(fault["type"], ANY_FAULT)
    if fault["type"] == "string_pattern_mismatch":
        pattern = FORMS.get(context.get("pattern", ""), pattern)
    names = re.findall(r"{(\w+)}", pattern)
    if any(name not in context for name in names):
        pattern, names = ANY_FAULT, []
    values = {name: _shown(name, context[name]) for name in names}
    return Sentence(pattern.format(**values), pattern, values)


def _shown(name: str, value: object) -> object:
    """Return a limit or choice as people write it."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int | float):
        return value
    if name in ("expected", "expected_tags", "discriminator"):
        return _QUOTED.sub(r"`\1`", str(value)).replace(" or ", ", ")
    return f"`{str(value)[:200]}`"


def place_of(fault: Mapping[str, Any], value: Any) -> tuple[int | str, ...]:
    """Return the keys and positions that lead to a fault of `value`.

    pydantic's location also names the member of a union that was tried (`file.str`), which is no place in the value.
    """
    place: list[int | str] = []
    last = len(fault["loc"]) - 1
    for number, part in enumerate(fault["loc"]):
        is_key = isinstance(value, Mapping) and part in value
        is_position = isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if is_key or is_position:
            value = value[part]
        elif not (fault["type"] == "missing" and number == last):
            continue
        place.append(part)
    return tuple(place)


def names_at(model: type[BaseModel], place: Sequence[int | str]) -> tuple[str, ...]:
    """Return the fields of the object in which the last part of an error's place was looked for."""
    kinds: list[Any] = [model]
    for part in place[:-1]:
        # A part may also be the name of the member of a union that was tried: that leads nowhere.
        kinds = [below for kind in kinds for below in _below(kind, part)] or kinds
    names = (
        field.alias or name
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, BaseModel)
        for name, field in kind.model_fields.items()
    )
    return tuple(dict.fromkeys(names))


def _below(kind: Any, part: int | str) -> Iterator[Any]:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        for name, field in kind.model_fields.items():
            if part in (name, field.alias):
                yield from _members(field.annotation)
    elif isinstance(part, int) or get_origin(kind) is dict:
        for argument in get_args(kind)[-1:] if get_origin(kind) is dict else get_args(kind):
            yield from _members(argument)


def _members(annotation: Any) -> Iterator[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for argument in get_args(annotation):
            yield from _members(argument)
    else:
        yield annotation
