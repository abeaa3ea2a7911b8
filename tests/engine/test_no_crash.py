"""Random data through the whole engine: expressions, parameters, the pool, the journal. No step crashes."""

import random
import re
from typing import Any

import pytest

from structforge.domain.errors import InvalidError, Problem
from structforge.sdk import Node
from tests.fuzz.node_types import FILES, FOREIGN, answer, inputs_for, nodes_that_run, object_for, registry
from tests.support.execution import Workshop
from tests.support.workflows import document, node

ROUNDS = 6
NO_RUN = {
    "flow.wait_webhook", "flow.approval", "flow.call", "flow.delay", "flow.wait_until", "flow.finally",
}  # fmt: skip
"""They wait, or need another run."""
TYPES = sorted(
    each.type for each in nodes_that_run(registry()) if not each.trigger and each.type not in NO_RUN
)


def random_run(source: random.Random, kind: Node[Any]) -> tuple[list[dict[str, Any]], list[str], Any]:
    """Return nodes, edges and input of a run in which expressions bring everything to the node."""
    schema = kind.Parameters.model_json_schema()
    literal = {name for name, field in schema["properties"].items() if field.get("x-expressions") is False}
    parameters = object_for(source, schema, schema)
    many = {port.name: port.many for port in kind.input_ports(parameters)}
    ports = {
        port: (value or [None])[0] if many[port] else value
        for port, value in inputs_for(source, kind, parameters).items()
    }
    asked = {
        name: value if name in literal else f"{{{{ inputs.parameters['{name}'] }}}}"
        for name, value in parameters.items()
    }
    feeding = [node(f"to_{port}", value=f"{{{{ inputs.ports['{port}'] }}}}") for port in ports]
    edges = [text for port in ports for text in (f"start>to_{port}", f"to_{port}>it.{port}")]
    nodes = [node("start", "trigger.manual"), *feeding, node("it", kind.type, **asked)]
    return nodes, edges, {"parameters": parameters, "ports": ports}


@pytest.mark.parametrize("type_id", TYPES)
async def test_no_step_crashes(workshop: Workshop, type_id: str) -> None:
    source, kind = random.Random(type_id), workshop.registry[type_id]
    for name, content in FILES.items():
        (workshop.folder / name).write_bytes(content)
    workshop.environment.http.answer = lambda *request: answer(source)  # type: ignore[attr-defined]
    for _ in range(ROUNDS):
        nodes, edges, given = random_run(source, kind)
        try:
            report = await workshop.run(document(*nodes, edges=edges), input=given)
            problems = [report.end.error] if report.end.error else []
        except InvalidError as error:  # What is written literally is looked at before the run.
            problems = list(error.problems)
        for problem in problems:
            assert problem.code != "step.crashed", (nodes[-1], given, problem)
            assert not FOREIGN.search(bare(problem)), (nodes[-1], given, problem)


def bare(problem: Problem) -> str:
    """Return what is said, without quoted data."""
    return re.sub(r"`[^`]*`", "", f"{problem.message} {problem.hint}")
