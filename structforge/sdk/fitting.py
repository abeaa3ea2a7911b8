"""Values as a parameter's type takes them: an expression gives what it gives, and a number can stand where a text does.

Invariant: nothing is guessed and nothing lost. A text takes the canonical text of a number or of true and false, as in
`{{ }}` beside other text; a truth is never a number. What does not fit is left to the model, which says so.
"""

import functools
import types
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from structforge.domain.numbers import read_number
from structforge.domain.values import encode_json

Fit = Callable[[Any], Any]

_PLAIN = (bool, int, float, Decimal)
_LISTS = (list, tuple, set, frozenset)


def fitted(model: type[BaseModel], values: Any) -> Any:
    """Return the values of a model's fields as their types take them; anything but an object comes back as it is."""
    fits = _fits_of(model)
    if not fits or not isinstance(values, Mapping):
        return values
    changed = {
        name: made for name, fit in fits if name in values and (made := fit(values[name])) is not values[name]
    }
    return {**values, **changed} if changed else values


@functools.cache
def _fits_of(model: type[BaseModel]) -> tuple[tuple[str, Fit], ...]:
    found = ((field.alias or name, _fit_of(field.annotation)) for name, field in model.model_fields.items())
    return tuple((name, fit) for name, fit in found if fit is not None)


def _fit_of(annotation: Any) -> Fit | None:
    """Return what brings a value to a type; none where nothing has to be done."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _fit_of(arguments[0])
    if annotation is str:
        return _text
    if annotation in (int, float):
        return _number
    if origin in (Union, types.UnionType):
        return _member(arguments)
    if origin in _LISTS and arguments:
        return _each(_fit_of(arguments[0]))
    if origin is dict:
        return _values(_fit_of(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return functools.partial(fitted, annotation)
    return None


def _text(value: Any) -> Any:
    # The text of a number or a truth is its JSON, as it is when an expression stands beside other text.
    return encode_json(value).decode() if type(value) in _PLAIN else value


def _number(value: Any) -> Any:
    # A model would take true for 1, and more spellings than the language does: an object is refused as any text is.
    if isinstance(value, bool):
        return {}
    if not isinstance(value, str):
        return value
    found = read_number(value)
    return {} if found is None else found


def _member(members: tuple[Any, ...]) -> Fit | None:
    """Fit a value to the only member that is not null; among several, a number becomes text where none takes it."""
    kinds = [member for member in members if member is not type(None)]
    if len(kinds) == 1:
        fit = _fit_of(kinds[0])
        return None if fit is None else lambda value: value if value is None else fit(value)
    bare = {get_args(kind)[0] if get_origin(kind) is Annotated else kind for kind in kinds}
    return _text if str in bare and not bare & {int, float, bool, Decimal, Any} else None


def _each(fit: Fit | None) -> Fit | None:
    if fit is None:
        return None
    return lambda value: [fit(item) for item in value] if isinstance(value, list | tuple) else value


def _values(fit: Fit | None) -> Fit | None:
    if fit is None:
        return None
    return lambda value: (
        {name: fit(item) for name, item in value.items()} if isinstance(value, Mapping) else value
    )
