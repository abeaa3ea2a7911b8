"""Files, and what is seen of artifacts, as the API gives them.

Invariant: as in the package; what is not named here is not sent.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from structforge.services.files import FileEntry


class FilePublic(BaseModel):
    """An uploaded file."""

    path: str
    size_bytes: int
    changed_at: datetime

    @classmethod
    def of(cls, entry: FileEntry) -> "FilePublic":
        """Make the answer."""
        return cls.model_validate(entry, from_attributes=True)


class FileList(BaseModel):
    """Uploaded files by path."""

    items: list[FilePublic]


class ColumnPublic(BaseModel):
    """A column of a table."""

    name: str
    kind: Literal["number", "text", "boolean", "other"]


class TablePagePublic(BaseModel):
    """Some rows of a table, cells in the order of the columns."""

    columns: list[ColumnPublic]
    rows: list[list[Any]]
    offset: int
    matched: int
    """Rows that the search finds."""
    total: int


class CutValuePublic(BaseModel):
    """A value as far as a person reads it."""

    value: Any
    cut: bool
    """Something is left out: download it to have it whole."""
