"""What a JSON Schema finds wrong with a value, in our words; numbers are compared by their exact value.

Invariant: no wording of the library passes: each keyword has a sentence of ours, and what has none gets a plain one.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend, validates

from structforge.domain.errors import Sentence, sentence
from structforge.domain.expressions.problems import suggestion
from structforge.domain.faults import ANY_FAULT, PATTERNS
from structforge.domain.numbers import divided_down, exact, is_number, whole
from structforge.domain.values import JsonValue, encode_json, same_value

_SHOWN_CHOICES = 20
_SHOWN_CHARACTERS = 200

_TYPES = {
    "string": "string_type",
    "integer": "int_type",
    "number": "float_type",
    "boolean": "bool_type",
    "array": "list_type",
    "object": "dict_type",
    "null": "none_required",
}
"""Type of JSON Schema to the fault of a model that says the same."""
_FORMATS = {"date": "date_type", "date-time": "datetime_type"}
_BY_KEYWORD: Mapping[str, tuple[str, str]] = {
    "minLength": ("string_too_short", "min_length"),
    "maxLength": ("string_too_long", "max_length"),
    "pattern": ("string_pattern_mismatch", "pattern"),
    "minItems": ("too_short", "min_length"),
    "maxItems": ("too_long", "max_length"),
    "minimum": ("greater_than_equal", "ge"),
    "maximum": ("less_than_equal", "le"),
    "exclusiveMinimum": ("greater_than", "gt"),
    "exclusiveMaximum": ("less_than", "lt"),
    "multipleOf": ("multiple_of", "multiple_of"),
}
"""Keyword to the fault that says the same, and what that calls the keyword's value."""


def schema_sentence(error: ValidationError) -> str:
    """Return what a schema finds wrong, without a full stop."""
    told = _deepest(error)
    if isinstance(told.message, Sentence):
        return told.message
    keyword, value = str(told.validator), told.validator_value
    if keyword in _BY_KEYWORD:
        kind, name = _BY_KEYWORD[keyword]
        shown = f"`{str(value)[:_SHOWN_CHARACTERS]}`" if keyword == "pattern" else value
        return _of_fault(kind, {name: shown if isinstance(shown, str) else _number(shown)})
    if keyword == "type":
        return _type_sentence(value)
    if keyword == "format" and value in _FORMATS:
        return _of_fault(_FORMATS[value], {})
    return _of_keyword(keyword, value)


def _deepest(error: ValidationError) -> ValidationError:
    """Return the one thing that is wrong where a choice of schemas failed over one value of the right type."""
    while error.validator in ("anyOf", "oneOf") and error.context:
        nearest = [
            each for each in error.context if each.validator != "type" or each.path or len(error.context) == 1
        ]
        if len(nearest) != 1:
            return error
        error = nearest[0]
    return error


def _of_fault(kind: str, values: dict[str, Any]) -> Sentence:
    pattern = PATTERNS[kind]
    return Sentence(pattern.format(**values), pattern, values)


def _number(value: Any) -> Any:
    number = whole(value)
    return value if number is None else number


def _type_sentence(kinds: Any) -> str:
    if isinstance(kinds, str):
        return _of_fault(_TYPES.get(kinds, "dict_type"), {})
    return sentence(
        "A value of one of these types is needed: {types}", types=", ".join(f"`{each}`" for each in kinds)
    )


def _of_keyword(keyword: str, value: Any) -> str:
    match keyword:
        case "minProperties":
            return sentence("The object needs {min_length} or more fields", min_length=value)
        case "maxProperties":
            return sentence("The object may have {max_length} fields at most", max_length=value)
        case "uniqueItems":
            return sentence("The items must differ from each other")
        case "contains" | "minContains" | "maxContains":
            return sentence("The list does not hold the items it must hold")
        case "anyOf" | "oneOf" | "allOf":
            return sentence("The value has none of the forms that fit here")
        case "not":
            return sentence("The value has a form that must not be here")
        case "unevaluatedProperties" | "unevaluatedItems" | "items" | "prefixItems":
            return sentence("There is more than may be here")
    return Sentence(ANY_FAULT, ANY_FAULT, {})


Found = Iterator[ValidationError]


def _required(validator: Any, names: Sequence[str], value: Any, schema: Any) -> Found:
    if isinstance(value, dict):
        for name in names:
            if name not in value:
                yield ValidationError(_of_fault("missing", {}), path=(name,))


def _additional(validator: Any, others: Any, value: Any, schema: Any) -> Found:
    if others is not False:
        yield from Draft202012Validator.VALIDATORS["additionalProperties"](validator, others, value, schema)
        return
    extra = [] if not isinstance(value, dict) else _additional_names(validator, value, schema)
    known = schema.get("properties") or {}
    for name in extra:
        said: str = _of_fault("extra_forbidden", {})
        if known:
            advice = suggestion(name, known, "fields")
            said = sentence("There is no such field ({advice})", advice=advice)
        yield ValidationError(said, path=(name,))


def _additional_names(validator: Any, value: dict[str, Any], schema: Any) -> list[str]:
    """Return the names that the library finds too many: it knows of patterns too."""
    return [
        name
        for name in value
        if next(
            iter(
                Draft202012Validator.VALIDATORS["additionalProperties"](validator, False, {name: 0}, schema)
            ),
            None,
        )
    ]


def _dependent(validator: Any, needs: Mapping[str, Sequence[str]], value: Any, schema: Any) -> Found:
    if isinstance(value, dict):
        for name, others in needs.items():
            for other in others:
                if name in value and other not in value:
                    yield ValidationError(
                        sentence("With {name} this is needed too", name=f"`{name}`"), path=(other,)
                    )


def _choice(validator: Any, choices: Sequence[JsonValue], value: Any, schema: Any) -> Found:
    if not any(same_value(value, each) for each in choices):
        shown = [f"`{_json(each)}`" for each in choices[:_SHOWN_CHOICES]]
        expected = ", ".join(shown) + (", …" if len(choices) > len(shown) else "")
        yield ValidationError(_of_fault("literal_error", {"expected": expected}))


def _constant(validator: Any, only: JsonValue, value: Any, schema: Any) -> Found:
    yield from _choice(validator, [only], value, schema)


def _json(value: JsonValue) -> str:
    return value if isinstance(value, str) else encode_json(value).decode()[:_SHOWN_CHARACTERS]


def _limit(holds: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Any, Any], Found]:
    def check(validator: Any, limit: Any, value: Any, schema: Any) -> Found:
        if is_number(value) and not holds(exact(value), exact(limit)):
            yield ValidationError("")

    return check


def _is_multiple(value: Any, step: Any) -> bool:
    return bool(step) and not divided_down(value, step)[1]


ExactValidator: type[Draft202012Validator] = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        "required": _required,
        "additionalProperties": _additional,
        "dependentRequired": _dependent,
        "enum": _choice,
        "const": _constant,
        "minimum": _limit(lambda value, limit: value >= limit),
        "maximum": _limit(lambda value, limit: value <= limit),
        "exclusiveMinimum": _limit(lambda value, limit: value > limit),
        "exclusiveMaximum": _limit(lambda value, limit: value < limit),
        "multipleOf": _limit(_is_multiple),
    },
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "integer": lambda checker, value: whole(value) is not None,
            "number": lambda checker, value: is_number(value),
        }
    ),
)
"""Draft 2020-12, with numbers of every kind compared by value, and one fault for each field with its own place."""
# A schema that names its draft is checked by the class registered for it.
validates("exact 2020-12")(ExactValidator)  # type: ignore[arg-type]
