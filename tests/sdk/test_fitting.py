"""Parameters take what expressions give: numbers in texts, decimals in numbers; a truth is no number."""

from decimal import Decimal
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from structforge.domain.expressions import compile_value
from structforge.sdk import Parameters, parameter


class Inner(BaseModel):
    label: str = ""


class All(Parameters):
    text: str = parameter("", title="Text")
    whole: int = parameter(0, title="Whole", le=10)
    number: float = parameter(0.0, title="Number")
    maybe: int | None = parameter(None, title="Maybe")
    texts: tuple[str, ...] = parameter((), title="Texts")
    by_name: dict[str, str] = parameter(default_factory=dict, title="By name")
    inner: tuple[Inner, ...] = parameter((), title="Inner")
    text_or_object: str | dict[str, Any] = parameter("", title="Text or object")
    short: Annotated[str, Field(max_length=4)] = ""
    anything: Any = parameter(None, title="Anything")


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("text", 2024, "2024"),
        ("text", 2.5, "2.5"),
        ("text", True, "true"),
        ("text", False, "false"),
        ("text", 12345678901234567890, "12345678901234567890"),
        ("whole", 3.0, 3),
        ("whole", "3", 3),
        ("whole", Decimal("3"), 3),
        ("number", Decimal("2.5"), 2.5),
        ("number", "2.5", 2.5),
        ("number", 2, 2.0),
        ("maybe", None, None),
        ("maybe", 3.0, 3),
        ("texts", [1, True, "a"], ("1", "true", "a")),
        ("by_name", {"a": 1, "b": False}, {"a": "1", "b": "false"}),
        ("inner", [{"label": 5}], (Inner(label="5"),)),
        ("text_or_object", 5, "5"),
        ("text_or_object", {"a": 5}, {"a": 5}),
        ("short", 2024, "2024"),
        ("anything", Decimal("2.50"), Decimal("2.50")),
        ("anything", True, True),
    ],
)
def test_what_fits_is_taken(name: str, given: object, taken: object) -> None:
    made = All.model_validate({name: given})
    assert getattr(made, name) == taken and type(getattr(made, name)) is type(taken)
    assert made.given(name) and not made.given("text" if name != "text" else "whole")


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("text", None, "string_type"),
        ("text", [1], "string_type"),
        ("whole", True, "int_type"),
        ("whole", "1_0", "int_type"),
        ("whole", 2.5, "int_from_float"),
        ("whole", Decimal("2.5"), "int_from_float"),
        ("whole", 11, "less_than_equal"),
        ("number", False, "float_type"),
        ("number", "inf", "float_type"),
        ("number", "much", "float_type"),
        ("maybe", True, "int_type"),
        ("texts", "a", "tuple_type"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, given: object, kind: str) -> None:
    with pytest.raises(ValidationError) as caught:
        All.model_validate({name: given})
    assert [(fault["type"], fault["loc"]) for fault in caught.value.errors()] == [(kind, (name,))]


@pytest.mark.parametrize("value", [0, -7, 2.5, True, False, 2**70])
def test_the_text_is_the_one_that_stands_beside_other_text(value: object) -> None:
    beside = compile_value("{{ x }}.").resolve({"x": value})
    assert All.model_validate({"text": value}).text + "." == beside
