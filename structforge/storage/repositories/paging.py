"""Keyset paging: a page starts after the last row of the one before, whatever was added meanwhile.

Invariant: a cursor is opaque to clients and holds nothing but the sort key of a row they were shown.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from structforge.domain.errors import InvalidError, Problem

T = TypeVar("T")

MAX_PAGE_SIZE = 200


@dataclass(frozen=True, slots=True)
class Cursor:
    """The place after one row of a list that is sorted newest first."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """Return the text clients send back."""
        return base64.urlsafe_b64encode(f"{self.at.isoformat()}|{self.id}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "Cursor":
        """Read what `encode` wrote. Raises: InvalidError `cursor.invalid`."""
        try:
            at, _, identifier = (
                base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
            )
            moment = datetime.fromisoformat(at)
            if moment.tzinfo is None:
                raise ValueError("a cursor's time is aware")
            return cls(moment, UUID(identifier))
        except (ValueError, binascii.Error) as error:
            raise _invalid() from error


@dataclass(frozen=True, slots=True)
class NameCursor:
    """The place after one row of a list that is sorted by name."""

    name: str
    """In lower case, as it is compared."""
    id: UUID

    def encode(self) -> str:
        """Return the text clients send back."""
        return base64.urlsafe_b64encode(f"{self.id}|{self.name}".encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str) -> "NameCursor":
        """Read what `encode` wrote. Raises: InvalidError `cursor.invalid`."""
        try:
            plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
            identifier, _, name = plain.partition("|")
            return cls(name, UUID(identifier))
        except (ValueError, binascii.Error) as error:
            raise _invalid() from error


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows and where the next page begins; None after the last."""

    items: Sequence[T]
    next_cursor: str | None


def _invalid() -> InvalidError:
    return InvalidError(
        Problem(
            "cursor.invalid",
            "The cursor does not belong to this list.",
            where="cursor",
            hint="Send back `next_cursor` of the page before, or none for the first page.",
        )
    )


def page_size(limit: int) -> int:
    """Return a limit that is in range."""
    return min(max(limit, 1), MAX_PAGE_SIZE)
