"""What validation knows of a node type. The domain may not import the SDK; `sdk.shapes` supplies these."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pydantic_core import ErrorDetails

from structforge.domain.ports import Port


class NodeShape(Protocol):
    """A node type as seen from outside."""

    @property
    def title(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def trigger(self) -> bool: ...
    @property
    def loop(self) -> bool:
        """It owns a loop region (see `graph`)."""
        ...

    @property
    def final(self) -> bool:
        """Its branch runs when the run ends."""
        ...

    def names_at(self, place: Sequence[int | str]) -> tuple[str, ...]:
        """Return the names known in the object where the last part of an error's place was looked for."""
        ...

    @property
    def literal_parameters(self) -> frozenset[str]:
        """Top-level parameters in which the engine resolves no expressions."""
        ...

    @property
    def connection_parameters(self) -> tuple[str, ...]:
        """Top-level parameters that name a connection of the organization."""
        ...

    @property
    def fixed_ports(self) -> bool:
        """The ports do not depend on the parameters."""
        ...

    def input_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        """Return the input ports; unless they are fixed, asked only with parameters without problems."""
        ...

    def output_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        """Return the output ports; asked as for the input ports."""
        ...

    def parameter_errors(self, parameters: Mapping[str, Any]) -> Sequence[ErrorDetails]:
        """Return what pydantic finds wrong with the parameters, expressions taken as plain text."""
        ...
