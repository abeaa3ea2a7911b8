"""Connections: configured ways to reach something outside, by kind; what may be configured, and what is secret.

Invariant: settings never hold a secret, and nothing here says where a connection may lead: that is checked at each use.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from structforge.domain.errors import InvalidError, Problem, sentence
from structforge.domain.faults import fault_sentence

NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""What workflows call a connection; it never changes, since documents hold it."""

SECRET_MAX_CHARACTERS = 4_096


class ConnectionKind(StrEnum):
    """What is reached."""

    POSTGRESQL = "postgresql"


class PostgresqlSettings(BaseModel):
    """Where a PostgreSQL database is and as whom it is used; the secret is the password."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    host: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]+$", max_length=253)]
    """A host name or an address; never a socket's path."""
    port: Annotated[int, Field(ge=1, le=65_535)] = 5_432
    database: Annotated[str, Field(min_length=1, max_length=63)]
    user: Annotated[str, Field(min_length=1, max_length=63)]
    tls: Literal["verify", "require", "prefer", "off"] = "require"
    """`verify` checks the server's certificate and name, `require` only encrypts."""
    max_connections: Annotated[int, Field(ge=1, le=100)] = 5
    """How many connections one process of ours opens at most."""


SETTINGS: dict[ConnectionKind, type[PostgresqlSettings]] = {ConnectionKind.POSTGRESQL: PostgresqlSettings}


@dataclass(frozen=True, slots=True)
class OpenedConnection:
    """A connection as a process uses it: decrypted, for this moment."""

    name: str
    kind: ConnectionKind
    settings: PostgresqlSettings
    secret: str


def check_name(name: str) -> None:
    """Raises: InvalidError `connection.name`."""
    if NAME.fullmatch(name) is None:
        raise InvalidError(
            Problem(
                "connection.name",
                sentence("`{name}` cannot be the name of a connection.", name=name[:80]),
                "name",
                "Begin with a small letter; go on with small letters, digits and `_`, at most 63 in all.",
            )
        )


def check_settings(kind: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings whole, with defaults. Raises: InvalidError with every wrong one."""
    try:
        model = SETTINGS[ConnectionKind(kind)]
    except ValueError:
        known = ", ".join(f"`{each}`" for each in ConnectionKind)
        raise InvalidError(
            Problem(
                "connection.kind",
                sentence("There is no kind of connection `{kind}`.", kind=kind[:80]),
                "kind",
                sentence("Known are: {known}.", known=known),
            )
        ) from None
    try:
        return model.model_validate(settings).model_dump(mode="json")
    except ValidationError as error:
        raise InvalidError(
            *(
                Problem(
                    "connection.setting",
                    sentence("{msg}.", msg=fault_sentence(fault)),
                    ".".join(("settings", *map(str, fault["loc"]))),
                    "docs/connections.md lists the settings of each kind.",
                )
                for fault in error.errors(include_input=False, include_url=False)
            )
        ) from None


def holds_connection(parameter: str) -> bool:
    """Tell by its name whether a parameter of a node names a connection: `connection`, `target_connection`."""
    return parameter == "connection" or parameter.endswith("_connection")


def named_connections(parameters: Mapping[str, Any]) -> list[str]:
    """Return the connections that a node's parameters name, for looking up who uses one."""
    values = [value for parameter, value in parameters.items() if holds_connection(parameter)]
    return sorted({name for name in values if isinstance(name, str) and NAME.fullmatch(name)})
