"""Texts with `{{ }}` and parameter trees that hold them, compiled once and evaluated for each step.

Invariant: a text without `{{` is returned as it is; a whole-text expression keeps its type; data is never
read as an expression; only `ExpressionError` is raised.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from structforge.domain.errors import sentence
from structforge.domain.expressions.compile import (
    Evaluator,
    Reference,
    compile_expression,
    is_plain_reference,
)
from structforge.domain.expressions.lazy import LazyScope
from structforge.domain.expressions.limits import MAX_TEXT_CHARS, MAX_WORK, Work, weight_of
from structforge.domain.expressions.operators import as_text
from structforge.domain.expressions.problems import Absent, ExpressionError, Fault
from structforge.domain.expressions.syntax import read_segments
from structforge.domain.values import MAX_DEPTH, UNBOUNDED, JsonValue, path_of, settled_value, weigh

_CACHED_TEXT_CHARS = 2_000
"""Longer texts are compiled by their owner once and not kept here, which bounds the cache's memory."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text, constant or with expressions."""

    text: str
    is_constant: bool
    references: tuple[Reference, ...]
    _parts: tuple[str | Evaluator, ...] = ()
    _builds: bool = False

    def evaluate(self, scope: Mapping[str, Any], max_work: int = MAX_WORK) -> JsonValue:
        """Return the value of the text for the scope: plain JSON values (and `Skipped`) by name.

        The result may share parts with the scope; treat both as read-only. Raises: ExpressionError.
        """
        if self.is_constant:
            return self.text
        reading = scope.reading if type(scope) is LazyScope else None
        work = Work(max_work, reading)
        parts = self._parts
        try:
            if len(parts) == 1 and not isinstance(parts[0], str):
                value: JsonValue = parts[0](scope, work)
                if reading is not None:
                    value = reading.result(value)
                if self._builds and isinstance(value, dict | list) and weight_of(value) == UNBOUNDED:
                    raise Fault(
                        "expression.too_large", "The result is too large or too deep.", "", 0, len(self.text)
                    )
                return settled_value(value) if work.exact else value
            return self._joined(scope, work)
        except Absent as absent:
            raise self._error(absent.explained(scope)) from None
        except Fault as fault:
            raise self._error(fault) from None
        except RecursionError as error:
            raise self._error(Fault("expression.too_large", "The value is nested too deeply.")) from error

    def _joined(self, scope: Mapping[str, Any], work: Work) -> str:
        texts = []
        length = 0
        for part in self._parts:
            text = part if isinstance(part, str) else self._text(part(scope, work), work)
            length += len(text)
            if length > MAX_TEXT_CHARS:
                raise Fault(
                    "expression.too_large",
                    sentence(
                        "The text would be longer than {max_text_chars} characters.",
                        max_text_chars=MAX_TEXT_CHARS,
                    ),
                )
            texts.append(text)
        return "".join(texts)

    @staticmethod
    def _text(value: Any, work: Work) -> str:
        return as_text(value if work.reading is None else work.reading.whole(value), work)

    def _error(self, fault: Fault) -> ExpressionError:
        start, end = (fault.start, fault.end) if fault.start >= 0 else (0, len(self.text))
        return ExpressionError(fault.code, fault.message, fault.hint, self.text, start, end)


@dataclass(frozen=True, slots=True)
class CompiledValue:
    """A parameter tree with its expressions found and compiled."""

    value: JsonValue
    is_constant: bool
    """True if nothing in the tree has to be evaluated and nothing is wrong with it."""
    references: tuple[Reference, ...]
    problems: tuple[ExpressionError, ...]
    """Everything that is wrong before it runs; `resolve` raises the first."""
    _plan: Any = None

    def resolve(self, scope: Mapping[str, Any]) -> Any:
        """Return the tree with every text evaluated; a constant tree is returned as the same object.

        The shape is that of the compiled value. Raises: ExpressionError that names the parameter.
        """
        if self.problems:
            raise self.problems[0]
        if self.is_constant:
            return self.value
        return self._plan(scope)


def parse(text: str) -> Template:
    """Compile a text; short texts are cached. Raises: ExpressionError with the position in the text."""
    if "{{" not in text:
        return Template(text, True, ())
    return _parse_cached(text) if len(text) <= _CACHED_TEXT_CHARS else _parse(text)


def compile_value(value: JsonValue, root: str = "parameters") -> CompiledValue:
    """Compile a parameter tree (keys are never expressions); problems are collected, not raised."""
    references: list[Reference] = []
    problems: list[ExpressionError] = []
    if weigh(value, 2**62) == UNBOUNDED:
        problems.append(
            ExpressionError(
                "expression.too_large",
                sentence("The value is nested deeper than {max_depth} levels.", max_depth=MAX_DEPTH),
                parameter_path=root,
            )
        )
        return CompiledValue(value, False, (), tuple(problems))
    plan = _compile_tree(value, root, references, problems)
    return CompiledValue(value, plan is None and not problems, tuple(references), tuple(problems), plan)


@functools.lru_cache(maxsize=1024)
def _parse_cached(text: str) -> Template:
    return _parse(text)


def _parse(text: str) -> Template:
    if len(text) > MAX_TEXT_CHARS:
        raise ExpressionError(
            "expression.too_large",
            sentence(
                "A text with expressions has at most {max_text_chars} characters.",
                max_text_chars=MAX_TEXT_CHARS,
            ),
            "",
            text,
            0,
            len(text),
        )
    parts: list[str | Evaluator] = []
    references: list[Reference] = []
    position = 0
    segments = read_segments(text)
    for segment in segments:
        if segment.start > position:
            parts.append(text[position : segment.start])
        try:
            evaluator, names = compile_expression(segment.parsed)
        except Fault as fault:
            raise ExpressionError(
                fault.code, fault.message, fault.hint, text, fault.start, fault.end
            ) from None
        parts.append(evaluator)
        references.extend(names)
        position = segment.end
    if position < len(text):
        parts.append(text[position:])
    builds = len(parts) == 1 and not is_plain_reference(segments[0].parsed.expression)
    return Template(text, False, tuple(references), tuple(parts), builds)


def _compile_tree(
    value: JsonValue, path: str, references: list[Reference], problems: list[ExpressionError]
) -> Any:
    """Return a function of the scope, or None if the subtree is constant."""
    if isinstance(value, str):
        return _compile_text(value, path, references, problems)
    if isinstance(value, dict):
        fields = [
            (key, plan)
            for key, item in value.items()
            if (plan := _compile_tree(item, path_of(path, key), references, problems)) is not None
        ]
        return _filled(value, fields) if fields else None
    if isinstance(value, list):
        places = [
            (index, plan)
            for index, item in enumerate(value)
            if (plan := _compile_tree(item, path_of(path, index), references, problems)) is not None
        ]
        return _filled(value, places) if places else None
    return None


def _filled(value: Any, places: list[Any]) -> Any:
    def fill(scope: Mapping[str, Any]) -> Any:
        copy = value.copy()
        for key, plan in places:
            copy[key] = plan(scope)
        return copy

    return fill


def _compile_text(text: str, path: str, references: list[Reference], problems: list[ExpressionError]) -> Any:
    if "{{" not in text:
        return None
    try:
        template = parse(text)
    except ExpressionError as error:
        problems.append(error.at(path))
        return None
    references.extend(replace(reference, parameter_path=path) for reference in template.references)

    def evaluate(scope: Mapping[str, Any]) -> JsonValue:
        try:
            return template.evaluate(scope)
        except ExpressionError as error:
            raise error.at(path) from None

    return evaluate
