"""Values of steps as viewers take them: with the name expressions call them by, and files as links.

Invariant: a value that stands as an artifact is described, never loaded; who looks reads it in pieces. The pages import
it too: what they send by websocket and what they fetch is one form.
"""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from structforge.engine.reading import VALUE_MEDIA_TYPE
from structforge.sdk import TABLE_MEDIA_TYPE, ArtifactRef
from structforge.sdk.context import ARTIFACT_KEY
from structforge.services.artifact_views import PICTURES
from structforge.services.step_values import PortInput

ARTIFACTS = "/api/v1/artifacts/"
REFERENCE = {"key": ARTIFACT_KEY, "href": ARTIFACTS}
"""How value.jsx recognises a file inside a value, and where it reads it."""
KINDS = {TABLE_MEDIA_TYPE: "table", VALUE_MEDIA_TYPE: "value", "application/json": "value"} | {
    media_type: "picture" for _, _, media_type in PICTURES
}


def entry_of(name: str, value: Any, *, root: str = "", title: str = "") -> dict[str, Any]:
    """Return one value; `root` is the expression that names it, none where expressions cannot."""
    entry: dict[str, Any] = {"name": name, "root": root}
    if title:
        entry["title"] = title
    ref = ArtifactRef.from_json(value)
    if ref is None:
        return entry | {"value": value}
    kind = KINDS.get(ref.media_type) or ("text" if ref.media_type.startswith("text/") else "file")
    artifact = {
        "href": f"{ARTIFACTS}{ref.hash}",
        "kind": kind,
        "name": ref.name,
        "size_bytes": ref.size_bytes,
        "media_type": ref.media_type,
    }
    return entry | {"artifact": artifact}


def output_entries(node_id: str, default_port: str, ports: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List what came out of a node. An expression that names it sees the default port, or the only live one."""
    seen = default_port if default_port in ports else next(iter(ports), "")
    return [entry_of(name, value, root=node_id if name == seen else "") for name, value in ports.items()]


def input_entries(inputs: Iterable[PortInput]) -> list[dict[str, Any]]:
    """List what came into a node, by port, with the node it came from."""
    return [
        entry_of(
            given.port,
            given.value,
            root=given.source,
            title=f"{given.port} ← {given.source}" if given.source else given.port,
        )
        for given in inputs
    ]


def log_href(run_id: UUID, step_key: str) -> str:
    """Return where the log lines of a step are read."""
    return f"/api/v1/runs/{run_id}/logs?step={quote(step_key, safe='')}"


def problem_fields(error: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a failure as viewers take it; nothing where there is none."""
    if not error:
        return {}
    fields: dict[str, Any] = {"problem": str(error.get("message", ""))}
    fields |= {name: str(error[name]) for name in ("hint", "where", "code") if error.get(name)}
    return fields | ({"sentences": error["sentences"]} if error.get("sentences") else {})
