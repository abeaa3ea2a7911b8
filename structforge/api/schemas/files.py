"""Files, and what is seen of artifacts, as the API gives them.

Invariant: as in the package; what is not named here is not sent.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from structforge.api.schemas.body import Body
from structforge.services.file_previews import FilePreview
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


class FilePreviewBody(Body):
    """Which file to look into, and how the node would read it."""

    file: str | dict[str, Any]
    parameters: dict[str, Any] = Field(default_factory=dict)


class PreviewColumnPublic(BaseModel):
    """A column of a file."""

    name: str
    type: Literal["integer", "decimal", "number", "text", "boolean", "date", "datetime"]
    chosen: bool


class FilePreviewPublic(BaseModel):
    """What a file holds, as far as it was looked at."""

    format: str
    recognised: dict[str, Any]
    columns: list[PreviewColumnPublic]
    rows: list[list[str | None]]
    text: str | None
    sheets: list[str]
    encodings: list[str]
    rows_seen: int
    size_bytes: int
    complete: bool
    problems: list[dict[str, Any]]

    @classmethod
    def of(cls, preview: FilePreview) -> "FilePreviewPublic":
        """Make the answer."""
        facts = {name: getattr(preview, name) for name in cls.model_fields}
        return cls.model_validate({**facts, "problems": [problem.as_json() for problem in preview.problems]})


class CutValuePublic(BaseModel):
    """A value as far as a person reads it."""

    value: Any
    cut: bool
    """Something is left out: download it to have it whole."""
