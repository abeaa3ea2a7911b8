"""Failures a person sees, as values: a code, a sentence, where, and what to do.

Invariant: a `Problem` never holds a stack trace or a secret; codes are stable and documented in docs/errors.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self


class Sentence(str):
    """A sentence that still knows its pattern and what was filled in, so that it can be told in another language.

    To everybody else it is the text. Cutting it or adding to it gives plain text, which stays as it is.
    """

    __slots__ = ("pattern", "values")

    pattern: str
    """The sentence with a `{name}` for each value; braces that are meant are doubled, as `str.format` has it."""
    values: Mapping[str, Any]
    """Texts, numbers, or sentences again."""

    def __new__(cls, text: str, pattern: str, values: Mapping[str, Any]) -> Self:
        """Make the sentence that reads `text`."""
        made = super().__new__(cls, text)
        made.pattern = pattern
        made.values = values
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return Sentence, (str(self), self.pattern, dict(self.values))

    def shortened(self, most: int) -> "Sentence":
        """Return the same sentence with texts of at most `most` characters filled in."""
        values = {
            name: f"{value[:most]}…" if isinstance(value, str) and len(value) > most else value
            for name, value in self.values.items()
        }
        if values == self.values:
            return self
        return Sentence(self.pattern.format_map(values), self.pattern, values)

    def as_json(self) -> dict[str, Any]:
        """Return what `read_sentence` needs beside the text."""
        values = {
            name: {"text": str(value)} | value.as_json() if isinstance(value, Sentence) else value
            for name, value in self.values.items()
        }
        return {"pattern": self.pattern, "values": values}


def sentence(pattern: str, /, **values: object) -> Sentence:
    """Return the sentence with the values in their places. Raises: KeyError."""
    kept = {
        name: value if isinstance(value, str | int | float) else str(value) for name, value in values.items()
    }
    return Sentence(pattern.format(**kept), pattern, kept)


def read_sentence(text: str, body: object) -> str:
    """Return the sentence of `as_json`, and the text alone when the body is none (it may be a stranger's)."""
    match body:
        case {"pattern": str(pattern), "values": dict(values)}:
            return Sentence(text, pattern, {str(name): _value(value) for name, value in values.items()})
    return text


def _value(value: object) -> object:
    match value:
        case {"text": str(text)}:
            return read_sentence(text, value)
    return value if isinstance(value, str | int | float) else str(value)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, told so that the reader can mend it."""

    code: str
    """Stable, dotted, lower case: `graph.cycle`, `file.not_found`."""
    message: str
    """One sentence that says what is wrong, with the offending value."""
    where: str = ""
    """The place: `nodes.fetch.parameters.url`, `line 17`, `edge a.out -> b.in`."""
    hint: str = ""
    """What to do about it."""
    details: dict[str, Any] = field(default_factory=dict)
    """JSON facts for programs (positions, both revisions, the allowed values)."""

    def as_json(self) -> dict[str, Any]:
        """Return the fields that are set as a JSON object."""
        body: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.where:
            body["where"] = self.where
        if self.hint:
            body["hint"] = self.hint
        if self.details:
            body["details"] = self.details
        sentences = {
            name: text.as_json()
            for name, text in (("message", self.message), ("hint", self.hint))
            if isinstance(text, Sentence)
        }
        if sentences:
            body["sentences"] = sentences
        return body

    @classmethod
    def from_json(cls, body: dict[str, Any]) -> "Problem":
        """Read what `as_json` wrote."""
        sentences = body.get("sentences")
        told = sentences if isinstance(sentences, dict) else {}
        return cls(
            code=body["code"],
            message=read_sentence(body["message"], told.get("message")),
            where=body.get("where", ""),
            hint=read_sentence(body.get("hint", ""), told.get("hint")),
            details=body.get("details", {}),
        )

    def __str__(self) -> str:
        place = f" ({self.where})" if self.where else ""
        hint = f" {self.hint}" if self.hint else ""
        return f"{self.message}{place}{hint}"


class StructForgeError(Exception):
    """Base of the errors that carry a `Problem`; `status` is the HTTP status an API answers with."""

    status = 400

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class InvalidError(StructForgeError):
    """The input is wrong; the same call will fail again. Carries every problem found, never only the first."""

    status = 422

    def __init__(self, *problems: Problem) -> None:
        super().__init__(problems[0])
        self.problems = problems


class NotFoundError(StructForgeError):
    """Nothing of that id is visible to this principal (a foreign id looks the same as a missing one)."""

    status = 404


class ForbiddenError(StructForgeError):
    """The principal is known and lacks the permission."""

    status = 403


class UnauthenticatedError(StructForgeError):
    """No valid credentials came with the call."""

    status = 401


class ConflictError(StructForgeError):
    """The object is not in the state the call expects; read it again, then decide."""

    status = 409


class GoneError(StructForgeError):
    """What was here is over for good; repeating the call never helps."""

    status = 410


class TooLargeError(StructForgeError):
    """A body, file or value is over its limit."""

    status = 413


class TooManyRequestsError(StructForgeError):
    """A rate limit was reached; retry later."""

    status = 429


class UnavailableError(StructForgeError):
    """A part of the system is down; retrying later helps."""

    status = 503
