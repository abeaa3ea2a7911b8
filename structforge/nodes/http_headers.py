"""Values as headers, addresses and forms hold them: as texts."""

from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.values import encode_json
from structforge.sdk import NodeError


def plain_text(value: Any) -> str:
    """Return a value as it stands in a URL, a form or a header: a text as it is, anything else as JSON spells it."""
    return value if isinstance(value, str) else encode_json(value).decode()


def header_texts(given: dict[str, Any]) -> dict[str, str]:
    """Return headers as texts: a number as JSON spells it, a list joined by commas. Raises: NodeError `http.header`."""
    headers: dict[str, str] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            raise NodeError(
                "http.header",
                sentence("The value of the header `{name}` is an object, and a header is a text.", name=name),
                where=f"parameters.headers.{name[:80]}",
                hint="Name the field of it that is meant.",
            )
        if isinstance(value, list):
            headers[name] = ", ".join(plain_text(one) for one in value if one is not None)
        elif value is not None:
            headers[name] = plain_text(value)
    return headers
