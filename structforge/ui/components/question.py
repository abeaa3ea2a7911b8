"""Python side of question.jsx: a form of declared fields and a button for each decision. Knows no StructForge words.

Invariant: `problems` is `{"key", "fields": {field or "": sentence}}` of the last answer that was refused.
"""

# Reflex names the arguments of an event by a function in place of a type.
# mypy: disable-error-code="type-arg, valid-type"

from typing import Any

import reflex as rx

from structforge.ui.components import prose
from structforge.ui.components.modules import jsx_module

# question.jsx imports it by its place in the bundle.
NEEDS = (prose.Prose.library,)


def _answer_spec(
    key: rx.Var[str], decision: rx.Var[str], fields: rx.Var[dict[str, Any]], comment: rx.Var[str]
) -> tuple[rx.Var[str], rx.Var[str], rx.Var[dict[str, Any]], rx.Var[str]]:
    return (key, decision, fields, comment)


class Question(rx.Component):
    """One question."""

    library = jsx_module("question.jsx")
    tag = "Question"
    question: rx.Var[dict[str, Any]]
    problems: rx.Var[dict[str, Any]]
    texts: rx.Var[dict[str, str]]
    locale: rx.Var[str]
    on_answer: rx.EventHandler[_answer_spec]


question = Question.create
