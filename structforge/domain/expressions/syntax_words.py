"""What the parser finds wrong with an expression, in our words: none of Jinja2's reach people.

Invariant: every message of the library has a sentence; what is not known here gets a plain one.
"""

import re

from structforge.domain.errors import sentence

_END = ("end of template", "the end", "'the end'", "end of print statement")
_KINDS = {"integer": "a number", "float": "a number", "string": "a text", "name": "a name"}
_UNEXPECTED_CHARACTER = re.compile(r"unexpected char (['\"])(?P<found>.*)\1", re.DOTALL)
_EXPECTED = re.compile(
    r"expected token '(?P<wanted>.+)', got '(?P<found>.+)'|unexpected (?P<other>.+), expected '(?P<needed>.+)'",
    re.DOTALL,
)
_UNEXPECTED = re.compile(r"unexpected (?P<found>.+)", re.DOTALL)


def syntax_sentence(message: str) -> str:
    """Return what a message of the lexer or the parser says, without a full stop."""
    if found := _UNEXPECTED_CHARACTER.fullmatch(message):
        if found["found"] in ("'", '"'):
            return sentence("a text is not closed")
        return sentence("{found} has no place here", found=f"`{found['found']}`")
    if found := _EXPECTED.fullmatch(message):
        wanted, other = found["wanted"] or found["needed"], found["found"] or found["other"]
        if other in _END:
            return sentence("it ends where {wanted} is expected", wanted=_named(wanted))
        return sentence("{wanted} is expected here, not {found}", wanted=_named(wanted), found=_named(other))
    if found := _UNEXPECTED.fullmatch(message):
        if found["found"] in _END:
            return sentence("it ends too early")
        return sentence("{found} has no place here", found=_named(found["found"]))
    if message == "expected name or number":
        return sentence("the name of a field or a position is expected after the point")
    if message.startswith("invalid syntax for function call"):
        return sentence("arguments with a name come after those without")
    return sentence("something is missing or too much here")


def _named(token: str) -> str:
    bare = token.strip("'")
    return _KINDS.get(bare, f"`{bare}`")
