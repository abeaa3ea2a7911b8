"""Titles and summaries of node types, and titles of their parameters, in Chinese; they bring their own in English.

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


def _load(name: str) -> Any:
    place = resources.files(__package__) / "messages" / f"{name}.{LOCALE}.json"
    return json.loads(place.read_text(encoding="utf-8"))


TEXTS: dict[str, dict[str, str]] = _load("node_types")
"""Node type to its `title` and `summary`."""
PARAMETERS: dict[str, str] = _load("parameters")
"""A parameter's own title to the Chinese one, whatever node it is of."""


def node_text(node_type: Any, field: str, own: Any) -> rx.Var[str]:
    """Return the `title` or `summary` of a node type in the visitor's language; `own` is its own text."""
    texts = rx.Var.create({name: each[field] for name, each in TEXTS.items()}).to(dict[str, str])
    found = texts[rx.Var.create(node_type).to(str)]
    return rx.cond((LocaleState.locale == LOCALE) & found.to(bool), found, own)


def node_texts() -> rx.Var[dict[str, dict[str, str]]]:
    """Return all texts that differ from the types' own, by type."""
    return rx.cond(LocaleState.locale == LOCALE, rx.Var.create(TEXTS), rx.Var.create({}))


def parameter_title(own: Any) -> rx.Var[str]:
    """Return a parameter's title in the visitor's language; `own` is its own."""
    found = parameter_titles().to(dict[str, str])[rx.Var.create(own).to(str)]
    return rx.cond(found, found, own)


def parameter_titles() -> rx.Var[dict[str, str]]:
    """Return the parameters' titles that differ from their own, by these."""
    return rx.cond(LocaleState.locale == LOCALE, rx.Var.create(PARAMETERS), rx.Var.create({}))


def said(locale: str, node_type: str, field: str, own: str) -> str:
    """Return the `title` or `summary` of a node type for what the server itself says."""
    return TEXTS.get(node_type, {}).get(field, own) if locale == LOCALE else own


def matches(node_type: str, text: str) -> bool:
    """Tell whether every word of a search occurs in the Chinese texts of a node type."""
    known = " ".join(TEXTS.get(node_type, {}).values()).lower()
    words = text.lower().split()
    return bool(words) and all(word in known for word in words)
