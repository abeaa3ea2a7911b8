"""Reads text: finds the `{{ }}` segments and parses each with Jinja2's lexer and parser.

Invariant: a parsed expression holds allowed node kinds only, and each node's `lineno` is the character offset
of its token in the whole text (Jinja2 knows only lines, so the tokens are given offsets instead).
"""

import bisect
import re
import sys
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from jinja2 import TemplateSyntaxError, nodes
from jinja2.lexer import Token, TokenStream, operators
from jinja2.parser import Parser
from jinja2.sandbox import SandboxedEnvironment

from structforge.domain.errors import sentence
from structforge.domain.expressions.problems import ExpressionError
from structforge.domain.expressions.syntax_words import syntax_sentence
from structforge.domain.numbers import read_number

MAX_SOURCE_CHARS = 10_000
"""Longest expression between `{{` and `}}`."""
MAX_NESTING = 24
"""Deepest brackets in an expression: the recursive parser needs some 14 frames for each."""
MAX_TREE_DEPTH = 100
"""Deepest syntax tree; each level costs a frame or two when evaluated."""
MAX_SEGMENTS = 1_000
"""Most `{{ }}` in one text."""

ALLOWED_NODES: frozenset[type[nodes.Node]] = frozenset(
    {
        nodes.Const,
        nodes.Name,
        nodes.List,
        nodes.Tuple,
        nodes.Dict,
        nodes.Pair,
        nodes.Getattr,
        nodes.Getitem,
        nodes.Slice,
        nodes.Call,
        nodes.Keyword,
        nodes.Filter,
        nodes.Test,
        nodes.CondExpr,
        nodes.Compare,
        nodes.Operand,
        nodes.And,
        nodes.Or,
        nodes.Not,
        nodes.Neg,
        nodes.Pos,
        nodes.Add,
        nodes.Sub,
        nodes.Mul,
        nodes.Div,
        nodes.FloorDiv,
        nodes.Mod,
        nodes.Pow,
        nodes.Concat,
    }
)
"""The whole language, as data: a translator (row expressions to polars) handles a subset of these kinds."""

_ENVIRONMENT = SandboxedEnvironment(extensions=(), cache_size=0, autoescape=False)
_OPENING = {"(": ")", "[": "]", "{": "}"}
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"', "/": "/", "b": "\b", "f": "\f"}


@dataclass(frozen=True)
class ParsedExpression:
    """One expression with the tokens that give its nodes exact positions."""

    expression: nodes.Expr
    tokens: tuple[tuple[int, int, str], ...]
    """(start, end, type) of each token, offsets into the whole text."""

    @cached_property
    def _starts(self) -> list[int]:
        return [token[0] for token in self.tokens]

    def token_span(self, offset: int, ahead: int = 0) -> tuple[int, int]:
        """Return (start, end) of the token at the offset, or of the one `ahead` tokens after it."""
        index = min(bisect.bisect_left(self._starts, offset) + ahead, len(self.tokens) - 1)
        return self.tokens[index][0], self.tokens[index][1]

    def access_span(self, node: nodes.Getattr | nodes.Getitem) -> tuple[int, int]:
        """Return the span of what is looked up: `price` in `a.price`, `[0]` in `a[0]`."""
        start, _ = self.token_span(node.lineno)
        index = bisect.bisect_left(self._starts, start)
        if self.tokens[index][2] == "dot":
            return self.token_span(node.lineno, 1)
        depth = 0
        for begin in range(index, len(self.tokens)):
            kind = self.tokens[begin][2]
            depth += (kind in ("lbracket", "lparen", "lbrace")) - (kind in ("rbracket", "rparen", "rbrace"))
            if depth == 0:
                return start, self.tokens[begin][1]
        return start, self.tokens[-1][1]

    def span(self, node: nodes.Node) -> tuple[int, int]:
        """Return the span to name when the node fails: the name, field, function or both operands."""
        if isinstance(node, nodes.Getattr | nodes.Getitem):
            return self.access_span(node)
        if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Name | nodes.Getattr):
            return self.span(node.node)
        if isinstance(node, nodes.BinExpr):
            return self._leftmost(node.left), self.span(node.right)[1]
        if isinstance(node, nodes.Compare):
            return self._leftmost(node.expr), self.span(node.ops[-1].expr)[1]
        if isinstance(node, nodes.Test):
            return self.token_span(node.lineno)[0], self.token_span(node.lineno, 1)[1]
        return self.token_span(node.lineno)

    def _leftmost(self, node: nodes.Node) -> int:
        # Jinja2 gives operands of comparisons no place of their own.
        start: int = node.lineno if node.lineno is not None else sys.maxsize
        for child in node.iter_child_nodes():
            start = min(start, self._leftmost(child))
        return start


