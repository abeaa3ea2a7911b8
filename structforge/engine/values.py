"""Results on their way into the journal and back: encoded once, large ones stored as artifacts.

Invariant: what a later step sees in memory is exactly what a recovered run reads from the journal.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any
from uuid import UUID

from structforge.domain.errors import InvalidError, Problem, Sentence, sentence
from structforge.domain.values import decode_json, journal_safe, journal_safe_bytes
from structforge.engine.environment import Environment
from structforge.engine.reading import VALUE_MEDIA_TYPE, Referring
from structforge.engine.summaries import summary_of
from structforge.sdk.context import ARTIFACT_KEY, ArtifactRef, NodeError

MAX_TEXT = 10_000
"""Longest text of a problem that is kept."""

MAX_HELD = 200
"""So many artifacts that a stored value refers to are named beside it."""

_MARK = f'"{ARTIFACT_KEY}"'.encode()


@dataclass(frozen=True, slots=True)
class Encoded:
    """A step's live ports as they are journaled."""

    ports: Mapping[str, Any]
    data: bytes
    """The JSON object of `ports`."""
    artifacts: tuple[dict[str, Any], ...] = ()
    """Bodies of the references inside."""


def encode(ports: Mapping[str, Any], limit_bytes: int) -> Encoded | None:
    """Encode the ports of a result; None when they are over `limit_bytes` and `store_large` has to do it.

    Raises: InvalidValueError for a value that no journal can hold.
    """
    safe, data = journal_safe_bytes(ports)
    if len(data) > limit_bytes:
        return None
    return _encoded(safe, data)


async def store_large(ports: Mapping[str, Any], environment: Environment, organization_id: UUID) -> Encoded:
    """Encode ports of which at least one is large: those are stored as artifacts, off the event loop."""
    return await asyncio.to_thread(_store_large, ports, environment, organization_id)


def _store_large(ports: Mapping[str, Any], environment: Environment, organization_id: UUID) -> Encoded:
    limits = environment.limits
    store = environment.artifacts(organization_id)
    kept: dict[str, Any] = {}
    inside: dict[str, dict[str, Any]] = {}
    for port, value in ports.items():
        safe, data = journal_safe_bytes(value)
        if len(data) > limits.max_value_bytes:
            raise NodeError(
                "value.too_large",
                sentence(
                    "The value of port {port} has {count} bytes; the limit is {max_value_bytes}.",
                    port=repr(port),
                    count=len(data),
                    max_value_bytes=limits.max_value_bytes,
                ),
                where=f"ports.{port}",
                hint="Write it to a file and pass the file on, or filter it earlier.",
            )
        if len(data) > limits.inline_value_bytes:
            meta: dict[str, Any] = {"summary": list(summary_of(safe))}
            if _MARK in data:
                held: dict[str, dict[str, Any]] = {}
                _collect(safe, held)
                inside |= held
                # Whoever takes this value over keeps what it holds from being swept, without opening it.
                meta["holds"] = [_bare(body) for body in islice(held.values(), MAX_HELD)]
            safe = replace(store.put(data, media_type=VALUE_MEDIA_TYPE), meta=meta).as_json()
        kept[port] = safe
    encoded = _encoded(*journal_safe_bytes(kept))
    # What stands inside a stored value is in use as it is itself.
    return replace(encoded, artifacts=(*encoded.artifacts, *inside.values()))


def _encoded(ports: Any, data: bytes) -> Encoded:
    if _MARK not in data:
        return Encoded(ports, data)
    found: dict[str, dict[str, Any]] = {}
    _collect(ports, found)
    return Encoded(Referring(ports) if found else ports, data, tuple(found.values()))


def references_in(data: bytes) -> tuple[dict[str, Any], ...]:
    """Return the bodies of the artifact references in journaled outputs."""
    return _encoded(decode_json(data, max_bytes=len(data)), data).artifacts if _MARK in data else ()


def _bare(body: Mapping[str, Any]) -> dict[str, Any]:
    return {name: body[name] for name in ("hash", "size_bytes", "media_type")}


def _collect(value: Any, found: dict[str, dict[str, Any]]) -> None:
    ref = ArtifactRef.from_json(value)
    if ref is not None:
        found[ref.hash] = ref.as_json()[ARTIFACT_KEY]
        held = ref.meta.get("holds")
        for body in held if isinstance(held, list) else ():
            inner = ArtifactRef.from_json({ARTIFACT_KEY: body})
            if inner is not None:
                found[inner.hash] = inner.as_json()[ARTIFACT_KEY]
    elif isinstance(value, dict):
        for child in value.values():
            _collect(child, found)
    elif isinstance(value, list):
        for child in value:
            _collect(child, found)


def safe_problem(problem: Problem) -> Problem:
    """Return the problem as any journal can hold it: texts without NUL and lone surrogates, details of plain JSON."""
    return Problem(
        _safe_text(problem.code),
        _safe_text(problem.message),
        _safe_text(problem.where),
        _safe_text(problem.hint),
        safe_fields(problem.details),
    )


def safe_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a node tells beside a text, as events and logs can hold it; what is no JSON becomes text."""
    safe: dict[str, Any] = {}
    for name, value in fields.items():
        try:
            plain = journal_safe(value)
        except InvalidError:
            plain = f"({type(value).__name__} that is no JSON)"
        safe[_safe_text(name)] = plain
    return safe


def _safe_text(text: object) -> str:
    """Return text that PostgreSQL takes, of bounded length; a sentence that is short enough stays one."""
    if isinstance(text, Sentence) and len(text) <= MAX_TEXT:
        values = {
            name: _safe_text(value) if isinstance(value, str) else value
            for name, value in text.values.items()
        }
        return Sentence(_safe_text(str(text)), text.pattern, values)
    if not isinstance(text, str):
        text = f"({type(text).__name__})"
    return text.replace("\0", "\\0").encode("utf-8", "replace").decode()[:MAX_TEXT]
