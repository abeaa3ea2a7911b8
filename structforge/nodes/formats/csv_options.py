"""What can be chosen for reading CSV, and what was recognised of a file.

Invariant: plain values, so that they stand in a version as they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Ragged = Literal["error", "fill", "collect"]
Repeated = Literal["error", "number"]
Kind = Literal["text", "integer", "decimal", "number", "boolean", "date", "datetime"]
ChosenKind = Literal["auto", "text", "integer", "decimal", "number", "boolean", "date", "datetime"]

AUTO = "auto"
"""Says of an option that it is recognised."""

DELIMITERS = (",", ";", "\t", "|")
"""Those that are recognised; the first wins a tie."""


@dataclass(frozen=True, slots=True)
class ColumnRule:
    """The type a column is read as."""

    type: ChosenKind = "auto"
    pattern: str = ""
    """How a date is written, such as `%d.%m.%Y`; nothing means ISO 8601."""
    iso: bool = False
    """A date that is ISO 8601 already is taken too: Excel has dates and texts in one column."""
    pinned: bool = False
    """It was recognised in an earlier file: cells must be written as they were there."""

    @property
    def kind(self) -> Kind:
        """Return the type that was chosen; text where none was."""
        return "text" if self.type == "auto" else self.type


@dataclass(frozen=True, slots=True)
class CsvOptions:
    """How a CSV file is read; `delimiter` and `decimal` may be `auto`."""

    delimiter: str = ","
    quote: str = '"'
    """The quote character; nothing when quotes mean nothing."""
    decimal: str = "."
    thousands: str = ""
    has_header: bool = True
    skip_lines: int = 0
    footer_lines: int = 0
    comment: str = ""
    ragged: Ragged = "error"
    repeated: Repeated = "error"
    missing: tuple[str, ...] = ()
    infer_types: bool = True
    rules: Mapping[str, ColumnRule] = field(default_factory=dict)