@dataclass(frozen=True, slots=True)
class Segment:
    """One `{{ … }}` of a text."""

    start: int
    end: int
    parsed: ParsedExpression


@dataclass(frozen=True, slots=True)
class _Tokens:
    """What the lexer found: the tokens, where each ends, where the text goes on, and where `}}` begins."""

    tokens: list[Token]
    ends: list[int]
    end: int
    closed: int | None


def parse_expression(source: str) -> nodes.Expr:
    """Parse a bare expression (no braces) into Jinja2 nodes of the `ALLOWED_NODES` kinds.

    Each node's `lineno` is the character offset of its token. Raises: ExpressionError.
    """
    return read_expression(source).expression


def read_expression(source: str) -> ParsedExpression:
    """Parse like `parse_expression`, and keep the spans of the tokens for errors. Raises: ExpressionError."""
    if len(source) > MAX_SOURCE_CHARS:
        raise _too_long(source, 0)
    found = _tokenize(source, source, 0)
    if found.closed is not None:
        raise _syntax("Here }} does not belong to the expression.", source, found.closed, found.end)
    return _parse(source, found, 0, len(source))


def read_segments(text: str) -> tuple[Segment, ...]:
    """Return the `{{ }}` segments of a text in order; all between is literal. Raises: ExpressionError."""
    segments: list[Segment] = []
    position = text.find("{{")
    while position >= 0:
        if len(segments) == MAX_SEGMENTS:
            raise ExpressionError(
                "expression.too_large",
                sentence("The text has more than {max_segments} expressions.", max_segments=MAX_SEGMENTS),
                "Build a list or an object and use tojson or join.",
                text,
                position,
                position + 2,
            )
        begin = position + 2
        window = text[begin : begin + MAX_SOURCE_CHARS + 2]
        found = _tokenize(text, window, begin)
        if found.closed is None:
            if begin + MAX_SOURCE_CHARS + 2 < len(text):
                raise _too_long(text, begin)
            raise _syntax(
                "This {{ is never closed.", text, position, begin, 'Add }}, or write a literal as {{ "{{" }}.'
            )
        if text[begin] == "-" or text[found.closed] == "-":
            raise ExpressionError(
                "expression.not_supported",
                "The whitespace control of {{- and -}} is not supported.",
                "Leave a space after {{ and before }}.",
                text,
                position if text[begin] == "-" else found.closed,
                begin + 1 if text[begin] == "-" else found.end,
            )
        segments.append(Segment(position, found.end, _parse(text, found, begin, found.closed)))
        position = text.find("{{", found.end)
    return tuple(segments)


def _tokenize(text: str, window: str, base: int) -> _Tokens:
    """Run Jinja2's lexer up to the closing braces; the tokens get offsets for line numbers."""
    offsets = _Offsets(window, base)
    tokens: list[Token] = []
    ends: list[int] = []
    length = 0
    nesting = 0
    try:
        for _, kind, value in _ENVIRONMENT.lexer.tokeniter(window, None, None, "variable"):
            start = offsets.of(length)
            length += len(value)
            end = offsets.of(length)
            if kind == "variable_end":
                closing = start + (1 if value.startswith("-") else 0)
                return _Tokens(tokens, ends, closing + 2, start)
            if kind == "whitespace":
                continue
            if kind == "operator":
                nesting += (value in _OPENING) - (value in _OPENING.values())
                if nesting > MAX_NESTING:
                    raise ExpressionError(
                        "expression.too_large",
                        sentence(
                            "The brackets are nested deeper than {max_nesting} levels.",
                            max_nesting=MAX_NESTING,
                        ),
                        "Split it over several nodes.",
                        text,
                        start,
                        end,
                    )
            tokens.append(_token(text, kind, value, start, end))
            ends.append(end)
    except TemplateSyntaxError as error:
        start = offsets.of(length)
        message = re.sub(r" at \d+$", "", error.message or "")
        raise _syntax(
            sentence("This is not a well-formed expression: {message}.", message=syntax_sentence(message)),
            text,
            start,
            start + 1,
        ) from error
    return _Tokens(tokens, ends, base + len(window), None)


class _Offsets:
    """Maps offsets in what the lexer saw (CR LF became LF) to offsets in the text."""

    def __init__(self, window: str, base: int) -> None:
        self._base = base
        self._removed = [match.start() - n for n, match in enumerate(re.finditer("\r\n", window))]

    def of(self, offset: int) -> int:
        if not self._removed:
            return self._base + offset
        return self._base + offset + bisect.bisect_left(self._removed, offset)


