"""Values as they leave the system: data, however they travelled.

Invariant: a reference to a table or a large value never leaves in the place of it; what is too large for one answer is
described (`$large`) with the address where it is read in pieces. A file stays the reference that it is.
"""

import asyncio
from typing import Any
from uuid import UUID

from structforge.domain.expressions import Lazy, Reading
from structforge.domain.values import JsonValue, decode_json, encode_json
from structforge.engine.environment import Environment
from structforge.engine.reading import refers
from structforge.sdk.context import ARTIFACT_KEY, ArtifactRef, NodeError

SHOWN_VALUES = 1_000_000
"""Values of one answer: cells of tables, and sixteen bytes of JSON each."""
TOO_MUCH = "value.too_much_to_read"
LARGE_KEY = "$large"
"""Stands for a value that is too large for an answer."""
ARTIFACTS = "/api/v1/artifacts/"
MAX_OUTPUT_BYTES = 1 << 30

_MARK = f'"{ARTIFACT_KEY}"'.encode()


class ShownValues:
    """Brings values that were stored apart back into what is shown."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment

    async def shown(self, organization_id: UUID, value: Any, *, most: int = SHOWN_VALUES) -> Any:
        """Return a value as people and programs see it; what goes beyond `most` values is described."""
        if not await asyncio.to_thread(refers, value):
            return value
        return await asyncio.to_thread(self._shown, organization_id, value, most)

    async def inside(self, organization_id: UUID, value: Any) -> Any:
        """Return the same but leave a value that is a reference itself, for who reads that in pieces."""
        return value if ArtifactRef.from_json(value) is not None else await self.shown(organization_id, value)

    async def shown_bytes(self, organization_id: UUID, data: bytes) -> bytes:
        """Return the JSON of a value as programs see it; without references the same bytes."""
        if _MARK not in data:
            return data
        return await asyncio.to_thread(
            lambda: encode_json(self._shown(organization_id, decode_json(data, max_bytes=MAX_OUTPUT_BYTES)))
        )

    async def whole(self, organization_id: UUID, value: Any) -> JsonValue:
        """Return a value with all of its data. Raises: NodeError `value.too_much_to_read`, `artifact.missing`."""
        reader = self._environment.reader(organization_id)
        whole: JsonValue = await asyncio.to_thread(reader.whole, value) if refers(value) else value
        return whole

    def _shown(self, organization_id: UUID, value: Any, most: int = SHOWN_VALUES) -> Any:
        reading = self._environment.reader(organization_id, most=most).reading()
        return _shown(reading, reading.seen(value))


def _shown(reading: Reading, value: Any) -> Any:
    if isinstance(value, Lazy):
        try:
            value = reading.content(value)
        except NodeError as error:
            if error.problem.code != TOO_MUCH:
                raise
            return _described(value)
    if isinstance(value, dict):
        return (
            {name: _shown(reading, item) for name, item in value.items()} if reading.holds(value) else value
        )
    if isinstance(value, list):
        return [_shown(reading, item) for item in value] if reading.holds(value) else value
    return value


def _described(value: Lazy) -> dict[str, Any]:
    ref = ArtifactRef.from_json(value.reference)
    if ref is None:
        raise ValueError("a lazy value refers to an artifact")
    told: dict[str, Any] = {"href": f"{ARTIFACTS}{ref.hash}", "size_bytes": ref.size_bytes}
    if value.columns is not None:
        told |= {"rows": value.rows, "columns": value.columns, "rows_href": f"{ARTIFACTS}{ref.hash}/rows"}
    return {LARGE_KEY: told}
