"""Titles and summaries of node types in Chinese; node types bring their own in English.

Invariant: a type without an entry, such as a plugin's, is shown as it calls itself.
"""

# Reflex gives `rx.cond` no type.
# mypy: disable-error-code="no-any-return"

import json
from importlib import resources
from typing import Any

import reflex as rx

from structforge.ui.locale import LocaleState

LOCALE = "zh"
TEXTS: dict[str, dict[str, str]] = json.loads(
    (resources.files(__package__) / "messages" / f"node_types.{LOCALE}.json").read_text(encoding="utf-8")
)
"""Node type to its `title` and `summary`."""


def node_text(node_type: Any, field: str, own: Any) -> rx.Var[str]:
    """Return the `title` or `summary` of a node type in the visitor's language; `own` is its own text."""
    texts = rx.Var.create({name: each[field] for name, each in TEXTS.items()}).to(dict[str, str])
    found = texts[rx.Var.create(node_type).to(str)]
    return rx.cond((LocaleState.locale == LOCALE) & found.to(bool), found, own)


def node_texts() -> rx.Var[dict[str, dict[str, str]]]:
    """Return all texts that differ from the types' own, by type."""
    return rx.cond(LocaleState.locale == LOCALE, rx.Var.create(TEXTS), rx.Var.create({}))


def said(locale: str, node_type: str, field: str, own: str) -> str:
    """Return the `title` or `summary` of a node type for what the server itself says."""
    return TEXTS.get(node_type, {}).get(field, own) if locale == LOCALE else own


def matches(node_type: str, text: str) -> bool:
    """Tell whether every word of a search occurs in the Chinese texts of a node type."""
    known = " ".join(TEXTS.get(node_type, {}).values()).lower()
    words = text.lower().split()
    return bool(words) and all(word in known for word in words)