def _token(text: str, kind: str, value: str, start: int, end: int) -> Token:
    if kind == "operator":
        return Token(start, operators[value], value)
    if kind == "name":
        if not value.isidentifier():
            raise _syntax(sentence("{value} is not a name.", value=value[:80]), text, start, end)
        return Token(start, kind, value)
    converted: object = value
    if kind == "string":
        converted = _unescape(text, value[1:-1], start, end)
    elif kind in ("integer", "float"):
        converted = _number(text, kind, value.replace("_", ""), start, end)
    return Token(start, kind, converted)  # type: ignore[arg-type]  # Jinja2 itself puts numbers here.


def _number(text: str, kind: str, digits: str, start: int, end: int) -> int | Decimal:
    """Return the number of a literal; one with a fraction or an exponent is an exact decimal."""
    number: int | Decimal | None
    try:
        number = int(digits, 0) if kind == "integer" else read_number(digits)
    except ValueError:
        number = None
    if number is None:
        raise ExpressionError("expression.too_large", "The number has too many digits.", "", text, start, end)
    return number


def _unescape(text: str, body: str, start: int, end: int) -> str:
    def replace(match: re.Match[str]) -> str:
        code = match.group(1) or match.group(2)
        if code:
            return chr(int(code, 16))
        character = _ESCAPES.get(match.group(3))
        if character is None:
            raise _syntax(
                sentence("\\{letter} is not an escape.", letter=match.group(3)),
                text,
                start,
                end,
                "Write \\\\ for a backslash.",
            )
        return character

    value = _ESCAPE.sub(replace, body)
    if "\\u" in body:
        # Two escapes can make one character outside the first plane, as in JSON.
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise _syntax("A text cannot contain NUL or a lone surrogate.", text, start, end)
    return value


def _parse(text: str, found: _Tokens, begin: int, end: int) -> ParsedExpression:
    if not found.tokens:
        raise _syntax(
            "There is no expression here.", text, begin, end, "Name a node, as in {{ fetch_orders.body }}."
        )
    parser = Parser(_ENVIRONMENT, "", state="variable")
    # The parser names the last token when it runs out, so a marker at the end gives that the right offset.
    parser.stream = TokenStream(iter([*found.tokens, Token(end, "eof", "")]), None, None)
    try:
        expression = parser.parse_expression()
        if parser.stream.current.type != "eof":
            parser.fail(f"unexpected {parser.stream.current.value!r}", parser.stream.current.lineno)
    except TemplateSyntaxError as error:
        start = error.lineno
        ends = {token.lineno: stop for token, stop in zip(found.tokens, found.ends, strict=True)}
        message = (error.message or "").replace("end of template", "the end").rstrip(".")
        raise _syntax(
            sentence("This is not a well-formed expression: {message}.", message=syntax_sentence(message)),
            text,
            start,
            ends.get(start, start),
        ) from error
    except RecursionError as error:
        raise _too_deep(text, begin, end) from error
    spans = zip(found.tokens, found.ends, strict=True)
    parsed = ParsedExpression(expression, tuple((token.lineno, stop, token.type) for token, stop in spans))
    _check(text, parsed, begin, end)
    return parsed


def _check(text: str, parsed: ParsedExpression, begin: int, end: int) -> None:
    """Refuse node kinds outside the language and trees too deep to walk; never recursive itself."""
    level: list[nodes.Node] = [parsed.expression]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_TREE_DEPTH:
            raise _too_deep(text, begin, end)
        for node in level:
            if type(node) not in ALLOWED_NODES:
                start, stop = parsed.span(node)
                raise ExpressionError(
                    "expression.not_supported",
                    sentence("{name} is not part of the expression language.", name=type(node).__name__),
                    "",
                    text,
                    start,
                    stop,
                )
        level = [child for node in level for child in node.iter_child_nodes()]


def _too_deep(text: str, begin: int, end: int) -> ExpressionError:
    return ExpressionError(
        "expression.too_large",
        "The expression is nested too deeply.",
        "Split it over several nodes.",
        text,
        begin,
        end,
    )


def _too_long(text: str, begin: int) -> ExpressionError:
    return ExpressionError(
        "expression.too_large",
        sentence(
            "The expression is longer than {max_source_chars} characters.", max_source_chars=MAX_SOURCE_CHARS
        ),
        "Close it with }}, or use a code node.",
        text,
        begin,
        begin + MAX_SOURCE_CHARS,
    )


def _syntax(message: str, text: str, start: int, end: int, hint: str = "") -> ExpressionError:
    return ExpressionError("expression.syntax", message, hint, text, start, end)
