"""Bytes of text that came from outside, with the encoding they declare.

Invariant: bytes become the text they are or `CharsetError`; nothing is replaced or left out. Names of encodings mean
what browsers take them for: `iso-8859-1` is windows-1252, `gb2312` is gb18030.
"""

import codecs
import re

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDER = {
    "iso8859-1": "cp1252",
    "ascii": "cp1252",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
}
"""What a declared encoding is in practice. Source: WHATWG Encoding, section 4.2."""
_NO_CHARSET = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "utf-7", "mbcs", "oem"}
)
_HEAD_BYTES = 1_024
_XML = re.compile(rb"""<\?xml[^>]*?\bencoding\s*=\s*["']([A-Za-z0-9._:-]+)["']""")
_META = re.compile(rb"""<meta\b[^>]*?\bcharset\s*=\s*["']?\s*([A-Za-z0-9._:-]+)""", re.IGNORECASE)


class CharsetError(ValueError):
    """The bytes are no text in the encoding that they should be in."""

    def __init__(self, charset: str) -> None:
        super().__init__(charset)
        self.charset = "".join(character for character in charset if character.isprintable())


def decode_text(data: bytes, declared: str = "", *, markup: bool = False) -> str:
    """Return the text: by its byte order mark, the declared encoding, that of XML and HTML (`markup`), else UTF-8.

    Raises: CharsetError.
    """
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], charset)
    charset = declared.strip()
    if not charset and markup:
        head = data[:_HEAD_BYTES]
        found = _XML.match(head.lstrip()) or _META.search(head)
        charset = found[1].decode("ascii") if found else ""
        if charset.lower().replace("_", "-").startswith("utf-16"):
            charset = ""  # It could not have been read as ASCII if that were so.
    return _decoded(data, charset or "utf-8")


def json_in_utf8(data: bytes, declared: str = "") -> bytes:
    """Return JSON that may be in another encoding, or begin with a mark, as UTF-8. Raises: CharsetError.

    JSON is UTF-8 whatever is declared, as long as it can be; UTF-16 and UTF-32 are seen by their zeros.
    """
    for mark, charset in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :] if charset == "utf-8" else _decoded(data[len(mark) :], charset).encode()
    zeros = [byte == 0 for byte in data[:4]]
    charset = _BY_ZEROS.get(tuple(zeros), "")
    if charset:
        return _decoded(data, charset).encode()
    if declared.strip().lower() in ("", "utf-8", "utf8"):
        return data
    try:
        data.decode()
    except UnicodeDecodeError:
        return _decoded(data, declared.strip()).encode()
    return data


def encode_text(text: str, charset: str) -> bytes:
    """Return the text in an encoding. Raises: CharsetError when it does not exist or lacks a character."""
    try:
        return text.encode(_known(charset, wider=False))
    except UnicodeError as error:
        raise CharsetError(charset) from error


def charset_of(content_type: str) -> str:
    """Return the `charset` of a content type, or nothing."""
    for option in content_type.split(";")[1:]:
        name, _, value = option.strip().partition("=")
        if name.strip().lower() == "charset":
            return value.strip("\"' ")
    return ""


_BY_ZEROS = {
    (True, True, True, False): "utf-32-be",
    (False, True, True, True): "utf-32-le",
    (True, False, True, False): "utf-16-be",
    (False, True, False, True): "utf-16-le",
    (True, False): "utf-16-be",
    (False, True): "utf-16-le",
}
"""Which of the first four bytes of JSON are zero. Source: RFC 4627, section 3."""


def _decoded(data: bytes, charset: str) -> str:
    known = _known(charset, wider=True)
    try:
        text = _read(data, known)
        text.encode()
    except (UnicodeError, LookupError, ValueError) as error:
        raise CharsetError(charset) from error
    return text


def _read(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except UnicodeDecodeError:
        if charset != "cp1252":
            raise
        return data.decode(
            "latin-1"
        )  # Five bytes that windows-1252 leaves open are control characters there.


def _known(charset: str, *, wider: bool) -> str:
    """Return Python's name of an encoding of text. Raises: CharsetError."""
    try:
        name = codecs.lookup(charset).name
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise CharsetError(charset) from error
    if name in _NO_CHARSET:
        raise CharsetError(charset)
    return _WIDER.get(name, name) if wider else name
