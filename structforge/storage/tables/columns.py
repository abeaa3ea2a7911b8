"""The base of all rows and the few kinds of column they are made of.

Invariant: every time is `timestamptz` and aware; every default that raw SQL relies on is in the server too.
"""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, TIMESTAMP, ForeignKey, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
"""Names that migrations can rely on, whatever version of SQLAlchemy wrote them."""


class Row(SQLModel):
    """Base of the tables; `Row.metadata` is what migrations are compared with."""

    metadata = MetaData(naming_convention=NAMING)


def utc_now() -> datetime:
    """Return the present as an aware time."""
    return datetime.now(UTC)


def identifier(
    *, references: str | None = None, primary: bool = False, null: bool = False, **more: Any
) -> Any:
    """Declare a `uuid` column; `references` is `table.column`."""
    arguments = (ForeignKey(references, **more),) if references else ()
    default = {"default": None} if null else {}
    return Field(**default, primary_key=primary, sa_type=Uuid, nullable=null, sa_column_args=arguments)  # type: ignore[call-overload]


def string(
    default: str | None = None, *, null: bool = False, references: str | None = None, **more: Any
) -> Any:
    """Declare a `text` column, with the same default here and in the server."""
    options: dict[str, Any] = {"sa_type": Text, "nullable": null, **more}
    if default is not None:
        options |= {"default": default, "sa_column_kwargs": {"server_default": default}}
    elif null:
        options["default"] = None
    if references:
        options["sa_column_args"] = (ForeignKey(references),)
    return Field(**options)


def moment(*, now: bool = False, null: bool = False) -> Any:
    """Declare a `timestamptz` column; `now` fills it on both sides."""
    options: dict[str, Any] = {"sa_type": TIMESTAMP(timezone=True), "nullable": null}
    if now:
        options |= {"default_factory": utc_now, "sa_column_kwargs": {"server_default": text("now()")}}
    elif null:
        options["default"] = None
    return Field(**options)


def ordered_json(*, null: bool = False) -> Any:
    """Declare a `json` column: the text as it came, so that the order of keys is kept."""
    default = {"default": None} if null else {}
    # none_as_null: an absent value is SQL NULL; who means the value null writes `JSON.NULL`.
    return Field(**default, sa_type=JSON(none_as_null=True), nullable=null)  # type: ignore[call-overload]


def searchable_json(default: str, factory: Any) -> Any:
    """Declare a `jsonb` column for small facts that queries look into."""
    return Field(
        default_factory=factory, sa_type=JSONB, nullable=False, sa_column_kwargs={"server_default": default}
    )


__all__ = [
    "UUID",
    "Row",
    "datetime",
    "identifier",
    "moment",
    "ordered_json",
    "searchable_json",
    "string",
    "utc_now",
]
