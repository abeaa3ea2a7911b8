"""Bytes to text: which encoding a file has, and its content as UTF-8.

Invariant: a file is decoded once; one that is UTF-8 already is passed on without a copy.
"""

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from structforge.domain.errors import sentence
from structforge.nodes.formats.letters import LATIN, latin_encoding
from structforge.sdk import NodeError
from structforge.sdk.lazy_module import LazyModule

if TYPE_CHECKING:
    import charset_normalizer
    import pyarrow as pa
else:
    charset_normalizer = LazyModule("charset_normalizer")
    pa = LazyModule("pyarrow")

ENCODINGS: dict[str, str] = {
    "utf-8": "utf-8", "utf-16": "utf-16", "utf-16-le": "utf-16-le", "utf-16-be": "utf-16-be",
    "latin-1": "latin-1", "iso-8859-2": "iso8859_2", "iso-8859-15": "iso8859_15",
    "windows-1250": "cp1250", "windows-1251": "cp1251", "windows-1252": "cp1252", "windows-1253": "cp1253",
    "windows-1254": "cp1254", "windows-1255": "cp1255", "windows-1256": "cp1256", "windows-1257": "cp1257",
    "windows-1258": "cp1258", "gb18030": "gb18030", "gbk": "gbk", "big5": "cp950", "shift-jis": "cp932",
    "euc-jp": "euc_jp", "euc-kr": "cp949", "koi8-r": "koi8_r", "cp437": "cp437", "cp850": "cp850",
    "mac-roman": "mac_roman",
}  # fmt: skip
"""The encodings a person can choose, with Python's name of each."""

