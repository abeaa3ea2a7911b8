"""The policies of a node as a form: the fields of `domain.policies` with the words of each language.

Invariant: every field has a title in the catalogue; a policy that is added without one is not shown silently but
fails when the page is built.
"""

# Reflex gives `rx.cond` no type.
# mypy: disable-error-code="no-any-return"

from typing import Any

import reflex as rx

from structforge.domain.policies import Policies
from structforge.ui.locale import CATALOGUES, LocaleState

_SHOWN_IF = {"error_value": {"on_error": "continue"}}
# The list to run on is the only text in them that is evaluated.
_EXPRESSIONS = ("each",)


def policy_schema_in(locale: str) -> dict[str, Any]:
    """Return the JSON Schema of the policies with titles and help in a language. Raises: KeyError."""
    texts = CATALOGUES[locale]
    schema = Policies.model_json_schema()
    for name, field in _fields(schema, ""):
        field["title"] = texts[f"policy.{name}"]
        field["description"] = texts.get(f"policy.{name}_help", "")
    for name, field in schema["properties"].items():
        field["x-expressions"] = name in _EXPRESSIONS
        if name in _SHOWN_IF:
            field["x-show-if"] = _SHOWN_IF[name]
    return schema


def policy_schema() -> rx.Var[dict[str, Any]]:
    """Return the schema in the visitor's language."""
    return rx.cond(
        LocaleState.locale == "zh",
        rx.Var.create(policy_schema_in("zh")),
        rx.Var.create(policy_schema_in("en")),
    )


def _fields(schema: dict[str, Any], start: str) -> list[tuple[str, dict[str, Any]]]:
    """List the fields with their names in the catalogue, those of `RetryPolicy` as `retry_…`."""
    found = [(start + name, field) for name, field in schema["properties"].items()]
    for name, inner in schema.get("$defs", {}).items():
        prefix = name.removesuffix("Policy").lower()
        found += [(f"{prefix}_{each}", field) for each, field in inner["properties"].items()]
    return found
