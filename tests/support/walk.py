"""Runs a workflow file node by node over the test bench, in topological order and without the engine."""

import json
from pathlib import Path
from typing import Any

from structforge.domain.expressions import Skipped, compile_value
from structforge.domain.workflow import WorkflowDocument
from structforge.nodes.tables import load_table_json
from structforge.plugins import load_registry
from structforge.sdk import TABLE_MEDIA_TYPE, ArtifactRef, NodeError
from structforge.sdk.parameters import literal_fields
from structforge.sdk.testing import Bench

EXAMPLES = Path(__file__).parents[2] / "examples"


def read_example(name: str) -> WorkflowDocument:
    """Return the document of `examples/NAME.json`."""
    body = json.loads((EXAMPLES / f"{name}.json").read_text())
    assert body["structforge"]["format"] == 1
    assert body["structforge"]["name"]
    return WorkflowDocument.model_validate(body["workflow"])


async def walk(
    document: WorkflowDocument, run_input: dict[str, Any], bench: Bench
) -> dict[str, dict[str, Any]]:
    """Return node id to its live ports; a node without a live edge is left out. One attempt each."""
    registry = load_registry()
    results: dict[str, dict[str, Any]] = {}
    pending = list(document.nodes)
    while pending:
        spec = next(
            spec
            for spec in pending
            if not any(e.target == spec.id and any(p.id == e.source for p in pending) for e in document.edges)
        )
        pending.remove(spec)
        node = registry[spec.type]
        incoming = [edge for edge in document.edges if edge.target == spec.id]
        live = [edge for edge in incoming if edge.source_port in results.get(edge.source, {})]
        if incoming and not live:
            continue
        many = {port.name for port in node.input_ports(spec.parameters) if port.many}
        inputs: dict[str, Any] = {"in": run_input} if node.trigger else {}
        for edge in live:
            value = results[edge.source][edge.source_port]
            if edge.target_port in many:
                inputs.setdefault(edge.target_port, []).append(value)
            else:
                inputs[edge.target_port] = value
        scope = {
            other.id: loaded(next(iter(results[other.id].values())), bench)
            if results.get(other.id)
            else Skipped(other.id)
            for other in document.nodes
        }
        literal = {
            name: spec.parameters[name] for name in literal_fields(node.Parameters) & set(spec.parameters)
        }
        resolved = compile_value({k: v for k, v in spec.parameters.items() if k not in literal}).resolve(
            scope
        )
        try:
            outcome = await bench.run_async(node, {**resolved, **literal}, inputs, step_key=spec.id)
        except NodeError as error:
            if spec.policies.on_error != "port":
                raise
            results[spec.id] = {"error": error.problem.as_json()}
        else:
            results[spec.id] = outcome.ports
    return results


def loaded(value: Any, bench: Bench) -> Any:
    """Return the rows of a table that travels as an artifact, and any other value as it is."""
    ref = ArtifactRef.from_json(value)
    if ref is not None and ref.media_type == TABLE_MEDIA_TYPE:
        return load_table_json(bench.artifacts.path(ref))
    return value
