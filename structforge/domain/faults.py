"""What pydantic finds wrong with a value, as a sentence that can be told in another language.

Invariant: the text is pydantic's own, without the prefix of errors that a validator of ours raised.
"""

from collections.abc import Mapping
from typing import Any

from pydantic_core import PydanticKnownError

from structforge.domain.errors import Sentence

_RAISED = ("value_error", "assertion_error")


def fault_sentence(fault: Mapping[str, Any]) -> str:
    """Return what one of `ValidationError.errors()` says, without a full stop."""
    text = str(fault["msg"])
    context = fault.get("ctx") or {}
    if fault["type"] in _RAISED:
        raised = context.get("error")
        said = raised.args[0] if isinstance(raised, Exception) and raised.args else text
        return said if isinstance(said, str) else text
    try:
        pattern = PydanticKnownError(fault["type"], context or None).message_template
    except (KeyError, TypeError):
        return text.rstrip(".")
    values = {
        name: value if isinstance(value, int | float) else str(value) for name, value in context.items()
    }
    return Sentence(text.rstrip("."), pattern, values)
