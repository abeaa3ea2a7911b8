"""The registry's node types as validation sees them: the domain knows no SDK, so the SDK hands it shapes.

Invariant: reading a shape runs no node. Services and the CLI pass `shapes_of(registry)` to `validate`.
"""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from structforge.domain.faults import names_at
from structforge.domain.ports import Port
from structforge.sdk.node import Node
from structforge.sdk.parameters import fields_with, literal_fields
from structforge.sdk.registry import NodeRegistry


class RegisteredShape:
    """One registered node type; implements `validation.NodeShape`."""

    def __init__(self, node: Node[Any]) -> None:
        self._node = node

    @property
    def title(self) -> str:
        """The name people read."""
        return self._node.title

    @property
    def version(self) -> int:
        """The installed version."""
        return self._node.version

    @property
    def trigger(self) -> bool:
        """Whether runs start with it."""
        return self._node.trigger

    @property
    def loop(self) -> bool:
        """Whether it owns a loop region."""
        return self._node.loop

    @property
    def final(self) -> bool:
        """Whether its branch runs when the run ends."""
        return self._node.final

    def names_at(self, place: Sequence[int | str]) -> tuple[str, ...]:
        """Return the names known in the object where the last part of an error's place was looked for."""
        return names_at(self._node.Parameters, place)

    @cached_property
    def literal_parameters(self) -> frozenset[str]:
        """The top-level parameters in which nothing is resolved."""
        return literal_fields(self._node.Parameters)

    @cached_property
    def connection_parameters(self) -> tuple[str, ...]:
        """The top-level parameters that name a connection."""
        return fields_with(self._node.Parameters, "connection")

    @cached_property
    def fixed_ports(self) -> bool:
        """Whether the type leaves both port methods as they are."""
        own = type(self._node)
        return own.input_ports is Node.input_ports and own.output_ports is Node.output_ports

    def input_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        """Return the input ports for these parameters."""
        return self._node.input_ports(parameters)

    def output_ports(self, parameters: Mapping[str, Any]) -> tuple[Port, ...]:
        """Return the output ports for these parameters."""
        return self._node.output_ports(parameters)

    def parameter_errors(self, parameters: Mapping[str, Any]) -> Sequence[ErrorDetails]:
        """Return pydantic's errors, without the values."""
        try:
            self._node.Parameters.model_validate(parameters)
        except ValidationError as error:
            return error.errors(include_url=False, include_input=False)
        return ()


def shapes_of(registry: NodeRegistry) -> dict[str, RegisteredShape]:
    """Return the shape of each node type by its id."""
    return {node.type: RegisteredShape(node) for node in registry}