_RECOGNISED = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "gb18030", "cp932", "cp950",
    "cp949", "euc_jp", "koi8_r",
)  # fmt: skip
_NAMES = {python: name for name, python in reversed(ENCODINGS.items())}
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SAMPLE_BYTES = 64 * 1024
_NOT_ASCII = re.compile(rb"[\x80-\xff]")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The content of a file as UTF-8."""

    data: bytes
    start: int
    """Where the content begins: behind the byte order mark, which stays to save a copy."""
    encoding: str
    """Which of `ENCODINGS` it was written in."""

    def text(self) -> str:
        """Return the content as text."""
        return str(memoryview(self.data)[self.start :], "utf-8")


def decode(data: bytes, encoding: str, source: str) -> Decoded:
    """Return the content as UTF-8; `encoding` is one of `ENCODINGS`, or `auto`.

    A byte order mark decides before what is recognised, and is left out.
    Raises: NodeError `file.not_decodable`, `file.encoding_unknown`, `file.nul`.
    """
    mark, marked = next(((mark, name) for mark, name in MARKS if data.startswith(mark)), (b"", ""))
    name = encoding
    if encoding == "auto":
        name = marked or recognise_encoding(data, source)
    elif encoding == "utf-16":
        name = marked if marked.startswith("utf-16") else "utf-16-le"
    start = len(mark) if marked == name else 0
    if name == "utf-8":
        # What was recognised as UTF-8 was looked at for that.
        if encoding != "auto" or marked:
            _require_utf8(data, source)
    else:
        data, start = _text(data[start:], name, source).encode(), 0
    _refuse_nul(data, source)
    return Decoded(data, start, encoding if encoding == "utf-16" else name)


def recognise_encoding(data: bytes, source: str) -> str:
    """Return the encoding of a file without a byte order mark. Raises: NodeError `file.encoding_unknown`."""
    wide = _wide(data[:_SAMPLE_BYTES])
    if wide:
        return wide
    if is_utf8(data):
        return "utf-8"
    # The letters that tell encodings apart may come late: the sample is around the first of them.
    found_first = _NOT_ASCII.search(data)
    first = found_first.start() if found_first else 0
    start = max(0, first - _SAMPLE_BYTES // 2)
    sample = data[start : start + _SAMPLE_BYTES]
    best = charset_normalizer.from_bytes(sample, cp_isolation=list(_RECOGNISED)).best()
    if best is None:
        raise NodeError(
            "file.encoding_unknown",
            sentence("The encoding of {source} is not recognised.", source=source),
            where="parameters.encoding",
            hint="Choose the encoding, or save the file as UTF-8.",
        )
    found = "cp1252" if _same(sample, "cp1252", best.encoding) else best.encoding
    # Letters that go in pairs can be made of any others: only a text all of whose letters are Latin is taken for that.
    latin = latin_encoding(sample, least=0.8 if found in LATIN else 1.0)
    if latin and _holds(data, latin):
        found = latin
    elif found == "cp949" and _is_chinese(sample) and _holds(data, "gb18030"):
        found = "gb18030"
    return _NAMES.get(found, found)


def is_utf8(data: bytes) -> bool:
    """Tell whether the bytes are UTF-8, without a copy of them."""
    if data.isascii():
        return True
    ends = pa.array([0, len(data)], pa.int64()).buffers()[1]
    whole = pa.Array.from_buffers(pa.large_binary(), 1, [None, ends, pa.py_buffer(data)])
    try:
        whole.cast(pa.large_string())
    except pa.ArrowInvalid:
        return False
    return True


def _require_utf8(data: bytes, source: str) -> None:
    if is_utf8(data):
        return
    try:
        codecs.utf_8_decode(data, "strict", True)
    except UnicodeDecodeError as error:
        raise _not_decodable(data, "utf-8", error.start, source) from error


def _wide(sample: bytes) -> str:
    """Return which UTF-16 it is by where its zero bytes are, or nothing."""
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if len(sample) < 2 or len(sample) % 2 and len(sample) < _SAMPLE_BYTES:
        return ""
    if odd > len(sample) // 8 and not even:
        return "utf-16-le"
    return "utf-16-be" if even > len(sample) // 8 and not odd else ""


def _same(sample: bytes, one: str, other: str) -> bool:
    try:
        return sample.decode(one) == sample.decode(other)
    except UnicodeDecodeError:
        return False


def _is_chinese(sample: bytes) -> bool:
    """Tell whether what could be Korean has many characters that Korean seldom and Chinese always has."""
    found = [sign for sign in sample.decode("cp949", "ignore") if not sign.isascii()]
    return sum("\u4e00" <= sign <= "\u9fff" or sign >= "\uf900" for sign in found) > len(found) // 5


def _holds(data: bytes, encoding: str) -> bool:
    """Tell whether an encoding has all bytes of a file."""
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _text(body: bytes, name: str, source: str) -> str:
    try:
        return body.decode(ENCODINGS[name])
    except UnicodeDecodeError as error:
        raise _not_decodable(body, name, error.start, source) from error


def _not_decodable(data: bytes, encoding: str, byte: int, source: str) -> NodeError:
    """Build the error of a byte that the encoding does not have."""
    line = data.count(b"\n", 0, byte) + 1
    return NodeError(
        "file.not_decodable",
        sentence(
            "{source} is not {encoding}: byte {byte} (line {line}) is 0x{value}.",
            source=source,
            encoding=encoding.upper(),
            byte=byte,
            line=line,
            value=f"{data[byte]:02x}",
        ),
        where=f"line {line}",
        hint="Choose the file's encoding, or save it as UTF-8.",
        line=line,
        byte=byte,
    )


def _refuse_nul(data: bytes, source: str) -> None:
    nul = data.find(b"\0")
    if nul >= 0:
        line = data.count(b"\n", 0, nul) + 1
        raise NodeError(
            "file.nul",
            sentence("{source} holds a NUL character at byte {nul} (line {line}).", source=source, nul=nul, line=line),
            where=f"line {line}",
            hint="This looks like a binary file; text cannot hold NUL.",
            line=line,
            byte=nul,
        )  # fmt: skip
