"""Names of files as headers and addresses say them, and names that a file can have.

Invariant: what `safe_name` returns is one part of a path, printable, in composed Unicode, or nothing.
"""

import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from urllib.parse import quote, unquote_to_bytes

from structforge.domain.charsets import CharsetError, decode_text

MAX_NAME_CHARACTERS = 200
_MAX_ENDING_CHARACTERS = 20

_PARAMETER = re.compile(r""";\s*([\w*-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;]*))""", re.DOTALL)
_EXTENDED = re.compile(r"([^']*)'[^']*'(.*)", re.DOTALL)


def header_parameters(header: str) -> dict[str, str]:
    """Return the parameters of a header by name in lower case: `form-data; name="a"` has `name`."""
    found: dict[str, str] = {}
    for each in _PARAMETER.finditer(header):
        quoted, plain = each[2], each[3]
        value = re.sub(r'\\(["\\])', r"\1", quoted) if quoted is not None else plain.strip()
        found.setdefault(each[1].lower(), value)
    return found


def disposition_name(header: str) -> str:
    """Return the file name of a `Content-Disposition`, or nothing.

    Source: RFC 6266; RFC 8187 for `filename*`; RFC 2047 is met in the wild.
    """
    names = header_parameters(header)
    extended = _EXTENDED.fullmatch(names.get("filename*", ""))
    if extended is not None:
        try:
            name = decode_text(unquote_to_bytes(extended[2]), extended[1] or "utf-8")
        except CharsetError:
            name = ""
        if name:
            return safe_name(name)
    return safe_name(_encoded_words(names.get("filename", "")))


def disposition(kind: str, name: str) -> str:
    """Return the `Content-Disposition` that names a file, of any letters."""
    return f"{kind}; filename*=UTF-8''{quote(safe_name(name), safe='')}"


def safe_name(name: str) -> str:
    """Return the last part of a name, without what no file's name can have."""
    last = re.split(r"[/\\]", name)[-1]
    plain = "".join(character for character in last if character.isprintable()).strip().lstrip(".")
    plain = unicodedata.normalize("NFC", plain)
    stem, dot, ending = plain.rpartition(".")
    if dot and len(plain) > MAX_NAME_CHARACTERS and len(ending) < _MAX_ENDING_CHARACTERS:
        return f"{stem[: MAX_NAME_CHARACTERS - len(ending) - 1]}.{ending}"
    return plain[:MAX_NAME_CHARACTERS]


def _encoded_words(name: str) -> str:
    if "=?" not in name:
        return name
    try:
        return str(make_header(decode_header(name)))
    except (HeaderParseError, LookupError, ValueError):
        return name
