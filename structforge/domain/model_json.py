"""Models as JSON values whose numbers stay numbers.

Invariant: pydantic's own JSON writes a `Decimal` as a text, so what may hold people's values goes through here.
"""

from enum import Enum
from typing import Any

from pydantic import BaseModel


def model_json(model: BaseModel, **options: Any) -> dict[str, Any]:
    """Return a model as a JSON value; `options` are those of `model_dump`."""
    return {name: _plain(value) for name, value in model.model_dump(mode="python", **options).items()}


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(each) for each in value]
    return value
